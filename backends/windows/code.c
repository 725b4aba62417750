/*
 * Where a function lies: module, offset from where the module's image is loaded, and which build of the module. Images are
 * loaded at other addresses in other processes, so an address alone says nothing.
 *
 * A build is known by the identity that a linker writes for debuggers (RSDS), or, where there is none, by a hash over the
 * headers and the code, as both are before the loader has moved the image.
 */
#include "process.h"

#include <stdlib.h>
#include <string.h>

typedef struct module {
    HMODULE                     handle;
    uint8_t                    *base;
    const IMAGE_NT_HEADERS     *headers;
    const IMAGE_SECTION_HEADER *sections;
} module;

static bool read_module(module *out, HMODULE handle)
{
    uint8_t                *base = (uint8_t *)handle;
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)(const void *)base;

    if (dos->e_magic != IMAGE_DOS_SIGNATURE)
        return false;
    const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *)(const void *)(base + dos->e_lfanew);
    if (headers->Signature != IMAGE_NT_SIGNATURE)
        return false;
    *out = (module){.handle = handle, .base = base, .headers = headers, .sections = IMAGE_FIRST_SECTION(headers)};
    return true;
}

static bool is_code(const IMAGE_SECTION_HEADER *section)
{
    return (section->Characteristics & IMAGE_SCN_MEM_EXECUTE) && !(section->Characteristics & IMAGE_SCN_MEM_WRITE);
}

static bool contains_code(const module *in, uint64_t offset)
{
    for (unsigned i = 0; i < in->headers->FileHeader.NumberOfSections; i++) {
        const IMAGE_SECTION_HEADER *section = &in->sections[i];
        if ((section->Characteristics & IMAGE_SCN_MEM_EXECUTE) && offset >= section->VirtualAddress &&
            offset - section->VirtualAddress < section->Misc.VirtualSize)
            return true;
    }
    return false;
}

/* A directory of the image, or NULL. */
static const void *directory_of(const module *in, unsigned index, size_t *size)
{
    const IMAGE_DATA_DIRECTORY *entry = &in->headers->OptionalHeader.DataDirectory[index];

    if (index >= in->headers->OptionalHeader.NumberOfRvaAndSizes || !entry->VirtualAddress || !entry->Size)
        return NULL;
    *size = entry->Size;
    return in->base + entry->VirtualAddress;
}

/* ---- which build: told by the linker ---- */

typedef struct rsds {
    uint32_t magic;
    uint8_t  guid[16];
    uint32_t age;
} rsds;

static size_t build_by_linker(const module *in, uint8_t out[20])
{
    static const char            magic[4] = {'R', 'S', 'D', 'S'};
    size_t                       size = 0;
    const IMAGE_DEBUG_DIRECTORY *entry = directory_of(in, IMAGE_DIRECTORY_ENTRY_DEBUG, &size);

    for (; entry && size >= sizeof *entry; entry++, size -= sizeof *entry) {
        rsds found;
        if (entry->Type != IMAGE_DEBUG_TYPE_CODEVIEW || !entry->AddressOfRawData || entry->SizeOfData < sizeof found)
            continue;
        memcpy(&found, in->base + entry->AddressOfRawData, sizeof found);
        if (memcmp(&found.magic, magic, sizeof magic) != 0)
            continue;
        memcpy(out, found.guid, sizeof found.guid);
        memcpy(out + sizeof found.guid, &found.age, sizeof found.age);
        return 20;
    }
    return 0;
}

/* ---- which build: by a hash ---- */

/* Two 64-bit lanes of multiply and fold; identity among builds, not protection against forgers. */
static void hash_word(uint64_t lanes[2], uint64_t word)
{
    lanes[0] = (lanes[0] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    lanes[1] = (lanes[1] ^ (word + lanes[0])) * UINT64_C(0xc2b2ae3d27d4eb4f);
    lanes[0] ^= lanes[0] >> 29;
    lanes[1] ^= lanes[1] >> 31;
}

static void hash_bytes(uint64_t lanes[2], const uint8_t *at, size_t size)
{
    uint64_t word;

    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash_word(lanes, word);
    }
    for (; size > 0; at++, size--)
        hash_word(lanes, *at);
}

