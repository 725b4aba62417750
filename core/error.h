/* Noting a failure for yoke_last_error() of this thread. */
#ifndef YOKE_CORE_ERROR_H
#define YOKE_CORE_ERROR_H

#include <yoke/error.h>

/* Notes code and a sentence that names object, limit or process; returns code. The arguments may point into the text
 * noted before. */
int yoke__fail(int code, const char *format, ...) YOKE_FORMAT(2, 3);
/* Puts "context: " before the sentence already noted (a lower layer's); returns code. */
int yoke__fail_in(int code, const char *format, ...) YOKE_FORMAT(2, 3);
/* As yoke__fail, and notes which process is meant. */
int yoke__fail_process(int code, int64_t pid, const char *format, ...) YOKE_FORMAT(3, 4);
/* As yoke__fail, and notes the name of the object meant. */
int yoke__fail_object(int code, const char *object, const char *format, ...) YOKE_FORMAT(3, 4);

/* Says to the compiler and to analyzers what they can't see: a failure's code is negative, so out-parameters are only used
 * where they were set. */
static inline int yoke__negative(int code)
{
    return code < 0 ? code : YOKE_EIO;
}
#define yoke__fail(...)         yoke__negative(yoke__fail(__VA_ARGS__))
#define yoke__fail_in(...)      yoke__negative(yoke__fail_in(__VA_ARGS__))
#define yoke__fail_process(...) yoke__negative(yoke__fail_process(__VA_ARGS__))
#define yoke__fail_object(...)  yoke__negative(yoke__fail_object(__VA_ARGS__))

/* "an" before a noun that needs it, else "a". */
static inline const char *yoke__article(const char *noun)
{
    return *noun == 'a' || *noun == 'e' || *noun == 'i' || *noun == 'o' ? "an" : "a";
}

/* The code of the failure noted last, for who was told of one by NULL or false. */
static inline int yoke__noted(void)
{
    return yoke__negative(yoke_last_error()->code);
}

/* Forgets what was noted, in a new child. */
void yoke__error_reset(void);

/* Provided by core/process: terminates the children of this process, before YOKE_CHECK ends it. */
void yoke__process_terminate_children(void);

#endif
