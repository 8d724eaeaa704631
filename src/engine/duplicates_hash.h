/* duplicates_hash.h: perceptual hashes within a few bits of another, by multi-index hashing. */
#ifndef IR_ENGINE_DUPLICATES_HASH_H
#define IR_ENGINE_DUPLICATES_HASH_H

#include "engine/duplicates_images.h"

#define IR_DUP_HASH_BITS 8 /* hashes that differ in at most so many are found, all of them */

typedef struct ir_dup_hashes ir_dup_hashes;

/* Of the images that have a hash. NULL when there is no memory. */
ir_dup_hashes *ir_dup_hashes_create(const ir_dup_images *images);
void ir_dup_hashes_free(ir_dup_hashes *hashes); /* NULL is allowed */

/* Called with the images of one hash near the one asked for: ranks[0..count), ascending. A status
 * other than 0 ends the search. */
typedef int32_t (*ir_dup_hash_fn)(void *context, uint64_t hash, const uint32_t *ranks,
                                  uint32_t count, imgret_error *error);

/* Each hash within IR_DUP_HASH_BITS of `hash`, once. */
int32_t ir_dup_hashes_near(const ir_dup_hashes *hashes, uint64_t hash, ir_dup_hash_fn on_hash,
                           void *context, imgret_error *error);

/* The hash of the picture mirrored (IMGRET_TURN_MIRRORED) after it was turned by the quarters of
 * `turn` & 3, or nearly: bits whose frequency is about the median may differ. */
uint64_t ir_dup_hash_turned(uint64_t hash, uint32_t turn);

#endif
