/* Arguments and subcommands. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bench_pipe(void);

static void run_pipe(const bench_options *options)
{
    (void)options;
    if (bench_pipe() != 0)
        exit(1);
}

static const struct {
    const char *name;
    void (*run)(const bench_options *options);
    const char *what;
} commands[] = {
    {"start", bench_start, "start and join beside raw fork and raw uv_spawn"},
    {"large", bench_large, "the same from a parent with much touched memory"},
    {"breakdown", bench_breakdown, "where the time of a start goes"},
    {"pipe", run_pipe, "messages through pipes beside raw sockets and pipes"},
    {"w1", bench_w1, "queue, 1 process to 1, 64 bytes, beside peers and bounds"},
    {"w2", bench_w2, "queue, 2 processes to 2, 64 bytes"},
    {"w3", bench_w3, "queue, round trip, both sides awake and asleep"},
    {"w4", bench_w4, "queue, 64 KiB, 1 MiB and 64 MiB"},
    {"values", bench_values, "values and lists beside Python's"},
    {"w5", bench_w5, "locks and their kin, alone and between two processes, beside peers"},
    {"w8", bench_w8, "connections, one way and round trip, beside peers; an end at rest"},
    {"costs", bench_costs, "queue: wake-ups of who waits, memory, making one"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void usage(FILE *out)
{
    fprintf(out, "yoke-bench [--rounds=N] [--batch=N] [--megabytes=N] [--depth=N] [--peers=NAME,...]\n"
                 "           [COMMAND...]\n"
                 "Environment, for queues: DUR_MS, milliseconds of a measurement; PIN, 0 free, 1 sides on different\n"
                 "CPUs, 2 all on one CPU.\n"
                 "Prints lines RESULT <peer> <workload> <metric> <value>. Commands, all by default:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
}

static long number(const char *text, const char *option, long least, long most)
{
    char *end;
    long  value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "yoke-bench: %s needs a number from %ld to %ld, not '%s'\n", option, least, most, text);
        exit(2);
    }
    return value;
}

static void parse(int argc, char **argv, bench_options *out)
{
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"batch", required_argument, NULL, 'b'},
                                          {"megabytes", required_argument, NULL, 'm'},
                                          {"depth", required_argument, NULL, 'd'},
                                          {"peers", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};

    for (int c; (c = getopt_long(argc, argv, "r:b:m:d:p:h", known, NULL)) != -1;) {
        switch (c) {
        case 'r':
            out->queue_rounds = out->rounds = (int)number(optarg, "--rounds", 1, 1000000);
            break;
        case 'b':
            out->batch = (int)number(optarg, "--batch", 1, 1000000);
            break;
        case 'm':
            out->megabytes = (size_t)number(optarg, "--megabytes", 1, 1000000);
            break;
        case 'd':
            out->depth = (int)number(optarg, "--depth", 2, 1000000);
            break;
        case 'p':
            out->peers = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
}

static void read_environment(bench_options *out)
{
    const char *duration = getenv("DUR_MS"), *pin = getenv("PIN");

    if (duration)
        out->duration_ms = (int)number(duration, "DUR_MS", 1, 1000000);
    if (pin)
        out->pin = (int)number(pin, "PIN", 0, 2);
}

static void run_command(const char *name, const bench_options *options)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!name || strcmp(name, commands[i].name) == 0) {
            commands[i].run(options);
            if (name)
                return;
        }
    }
    if (name) {
        fprintf(stderr, "yoke-bench: there is no command '%s'\n", name);
        usage(stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    bench_options options = {
        .rounds = 15, .batch = 20, .megabytes = 1024, .queue_rounds = 3, .duration_ms = 500, .depth = 1024};

    stamps_mark(STAMP_MAIN);
    if (argc > 1 && strcmp(argv[1], RAW_CHILD) == 0)
        return raw_child(argc, argv);
    yoke_main(argc, argv);
    read_environment(&options);
    parse(argc, argv, &options);
    if (optind == argc)
        run_command(NULL, &options);
    for (int i = optind; i < argc; i++)
        run_command(argv[i], &options);
    return 0;
}
