/*
 * Shared memory: sections backed by the paging file. All of the reserve is mapped at once; pages exist once they are
 * committed, which one process does for all: committing charges them to the system at that moment, so that a page that
 * can't be had is an error of grow() and no fault later. A section goes with the last handle and mapping of it.
 *
 * Each begins with a header of the backend's own, in front of what core sees:
 */
#include "memory.h"

#include "../../core/atomic.h"

/* Sections are mapped from multiples of this only, on every version of the system. */
#define GRANULE UINT64_C(65536)

typedef struct section_header {
    /* Bytes that core may touch; raised by whoever has committed more, after that. The system tells it of a whole mapping
     * only, and openers map a single page first. */
    yoke__a64 committed;
    /* 1: has lost its name, though somebody still has it open. Set once, under the lock of the name. */
    yoke__a32 unlinked;
} section_header;

static section_header *header_of(const yoke_memory *memory)
{
    return (section_header *)(void *)((uint8_t *)memory->base - GRANULE);
}

static int fail_memory(const char *what, uint64_t bytes)
{
    DWORD number = GetLastError();
    int   code = yoke__windows_code_of(number);
    /* What the system says of a size that no address space has. */
    if (number == ERROR_INVALID_PARAMETER || number == ERROR_INVALID_ADDRESS || number == ERROR_MAPPED_ALIGNMENT)
        code = YOKE_ENOMEM;
    return yoke_backend_fail(code, (int64_t)number, "can't %s %llu bytes of shared memory (error %lu)", what,
                             (unsigned long long)bytes, (unsigned long)number);
}

/* ---- mapping ----------------------------------------------------------------------------------------------------- */

static int map(yoke_memory *out, HANDLE section, uint64_t reserve)
{
    if (reserve > SIZE_MAX / 2 - GRANULE) {
        return yoke_backend_fail(YOKE_ENOMEM, 0, "%llu bytes are more than the address space",
                                 (unsigned long long)reserve);
    }
    uint8_t *view = yoke__sys.MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)(GRANULE + reserve));
    if (!view)
        return fail_memory("map", reserve);
    *out = (yoke_memory){.base = view + GRANULE, .reserved = reserve, .handle = yoke__native_of(section)};
    return YOKE_OK;
}

static void unmap(const yoke_memory *memory)
{
    yoke__sys.UnmapViewOfFile((uint8_t *)memory->base - GRANULE);
}

/* Raises committed to what there is at least; others may raise it at the same time. */
static void raise_committed(section_header *header, uint64_t to)
{
    uint64_t now = yoke__a64_load_acquire(&header->committed);
    while (now < to && !yoke__a64_cas_acq_rel(&header->committed, &now, to))
        ;
}

static int memory_grow(yoke_memory *memory, uint64_t from, uint64_t to)
{
    if (to > memory->reserved) {
        return yoke_backend_fail(YOKE_ENOMEM, 0, "%llu bytes of shared memory are more than the %llu reserved",
                                 (unsigned long long)to, (unsigned long long)memory->reserved);
    }
    /* Pages that are committed already stay as they are. */
    if (from < to &&
        !yoke__sys.VirtualAlloc((uint8_t *)memory->base + from, (SIZE_T)(to - from), MEM_COMMIT, PAGE_READWRITE))
        return fail_memory("get", to - from);
    raise_committed(header_of(memory), to);
    return YOKE_OK;
}

/* The system takes no page of a section back while that is mapped. */
static int memory_trim(yoke_memory *memory, uint64_t from, uint64_t to)
{
    (void)memory;
    (void)from;
    (void)to;
    return YOKE_OK;
}

static int memory_protect(yoke_memory *memory, uint64_t from, uint64_t to)
{
    DWORD old;
    if (!yoke__sys.VirtualProtect((uint8_t *)memory->base + from, (SIZE_T)(to - from), PAGE_READONLY, &old))
        return yoke__windows_fail("can't make memory read-only");
    return YOKE_OK;
}

static int memory_size(const yoke_memory *memory, uint64_t *size)
{
    *size = yoke__a64_load_acquire(&header_of(memory)->committed);
    return YOKE_OK;
}

static void memory_close(yoke_memory *memory)
{
    unmap(memory);
    yoke__sys.CloseHandle(yoke__handle_of(memory->handle));
    *memory = (yoke_memory){.handle = YOKE_NO_NATIVE};
}

