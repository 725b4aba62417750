/* Notes of who died holding a permit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/sync/semaphore.h"
#include "support/shared.h"

/* The only note is of one who died before the one that died now: it is asked for no more. */
static void test_a_note_takes_the_place_of_one_that_nobody_asks_for(void **state)
{
    enum { EARLIER = 0x1001, DEAD = 0x1007, ROOM = 8192 };
    _Alignas(8) static uint8_t room[ROOM], before[ROOM];
    yoke__semaphore_state     *semaphore = (yoke__semaphore_state *)(void *)room;
    yoke__death_copy          *note = (yoke__death_copy *)(void *)(semaphore->permit + 1);
    (void)state;

    memset(room, 0x5a, sizeof room);
    memset(semaphore, 0, sizeof *semaphore);
    semaphore->permits = semaphore->notes = 1;
    yoke__a64_store_relaxed(&semaphore->permit[0], yoke__permit_make(EARLIER, DEAD));
    yoke__a32_store_relaxed(&note->token, EARLIER);
    memcpy(before, room, sizeof room);
    yoke__permit_note_write(shared_domain(), semaphore, DEAD);
    assert_int_equal(yoke__a32_load_relaxed(&note->token), DEAD);
    size_t end = (size_t)((uint8_t *)(note + 1) - room);
    assert_memory_equal(room + end, before + end, sizeof room - end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_note_takes_the_place_of_one_that_nobody_asks_for),
    };
    return cmocka_run_group_tests_name("notes of permits", tests, shared_setup, shared_teardown);
}
