/* internal.h: the catalogue's handle, seen by this folder only. */
#ifndef IR_CATALOG_INTERNAL_H
#define IR_CATALOG_INTERNAL_H

#include "catalog/catalog.h"
#include "catalog/connection.h"
#include "catalog/gate.h"
#include "catalog/schema.h"
#include "catalog/statement.h"

#include <pthread.h>

#define IR_CATALOG_METADATA_BYTES_MAX (1 << 20)

/* `writer` belongs to the thread inside `gate`, `reader` to the one that holds `reader_lock`; the
 * rest is fixed once open, but for `spoiled`, which is the writing thread's. */
struct ir_catalog {
    char *folder;
    char *path; /* of catalog.db; absolute, like folder */
    bool read_only; /* then there is no writer */
    ir_connection writer;
    ir_connection reader;
    ir_gate gate;
    pthread_mutex_t reader_lock;
    /* Why the open transaction can only be rolled back, or 0: a write failed after it had changed
     * something, or SQLite rolled back on its own. Commit returns it. */
    int32_t spoiled;
    imgret_error spoiled_error;
};

/* IMGRET_INVALID_ARGUMENT or IMGRET_LIMIT unless `metadata` is NULL or a JSON object in UTF-8 of
 * at most 1 MiB. */
int32_t ir_catalog_check_metadata(ir_connection *connection, const char *metadata,
                                  imgret_error *error);

/* For the room's other writing files: whether this thread's transaction can still be written to, and
 * the status of a write, passed on after it was noted (see `spoiled`). */
int32_t ir_catalog_may_write(ir_catalog *catalog, imgret_error *error);
int32_t ir_catalog_note_write(ir_catalog *catalog, int32_t status, imgret_error *failure,
                              imgret_error *error);

/* Takes the reader's lock and opens a snapshot; end it in any case but failure. */
int32_t ir_catalog_begin_read(ir_catalog *catalog, imgret_error *error);
void ir_catalog_end_read(ir_catalog *catalog);

#endif
