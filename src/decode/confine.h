/* confine.h: a process gives up all that decoding does not need. */
#ifndef IR_DECODE_CONFINE_H
#define IR_DECODE_CONFINE_H

#include <stdint.h>

/* Limits the calling process to `address_bytes_max` of memory and to the system calls of a program that
 * computes: reading and writing what is open, memory for data, ending. Any other call, and memory for
 * code, ends the process with SIGSYS. Cannot be undone. 0, or -1 with errno set: nothing may be
 * decoded then. */
int ir_confine(uint64_t address_bytes_max);

#endif
