# Planted faults in what is not killed but talked to: a test is built again with one line of a source changed, and one of
# its cases, named here, must fail.

# yoke_mutant(name test source from to found_by): test is <kind>/<name>; in `source`, `from` becomes `to`.
function(yoke_mutant name test source from to found_by)
  string(REPLACE "/" "/test_" file "${test}")
  set(objects mutant_${found_by})
  if(NOT TARGET ${objects}) # with that case only
    add_library(${objects} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/${file}.c)
    yoke_compile_options(${objects})
    target_link_libraries(${objects} PRIVATE yoke_test_support)
    target_compile_definitions(${objects} PRIVATE "MUTANT_FOUND_BY=\"test_${found_by}\"")
    target_compile_options(${objects} PRIVATE -include "${CMAKE_CURRENT_SOURCE_DIR}/support/only.h")
  endif()
  yoke_mutant_source(mutant ${name} ${source} "${from}" "${to}")
  yoke_test_executable(mutant.${name} "${mutant}")
  target_sources(mutant.${name} PRIVATE $<TARGET_OBJECTS:${objects}>)
  target_include_directories(mutant.${name} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  add_test(NAME mutant.${name} COMMAND mutant.${name})
  set_tests_properties(mutant.${name} PROPERTIES TIMEOUT 120 LABELS mutant
    PASS_REGULAR_EXPRESSION "\\[  FAILED  \\] test_${found_by}")
endfunction()

# -- authentication
set(auth core/connection/auth.c)
yoke_mutant(md5_answer_taken unit/auth ${auth}
  "        if (!auth->rules->allow_old)\n" "        if (auth->rules->key == NULL)\n"
  an_answer_in_another_digest_is_refused)
yoke_mutant(any_digest_taken unit/auth ${auth}
  "} else if (digest != auth->rules->digest) {" "} else if (digest == NULL) {"
  an_answer_in_another_digest_is_refused)
yoke_mutant(digest_named_only unit/auth ${auth}
  "    if (!mac_is(auth, digest, mac))\n" "    if (false && !mac_is(auth, digest, mac))\n"
  an_answer_in_another_digest_is_refused)
yoke_mutant(code_compared_by_prefix unit/auth ${auth}
  "yoke__digest_equal(expected, mac, yoke__digest_size(digest))" "yoke__digest_equal(expected, mac, 16)"
  a_code_wrong_in_one_bit_is_refused)
yoke_mutant(code_of_any_size unit/auth ${auth}
  "    if (mac_size != yoke__digest_size(digest))\n" "    if (mac_size > yoke__digest_size(digest))\n"
  an_answer_in_another_digest_is_refused)
yoke_mutant(key_not_in_the_code unit/auth ${auth}
  "auth->rules->key_size" "0"
  another_key_is_refused_by_both)
yoke_mutant(server_not_asked unit/auth ${auth}
  "    if (!auth->server)\n        return ask(auth);\n" "" a_server_that_only_welcomes_is_not_believed)
yoke_mutant(word_of_challenge_not_checked unit/auth ${auth}
  "    if (size < word || memcmp(data, challenge_word, word) != 0)\n" "    if (size < word)\n"
  a_challenge_that_asks_for_less_is_not_answered)
yoke_mutant(bare_challenge_answered unit/auth ${auth}
  "    if (size == OLD_RANDOM && auth->rules->allow_old) {" "    if (size == OLD_RANDOM && auth->rules->key) {"
  a_challenge_that_asks_for_less_is_not_answered)
yoke_mutant(short_challenge_answered unit/auth ${auth}
  "    if (rest_size < OLD_RANDOM)\n" "    if (rest_size == 0)\n" a_challenge_that_asks_for_less_is_not_answered)
yoke_mutant(challenge_not_random unit/auth ${auth}
  "    YOKE_TRY(yoke__backend()->system->random(auth->challenge + size, YOKE__AUTH_RANDOM));\n" ""
  challenges_are_never_the_same)
yoke_mutant(claim_of_length_believed unit/auth ${auth}
  "|| size > YOKE__AUTH_MESSAGE)" "|| size > YOKE__AUTH_MESSAGE + 1)" headers_that_claim_much_are_refused_at_once)
yoke_mutant(failure_not_told unit/auth ${auth}
  "        put_message(auth, failure_word, WORD_SIZE(failure_word), NULL, 0);\n" "" another_key_is_refused_by_both)
yoke_mutant(prefix_not_in_the_code unit/auth ${auth}
  "    yoke__digest_mac(digest, auth->rules->key, auth->rules->key_size, data, size, mac);"
  "    yoke__digest_mac(digest, auth->rules->key, auth->rules->key_size, data + 1, size - 1, mac);"
  two_sides_with_one_key_agree)

# -- listeners
set(accept core/connection/accept.c)
yoke_mutant(handshake_without_end conformance/listener_hostile ${accept}
  "    if (rc == YOKE_EBUSY && !yoke__deadline_past(newcomer->deadline))" "    if (rc == YOKE_EBUSY)"
  a_silent_client_is_sent_away_when_its_time_is_up)
yoke_mutant(time_between_calls_counted conformance/listener_hostile ${accept}
  "        if (listener->newcomers[i] != NULL)\n            prolong(" "        if (listener->newcomers[i] != NULL && pause < 0)\n            prolong("
  time_between_calls_is_not_a_newcomers_loss)
yoke_mutant(refused_not_closed conformance/listener_hostile ${accept}
  "    (void)yoke__a64_add_acq_rel(&listener->refused, 1);\n    native_close(native);\n"
  "    (void)yoke__a64_add_acq_rel(&listener->refused, 1);\n" a_crowd_passes_and_leaves_nothing)
yoke_mutant(silent_ones_keep_their_places conformance/listener_hostile ${accept}
  "    if (newcomer == NULL || yoke__deadline_past(newcomer->safe))" "    if (newcomer == NULL)"
  silent_clients_keep_nobody_out)
yoke_mutant(accepted_before_the_proof conformance/listener_hostile ${accept}
  "    if (rc == YOKE_EBUSY && !yoke__deadline_past(newcomer->deadline))"
  "    if (rc == YOKE_EPROTO)\n        return hold(listener, take_out(place));\n    if (rc == YOKE_EBUSY && !yoke__deadline_past(newcomer->deadline))"
  what_is_not_the_protocol_is_refused)

yoke_mutant(time_stands_still_in_waits conformance/wait_listeners ${accept}
  "runs || yoke__a32_load_acquire(&listener->waiters) > 0 ? 0 : now" "runs ? 0 : now"
  who_is_silent_or_has_another_key_makes_nothing_ready)

# -- many at once, and event loops
yoke_mutant(memory_not_looked_at conformance/wait_conns core/connection/wait.c
  "            ready = yoke__conn_has_answer(conn);" "            ready = false;"
  a_connection_stays_ready_until_all_is_received)
yoke_mutant(part_told_for_ever conformance/wait_conns core/connection/recv.c
  "    return frame > conn->max_message || have >= frame;" "    return true;" a_part_of_a_message_is_told_once)
yoke_mutant(no_high_mark conformance/conn_loop core/connection/on_loop_write.c
  "    if (loop->full || loop->waiting >= loop->options.high)" "    if (loop->waiting == SIZE_MAX)"
  a_reader_that_stops_makes_the_writer_stop)
yoke_mutant(what_waits_not_told conformance/conn_loop_ends core/connection/on_loop.c
  "    yoke__conn_loop_end_writes(loop);\n" "" messages_that_wait_are_told_when_it_is_closed)
yoke_mutant(door_never_shut conformance/listener_loop core/connection/listener_on_loop.c
  "open ? YOKE_STREAM_READ : 0" "(open | 1) ? YOKE_STREAM_READ : 0"
  silent_peers_keep_nobody_out_and_cost_no_time)

# -- files of sockets
set(socket_file backends/posix/socket_file.c)
yoke_mutant(file_of_the_living_replaced conformance/listener_files ${socket_file}
  "    if (alive)\n" "    if (alive > 1)\n" who_looks_whether_it_lives_is_no_client)
yoke_mutant(file_of_the_dead_kept conformance/listener_files ${socket_file}
  "    if (number == ECONNREFUSED || number == ENOENT)\n" "    if (number == ENOENT)\n"
  a_living_listener_keeps_its_address)
yoke_mutant(looks_as_a_client conformance/listener_files ${socket_file}
  "yoke__sys.socket(AF_UNIX, SOCK_DGRAM, 0)" "yoke__sys.socket(AF_UNIX, SOCK_STREAM, 0)"
  who_looks_whether_it_lives_is_no_client)
yoke_mutant(any_file_replaced conformance/listener_files ${socket_file}
  "    if (!S_ISSOCK(status.st_mode))\n" "    if (S_ISDIR(status.st_mode))\n" a_file_that_is_no_socket_stays)
yoke_mutant(file_of_another_removed conformance/listener_files ${socket_file}
  "now[0] == identity[0] && now[1] == identity[1])" "now[0] == identity[0])"
  close_leaves_the_file_of_another_alone)

# -- frames
yoke_mutant(negative_length_taken unit/frame core/connection/frame.c
  "    if (length != LONG_MARK)\n" "    if (length < SHORT_MAX)\n" negative_lengths_are_refused)
yoke_mutant(long_form_from_one_more unit/frame core/connection/frame.c
  "    if (size <= SHORT_MAX) {" "    if (size <= SHORT_MAX + 1) {" lengths_from_two_gib_take_twelve_bytes)
yoke_mutant(cut_off_told_as_the_end conformance/pipe core/connection/recv.c
  "    if (between)\n" "    if (between || !cut_off)\n" an_end_within_a_message_is_broken)
yoke_mutant(header_believed conformance/pipe_limits core/connection/recv.c
  "partial_grow(conn, room < size ? room : size)" "partial_grow(conn, room < size ? size : size)"
  a_header_is_not_believed_more_than_its_bytes)
yoke_mutant(begun_counts_for_none conformance/pipe_batch core/connection/send.c
  "    *done += rc == YOKE_BEGUN;\n" "" a_batch_out_of_time_tells_how_many_are_sent)
yoke_mutant(rest_of_all_the_batch conformance/pipe_batch core/connection/send.c
  "leave_rest(conn, frames, request->size, end, NULL)" "leave_rest(conn, frames, request->size, frames->total, NULL)"
  a_batch_out_of_time_tells_how_many_are_sent)

# -- the end of one side
yoke_mutant(end_before_what_waits conformance/pipe_half_close core/connection/on_loop_write.c
  "    if (loop->under_way.first == NULL)\n        return yoke__conn_send_end(loop->conn);"
  "    if (loop->conn != NULL)\n        return yoke__conn_send_end(loop->conn);"
  on_a_loop_all_that_waits_goes_out_first)

# -- deadlocks
yoke_mutant(other_domains_not_looked_at conformance/deadlock_wide core/sync/waits.c
  "if (token && waits_in(other," "if (token && other == domain && waits_in(other,"
  processes_over_three_domains)
