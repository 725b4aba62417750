/* A function in a shared library that tests start in other processes. */
#include <yoke/yoke.h>

int started(const yoke_args *args);

int started(const yoke_args *args)
{
    return yoke_args_int(args, 0) + 1;
}
