/* kmeans.h: centroids of a sample, by Lloyd's iterations. */
#ifndef IR_INDEX_KMEANS_H
#define IR_INDEX_KMEANS_H

#include "base/pool.h"
#include "index/graph.h"

/* Finds `k` centroids (k <= count, at most IR_CENTROIDS_MAX) of `count` rows of `dimension` floats. The result depends on the
 * rows and the seed alone, not on the pool's threads. */
int32_t ir_kmeans(const float *rows, uint32_t count, uint32_t dimension, uint32_t k, uint64_t seed,
                  ir_pool *pool, float *centroids, imgret_error *error);

/* `rows` (its base with room for `count`) become the centroids in 8 bits, for ir_nearest_centroid. */
void ir_centroid_rows(const float *centroids, ir_graph_rows *rows);

/* The index of the centroid nearest to a row (ir_graph_row_encode), and the second nearest's in
 * *second (NULL: not wanted; with one centroid the same). Equal distances: the lower index. */
uint32_t ir_nearest_centroid(const uint8_t *row, const ir_graph_rows *centroids, uint32_t *second);

#endif
