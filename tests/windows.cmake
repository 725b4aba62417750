# Tests on Windows: the same sources, but for those that are about POSIX itself. There is one way of waiting, the parking
# lot. What a single test asks for that Windows hasn't, it is skipped for, and says so (support/windows/absent.h).

# About the POSIX backend's own calls.
set(yoke_posix_unit_tests bell channel close_last_write code domain_users leak lifeline local_wait memory
  posix_process spawn system domain_list life)
# About forkserver, sockets that are files, descriptors and limits.
set(yoke_posix_conformance_tests forkserver forkserver_failures forkserver_preload forkserver_surroundings listener
  listener_files listener_hostile listener_python listener_start pipe_python process_descriptors wait_many watch_busy)

yoke_add_tests(unit MODES parking TIMEOUT 60 EXCEPT ${yoke_posix_unit_tests})
yoke_add_tests(conformance MODES parking TIMEOUT 120 EXCEPT ${yoke_posix_conformance_tests})
