/* kmeans.h: centroids of a sample, by Lloyd's iterations. */
#ifndef IR_INDEX_KMEANS_H
#define IR_INDEX_KMEANS_H

#include "base/pool.h"

#include <imgret/imgret.h>

/* Finds `k` centroids (k <= count) of `count` rows of `dimension` floats. The result depends on the
 * rows and the seed alone, not on the pool's threads. */
int32_t ir_kmeans(const float *rows, uint32_t count, uint32_t dimension, uint32_t k, uint64_t seed,
                  ir_pool *pool, float *centroids, imgret_error *error);

/* Squared lengths of centroids, for ir_nearest_centroid. */
void ir_centroid_squares(const float *centroids, uint32_t k, uint32_t dimension, float *squares);

/* The nearest centroid's index, and the second nearest's in *second (NULL: not wanted; with one
 * centroid the same). Equal distances: the lower index. */
uint32_t ir_nearest_centroid(const float *row, const float *centroids, const float *squares,
                             uint32_t k, uint32_t dimension, uint32_t *second);

#endif
