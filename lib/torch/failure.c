/* failure.c: writing an error of the plugin, safe for names from untrusted files. */
#include "torch/failure.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Bytes above 0x7F stay, so that UTF-8 paths are readable; the last character may be cut. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
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
    make_printable(error->message);
    drop_partial_character(error->message);
    return code;
}
