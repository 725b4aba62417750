# Planted faults: a kill test is built again with one line of a source changed, and must find that out. A check that has
# never failed is not yet a check.

# yoke_crash_mutant_test(test): the test's objects, for mutants.
function(yoke_crash_mutant_test test)
  add_library(crash_mutant_${test} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_${test}.c)
  yoke_compile_options(crash_mutant_${test})
  target_compile_definitions(crash_mutant_${test} PRIVATE CRASH_MUTANT=1 ${ARGN}
    $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
  target_include_directories(crash_mutant_${test} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
    "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})
endfunction()

# yoke_crash_mutant(name test source from to): in core/<source>, the text `from`, which must be there, becomes `to`.
# Names are <room>.<fault>. Mutants of the queue, semaphores and events are killed before each shared store (points.h), others at instructions.
function(yoke_crash_mutant name test source from to)
  set(original "${PROJECT_SOURCE_DIR}/core/${source}")
  set(mutant "${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}.c")
  get_filename_component(room "${source}" DIRECTORY)
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
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:crash_mutant_${test}>)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  if(test MATCHES "^(queue|semaphore|event)_")
    set_source_files_properties("${mutant}" PROPERTIES
      COMPILE_OPTIONS "-include;${CMAKE_CURRENT_SOURCE_DIR}/crash/points.h")
    target_sources(${target} PRIVATE crash/points.c $<FILTER:$<TARGET_OBJECTS:yoke_points>,EXCLUDE,/${source}>)
  endif()
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES TIMEOUT 300 LABELS "crash" SKIP_RETURN_CODE 77)
endfunction()

yoke_crash_mutant_test(allocator_kill)
foreach(test IN ITEMS queue_kill queue_hold_kill queue_limit_kill queue_carry_kill)
  yoke_crash_mutant_test(${test} YOKE_CRASH_POINTS)
endforeach()

yoke_crash_mutant(shrunk_before_remainder allocator_kill domain/heap.c
  "    if (rest) { /* inside the free block still: nobody sees it */"
  "    yoke__a64_store_release(&block->state, yoke__block_state(granules, YOKE__BLOCK_TOKEN, token));\n    if (rest) {")
yoke_crash_mutant(never_dirty allocator_kill domain/heap.c "allocator_dirty, 1)" "allocator_dirty, 0)")
yoke_crash_mutant(end_before_header allocator_kill domain/heap.c
  "    prepare(domain, block, (top - end)"
  "    yoke__a64_store_release(&header->heap_end, top);\n    prepare(domain, block, (top - end)")
yoke_crash_mutant(header_gone_before_merge allocator_kill domain/heap.c
  "    set_free(block, yoke__block_granules(mine) + yoke__block_granules(other), holes);"
  "    set_free(next, 0, 0);\n    set_free(block, yoke__block_granules(mine) + yoke__block_granules(other), holes);")
yoke_crash_mutant(rebuild_without_merge allocator_kill domain/heap.c
  "if (yoke__block_kind_of(state) == YOKE__BLOCK_FREE && open) {"
  "if (yoke__block_kind_of(state) == YOKE__BLOCK_FREE && open && size == 0) {")
yoke_crash_mutant(rebuild_of_old_lists allocator_kill domain/heap.c "    yoke__free_list_clear(domain);\n" "")
yoke_crash_mutant(held_forgotten allocator_kill domain/allocator.c
  "(kind == YOKE__BLOCK_TOKEN || kind == YOKE__BLOCK_HELD)" "(kind == YOKE__BLOCK_TOKEN)")
yoke_crash_mutant(linked_freed allocator_kill domain/allocator.c "    if (linked) {" "    if (linked && offset == 0) {")

