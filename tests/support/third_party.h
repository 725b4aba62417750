/* A backend as a third party would write it: its own clock, CPUs and name, everything else lent from "posix". */
#ifndef YOKE_TESTS_THIRD_PARTY_H
#define YOKE_TESTS_THIRD_PARTY_H

#include <yoke/backend.h>

#define THIRD_PARTY_CPUS 7

/* Fills it from the built-in backend "posix"; NULL with the error noted if there is none. */
const yoke_backend *third_party_backend(void);
/* How often core has asked it for the time. */
int third_party_clock_calls(void);

#endif
