/* codes.h: RaBitQ codes of 1 to 8 bits a dimension: distances estimated with an error bound.
 *
 * Gao & Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound",
 * SIGMOD 2024; Gao et al., "Practical and Asymptotically Optimal Quantization of High-Dimensional
 * Vectors", SIGMOD 2025.
 *
 * A vector x (rotated, in the segment's unit) is coded relative to the nearest centroid c by the
 * grid vector v nearest in angle to r = x - c. <q - c, r> is estimated without bias by
 * (<q, v> - <c, v>) |r|^2 / <v, r>, so that the key |q - x|^2, smaller is nearer, becomes
 * base(x) + |q - c|^2 + slope(x) <q, v>: one integer product of query and code.
 *
 * A code lies in two records: the sign record (one bit a dimension, enough for a coarse key) that
 * a search touches most, and the rank record with the other bits. All numbers little-endian:
 *
 *   sign record   D/8 bytes of bits · base f32 · slope f16 · centroid u8 · cosine u8 (of 255)
 *   rank record   D(bits-1)/8 bytes as ir_code_kernels reads them · base f32 · slope f32 ·
 *                 error f16 · norm f16 (of r)
 */
#ifndef IR_INDEX_CODES_H
#define IR_INDEX_CODES_H

#include "kernels/code_kernels.h"

#include <imgret/imgret.h>
#include <stdbool.h>

#define IR_CODE_BITS_MAX 8
#define IR_CENTROIDS_MAX 256

typedef struct ir_code_shape {
    uint32_t dimension; /* of rotated vectors, a multiple of 8 */
    uint32_t bits;      /* in all, 1 to 8; with 1 there are no rank records */
    size_t sign_stride; /* bytes of a record */
    size_t rank_stride;
} ir_code_shape;

ir_code_shape ir_code_shape_of(uint32_t dimension, uint32_t bits);

/* One vector to code. */
typedef struct ir_code_source {
    const float *residual; /* x - c, rotated */
    const float *centroid; /* c, rotated */
    uint32_t centroid_index;
    float key_offset; /* added to every key of this vector: what turns L2 into other metrics */
} ir_code_source;

/* Writes the sign record and, with bits above 1, the rank record. */
void ir_code_encode(const ir_code_shape *shape, const ir_code_source *source, uint8_t *sign_record,
                    uint8_t *rank_record);

/* Writes all but the highest bit of each dimension's level, as rank records begin. */
void ir_code_pack_rest(const ir_code_shape *shape, const uint8_t *levels, uint8_t *rank_record);

/* Writes the rank record of a code with its lowest bits taken off: to->bits, above 1, below
 * from->bits. `centroid` is the code's own, rotated. */
void ir_code_reduce(const ir_code_shape *from, const ir_code_shape *to, const uint8_t *sign_record,
                    const uint8_t *rank_record, const float *centroid, uint8_t *out);

/* A query prepared for all codes of one set of centroids. Filled by ir_code_query_prepare; the
 * arrays lie in memory of ir_code_query_bytes bytes that the caller owns. */
typedef struct ir_code_query {
    ir_code_operand operand;
    float *rotated;
    float *centroid_keys; /* |q - c|^2 of each centroid */
    float sign_scale;     /* of one step of the 4-bit query */
    float sign_shift;     /* added to products with signs */
    float rank_scale;     /* of one step of the 8-bit query */
    float rank_shift;
    float sign_noise; /* standard deviation that rounding the query brings, for |r| = 1 */
    float rank_noise;
    bool plain; /* keys are squared distances, no key_offset was used: tightens the errors */
} ir_code_query;

size_t ir_code_query_bytes(const ir_code_shape *shape);

/* The centroids of codes, rotated, in the segment's unit; all stays the caller's. */
typedef struct ir_code_centroids {
    const float *rows;    /* `count` of the shape's dimension */
    const float *squares; /* their squared lengths, of ir_code_squares; NULL: found anew */
    uint32_t count;       /* at most IR_CENTROIDS_MAX */
} ir_code_centroids;

/* out[k] = |row k|^2, for `count` rows of n floats. */
void ir_code_squares(const float *rows, uint32_t n, uint32_t count, float *out);

/* `rotated` (shape.dimension floats) in the segment's unit; `centroids` are not kept.
 * `memory` is aligned to 64 bytes and must outlive *out. The caller sets out->plain. */
void ir_code_query_prepare(ir_code_query *out, const ir_code_shape *shape, const float *rotated,
                           const ir_code_centroids *centroids, void *memory);

/* Coarse keys from sign records, and (errors not NULL) the standard deviation of each. */
void ir_code_estimate_signs(const ir_code_shape *shape, const ir_code_query *query,
                            const ir_code_rows *signs, float *keys, float *errors);

/* The same of sign records that were taken apart, so that a scan meets their bits and their tails each
 * side by side: bits of dimension / 8 bytes a row, and 8 bytes a row. */
void ir_code_split_sign(const ir_code_shape *shape, const uint8_t *sign_record, uint8_t *bits,
                        uint64_t *tail);
void ir_code_estimate_split(const ir_code_shape *shape, const ir_code_query *query,
                            const uint8_t *bits, const uint64_t *tails, uint32_t count, float *keys,
                            float *errors);

/* Keys from both records, ids as in `signs`; errors may be NULL. */
void ir_code_estimate(const ir_code_shape *shape, const ir_code_query *query,
                      const ir_code_rows *signs, const ir_code_rows *ranks, float *keys,
                      float *errors);

/* The centroid that a sign record names. */
uint32_t ir_code_centroid(const ir_code_shape *shape, const uint8_t *sign_record);

#endif
