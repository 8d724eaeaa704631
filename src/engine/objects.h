/* objects.h: vectors of a whole picture and its objects, or of one box of it. */
#ifndef IR_ENGINE_OBJECTS_H
#define IR_ENGINE_OBJECTS_H

#include "engine/database.h"
#include "engine/source.h"

/* Extracts a picture and the objects that the database's regions find in it: *vectors is fresh
 * memory (ir_free) for 1 + objects->count rows, the whole first. Without regions the cache is asked
 * first (ir_features_of). ir_objects_free, also after a failure. */
int32_t ir_objects_of(ir_database *database, const ir_source *source, float **vectors,
                      ir_objects *objects, ir_source_picture *picture, imgret_error *error);

/* Vectors as they are stored, side by side, in fresh memory (ir_free); *out is NULL on failure. */
int32_t ir_objects_encode(ir_database *database, const float *vectors, uint32_t count, void **out,
                          imgret_error *error);

/* Fills `vector` with that of a box of the picture, cut to it, or, when `box` is NULL, with that of
 * its main object. INVALID_ARGUMENT for a box outside, or a database without regions to find objects
 * by; NOT_FOUND when there is no object. */
int32_t ir_objects_vector(ir_database *database, const ir_source *source, const imgret_box *box,
                          float *vector, imgret_error *error);

#endif
