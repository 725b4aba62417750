/*
 * A server died between being asked for a child and answering. Whether it had started the child, and whether that came
 * to claim its start record, only the record can tell, and it is made to by one CAS.
 */
#include "forkserver.h"
#include "record.h"

#include "../backend.h"
#include "../domain/participant.h"

/* The child has claimed. If it is gone already, what is returned is no living process, so that watching it finds it
 * dead. */
static yoke_identity identity_of(yoke_domain *domain, yoke__token token)
{
    yoke__participant *slot = yoke__participant_of(domain, token);
    yoke_identity      found, own;
    yoke__obituary     past;

    found.start = yoke__a64_load_acquire(&slot->start);
    found.space = yoke__a64_load_acquire(&slot->space);
    uint64_t word = yoke__a64_load_acquire(&slot->word); /* after them: they are its as long as it is */
    found.pid = yoke__slot_pid(word);
    if (yoke__slot_state_of(word) == YOKE__SLOT_LIVE && yoke__slot_generation(word) == yoke__token_generation(token))
        return found;
    yoke__token_describe(domain, token, &past);
    (void)yoke__backend()->life->self(&own);
    own.pid = past.pid > 0 ? past.pid : own.pid;
    own.start = 1; /* no process of ours is as old as that */
    return own;
}

yoke__rescue yoke__server_rescue(yoke_domain *domain, yoke__start_message *message, bool again, yoke_identity *child)
{
    yoke__rescue  result = YOKE__RESCUE_NONE;
    yoke__handle *handle;

    if (yoke__handle_open(&handle, domain, YOKE__KIND_PROCESS, message->record) < 0)
        return YOKE__RESCUE_NONE; /* it is ours, so it is there */
    yoke__process_record *record = handle->object;
    if (again && yoke__record_next_attempt(record, message->attempt)) {
        message->attempt++;
        result = YOKE__RESCUE_AGAIN;
    } else if (yoke__record_abandon(record)) {
        yoke__record_drop(domain, record);
    } else {
        *child = identity_of(domain, yoke__record_owner(record));
        result = YOKE__RESCUE_RUNS;
    }
    yoke__handle_close(handle, NULL);
    return result;
}
