/*
 * A list of plain values that two processes share, after the example in Python's documentation of ShareableList. Items
 * may change their kind, within the room that they began with; none is ever seen half set.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static void show(const yoke_shareable *list)
{
    yoke_variant *all;
    char          text[200];

    YOKE_CHECK(yoke_shareable_snapshot(list, &all));
    YOKE_CHECK(yoke_variant_format(all, text, sizeof text, NULL));
    printf("%s\n", text);
    yoke_variant_free(all);
}

static int child(const yoke_args *args)
{
    yoke_shareable *list = yoke_args_shareable(args, 0);

    YOKE_TRY(YOKE_SHAREABLE_SET(list, 2, -78.5));
    YOKE_TRY(YOKE_SHAREABLE_SET(list, 3, "dry ice"));
    YOKE_TRY(YOKE_SHAREABLE_SET(list, 4, YOKE_BYTES("\0\1\0", 3))); /* it keeps the NUL at its end */
    return 0;
}

int main(int argc, char **argv)
{
    yoke_shareable *list;
    yoke_process   *process;
    size_t          at;

    yoke_main(argc, argv);
    YOKE_CHECK(
        yoke_shareable_create(&list, YOKE_ARGS("howdy", YOKE_BYTES("HoWdY", 5), -273.154, 100, YOKE_NIL, 42), NULL));
    show(list);
    YOKE_CHECK(yoke_process_start(&process, child, YOKE_ARGS(list), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    show(list);

    YOKE_CHECK(yoke_shareable_find(list, YOKE_VALUE_OF(42), 0, &at));
    printf("42 is at %zu, and there %lld times\n", at, (long long)yoke_shareable_occurrences(list, YOKE_VALUE_OF(42)));
    int code = YOKE_SHAREABLE_SET(list, 5, "larger than what was there before");
    printf("%s: %s\n", yoke_error_name(code), yoke_last_error()->text);
    yoke_shareable_close(list);
    return 0;
}
