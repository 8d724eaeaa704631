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

typedef struct ir_filter ir_filter; /* filter.c */

/* NULL is allowed. */
void ir_filter_close(ir_filter *filter);

/* counts.c: what was counted when the data version was this. */
typedef struct ir_catalog_counter {
    ir_connection connection; /* not open before the first count */
    bool counted;
    int64_t version;
    uint64_t image_count, failed_count, region_count;
} ir_catalog_counter;

/* `writer` belongs to the thread inside `gate`, `reader` to the one that holds `reader_lock`,
 * `filter` to the one that holds `filter_lock`, `counter` to the one that holds `count_lock`; the rest is fixed once open, but for `spoiled`,
 * which is the writing thread's. */
struct ir_catalog {
    char *folder;
    char *path;     /* of catalog.db; absolute, like folder */
    bool read_only; /* then there is no writer */
    ir_connection writer;
    ir_connection reader;
    ir_connection_mode reader_mode;
    ir_gate gate;
    pthread_mutex_t reader_lock; /* recursive, for reads within ir_catalog_hold */
    bool held;                   /* by the thread with `reader_lock`: its snapshot is open */
    pthread_mutex_t filter_lock;
    ir_filter *filter; /* under filter_lock; NULL until first used */
    pthread_mutex_t count_lock;
    ir_catalog_counter counter;
    ir_catalog_options options;
    /* Why the open transaction can only be rolled back, or 0: a write failed after it had changed
     * something, or SQLite rolled back on its own. Commit returns it. */
    int32_t spoiled;
    imgret_error spoiled_error;
};

/* IMGRET_INVALID_ARGUMENT or IMGRET_LIMIT unless `metadata` is NULL or a JSON object in UTF-8 of
 * at most 1 MiB. */
int32_t ir_catalog_check_metadata(ir_connection *connection, const char *metadata,
                                  imgret_error *error);

/* Whether the objects of an image can be stored: IMGRET_INVALID_ARGUMENT or IMGRET_LIMIT. */
int32_t ir_catalog_check_objects(const ir_catalog_image *image, imgret_error *error);

/* Stores the objects of image `id`, whose whole picture is `region`, with their vectors. Within a
 * transaction, which a failure spoils. */
int32_t ir_catalog_add_objects(ir_catalog *catalog, const ir_catalog_image *image, int64_t id,
                               int64_t region, imgret_error *error);

/* IMGRET_INVALID_ARGUMENT, naming `what`, unless the text is UTF-8. */
int32_t ir_catalog_check_utf8(const char *what, const char *text, size_t length,
                              imgret_error *error);

/* Columns from `brightness` to `longitude`, in the order of the table. */
#define IR_ATTRIBUTE_COLUMNS 15

/* Colours as they are stored; must live until the statement they are bound to ends. */
typedef struct ir_packed_colors {
    uint8_t shares[IMGRET_COLOR_COUNT];
    uint8_t palette[IMGRET_SWATCH_MAX * 5];
    size_t palette_bytes;
} ir_packed_colors;

/* The swatches of a stored palette; false when it is none of 0 to IMGRET_SWATCH_MAX swatches. */
bool ir_catalog_unpack_palette(const void *data, size_t bytes, imgret_swatch *out, uint32_t *count);

/* Binds the next IR_ATTRIBUTE_COLUMNS parameters; attributes NULL: all NULL. */
void ir_catalog_bind_attributes(ir_statement *statement, const imgret_attributes *attributes,
                                ir_packed_colors *colors);

/* Reads the columns from `column` on. *there is false for an image without attributes. Strings live
 * until the next step. */
int32_t ir_catalog_read_attributes(ir_statement *statement, int column, bool *there,
                                   imgret_attributes *out, imgret_error *error);

/* Runs a bound statement of the writer that must have changed image `id`; notes a failure. */
int32_t ir_catalog_change_image(ir_catalog *catalog, ir_statement *statement, int64_t id,
                                imgret_error *error);

/* For the room's other writing files: whether this thread's transaction can still be written to, and
 * the status of a write, passed on after it was noted (see `spoiled`). */
int32_t ir_catalog_may_write(ir_catalog *catalog, imgret_error *error);
int32_t ir_catalog_note_write(ir_catalog *catalog, int32_t status, imgret_error *failure,
                              imgret_error *error);

/* Makes in a catalogue without them the indexes that a host asked for in another, whose schema was
 * verified. Within a transaction. */
int32_t ir_catalog_copy_indexes(ir_connection *from, ir_connection *to, imgret_error *error);

/* Takes the reader's lock and opens a snapshot; end it in any case but failure. */
int32_t ir_catalog_begin_read(ir_catalog *catalog, imgret_error *error);
void ir_catalog_end_read(ir_catalog *catalog);

#endif
