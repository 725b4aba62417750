/* The arguments of a started function: a list received by message/unpack.c. */
#ifndef YOKE_CORE_PROCESS_ARGS_H
#define YOKE_CORE_PROCESS_ARGS_H

#include <yoke/args.h>
#include <yoke/variant.h>

struct yoke_args {
    const yoke_variant *list; /* a YOKE_LIST_KIND; borrowed */
};

/* Makes the arguments of list. YOKE_EINVAL if it is no list: a start record that can't be right. */
int yoke__args_init(yoke_args *args, const yoke_variant *list);

/* Provided by leave.c: the function read its arguments wrongly. Writes the result YOKE_BAD_ARGUMENTS with the sentence
 * and ends the process. */
_Noreturn void yoke__args_fatal(const char *sentence);

#endif