# Without slices, who sleeps never hears of a change whose maker died before it rang.
foreach(case IN ITEMS 1 2)
  add_library(crash_mutant_watch${case} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_watch_kill.c)
  yoke_compile_options(crash_mutant_watch${case})
  target_compile_definitions(crash_mutant_watch${case} PRIVATE CRASH_MUTANT=${case} $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
  target_include_directories(crash_mutant_watch${case} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
    "${CMAKE_CURRENT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests" ${CMOCKA_INCLUDE_DIRS} ${LIBUV_INCLUDE_DIRS})
endforeach()
yoke_crash_mutant(loop_without_slices watch1 wait/hub.c "soon ? 0 : YOKE__SLICE"
  "soon ? 0 : INT64_C(3600000000000)")
yoke_crash_mutant(wait_without_slices watch2 wait/many.c "yoke__deadline_left(deadline, YOKE__SLICE)"
  "yoke__deadline_left(deadline, INT64_MAX)")

# -- the queue. A release store that moved up stands before what it must follow.
yoke_crash_mutant(tail_before_record queue_kill queue/put.c
  "    write_record(queue, record, put);"
  "    yoke__ring_commit(ring, tail);\n    yoke__a32_store_relaxed(&queue->state->reserving, 0);\n    write_record(queue, record, put);")
yoke_crash_mutant(freed_before_copy queue_kill queue/get.c
  "    if (!get->no_copy && get->size)\n        memcpy("
  "    if (!get->hold)\n        yoke__free(queue->domain, get->block);\n    if (!get->no_copy && get->size)\n        memcpy(")
yoke_crash_mutant(head_before_hold queue_kill queue/get.c
  "    yoke__alloc_hold(queue->domain, block);\n    yoke__queue_count_get(queue, yoke__position_sequence(head), block->size);\n    yoke__ring_consume(ring, head);"
  "    yoke__queue_count_get(queue, yoke__position_sequence(head), block->size);\n    yoke__ring_consume(ring, head);\n    yoke__alloc_hold(queue->domain, block);")
yoke_crash_mutant(ring_linked_after_use queue_kill queue/chain.c
  "    yoke__a64_store_release(&last->next, offset);\n    yoke__a64_store_release(&queue->state->tail_ring, offset);"
  "    yoke__a64_store_release(&queue->state->tail_ring, offset);\n    yoke__a64_store_release(&last->next, offset);")
yoke_crash_mutant(spare_not_ours queue_kill queue/chain.c
  "    yoke__alloc_take(queue->domain, ring);\n    yoke__a64_store_release(&queue->state->spare, 0);"
  "    yoke__a64_store_release(&queue->state->spare, 0);\n    yoke__alloc_take(queue->domain, ring);")
yoke_crash_mutant(journal_never_valid queue_hold_kill queue/journal.c
  "    yoke__a32_store_release(&journal->valid, 1);" "")
yoke_crash_mutant(applied_before_valid queue_hold_kill queue/journal.c
  "    yoke__a32_store_release(&journal->valid, 1);\n    apply(queue, journal);"
  "    apply(queue, journal);\n    yoke__a32_store_release(&journal->valid, 1);")
yoke_crash_mutant(no_redo queue_hold_kill queue/queue.c
  "        yoke__journal_redo(queue);\n}" "        (void)queue;\n}")
yoke_crash_mutant(no_sweep queue_limit_kill queue/queue.c
  "    .sweep = yoke__queue_sweep,\n" "")
yoke_crash_mutant(no_wake_after_redelivery queue_hold_kill queue/redeliver.c
  "    if (again)\n        yoke__queue_wake(" "    if (again && offsetof(yoke__ring, tail) == 0)\n        yoke__queue_wake(")
yoke_crash_mutant(holds_not_flagged queue_hold_kill queue/redeliver.c
  "list_again(queue, block, true);" "list_again(queue, block, false);")
yoke_crash_mutant(holds_forgotten queue_hold_kill queue/redeliver.c
  "    *again = holder != 0;" "    *again = holder != 0 && offset == 0;")
yoke_crash_mutant(done_twice queue_hold_kill queue/hold.c
  "done) + 1;" "done) + 1;\n        yoke__a64_store_release(&queue->state->done, steps.done++);")
yoke_crash_mutant(done_not_redone queue_hold_kill queue/journal.c
  "    if (journal->steps & YOKE__STEP_DONE)\n        yoke__a64_store_release(&queue->state->done, journal->done);"
  "    if (journal->steps & YOKE__STEP_DONE)\n        yoke__a64_add_acq_rel(&queue->state->done, 1);")
yoke_crash_mutant(reservation_not_returned queue_limit_kill queue/redeliver.c
  "    yoke__queue_unreserve(queue, block);" "")
yoke_crash_mutant(sums_trusted queue_limit_kill queue/limit.c
  "    put_right(queue);\n    *limit" "    *limit")
yoke_crash_mutant(cargo_forgotten queue_carry_kill queue/redeliver.c
  "    if (block->handles)\n        yoke__directory_note_pending(queue->domain);" "")
yoke_crash_mutant(cargo_not_collected queue_carry_kill queue/get.c
  "        yoke__queue_collect_carried(queue);" "        (void)queue;")

# -- semaphores and events
foreach(test IN ITEMS semaphore_kill event_kill)
  yoke_crash_mutant_test(${test} YOKE_CRASH_POINTS)
endforeach()
yoke_crash_mutant(signal_without_wake semaphore_kill sync/count.c
  "        yoke__word_wake(domain, &state->word, count);\n" "")
yoke_crash_mutant(signal_watchers_not_rung semaphore_kill sync/count.c
  "    yoke__watchers_ring(domain, &state->watchers);\n" "")
yoke_crash_mutant(signal_stored_before_check semaphore_kill sync/count.c
  "        if (count > state->max"
  "        if (count > state->max - (seen & YOKE__SEMAPHORE_COUNT)) {\n            yoke__a32_add_acq_rel(&state->word, count);\n            yoke__a32_sub_acq_rel(&state->word, count);\n        }\n        if (count > state->max")
yoke_crash_mutant(signal_added_in_steps semaphore_kill sync/count.c
  "&seen, (seen + count) & ~YOKE__WAITERS));"
  "&seen, (seen + 1) & ~YOKE__WAITERS));\n    for (uint32_t i = 1; i < count; i++)\n        yoke__a32_add_acq_rel(&state->word, 1);")
yoke_crash_mutant(wake_up_not_passed_on semaphore_kill sync/semaphore_wait.c
  "            if (s->slept)\n                pass_on(s);\n" "            (void)pass_on;\n")
yoke_crash_mutant(permit_not_swept semaphore_kill sync/permits.c
  "    uint32_t       given = give_up_to(state, dead, state->permits, &nobody);"
  "    uint32_t       given = give_up_to(state, dead, 1, &nobody);")
yoke_crash_mutant(permit_without_wake semaphore_kill sync/permits.c
  "        yoke__word_wake(domain, &state->word, count);\n" "        (void)count;\n")
yoke_crash_mutant(permit_told_before_given semaphore_kill sync/permits.c
  "    uint32_t given = give_up_to(state, mine, count, &nobody);\n    if (given > 0)\n        yoke__permits_tell(domain, state, given);\n"
  "    yoke__permits_tell(domain, state, count);\n    uint32_t given = give_up_to(state, mine, count, &nobody);\n")
yoke_crash_mutant(event_without_wake event_kill sync/event.c
  "        wake_all(handle->domain, state);\n" "        (void)wake_all;\n")
yoke_crash_mutant(event_watchers_not_rung event_kill sync/event.c
  "    yoke__watchers_ring(handle->domain, &state->watchers);\n" "")
yoke_crash_mutant(event_forgets_the_set event_kill sync/event.c
  " || (word & YOKE__EVENT_SETS) != sets;" " || (sets & 1) != 0;")
