#include "posix.h"

const yoke_backend yoke__posix_backend = {
    .struct_size = sizeof(yoke_backend),
    .name = "posix",
    .capabilities = YOKE_CAP_SPAWN | YOKE_CAP_FORK | YOKE_CAP_FORKSERVER | YOKE_CAP_PASS_NATIVES,
    .memory = &yoke__posix_memory,
    .waiting = &yoke__posix_wait,
    .life = &yoke__posix_life,
    .process = &yoke__posix_process,
    .code = &yoke__posix_code,
    .stream = &yoke__uv_streams,
    .system = &yoke__posix_system,
    .loop = &yoke__uv_guests,
    .socket = &yoke__posix_socket,
};
