/* Connections beside the same by hand, other libraries and Python. What an end costs at rest is in rest.c. */
#include "workloads.h"

extern const bench_peer bench_conn, bench_conn_one_way, bench_conn_batch, bench_framed_socketpair, bench_framed_pipe;
extern const bench_peer bench_uv, bench_zmq, bench_nng;

static const bench_peer *const peers[] = {
    &bench_conn,
    &bench_conn_one_way,
    &bench_conn_batch,
    &bench_framed_socketpair,
    &bench_framed_pipe,
    &bench_uv,
    &bench_zmq,
    &bench_nng,
    NULL,
};

#define CONNECTIONS .peers = peers, .python = "python_pipe", .python_kind = "pipe_"

static const workload flows[] = {
    {"w8", "64 B, messages/s", {"msg_per_s_64B"}, {1}, {64, 0, 1, 1}, false, CONNECTIONS},
    {"w8", "1 KiB, messages/s", {"msg_per_s_1KiB"}, {1}, {1024, 0, 1, 1}, false, CONNECTIONS},
    {"w8", "64 KiB, GB/s", {"gb_per_s_64KiB"}, {65536 / 1e9}, {65536, 64, 1, 1}, false, CONNECTIONS},
    {"w8", "1 MiB, GB/s", {"gb_per_s_1MiB"}, {1048576 / 1e9}, {1048576, 8, 1, 1}, false, CONNECTIONS},
};
static const workload round_trip = {"w8",
                                    "round trip, 64 B, ns; asleep: after a pause of 1 ms",
                                    {"trip_p50_ns", "trip_p99_ns", "trip_asleep_p50_ns", "trip_asleep_p99_ns"},
                                    {1, 1, 1, 1},
                                    {64, 16, 1, 1},
                                    true,
                                    CONNECTIONS};

void bench_w8(const bench_options *options)
{
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++)
        workload_run(&flows[i], options);
    workload_run(&round_trip, options);
    bench_w8_rest(options);
}
