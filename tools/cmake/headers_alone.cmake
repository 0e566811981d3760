# Target troupe_headers_alone compiles every header by itself, so that nobody
# depends on the order of includes. Not part of "all"; tools/check.sh builds it.
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
set(header_folders config netns drivers persistence actors tools tests)
set(header_sources)
foreach(folder ${header_folders})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS
       RELATIVE "${PROJECT_SOURCE_DIR}"
       "${PROJECT_SOURCE_DIR}/${folder}/*.hpp")
  foreach(header ${headers})
    if(header MATCHES "^tests/embed/|^tests/bench/|^tests/fuzz/")
      continue()
    endif()
    string(REPLACE "/" "_" name "${header}")
    set(source "${PROJECT_BINARY_DIR}/headers_alone/${name}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT
         "#include \"troupe/${header}\"\n#include \"troupe/${header}\"\n")
    list(APPEND header_sources "${source}")
  endforeach()
endforeach()
add_library(troupe_headers_alone OBJECT EXCLUDE_FROM_ALL ${header_sources})
target_compile_options(troupe_headers_alone PRIVATE -O0 -g0)
target_link_libraries(troupe_headers_alone PRIVATE
  troupe::actors CAF::core PkgConfig::LIBNL PkgConfig::LMDB
  spdlog::spdlog fmt::fmt)
if(TROUPE_BUILD_TOOLS)
  target_link_libraries(troupe_headers_alone PRIVATE
    PkgConfig::LIBMICROHTTPD CLI11::CLI11)
endif()
if(TROUPE_BUILD_TESTS)
  target_link_libraries(troupe_headers_alone PRIVATE GTest::gtest)
endif()
troupe_target_defaults(troupe_headers_alone)
