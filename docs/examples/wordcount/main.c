/*
 * Counts lines, words and bytes of many files in several processes, as `cat FILES | wc -lwc` does in one, and shows the
 * names that occur most.
 *
 *   parent                                workers
 *   queue of work: [index, path]  ──────> take a file, count it
 *   sums up in the order of files <────── queue of reports: one for each file
 *   shows the progress            <────── values: files and bytes done
 *   merges                        <────── queue of names: each worker's own counts, when all work is done
 *
 * A word may go on from one file to the next, as cat joins them: so the parent sums up in order.
 */
#include "files.h"
#include "worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#ifndef WORDCOUNT_SOURCES
#define WORDCOUNT_SOURCES "."
#endif

static const char usage[] =
    "Usage: wordcount [OPTION]... [FILE OR DIRECTORY]...\n"
    "Counts lines, words and bytes of all files together, in several processes. Without files: of yoke's own sources.\n"
    "\n"
    "  -j, --workers=N     worker processes; as many as CPUs if not given\n"
    "  -m, --method=NAME   how they are started: spawn, fork or forkserver\n"
    "  -t, --top=N         show the N most frequent names; 10 if not given\n"
    "  -l, --list          only list the files that would be counted, in order\n"
    "  -h, --help          this text\n";

struct options {
    int               workers, top;
    yoke_start_method method;
    bool              list;
    char            **paths;
    int               path_count;
};

/* ---- the command line ---------------------------------------------------------------------------------------------- */

static void refuse(const char *what, const char *argument)
{
    fprintf(stderr, "wordcount: %s: %s\n%s", what, argument, usage);
    exit(2);
}

static int number(const char *text, int least, int most)
{
    char *end;
    long  value = strtol(text, &end, 10);

    if (end == text || *end || value < least || value > most)
        refuse("not a number that fits", text);
    return (int)value;
}

/* The value of "-x VALUE", "-xVALUE" or "--long=VALUE" at argv[*at]; NULL: it is another option. */
static const char *value_of(char **argv, int *at, const char *letter, const char *word)
{
    const char *argument = argv[*at];
    size_t      length = strlen(word);

    if (strncmp(argument, word, length) == 0 && argument[length] == '=')
        return argument + length + 1;
    if (strcmp(argument, letter) != 0 && strcmp(argument, word) != 0)
        return strncmp(argument, letter, 2) == 0 && argument[1] != '-' ? argument + 2 : NULL;
    if (!argv[*at + 1])
        refuse("a value is missing after", argument);
    return argv[++*at];
}

static void take_option(struct options *options, char **argv, int *at)
{
    const char *argument = argv[*at], *value;

    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
        fputs(usage, stdout);
        exit(0);
    } else if (strcmp(argument, "-l") == 0 || strcmp(argument, "--list") == 0) {
        options->list = true;
    } else if ((value = value_of(argv, at, "-j", "--workers")) != NULL) {
        options->workers = number(value, 1, 256);
    } else if ((value = value_of(argv, at, "-t", "--top")) != NULL) {
        options->top = number(value, 0, 1000000);
    } else if ((value = value_of(argv, at, "-m", "--method")) != NULL) {
        if (yoke_start_method_parse(&options->method, value) < 0)
            refuse("no start method of that name", value);
    } else {
        refuse("no such option", argument);
    }
}

static void parse(struct options *options, int argc, char **argv)
{
    int at = 1;

    *options = (struct options){.workers = yoke_cpu_count(), .top = 10};
    for (; at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++)
        take_option(options, argv, &at);
    if (at < argc && strcmp(argv[at], "--") == 0)
        at++;
    options->paths = argv + at;
    options->path_count = argc - at;
}

/* ---- the work ------------------------------------------------------------------------------------------------------- */

struct job {
    yoke_queue    *work, *reports, *names;
    yoke_value    *files_done, *bytes_done;
    yoke_process **workers;
    int            worker_count;
    struct report *by_file;
    size_t         file_count, report_count;
    bool           failed;
};

