/* What libuv would have to be kept from elsewhere: there are no signals here, neither of broken pipes nor of children. */
#include "../uv/child_signal.h"
#include "../uv/uv.h"

void yoke__uv_quiet_enable(void) {}

void yoke__uv_quiet_disable(void) {}

void yoke__uv_quiet_begin(void) {}

void yoke__uv_quiet_end(void) {}

void yoke__child_signal_begin(void) {}

void yoke__child_signal_end(int64_t started)
{
    (void)started;
}
