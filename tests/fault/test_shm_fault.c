/*
 * Every call into the system fails in turn while segments are made, opened, read, passed, unlinked and reclaimed: an error
 * with a sentence, and no descriptor, mapping or name is left behind.
 */
#include "core/backend.h"
#include "core/memory/shm.h"
#include "support/leak.h"
#include "tests/fault/fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <yoke/shm.h>

static char name[64];

static bool exists(void)
{
    char        path[160];
    struct stat status;
    snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    return stat(path, &status) == 0;
}

static int told(int code)
{
    assert_int_equal(yoke_last_error()->code, code);
    assert_true(strlen(yoke_last_error()->text) > 10);
    return code;
}

static int mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char  line[512];
    int   count = 0;
    while (file && fgets(line, sizeof line, file))
        count += strstr(line, "yoke") != NULL;
    if (file)
        fclose(file);
    return count;
}

static int use_anonymous(void)
{
    yoke_shm         *shm, *second;
    yoke__shm_passage passed;
    int               code = yoke_shm_create(&shm, 100000, NULL);
    if (code < 0)
        return told(code);
    memset(yoke_shm_data(shm), 1, 100000);
    code = yoke__shm_pass(&passed, shm);
    assert_int_equal(code, YOKE_OK);
    code = yoke__backend()->process->native_duplicate(&passed.native, passed.native);
    if (code == YOKE_OK) {
        code = yoke__shm_import(&second, &passed);
        if (code == YOKE_OK)
            yoke_shm_close(second);
        else
            yoke__backend()->process->native_close(passed.native);
    }
    yoke_shm_close(shm);
    return code;
}

static int use_named_once(bool persist)
{
    yoke_shm *shm, *reader;
    int       code = yoke_shm_create(
              &shm, 100000, YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN_OR_CREATE, .persist = persist));
    if (code < 0)
        return told(code);
    memset(yoke_shm_data(shm), 1, 100000);
    code = yoke_shm_create(&reader, 0,
                           YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN, .read_only = true));
    if (code < 0)
        (void)told(code);
    else
        yoke_shm_close(reader);
    yoke_shm_close(shm);
    return code;
}

static int use_named(void)
{
    return use_named_once(false);
}

static int use_staying(void)
{
    int code = use_named_once(true);
    if (code < 0)
        return code;
    code = yoke_shm_unlink(name);
    if (code < 0)
        return told(code);
    code = (int)yoke_shm_reclaim(name);
    return code == YOKE_ENOENT ? YOKE_OK : told(code);
}

static void sweep(int (*use)(void), int error)
{
    int failures = 0, runs = 0;
    assert_int_equal(use(), YOKE_OK); /* what is made once per process is made now */
    int descriptors = fault_descriptors(), mapped = mappings();
    for (fault_sweep s = fault_sweep_start(error); fault_sweep_next(&s);) {
        failures += use() < 0;
        fault_off();
        if (fault_descriptors() != descriptors)
            fail_msg("%s failed, and left %d descriptors more", fault_name(), fault_descriptors() - descriptors);
        if (strcmp(fault_name(), "munmap") == 0)
            mapped = mappings(); /* it is the system that kept that one */
        if (mappings() != mapped)
            fail_msg("%s failed, and left %d mappings more", fault_name(), mappings() - mapped);
        if (exists()) /* removing the name was what failed: the next who asks for it does it */
            assert_int_equal(use(), YOKE_OK);
        assert_false(exists());
        runs++;
    }
    printf("%d calls failed in turn, %d of them were the caller's to hear of\n", runs - 1, failures);
    assert_true(failures > 3);
}

static void anonymous_segments_bear_every_failure(void **state)
{
    (void)state;
    sweep(use_anonymous, EMFILE);
    sweep(use_anonymous, ENOMEM);
}

static void named_segments_bear_every_failure(void **state)
{
    (void)state;
    sweep(use_named, EMFILE);
    sweep(use_named, ENOSPC);
    sweep(use_named, EACCES);
}

static void segments_that_stay_bear_every_failure(void **state)
{
    (void)state;
    sweep(use_staying, ENFILE);
    sweep(use_staying, ENOMEM);
}

static void the_fallbacks_bear_every_failure(void **state)
{
    (void)state;
    setenv("YOKE_MEMORY", "shm", 1);
    setenv("YOKE_NAME_LOCK", "file", 1);
    sweep(use_named, ENOSPC);
    sweep(use_staying, EMFILE);
    unsetenv("YOKE_MEMORY");
    unsetenv("YOKE_NAME_LOCK");
}

static int set_up(void **state)
{
    snprintf(name, sizeof name, "shm-fault-%ld", (long)getpid());
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anonymous_segments_bear_every_failure),
        cmocka_unit_test(named_segments_bear_every_failure),
        cmocka_unit_test(segments_that_stay_bear_every_failure),
        cmocka_unit_test(the_fallbacks_bear_every_failure),
    };
    return cmocka_run_group_tests(tests, set_up, leak_teardown);
}
