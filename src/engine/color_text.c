/* color_text.c: colours as people write them: "#c03020", "#c32", "red", each perhaps ":WEIGHT". */
#include "engine/color_text.h"

#include "base/error.h"
#include "engine/colors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What a name stands for: the middle of what people call so. */
static const uint32_t rgb_of_names[IMGRET_COLOR_COUNT] = {
    [IMGRET_COLOR_BLACK] = 0x000000,  [IMGRET_COLOR_GREY] = 0x808080,
    [IMGRET_COLOR_WHITE] = 0xFFFFFF,  [IMGRET_COLOR_RED] = 0xC8201C,
    [IMGRET_COLOR_ORANGE] = 0xF08020, [IMGRET_COLOR_YELLOW] = 0xF0D820,
    [IMGRET_COLOR_GREEN] = 0x2C8C30,  [IMGRET_COLOR_BLUE] = 0x2860C0,
    [IMGRET_COLOR_PURPLE] = 0x80309C, [IMGRET_COLOR_PINK] = 0xF088B0,
    [IMGRET_COLOR_BROWN] = 0x80502C,
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, size_t bytes, uint32_t *rgb)
{
    if (bytes != 3 && bytes != 6)
        return false;
    *rgb = 0;
    for (size_t i = 0; i < bytes; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return false;
        *rgb = *rgb << 4 | (uint32_t)value;
        if (bytes == 3)
            *rgb = *rgb << 4 | (uint32_t)value;
    }
    return true;
}

static bool read_name(const char *text, size_t bytes, uint32_t *rgb)
{
    if (bytes == 4 && memcmp(text, "gray", 4) == 0) {
        *rgb = rgb_of_names[IMGRET_COLOR_GREY];
        return true;
    }
    for (uint32_t i = 0; i < IMGRET_COLOR_COUNT; i++) {
        const char *name = imgret_color_name(i);
        if (strlen(name) == bytes && memcmp(text, name, bytes) == 0) {
            *rgb = rgb_of_names[i];
            return true;
        }
    }
    return false;
}

/* A decimal number without sign or exponent, whatever the locale; NaN when it is none. */
static double read_weight(const char *text, size_t bytes)
{
    double value = 0, unit = 1;
    bool point = false, any = false;
    if (bytes > 12)
        return (double)NAN;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return (double)NAN;
        any = true;
        value = value * 10 + (text[i] - '0');
        unit *= point ? 10 : 1;
    }
    return any && value > 0 ? value / unit : (double)NAN;
}

static int32_t read_one(imgret_color_term *out, const char *text, size_t bytes, imgret_error *error)
{
    int shown = bytes < 40 ? (int)bytes : 40;
    const char *colon = memchr(text, ':', bytes);
    size_t color_bytes = colon ? (size_t)(colon - text) : bytes;
    uint32_t rgb = 0;
    bool known = color_bytes > 0 && text[0] == '#' ? read_hex(text + 1, color_bytes - 1, &rgb)
                                                   : read_name(text, color_bytes, &rgb);
    if (!known)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "'%.*s' is no colour: write #c03020, #c32, or a name such as red", shown,
                       text);
    *out = (imgret_color_term){.size = sizeof *out,
                               .red = (uint8_t)(rgb >> 16),
                               .green = (uint8_t)(rgb >> 8),
                               .blue = (uint8_t)rgb,
                               .weight = 1};
    if (!colon)
        return IMGRET_OK;
    out->weight = read_weight(colon + 1, bytes - color_bytes - 1);
    return isnan(out->weight) ? ir_fail(error, IMGRET_INVALID_ARGUMENT,
                                        "'%.*s': the weight is no number above 0", shown, text)
                              : IMGRET_OK;
}

int32_t ir_color_text_read(imgret_color_term *out, uint32_t capacity, uint32_t *count,
                           const char *text, imgret_error *error)
{
    *count = 0;
    for (;;) {
        size_t bytes = strcspn(text, ",");
        const char *from = text;
        size_t kept = bytes;
        while (kept > 0 && from[0] == ' ')
            from++, kept--;
        while (kept > 0 && from[kept - 1] == ' ')
            kept--;
        if (*count == capacity || *count == IR_COLORS_MAX)
            return ir_fail(error, IMGRET_LIMIT, "more than %u colours", *count);
        int32_t status = read_one(&out[*count], from, kept, error);
        if (status)
            return status;
        ++*count;
        if (!text[bytes])
            return IMGRET_OK;
        text += bytes + 1;
    }
}
