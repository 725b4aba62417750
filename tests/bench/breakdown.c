/*
 * Where the time of a start goes. The child notes when its libraries were loaded, when main() and when its function was
 * entered; the clock is one for all processes of the machine.
 *
 *     call       the caller is inside yoke_process_start() (or uv_spawn)
 *     to_loaded  from the call until the child's libraries are loaded: fork, exec, dynamic linker (not under fork)
 *     to_main    from there until main()
 *     to_function  from there (or from the call) until the function runs: the library's part of the child's start
 *     to_joined  from there until the caller knows that the child is gone
 */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static double kept[STAMP_COUNT];

void stamps_mark(stamp which)
{
    kept[which] = now_us();
}

static __attribute__((constructor)) void loaded(void)
{
    stamps_mark(STAMP_LOADED);
}

const char *stamps_path(void)
{
    static char path[] = "/tmp/yoke-bench-XXXXXX";
    static bool made;

    if (!made) {
        int file = mkstemp(path);
        if (file < 0 || ftruncate(file, sizeof(stamps)) != 0 || close(file) != 0) {
            fprintf(stderr, "yoke-bench: cannot make %s\n", path);
            exit(1);
        }
        made = true;
    }
    return path;
}

stamps *stamps_map(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);

    stamps *s = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (s == MAP_FAILED) {
        fprintf(stderr, "yoke-bench: cannot map %s\n", path);
        exit(1);
    }
    (void)close(file);
    return s;
}

void stamps_unmap(stamps *s)
{
    (void)munmap(s, sizeof *s);
}

void stamps_write(const char *path)
{
    stamps_mark(STAMP_FUNCTION);
    stamps *s = stamps_map(path);
    memcpy(s->at, kept, sizeof kept);
    stamps_unmap(s);
}

static int stamped(const yoke_args *args)
{
    stamps_write(yoke_args_string(args, 0));
    return 0;
}

/* One start; call_end and joined are the caller's stamps. */
typedef struct run {
    double begin, call_end, joined;
} run;

static run start_yoke(yoke_start_method method, yoke_choice via_server)
{
    yoke_process_options options = {.struct_size = sizeof options, .method = method, .via_server = via_server};
    yoke_process        *process;
    run                  r;

    r.begin = now_us();
    YOKE_CHECK(yoke_process_start(&process, stamped, YOKE_ARGS(stamps_path()), &options));
    r.call_end = now_us();
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    r.joined = now_us();
    return r;
}

static run run_fork(void)
{
    return start_yoke(YOKE_START_FORK, YOKE_DEFAULT);
}

static run run_spawn(void)
{
    return start_yoke(YOKE_START_SPAWN, YOKE_NO);
}

static run run_forkserver(void)
{
    return start_yoke(YOKE_START_FORKSERVER, YOKE_DEFAULT);
}

static run run_via_server(void)
{
    return start_yoke(YOKE_START_SPAWN, YOKE_YES);
}

static run run_raw_spawn(void)
{
    run r;

    r.begin = now_us();
    (void)raw_spawn_stamped();
    r.joined = r.call_end = now_us();
    return r;
}

static void measure(const char *peer, const char *workload, run (*action)(void), bool loads, int count)
{
    enum { CALL, LOADED, MAIN, FUNCTION, JOINED, TOTAL, PARTS };
    static const char *const names[PARTS] = {"call_us",        "to_loaded_us", "to_main_us",
                                             "to_function_us", "to_joined_us", "total_us"};
    samples                  parts[PARTS];
    stamps                  *child = stamps_map(stamps_path());

    memset(parts, 0, sizeof parts);
    (void)action();
    for (int i = 0; i < count; i++) {
        run    r = action();
        double from = loads ? child->at[STAMP_MAIN] : r.begin;
        samples_add(&parts[CALL], r.call_end - r.begin);
        samples_add(&parts[LOADED], child->at[STAMP_LOADED] - r.begin);
        samples_add(&parts[MAIN], child->at[STAMP_MAIN] - child->at[STAMP_LOADED]);
        samples_add(&parts[FUNCTION], child->at[STAMP_FUNCTION] - from);
        samples_add(&parts[JOINED], r.joined - child->at[STAMP_FUNCTION]);
        samples_add(&parts[TOTAL], r.joined - r.begin);
    }
    for (int part = 0; part < PARTS; part++) {
        bool known = (loads || (part != LOADED && part != MAIN)) && !(part == CALL && action == run_raw_spawn);
        if (known)
            bench_result(peer, workload, names[part], samples_median(&parts[part]));
        samples_free(&parts[part]);
    }
    stamps_unmap(child);
}

void bench_breakdown(const bench_options *options)
{
    int count = options->rounds * options->batch;

    measure("yoke", "fork_parts", run_fork, false, count);
    measure("yoke", "spawn_parts", run_spawn, true, count);
    measure("raw", "spawn_parts", run_raw_spawn, true, count);
    measure("yoke", "forkserver_parts", run_forkserver, false, count);
    measure("yoke", "spawn_via_server_parts", run_via_server, true, count);
    (void)unlink(stamps_path());
}
