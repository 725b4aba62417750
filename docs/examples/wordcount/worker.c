#include "worker.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void read_file(const char *path, struct report *report, struct table *names)
{
    FILE *file = fopen(path, "rb");

    if (!file) {
        report->problem = uv_translate_sys_error(errno);
        return;
    }
    if (!count_file(file, &report->counts, names))
        report->problem = UV_EIO;
    fclose(file);
}

static int work_on(const yoke_args *args, const yoke_variant *job, struct table *names)
{
    struct report report;

    memset(&report, 0, sizeof report); /* padding too: it travels as bytes */
    report.index = (uint32_t)yoke_variant_int(yoke_variant_at(job, 0), 0);
    read_file(yoke_variant_string(yoke_variant_at(job, 1), ""), &report, names);
    YOKE_TRY(yoke_value_add(yoke_args_value(args, 3), 1, NULL));
    YOKE_TRY(yoke_value_add(yoke_args_value(args, 4), report.counts.bytes, NULL));
    return yoke_queue_put(yoke_args_queue(args, 1), &report, sizeof report, YOKE_FOREVER);
}

/* In pieces, so that no message is huge. */
static int hand_over(yoke_queue *queue, const struct table *names)
{
    yoke_item items[1000];
    size_t    count = 0;

    for (size_t i = 0; i < names->capacity; i++) {
        const struct entry *entry = &names->entries[i];
        if (!entry->name)
            continue;
        items[count++] = YOKE_ITEM((const char *)entry->name);
        items[count++] = YOKE_ITEM(entry->count);
        if (count == sizeof items / sizeof *items) {
            yoke_item list = yoke_item_list(items, count);
            YOKE_TRY(yoke_queue_put_variant(queue, &list, YOKE_FOREVER));
            count = 0;
        }
    }
    yoke_item list = yoke_item_list(items, count);
    return yoke_queue_put_variant(queue, &list, YOKE_FOREVER);
}

int worker(const yoke_args *args)
{
    struct table  names = {0};
    yoke_variant *job;
    int           rc;

    setlocale(LC_CTYPE, "");
    while ((rc = yoke_queue_get_variant(yoke_args_queue(args, 0), &job, YOKE_FOREVER)) == YOKE_OK) {
        rc = work_on(args, job, &names);
        yoke_variant_free(job);
        if (rc < 0)
            break;
    }
    if (rc == YOKE_ESHUTDOWN) /* all done */
        rc = hand_over(yoke_args_queue(args, 2), &names);
    table_free(&names);
    return rc;
}
