/* kernels_compare.h: one family of kernels checked against the scalar one; needs no test library.
 *
 * Used by test_kernels.c under cmocka and by tests/arm64/kernels_main.c, which runs under an
 * emulator. Every check returns NULL, or a static text that says what differs first.
 */
#ifndef IR_TESTS_KERNELS_COMPARE_H
#define IR_TESTS_KERNELS_COMPARE_H

#include "base/half.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE_ROWS_MAX 11
#define COMPARE_PAD 16 /* elements before and after, to shift the alignment */

/* xorshift64*: the same numbers on every machine. */
static uint64_t compare_seed = 88172645463325252u;

static uint32_t compare_random(void)
{
    compare_seed ^= compare_seed >> 12;
    compare_seed ^= compare_seed << 25;
    compare_seed ^= compare_seed >> 27;
    return (uint32_t)((compare_seed * 2685821657736338717u) >> 32);
}

/* -1 to 1 */
static float compare_random_float(void)
{
    return (float)(int32_t)compare_random() * 0x1p-31f;
}

static char compare_text[256];

static const char *compare_differs(const ir_kernels *family, const char *what, size_t n, size_t row,
                                   double got, double wanted)
{
    snprintf(compare_text, sizeof compare_text, "%s %s: n=%zu row %zu is %.9g, wanted %.9g",
             family->name, what, n, row, got, wanted);
    return compare_text;
}

static float compare_element(const void *row, size_t i, bool half)
{
    return half ? ir_half_to_float(((const uint16_t *)row)[i]) : ((const float *)row)[i];
}

/* Whether `got` is as near the sum in double precision as float sums of pieces must be: each
 * product and each addition of a piece may round by 2^-24 of what it adds up. */
static bool compare_close(const float *query, const void *row, size_t n, bool half, bool l2,
                          double got, double *wanted)
{
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < n; i++) {
        double a = query[i], b = compare_element(row, i, half);
        double term = l2 ? (a - b) * (a - b) : a * b;
        sum += term;
        magnitude += fabs(term);
    }
    *wanted = sum;
    /* 2^-149 each: terms below the least float vanish */
    double rounded = (double)(n < 1024 ? n : 1024) / 4 + 8;
    double allowed = magnitude * rounded * 0x1p-24 + (double)n * 0x1p-149;
    return fabs(got - sum) <= allowed;
}

typedef struct compare_case {
    size_t n, stride, count;
    const float *query;
    const void *rows;
    bool half;
} compare_case;

static void compare_run(const ir_kernels *family, const compare_case *c, bool l2, float *out)
{
    if (c->half)
        (l2 ? family->l2sq_rows_f16 : family->dot_rows_f16)(c->query, c->rows, c->stride, c->count,
                                                            c->n, out);
    else
        (l2 ? family->l2sq_rows_f32 : family->dot_rows_f32)(c->query, c->rows, c->stride, c->count,
                                                            c->n, out);
}

/* Rows kernels of `family` on one case: near the exact sums, nothing written past `count`, and
 * each row's result the same to the last bit when it is computed alone. */
static const char *compare_rows_case(const ir_kernels *family, const compare_case *c, bool l2)
{
    static const char *const names[] = {"dot_rows_f32", "l2sq_rows_f32", "dot_rows_f16",
                                        "l2sq_rows_f16"};
    const char *name = names[2 * c->half + l2];
    const ir_kernels *scalar = ir_kernels_named("scalar");
    float out[COMPARE_ROWS_MAX + 1], reference[COMPARE_ROWS_MAX + 1];
    out[c->count] = 12345.0f;
    compare_run(family, c, l2, out);
    compare_run(scalar, c, l2, reference);
    if (out[c->count] != 12345.0f)
        return compare_differs(family, name, c->n, c->count, (double)out[c->count], 12345.0);
    for (size_t r = 0; r < c->count; r++) {
        compare_case alone = *c;
        alone.rows = (const char *)c->rows + r * c->stride * (c->half ? 2 : 4);
        alone.count = 1;
        double wanted;
        float again;
        if (!compare_close(c->query, alone.rows, c->n, c->half, l2, (double)out[r], &wanted))
            return compare_differs(family, name, c->n, r, (double)out[r], wanted);
        if (!compare_close(c->query, alone.rows, c->n, c->half, l2, (double)reference[r], &wanted))
            return compare_differs(scalar, name, c->n, r, (double)reference[r], wanted);
        compare_run(family, &alone, l2, &again);
        if (memcmp(&again, &out[r], sizeof again) != 0)
            return compare_differs(family, "alone", c->n, r, (double)again, (double)out[r]);
    }
    return NULL;
}

