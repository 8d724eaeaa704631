/* repair.h: what the catalogue does about vectors that are lost, and about room that is free. A face of
 * the room. */
#ifndef IR_CATALOG_REPAIR_H
#define IR_CATALOG_REPAIR_H

#include "catalog/catalog.h"

/* The vector of a region is lost: its image becomes a failure with this reason, keeps uri, metadata and
 * label, and loses its regions, which are noted as removed. *image is 0 when there is no such
 * region. Within a transaction. */
int32_t ir_catalog_lose_vector(ir_catalog *catalog, int64_t region, int32_t failure_code,
                               const char *failure, int64_t *image, imgret_error *error);

/* Gives free pages back to the file system, in short transactions, and empties the log, so that what was
 * removed stands in no file any more; where others are reading, the log stays. Not within a
 * transaction. */
int32_t ir_catalog_tidy(ir_catalog *catalog, imgret_error *error);

/* Forgets every vector and every segment, so that others can take their place. Within a transaction. */
int32_t ir_catalog_drop_vectors(ir_catalog *catalog, imgret_error *error);

/* Stores the vector of a region that has none. Within a transaction. */
int32_t ir_catalog_put_vector(ir_catalog *catalog, int64_t region, const void *vector,
                              size_t vector_bytes, imgret_error *error);

#endif
