# Runs DOXYGEN with DOXYFILE. Its warnings (written to LOG) are errors, but for one kind: a field of a structure whose
# name says everything needs no sentence.

cmake_minimum_required(VERSION 3.20)
execute_process(COMMAND "${DOXYGEN}" "${DOXYFILE}" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "Doxygen ended with '${status}'.")
endif()
file(STRINGS "${LOG}" warnings)
list(FILTER warnings EXCLUDE REGEX "Member .* \\(variable\\) of (struct|union) .* is not documented")
if(warnings)
  list(JOIN warnings "\n  " text)
  message(FATAL_ERROR "Doxygen warns:\n  ${text}")
endif()
