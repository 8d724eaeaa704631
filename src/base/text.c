/* text.c: a growing text: JSON is written into it, whatever the host's locale says. */
#include "base/text.h"

#include "base/alloc.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(ir_text *text, size_t count)
{
    size_t wanted;
    if (text->failed || __builtin_add_overflow(text->bytes, count, &wanted) ||
        wanted > SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    if (wanted < text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity <= wanted)
        capacity *= 2;
    char *data = ir_realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void ir_text_add(ir_text *text, const char *bytes, size_t count)
{
    if (!make_room(text, count))
        return;
    if (count > 0)
        memcpy(text->data + text->bytes, bytes, count);
    text->bytes += count;
    text->data[text->bytes] = '\0';
}

void ir_text_add_string(ir_text *text, const char *string)
{
    ir_text_add(text, string, strlen(string));
}

void ir_text_add_int(ir_text *text, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    ir_text_add_string(text, digits);
}

/* Only the decimal point depends on the locale; a thread's own locale cannot be set without memory,
 * so it is put right afterwards. */
void ir_text_add_real(ir_text *text, double value)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", value);
    const char *point = localeconv()->decimal_point;
    char *at = strcmp(point, ".") != 0 ? strstr(digits, point) : NULL;
    if (at) {
        *at = '.';
        memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
    }
    ir_text_add_string(text, digits);
}

void ir_text_add_json(ir_text *text, const char *bytes, size_t count)
{
    static const char hex[] = "0123456789abcdef";
    ir_text_add(text, "\"", 1);
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        ir_text_add(text, bytes + done, i - done);
        char escape[] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        if (byte == '"' || byte == '\\' || byte == '\n') {
            escape[1] = byte == '\n' ? 'n' : (char)byte;
            ir_text_add(text, escape, 2);
        } else {
            ir_text_add(text, escape, sizeof escape);
        }
        done = i + 1;
    }
    ir_text_add(text, bytes + done, count - done);
    ir_text_add(text, "\"", 1);
}

void ir_text_add_hex(ir_text *text, const void *bytes, size_t count)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    if (count > SIZE_MAX / 2 || !make_room(text, 2 * count))
        return;
    char *to = text->data + text->bytes;
    for (size_t i = 0; i < count; i++) {
        *to++ = hex[from[i] >> 4];
        *to++ = hex[from[i] & 15];
    }
    *to = '\0';
    text->bytes += 2 * count;
}

void ir_text_clear(ir_text *text)
{
    text->bytes = 0;
    text->failed = false;
    if (text->data)
        text->data[0] = '\0';
}

void ir_text_free(ir_text *text)
{
    ir_free(text->data);
    *text = (ir_text){0};
}

bool ir_text_parse_real(const char *string, double *out)
{
    enum { DIGITS_MAX = 400 }; /* more than any number needs to be exact */
    char digits[DIGITS_MAX + 16];
    const char *point = localeconv()->decimal_point;
    size_t count = strlen(string);
    const char *dot = strchr(string, '.');
    if (count == 0 || count > DIGITS_MAX || strlen(point) > 8)
        return false;
    if (dot)
        snprintf(digits, sizeof digits, "%.*s%s%s", (int)(dot - string), string, point, dot + 1);
    else
        memcpy(digits, string, count + 1);
    char *end;
    *out = strtod(digits, &end);
    return *end == '\0' && isfinite(*out);
}

/* The length of the well-formed UTF-8 sequence at `text`, 1 to 4, or 0 (Unicode 15, table 3-7).
 * Bytes are read only as long as those before them are right: it may end in NUL. */
static size_t sequence_bytes(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    unsigned char least = 0x80, most = 0xBF; /* of the second byte */
    if (lead == 0xE0)
        least = 0xA0; /* else overlong */
    else if (lead == 0xED)
        most = 0x9F; /* else a surrogate */
    else if (lead == 0xF0)
        least = 0x90;
    else if (lead == 0xF4)
        most = 0x8F;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

size_t ir_utf8_valid_bytes(const char *text, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t bytes = sequence_bytes((const unsigned char *)text + at);
        if (bytes == 0 || bytes > count - at)
            return at;
        at += bytes;
    }
    return count;
}
