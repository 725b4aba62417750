# The target 'docs': the API reference and the guide. A warning of Doxygen is an error.

find_package(Doxygen REQUIRED)
set(YOKE_DOCS_DIR "${PROJECT_BINARY_DIR}/docs")
file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/guide/*.md" "${PROJECT_SOURCE_DIR}/docs/CONTRIBUTING.md"
  "${PROJECT_SOURCE_DIR}/docs/CHANGELOG.md")
set(YOKE_DOCS_PAGES "")
foreach(page IN LISTS pages)
  string(APPEND YOKE_DOCS_PAGES " \"${page}\"")
endforeach()
configure_file("${PROJECT_SOURCE_DIR}/docs/Doxyfile.in" "${PROJECT_BINARY_DIR}/Doxyfile" @ONLY)
file(MAKE_DIRECTORY "${YOKE_DOCS_DIR}")
add_custom_target(docs COMMAND ${CMAKE_COMMAND} -DDOXYGEN=${DOXYGEN_EXECUTABLE} "-DDOXYFILE=${PROJECT_BINARY_DIR}/Doxyfile"
  "-DLOG=${YOKE_DOCS_DIR}/warnings.log" -P "${PROJECT_SOURCE_DIR}/cmake/run_doxygen.cmake" VERBATIM
  COMMENT "Documentation into ${YOKE_DOCS_DIR}/html")
