/* codes.c: RaBitQ encoding and estimation. */
#include "index/codes.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

enum { SIGN_TAIL_BYTES = 8, RANK_TAIL_BYTES = 12, CHUNK = 64 };

/* Steps of the uniform quantizer with least error for a normal distribution, by bits; the
 * coordinates of a randomly rotated residual are nearly normal. */
static const float best_step[IR_CODE_BITS_MAX + 1] = {0,       1.596f,  0.9957f, 0.5860f, 0.3352f,
                                                      0.1881f, 0.1041f, 0.0569f, 0.0308f};

ir_code_shape ir_code_shape_of(uint32_t dimension, uint32_t bits)
{
    ir_code_shape shape = {.dimension = dimension, .bits = bits};
    shape.sign_stride = dimension / 8 + SIGN_TAIL_BYTES;
    shape.rank_stride = bits > 1 ? (size_t)dimension * (bits - 1) / 8 + RANK_TAIL_BYTES : 0;
    return shape;
}

/* What encoding one vector at one number of bits gives. */
typedef struct fit {
    double product; /* <v, r> */
    double squares; /* |v|^2 */
} fit;

/* The step whose grid vector is nearest in angle. */
static float choose_step(const float *residual, uint32_t n, uint32_t bits, double norm)
{
    static const float tries[] = {0.8f, 0.9f, 1.0f, 1.12f, 1.3f};
    float sigma = (float)(norm / sqrt((double)n));
    float best = sigma * best_step[bits];
    double best_cosine = -1;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        float step = sigma * best_step[bits] * tries[i];
        float sums[3];
        ir_code_kernels_get()->grid(residual, NULL, n, 1.0f / step, bits, NULL, sums);
        double cosine = (double)sums[0] / sqrt((double)sums[1]);
        if (cosine > best_cosine) {
            best_cosine = cosine;
            best = step;
        }
    }
    return best;
}

static void pack_crumbs(uint8_t *out, const uint8_t *levels, uint32_t n, uint32_t shift)
{
    uint32_t quarter = n / 4;
    for (uint32_t j = 0; j < quarter; j++) {
        uint32_t byte = 0;
        for (uint32_t part = 0; part < 4; part++)
            byte |= (uint32_t)(levels[part * quarter + j] >> shift & 3) << (2 * part);
        out[j] = (uint8_t)byte;
    }
}

static void pack_bits(uint8_t *out, const uint8_t *levels, uint32_t n, uint32_t shift)
{
    for (uint32_t j = 0; j < n; j += 8) {
        uint32_t byte = 0;
        for (uint32_t bit = 0; bit < 8; bit++)
            byte |= (uint32_t)(levels[j + bit] >> shift & 1) << bit;
        out[j / 8] = (uint8_t)byte;
    }
}

void ir_code_pack_rest(const ir_code_shape *shape, const uint8_t *levels, uint8_t *rank_record)
{
    uint32_t n = shape->dimension, left = shape->bits - 1;
    for (; left >= 2; left -= 2, rank_record += n / 4)
        pack_crumbs(rank_record, levels, n, left - 2);
    if (left == 1)
        pack_bits(rank_record, levels, n, 0);
}

/* Levels of all dimensions and <c, v>, for one number of bits. */
static fit quantize(const ir_code_source *source, uint32_t n, uint32_t bits, float step,
                    uint8_t *levels, double *centroid_product)
{
    float sums[3];
    ir_code_kernels_get()->grid(source->residual, source->centroid, n, 1.0f / step, bits, levels,
                                sums);
    *centroid_product = (double)sums[2];
    return (fit){(double)sums[0], (double)sums[1]};
}

/* Half precision, clamped; errors are rounded up so that no error becomes nothing. */
static uint16_t half_above(double value)
{
    if (!(value < (double)IR_HALF_MAX))
        return 0x7BFF;
    uint16_t half = ir_half_from_float((float)value);
    return half < 0x7BFF && (double)ir_half_to_float(half) < value ? (uint16_t)(half + 1) : half;
}