/* ---- making and opening ------------------------------------------------------------------------------------------ */

int yoke__section_make(HANDLE *out, const wchar_t *name, uint64_t reserve, bool *existed)
{
    if (reserve > SIZE_MAX / 2 - GRANULE) {
        return yoke_backend_fail(YOKE_ENOMEM, 0, "%llu bytes are more than the address space",
                                 (unsigned long long)reserve);
    }
    SECURITY_ATTRIBUTES *security = yoke__windows_private();
    uint64_t             size = GRANULE + reserve;
    if (!security)
        return yoke__noted();
    *out = yoke__sys.CreateFileMappingW(INVALID_HANDLE_VALUE, security, PAGE_READWRITE | SEC_RESERVE,
                                        (DWORD)(size >> 32), (DWORD)size, name);
    DWORD number = GetLastError();
    if (!*out)
        return fail_memory("reserve", reserve);
    *existed = number == ERROR_ALREADY_EXISTS;
    return YOKE_OK;
}

static int commit_first(yoke_memory *memory, uint64_t size)
{
    if (!yoke__sys.VirtualAlloc(header_of(memory), sizeof(section_header), MEM_COMMIT, PAGE_READWRITE))
        return fail_memory("get", sizeof(section_header));
    return memory_grow(memory, 0, size);
}

static int memory_create(yoke_memory *out, const char *name, uint64_t reserve, uint64_t size, unsigned permissions)
{
    HANDLE      section = NULL;
    bool        existed = false;
    yoke_memory memory;
    if (permissions & 0077) {
        return yoke_backend_fail(YOKE_ENOTSUP, 0, "permissions %#o: on this system memory admits its own user only",
                                 permissions);
    }
    YOKE_TRY(name ? yoke__memory_name_create(&section, name, reserve)
                  : yoke__section_make(&section, NULL, reserve, &existed));
    int rc = map(&memory, section, reserve);
    if (rc == YOKE_OK && (rc = commit_first(&memory, size)) < 0)
        unmap(&memory);
    if (rc < 0)
        yoke__sys.CloseHandle(section);
    else
        *out = memory;
    return rc;
}

static int memory_open(yoke_memory *out, const char *name, uint64_t reserve)
{
    HANDLE section = NULL;
    YOKE_TRY(yoke__memory_name_open(&section, name));
    int rc = map(out, section, reserve);
    if (rc < 0)
        yoke__sys.CloseHandle(section);
    return rc;
}

static int memory_adopt(yoke_memory *out, yoke_native handle, uint64_t reserve)
{
    return map(out, yoke__handle_of(handle), reserve);
}

/* What may still be committed by anybody. */
static uint64_t memory_available(void)
{
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    return yoke__sys.GlobalMemoryStatusEx(&status) ? status.ullAvailPageFile : UINT64_MAX;
}

/* ---- for names --------------------------------------------------------------------------------------------------- */

/* Nothing committed yet: its maker has died there, or will go on; under the lock of its name only the former. */
static bool is_made(const section_header *header)
{
    MEMORY_BASIC_INFORMATION about;
    return yoke__sys.VirtualQuery(header, &about, sizeof about) != 0 && about.State == MEM_COMMIT;
}

int yoke__section_look(HANDLE section, bool unlink, bool *named)
{
    section_header *header = yoke__sys.MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof *header);
    if (!header)
        return yoke__windows_fail("looking at named shared memory");
    bool made = is_made(header);
    *named = made && yoke__a32_load_acquire(&header->unlinked) == 0;
    if (made && unlink)
        yoke__a32_store_release(&header->unlinked, 1);
    yoke__sys.UnmapViewOfFile(header);
    return YOKE_OK;
}

const yoke_memory_ops yoke__windows_memory = {
    .struct_size = sizeof(yoke_memory_ops),
    .create = memory_create,
    .open = memory_open,
    .adopt = memory_adopt,
    .size = memory_size,
    .grow = memory_grow,
    .trim = memory_trim,
    .close = memory_close,
    .unlink = yoke__memory_unlink,
    .available = memory_available,
    .name_lock = yoke__memory_name_lock,
    .name_unlock = yoke__memory_name_unlock,
    .name_user = yoke__memory_name_user,
    .protect = memory_protect,
    .reserve = UINT64_C(1) << 30, /* of each page reserved the system keeps 8 bytes */
    .names_go = true,
};
