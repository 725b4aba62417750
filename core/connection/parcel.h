/*
 * Parcels: what a message on a connection refers to. A connection's bytes lie in the system, where nobody of the domain
 * can look. So the references of such a message stand in an object of the domain, the parcel, which has a mark (backend.h)
 * whose native travels with the message: while the system keeps the mark the parcel is wanted, whoever lives. A message
 * that nobody receives, because either side was killed or closed the connection, takes the mark with it.
 *
 *   sender    makes the parcel, marks it, sends id and mark, closes its own handle and mark
 *   receiver  opens the parcel, opens its objects, closes parcel and mark
 */
#ifndef YOKE_CORE_CONNECTION_PARCEL_H
#define YOKE_CORE_CONNECTION_PARCEL_H

#include "../domain/object.h"

typedef struct yoke__parcel {
    uint32_t        count; /* all of it is written before the parcel can be seen */
    uint32_t        reserved;
    yoke__reference references[];
} yoke__parcel;

/* Makes a parcel of references to objects that the caller has open, and marks it. YOKE_ENOMEM; YOKE_ENOTSUP: this system
 * has no marks. */
int yoke__parcel_create(yoke__handle **out, yoke_native *mark, yoke_domain *domain, const yoke__reference *references,
                        uint32_t count);
/* The sender's or the receiver's handle and native; either may be none. */
void yoke__parcel_close(yoke__handle *handle, yoke_native mark);
/* For who opens it: its references. NULL: it is none, or damaged. */
const yoke__parcel *yoke__parcel_of(const yoke__handle *handle);
/* Looks whether parcels of the default domain have lost their mark: when a connection closes, which may have held some. */
void yoke__parcels_look(void);

#endif