static void write_sign_tail(const ir_code_shape *shape, const ir_code_source *source,
                            double norm_squared, fit sums, double centroid_product, uint8_t *record)
{
    uint8_t *tail = record + shape->dimension / 8;
    /* Grid values of +-1/2: the query's product is taken with the signs themselves. */
    double slope = sums.product > 0 ? -2 * norm_squared / sums.product : 0;
    double cosine = sums.product > 0 ? sums.product / sqrt(sums.squares * norm_squared) : 1;
    uint16_t slope_half = ir_half_from_float((float)fmax(slope, -(double)IR_HALF_MAX));
    float rounded = ir_half_to_float(slope_half);
    float base = (float)(norm_squared - (double)rounded * centroid_product +
                         (double)source->key_offset);
    memcpy(tail, &base, 4);
    memcpy(tail + 4, &slope_half, 2);
    tail[6] = (uint8_t)source->centroid_index;
    tail[7] = (uint8_t)(255 * fmin(cosine, 1));
}

static void write_rank_tail(const ir_code_shape *shape, const ir_code_source *source,
                            double norm_squared, fit sums, double centroid_product, uint8_t *record)
{
    uint8_t *tail = record + (size_t)shape->dimension * (shape->bits - 1) / 8;
    double slope = sums.product > 0 ? -2 * norm_squared / sums.product : 0;
    float slope_float = (float)slope;
    float base = (float)(norm_squared - (double)slope_float * centroid_product +
                         (double)source->key_offset);
    double error = 0;
    if (sums.product > 0) {
        double excess = norm_squared * sums.squares / (sums.product * sums.product) - 1;
        error = sqrt(norm_squared * fmax(excess, 0) / (double)(shape->dimension - 1));
    }
    uint16_t error_half = half_above(error), norm_half = half_above(sqrt(norm_squared));
    memcpy(tail, &base, 4);
    memcpy(tail + 4, &slope_float, 4);
    memcpy(tail + 8, &error_half, 2);
    memcpy(tail + 10, &norm_half, 2);
}

static double squared_norm(const float *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t j = 0; j < n; j++)
        sum += (double)values[j] * (double)values[j];
    return sum;
}

void ir_code_encode(const ir_code_shape *shape, const ir_code_source *source, uint8_t *sign_record,
                    uint8_t *rank_record)
{
    uint8_t levels[4096];
    uint32_t n = shape->dimension;
    double norm_squared = squared_norm(source->residual, n);
    double centroid_product = 0;
    bool zero = norm_squared < 1e-30; /* the vector is the centroid: its key needs no code */
    if (zero)
        norm_squared = 0;
    fit sums = {0, 0};
    memset(levels, 0, n);
    if (!zero)
        sums = quantize(source, n, 1, 1, levels, &centroid_product);
    pack_bits(sign_record, levels, n, 0);
    write_sign_tail(shape, source, norm_squared, sums, centroid_product, sign_record);
    if (shape->bits == 1)
        return;
    if (!zero) {
        float step = choose_step(source->residual, n, shape->bits, sqrt(norm_squared));
        sums = quantize(source, n, shape->bits, step, levels, &centroid_product);
    }
    ir_code_pack_rest(shape, levels, rank_record);
    write_rank_tail(shape, source, norm_squared, sums, centroid_product, rank_record);
}

uint32_t ir_code_centroid(const ir_code_shape *shape, const uint8_t *sign_record)
{
    return sign_record[shape->dimension / 8 + 6];
}

/* ---- Queries ---------------------------------------------------------------------------------- */

static size_t plane_stride(const ir_code_shape *shape)
{
    return (shape->dimension / 8 + 63) / 64 * 64;
}

static size_t padded(size_t bytes)
{
    return (bytes + IR_CODE_SLACK_BYTES + 63) / 64 * 64;
}

size_t ir_code_query_bytes(const ir_code_shape *shape)
{
    return 4 * plane_stride(shape) + padded(shape->dimension) + padded(shape->dimension * 4ull) +
           padded(IR_CENTROIDS_MAX * 4ull);
}

/* 4-bit numbers -7..7 as bit planes. Clipping and rounding shrink the query a little: scaling its
 * steps by |q|^2 / <q, rounded> keeps products unbiased. */
