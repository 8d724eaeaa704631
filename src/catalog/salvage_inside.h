/* salvage_inside.h: what the files of a salvage share. */
#ifndef IR_CATALOG_SALVAGE_INSIDE_H
#define IR_CATALOG_SALVAGE_INSIDE_H

#include "catalog/internal.h"
#include "catalog/salvage.h"

struct ir_salvage {
    ir_salvage_options options;
    char *folder;  /* absolute */
    char *path;    /* of catalog.db */
    char *partial; /* the folder of the new one */
    char *grafted; /* the copy that is read */
    bool headless; /* the first page of catalog.db is lost, and with it the lock */
    char aside[32];
    int folder_lock; /* keeps out who builds, copies or salvages, too; -1: none */
    ir_connection
        lock; /* of catalog.db, in an exclusive transaction; closed where it is unreadable */
    ir_connection source; /* of the copy, which is read */
    int32_t version;      /* of the source's tables */
    ir_catalog *fresh;
    ir_salvage_counts counts;
    bool finished;
};

/* One line to the caller. */
int32_t ir_salvage_tell(ir_salvage *salvage, const char *message, imgret_error *error);

/* Copies the damaged file into `partial`, and mends there what can be mended without loss. A headless one,
 * whose first page said where everything is, gets that of a new catalogue (and its log is copied, too):
 * the tables of all catalogues that vacuum themselves begin on the same pages. IMGRET_CORRUPT when this
 * one's do not seem to. Sets `grafted`. */
int32_t ir_salvage_graft(ir_salvage *salvage, imgret_error *error);

/* Writes damaged inner pages of tables anew in a file that nobody has open; how many these were. */
int32_t ir_salvage_mend_pages(int fd, const char *path, uint32_t page_count, uint32_t *mended,
                              imgret_error *error);

#endif
