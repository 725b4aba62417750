# Runs PROGRAM with ARGS, by EMULATOR if it is of another system, and compares what it prints with the file EXPECTED; with
# SORTED, regardless of line order. How lines end is the system's.

cmake_minimum_required(VERSION 3.20)
execute_process(COMMAND ${EMULATOR} "${PROGRAM}" ${ARGS} OUTPUT_VARIABLE output RESULT_VARIABLE status)
string(REPLACE "\r\n" "\n" output "${output}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with '${status}'; it had printed:\n${output}")
endif()
file(READ "${EXPECTED}" expected)

function(sort_lines text)
  # Brackets and semicolons mean something in CMake's lists.
  string(REPLACE "[" "<bracket>" lines "${${text}}")
  string(REPLACE "]" "<end bracket>" lines "${lines}")
  string(REPLACE ";" "<semicolon>" lines "${lines}")
  string(REPLACE "\n" ";" lines "${lines}")
  list(SORT lines)
  set(${text} "${lines}" PARENT_SCOPE)
endfunction()

if(SORTED)
  sort_lines(output)
  sort_lines(expected)
endif()
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} printed:\n${output}\nbut ${EXPECTED} says:\n${expected}")
endif()
