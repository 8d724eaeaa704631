/* effort.c: keeps what was measured of each segment's recall, as a setting of the catalogue.
 *
 * A line is a curve: "IDENTITY K BITS EFFORT:MISSED EFFORT:MISSED ...\n", the identity in
 * hexadecimal, MISSED in millionths, by ascending effort. The newest lines come first.
 */
#include "engine/effort.h"

#include "base/alloc.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING "effort_curves"

enum { LINE_BYTES_MAX = 512, TEXT_BYTES_MAX = 64 * 1024, MILLION = 1000000 };

/* Appends one curve; there is room. */
static size_t write_curve(char *out, uint64_t identity, const ir_effort_curve *curve)
{
    size_t at = (size_t)snprintf(out, LINE_BYTES_MAX, "%016" PRIx64 " %u %u", identity, curve->k,
                                 curve->code_bits);
    for (uint32_t i = 0; i < curve->count; i++) {
        double missed = (1 - (double)curve->points[i].recall) * MILLION;
        at += (size_t)snprintf(out + at, LINE_BYTES_MAX - at, " %u:%u", curve->points[i].effort,
                               (uint32_t)(missed > 0 ? missed + 0.5 : 0));
    }
    out[at++] = '\n';
    return at;
}

/* How much of `text` fits into `room`, in whole lines. */
static size_t whole_lines(const char *text, size_t room)
{
    size_t length = strlen(text);
    if (length <= room)
        return length;
    while (room > 0 && text[room - 1] != '\n')
        room--;
    return room;
}

int32_t ir_effort_store(ir_catalog *catalog, uint64_t identity, const ir_effort_curves *curves,
                        imgret_error *error)
{
    char *before;
    int32_t status = ir_effort_load(catalog, &before, error);
    if (status)
        return status;
    char *text = ir_malloc(TEXT_BYTES_MAX + 1);
    if (!text) {
        ir_free(before);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a setting");
    }
    size_t at = 0;
    for (uint32_t i = 0; i < curves->count; i++)
        at += write_curve(text + at, identity, &curves->curves[i]);
    size_t kept = before ? whole_lines(before, TEXT_BYTES_MAX - at) : 0;
    if (kept > 0)
        memcpy(text + at, before, kept);
    text[at + kept] = '\0';
    status = ir_catalog_set_setting(catalog, SETTING, text, error);
    ir_free(text);
    ir_free(before);
    return status;
}

int32_t ir_effort_load(ir_catalog *catalog, char **out, imgret_error *error)
{
    return ir_catalog_get_setting(catalog, SETTING, out, error);
}

/* A number up to `most` at *text, which is moved past it; false when there is none. */
static bool read_number(const char **text, uint64_t most, uint64_t *out)
{
    const char *at = *text;
    uint64_t value = 0;
    while (*at >= '0' && *at <= '9' && value <= most)
        value = value * 10 + (uint64_t)(*at++ - '0');
    bool good = at > *text && value <= most;
    *text = at;
    *out = value;
    return good;
}

/* The rest of a line, after its identity. */
static bool read_curve(const char *text, ir_effort_curve *out)
{
    uint64_t k, bits, effort, missed, least = 1;
    *out = (ir_effort_curve){0};
    if (*text++ != ' ' || !read_number(&text, 1000000, &k) || *text++ != ' ' ||
        !read_number(&text, 8, &bits))
        return false;
    while (*text == ' ' && out->count < IR_CURVE_POINTS_MAX) {
        text++;
        if (!read_number(&text, 1000000, &effort) || *text++ != ':' ||
            !read_number(&text, MILLION, &missed) || effort < least)
            return false;
        out->points[out->count++] = (ir_effort_point){(uint32_t)effort,
                                                      (float)(1 - (double)missed / MILLION)};
        least = effort + 1;
    }
    out->k = (uint32_t)k;
    out->code_bits = (uint32_t)bits;
    return out->count > 0 && k > 0 && bits > 0 && *text == '\n';
}

void ir_effort_find(const char *text, uint64_t identity, ir_effort_curves *out)
{
    char name[20];
    *out = (ir_effort_curves){0};
    snprintf(name, sizeof name, "%016" PRIx64, identity);
    while (text && *text && out->count < IR_CURVES_MAX) {
        if (strncmp(text, name, 16) == 0 && read_curve(text + 16, &out->curves[out->count]))
            out->count++;
        const char *end = strchr(text, '\n');
        text = end ? end + 1 : NULL;
    }
}
