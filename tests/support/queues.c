#include "queues.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leak.h"

int queues_setup(void **state)
{
    yoke_domain *domain;

    if (yoke__domain_default(&domain) < 0)
        return -1;
    yoke_queue_close(queues_new(NULL)); /* what stays for ever is made by now */
    return leak_setup(state);
}

yoke_queue *queues_new(const yoke_queue_options *options)
{
    yoke_queue *queue = NULL;

    assert_int_equal(yoke_queue_create(&queue, options), YOKE_OK);
    return queue;
}

void expect_text(yoke_queue *queue, const char *text)
{
    char found[256];

    assert_int_equal(yoke_queue_get_string(queue, found, sizeof found, YOKE_NOWAIT), YOKE_OK);
    assert_string_equal(found, text);
}

yoke__alloc_stats heap_stats(void)
{
    yoke_domain      *domain;
    yoke__alloc_stats stats;

    assert_int_equal(yoke__domain_default(&domain), YOKE_OK);
    assert_int_equal(yoke__alloc_check(domain, &stats), YOKE_OK);
    return stats;
}
