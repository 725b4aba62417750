/* Open files as handles. */
#include "file.h"

#include "../backend.h"
#include "../error.h"

struct yoke_file {
    yoke__handle handle; /* private_[1]: the native */
};

int yoke_file_create(yoke_file **out, intptr_t native)
{
    yoke__handle *handle;
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_file_create: out is NULL");
    YOKE_TRY(yoke__backend_ready());
    if (native == YOKE_NO_NATIVE || !yoke__backend()->process->native_is_open(native))
        return yoke__fail(YOKE_EINVAL, "yoke_file_create: descriptor %lld is not open", (long long)native);
    YOKE_TRY(yoke__handle_local(&handle, YOKE__KIND_FILE));
    handle->private_[1] = (uint64_t)native;
    handle->extra = handle; /* for yoke__handle_claim() */
    *out = (yoke_file *)handle;
    return YOKE_OK;
}

intptr_t yoke_file_native(const yoke_file *file)
{
    const yoke__handle *handle = yoke__handle_check(file, YOKE__KIND_FILE);
    return handle != NULL ? (intptr_t)handle->private_[1] : YOKE_NO_NATIVE;
}

intptr_t yoke_file_take(yoke_file *file)
{
    yoke__handle *handle = yoke__handle_check(file, YOKE__KIND_FILE);
    if (handle == NULL || yoke__handle_claim(handle) == NULL)
        return YOKE_NO_NATIVE;
    intptr_t native = (intptr_t)handle->private_[1];
    yoke__handle_close(handle, NULL);
    return native;
}

void yoke_file_close(yoke_file *file)
{
    intptr_t native = file != NULL ? yoke_file_take(file) : YOKE_NO_NATIVE;
    if (native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(native);
}
