/* space.h: from stored vectors and queries to the rotated space that codes and keys live in.
 *
 * There, the key of a pair is a squared distance, smaller is nearer:
 *   L2             |q - x|^2 / unit^2
 *   cosine         the same of the normalised vectors; a zero vector gets the key of a right angle
 *   inner product  (|q - x|^2 - |x|^2) / unit^2 = (|q|^2 - 2 <q, x>) / unit^2
 */
#ifndef IR_INDEX_SPACE_H
#define IR_INDEX_SPACE_H

#include "index/rotate.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ir_space {
    uint32_t dimension, metric, vector_type;
    const float *mean;     /* of what ir_space_load gives; the caller's */
    float unit;            /* above 0 */
    ir_rotation *rotation; /* the caller's */
} ir_space;

size_t ir_space_stored_bytes(const ir_space *space);

/* A stored vector as floats, normalised under cosine. Returns its squared length as stored. */
double ir_space_load(const ir_space *space, const void *stored, float *out);

/* The same for a query. */
double ir_space_load_query(const ir_space *space, const float *query, float *out);

/* Centres, scales and rotates what ir_space_load gave; `loaded` is spent. */
void ir_space_rotate(const ir_space *space, float *loaded, float *out);

/* What is added to a vector's keys, from its squared length. */
float ir_space_key_offset(const ir_space *space, double length_squared);

/* The score (imgret.h) of a key, from the query's squared length; and back. */
double ir_space_score(const ir_space *space, double key, double query_squared);

/* The exact score of a stored vector. `scratch`: dimension floats. */
double ir_space_exact_score(const ir_space *space, const float *query, double query_squared,
                            const void *stored, float *scratch);

/* The key that has this score. */
double ir_space_key(const ir_space *space, double score, double query_squared);

#endif
