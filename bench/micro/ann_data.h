/* ann_data.h: sets of vectors for the measuring programs: files read, hard sets made, truth found. */
#ifndef IR_BENCH_ANN_DATA_H
#define IR_BENCH_ANN_DATA_H

#include <stdint.h>

typedef struct ann_set {
    uint32_t count;
    uint32_t dimension;
    float *rows; /* freed with free() */
} ann_set;

/* Reads *.fvecs, idx (*-ubyte, also *.gz) or *.fbin by its name; at most count_max vectors (0: all).
 * Prints the reason and returns -1 when that fails. */
int ann_read(ann_set *out, const char *path, uint32_t count_max);

typedef struct ann_recipe {
    uint32_t count, query_count, dimension;
    uint32_t manifold; /* dimensions in which the points really vary; more is harder */
    uint32_t clusters;
    float spread; /* of a cluster against the distance between clusters; more is harder */
    float noise;  /* share of noise in every output dimension */
    uint64_t seed;
} ann_recipe;

/* Points of Gaussian clusters on a low-dimensional manifold, carried through a random layer with
 * ReLU and normalised, like the features of a network. Queries are drawn like the base and are not
 * in it. */
int ann_generate(ann_set *base, ann_set *queries, const ann_recipe *recipe, uint32_t threads);

/* Exact neighbours by squared L2 distance: query_count x k indices, nearest first. free(). */
uint32_t *ann_truth(const ann_set *base, const ann_set *queries, uint32_t k, uint32_t threads);

#endif
