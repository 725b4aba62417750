/* A look into a domain: who is in it, what stands in it, who holds what; and all of that as text. */
#include <stdio.h>
#include <yoke/yoke.h>

static bool participant(void *user, const yoke_participant_info *info)
{
    (void)user;
    printf("participant, %s\n", info->self ? "this one" : info->state == YOKE_PARTICIPANT_ALIVE ? "alive" : "gone");
    return true;
}

static bool object(void *user, const yoke_object_info *info)
{
    (void)user;
    printf("%s '%s': %s\n", info->kind, info->name, info->state);
    return true;
}

int main(int argc, char **argv)
{
    yoke_domain *domain;
    yoke_queue  *jobs;
    yoke_lock   *door;
    char         name[48], text[4096];

    yoke_main(argc, argv);
    snprintf(name, sizeof name, "example-inspect-%lld", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_domain_open(&domain, name, NULL));
    YOKE_CHECK(yoke_queue_create(&jobs, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = "jobs")));
    YOKE_CHECK(yoke_lock_create(&door, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")));
    YOKE_CHECK(yoke_queue_put_string(jobs, "sweep", YOKE_FOREVER));
    YOKE_CHECK(yoke_domain_inspect(
        domain, YOKE_OPTIONS(yoke_domain_visitor, .participant = participant, .object = object), NULL));

    YOKE_CHECK(yoke_domain_describe(domain, text, sizeof text, NULL)); /* for a log, or for whoever asks why it hangs */
    fprintf(stderr, "%s", text);

    yoke_queue_close(jobs);
    yoke_lock_close(door);
    yoke_domain_close(domain);
    return 0;
}
