# Tests on Windows: the same sources. There is one way of waiting, the parking lot. What a single test asks for that Windows
# hasn't, it is skipped for, and says so (support/windows/absent.h). docs/guide/platforms.md says which sources are not
# in these lists, and why.

set(yoke_windows_unit_tests
  address allocator args args_macro args_macro_cpp array auth backend_registry barrier condition deadline domain
  domain_describe domain_inspect domain_lies environment error event frame handle lock lock_release object options
  options_cpp owner_word pack parking participant permits queue queue_batch queue_close queue_cool queue_full_domain
  queue_passing queue_peek queue_recovery queue_redelivered queue_reserve queue_task record ring rlock rwlock
  semaphore shareable shm simple_queue text unpack value value_update variant watchers word)
set(yoke_windows_conformance_tests
  barrier condition conn_loop deadlock deadlock_wide lock locks_many pipe_threads process_forged process_leave
  process_limits process_start process_threads queue rwlock_places wait_sync watch watch_ends watch_fork
  watch_native)

yoke_add_tests(unit MODES parking TIMEOUT 60 ONLY ${yoke_windows_unit_tests})
yoke_add_tests(conformance MODES parking TIMEOUT 120 ONLY ${yoke_windows_conformance_tests})

# About the Windows backend's own calls.
yoke_add_tests(windows MODES parking TIMEOUT 120)
