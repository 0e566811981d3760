# One include path in the build tree and after installation: the sources are
# visible as troupe/<folder>/<file>.hpp.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/include")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/include/troupe"
     SYMBOLIC)

# troupe_library(<folder> SOURCES ... LINKS ... PRIVATE_LINKS ...) makes the
# static library of one folder as target troupe_<folder> with the alias
# troupe::<folder>. LINKS are the folders and libraries whose headers it may
# include: they are the dependency rule.
function(troupe_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(target troupe_${folder})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(troupe::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PUBLIC ${arg_LINKS}
                        PRIVATE ${arg_PRIVATE_LINKS})
  troupe_target_defaults(${target})
  # What a file with CAF costs is the templates it instantiates, the same ones
  # in each: together they take half as long.
  if(TROUPE_UNITY AND "CAF::core" IN_LIST arg_PRIVATE_LINKS)
    set_target_properties(${target} PROPERTIES
      UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
  if(TROUPE_COVERAGE AND NOT folder MATCHES "^(config|testing|host_check)$")
    # With counters that are relocated, %c keeps those of a killed process.
    target_compile_options(${target} PRIVATE -fprofile-instr-generate
      -fcoverage-mapping "SHELL:-mllvm -runtime-counter-relocation")
    target_link_options(${target} PUBLIC -fprofile-instr-generate)
  endif()
  set_property(GLOBAL APPEND PROPERTY TROUPE_LIBRARIES ${target})
endfunction()

# troupe_program(<name> SOURCES ... LINKS ...) makes a program, in bin/ of the
# build directory whatever its folder is.
function(troupe_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  troupe_target_defaults(${name})
endfunction()

# What `tools/test.sh --long` sets.
set(TROUPE_TEST_FACTOR 1 CACHE STRING
    "How many times the usual number of random cases and faults are tested")
math(EXPR TROUPE_TEST_TIMEOUT "600 * ${TROUPE_TEST_FACTOR}")
if(TROUPE_SANITIZE)
  math(EXPR TROUPE_TEST_TIMEOUT "3 * ${TROUPE_TEST_TIMEOUT}")
endif()
if(TROUPE_SANITIZE)
  math(EXPR TROUPE_TEST_TIMEOUT "3 * ${TROUPE_TEST_TIMEOUT}")
endif()

# troupe_test(<name> [LABEL unit|sim|fault|system] SOURCES ... LINKS ...) makes
# a GoogleTest program and registers it with CTest as one test.
function(troupe_test name)
  cmake_parse_arguments(arg "" "LABEL" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest_main)
  troupe_target_defaults(${name})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS ${arg_LABEL} TIMEOUT ${TROUPE_TEST_TIMEOUT})
  troupe_test_environment(${name})
  if(arg_LABEL STREQUAL "system")
    # They measure packet loss and bounded times on the one kernel there is.
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# What sanitizers need to know, in every test, and how much is tested.
function(troupe_test_environment name)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT
    "TEST_FACTOR=${TROUPE_TEST_FACTOR};ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1;UBSAN_OPTIONS=print_stacktrace=1:suppressions=${PROJECT_SOURCE_DIR}/tools/cmake/ubsan.supp;TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tools/cmake/tsan.supp")
endfunction()
