/* code_kernels.h: SIMD kernels over quantized codes and for the random rotation. */
#ifndef IR_KERNELS_CODE_KERNELS_H
#define IR_KERNELS_CODE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that may be read (not written) past a query's planes or floats of codes; rows are read
 * exactly. */
#define IR_CODE_SLACK_BYTES 64

/* A query ready for codes of `dimension` dimensions (a multiple of 8). */
typedef struct ir_code_operand {
    const uint8_t *planes; /* 4 bit planes of 4-bit two's complement numbers, low bit first */
    size_t plane_stride;   /* bytes from one plane to the next */
    const int8_t *bytes;   /* the same query in 8 bits, one byte a dimension */
    uint32_t dimension;
} ir_code_operand;

/* Where the codes lie: row i starts at base + ids[i] * stride. */
typedef struct ir_code_rows {
    const uint8_t *base;
    size_t stride;
    const uint32_t *ids; /* NULL: rows 0, 1, 2, ... */
    uint32_t count;
} ir_code_rows;

/* What turns the integer products of one query with bits into keys: index/codes.h. */
typedef struct ir_code_terms {
    const float *centroid_keys; /* 256 of them */
    float scale, shift;         /* product = sum * scale + shift */
    float length_factor;        /* |r| by slope and cosine: slope * cosine * length_factor */
    float spread_factor;        /* variance across r, in one dimension */
    float noise_squared;        /* that rounding the query brings */
    int plain;                  /* keys are squared distances */
} ir_code_terms;

/* Every family computes exactly what "scalar" does (but for the order in which floats are
 * added up). */
typedef struct ir_code_kernels {
    const char *name;

    /* out[i] = sum of the 4-bit query numbers where the row's bit is set. */
    void (*bits_dot)(const ir_code_operand *query, const ir_code_rows *rows, int32_t *out);

    /* keys[i] of the sum that bits_dot gave and the 8 bytes behind the bits of a sign record, tails[i] as
     * they lie there; and (errors not NULL) the standard deviation of each. */
    void (*sign_keys)(const ir_code_terms *terms, const uint64_t *tails, const int32_t *sums,
                      uint32_t count, float *keys, float *errors);

    /* out[i] = sum of u[j] * query.bytes[j], where u has `bits` bits: its highest from row i of
     * `signs` (bit j), the others from row i of `rests`: planes of 2 bits from high to low, in
     * each byte j of dimension / 4 the dimensions j, j + dimension / 4, ... from the low bits up;
     * and a last plane of 1 bit when `bits` is even. Adds nothing to signs' ids: both use theirs. */
    void (*levels_dot)(const ir_code_operand *query, const ir_code_rows *signs,
                       const ir_code_rows *rests, uint32_t bits, int32_t *out);

    /* out[i] = sum of row[j] * bytes[j] over n, rows of unsigned bytes. */
    void (*bytes_dot)(const int8_t *bytes, size_t n, const ir_code_rows *rows, int32_t *out);

    /* out[i * right->count + j] = sum of left[k] * (right[k] - 128) over n, for row i of `left` and
     * row j of `right`, both of unsigned bytes: many distances at once, each byte loaded seldom. */
    void (*bytes_gram)(const ir_code_rows *left, const ir_code_rows *right, size_t n, int32_t *out);

    /* Levels of a grid of `bits` bits: level = values[k] * inverse_step + 2^(bits - 1), cut to the
     * grid, stands for v = level + 1/2 - 2^(bits - 1). Writes n levels (NULL: none) and the sums
     * of v * values[k], v * v and (`other` not NULL) v * other[k]. n is a multiple of 8. */
    void (*grid)(const float *values, const float *other, size_t n, float inverse_step,
                 uint32_t bits, uint8_t *levels, float sums[3]);

    /* Numbers -127 to 127, each + 128: values * 127 / largest, rounded. Returns the largest
     * magnitude among the values; sums[0] is of the numbers, sums[1] of their squares. n is a
     * multiple of 8. */
    float (*bytes_from_floats)(const float *values, size_t n, uint8_t *out, int32_t sums[2]);

    /* Numbers -7 to 7: values * inverse_step, cut and rounded, as 4 bit planes as in an operand, n / 8
     * bytes written of each. Returns the sum of number * value; sums[0] is of the numbers, sums[1] of
     * their squares. n is a multiple of 8. */
    float (*planes_from_floats)(const float *values, size_t n, float inverse_step, uint8_t *planes,
                                size_t plane_stride, int32_t sums[2]);

    /* values[k] *= factors[k] */
    void (*multiply)(float *values, const float *factors, size_t n);

    /* a, b = (a + b) * scale, (a - b) * scale for a and b the two halves of n (even) values. */
    void (*mix_halves)(float *values, size_t n, float scale);

    /* Walsh-Hadamard transform in place, not scaled; n is a power of two. */
    void (*fht)(float *values, size_t n);

    float (*dot)(const float *a, const float *b, size_t n);
} ir_code_kernels;

/* The family for this CPU; the environment variable IMGRET_KERNELS names a lesser one. Any thread. */
const ir_code_kernels *ir_code_kernels_get(void);

/* The family of that name, or NULL when the build or this CPU lacks it. */
const ir_code_kernels *ir_code_kernels_named(const char *name);

static inline const uint8_t *ir_code_row(const ir_code_rows *rows, uint32_t i)
{
    return rows->base + (size_t)(rows->ids ? rows->ids[i] : i) * rows->stride;
}

#endif
