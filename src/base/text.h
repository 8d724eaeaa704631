/* text.h: a growing text: JSON is written into it, whatever the host's locale says. */
#ifndef IR_BASE_TEXT_H
#define IR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is empty. After a failure (no memory) nothing more is added and `failed` stays set, so
 * that many additions can be checked at once. One thread at a time. */
typedef struct ir_text {
    char *data; /* ends in NUL once anything was added */
    size_t bytes;
    size_t capacity;
    bool failed;
} ir_text;

void ir_text_add(ir_text *text, const char *bytes, size_t count);
void ir_text_add_string(ir_text *text, const char *string);
void ir_text_add_int(ir_text *text, int64_t value);

/* With as many digits as give the same number again; `value` is finite. */
void ir_text_add_real(ir_text *text, double value);

/* A JSON string with its quotes; `bytes` are UTF-8 without NUL. */
void ir_text_add_json(ir_text *text, const char *bytes, size_t count);

/* Lower-case hexadecimal digits. */
void ir_text_add_hex(ir_text *text, const void *bytes, size_t count);

/* Empties it and keeps its memory. */
void ir_text_clear(ir_text *text);
void ir_text_free(ir_text *text);

/* The number that `string` as a whole is, in C's notation; false when it is none. */
bool ir_text_parse_real(const char *string, double *out);

/* Where the first byte stands that is not UTF-8, or `count`; byte `count` must be NUL. */
size_t ir_utf8_valid_bytes(const char *text, size_t count);

#endif
