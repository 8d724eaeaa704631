/* cursor.c: cursors: where in a ranking a page ended, as a text that a host hands back.
 *
 * "p1" and the hexadecimal digits of four numbers and a check. The check finds typing errors and
 * cut texts; it is no secret, and needs none: whoever forges a cursor gets another part of the
 * results that he may ask for anyway.
 */
#include "engine/cursor.h"

#include "base/error.h"
#include "base/hash.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NUMBERS = 4, CHECK_BYTES = 4, PACKED = 8 * NUMBERS + CHECK_BYTES, SEEN_MAX = 1000000 };

_Static_assert(2 + 2 * PACKED < IR_CURSOR_BYTES, "a cursor fits its text");

#define CHECK_SEED 0x70616765u

/* Little-endian. */
static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void add_bytes(uint64_t *hash, const void *data, size_t bytes)
{
    *hash = ir_hash64(data, bytes, *hash + 1);
}

static void add_number(uint64_t *hash, uint64_t value)
{
    uint8_t packed[8];
    put(packed, value, 8);
    add_bytes(hash, packed, sizeof packed);
}

static void add_real(uint64_t *hash, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_number(hash, bits);
}

static void add_text(uint64_t *hash, const char *text)
{
    add_number(hash, text ? strlen(text) : UINT64_MAX);
    if (text)
        add_bytes(hash, text, strlen(text));
}

static void add_input(uint64_t *hash, const imgret_input *input)
{
    add_number(hash, input ? input->kind : 0);
    if (input && input->kind == IMGRET_INPUT_ID)
        add_number(hash, (uint64_t)input->id);
    if (input && input->kind == IMGRET_INPUT_VECTOR)
        add_bytes(hash, input->vector, input->dimension * sizeof input->vector[0]);
}

uint64_t ir_cursor_question(const imgret_input *input, const imgret_query_options *options,
                            const imgret_param *params, uint32_t param_count)
{
    uint64_t hash = 0;
    add_input(&hash, input);
    add_number(&hash, options->flags);
    add_real(&hash, options->flags & IMGRET_QUERY_MIN_SCORE ? options->min_score : 0);
    add_text(&hash, options->where);
    for (uint32_t i = 0; i < param_count; i++) {
        add_text(&hash, params[i].name);
        add_number(&hash, params[i].kind);
        add_text(&hash, params[i].kind == IMGRET_PARAM_TEXT ? params[i].text : NULL);
        add_number(&hash, params[i].kind == IMGRET_PARAM_INTEGER ? (uint64_t)params[i].integer : 0);
        add_real(&hash, params[i].kind == IMGRET_PARAM_REAL ? params[i].real : 0);
    }
    add_number(&hash, options->search);
    add_number(&hash, options->region);
    if (options->box) {
        add_number(&hash, (uint64_t)(uint32_t)options->box->x << 32 | (uint32_t)options->box->y);
        add_number(&hash, (uint64_t)options->box->width << 32 | options->box->height);
    }
    add_number(&hash, options->combine);
    for (uint32_t i = 0; i < options->term_count; i++) {
        add_input(&hash, options->terms[i].input);
        add_real(&hash, options->terms[i].weight);
    }
    for (uint32_t i = 0; i < options->color_count; i++) {
        const imgret_color_term *color = &options->colors[i];
        add_number(&hash, (uint64_t)color->red << 16 | (uint64_t)color->green << 8 | color->blue);
        add_real(&hash, color->weight);
    }
    return hash;
}

void ir_cursor_write(const ir_cursor_end *end, char out[IR_CURSOR_BYTES])
{
    uint8_t packed[PACKED];
    uint64_t bits;
    memcpy(&bits, &end->score, sizeof bits);
    put(packed, end->question, 8);
    put(packed + 8, bits, 8);
    put(packed + 16, (uint64_t)end->id, 8);
    put(packed + 24, end->seen | (uint64_t)end->region << 32, 8);
    put(packed + 32, ir_hash64(packed, 32, CHECK_SEED), CHECK_BYTES);
    out[0] = 'p';
    out[1] = '1';
    ir_hex(packed, sizeof packed, out + 2);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unpack(const char *cursor, uint8_t packed[PACKED])
{
    if (strnlen(cursor, 2 + 2 * PACKED + 1) != 2 + 2 * PACKED || cursor[0] != 'p' ||
        cursor[1] != '1')
        return false;
    for (size_t i = 0; i < PACKED; i++) {
        int high = digit(cursor[2 + 2 * i]), low = digit(cursor[3 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        packed[i] = (uint8_t)(high << 4 | low);
    }
    return get(packed + 32, CHECK_BYTES) == (ir_hash64(packed, 32, CHECK_SEED) & 0xFFFFFFFFu);
}

int32_t ir_cursor_read(ir_cursor_end *out, const char *cursor, uint64_t question,
                       imgret_error *error)
{
    uint8_t packed[PACKED];
    if (!unpack(cursor, packed))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "cursor: not one of libimgret's: %.20s%s",
                       cursor, strnlen(cursor, 21) > 20 ? "..." : "");
    uint64_t bits = get(packed + 8, 8);
    out->question = get(packed, 8);
    memcpy(&out->score, &bits, sizeof bits);
    out->id = (int64_t)get(packed + 16, 8);
    out->seen = get(packed + 24, 4);
    out->region = (uint32_t)get(packed + 28, 4);
    if (!isfinite(out->score) || out->id < 1 || out->seen < 1)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "cursor: not one of libimgret's");
    if (out->question != question)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "cursor: it belongs to another question than this one");
    if (out->seen > SEEN_MAX)
        return ir_fail(error, IMGRET_LIMIT, "cursor: after %llu results; %d can be paged through",
                       (unsigned long long)out->seen, SEEN_MAX);
    return IMGRET_OK;
}
