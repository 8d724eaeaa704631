/* place.h: the folder of a test and the path of the database in it, as a cmocka fixture. */
#ifndef IR_TESTS_PLACE_H
#define IR_TESTS_PLACE_H

#include "pictures.h"

#include "base/alloc.h"

typedef struct fixture {
    char folder[256];
    char path[300]; /* of the database, which the test makes */
} fixture;

static inline int make_place(void **state, const char *name)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, name);
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    *state = f;
    return 0;
}

/* Fails where the test has left memory behind. */
static inline int leave_place(void **state)
{
    fixture *f = *state;
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

#endif
