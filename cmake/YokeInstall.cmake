# Headers, libraries, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)

set(yoke_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/yoke")
set(yoke_installed "")
foreach(target yoke_static yoke_shared yoke_helper)
  if(TARGET ${target})
    list(APPEND yoke_installed ${target})
  endif()
endforeach()

install(TARGETS ${yoke_installed} EXPORT yoke-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/yoke" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
install(EXPORT yoke-targets NAMESPACE yoke:: DESTINATION ${yoke_package_dir})

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/yoke-config.cmake.in"
  "${PROJECT_BINARY_DIR}/yoke-config.cmake" INSTALL_DESTINATION ${yoke_package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/yoke-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/yoke-config.cmake" "${PROJECT_BINARY_DIR}/yoke-config-version.cmake"
  DESTINATION ${yoke_package_dir})

# The prefix relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH YOKE_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
list(TRANSFORM CMAKE_DL_LIBS PREPEND "-l" OUTPUT_VARIABLE YOKE_PC_DL)
list(JOIN YOKE_PC_DL " " YOKE_PC_DL)
configure_file("${PROJECT_SOURCE_DIR}/cmake/yoke.pc.in" "${PROJECT_BINARY_DIR}/yoke.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/yoke.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
