/* reembed_parts.h: the vectors of a picture's regions by another model than the database's. */
#ifndef IR_ENGINE_REEMBED_PARTS_H
#define IR_ENGINE_REEMBED_PARTS_H

#include "engine/database.h"

/* Extracts `count` regions of the picture in file `path`, in boxes as they are recorded, into `rows` of
 * the extractor's dimension. Its pixels are decoded as they are when the picture is added, so that the
 * vectors are those of a fresh database. NOT_FOUND when a region was removed meanwhile. */
int32_t ir_reembed_parts(ir_database *database, ir_extractor *extractor, const char *path,
                         const int64_t *regions, uint32_t count, float *rows, imgret_error *error);

#endif
