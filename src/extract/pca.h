/* pca.h: principal components: the file that holds them, reading it strictly, and applying them.
 *
 * File, little-endian: "IMGRPCA1", then uint32 input dimension, output dimension, flags
 * (IMGRET_PCA_WHITEN), identity's bytes, uint64 vectors it was learned from; the identity of the
 * extractor (text without NUL), zeros up to a multiple of 8; float32 mean[input], variance[output],
 * matrix[output][input] (whitening already in it); XXH3-128 of all that (16 bytes, canonical).
 */
#ifndef IR_EXTRACT_PCA_H
#define IR_EXTRACT_PCA_H

#include <imgret/imgret.h>
#include <stddef.h>

#define IR_PCA_DIMENSION_MAX 65536u
#define IR_PCA_FILE_BYTES_MAX ((uint64_t)512 << 20)

typedef struct ir_pca {
    uint32_t input_dimension;
    uint32_t dimension;
    uint32_t flags; /* IMGRET_PCA_* */
    uint64_t sample_count;
    char *identity;  /* of the extractor it was learned for; "" when nobody said */
    float *mean;     /* input_dimension */
    float *variance; /* dimension, descending */
    float *matrix;   /* dimension x input_dimension */
    float *shift;    /* dimension: matrix x mean */
    char sha256[65]; /* of the file; "" when there is none */
} ir_pca;

/* Any thread, as all that follow. `name` is for messages. CORRUPT says what is wrong. */
int32_t ir_pca_parse(ir_pca **out, const char *name, const uint8_t *data, size_t bytes,
                     imgret_error *error);
int32_t ir_pca_load(ir_pca **out, const char *path, imgret_error *error);
void ir_pca_free(ir_pca *pca);

/* Writes the file, complete or not at all: under another name first, synced, then renamed. */
int32_t ir_pca_save(const ir_pca *pca, const char *path, imgret_error *error);

/* out[dimension] = matrix x (in - mean). */
void ir_pca_apply(const ir_pca *pca, const float *in, float *out);

/* Learns `dimension` components of `count` vectors. *kept (may be NULL) receives the share of the
 * variance that they hold. INVALID_ARGUMENT when the sample is too small or varies too little. */
int32_t ir_pca_learn(ir_pca **out, const float *vectors, uint64_t count, uint32_t input_dimension,
                     uint32_t dimension, uint32_t flags, const char *identity, double *kept,
                     imgret_error *error);

#endif
