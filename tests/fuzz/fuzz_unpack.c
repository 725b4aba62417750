/* libFuzzer: clang -fsanitize=fuzzer,address,undefined, with the static library. Bytes of whatever origin to a variant,
 * and what became of them through all that reads variants. */
#include "core/message/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const yoke_variant *variant)
{
    size_t needed = 0;
    (void)yoke_variant_format(variant, NULL, 0, &needed);
    char *text = malloc(needed);
    if (text && yoke_variant_format(variant, text, needed, NULL) < 0)
        abort();
    free(text);
}

/* What was read, written again, reads as the same value, unless a NaN is in it. */
static void round_trip(const yoke_variant *variant)
{
    yoke__packed  packed;
    yoke_variant *again;
    if (yoke__pack(&packed, YOKE_VALUE_OF(variant)) < 0)
        abort();
    if (yoke__unpack(&again, packed.data, packed.size, NULL, NULL) < 0)
        abort();
    if (yoke_variant_equals(variant, YOKE_VALUE_OF(variant)) && !yoke_variant_equals(again, YOKE_VALUE_OF(variant)))
        abort();
    yoke_variant_free(again);
    yoke__packed_free(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yoke_variant *variant;
    if (size > 4096 || yoke__unpack(&variant, data, size, NULL, NULL) < 0)
        return 0;
    use(variant);
    round_trip(variant);
    yoke_variant_free(variant);
    return 0;
}
