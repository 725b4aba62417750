#include "windows.h"

const yoke_backend yoke__windows_backend = {
    .struct_size = sizeof(yoke_backend),
    .name = "windows",
    .capabilities = YOKE_CAP_SPAWN | YOKE_CAP_PASS_NATIVES,
    .memory = &yoke__windows_memory,
    .waiting = &yoke__windows_wait,
    .life = &yoke__windows_life,
    .process = &yoke__windows_process,
    .code = &yoke__windows_code,
    .stream = &yoke__uv_streams,
    .system = &yoke__windows_system,
    .loop = &yoke__uv_guests,
    .socket = &yoke__windows_socket,
};
