/* Under a limit of address space: the default domain takes less, and who can't even map that is told so. */
#include "support/child.h"
#include "support/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define GIB (UINT64_C(1) << 30)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 /* a sanitizer's own address space is beyond any limit */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static uint64_t space_in_use(void)
{
    FILE         *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    CHILD_CHECK(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (uint64_t)pages * 4096;
}

static void limit_space(uint64_t bytes)
{
    struct rlimit limit;

    CHILD_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static int return_seven(const yoke_args *args)
{
    (void)args;
    return 7;
}

/* ---- before there is a domain ---- */

static int use_default_domain(void *unused)
{
    yoke_queue *queue;

    (void)unused;
    limit_space(space_in_use() + 3 * GIB);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    for (int i = 0; i < 1000; i++)
        CHILD_CHECK(yoke_queue_put_string(queue, "a message of some bytes", YOKE_NOWAIT) == YOKE_OK);
    return 0;
}

static void default_domain_takes_less_where_there_is_less(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(use_default_domain, NULL)), 0);
}

static int ask_for_too_much(void *unused)
{
    yoke_domain *domain;
    yoke_queue  *queue;

    (void)unused;
    limit_space(space_in_use() + 3 * GIB);
    CHILD_CHECK(yoke_domain_open(&domain, "process-limits", NULL) == YOKE_ENOMEM);
    CHILD_CHECK(strstr(yoke_last_error()->text, "reserve_bytes") != NULL);
    CHILD_CHECK(yoke_domain_configure(YOKE_OPTIONS(yoke_domain_options, .reserve_bytes = 4 * GIB)) == YOKE_OK);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_ENOMEM);
    CHILD_CHECK(strstr(yoke_last_error()->text, "yoke_domain_configure") != NULL);
    return 0;
}

static void what_was_asked_for_is_not_lowered(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(ask_for_too_much, NULL)), 0);
}

/* ---- children ---- */

static int start_under_limit(void *unused)
{
    yoke_queue   *queue;
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    (void)unused;
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    limit_space(2 * GIB); /* what this process has mapped stays */
    CHILD_CHECK(freopen("/dev/null", "w", stderr) != NULL);
    CHILD_CHECK(yoke_process_start(&process, return_seven, NULL,
                                   YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_SPAWN)) == YOKE_OK);
    CHILD_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER) == YOKE_OK);
    return result.how == YOKE_NOT_STARTED && result.error == YOKE_ENOMEM && strstr(result.text, "address space") ? 0
                                                                                                                 : 1;
}

static void child_that_cannot_map_the_domain_says_so(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    assert_int_equal(child_join(child_start(start_under_limit, NULL)), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_domain_takes_less_where_there_is_less),
        cmocka_unit_test(what_was_asked_for_is_not_lowered),
        cmocka_unit_test(child_that_cannot_map_the_domain_says_so),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
