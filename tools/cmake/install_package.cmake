# What a project that embeds Troupe needs: headers, libraries, the CMake
# package "troupe", troupe.pc for pkg-config. Programs install themselves.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")

# -- headers -------------------------------------------------------------------
# The public API (actors/troupe.hpp) with all it includes, and what a driver or
# a test of an embedder builds on. Everything else stays inside.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/config/"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe/config"
        FILES_MATCHING PATTERN "*.hpp")
foreach(header
    actors/core/api_type_ids.hpp
    actors/api/backend.hpp
    actors/core/caf.hpp
    actors/core/deadlines.hpp
    actors/api/failure_board.hpp
    actors/api/messages.hpp
    actors/remote.hpp
    actors/troupe.hpp
    drivers/driver.hpp
    drivers/ipam/driver.hpp
    drivers/registry.hpp
    netns/faulty/kernel.hpp
    netns/firewall/element.hpp
    netns/firewall/senders.hpp
    netns/kernel.hpp
    netns/ports/port_proxy.hpp
    netns/ports/port_sockets.hpp
    netns/ports/simulated_ports.hpp
    netns/simulated/kernel.hpp
    netns/watch.hpp
    persistence/faulty_store.hpp
    persistence/store.hpp
    tests/lab/coverage.hpp
    tests/lab/history.hpp
    tests/lab/invariants.hpp
    tests/lab/message_rule.hpp
    actors/check/record_check.hpp
    tests/lab/scenario.hpp
    tests/lab/seeded_random.hpp
    tests/lab/shrink.hpp
    tests/lab/sim_plan.hpp
    tests/lab/sim_run.hpp
    tests/lab/simulated_system.hpp)
  get_filename_component(folder "${header}" DIRECTORY)
  install(FILES "${PROJECT_SOURCE_DIR}/${header}"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/troupe/${folder}")
endforeach()

# -- libraries -----------------------------------------------------------------
get_property(libraries GLOBAL PROPERTY TROUPE_LIBRARIES)
install(TARGETS ${libraries} EXPORT troupe
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT troupe NAMESPACE troupe:: FILE troupeTargets.cmake
        DESTINATION "${package_dir}")

# -- CMake package ---------------------------------------------------------------
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/troupeConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/troupeConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
# Before 1.0 each minor version may change the API.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
        "${PROJECT_BINARY_DIR}/troupeConfig.cmake"
        "${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake"
        "${CMAKE_CURRENT_LIST_DIR}/FindCAF.cmake"
        DESTINATION "${package_dir}")

# -- pkg-config ------------------------------------------------------------------
foreach(name troupe troupe-api troupe-remote troupe-testing)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in"
                 "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()

# -- documents -------------------------------------------------------------------
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
        "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}")
