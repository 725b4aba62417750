/**
 * @file domain.h
 * Domains: the shared memory that queues, locks and values live in.
 *
 * Most programs never name one. The default domain is private to a process and the processes it starts, is made at
 * first use, handed to every child, and gone with the last of them, whatever they die of. A named domain is for
 * programs of one user that were not started by one another: all open it by name and find each other's objects by their
 * names in it.
 *
 * A domain is one domain of trust: a member's wild write can break all of it. What must not share this fate belongs
 * into several domains.
 *
 * Memory: a domain reserves address space, and takes memory only as it is needed. Before each step it looks at its
 * budget and, without one, at what the cgroup and the system have left; lack of memory is YOKE_ENOMEM at the call that
 * needed it. What is freed is reused; very large free ranges go back to the system. Memory that others take at the same
 * moment can't be foreseen: past the budget, the system's own out-of-memory policy rules.
 *
 * Threads and processes: all functions may be called by any thread, not by signal handlers. A forked child may use the
 * domains it inherits.
 */
#ifndef YOKE_DOMAIN_H
#define YOKE_DOMAIN_H

#include "error.h"
#include "handles.h"

YOKE_BEGIN

/** Options of yoke_domain_open() and yoke_domain_configure(); zero means default everywhere. */
typedef struct yoke_domain_options {
    YOKE_SIZED_(yoke_domain_options);
    yoke_open_mode mode;      /**< yoke_domain_open() only */
    uint64_t       max_bytes; /**< most bytes of memory it may take; 0: what the cgroup and the system have left,
                                       less a margin. At least 1 MiB. Counts when the domain is made. */
    uint64_t reserve_bytes;   /**< address space, at most 64 GiB, which max_bytes can't exceed; 0: 16 GiB, or 256 MiB
                                       in 32-bit programs; of the default domain half of that again and again, down to
                                       64 MiB, where a limit leaves less. Counts when the domain is made. */
} yoke_domain_options;

/**
 * Opens a named domain, and makes it if the mode allows.
 *
 * Names are each user's own. Making is atomic: nobody sees a domain half made, and one whose maker died, or whose last
 * participant died, is made anew by the next that may. The last process that closes it removes it. A domain opened
 * twice in one process is one, and must be closed twice.
 *
 * Blocks while another process opens or closes a domain of the same name.
 *
 * @param out     Receives the domain; close it with yoke_domain_close().
 * @param name    1 to 63 letters, digits, '.', '_', '-'. Copied.
 * @param options NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK      *out is set.
 * @retval YOKE_EINVAL  A bad name, mode or size; or sizes other than those of the domain that has the name.
 * @retval YOKE_EEXIST  YOKE_CREATE, and processes are using a domain of that name.
 * @retval YOKE_ENOENT  YOKE_OPEN, and there is none with a living participant.
 * @retval YOKE_EPROTO  What has that name is not a domain, is damaged, is of another version or build of the library,
 *                      or belongs to another pid namespace. Nothing was changed.
 * @retval YOKE_ENOMEM  Memory, address space, descriptors or the domain's 1024 participant slots are used up.
 * @retval YOKE_EACCES  The system refuses access.
 * @retval YOKE_ENOTSUP The backend has no named memory.
 */
YOKE_API YOKE_CHECKED int yoke_domain_open(yoke_domain **out, const char *name, const yoke_domain_options *options);

/**
 * Undoes one yoke_domain_open(). With the last one this process leaves the domain: close the handles of its objects
 * first.
 *
 * @param domain NULL is fine; anything but an open named domain is left alone and noted as YOKE_EINVAL.
 */
YOKE_API void yoke_domain_close(yoke_domain *domain);

/**
 * Sets max_bytes and reserve_bytes of the default domain, before its first use.
 *
 * @param options Borrowed for the call.
 * @retval YOKE_OK     They will be used.
 * @retval YOKE_EINVAL A bad size, or NULL.
 * @retval YOKE_EBUSY  The default domain exists already: something was created, or a process started, before; or this
 *                     is a child, which has its parent's.
 */
YOKE_API YOKE_CHECKED int yoke_domain_configure(const yoke_domain_options *options);

YOKE_END
#endif
