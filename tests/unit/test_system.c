/* The system group: clock, CPUs with their quotas, random bytes, threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const yoke_system_ops *const sys_ops = &yoke__posix_system;

/* ---- CPUs ---- */

static char root[] = "/tmp/yoke-cgroup-XXXXXX";

static void write_file(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    assert_int_equal(mkdir(full, 0700), 0);
}

static int cpus(const char *membership)
{
    char full[512];
    write_file("membership", membership);
    snprintf(full, sizeof full, "%s/membership", root);
    return yoke__posix_cgroup_cpus(root, full);
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/yoke-cgroup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static void a_quota_is_rounded_up(void **state)
{
    (void)state;
    make_folder("a");
    write_file("a/cpu.max", "150000 100000\n");
    assert_int_equal(cpus("0::/a\n"), 2);
    write_file("a/cpu.max", "20000 100000\n");
    assert_int_equal(cpus("0::/a\n"), 1);
    write_file("a/cpu.max", "400000 100000\n");
    assert_int_equal(cpus("0::/a\n"), 4);
}

static void no_quota_is_no_limit(void **state)
{
    (void)state;
    make_folder("a");
    write_file("a/cpu.max", "max 100000\n");
    assert_int_equal(cpus("0::/a\n"), 0);
    assert_int_equal(cpus("0::/\n"), 0);
    assert_int_equal(cpus(""), 0);
    assert_int_equal(cpus("nonsense"), 0);
    write_file("a/cpu.max", "0 0\n");
    assert_int_equal(cpus("0::/a\n"), 0);
    assert_int_equal(yoke__posix_cgroup_cpus(root, "/nowhere"), 0);
}

static void the_smallest_quota_on_the_way_up_counts(void **state)
{
    (void)state;
    make_folder("a");
    make_folder("a/b");
    make_folder("a/b/c");
    write_file("a/cpu.max", "200000 100000\n");
    write_file("a/b/cpu.max", "300000 100000\n");
    assert_int_equal(cpus("0::/a/b/c\n"), 2);
}

/* In a container the path told is that of the host, and the group's files lie at the root. */
static void a_path_out_of_sight_leads_to_the_root(void **state)
{
    (void)state;
    write_file("cpu.max", "300000 100000\n");
    assert_int_equal(cpus("0::/docker/0123\n"), 3);
}

static void the_first_version_is_understood(void **state)
{
    (void)state;
    make_folder("cpu,cpuacct");
    make_folder("cpu,cpuacct/a");
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
    write_file("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus("7:cpuset:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/a\n"), 3);
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cpus("4:cpu,cpuacct:/a\n"), 0);
}

static void affinity_counts(void **state)
{
    (void)state;
    cpu_set_t all, one;

    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    assert_true(sys_ops->cpu_count() >= 1);
    assert_true(sys_ops->cpu_count() <= CPU_COUNT(&all));
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(sys_ops->cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(sys_ops->cpu_count_all() >= CPU_COUNT(&all));
}

static void there_is_always_a_cpu(void **state)
{
    (void)state;
    fault_on(NULL, 1, 1, EINVAL);
    int count = sys_ops->cpu_count(), all = sys_ops->cpu_count_all();
    fault_off();
    assert_true(count >= 1);
    assert_true(all >= 1);
}

/* ---- the rest ---- */

static void the_clock_goes_forward(void **state)
{
    (void)state;
    int64_t first = sys_ops->now();
    assert_true(first > 0);
    for (int i = 0; i < 1000; i++) {
        int64_t next = sys_ops->now();
        assert_true(next >= first);
        first = next;
    }
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t first[64] = {0}, second[64] = {0};

    assert_int_equal(sys_ops->random(first, sizeof first), YOKE_OK);
    assert_int_equal(sys_ops->random(second, sizeof second), YOKE_OK);
    assert_memory_not_equal(first, second, sizeof first);
}

static void without_getrandom_the_device_serves(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0}, zero[64] = {0};

    fault_on("getrandom", 1, 1, ENOSYS);
    int rc = sys_ops->random(bytes, sizeof bytes);
    fault_off();
    assert_int_equal(rc, YOKE_OK);
    assert_memory_not_equal(bytes, zero, sizeof bytes);
}

static void lack_of_random_bytes_is_an_error(void **state)
{
    (void)state;
    uint8_t bytes[16];
    int     before = fault_descriptors();

    fault_on(NULL, 1, 1, EIO);
    int rc = sys_ops->random(bytes, sizeof bytes);
    fault_off();
    assert_int_equal(rc, YOKE_EIO);
    assert_int_equal(fault_descriptors(), before);
}

static void a_page_is_a_power_of_two(void **state)
{
    (void)state;
    size_t size = sys_ops->page_size();
    assert_true(size >= 4096);
    assert_int_equal(size & (size - 1), 0);
}

static void *tell_thread(void *out)
{
    *(uint64_t *)out = sys_ops->thread_id();
    return NULL;
}

static int tell_in_child(void *parent)
{
    return sys_ops->thread_id() == *(uint64_t *)parent;
}

static void threads_have_numbers_of_their_own(void **state)
{
    (void)state;
    uint64_t  mine = sys_ops->thread_id(), other = 0;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, tell_thread, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_not_equal(mine, 0);
    assert_int_not_equal(mine, other);
    assert_int_equal(sys_ops->thread_id(), mine);
    assert_int_equal(child_join(child_start(tell_in_child, &mine)), 0);
}

static int  hooked;
static void count_hook(void)
{
    hooked++;
}

static int hooks_in_child(void *unused)
{
    (void)unused;
    return hooked;
}

static void hooks_run_around_a_fork(void **state)
{
    (void)state;
    assert_int_equal(sys_ops->at_fork(count_hook, count_hook, count_hook), YOKE_OK);
    assert_int_equal(child_join(child_start(hooks_in_child, NULL)), 2);
    assert_int_equal(hooked, 2);
    fault_on("pthread_atfork", 1, 1, ENOMEM);
    int rc = sys_ops->at_fork(count_hook, NULL, NULL);
    fault_off();
    assert_int_equal(rc, YOKE_ENOMEM);
}

#define QUOTA_TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(a_quota_is_rounded_up),
        QUOTA_TEST(no_quota_is_no_limit),
        QUOTA_TEST(the_smallest_quota_on_the_way_up_counts),
        QUOTA_TEST(a_path_out_of_sight_leads_to_the_root),
        QUOTA_TEST(the_first_version_is_understood),
        cmocka_unit_test(affinity_counts),
        cmocka_unit_test(there_is_always_a_cpu),
        cmocka_unit_test(the_clock_goes_forward),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(without_getrandom_the_device_serves),
        cmocka_unit_test(lack_of_random_bytes_is_an_error),
        cmocka_unit_test(a_page_is_a_power_of_two),
        cmocka_unit_test(threads_have_numbers_of_their_own),
        cmocka_unit_test(hooks_run_around_a_fork),
    };
    return cmocka_run_group_tests_name("system", tests, leak_setup, leak_teardown);
}
