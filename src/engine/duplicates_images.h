/* duplicates_images.h: what the search for duplicates knows of every picture, best ones first. */
#ifndef IR_ENGINE_DUPLICATES_IMAGES_H
#define IR_ENGINE_DUPLICATES_IMAGES_H

#include "engine/database.h"

typedef struct ir_dup_image {
    int64_t id;
    uint8_t content_hash[16];
    uint64_t hash; /* perceptual */
    uint64_t file_bytes;
    int64_t modified_ns; /* INT64_MAX: unknown */
    uint32_t width;      /* pixels */
    uint32_t height;
    bool has_hash; /* and it says something: the picture is not plain */
    bool is_grey;
    bool is_lossless; /* by its format */
    bool taken;       /* it belongs to a group already */
} ir_dup_image;

typedef struct ir_dup_pair {
    int64_t first, second; /* first < second */
} ir_dup_pair;

/* A picture is named by its rank: its place in `rows`, 0 the one most worth keeping. */
typedef struct ir_dup_images {
    ir_dup_image *rows;
    uint32_t count, room;
    uint32_t *by_id;       /* ranks by ascending id */
    uint32_t *by_content;  /* ranks by content hash, then rank */
    ir_dup_pair *verdicts; /* pairs that are no duplicates, ascending */
    uint64_t verdict_count, verdict_room;
} ir_dup_images;

/* Reads the stored images that match `filter` (where NULL: all). Free it in any case. LIMIT above 2^31 - 1
 * images. */
int32_t ir_dup_images_read(ir_dup_images *images, ir_database *database,
                           const ir_catalog_filter *filter, ir_call *call, imgret_error *error);
void ir_dup_images_free(ir_dup_images *images);

/* The rank of an image, or UINT32_MAX. */
uint32_t ir_dup_images_find(const ir_dup_images *images, int64_t id);

/* Those with the content of `rank`: *first in by_content, and how many. */
uint32_t ir_dup_images_same(const ir_dup_images *images, uint32_t rank, uint32_t *first);

/* Whether a user said that these two are no duplicates. */
bool ir_dup_images_differ(const ir_dup_images *images, uint32_t a, uint32_t b);

/* IMGRET_KEEP_*: what makes `a` better than `b`, which stands behind it. */
uint32_t ir_dup_images_reason(const ir_dup_image *a, const ir_dup_image *b);

#endif
