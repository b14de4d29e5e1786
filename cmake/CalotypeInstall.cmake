# What `cmake --install` leaves: bin/ with both executables, lib/ with Halide's library (found through RPATH), lib/cmake/Calotype for find_package.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Calotype)
configure_package_config_file(cmake/CalotypeConfig.cmake.in ${CMAKE_BINARY_DIR}/CalotypeConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/CalotypeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/CalotypeConfig.cmake ${CMAKE_BINARY_DIR}/CalotypeConfigVersion.cmake cmake/CalotypeAddModel.cmake
  DESTINATION ${package_folder})

if(TARGET calotype AND TARGET calotype-compiler)
  install(TARGETS calotype calotype-compiler RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(IMPORTED_RUNTIME_ARTIFACTS Halide::Halide LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
