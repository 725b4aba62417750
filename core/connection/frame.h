/*
 * Frames, as Python's multiprocessing.connection writes them: the length as 4 bytes, big endian and signed, then the
 * payload. From 2 GiB on the 4 bytes are -1 and the length follows as 8 bytes, unsigned.
 */
#ifndef YOKE_CORE_CONNECTION_FRAME_H
#define YOKE_CORE_CONNECTION_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define YOKE__FRAME_HEADER 12u /* most bytes of a header */

/* Writes the header of a frame; number of its bytes, 4 or 12. */
size_t yoke__frame_header(uint8_t out[YOKE__FRAME_HEADER], uint64_t size);
/* Reads a header from what has come so far. Number of its bytes, *size set; 0: more is needed; YOKE_EPROTO (nothing
 * noted): no header, or a length of 2^63 or more. */
int yoke__frame_parse(const uint8_t *data, size_t available, uint64_t *size);

#endif