static void start(struct job *job, const struct options *options, const struct files *files)
{
    YOKE_CHECK(yoke_queue_create(&job->work, NULL));
    YOKE_CHECK(yoke_queue_create(&job->reports, NULL));
    YOKE_CHECK(yoke_queue_create(&job->names, NULL));
    YOKE_CHECK(YOKE_VALUE_CREATE(&job->files_done, int64_t, 0, YOKE_OPTIONS(yoke_value_options, .unlocked = true)));
    YOKE_CHECK(YOKE_VALUE_CREATE(&job->bytes_done, int64_t, 0, YOKE_OPTIONS(yoke_value_options, .unlocked = true)));
    for (size_t i = 0; i < files->count; i++)
        YOKE_CHECK(yoke_queue_put_variant(job->work, YOKE_ARGS(i, files->paths[i]), YOKE_FOREVER));
    if (yoke_queue_shutdown(job->work, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);

    job->file_count = files->count;
    job->by_file = calloc(files->count ? files->count : 1, sizeof *job->by_file);
    job->workers = calloc((size_t)options->workers, sizeof *job->workers);
    if (!job->by_file || !job->workers) {
        fputs("wordcount: no memory left\n", stderr);
        exit(1);
    }
    for (; job->worker_count < options->workers; job->worker_count++)
        YOKE_CHECK(yoke_process_start(
            &job->workers[job->worker_count], worker,
            YOKE_ARGS(job->work, job->reports, job->names, job->files_done, job->bytes_done),
            YOKE_OPTIONS(yoke_process_options, .method = options->method, .die_with_parent = YOKE_YES)));
}

static void show_progress(const struct job *job, bool last)
{
    if (uv_guess_handle(2) != UV_TTY)
        return;
    fprintf(stderr, "\r%" PRId64 " of %zu files, %.1f MB%s", *YOKE_VALUE(job->files_done, int64_t), job->file_count,
            (double)*YOKE_VALUE(job->bytes_done, int64_t) / 1e6, last ? "\n" : "   ");
    fflush(stderr);
}

static bool anybody_works(const struct job *job)
{
    for (int i = 0; i < job->worker_count; i++)
        if (yoke_process_is_alive(job->workers[i]))
            return true;
    return false;
}

/* Until every file is reported, or nobody is left who could. */
static void collect(struct job *job)
{
    while (job->report_count < job->file_count) {
        struct report report;
        bool          hope = anybody_works(job); /* asked before the queue is: what the dead had put is still there */
        int           rc = yoke_queue_get(job->reports, &report, sizeof report, NULL, 100);
        if (rc == YOKE_OK && report.index < job->file_count) {
            job->by_file[report.index] = report;
            job->report_count++;
        } else if (rc == YOKE_ETIMEDOUT && hope) {
            show_progress(job, false);
        } else {
            break;
        }
    }
    show_progress(job, true);
}

static void join_workers(struct job *job)
{
    for (int i = 0; i < job->worker_count; i++) {
        yoke_result result = {.struct_size = sizeof result};
        char        name[64];
        snprintf(name, sizeof name, "%s", yoke_process_name(job->workers[i]));
        YOKE_CHECK(yoke_process_finish(job->workers[i], &result, YOKE_FOREVER));
        if (result.how == YOKE_RETURNED && result.code == 0)
            continue;
        fprintf(stderr, "wordcount: worker %s failed: %s\n", name,
                *result.text ? result.text : "it was ended from outside");
        job->failed = true;
    }
    if (job->report_count < job->file_count) {
        fprintf(stderr, "wordcount: %zu files were not counted\n", job->file_count - job->report_count);
        job->failed = true;
    }
}

/* ---- the results ---------------------------------------------------------------------------------------------------- */

static void sum_up(struct job *job, const struct files *files)
{
    struct counts total = {0};
    bool          open = false; /* a word goes on at the end of what was summed up so far */

    for (size_t i = 0; i < job->file_count; i++) {
        const struct report *report = &job->by_file[i];
        const struct counts *counts = &report->counts;
        if (report->problem) {
            fprintf(stderr, "wordcount: %s: %s\n", files->paths[i], uv_strerror(report->problem));
            job->failed = true;
        }
        total.lines += counts->lines;
        total.bytes += counts->bytes;
        total.words += counts->words - (open && counts->joins ? 1 : 0);
        open = counts->blank ? open : counts->open;
    }
    printf("%" PRId64 " lines, %" PRId64 " words, %" PRId64 " bytes in %zu files\n", total.lines, total.words,
           total.bytes, job->file_count);
}

static void merge(yoke_queue *queue, struct table *names)
{
    yoke_variant *list;

    while (yoke_queue_get_variant(queue, &list, YOKE_NOWAIT) == YOKE_OK) {
        for (size_t i = 0; i + 1 < yoke_variant_count(list); i += 2) {
            const yoke_variant *name = yoke_variant_at(list, i);
            table_add(names, yoke_variant_string(name, ""), yoke_variant_count(name),
                      yoke_variant_int(yoke_variant_at(list, i + 1), 0));
        }
        yoke_variant_free(list);
    }
}

static void show_top(struct job *job, int top)
{
    struct table names = {0};

    merge(job->names, &names);
    table_sort(&names);
    for (size_t i = 0; i < (size_t)top && i < names.used; i++)
        printf("%8" PRId64 " %s\n", names.entries[i].count, names.entries[i].name);
    table_free(&names);
}

static void finish(struct job *job)
{
    yoke_value_close(job->bytes_done);
    yoke_value_close(job->files_done);
    yoke_queue_close(job->names);
    yoke_queue_close(job->reports);
    yoke_queue_close(job->work);
    free(job->workers);
    free(job->by_file);
}

/* ---- the program ------------------------------------------------------------------------------------------------------- */

static bool find_files(struct files *files, const struct options *options)
{
    static const char *const sources[] = {"include", "core", "backends", "docs", "tests"};
    bool                     fine = true;

    for (int i = 0; i < options->path_count; i++)
        fine = files_add(files, options->paths[i]) && fine;
    for (size_t i = 0; i < sizeof sources / sizeof *sources && options->path_count == 0; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", WORDCOUNT_SOURCES, sources[i]);
        fine = files_add(files, path) && fine;
    }
    return fine;
}

int main(int argc, char **argv)
{
    struct options options;
    struct files   files = {0};
    struct job     job = {0};

    yoke_main(argc, argv);
    parse(&options, argc, argv);
    job.failed = !find_files(&files, &options);
    if (options.list) {
        for (size_t i = 0; i < files.count; i++)
            puts(files.paths[i]);
    } else {
        start(&job, &options, &files);
        collect(&job);
        join_workers(&job);
        sum_up(&job, &files);
        show_top(&job, options.top);
        finish(&job);
    }
    files_free(&files);
    return job.failed;
}
