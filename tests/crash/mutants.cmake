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
# Names are <room>.<fault>. Mutants of queues, conditions, barriers, semaphores and events, and those of tests named
# points_... or ..._points, are killed before each shared store (points.h), others at instructions. A sixth argument is
# the case that finds the fault, where it would take long to come to that through the others.
function(yoke_crash_mutant name test source from to)
  yoke_mutant_source(mutant ${name} core/${source} "${from}" "${to}")
  set(target crash.mutant.${name})
  yoke_test_executable(${target} "${mutant}")
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:crash_mutant_${test}>)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  if(test MATCHES "^(queue|condition|barrier|semaphore|event|points)_|_points$")
    set_source_files_properties("${mutant}" PROPERTIES
      COMPILE_OPTIONS "-include;${CMAKE_CURRENT_SOURCE_DIR}/crash/points.h")
    target_sources(${target} PRIVATE crash/points.c $<FILTER:$<TARGET_OBJECTS:yoke_points>,EXCLUDE,/${source}>)
  endif()
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES TIMEOUT 300 LABELS "crash" SKIP_RETURN_CODE 77)
  if(ARGN)
    set_tests_properties(${target} PROPERTIES ENVIRONMENT "YOKE_CRASH_CASE=${ARGN}")
  endif()
endfunction()

