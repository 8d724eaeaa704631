/* transfer.h: all that a catalogue holds as lines of JSON, and back. A face of the room.
 *
 * The columns are those that the tables have: what a later version adds is exported without a change
 * here. docs/export.md describes the lines.
 */
#ifndef IR_CATALOG_TRANSFER_H
#define IR_CATALOG_TRANSFER_H

#include "catalog/catalog.h"

/* Longest line, in bytes, that is written or read. */
#define IR_TRANSFER_LINE_BYTES_MAX (12u << 20)

typedef struct ir_transfer_counts {
    uint64_t image_count; /* failures included */
    uint64_t vector_count;
    uint64_t verdict_count;
} ir_transfer_counts;

/* What an export is given, in this order: once `begin`; then for each image its vectors, by
 * ordinal, and its line (without newline, lives until the callback returns); the lines of verdicts; at
 * last `manifest`.
 * A status other than 0 ends the export and is returned. They run under no lock. */
typedef struct ir_export_sink {
    int32_t (*begin)(void *context, const ir_transfer_counts *counts, imgret_error *error);
    /* `pending` is the stored vector, or NULL: then it is in a segment. */
    int32_t (*vector)(void *context, int64_t region, const void *pending, size_t bytes,
                      imgret_error *error);
    int32_t (*line)(void *context, const char *line, size_t bytes, imgret_error *error);
    int32_t (*verdict)(void *context, const char *line, size_t bytes, imgret_error *error);
    int32_t (*manifest)(void *context, const char *text, size_t bytes, imgret_error *error);
    void *context;
} ir_export_sink;

/* Exports the state that the last commit left, on a connection of its own. */
int32_t ir_catalog_export(ir_catalog *catalog, const ir_export_sink *sink, imgret_error *error);

typedef struct ir_import ir_import;

/* Gives the next vector as it is to be stored; it lives until the next call. */
typedef int32_t (*ir_import_vector_fn)(void *context, const void **stored, size_t *bytes,
                                       imgret_error *error);

/* Begins to fill an empty catalogue that nobody else has open; its transactions are the caller's.
 * `next` is asked for the vectors in the order of their numbers. Free *out with ir_import_close. */
int32_t ir_import_open(ir_import **out, ir_catalog *catalog, ir_import_vector_fn next,
                       void *context, imgret_error *error);
void ir_import_close(ir_import *import);

/* Reads the manifest and stores its settings. Within a transaction. Errors of this and the next:
 * CORRUPT (says what is wrong), VERSION_TOO_NEW, and those of writing; the transaction must then be
 * rolled back. */
int32_t ir_import_manifest(ir_import *import, const char *text, size_t bytes,
                           ir_transfer_counts *out, imgret_error *error);

/* Stores the image of one line (which ends in NUL). Within a transaction. */
int32_t ir_import_line(ir_import *import, const char *line, size_t bytes, imgret_error *error);

/* Stores what one line says of a pair of images that are there. Within a transaction. */
int32_t ir_import_verdict(ir_import *import, const char *line, size_t bytes, imgret_error *error);

#endif