static const IMAGE_SECTION_HEADER *code_at(const module *in, uint32_t page)
{
    for (unsigned i = 0; i < in->headers->FileHeader.NumberOfSections; i++)
        if (is_code(&in->sections[i]) && page - in->sections[i].VirtualAddress < in->sections[i].Misc.VirtualSize)
            return &in->sections[i];
    return NULL;
}

/* The loader has added to these places how far the image was moved from where the linker meant it to be. */
static void undo_block(const module *in, uint8_t *copy, const IMAGE_SECTION_HEADER *section,
                       const IMAGE_BASE_RELOCATION *block)
{
    const uint16_t *entries = (const uint16_t *)(const void *)(block + 1);
    size_t          count = (block->SizeOfBlock - sizeof *block) / sizeof *entries;

    for (size_t i = 0; i < count; i++) {
        uint64_t offset = block->VirtualAddress - section->VirtualAddress + (entries[i] & 0xfffu);
        size_t   size = entries[i] >> 12 == IMAGE_REL_BASED_DIR64     ? 8
                        : entries[i] >> 12 == IMAGE_REL_BASED_HIGHLOW ? 4
                                                                      : 0;
        uint64_t word = 0;
        if (size == 0 || offset + size > section->Misc.VirtualSize)
            continue;
        memcpy(&word, copy + offset, size);
        word -= (uint64_t)(uintptr_t)in->base;
        memcpy(copy + offset, &word, size);
    }
}

static void undo_relocations(const module *in, uint8_t *copy, const IMAGE_SECTION_HEADER *section)
{
    size_t         size = 0;
    const uint8_t *at = directory_of(in, IMAGE_DIRECTORY_ENTRY_BASERELOC, &size);

    while (at && size >= sizeof(IMAGE_BASE_RELOCATION)) {
        const IMAGE_BASE_RELOCATION *block = (const IMAGE_BASE_RELOCATION *)(const void *)at;
        if (block->SizeOfBlock < sizeof *block || block->SizeOfBlock > size)
            return;
        if (code_at(in, block->VirtualAddress) == section)
            undo_block(in, copy, section, block);
        at += block->SizeOfBlock;
        size -= block->SizeOfBlock;
    }
}

static bool hash_section(const module *in, const IMAGE_SECTION_HEADER *section, uint64_t lanes[2])
{
    uint8_t *copy = malloc(section->Misc.VirtualSize);

    if (!copy)
        return false;
    memcpy(copy, in->base + section->VirtualAddress, section->Misc.VirtualSize);
    undo_relocations(in, copy, section);
    hash_bytes(lanes, copy, section->Misc.VirtualSize);
    free(copy);
    return true;
}

static size_t build_by_hash(const module *in, uint8_t out[20])
{
    const IMAGE_FILE_HEADER     *file = &in->headers->FileHeader;
    const IMAGE_OPTIONAL_HEADER *optional = &in->headers->OptionalHeader;
    uint64_t                     lanes[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};

    hash_word(lanes, (uint64_t)file->TimeDateStamp << 32 | optional->CheckSum);
    hash_word(lanes, (uint64_t)optional->SizeOfImage << 32 | optional->AddressOfEntryPoint);
    hash_bytes(lanes, (const uint8_t *)in->sections, file->NumberOfSections * sizeof *in->sections);
    for (unsigned i = 0; i < file->NumberOfSections; i++)
        if (is_code(&in->sections[i]) && !hash_section(in, &in->sections[i], lanes))
            return 0;
    memcpy(out, lanes, sizeof lanes);
    memcpy(out + sizeof lanes, &optional->SizeOfImage, 4);
    return sizeof lanes + 4;
}

/* Of the main program, which is never unloaded; of other modules it is made each time. Per thread, so that no lock is
 * needed. */
static _Thread_local struct {
    size_t  size; /* 0: not made */
    uint8_t build[20];
} of_program;

static size_t build_of(const module *in, uint8_t out[20])
{
    bool   program = in->handle == GetModuleHandleW(NULL);
    size_t size = program ? of_program.size : 0;

    if (size > 0) {
        memcpy(out, of_program.build, size);
        return size;
    }
    size = build_by_linker(in, out);
    if (size == 0)
        size = build_by_hash(in, out);
    if (program && size > 0) {
        memcpy(of_program.build, out, size);
        of_program.size = size;
    }
    return size;
}

/* ---- the two operations ---- */

#define PATH_SIZE 4096