/* The single-pair kernels on the case's first row. */
static const char *compare_pair_case(const ir_kernels *family, const compare_case *c)
{
    double wanted, got = (double)family->dot_f32(c->query, c->rows, c->n);
    if (!compare_close(c->query, c->rows, c->n, false, false, got, &wanted))
        return compare_differs(family, "dot_f32", c->n, 0, got, wanted);
    got = (double)family->l2sq_f32(c->query, c->rows, c->n);
    if (!compare_close(c->query, c->rows, c->n, false, true, got, &wanted))
        return compare_differs(family, "l2sq_f32", c->n, 0, got, wanted);
    if (family->l2sq_f32(c->query, c->query, c->n) != 0.0f)
        return compare_differs(family, "l2sq_f32 of a vector and itself", c->n, 0, 1, 0);
    return NULL;
}

typedef enum compare_values {
    COMPARE_ORDINARY, /* -1 to 1 */
    COMPARE_HUGE,     /* as large as sums of floats allow */
    COMPARE_TINY,     /* subnormal halves, floats whose products vanish */
    COMPARE_MIXED,    /* many magnitudes in one vector */
} compare_values;

/* A float whose square times the greatest length stays finite. */
static float compare_value(compare_values values)
{
    float value = compare_random_float();
    if (values == COMPARE_HUGE)
        return value * 1e16f;
    if (values == COMPARE_TINY)
        return value * 1e-38f;
    if (values == COMPARE_MIXED)
        return ldexpf(value, (int)(compare_random() % 40) - 20);
    return value;
}

static uint16_t compare_half(compare_values values)
{
    uint16_t sign = (uint16_t)(compare_random() & 0x8000u);
    if (values == COMPARE_HUGE)
        return (uint16_t)(sign | (0x7800u + compare_random() % 0x400u));
    if (values == COMPARE_TINY)
        return (uint16_t)(sign | compare_random() % 0x400u);
    if (values == COMPARE_MIXED)
        return (uint16_t)(sign | compare_random() % 0x7C00u);
    return ir_half_from_float(compare_random_float());
}

static const char *compare_both_types(const ir_kernels *family, const compare_case *floats,
                                      const uint16_t *halves)
{
    compare_case half = *floats;
    half.rows = halves;
    half.half = true;
    const char *problem = floats->count > 0 ? compare_pair_case(family, floats) : NULL;
    for (int l2 = 0; l2 < 2 && !problem; l2++)
        problem = compare_rows_case(family, floats, l2);
    for (int l2 = 0; l2 < 2 && !problem; l2++)
        problem = compare_rows_case(family, &half, l2);
    return problem;
}

/* All comparing kernels for one length: random alignment, stride and number of rows. NaN stands
 * before, between and after the rows, so that reading past n shows. */
static const char *compare_length(const ir_kernels *family, size_t n, compare_values values)
{
    size_t stride = n + compare_random() % 5, count = compare_random() % (COMPARE_ROWS_MAX + 1);
    size_t shift = compare_random() % COMPARE_PAD, rows_room = stride * count + n + COMPARE_PAD;
    float *query = calloc(n + 2 * COMPARE_PAD, sizeof *query);
    float *floats = calloc(rows_room, sizeof *floats);
    uint16_t *halves = calloc(rows_room, sizeof *halves);
    const char *problem = "no memory";
    if (query && floats && halves) {
        for (size_t i = 0; i < n + 2 * COMPARE_PAD; i++)
            query[i] = i >= shift && i < shift + n ? compare_value(values) : NAN;
        for (size_t i = 0; i < rows_room; i++) {
            bool inside = i >= shift && stride > 0 && (i - shift) % stride < n;
            floats[i] = inside ? compare_value(values) : NAN;
            halves[i] = inside ? compare_half(values) : 0x7E00u;
        }
        compare_case c = {n, stride, count, query + shift, floats + shift, false};
        problem = compare_both_types(family, &c, halves + shift);
    }
    free(query);
    free(floats);
    free(halves);
    return problem;
}

/* n = 0 to 200 and some larger ones, with every kind of value. */
static const char *compare_all_lengths(const ir_kernels *family)
{
    static const size_t larger[] = {255, 256, 257, 400, 511, 512, 513, 768, 1000, 2048, 2049, 4100};
    const char *problem = NULL;
    for (int values = COMPARE_ORDINARY; values <= COMPARE_MIXED && !problem; values++) {
        for (size_t n = 0; n <= 200 && !problem; n++)
            problem = compare_length(family, n, (compare_values)values);
        for (size_t i = 0; i < sizeof larger / sizeof larger[0] && !problem; i++)
            problem = compare_length(family, larger[i], (compare_values)values);
    }
    return problem;
}

