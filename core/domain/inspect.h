/* What describe() of a kind of object needs (object.h). */
#ifndef YOKE_CORE_DOMAIN_INSPECT_H
#define YOKE_CORE_DOMAIN_INSPECT_H

#include "domain.h"

/* Adds to a text that has its NUL within size; cuts what doesn't fit. */
void yoke__text_add(char *text, size_t size, const char *format, ...) YOKE_FORMAT(3, 4);
/* Adds who has an owner word: "free", "held by Process-2 (pid 12)", and whether that one is dead. */
void yoke__text_add_holder(char *text, size_t size, yoke_domain *domain, uint32_t word);

#endif
