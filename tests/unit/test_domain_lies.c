/* Memory that must not be believed: headers that lie, damage of any kind, and things that are no domains. */
#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/heap.h"
#include "core/domain/make.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <yoke/event.h>

typedef struct lie {
    const char *what; /* in the sentence */
    size_t      offset, size;
    uint64_t    value;
} lie;

#define LIE(text, field, bad)                                                                                          \
    {                                                                                                                  \
        text, offsetof(yoke__header, field), sizeof(((yoke__header *)0)->field), bad                                   \
    }

static const lie lies[] = {
    LIE("first word", magic, 0x1234),
    LIE("another version", version, 99),
    LIE("another build", layout, 5),
    LIE("reserve", reserve, 0),
    LIE("reserve", reserve, UINT64_MAX),
    LIE("reserve", reserve, (UINT64_C(1) << 24) + 4096),
    LIE("committed", committed, UINT64_MAX),
    LIE("committed", committed, 0),
    LIE("end of the heap", heap_end, UINT64_MAX),
    LIE("end of the heap", heap_end, 64),
    LIE("last block", heap_last, UINT64_C(1) << 40),
    LIE("directory's count", directory_count, UINT32_MAX),
    {"directory", offsetof(yoke__header, directory), 8, UINT64_C(1) << 40},
    {"directory", offsetof(yoke__header, directory) + 21 * 8, 8, 4096},
    LIE("pid namespace", space, 77),
    LIE("way of waiting", wait_mode, 9),
    LIE("state", state, 2),
};

static int open_existing(void *user)
{
    const lie   *told = user;
    yoke_domain *domain;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_EPROTO);
    if (!strstr(yoke_last_error()->text, told->what) || !strstr(yoke_last_error()->text, domains_name)) {
        fprintf(stderr, "expected '%s': %s\n", told->what, yoke_last_error()->text);
        return 1;
    }
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)) == YOKE_EPROTO);
    return 0;
}

static const lie *lie_told;
static int        open_lie(void *user)
{
    (void)user;
    return open_existing((void *)(uintptr_t)lie_told);
}

static void test_a_header_that_lies_is_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        yoke_domain *domain;
        stranger     other;
        uint64_t     truth = 0;
        lie_told = &lies[i];
        pid_t child = stranger_start(&other, open_lie);
        assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.reserve_bytes = 1 << 24)), YOKE_OK);
        uint8_t *field = (uint8_t *)domain->memory.base + lies[i].offset;
        memcpy(&truth, field, lies[i].size);
        memcpy(field, &lies[i].value, lies[i].size);
        assert_int_equal(stranger_join(&other, child), 0);
        memcpy(field, &truth, lies[i].size);
        yoke_domain_close(domain);
    }
}

static void test_what_is_no_domain_is_refused_and_left_alone(void **state)
{
    yoke_domain *domain;
    char         path[128];
    (void)state;
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), domains_name);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    for (int size = 0; size < 3; size++) {
        static const char text[] = "this belongs to somebody else altogether, and is long enough for a first word";
        assert_int_equal(ftruncate(fd, size == 0 ? 8192 : size == 1 ? 1 << 20 : 1 << 22), 0);
        assert_int_equal(pwrite(fd, text, sizeof text, 0), sizeof text);
        assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)), YOKE_EPROTO);
        assert_true(domains_exists(domains_name));
    }
    close(fd);
    shm_unlink(path);
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Whatever stands in the header: an answer, and no fault; and if it is believed, the heap can be walked safely. */
static void test_random_damage_never_faults(void **state)
{
    yoke_domain *domain;
    uint64_t     seed = 4711;
    int          believed = 0;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.reserve_bytes = 1 << 24)), YOKE_OK);
    yoke__header         *header = yoke__domain_header(domain);
    yoke__header          good = *header;
    yoke__domain_expected expected = {.what = "damaged"};
    for (int i = 0; i < 3000; i++) {
        uint8_t *bytes = (uint8_t *)header;
        for (uint32_t n = next_random(&seed) % 8 + 1; n > 0; n--) {
            bool head = next_random(&seed) % 2;
            bytes[next_random(&seed) % (head ? 192 : sizeof *header)] = (uint8_t)next_random(&seed);
        }
        int rc = yoke__domain_validate(&domain->memory, &expected);
        assert_true(rc == YOKE_OK || rc == YOKE_EPROTO);
        believed += rc == YOKE_OK;
        if (rc == YOKE_OK) {
            yoke__a32_store_release(&header->allocator, 0); /* nobody's: or it would be waited for */
            rc = yoke__alloc_check(domain, NULL);
            assert_true(rc == YOKE_OK || rc == YOKE_EPROTO);
        }
        memcpy((void *)header, &good, sizeof good);
    }
    assert_true(believed > 0);
    yoke_domain_close(domain);
}

/* ---- a directory that is damaged while it is open ------------------------------------------------------------------------ */

static int create_refused(yoke_domain *domain, const char *says)
{
    yoke_event *event;
    int         rc = yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .domain = domain));
    return rc == YOKE_EPROTO && strstr(yoke_last_error()->text, says) ? 0 : -1;
}

static bool count_object(void *user, const yoke_object_info *object)
{
    (void)object;
    ++*(int *)user;
    return true;
}

