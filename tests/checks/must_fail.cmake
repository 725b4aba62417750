# A check that never fails is no check: plants one fault after the other and demands that the check finds it.
# CHECK: tree, headers, symbols, output or docs; SOURCE: this tree; WORK: a folder; CC, CXX, NM, DOXYGEN: tools.

cmake_minimum_required(VERSION 3.20)
set(tree "${WORK}/${CHECK}")

if(CHECK STREQUAL "output")
  # The comparison of examples' output; the program is `cmake -E echo`.
  function(compare expected_status what text expected sorted)
    file(WRITE "${WORK}/output/expected.txt" "${expected}")
    execute_process(COMMAND ${CMAKE_COMMAND} -DPROGRAM=${CMAKE_COMMAND} "-DARGS=-E;echo;${text}" -DSORTED=${sorted}
      -DEXPECTED=${WORK}/output/expected.txt -P "${SOURCE}/cmake/compare_output.cmake"
      RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    if(status EQUAL 0 AND NOT expected_status EQUAL 0 OR expected_status EQUAL 0 AND NOT status EQUAL 0)
      message(FATAL_ERROR "The comparison of output is wrong about ${what}.")
    endif()
    message(STATUS "output: right about ${what}")
  endfunction()
  compare(0 "equal text" "[42, None, 'hello']" "[42, None, 'hello']\n" OFF)
  compare(1 "another text" "hello" "hallo\n" OFF)
  compare(1 "a missing line" "one" "one\ntwo\n" ON)
  compare(1 "a line too many" "one\ntwo\ntwo" "one\ntwo\n" ON)
  compare(0 "another order, sorted" "[2\n1]\n[" "1]\n[\n[2\n" ON)
  compare(1 "another order, not sorted" "2\n1" "1\n2\n" OFF)
  execute_process(COMMAND ${CMAKE_COMMAND} -DPROGRAM=${CMAKE_COMMAND} "-DARGS=-E;cat;no such file" -DEXPECTED=/dev/null
    -P "${SOURCE}/cmake/compare_output.cmake" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0)
    message(FATAL_ERROR "The comparison of output does not notice a program that fails.")
  endif()
  return()
endif()

# A small tree that keeps the rules.
function(clean_tree)
  file(REMOVE_RECURSE "${tree}")
  file(WRITE "${tree}/core/a.c" "#include \"a.h\"\n#include <stdio.h>\nint yoke_one(void)\n{\n    return 1;\n}\n")
  file(WRITE "${tree}/core/a.h" "#include <yoke/one.h>\n")
  file(WRITE "${tree}/backends/posix/a.c" "#include <unistd.h>\nint x;\n")
  file(WRITE "${tree}/include/yoke/one.h"
    "#ifndef YOKE_ONE_H\n#define YOKE_ONE_H\n"
    "/** Exported. */\n#define YOKE_API __attribute__((visibility(\"default\")))\n"
    "/** @file one.h\n * One. */\n/** Returns one. */\nYOKE_API int yoke_one(void);\n#endif\n")
endfunction()

# Runs the check over the small tree.
function(run_check status output)
  if(CHECK STREQUAL "tree")
    set(arguments -DROOT=${tree})
  elseif(CHECK STREQUAL "headers")
    set(arguments -DINCLUDE=${tree}/include -DCC=${CC} -DCXX=${CXX} -DWORK=${tree}/work)
  elseif(CHECK STREQUAL "docs")
    set(PROJECT_SOURCE_DIR "${tree}")
    set(YOKE_DOCS_DIR "${tree}/out")
    file(WRITE "${tree}/docs/guide/index.md" "# yoke {#mainpage}\n")
    configure_file("${SOURCE}/docs/doxygen.sed" "${tree}/docs/doxygen.sed" COPYONLY)
    configure_file("${SOURCE}/docs/Doxyfile.in" "${tree}/Doxyfile" @ONLY)
    file(MAKE_DIRECTORY "${tree}/out" "${tree}/docs/examples")
    execute_process(COMMAND ${CMAKE_COMMAND} -DDOXYGEN=${DOXYGEN} -DDOXYFILE=${tree}/Doxyfile
      -DLOG=${tree}/out/warnings.log -P "${SOURCE}/cmake/run_doxygen.cmake"
      RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
    set(${status} "${code}" PARENT_SCOPE)
    set(${output} "${text}" PARENT_SCOPE)
    return()
  else()
    execute_process(COMMAND "${CC}" -shared -fPIC -fvisibility=hidden "-I${tree}/include" "-I${tree}/core"
      "${tree}/core/a.c" -o "${tree}/libone.so" COMMAND_ERROR_IS_FATAL ANY)
    set(arguments -DLIBRARY=${tree}/libone.so -DINCLUDE=${tree}/include -DCC=${CC} -DNM=${NM} -DWORK=${tree}/work)
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} ${arguments} -P "${SOURCE}/cmake/check_${CHECK}.cmake"
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(${status} "${code}" PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

# must_fail(what file text said): with text appended to file, the check fails and its message matches `said`.
function(must_fail what file text said)
  clean_tree()
  file(APPEND "${tree}/${file}" "${text}\n")
  run_check(status output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(status EQUAL 0)
    message(FATAL_ERROR "The check '${CHECK}' does not notice ${what}.")
  elseif(NOT output MATCHES "${said}")
    message(FATAL_ERROR "The check '${CHECK}' fails for ${what}, but does not say '${said}':\n${output}")
  endif()
  message(STATUS "${CHECK}: notices ${what}")
endfunction()

clean_tree()
run_check(status output)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "The check '${CHECK}' fails on a clean tree:\n${output}")
endif()

if(CHECK STREQUAL "tree")
  must_fail("an OS header in core" core/a.c "#include <unistd.h>" "a header of some system")
  must_fail("pthread in core" core/a.h "#  include <pthread.h>" "a header of some system")
  must_fail("libuv in core" core/a.h "#include <uv.h>" "a header of some system")
  must_fail("a backend's header in core" core/a.c "#include \"../backends/posix/sys.h\"" "header of a backend")
  must_fail("a platform conditional in core" core/a.c "#ifdef _WIN32\n#endif" "which system")
  must_fail("a conditional in the second line" core/a.c "#if 0 || \\\\\n defined(__linux__)\n#endif" "which system")
  must_fail("a processor conditional" core/a.c "#if defined(__aarch64__)\n#endif" "which system")
  must_fail("a macro without prefix" include/yoke/one.h "#define MAX 3" "without YOKE_")
  must_fail("a private header in a public one" include/yoke/one.h "#include <stdio.h>" "more than it may")
  must_fail("an unfinished mark" backends/posix/a.c "/* TODO */" "unfinished")
  must_fail("a call past the table" backends/posix/a.c "static int f(void)\n{\n    return close(3);\n}" "past the table")
elseif(CHECK STREQUAL "headers")
  must_fail("a missing include" include/yoke/two.h "size_t yoke_two(void);" "two.h as c")
  must_fail("what C++ does not know" include/yoke/two.h "int yoke_two(int *restrict p);" "two.h as cpp")
  must_fail("a missing guard" include/yoke/two.h "struct yoke_two { int x; };" "two.h as c")
  must_fail("a warning" include/yoke/two.h "static int yoke_two(void);" "two.h as c")
elseif(CHECK STREQUAL "docs")
  must_fail("an undocumented function" include/yoke/two.h "/** @file two.h\n * Two. */\nint yoke_two(void);" "yoke_two")
  must_fail("an undocumented structure" include/yoke/two.h "/** @file two.h\n * Two. */\nstruct yoke_two { int x; };"
    "yoke_two")
  must_fail("a link that leads nowhere" include/yoke/one.h "/** See #yoke_nothing. */\nint yoke_two(void);"
    "yoke_nothing")
else()
  must_fail("a function that is not there" include/yoke/two.h "#include \"one.h\"\nYOKE_API int yoke_two(void);"
    "not exported: yoke_two")
  must_fail("an undeclared export" core/a.c
    "__attribute__((visibility(\"default\"))) int yoke__two(void)\n{\n    return 2;\n}" "not declared: yoke__two")
endif()