yoke_crash_mutant_test(allocator_kill)
yoke_crash_mutant_test(domain_kill)
add_library(crash_mutant_domain_points OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_domain_kill.c)
yoke_compile_options(crash_mutant_domain_points)
target_compile_definitions(crash_mutant_domain_points PRIVATE CRASH_MUTANT=1 YOKE_CRASH_POINTS
  $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
target_include_directories(crash_mutant_domain_points PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
  "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})
foreach(test IN ITEMS queue_kill queue_hold_kill queue_limit_kill queue_carry_kill
    condition_kill barrier_kill)
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
  "(kind == YOKE__BLOCK_TOKEN || kind == YOKE__BLOCK_HELD)" "(kind == YOKE__BLOCK_TOKEN)" "hold")
yoke_crash_mutant(linked_freed allocator_kill domain/allocator.c
  "    if (linked) {" "    if (linked && offset == 0) {" "give, linked")

# -- named domains: what is done to a name too early, too late or not at all.
yoke_crash_mutant(living_reclaimed domain_points domain/reclaim.c "glance.alive == 0" "glance.alive < 1000")
yoke_crash_mutant(unfinished_not_reclaimed domain_points domain/reclaim.c
  "if (rc == YOKE_OK && glance.finished && glance.code != YOKE_OK)" "if (rc == YOKE_OK && glance.code != YOKE_OK)")
yoke_crash_mutant(name_gone_with_first domain_points domain/domain_named.c
  "if (locked && !is_alive(domain))" "if (locked)")
yoke_crash_mutant(name_kept_by_last domain_points domain/domain_named.c
  "(void)ops->unlink(domain->name);" "(void)domain;")
yoke_crash_mutant(dead_not_cleared domain_kill domain/domain_named.c
  "if (is_alive(domain)) {" "if (is_alive(domain) || rc == YOKE_OK) {"
  "domain, last close")
yoke_crash_mutant(look_hides_a_death domain_points domain/death.c
  "    if (rc == YOKE_OWNER_DIED)\n        yoke__a32_store_release(&header->registry_dirty, 1);\n    return rc >= 0;"
  "    return rc >= 0;"
  "domain, make a lock, a survivor looks")

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

# An unfair queue: one producer of four is never let in; who waits for a lock is
# not woken.
foreach(case IN ITEMS 0 2) # which test
  add_library(crash_mutant_fair${case} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/conformance/test_queue_fairness.c)
  yoke_compile_options(crash_mutant_fair${case})
  target_compile_definitions(crash_mutant_fair${case} PRIVATE FAIRNESS_MUTANT=${case} $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
  target_include_directories(crash_mutant_fair${case} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
    "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})
endforeach()
yoke_crash_mutant(one_producer_starves fair0 queue/send.c
  "    return yoke__queue_quick_put("
  "    const yoke__handle *starved = (const yoke__handle *)handle;\n    const yoke__queue_state *state = (const yoke__queue_state *)starved->object;\n    while (yoke__domain_token(starved->domain) % 4 == 3 && state->max_items && !yoke__a32_load_relaxed(&state->shut))\n        yoke__cpu_relax();\n    return yoke__queue_quick_put(")
yoke_crash_mutant(waiter_not_woken fair2 queue/queue.c "    yoke__word_wake(queue->domain, side, 1);" "    (void)queue;\n    (void)side;")
foreach(name IN ITEMS one_producer_starves waiter_not_woken)
  set_tests_properties(crash.mutant.${name} PROPERTIES ENVIRONMENT "YOKE_START_METHOD=fork")
endforeach()

# -- lists: an item's new copy is committed too early, or written where readers look.
yoke_crash_mutant_test(shareable_kill)
yoke_crash_mutant(version_before_copy shareable_kill memory/shareable_item.c
  "    yoke__fence_seq_cst();\n    yoke__a64_store_relaxed(&to->head,"
  "    yoke__a64_store_release(version, number);\n    yoke__a64_store_relaxed(&to->head,")
yoke_crash_mutant(copy_in_use_overwritten shareable_kill memory/shareable_item.c
  "*to = copy_of(version, number, place->room)" "*to = copy_of(version, number - 1, place->room)")

# -- segments
yoke_crash_mutant_test(shm_kill)
yoke_crash_mutant(segment_magic_first shm_kill memory/segment.c
  "    segment->version = YOKE__SEGMENT_VERSION;"
  "    yoke__a64_store_release(&segment->magic, YOKE__SEGMENT_MAGIC);\n    segment->version = YOKE__SEGMENT_VERSION;")
yoke_crash_mutant(segment_user_before_who points_shm_kill memory/segment.c
  "    yoke__a64_store_relaxed(&user_at(segment, i)->pid, (uint64_t)self.pid);"
  "    yoke__a64_store_release(&user_at(segment, i)->state, (uint64_t)use);\n    yoke__a64_store_relaxed(&user_at(segment, i)->pid, (uint64_t)self.pid);")
add_library(crash_mutant_points_shm_kill OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_shm_kill.c)
yoke_compile_options(crash_mutant_points_shm_kill)
target_compile_definitions(crash_mutant_points_shm_kill PRIVATE CRASH_MUTANT=1 YOKE_CRASH_POINTS
  $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
target_include_directories(crash_mutant_points_shm_kill PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/include"
  "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})
yoke_crash_mutant(segment_gone_late points_shm_kill memory/shm.c
  "    if (segment)\n        yoke__a32_store_release(&segment->gone, 1);\n    return yoke__backend()->memory->unlink(full);"
  "    int code = yoke__backend()->memory->unlink(full);\n    if (segment)\n        yoke__a32_store_release(&segment->gone, 1);\n    return code;")
yoke_crash_mutant(segment_reclaims_the_living points_shm_kill memory/shm_name.c
  "*leftover = !alive && !segment.persist;" "*leftover = !segment.persist;")

# -- the queue. A release store that moved up stands before what it must follow.
yoke_crash_mutant(tail_before_record queue_kill queue/put.c
  "    write_record(queue, record, put);"
  "    yoke__ring_commit(ring, tail);\n    yoke__a32_store_relaxed(&queue->state->reserving, 0);\n    write_record(queue, record, put);")
yoke_crash_mutant(quick_tail_before_record queue_kill queue/quick.c
  "    yoke__copy(record + 1, data, size);"
  "    yoke__ring_commit(ring, tail);\n    yoke__a32_store_relaxed(&state->reserving, 0);\n    yoke__copy(record + 1, data, size);")
yoke_crash_mutant(quick_put_not_noted queue_kill queue/quick.c
  "    yoke__queue_note(&state->puts, number);\n" "    yoke__queue_note(&state->puts, number - 1);\n")
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
yoke_crash_mutant(listed_no_more_before_held queue_hold_kill queue/get.c
  "    yoke__alloc_hold(queue->domain, block);\n    yoke__a64_store_release(&queue->state->redeliver, list);"
  "    yoke__a64_store_release(&queue->state->redeliver, list);\n    yoke__alloc_hold(queue->domain, block);")
yoke_crash_mutant(journal_never_valid queue_hold_kill queue/journal.c
  "    yoke__a32_store_release(&journal->valid, 1);" "")
yoke_crash_mutant(applied_before_valid queue_hold_kill queue/journal.c
  "    yoke__a32_store_release(&journal->valid, 1);\n    apply(queue, journal);"
  "    apply(queue, journal);\n    yoke__a32_store_release(&journal->valid, 1);")
yoke_crash_mutant(no_redo queue_hold_kill queue/queue.c
  "    yoke__journal_redo(queue);\n    yoke__queue_note_gets" "    yoke__queue_note_gets")
yoke_crash_mutant(puts_not_noted queue_kill queue/queue.c
  "        yoke__queue_note_puts(queue);\n        return;" "        return;")
yoke_crash_mutant(gets_not_noted queue_kill queue/queue.c "    yoke__queue_note_gets(queue);\n" "")
yoke_crash_mutant(no_sweep queue_limit_kill queue/queue.c
  "    .sweep = yoke__queue_sweep,\n" "")
yoke_crash_mutant(no_wake_after_redelivery queue_hold_kill queue/redeliver.c
  "    if (again)\n        yoke__queue_came_back(" "    if (again && offsetof(yoke__ring, tail) == 0)\n        yoke__queue_came_back(")
yoke_crash_mutant(holds_not_flagged queue_hold_kill queue/redeliver.c
  "list_again(queue, block, true);" "list_again(queue, block, false);")
yoke_crash_mutant(holds_forgotten queue_hold_kill queue/redeliver.c
  "    *again = holder != 0;" "    *again = holder != 0 && queue->id == 0;")
yoke_crash_mutant(old_marks_count queue_hold_kill queue/redeliver.c
  "    yoke__a32_store_release(&queue.state->marked, 0);" "")
yoke_crash_mutant(list_not_marked queue_hold_kill queue/redeliver.c "    mark_list(queue);\n" "    if (!queue)\n        mark_list(queue);\n")
yoke_crash_mutant(rings_not_marked queue_kill queue/redeliver.c "    mark_rings(queue);\n" "    if (!queue)\n        mark_rings(queue);\n")
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

# -- handles over connections
yoke_crash_mutant_test(parcel_kill)
yoke_crash_mutant(parcel_unwanted parcel_kill connection/parcel.c
  "memory->marked(&domain->memory, id)" "memory->marked(&domain->memory, id + 1)")
yoke_crash_mutant(parcel_always_wanted parcel_kill connection/parcel.c
  "return memory->marked != NULL && memory->marked(&domain->memory, id);"
  "return memory->marked != NULL || memory->marked(&domain->memory, id);")
yoke_crash_mutant(parcel_not_on_its_way parcel_kill connection/parcel.c
  "        rc = yoke__reference_add(domain, handle->id);" "        rc = YOKE_OK;")

# -- conditions and barriers
yoke_crash_mutant(notify_not_passed_on condition_kill sync/waiters.c "heir ? YOKE__ORPHANED : 0) && heir" "0) && heir")
yoke_crash_mutant(notified_not_woken condition_kill sync/waiters.c
  "    wake(domain, slot);\n    return true;" "    return domain && true;")
yoke_crash_mutant(left_before_the_lock condition_kill sync/condition_wait.c
  "    held = yoke__condition_take_back(c, &levels);\n    if (result == YOKE_OK && held >= 0)\n        yoke__waiter_leave(waiter);"
  "    if (result == YOKE_OK)\n        yoke__waiter_leave(waiter);\n    held = yoke__condition_take_back(c, &levels);\n    if (result == YOKE_OK && held >= 0)\n        (void)waiter;"
  "wait, notified")
yoke_crash_mutant(waiters_not_swept condition_kill sync/condition.c
  "    yoke__waiters_sweep(domain, &state->waiters, dead);\n" "")
yoke_crash_mutant(death_not_heard condition_kill sync/condition_lock.c
  "return !levels->death_known && reports_death(c);" "return levels->death_known && reports_death(c);")
yoke_crash_mutant(broken_not_told barrier_kill sync/barrier_round.c
  "current | (uint64_t)why); /* the commit */\n    tell_broken(barrier);"
  "current | (uint64_t)why); /* the commit */" "arrive second of three")
yoke_crash_mutant(break_not_finished barrier_kill sync/barrier_round.c
  "    if (result == YOKE_OWNER_DIED)\n        repair(barrier, dead);" "    if (result == -1)\n        repair(barrier, dead);" "arrive second of three")
yoke_crash_mutant(counted_before_named barrier_kill sync/barrier_round.c
  "    yoke__a32_store_relaxed(&now->arrived[count], yoke__domain_token(barrier->domain));\n"
  "    yoke__a32_store_release(&now->count, count + 1);\n    yoke__a32_store_relaxed(&now->arrived[count], yoke__domain_token(barrier->domain));\n"
  "arrive second of three")
yoke_crash_mutant(buried_before_broken barrier_kill sync/barrier_round.c
  "    if (has_joined(barrier, dead) || waits_in(barrier, yoke__barrier_round(barrier), dead))\n        yoke__barrier_break(barrier, YOKE__WHY_DIED, dead);\n"
  "    bool waited = has_joined(barrier, dead) || waits_in(barrier, yoke__barrier_round(barrier), dead);\n    take_out(barrier, yoke__barrier_round(barrier), dead);\n    if (waited)\n        yoke__barrier_break(barrier, YOKE__WHY_DIED, dead);\n"
  "arrive second of three")
yoke_crash_mutant(ended_not_woken barrier_kill sync/barrier_round.c
  "    yoke__fence_seq_cst();\n    yoke__word_wake(barrier->domain, &round->state, UINT32_MAX);\n" "    (void)barrier;\n")
yoke_crash_mutant(parties_not_swept barrier_kill sync/barrier.c
  "    yoke__barrier_bury(&barrier, dead);\n" "    (void)dead;\n")

# -- locks
foreach(case IN ITEMS 1 2 3)
  add_library(crash_mutant_rwlock${case} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/crash/test_rwlock_kill.c)
  yoke_compile_options(crash_mutant_rwlock${case})
  target_compile_definitions(crash_mutant_rwlock${case} PRIVATE CRASH_MUTANT=${case}
    $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
  target_include_directories(crash_mutant_rwlock${case} PRIVATE "${PROJECT_SOURCE_DIR}"
    "${PROJECT_SOURCE_DIR}/include" "${CMAKE_CURRENT_SOURCE_DIR}" ${CMOCKA_INCLUDE_DIRS})
endforeach()
yoke_crash_mutant(told_of_who_only_waited rwlock1 sync/owner_word.c
  "wait->entered ? yoke__a32_load_acquire(wait->entered) : *seen & YOKE__TOKEN_MASK" "*seen & YOKE__TOKEN_MASK")
yoke_crash_mutant(dead_reader_waited_for rwlock2 sync/rwlock.c
  "        if (!yoke__share_in(handle->domain, state, share))\n            continue;\n" "")
yoke_crash_mutant(levels_of_the_dead_count rwlock3 sync/rlock.c "    if (result >= 0) /*" "    if (result == YOKE_OK) /*")

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
  "give_up(state, dead, state->permits, left, true)" "give_up(state, dead, 1, left, true)")
yoke_crash_mutant(permit_death_not_noted semaphore_kill sync/permits.c
  "    yoke__permit_note_write(domain, state, dead);\n" "")
yoke_crash_mutant(permit_note_valid_first semaphore_kill sync/permit_notes.c
  "    yoke__a32_store_relaxed(&note->token, 0);\n" "    yoke__a32_store_relaxed(&note->token, dead);\n")
yoke_crash_mutant(permit_without_wake semaphore_kill sync/permits.c
  "        yoke__word_wake(domain, &state->word, count);\n" "        (void)count;\n")
yoke_crash_mutant(permit_told_before_given semaphore_kill sync/permits.c
  "    uint32_t given = give_up(state, mine, count, 0, false);\n"
  "    yoke__permits_tell(domain, state, count);\n    uint32_t given = give_up(state, mine, count, 0, false);\n    if (given == count)\n        return YOKE_OK;\n")
yoke_crash_mutant(event_without_wake event_kill sync/event.c
  "        wake_all(handle->domain, state);\n" "        (void)wake_all;\n")
yoke_crash_mutant(event_watchers_not_rung event_kill sync/event.c
  "    yoke__watchers_ring(handle->domain, &state->watchers);\n" "")
yoke_crash_mutant(event_forgets_the_set event_kill sync/event.c
  " || (word & YOKE__EVENT_SETS) != sets;" " || (sets & 1) != 0;")
