/* vectors_fixture.h: a database of ready vectors for each test, and no memory left after it. */
#ifndef IR_TESTS_VECTORS_FIXTURE_H
#define IR_TESTS_VECTORS_FIXTURE_H

#include "base/alloc.h"
#include "vectors.h"

typedef struct fixture {
    char folder[256];
    char path[300]; /* of the database, in the folder */
    imgret *db;
} fixture;

static inline int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "vectors");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    f->db = open_vectors(f->path, 0, 0);
    *state = f;
    return f->db ? 0 : -1;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static inline void reopen(fixture *f)
{
    imgret_close(f->db);
    f->db = open_vectors(f->path, 0, 0);
    assert_non_null(f->db);
}

#endif
