/* text.c: escaping of text, and base64. */
#include "text.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD in UTF-8 */

/* Ranges of the second byte exclude overlong forms, surrogates and what lies beyond U+10FFFF
 * (Unicode 15, table 3-7). */
size_t cli_utf8_bytes(const char *at)
{
    const uint8_t *byte = (const uint8_t *)at;
    uint8_t first = byte[0];
    if (first < 0x80)
        return first ? 1 : 0;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

bool cli_utf8_is_valid(const char *text)
{
    while (*text) {
        size_t bytes = cli_utf8_bytes(text);
        if (!bytes)
            return false;
        text += bytes;
    }
    return true;
}

/* C0 controls, DEL, and the C1 controls U+0080 to U+009F. */
static bool is_control(const char *at, size_t bytes)
{
    uint8_t first = (uint8_t)at[0];
    if (bytes == 1)
        return first < 0x20 || first == 0x7F;
    return bytes == 2 && first == 0xC2 && (uint8_t)at[1] < 0xA0;
}

void cli_text_visible(FILE *out, const char *text)
{
    while (*text) {
        size_t bytes = cli_utf8_bytes(text);
        if (bytes && !is_control(text, bytes)) {
            fwrite(text, 1, bytes, out);
            text += bytes;
            continue;
        }
        for (size_t i = 0; i < (bytes ? bytes : 1); i++)
            fprintf(out, "\\x%02X", (unsigned)(uint8_t)text[i]);
        text += bytes ? bytes : 1;
    }
}

void cli_text_field(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '\t':
            fputs("\\t", out);
            break;
        case '\n':
            fputs("\\n", out);
            break;
        case '\r':
            fputs("\\r", out);
            break;
        case '\\':
            fputs("\\\\", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void cli_text_json(FILE *out, const char *text)
{
    while (*text) {
        size_t bytes = cli_utf8_bytes(text);
        if (!bytes)
            fputs("\\ufffd", out);
        else if (bytes == 1 && (*text == '"' || *text == '\\'))
            fprintf(out, "\\%c", *text);
        else if (bytes == 1 && *text == '\n')
            fputs("\\n", out);
        else if (bytes == 1 && *text == '\t')
            fputs("\\t", out);
        else if (is_control(text, bytes) && bytes == 1)
            fprintf(out, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, bytes, out);
        text += bytes ? bytes : 1;
    }
}

void cli_text_html(FILE *out, const char *text)
{
    while (*text) {
        size_t bytes = cli_utf8_bytes(text);
        if (!bytes || is_control(text, bytes))
            fputs(REPLACEMENT, out);
        else if (bytes == 1 && strchr("<>&\"'", *text))
            fprintf(out, "&#%d;", *text);
        else
            fwrite(text, 1, bytes, out);
        text += bytes ? bytes : 1;
    }
}

void cli_text_url(FILE *out, const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~/";
    for (; *path; path++) {
        if (strchr(plain, *path))
            fputc(*path, out);
        else
            fprintf(out, "%%%02X", (unsigned)(uint8_t)*path);
    }
}

void cli_base64(FILE *out, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes; at += 3) {
        size_t left = bytes - at;
        uint32_t bits = (uint32_t)data[at] << 16;
        if (left > 1)
            bits |= (uint32_t)data[at + 1] << 8;
        if (left > 2)
            bits |= data[at + 2];
        fputc(digits[bits >> 18], out);
        fputc(digits[bits >> 12 & 63], out);
        fputc(left > 1 ? digits[bits >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[bits & 63] : '=', out);
    }
}
