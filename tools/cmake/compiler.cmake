# Defaults of a build of this project itself; a project that embeds Troupe by
# add_subdirectory keeps its own.
if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
  endif()
  find_program(CCACHE_PROGRAM ccache)
  mark_as_advanced(CCACHE_PROGRAM)
  if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  endif()
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

# Also tells the linker -pie; without this CMake only compiles with -fPIE.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

# Warnings, standard, hardening and sanitizers that every target of ours gets.
function(troupe_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # At -O2, g++ 12 takes the vectors in a variant that is moved for
    # uninitialised. clang and the sanitizers look for the real ones.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(TROUPE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(TROUPE_HARDEN)
    target_compile_options(${target} PRIVATE
      -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS
      -fstack-protector-strong -fstack-clash-protection)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      target_link_options(${target} PRIVATE LINKER:-z,relro LINKER:-z,now)
    endif()
  endif()
  if(TROUPE_SANITIZE)
    # CAF's headers bind null references when they spawn functions without
    # arguments (caf/detail/init_fun_factory.hpp), hence no "null" check.
    target_compile_options(${target} PRIVATE
      -fsanitize=${TROUPE_SANITIZE} -fno-sanitize=null
      -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${TROUPE_SANITIZE})
  endif()
endfunction()
