/*
 * libFuzzer: a domain in shared memory whose bytes are anything. Whoever comes to it by name must get an answer: it joins,
 * or an error; no crash, and no loop without an end (libFuzzer's -timeout). Likewise list and reclaim, which judge by
 * copies.
 *
 * Each input is laid over the header and the participants of a sound domain, or stands there alone. What was let in is
 * not gone on with: from there on a domain is one domain of trust.
 */
#include "core/backend.h"
#include "core/domain/make.h"
#include "core/domain/names.h"
#include "core/domain/participant.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char    name[64], path[128];
static uint8_t sound[sizeof(yoke__domain_layout)]; /* the first bytes of a domain */

static void must(bool good)
{
    if (!good)
        abort();
}

static void begin(void)
{
    yoke_domain *domain;
    if (name[0])
        return;
    snprintf(name, sizeof name, "fuzz-domain-%ld", (long)getpid());
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    must(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .reserve_bytes = 1 << 24)) == YOKE_OK);
    memcpy(sound, domain->memory.base, sizeof sound);
    yoke_domain_close(domain);
}

/* Input: how, then {offset, eight bytes} again and again. Offsets are of words of the header or of the first slots. */
static void damage(uint8_t *to, const uint8_t *data, size_t size)
{
    const size_t first = offsetof(yoke__domain_layout, participants) / 8;
    for (; size >= 10; data += 10, size -= 10) {
        size_t word = (size_t)(data[0] | data[1] << 8);
        word = data[1] & 0x80 ? first + word % 128 : word % first;
        memcpy(to + word * 8, data + 2, 8);
    }
}

static void lay_out(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 100, 4096, sizeof(yoke__header), 1 << 20, 1 << 22};
    int                 fd = shm_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    size_t              total = data[0] & 7u ? yoke__domain_first_size() : sizes[(data[0] >> 3) % 6];
    must(fd >= 0 && ftruncate(fd, (off_t)total) == 0);
    uint8_t *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(memory != MAP_FAILED);
    if (total >= sizeof sound) {
        memcpy(memory, sound, sizeof sound);
        yoke__domain_layout *layout = (void *)memory;
        yoke__a64_store_relaxed(&layout->participants[0].word, /* somebody alive: init */
                                yoke__slot_word(1, YOKE__SLOT_JOINING, 1));
        damage(memory, data + 1, size - 1);
    } else {
        memcpy(memory, data + 1, size - 1 < total ? size - 1 : total);
    }
    munmap(memory, total);
    close(fd);
}

static bool see(void *user, const yoke_domain_info *info)
{
    (void)user;
    must(memchr(info->name, 0, sizeof info->name) != NULL && info->alive + info->dead <= YOKE__PARTICIPANTS);
    return true;
}

/* As an opener does, up to the point where it would join. */
static void attach(void)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke__domain_expected  expected = {.what = "fuzzed"};
    yoke_memory            memory;
    bool                   ready = false;
    if (ops->open(&memory, name, yoke__backend()->system->page_size()) < 0)
        return;
    int      rc = yoke__domain_peek(&memory, &expected, &ready);
    uint64_t reserve = rc == YOKE_OK && ready ? ((const yoke__header *)memory.base)->reserve : 0;
    ops->close(&memory);
    if (!reserve || ops->open(&memory, name, reserve) < 0)
        return;
    uint32_t    alive = 0, dead = 0;
    yoke_domain domain = {.memory = memory, .layout = memory.base};
    if (yoke__domain_validate(&memory, &expected) == YOKE_OK) {
        yoke__slots_count(domain.layout->participants, yoke__slot_bound(&domain), &alive, &dead);
        must(yoke__domain_check(&domain, 0, yoke__domain_first_size()) != NULL);
    }
    ops->close(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yoke_domain *domain = NULL;
    if (size < 2)
        return 0;
    begin();
    lay_out(data, size);
    attach();
    (void)yoke_domain_list(see, NULL);
    if (data[0] & 1) {
        (void)yoke_domain_reclaim(name);
    } else if (yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)) == YOKE_OK) {
        yoke_domain_close(domain); /* it took the place of what was dead or unfinished */
    }
    (void)shm_unlink(path);
    return 0;
}
