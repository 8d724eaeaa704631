/* features.h: a picture's vector: remembered, or extracted. */
#ifndef IR_ENGINE_FEATURES_H
#define IR_ENGINE_FEATURES_H

#include "engine/database.h"
#include "engine/source.h"

/* What a picture's vector is remembered by. */
ir_feature_key ir_features_key(const ir_database *database, const ir_source *source);

/* Fills `vector` (the database's dimension, L2-normalised) from the cache, or by decoding and
 * running the model, and remembers it. `picture` may be NULL. The extractor is loaded only when it
 * is needed. Waits for other threads' batches; ends with IMGRET_INTERRUPTED when the thread's call
 * is stopped. */
int32_t ir_features_of(ir_database *database, const ir_source *source, float *vector,
                       ir_source_picture *picture, imgret_error *error);

#endif