static void prepare_planes(ir_code_query *query, const ir_code_shape *shape, uint8_t *planes,
                           double norm_squared)
{
    uint32_t n = shape->dimension;
    size_t stride = plane_stride(shape);
    float step = best_step[4] * (float)sqrt(norm_squared / n);
    float inverse = step > 1e-36f ? 1.0f / step : 0;
    int32_t sums[2];
    memset(planes, 0, 4 * stride);
    double product = (double)ir_code_kernels_get()->planes_from_floats(query->rotated, n, inverse,
                                                                       planes, stride, sums);
    double scale = product > 0 ? norm_squared / product : 0;
    /* Signs are v = bit - 1/2. */
    query->sign_scale = (float)scale;
    query->sign_shift = (float)(-0.5 * scale * sums[0]);
    query->sign_noise = (float)sqrt(fmax(scale * scale * sums[1] - norm_squared, 0) / n);
    query->operand.planes = planes;
    query->operand.plane_stride = stride;
}

static void prepare_bytes(ir_code_query *query, const ir_code_shape *shape, int8_t *bytes)
{
    uint32_t n = shape->dimension;
    int32_t sums[2];
    float largest = ir_code_kernels_get()->bytes_from_floats(query->rotated, n, (uint8_t *)bytes,
                                                             sums);
    float scale = largest / 127.0f;
    for (uint32_t j = 0; j < n; j += 8) { /* takes off the 128 that each has added */
        uint64_t eight;
        memcpy(&eight, bytes + j, 8);
        eight ^= 0x8080808080808080u;
        memcpy(bytes + j, &eight, 8);
    }
    memset(bytes + n, 0, IR_CODE_SLACK_BYTES);
    float middle = ((float)(1u << shape->bits) - 1) / 2;
    query->rank_scale = scale;
    query->rank_shift = -middle * scale * (float)sums[0];
    query->rank_noise = scale * 0.288675f; /* a uniform rounding error: 1 / sqrt(12) */
    query->operand.bytes = bytes;
}

void ir_code_squares(const float *rows, uint32_t n, uint32_t count, float *out)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    for (uint32_t k = 0; k < count; k++)
        out[k] = kernels->dot(rows + (size_t)k * n, rows + (size_t)k * n, n);
}

void ir_code_query_prepare(ir_code_query *out, const ir_code_shape *shape, const float *rotated,
                           const ir_code_centroids *centroids, void *memory)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    uint32_t n = shape->dimension;
    uint8_t *at = memory;
    uint8_t *planes = at;
    at += 4 * plane_stride(shape);
    int8_t *bytes = (int8_t *)at;
    at += padded(n);
    out->rotated = (float *)(void *)at;
    at += padded(n * 4ull);
    out->centroid_keys = (float *)(void *)at;
    memcpy(out->rotated, rotated, n * sizeof rotated[0]);
    out->operand.dimension = n;
    double norm_squared = (double)kernels->dot(rotated, rotated, n);
    prepare_planes(out, shape, planes, norm_squared);
    prepare_bytes(out, shape, bytes);
    /* A record may name any of them: damage must not lead outside. */
    memset(out->centroid_keys, 0, IR_CENTROIDS_MAX * sizeof out->centroid_keys[0]);
    for (uint32_t k = 0; k < centroids->count; k++) {
        float product = kernels->dot(rotated, centroids->rows + (size_t)k * n, n);
        float squares;
        if (centroids->squares)
            squares = centroids->squares[k];
        else
            ir_code_squares(centroids->rows + (size_t)k * n, n, 1, &squares);
        float sum = (float)norm_squared + squares - 2 * product;
        out->centroid_keys[k] = sum > 0 ? sum : 0;
    }
}

/* The part of q - c perpendicular to r decides how far the estimate of <q - c, r> may be off;
 * the estimate itself tells the parallel part. */
static float perpendicular(const ir_code_query *query, float distance_squared,
                           float residual_product, float norm)
{
    if (!query->plain || !(norm > 0))
        return distance_squared;
    float parallel = residual_product / norm;
    float left = distance_squared - parallel * parallel;
    return left > 0 ? left : 0;
}

static ir_code_terms terms_of(const ir_code_shape *shape, const ir_code_query *query)
{
    float n = (float)shape->dimension;
    return (ir_code_terms){
        .centroid_keys = query->centroid_keys,
        .scale = query->sign_scale,
        .shift = query->sign_shift,
        /* slope = -2 |r|^2 / <v, r> = -4 |r| / (cosine sqrt(n)), for v of +-1/2. */
        .length_factor = -sqrtf(n) / 4,
        .spread_factor = 1 / (n - 1),
        .noise_squared = query->sign_noise * query->sign_noise,
        .plain = query->plain,
    };
}