static int note_path(yoke_code_place *out, HMODULE handle)
{
    wchar_t wide[PATH_SIZE];
    DWORD   length = GetModuleFileNameW(handle, wide, PATH_SIZE);

    if (length == 0 || length >= PATH_SIZE)
        return yoke_backend_fail(YOKE_ENOENT, (int64_t)GetLastError(), "the file of a module can't be told");
    char *path = yoke__windows_narrow(wide);
    if (!path)
        return yoke__noted();
    size_t size = strlen(path) + 1;
    int    rc = size <= sizeof out->module
                    ? YOKE_OK
                    : yoke_backend_fail(YOKE_ERANGE, 0, "the path of module \"%s\" is longer than %zu bytes", path,
                                        sizeof out->module - 1);
    if (rc == YOKE_OK)
        memcpy(out->module, path, size);
    free(path);
    return rc;
}

static bool module_of(module *out, void (*function)(void))
{
    const DWORD how = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE     handle;

    return GetModuleHandleExW(how, (const wchar_t *)(uintptr_t)function, &handle) && read_module(out, handle);
}

static int code_locate(yoke_code_place *out, void (*function)(void))
{
    module          in;
    yoke_code_place place = {0};

    if (!module_of(&in, function) || !contains_code(&in, (uint64_t)((uintptr_t)function - (uintptr_t)in.base)))
        return yoke_backend_fail(YOKE_ENOENT, 0, "the address %p lies in no module's code",
                                 (void *)(uintptr_t)function);
    place.offset = (uintptr_t)function - (uintptr_t)in.base;
    place.main_program = in.handle == GetModuleHandleW(NULL);
    place.build_size = (uint8_t)build_of(&in, place.build);
    if (!place.main_program)
        YOKE_TRY(note_path(&place, in.handle));
    *out = place;
    return YOKE_OK;
}

static int check(const module *in, const yoke_code_place *place)
{
    uint8_t     build[sizeof place->build];
    size_t      size = build_of(in, build);
    const char *what = place->main_program ? "this program" : place->module;

    if (place->build_size == 0 || place->build_size > sizeof build || size == 0)
        return yoke_backend_fail(YOKE_EINVAL, 0,
                                 "it can't be verified that %s is the build that the function is from: start it by its "
                                 "registered name",
                                 what);
    if (size != place->build_size || memcmp(build, place->build, size) != 0)
        return yoke_backend_fail(
            YOKE_EINVAL, 0, "%s is not the build that the function is from: start it by its registered name", what);
    if (!contains_code(in, place->offset))
        return yoke_backend_fail(YOKE_EINVAL, 0, "offset %#llx of %s is not code", (unsigned long long)place->offset,
                                 what);
    return YOKE_OK;
}

/* "C:\…" or "\\server\…": the loader would look for others in places that are not ours to choose. */
static bool is_absolute(const char *path)
{
    return (path[0] && path[1] == ':' && path[2] == '\\') || (path[0] == '\\' && path[1] == '\\');
}

static int load(HMODULE *out, const yoke_code_place *place)
{
    if (!memchr(place->module, '\0', sizeof place->module) || !is_absolute(place->module))
        return yoke_backend_fail(YOKE_EINVAL, 0, "a place of code names no module");
    wchar_t *path = yoke__windows_wide(place->module);
    if (!path)
        return yoke__noted();
    *out = yoke__sys.LoadLibraryW(path);
    DWORD number = GetLastError();
    free(path);
    if (*out)
        return YOKE_OK;
    return yoke_backend_fail(YOKE_ENOENT, (int64_t)number, "module \"%s\" can't be loaded (error %lu)", place->module,
                             number);
}

static int code_resolve(void (**out)(void), const yoke_code_place *place)
{
    HMODULE handle = GetModuleHandleW(NULL);
    module  in;

    if (!place->main_program)
        YOKE_TRY(load(&handle, place)); /* stays loaded on success: the function is about to run */
    int rc = read_module(&in, handle) ? check(&in, place)
                                      : yoke_backend_fail(YOKE_ENOENT, 0, "a module can't be found once loaded");
    if (rc == YOKE_OK)
        *out = (void (*)(void))((uintptr_t)in.base + (uintptr_t)place->offset);
    else if (!place->main_program)
        FreeLibrary(handle);
    return rc;
}

const yoke_code_ops yoke__windows_code = {
    .struct_size = sizeof(yoke_code_ops),
    .locate = code_locate,
    .resolve = code_resolve,
};
