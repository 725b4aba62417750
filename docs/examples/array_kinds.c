/* An array of fifty numbers, a single character, and text: several processes work on parts of one array. */
#include <stdio.h>
#include <yoke/yoke.h>

static int square_part(const yoke_args *args)
{
    yoke_array *numbers = yoke_args_array(args, 0);
    size_t      first = yoke_args_size(args, 1), count = yoke_args_size(args, 2);

    for (size_t i = first; i < first + count; i++) {
        int *number = YOKE_ARRAY_AT(numbers, int, i); /* NULL past the end */
        if (!number)
            return yoke_last_error()->code;
        *number *= *number;
    }
    return 0;
}

static int change_text(const yoke_args *args)
{
    *YOKE_VALUE(yoke_args_value(args, 0), char) = 'z';
    return yoke_array_set_string(yoke_args_array(args, 1), "other text");
}

int main(int argc, char **argv)
{
    yoke_array   *numbers, *text;
    yoke_value   *letter;
    yoke_process *processes[6];
    char          line[32];
    int           initial[50], sum = 0;

    yoke_main(argc, argv);
    for (int i = 0; i < 50; i++)
        initial[i] = i;
    YOKE_CHECK(YOKE_ARRAY_CREATE(&numbers, int, 50, initial, NULL));
    YOKE_CHECK(YOKE_ARRAY_CREATE(&text, char, 32, NULL, NULL));
    YOKE_CHECK(YOKE_VALUE_CREATE(&letter, char, 'a', NULL));
    YOKE_CHECK(yoke_array_set_string(text, "some text"));

    for (int i = 0; i < 5; i++)
        YOKE_CHECK(yoke_process_start(&processes[i], square_part, YOKE_ARGS(numbers, i * 10, 10), NULL));
    YOKE_CHECK(yoke_process_start(&processes[5], change_text, YOKE_ARGS(letter, text), NULL));
    for (int i = 0; i < 6; i++)
        YOKE_CHECK(yoke_process_finish(processes[i], NULL, YOKE_FOREVER));

    for (size_t i = 0; i < yoke_array_count(numbers); i++)
        sum += YOKE_ARRAY(numbers, int)[i];
    YOKE_CHECK(yoke_array_get_string(text, line, sizeof line));
    printf("%d %c %s\n", sum, *YOKE_VALUE(letter, char), line);
    yoke_array_close(numbers);
    yoke_array_close(text);
    yoke_value_close(letter);
    return 0;
}
