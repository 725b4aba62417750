/* Shared memory of the POSIX backend, in each of its kinds, and how much memory is said to be left. */
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RESERVE (UINT64_C(64) << 20)
#define PART    (UINT64_C(1) << 20)

static const yoke_memory_ops *const ops = &yoke__posix_memory;

static int use_memfd(void **state)
{
    (void)state;
    return setenv("YOKE_MEMORY", "memfd", 1);
}

static int use_shm(void **state)
{
    (void)state;
    return setenv("YOKE_MEMORY", "shm", 1);
}

static int use_whole(void **state)
{
    (void)state;
    return setenv("YOKE_MEMORY", "whole", 1);
}

static int adopt_and_write(void *user)
{
    yoke_memory *theirs = user;
    yoke_memory  mine;
    int          fd = dup((int)theirs->handle);
    CHILD_CHECK(ops->adopt(&mine, fd, RESERVE) == YOKE_OK);
    CHILD_CHECK(mine.base != theirs->base && mine.handle == fd);
    ((uint8_t *)mine.base)[PART - 1] = 42;
    CHILD_CHECK(ops->grow(&mine, PART, 2 * PART) == YOKE_OK);
    ((uint8_t *)mine.base)[2 * PART - 1] = 43;
    ops->close(&mine);
    return 0;
}

