/* feature_cache.h: vectors of pictures seen lately, within a bound of bytes; the oldest go first. */
#ifndef IR_ENGINE_FEATURE_CACHE_H
#define IR_ENGINE_FEATURE_CACHE_H

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_feature_cache ir_feature_cache;

/* What decides a vector: the picture's content and how its bytes are read, and the extractor. */
typedef struct ir_feature_key {
    uint8_t bytes[16];
} ir_feature_key;

/* What is remembered of the picture beside its vector. */
typedef struct ir_feature_picture {
    uint32_t width; /* pixels, upright, as encoded */
    uint32_t height;
    const char *format; /* static text */
    bool has_label;     /* the rest is filled */
    uint32_t label;     /* index of the class */
    float label_score;
} ir_feature_picture;

typedef struct ir_feature_counts {
    uint64_t hit_count;
    uint64_t miss_count;
    uint64_t bytes;
} ir_feature_counts;

/* `bytes_max` 0: 8 MiB. Memory is taken as vectors come. */
int32_t ir_feature_cache_create(ir_feature_cache **out, uint64_t bytes_max, imgret_error *error);
void ir_feature_cache_free(ir_feature_cache *cache);

/* All that follow: any thread; a NULL cache keeps nothing. */

/* Fills `vector` (dimension floats) and `picture` when the key is known, and counts. */
bool ir_feature_cache_find(ir_feature_cache *cache, const ir_feature_key *key, float *vector,
                           uint32_t dimension, ir_feature_picture *picture);

/* Remembers a vector, in place of those that nobody asked for the longest. Where there is no memory
 * nothing is remembered. */
void ir_feature_cache_keep(ir_feature_cache *cache, const ir_feature_key *key, const float *vector,
                           uint32_t dimension, const ir_feature_picture *picture);

void ir_feature_cache_get_counts(ir_feature_cache *cache, ir_feature_counts *out);

#endif
