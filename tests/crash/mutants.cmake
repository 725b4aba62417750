# Planted faults: a kill test is built again with one line of a source changed, and must find that out. A check that has
# never failed is not yet a check.

add_library(crash_mutant_test OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_allocator_kill.c)
yoke_compile_options(crash_mutant_test)
target_compile_definitions(crash_mutant_test PRIVATE CRASH_MUTANT=1 $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
target_include_directories(crash_mutant_test PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
  "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})

# yoke_crash_mutant(name source from to): in core/domain/<source>, the text `from`, which must be there, becomes `to`.
# With two more arguments: another room of core, and an object library with another kill test.
function(yoke_crash_mutant name source from to)
  set(room domain)
  set(test crash_mutant_test)
  if(ARGC GREATER 5)
    set(room "${ARGV4}")
    set(test "${ARGV5}")
  endif()
  set(original "${PROJECT_SOURCE_DIR}/core/${room}/${source}")
  set(mutant "${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}.c")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${original}")
  file(READ "${original}" text)
  string(FIND "${text}" "${from}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "Mutant '${name}': ${source} doesn't have the text: ${from}")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  string(REGEX REPLACE "#include \"\\.\\./" "#include \"core/" text "${text}")
  string(REGEX REPLACE "#include \"([a-z_]+\\.h)\"" "#include \"core/${room}/\\1\"" text "${text}")
  file(GENERATE OUTPUT "${mutant}" CONTENT "${text}")
  set(target crash.mutant.${name})
  yoke_test_executable(${target} "${mutant}")
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${test}>)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES TIMEOUT 300 LABELS "crash" SKIP_RETURN_CODE 77)
endfunction()

yoke_crash_mutant(shrunk_before_remainder heap.c
  "    if (rest) { /* inside the free block still: nobody sees it */"
  "    yoke__a64_store_release(&block->state, yoke__block_state(granules, YOKE__BLOCK_TOKEN, token));\n    if (rest) {")
yoke_crash_mutant(never_dirty heap.c "allocator_dirty, 1)" "allocator_dirty, 0)")
yoke_crash_mutant(end_before_header heap.c
  "    prepare(domain, block, (top - end)"
  "    yoke__a64_store_release(&header->heap_end, top);\n    prepare(domain, block, (top - end)")
yoke_crash_mutant(header_gone_before_merge heap.c
  "    set_free(block, yoke__block_granules(mine) + yoke__block_granules(other), holes);"
  "    set_free(next, 0, 0);\n    set_free(block, yoke__block_granules(mine) + yoke__block_granules(other), holes);")
yoke_crash_mutant(rebuild_without_merge heap.c
  "if (yoke__block_kind_of(state) == YOKE__BLOCK_FREE && open) {"
  "if (yoke__block_kind_of(state) == YOKE__BLOCK_FREE && open && size == 0) {")
yoke_crash_mutant(rebuild_of_old_lists heap.c "    yoke__free_list_clear(domain);\n" "")
yoke_crash_mutant(held_forgotten allocator.c
  "(kind == YOKE__BLOCK_TOKEN || kind == YOKE__BLOCK_HELD)" "(kind == YOKE__BLOCK_TOKEN)")
yoke_crash_mutant(linked_freed allocator.c "    if (linked) {" "    if (linked && offset == 0) {")

# Without slices, who sleeps never hears of a change whose maker died before it rang.
foreach(case IN ITEMS 1 2)
  add_library(crash_mutant_watch${case} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_watch_kill.c)
  yoke_compile_options(crash_mutant_watch${case})
  target_compile_definitions(crash_mutant_watch${case} PRIVATE CRASH_MUTANT=${case} $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
  target_include_directories(crash_mutant_watch${case} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
    "${CMAKE_CURRENT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests" ${CMOCKA_INCLUDE_DIRS} ${LIBUV_INCLUDE_DIRS})
endforeach()
yoke_crash_mutant(loop_without_slices hub.c "soon ? 0 : YOKE__SLICE" "soon ? 0 : INT64_C(3600000000000)"
  wait crash_mutant_watch1)
yoke_crash_mutant(wait_without_slices many.c "yoke__deadline_left(deadline, YOKE__SLICE)"
  "yoke__deadline_left(deadline, INT64_MAX)" wait crash_mutant_watch2)