static void test_memory_is_shared_zeroed_and_grows_for_all(void **state)
{
    yoke_memory memory;
    uint64_t    size;
    (void)state;
    assert_int_equal(ops->create(&memory, NULL, RESERVE, PART, 0), YOKE_OK);
    const uint8_t *bytes = memory.base;
    for (uint64_t i = 0; i < PART; i++) {
        assert_int_equal(bytes[i], 0);
    }
    assert_int_equal(child_join(child_start(adopt_and_write, &memory)), 0);
    assert_int_equal(bytes[PART - 1], 42);
    assert_int_equal(bytes[2 * PART - 1], 43);
    assert_int_equal(ops->size(&memory, &size), YOKE_OK);
    assert_true(size >= 2 * PART && size <= RESERVE);
    assert_int_equal(ops->grow(&memory, PART, 3 * PART), YOKE_OK); /* again, over what there is: nothing changes */
    assert_int_equal(bytes[2 * PART - 1], 43);
    assert_int_equal(bytes[3 * PART - 1], 0);
    assert_int_equal(ops->grow(&memory, RESERVE, RESERVE + 1), YOKE_EINVAL);
    assert_int_equal(fcntl((int)memory.handle, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ops->close(&memory);
}

static ino_t inode_of_name(const char *name)
{
    struct stat status;
    int         fd = shm_open(name, O_RDWR, 0);
    if (fd < 0) {
        return 0;
    }
    assert_int_equal(fstat(fd, &status), 0);
    close(fd);
    return status.st_ino;
}

/* Killed between making an object and unlinking it. Other tests may be in between right now: what counts is the inode. */
static void test_what_a_dead_process_left_goes_with_the_next_memory(void **state)
{
    yoke_memory memory;
    struct stat left;
    char        name[64];
    (void)state;
    snprintf(name, sizeof name, "/yoke-.%lu", (unsigned long)geteuid());
    (void)shm_unlink(name);
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        skip(); /* another test was faster */
    }
    assert_int_equal(fstat(fd, &left), 0);
    assert_int_equal(ops->create(&memory, NULL, RESERVE, PART, 0), YOKE_OK);
    assert_int_not_equal(inode_of_name(name), left.st_ino);
    ops->close(&memory);
    close(fd);
}

static void test_nobody_can_take_pages_away(void **state)
{
    yoke_memory memory;
    (void)state;
    assert_int_equal(ops->create(&memory, NULL, RESERVE, PART, 0), YOKE_OK);
    assert_int_equal(ftruncate((int)memory.handle, 0), -1);
    assert_int_equal(errno, EPERM);
    ops->close(&memory);
}

static void test_trimmed_pages_read_as_zero(void **state)
{
    yoke_memory memory;
    (void)state;
    assert_int_equal(ops->create(&memory, NULL, RESERVE, PART, 0), YOKE_OK);
    uint8_t *bytes = memory.base;
    memset(bytes, 1, PART);
    assert_int_equal(ops->trim(&memory, PART / 4, PART / 2), YOKE_OK);
    assert_int_equal(bytes[PART / 4 - 1], 1);
    assert_int_equal(bytes[PART / 4], 0);
    assert_int_equal(bytes[PART / 2 - 1], 0);
    assert_int_equal(bytes[PART / 2], 1);
    assert_int_equal(ops->grow(&memory, PART / 4, PART / 2), YOKE_OK);
    ops->close(&memory);
}

static void test_names_are_taken_once_and_found(void **state)
{
    yoke_memory memory;
    yoke_memory other;
    char        name[64];
    (void)state;
    snprintf(name, sizeof name, "test-memory-%ld", (long)getpid());
    assert_int_equal(ops->open(&other, name, 4096), YOKE_ENOENT);
    assert_int_equal(ops->unlink(name), YOKE_ENOENT);
    assert_int_equal(ops->create(&memory, name, RESERVE, PART, 0640), YOKE_OK);
    assert_int_equal(ops->create(&other, name, RESERVE, PART, 0), YOKE_EEXIST);
    struct stat status;
    assert_int_equal(fstat((int)memory.handle, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(ops->open(&other, name, 4096), YOKE_OK);
    ((uint8_t *)memory.base)[7] = 9;
    assert_int_equal(((uint8_t *)other.base)[7], 9);
    ops->close(&other);
    assert_int_equal(ops->unlink(name), YOKE_OK);
    assert_int_equal(ops->open(&other, name, 4096), YOKE_ENOENT);
    ops->close(&memory);
}

static void test_too_much_address_space_is_lack_of_memory(void **state)
{
    yoke_memory memory;
    (void)state;
    assert_int_equal(ops->create(&memory, NULL, UINT64_C(1) << 60, PART, 0), YOKE_ENOMEM);
    assert_int_equal(ops->create(&memory, NULL, UINT64_MAX, PART, 0), YOKE_ENOMEM);
}

static int lock_and_tell(void *user)
{
    int        *pipes = user;
    yoke_native lock;
    char        byte;
    CHILD_CHECK(ops->name_lock(&lock, "test-memory-lock") == YOKE_OK);
    CHILD_CHECK(write(pipes[1], "x", 1) == 1);
    CHILD_CHECK(read(pipes[0], &byte, 1) == 0); /* until it is killed */
    return 0;
}

static void test_the_lock_of_a_name_goes_with_its_holder(void **state)
{
    int         told[2];
    int         never[2];
    yoke_native lock;
    char        byte;
    (void)state;
    for (int file = 0; file < 2; file++) {
        if (file) {
            setenv("YOKE_NAME_LOCK", "file", 1);
        }
        assert_int_equal(pipe(told), 0);
        assert_int_equal(pipe(never), 0);
        int   pipes[2] = {never[0], told[1]};
        pid_t holder = child_start(lock_and_tell, pipes);
        assert_int_equal(read(told[0], &byte, 1), 1);
        child_kill(holder);
        assert_int_equal(ops->name_lock(&lock, "test-memory-lock"), YOKE_OK);
        ops->name_unlock(lock, "test-memory-lock");
        close(told[0]);
        close(told[1]);
        close(never[0]);
        close(never[1]);
    }
    unsetenv("YOKE_NAME_LOCK");
}

/* ---- how much is left -------------------------------------------------------------------------------------------- */

static char root[64];

static void put(const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint64_t left_with(const char *membership)
{
    char path[128];
    put("membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return yoke__posix_memory_left(root, path);
}

static void remove_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

static void new_tree(void)
{
    snprintf(root, sizeof root, "/tmp/yoke-test-cgroup-XXXXXX");
    assert_non_null(mkdtemp(root));
}

static void test_what_is_left_is_the_least_of_all_groups_above(void **state)
{
    (void)state;
    new_tree();
    uint64_t system = left_with("");
    assert_true(system > PART);
    put("a/b/memory.max", "max\n");
    put("a/b/memory.current", "1000\n");
    assert_true(left_with("0::/a/b\n") > PART);
    put("a/memory.max", "5000000\n");
    put("a/memory.current", "3000000\n");
    assert_int_equal(left_with("0::/a/b\n"), 2000000);
    put("a/memory.stat", "anon 2000000\ninactive_file 500000\nactive_file 1\n");
    assert_int_equal(left_with("0::/a/b\n"), 2500000); /* cache that can be dropped is free */
    put("a/b/memory.max", "1500\n");
    assert_int_equal(left_with("0::/a/b\n"), 500);
    put("a/b/memory.current", "9999\n");
    assert_int_equal(left_with("0::/a/b\n"), 0);
    remove_tree();
}

static void test_the_first_version_of_groups_counts_too(void **state)
{
    (void)state;
    new_tree();
    put("memory/x/memory.limit_in_bytes", "8000000\n");
    put("memory/x/memory.usage_in_bytes", "1000000\n");
    put("memory/x/memory.stat", "cache 5\ntotal_inactive_file 100000\n");
    assert_int_equal(left_with("5:cpu,cpuacct:/x\n4:memory:/x\n"), 7100000);
    assert_int_equal(left_with("4:memory,hugetlb:/x\n"), 7100000);
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/memory.usage_in_bytes", "1000000\n");
    assert_true(left_with("4:memory:/not/visible/here\n") > 8 * PART); /* no limit at the root */
    put("memory/memory.limit_in_bytes", "2000000\n");
    assert_int_equal(left_with("4:memory:/not/visible/here\n"), 1000000); /* a container's own group is its root */
    remove_tree();
}

static void test_odd_memberships_are_no_limit(void **state)
{
    (void)state;
    new_tree();
    const char *odd[] = {"\n", "memory\n", "4:memory\n", "4:memory:\n", ":::\n", "0::/\n", "4:notmemory:/x", "garbage"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_true(left_with(odd[i]) > PART);
    }
    assert_true(yoke__posix_memory_left(root, "/no/such/file") > PART);
    assert_true(ops->available() > 0);
    remove_tree();
}

#define KIND(test, kind)                                                                                               \
    {                                                                                                                  \
#test "_" #kind, test, use_##kind, NULL, NULL                                                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIND(test_memory_is_shared_zeroed_and_grows_for_all, memfd),
        KIND(test_memory_is_shared_zeroed_and_grows_for_all, shm),
        KIND(test_memory_is_shared_zeroed_and_grows_for_all, whole),
        KIND(test_what_a_dead_process_left_goes_with_the_next_memory, shm),
        KIND(test_nobody_can_take_pages_away, memfd),
        KIND(test_trimmed_pages_read_as_zero, memfd),
        KIND(test_names_are_taken_once_and_found, memfd),
        KIND(test_names_are_taken_once_and_found, shm),
        KIND(test_names_are_taken_once_and_found, whole),
        KIND(test_too_much_address_space_is_lack_of_memory, memfd),
        KIND(test_the_lock_of_a_name_goes_with_its_holder, memfd),
        cmocka_unit_test(test_what_is_left_is_the_least_of_all_groups_above),
        cmocka_unit_test(test_the_first_version_of_groups_counts_too),
        cmocka_unit_test(test_odd_memberships_are_no_limit),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
