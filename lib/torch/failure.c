/* failure.c: writing an error of the plugin, safe for names from untrusted files. */
#include "torch/failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at `at`; 0: it is none. */
static size_t character_bytes(const unsigned char *at)
{
    if (at[0] < 0x80)
        return 1;
    size_t bytes = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < bytes; i++) /* ends at the NUL at the latest */
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    bool too_long = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xF0 && at[1] < 0x90);
    bool no_character = (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF4 && at[1] > 0x8F);
    return too_long || no_character ? 0 : bytes;
}

/* UTF-8 stays, so that paths are readable; what is none, or a control character, does not. */
static void make_printable(char *text)
{
    while (*text) {
        size_t bytes = character_bytes((const unsigned char *)text);
        if (bytes == 0 || (unsigned char)*text < 0x20 || *text == 0x7F) {
            *text = '?';
            bytes = 1;
        }
        text += bytes;
    }
}

/* A message that was cut must not end inside a UTF-8 character. */
static void drop_partial_character(char *text)
{
    size_t length = strlen(text), tail = 0;
    while (tail < 3 && tail < length && ((unsigned char)text[length - 1 - tail] & 0xC0) == 0x80)
        tail++;
    if (tail == length)
        return;
    unsigned char lead = (unsigned char)text[length - 1 - tail];
    size_t needs = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (lead >= 0x80 && needs > tail)
        text[length - 1 - tail] = '\0';
}

int32_t ir_torch_fail(imgret_error *error, int32_t code, const char *format, ...)
{
    size_t head = offsetof(imgret_error, message);
    if (!error || error->size < head)
        return code;
    error->code = code;
    size_t capacity = error->size - head;
    if (capacity > sizeof error->message)
        capacity = sizeof error->message;
    if (capacity == 0)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, capacity, format, arguments);
    va_end(arguments);
    drop_partial_character(error->message);
    make_printable(error->message);
    return code;
}
