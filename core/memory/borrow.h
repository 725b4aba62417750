/* The lock inside a value, array or list, as a handle that lives as long as theirs. */
#ifndef YOKE_CORE_MEMORY_BORROW_H
#define YOKE_CORE_MEMORY_BORROW_H

#include "../domain/object.h"
#include "../sync/lock.h"

/* The same for every call with that handle, which keeps it in `extra`. NULL: no memory, noted. */
yoke_lock *yoke__borrow(yoke__handle *handle, yoke__lock_state *state);
/* Before the handle is closed. */
void yoke__borrow_end(yoke__handle *handle);

#endif