/* Sums beyond the greatest float are infinite, not NaN, in every family. */
static const char *compare_overflow(const ir_kernels *family)
{
    float query[70], rows[3 * 70], out[3];
    uint16_t halves[3 * 70];
    for (size_t i = 0; i < 70; i++)
        query[i] = 3e38f;
    for (size_t i = 0; i < 3 * 70; i++) {
        rows[i] = 3e38f;
        halves[i] = 0x7BFFu;
    }
    family->dot_rows_f32(query, rows, 70, 3, 70, out);
    if (!isinf(out[0]) || !isinf(out[1]) || !isinf(out[2]))
        return compare_differs(family, "dot_rows_f32 overflow", 70, 0, (double)out[0], INFINITY);
    family->l2sq_rows_f16(query, halves, 70, 3, 70, out);
    if (!isinf(out[0]) || !isinf(out[1]) || !isinf(out[2]))
        return compare_differs(family, "l2sq_rows_f16 overflow", 70, 0, (double)out[0], INFINITY);
    family->l2sq_rows_f32(query, rows, 70, 3, 70, out);
    if (out[0] != 0.0f || out[1] != 0.0f || out[2] != 0.0f)
        return compare_differs(family, "l2sq_rows_f32 of equals", 70, 0, (double)out[0], 0);
    return NULL;
}

/* Equal terms, whose rounding errors all point one way: the sums must not drift with the length. */
static const char *compare_drift(const ir_kernels *family)
{
    enum { N = 65536 };
    static float query[N], floats[N];
    static uint16_t halves[N];
    for (size_t i = 0; i < N; i++) {
        query[i] = 0.3f;
        floats[i] = 0.7f;
        halves[i] = ir_half_from_float(0.7f);
    }
    float dots[2];
    family->dot_rows_f32(query, floats, N, 1, N, &dots[0]);
    family->dot_rows_f16(query, halves, N, 1, N, &dots[1]);
    double wanted[2] = {N * (double)query[0] * (double)floats[0],
                        N * (double)query[0] * (double)ir_half_to_float(halves[0])};
    for (size_t i = 0; i < 2; i++)
        if (fabs((double)dots[i] - wanted[i]) > wanted[i] * 2e-6)
            return compare_differs(family, "sum of equals", N, i, (double)dots[i], wanted[i]);
    return NULL;
}

/* Every half becomes the right float, in blocks of odd lengths. */
static const char *compare_from_half(const ir_kernels *family)
{
    static uint16_t halves[65536 + 1];
    static float floats[65536 + 1];
    for (uint32_t i = 0; i < 65536; i++)
        halves[i + 1] = (uint16_t)i;
    for (size_t at = 1, n = 1; at <= 65536; at += n, n = n % 37 + 1) {
        if (n > 65537 - at)
            n = 65537 - at;
        family->f32_from_f16(floats + at, halves + at, n);
    }
    for (size_t i = 1; i <= 65536; i++) {
        float wanted = ir_half_to_float(halves[i]);
        bool same = isnan(wanted) ? isnan(floats[i]) : memcmp(&floats[i], &wanted, 4) == 0;
        if (!same)
            return compare_differs(family, "f32_from_f16", 1, i - 1, (double)floats[i],
                                   (double)wanted);
    }
    return NULL;
}

/* `count` floats made from their bits by step and start: they become the half of base/half.h. */
static const char *compare_to_half(const ir_kernels *family, uint32_t start, uint32_t step,
                                   size_t count)
{
    enum { BLOCK = 509 };
    float in[BLOCK + 1];
    uint16_t out[BLOCK + 1];
    uint32_t bits = start;
    for (size_t done = 0; done < count; done += BLOCK) {
        for (size_t i = 0; i < BLOCK; i++, bits += step)
            memcpy(&in[i], &bits, sizeof bits);
        out[BLOCK] = 0x1234;
        family->f16_from_f32(out, in, BLOCK);
        for (size_t i = 0; i < BLOCK; i++)
            if (out[i] != ir_half_from_float(in[i]))
                return compare_differs(family, "f16_from_f32", BLOCK, i, (double)out[i],
                                       (double)ir_half_from_float(in[i]));
        if (out[BLOCK] != 0x1234)
            return compare_differs(family, "f16_from_f32 wrote on", BLOCK, BLOCK, out[BLOCK], 0);
    }
    return NULL;
}

/* Floats of all magnitudes, and every float around where halves change: each half's value, the
 * middle to the next, and their neighbours. */
static const char *compare_all_to_half(const ir_kernels *family)
{
    const char *problem = compare_to_half(family, 0, 4093, (size_t)1 << 20);
    for (uint32_t half = 0; half < 0x7C00u && !problem; half += 7) {
        float low = ir_half_to_float((uint16_t)half), high = ir_half_to_float((uint16_t)(half + 1));
        float around[6] = {low, (low + high) / 2, isinf(high) ? 65520.0f : high};
        if (isinf(high))
            around[1] = 65519.996f;
        for (size_t i = 0; i < 3; i++)
            around[3 + i] = -nextafterf(around[i], 0.0f);
        uint16_t out[6];
        family->f16_from_f32(out, around, 6);
        for (size_t i = 0; i < 6 && !problem; i++)
            if (out[i] != ir_half_from_float(around[i]))
                problem = compare_differs(family, "f16_from_f32", 6, i, (double)out[i],
                                          (double)ir_half_from_float(around[i]));
    }
    return problem;
}

#endif
