/* error.c: filling imgret_error, status names, reading and writing size-first structs. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Cuts `text` (of `length` bytes, cut off by snprintf) back to a whole UTF-8 character. */
static void cut_at_character(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needs = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < needs)
        text[start - 1] = '\0';
}

/* The bytes of `message` that a caller with this size field owns. */
static size_t message_capacity(const imgret_error *error)
{
    size_t head = offsetof(imgret_error, message);
    if (error->size <= head)
        return 0;
    size_t capacity = error->size - head;
    return capacity < sizeof error->message ? capacity : sizeof error->message;
}

static void set_message(imgret_error *error, int32_t code, const char *text)
{
    size_t capacity = message_capacity(error);
    if (error->size >= offsetof(imgret_error, message))
        error->code = code;
    if (capacity == 0)
        return;
    int length = snprintf(error->message, capacity, "%s", text);
    if (length > 0 && (size_t)length >= capacity)
        cut_at_character(error->message, capacity - 1);
}

int32_t ir_fail(imgret_error *error, int32_t code, const char *format, ...)
{
    if (!error)
        return code;
    char text[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    set_message(error, code, text);
    return code;
}

int32_t ir_fail_within(imgret_error *error, int32_t code, const char *format, ...)
{
    if (!error || message_capacity(error) == 0)
        return code;
    char text[2 * sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof error->message, format, arguments);
    va_end(arguments);
    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof error->message)
        length = (int)sizeof error->message - 1;
    snprintf(text + length, sizeof text - (size_t)length, ": %s", error->message);
    if (error->code != 0)
        code = error->code;
    set_message(error, code, text);
    return code;
}

int32_t ir_fail_errno(imgret_error *error, int errno_value, const char *what, const char *path)
{
    int32_t code = IMGRET_IO;
    if (errno_value == ENOENT || errno_value == ENOTDIR)
        code = IMGRET_NOT_FOUND;
    else if (errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG)
        code = IMGRET_FULL;
    else if (errno_value == ENOMEM)
        code = IMGRET_NO_MEMORY;
    else if (errno_value == EROFS)
        code = IMGRET_READ_ONLY;
    return ir_fail(error, code, "%s: %s: %s", what, path, strerror(errno_value));
}

int32_t ir_options_read(void *out, uint32_t known, uint32_t least, const void *given,
                        const char *name, imgret_error *error)
{
    memset(out, 0, known);
    if (given) {
        uint32_t size;
        memcpy(&size, given, sizeof size);
        if (size < least)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s.size is %u, at least %u is needed",
                           name, size, least);
        const unsigned char *bytes = given;
        for (uint32_t i = known; i < size; i++)
            if (bytes[i] != 0)
                return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                               "%s sets a field at byte %u that this library does not know", name,
                               i);
        memcpy(out, given, size < known ? size : known);
    }
    memcpy(out, &known, sizeof known);
    return IMGRET_OK;
}

int32_t ir_struct_write(void *to, const void *from, uint32_t known, uint32_t least,
                        const char *name, imgret_error *error)
{
    uint32_t size;
    memcpy(&size, to, sizeof size);
    if (size < least)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s.size is %u, at least %u is needed", name,
                       size, least);
    memset((char *)to + sizeof size, 0, size - sizeof size);
    memcpy((char *)to + sizeof size, (const char *)from + sizeof size,
           (size < known ? size : known) - sizeof size);
    return IMGRET_OK;
}

const char *imgret_status_name(int32_t status)
{
    static const char *const names[] = {
        "IMGRET_OK",          "IMGRET_INVALID_ARGUMENT",
        "IMGRET_NO_MEMORY",   "IMGRET_IO",
        "IMGRET_NOT_FOUND",   "IMGRET_CORRUPT",
        "IMGRET_BUSY",        "IMGRET_FULL",
        "IMGRET_LIMIT",       "IMGRET_UNSUPPORTED",
        "IMGRET_BAD_IMAGE",   "IMGRET_BAD_MODEL",
        "IMGRET_MISMATCH",    "IMGRET_READ_ONLY",
        "IMGRET_INTERRUPTED", "IMGRET_VERSION_TOO_NEW",
        "IMGRET_FORKED",      "IMGRET_EXISTS",
        "IMGRET_INTERNAL",
    };
    if (status > 0 || status <= -(int32_t)(sizeof names / sizeof names[0]))
        return "IMGRET_UNKNOWN";
    return names[-status];
}
