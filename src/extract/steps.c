/* steps.c: clean-ups of a picture before the model: grey as PIL's mode L, median of 3 x 3 pixels. */
#include "extract/steps.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* ---- the specification ---- */

/* A number of 0 to `max` at *at, which moves behind it. */
static bool read_number(const char **at, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    const char *digit = *at;
    for (; *digit >= '0' && *digit <= '9' && digit - *at < 4; digit++)
        value = value * 10 + (uint32_t)(*digit - '0');
    bool good = digit > *at && value <= max;
    *at = digit;
    *out = value;
    return good;
}

static bool read_colour(const char *text, uint8_t out[3])
{
    for (int i = 0; i < 3; i++) {
        uint32_t value;
        if (!read_number(&text, 255, &value) || *text != (i < 2 ? ',' : '\0'))
            return false;
        out[i] = (uint8_t)value;
        text++;
    }
    return true;
}

static bool read_grey(ir_steps *out, const char *value)
{
    out->grey = strcmp(value, "yes") == 0;
    return out->grey || strcmp(value, "no") == 0;
}

static bool read_denoise(ir_steps *out, const char *value)
{
    out->denoise_px = strcmp(value, "3") == 0 ? 3 : 0;
    return out->denoise_px != 0 || strcmp(value, "no") == 0;
}

static bool read_reencode(ir_steps *out, const char *value)
{
    if (strcmp(value, "no") == 0)
        return true;
    return read_number(&value, 100, &out->reencode_quality) && out->reencode_quality > 0 &&
           *value == '\0';
}

static bool read_letterbox(ir_steps *out, const char *value)
{
    if (strcmp(value, "no") == 0)
        return true;
    out->letterbox = true;
    return strcmp(value, "yes") == 0 || read_colour(value, out->bars);
}

int32_t ir_steps_take(ir_steps *out, ir_model_spec *spec, imgret_error *error)
{
    static const struct {
        const char *key, *values;
        bool (*read)(ir_steps *out, const char *value);
    } keys[] = {
        {"grey", "yes or no", read_grey},
        {"denoise", "3 or no", read_denoise},
        {"reencode", "a quality of 1 to 100 or no", read_reencode},
        {"letterbox", "yes, no or a colour R,G,B", read_letterbox},
    };
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *value;
        int32_t status = ir_model_spec_take(spec, keys[i].key, &value, error);
        if (!status && value && !keys[i].read(out, value))
            status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the model's option %s=%s: it is %s",
                             keys[i].key, value, keys[i].values);
        ir_free(value);
        if (status)
            return status;
    }
#if !IR_WITH_TURBOJPEG
    if (out->reencode_quality)
        return ir_fail(error, IMGRET_UNSUPPORTED,
                       "the model's option reencode: this build writes no JPEG");
#endif
    return IMGRET_OK;
}

char *ir_steps_describe(const ir_steps *steps)
{
    char denoise[32] = "", reencode[32] = "";
    if (steps->denoise_px)
        snprintf(denoise, sizeof denoise, ";denoise=%u", steps->denoise_px);
    if (steps->reencode_quality)
        snprintf(reencode, sizeof reencode, ";reencode=%u", steps->reencode_quality);
    return ir_asprintf("%s%s%s", steps->grey ? ";grey=yes" : "", denoise, reencode);
}

/* ---- the pixels ---- */

/* ITU-R 601-2 in 16-bit fixed point with PIL's rounding. */
static void turn_grey(ir_picture *picture)
{
    size_t count = (size_t)picture->width * picture->height;
    uint8_t *rgb = picture->rgb;
    for (size_t i = 0; i < count; i++, rgb += 3) {
        uint32_t luma = (19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16;
        rgb[0] = rgb[1] = rgb[2] = (uint8_t)luma;
    }
}

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static uint8_t most(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

static uint8_t middle(uint8_t a, uint8_t b, uint8_t c)
{
    return most(least(a, b), least(most(a, b), c));
}

/* The median of 3 x 3: with each column sorted it is the middle one of the largest minimum, the
 * middle of the medians and the smallest maximum (J. L. Smith, "Implementing median filters in
 * XC4000E FPGAs", 1996). `rows` are three rows with a pixel more at either end. */
static void median_row(const uint8_t *const rows[3], uint8_t *low, uint8_t *mid, uint8_t *high,
                       size_t width, uint8_t *out)
{
    for (size_t i = 0; i < 3 * (width + 2); i++) {
        uint8_t a = rows[0][i], b = rows[1][i], c = rows[2][i];
        low[i] = least(least(a, b), c);
        mid[i] = middle(a, b, c);
        high[i] = most(most(a, b), c);
    }
    for (size_t i = 0; i < 3 * width; i++)
        out[i] = middle(most(most(low[i], low[i + 3]), low[i + 6]),
                        middle(mid[i], mid[i + 3], mid[i + 6]),
                        least(least(high[i], high[i + 3]), high[i + 6]));
}

/* Copies a row and repeats its first and last pixel, as PIL does at the borders. */
static void widen_row(const uint8_t *row, size_t width, uint8_t *out)
{
    memcpy(out, row, 3);
    memcpy(out + 3, row, 3 * width);
    memcpy(out + 3 + 3 * width, row + 3 * (width - 1), 3);
}

static int32_t take_median(ir_picture *picture, imgret_error *error)
{
    size_t width = picture->width, wide_bytes = 3 * (width + 2), row_bytes = 3 * width;
    uint8_t *block = ir_malloc_array(6, wide_bytes); /* three rows, then what median_row needs */
    if (!block)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for rows of %u pixels", picture->width);
    uint8_t *wide[3] = {block, block + wide_bytes, block + 2 * wide_bytes};
    uint8_t *more = block + 3 * wide_bytes;
    widen_row(picture->rgb, width, wide[0]);
    memcpy(wide[1], wide[0], wide_bytes);
    for (uint32_t y = 0; y < picture->height; y++) {
        uint32_t below = y + 1 < picture->height ? y + 1 : y;
        widen_row(picture->rgb + below * row_bytes, width, wide[(y + 2) % 3]);
        const uint8_t *rows[3] = {wide[y % 3], wide[(y + 1) % 3], wide[(y + 2) % 3]};
        median_row(rows, more, more + wide_bytes, more + 2 * wide_bytes, width,
                   picture->rgb + y * row_bytes);
    }
    ir_free(block);
    return IMGRET_OK;
}

int32_t ir_steps_clean(const ir_steps *steps, ir_picture *picture, imgret_error *error)
{
    if (steps->grey)
        turn_grey(picture);
    return steps->denoise_px ? take_median(picture, error) : IMGRET_OK;
}
