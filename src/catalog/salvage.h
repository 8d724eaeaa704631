/* salvage.h: a new catalogue made of what can be read of a damaged one. A face of the room.
 *
 *   open (locks the damaged file, makes an empty catalogue beside it) -> copy (row by row) -> settle (what
 *   is left must obey the rules of check) -> finish (one rename puts it in place, the old file is kept)
 *
 * Until finish nothing of the old catalogue changes but that its log is copied into it.
 */
#ifndef IR_CATALOG_SALVAGE_H
#define IR_CATALOG_SALVAGE_H

#include "catalog/catalog.h"

typedef struct ir_salvage ir_salvage;

typedef struct ir_salvage_options {
    uint32_t busy_timeout_ms; /* as of a catalogue */
    /* Each loss, in one line that lives until the callback returns; non-zero stops with
     * IMGRET_INTERRUPTED. */
    int32_t (*on_loss)(void *context, const char *message);
    void *context;
} ir_salvage_options;

typedef struct ir_salvage_counts {
    uint64_t images_bare;  /* the record is lost, the vector is not */
    uint64_t images_lost;  /* the vector is lost: failures now */
    uint64_t rows_refused; /* that could be read, and held what they must not */
    bool settings_lost;    /* some could not be read */
    bool segments_lost;    /* of the list, some could not be read */
    bool removals_lost;    /* of the removed regions, some could not be read */
} ir_salvage_counts;

/* Nobody else may have the database open: IMGRET_BUSY. IMGRET_CORRUPT when it is another program's, or
 * when neither its tables nor where they must lie can be told; VERSION_TOO_NEW; READ_ONLY; IO (also where
 * the disk cannot read: copy the file to a sound one first). */
int32_t ir_salvage_open(ir_salvage **out, const char *folder, const ir_salvage_options *options,
                        imgret_error *error);

/* Copies what is readable. The new catalogue, which obeys no rules yet, is the salvage's. */
int32_t ir_salvage_copy(ir_salvage *salvage, imgret_error *error);
ir_catalog *ir_salvage_catalog(ir_salvage *salvage);
const ir_salvage_counts *ir_salvage_get_counts(const ir_salvage *salvage);

/* For what the caller knows from segment files: a segment whose listing was lost, regions that were
 * removed. Between copy and settle. */
int32_t ir_salvage_list_segment(ir_salvage *salvage, const ir_catalog_segment *segment,
                                imgret_error *error);
int32_t ir_salvage_note_removed(ir_salvage *salvage, const int64_t *regions, uint64_t count,
                                imgret_error *error);

/* Makes the new catalogue obey the rules: an image without its record keeps its vector, one without its
 * vector becomes a failure. Tells each. */
int32_t ir_salvage_settle(ir_salvage *salvage, size_t vector_bytes, imgret_error *error);

/* Puts the new catalogue in place. The old file stays as *aside, a name in the folder that lives as long
 * as the salvage. */
int32_t ir_salvage_finish(ir_salvage *salvage, const char **aside, imgret_error *error);

/* Lets go of everything; what was not finished is deleted. */
void ir_salvage_close(ir_salvage *salvage);

#endif
