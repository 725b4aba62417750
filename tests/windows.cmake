# Tests on Windows: the same sources. There is one way of waiting, the parking lot. What a single test asks for that Windows
# hasn't, it is skipped for, and says so (support/windows/absent.h). docs/guide/platforms.md says which sources are not
# in these lists, and why.

set(yoke_windows_unit_tests
  address allocator args args_macro args_macro_cpp array auth backend_registry deadline domain domain_describe
  environment error frame lock_release object options options_cpp pack participant queue queue_batch queue_passing
  queue_peek queue_recovery queue_reserve queue_task record ring shareable text unpack value value_update variant)
set(yoke_windows_conformance_tests
  lock locks_many process_leave process_limits process_start queue rwlock_places wait_sync watch)

yoke_add_tests(unit MODES parking TIMEOUT 60 ONLY ${yoke_windows_unit_tests})
yoke_add_tests(conformance MODES parking TIMEOUT 120 ONLY ${yoke_windows_conformance_tests})

# About the Windows backend's own calls.
yoke_add_tests(windows MODES parking TIMEOUT 120)
