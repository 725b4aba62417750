# Tests: one executable per file tests/<kind>/test_<name>.c, registered with CTest under <kind>.<name>.<mode>.

# Both modes of waiting: the system's wait on a word, and the parking lot.
set(yoke_wait_modes native parking)

# yoke_add_tests(kind MODES <modes> TIMEOUT <seconds> [ONLY <names>]): every tests/<kind>/test_*.c and .cpp.
function(yoke_add_tests kind)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "MODES;ONLY")
  if(YOKE_TEST_TIMEOUT) # for runs that take hours
    set(arg_TIMEOUT ${YOKE_TEST_TIMEOUT})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${kind}/test_*.c"
    "${PROJECT_SOURCE_DIR}/tests/${kind}/test_*.cpp")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    string(REGEX REPLACE "^test_" "" name "${name}")
    if(arg_ONLY AND NOT name IN_LIST arg_ONLY)
      continue()
    endif()
    yoke_test_executable(${kind}.${name} "${source}")
    foreach(mode IN LISTS arg_MODES)
      add_test(NAME ${kind}.${name}.${mode} COMMAND ${kind}.${name})
      # CMocka says that a teardown has failed, but does not count it.
      set_tests_properties(${kind}.${name}.${mode} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${kind};${mode}"
                                                              FAIL_REGULAR_EXPRESSION "GROUP (SETUP|TEARDOWN)"
        ENVIRONMENT "YOKE_WAIT=${mode}" SKIP_RETURN_CODE 77)
    endforeach()
  endforeach()
endfunction()

# A test program sees the internals: it links the static library, its include root is the root of the tree.
function(yoke_test_executable target source)
  add_executable(${target} "${source}")
  yoke_compile_options(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${target} PRIVATE yoke_test_support)
  if(WIN32) # the C runtime says more by names of its own, and takes sizes and modes of other types than POSIX
    set_target_properties(${target} PROPERTIES C_EXTENSIONS ON)
    target_compile_options(${target} PRIVATE -Wno-conversion -Wno-float-conversion)
  endif()
  # Modules that a test loads find the library's functions in the test program.
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
endfunction()

# yoke_mutant_source(out name source from to): a copy of a source with a planted fault: the text `from`, which must be
# there, becomes `to`. `out` receives its path.
function(yoke_mutant_source out name source from to)
  set(original "${PROJECT_SOURCE_DIR}/${source}")
  set(mutant "${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}.c")
  get_filename_component(room "${source}" DIRECTORY)
  get_filename_component(house "${room}" DIRECTORY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${original}")
  file(READ "${original}" text)
  string(FIND "${text}" "${from}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "Mutant '${name}': ${source} doesn't have the text: ${from}")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  string(REGEX REPLACE "#include \"\\.\\./" "#include \"${house}/" text "${text}")
  string(REGEX REPLACE "#include \"([a-z_]+\\.h)\"" "#include \"${room}/\\1\"" text "${text}")
  file(GENERATE OUTPUT "${mutant}" CONTENT "${text}")
  set(${out} "${mutant}" PARENT_SCOPE)
endfunction()

# yoke_example_test(name METHODS ... ARGS ... [SORTED]): runs an example under each start method and compares its output
# with docs/examples/expected/<name>.txt.
function(yoke_example_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SORTED" "TIMEOUT" "METHODS;ARGS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  foreach(method IN LISTS arg_METHODS)
    add_test(NAME example.${name}.${method}
      COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:example.${name}>
        "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}" "-DARGS=${arg_ARGS}" -DSORTED=${arg_SORTED}
        -DEXPECTED=${PROJECT_SOURCE_DIR}/docs/examples/expected/${name}.txt
        -P ${PROJECT_SOURCE_DIR}/cmake/compare_output.cmake)
    set_tests_properties(example.${name}.${method} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "example;${method}"
      ENVIRONMENT "YOKE_START_METHOD=${method}")
  endforeach()
endfunction()