void ir_code_estimate_signs(const ir_code_shape *shape, const ir_code_query *query,
                            const ir_code_rows *signs, float *keys, float *errors)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    ir_code_terms terms = terms_of(shape, query);
    size_t tail_at = shape->dimension / 8;
    for (uint32_t first = 0; first < signs->count; first += CHUNK) {
        int32_t sums[CHUNK];
        uint64_t tails[CHUNK];
        ir_code_rows part = *signs;
        part.count = signs->count - first < CHUNK ? signs->count - first : CHUNK;
        if (signs->ids)
            part.ids = signs->ids + first;
        else
            part.base = signs->base + first * signs->stride;
        kernels->bits_dot(&query->operand, &part, sums);
        for (uint32_t i = 0; i < part.count; i++)
            memcpy(&tails[i], ir_code_row(&part, i) + tail_at, SIGN_TAIL_BYTES);
        kernels->sign_keys(&terms, tails, sums, part.count, keys + first,
                           errors ? errors + first : NULL);
    }
}

void ir_code_split_sign(const ir_code_shape *shape, const uint8_t *sign_record, uint8_t *bits,
                        uint64_t *tail)
{
    memcpy(bits, sign_record, shape->dimension / 8);
    memcpy(tail, sign_record + shape->dimension / 8, SIGN_TAIL_BYTES);
}

void ir_code_estimate_split(const ir_code_shape *shape, const ir_code_query *query,
                            const uint8_t *bits, const uint64_t *tails, uint32_t count, float *keys,
                            float *errors)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    ir_code_terms terms = terms_of(shape, query);
    for (uint32_t first = 0; first < count; first += CHUNK) {
        int32_t sums[CHUNK];
        ir_code_rows part = {.base = bits + (size_t)first * (shape->dimension / 8),
                             .stride = shape->dimension / 8,
                             .count = count - first < CHUNK ? count - first : CHUNK};
        kernels->bits_dot(&query->operand, &part, sums);
        kernels->sign_keys(&terms, tails + first, sums, part.count, keys + first,
                           errors ? errors + first : NULL);
    }
}

void ir_code_estimate(const ir_code_shape *shape, const ir_code_query *query,
                      const ir_code_rows *signs, const ir_code_rows *ranks, float *keys,
                      float *errors)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    size_t sign_tail = shape->dimension / 8;
    size_t rank_tail = (size_t)shape->dimension * (shape->bits - 1) / 8;
    for (uint32_t first = 0; first < signs->count; first += CHUNK) {
        int32_t sums[CHUNK];
        ir_code_rows sign_part = *signs, rank_part = *ranks;
        sign_part.count = signs->count - first < CHUNK ? signs->count - first : CHUNK;
        rank_part.count = sign_part.count;
        sign_part.base = signs->base + (signs->ids ? 0 : first * signs->stride);
        rank_part.base = ranks->base + (signs->ids ? 0 : first * ranks->stride);
        sign_part.ids = rank_part.ids = signs->ids ? signs->ids + first : NULL;
        kernels->levels_dot(&query->operand, &sign_part, &rank_part, shape->bits, sums);
        for (uint32_t i = 0; i < sign_part.count; i++) {
            const uint8_t *tail = ir_code_row(&rank_part, i) + rank_tail;
            uint32_t centroid = ir_code_row(&sign_part, i)[sign_tail + 6];
            float base, slope;
            uint16_t error_half, norm_half;
            memcpy(&base, tail, 4);
            memcpy(&slope, tail + 4, 4);
            float product = (float)sums[i] * query->rank_scale + query->rank_shift;
            float to_centroid = query->centroid_keys[centroid];
            float key = base + to_centroid + slope * product;
            keys[first + i] = key;
            if (!errors)
                continue;
            memcpy(&error_half, tail + 8, 2);
            memcpy(&norm_half, tail + 10, 2);
            float error = ir_half_to_float(error_half), norm = ir_half_to_float(norm_half);
            float residual_product = (norm * norm + to_centroid - key) / 2;
            float across = perpendicular(query, to_centroid, residual_product, norm);
            float noise = norm * query->rank_noise;
            errors[first + i] = 2 * sqrtf(error * error * across + noise * noise);
        }
    }
}