static void test_a_directory_that_lies_makes_no_fault(void **state)
{
    const yoke_domain_visitor visitor = {.struct_size = sizeof visitor, .object = count_object};
    yoke_domain              *domain;
    yoke_event               *event;
    int                       seen = 0;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .domain = domain)), YOKE_OK);
    yoke__header *header = yoke__domain_header(domain);
    yoke__entry  *root = yoke__entry_at(domain, 0);
    uint64_t      root_at = yoke__a64_load_relaxed(&root->offset);
    uint32_t      count = yoke__a32_load_relaxed(&header->directory_count);

    yoke__a64_store_relaxed(&root->offset, UINT64_C(1) << 40);
    assert_int_equal(create_refused(domain, "its root"), 0);
    yoke__a64_store_relaxed(&root->offset, root_at);
    for (uint32_t free = UINT32_MAX; free;
         free = free == UINT32_MAX ? 2 : free - 1) { /* nowhere, to one in use, the root */
        yoke__a32_store_relaxed(&header->directory_free, free);
        assert_int_equal(create_refused(domain, "list of free entries"), 0);
    }
    yoke__a32_store_relaxed(&header->directory_free, 0);
    yoke__a32_store_relaxed(&header->directory_count, UINT32_MAX);
    assert_int_equal(create_refused(domain, "number of entries"), 0);
    assert_int_equal(yoke_domain_inspect(domain, &visitor, &seen), YOKE_OK);
    assert_int_equal(seen, 1);
    yoke__a32_store_relaxed(&header->directory_count, count);
    yoke_event_close(event);
    yoke_domain_close(domain);
}

static int adopt_copies(void *user)
{
    yoke_domain *domain;
    yoke_domain *mine = user; /* open in the parent; only its memory matters here */
    uint64_t     id = yoke__domain_header(mine)->id;
    uint64_t     reserve = yoke__domain_header(mine)->reserve;
    int          fd = dup((int)mine->memory.handle);
    CHILD_CHECK(yoke__domain_adopt(&domain, fd, reserve, id + 1) == YOKE_EPROTO);
    CHILD_CHECK(yoke__domain_adopt(&domain, fd, reserve * 2, id) == YOKE_EPROTO);
    CHILD_CHECK(yoke__domain_adopt(&domain, fd, 0, id) == YOKE_EPROTO);
    CHILD_CHECK(yoke__domain_adopt(&domain, fd, UINT64_MAX, id) == YOKE_EPROTO);
    CHILD_CHECK(yoke__domain_adopt(&domain, 999, reserve, id) < 0);
    int null = open("/dev/null", O_RDWR);
    CHILD_CHECK(yoke__domain_adopt(&domain, null, reserve, id) < 0);
    CHILD_CHECK(fcntl(fd, F_GETFD) >= 0); /* still ours after a failure */
    CHILD_CHECK(yoke__domain_existing() == NULL);
    CHILD_CHECK(yoke__domain_adopt(&domain, fd, reserve, id) == YOKE_OK);
    CHILD_CHECK(yoke__domain_existing() == domain && yoke__domain_token(domain) != 0);
    CHILD_CHECK(fcntl(fd, F_GETFD) < 0);
    CHILD_CHECK(yoke__domain_adopt(&domain, dup((int)mine->memory.handle), reserve, id) == YOKE_OK); /* the same */
    CHILD_CHECK(yoke__domain_adopt(&domain, 0, reserve, id + 1) == YOKE_EBUSY);
    yoke__domain_leave(domain);
    return 0;
}

static void test_inherited_memory_is_looked_at_before_it_is_adopted(void **state)
{
    yoke_domain *domain;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.reserve_bytes = 1 << 24)), YOKE_OK);
    assert_int_equal(child_join(child_start(adopt_copies, domain)), 0);
    assert_int_equal(yoke__alloc_check(domain, NULL), YOKE_OK);
    yoke_domain_close(domain);
}

static void test_offsets_from_elsewhere_are_checked(void **state)
{
    yoke_domain *domain;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    uint64_t committed = yoke__a64_load_acquire(&yoke__domain_header(domain)->committed);
    assert_non_null(yoke__domain_check(domain, 0, committed));
    assert_non_null(yoke__domain_check(domain, committed - 8, 8));
    assert_null(yoke__domain_check(domain, committed - 7, 8));
    assert_null(yoke__domain_check(domain, committed, 1));
    assert_null(yoke__domain_check(domain, UINT64_MAX, 8));
    assert_null(yoke__domain_check(domain, 8, UINT64_MAX));
    yoke_domain_close(domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_header_that_lies_is_refused_with_a_sentence, domains_new_name),
        cmocka_unit_test_setup(test_what_is_no_domain_is_refused_and_left_alone, domains_new_name),
        cmocka_unit_test_setup(test_random_damage_never_faults, domains_new_name),
        cmocka_unit_test_setup(test_a_directory_that_lies_makes_no_fault, domains_new_name),
        cmocka_unit_test_setup(test_inherited_memory_is_looked_at_before_it_is_adopted, domains_new_name),
        cmocka_unit_test_setup(test_offsets_from_elsewhere_are_checked, domains_new_name),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
