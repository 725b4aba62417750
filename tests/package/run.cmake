# Installs BUILD into WORK, moves the installed tree, and builds and runs consumers from it: by find_package and by
# pkg-config, in C and C++, with the shared and the static library.

cmake_minimum_required(VERSION 3.20)
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(prefix "${WORK}/moved")
file(REMOVE_RECURSE "${WORK}")

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGV}")
    message(FATAL_ERROR "'${command}' ended with '${status}':\n${output}")
  endif()
endfunction()

# run_consumer(program prints)
function(run_consumer program prints)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env "LD_LIBRARY_PATH=${libdir}" "${program}" RESULT_VARIABLE status
    OUTPUT_VARIABLE output ERROR_VARIABLE errors TIMEOUT 30)
  if(NOT status EQUAL 0 OR NOT output STREQUAL "${prints}\n")
    message(FATAL_ERROR "${program} ended with '${status}' and printed '${output}${errors}'")
  endif()
  message(STATUS "runs: ${program}")
endfunction()

run(${CMAKE_COMMAND} --install "${BUILD}" --config "${CONFIG}" --prefix "${WORK}/installed")
# What was installed must work where it was not installed to.
file(RENAME "${WORK}/installed" "${prefix}")
file(GLOB_RECURSE package_file "${prefix}/yoke.pc")
get_filename_component(pc_dir "${package_file}" DIRECTORY)
get_filename_component(libdir "${pc_dir}" DIRECTORY)

run(${CMAKE_COMMAND} -S "${here}" -B "${WORK}/consumer" -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${prefix}"
  -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Debug)
run(${CMAKE_COMMAND} --build "${WORK}/consumer")
file(GLOB programs "${WORK}/consumer/c_*" "${WORK}/consumer/cpp_*")
list(LENGTH programs count)
if(count LESS 4)
  message(FATAL_ERROR "Only ${count} consumers were built: ${programs}")
endif()
foreach(program IN LISTS programs)
  run_consumer("${program}" "hello from a child")
endforeach()

set(ENV{PKG_CONFIG_PATH} "${pc_dir}")
function(flags_of out)
  execute_process(COMMAND "${PKG_CONFIG}" ${ARGN} yoke OUTPUT_VARIABLE flags RESULT_VARIABLE status
    ERROR_VARIABLE errors)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "pkg-config does not know yoke: ${errors}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  set(${out} "${flags}" PARENT_SCOPE)
endfunction()

flags_of(flags --cflags --libs)
flags_of(static_flags --static --cflags --libs)
# The static library by name: with both installed, -lyoke means the shared one.
list(TRANSFORM static_flags REPLACE "^-lyoke$" "-l:libyoke.a")
run("${CC}" -std=c11 "${here}/consumer.c" -o "${WORK}/pc_c_static" ${static_flags})
run("${CXX}" -std=c++11 "${here}/consumer.cpp" -o "${WORK}/pc_cpp_static" ${static_flags})
set(programs pc_c_static pc_cpp_static)
if(SHARED)
  run("${CC}" -std=c11 "${here}/consumer.c" -o "${WORK}/pc_c" ${flags})
  run("${CXX}" -std=c++11 "${here}/consumer.cpp" -o "${WORK}/pc_cpp" ${flags})
  list(APPEND programs pc_c pc_cpp)
endif()
foreach(program IN LISTS programs)
  run_consumer("${WORK}/${program}" "hello from a child")
endforeach()

# The program in the README.
file(READ "${here}/../../README.md" readme)
string(REGEX MATCH "```c\n(#include[^`]*)```" found "${readme}")
if(NOT found)
  message(FATAL_ERROR "The README has no program in C.")
endif()
file(WRITE "${WORK}/readme.c" "${CMAKE_MATCH_1}")
run("${CC}" -std=c11 -Wall -Wextra -Wpedantic -Werror "${WORK}/readme.c" -o "${WORK}/readme" ${flags})
run_consumer("${WORK}/readme" "hello from worker 1")
