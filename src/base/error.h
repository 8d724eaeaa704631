/* error.h: filling imgret_error, and the checks that every options struct passes. */
#ifndef IR_BASE_ERROR_H
#define IR_BASE_ERROR_H

#include <imgret/imgret.h>

/* Writes `code` and the formatted message into `error` (may be NULL) and returns `code`, so that a
 * failing path reads `return ir_fail(error, IMGRET_IO, "%s: %s", path, strerror(errno));`.
 * A message that does not fit is cut at a whole UTF-8 character. */
int32_t ir_fail(imgret_error *error, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prefixes the message already in `error` ("photo.jpg: " + message) and returns error's code, or
 * `code` when error is NULL. */
int32_t ir_fail_within(imgret_error *error, int32_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ir_fail for a failed system call: maps errno to IMGRET_NOT_FOUND, FULL, NO_MEMORY, READ_ONLY or
 * IO and appends its text to "what: path". */
int32_t ir_fail_errno(imgret_error *error, int errno_value, const char *what, const char *path);

/* Copies a caller's size-first struct into `out` (the library's version, of `known` bytes),
 * zero-filling what an older caller lacks; refuses a size below `least` and a non-zero tail that
 * this library does not know. `given` may be NULL: all zeros. `name` is for the message. */
int32_t ir_options_read(void *out, uint32_t known, uint32_t least, const void *given,
                        const char *name, imgret_error *error);

/* Copies the library's filled struct `from` (of `known` bytes, its size field first) to a caller's
 * struct whose size field says how much of it he knows; his size field is kept. */
int32_t ir_struct_write(void *to, const void *from, uint32_t known, uint32_t least,
                        const char *name, imgret_error *error);

#endif
