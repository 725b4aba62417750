/* Start and join: yoke's methods beside the raw calls. */
#include "bench.h"

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static double start_and_join(yoke_start_method method, yoke_choice via_server)
{
    yoke_process_options options = {
        .struct_size = sizeof options, .method = method, .via_server = via_server, .name = "bench"};
    yoke_process *process;
    double        before = now_us();

    YOKE_CHECK(yoke_process_start(&process, nothing, NULL, &options));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    return now_us() - before;
}

double ours_fork(void)
{
    return start_and_join(YOKE_START_FORK, YOKE_DEFAULT);
}

double ours_spawn(void)
{
    return start_and_join(YOKE_START_SPAWN, YOKE_NO);
}

double ours_forkserver(void)
{
    return start_and_join(YOKE_START_FORKSERVER, YOKE_DEFAULT);
}

double ours_via_server(void)
{
    return start_and_join(YOKE_START_SPAWN, YOKE_YES);
}

static void compare(const char *workload, bench_action *ours, bench_action *raw, double limit,
                    const bench_options *options)
{
    double medians[2];
    double ratio = bench_pair(ours, raw, options, medians);

    bench_result("yoke", workload, "start_join_us", medians[0]);
    bench_result("raw", workload, "start_join_us", medians[1]);
    bench_result("yoke", workload, "ratio_to_raw", ratio);
    bench_result("yoke", workload, "ratio_wanted", limit);
}

void bench_start(const bench_options *options)
{
    compare("fork", ours_fork, raw_fork, 1.5, options);
    compare("spawn", ours_spawn, raw_spawn, 1.3, options);
    compare("forkserver_to_fork", ours_forkserver, raw_fork, 2.0, options);
    compare("spawn_via_server", ours_via_server, raw_spawn, 1.3, options);
}
