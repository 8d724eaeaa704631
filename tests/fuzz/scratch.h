/* scratch.h: a folder for a fuzz target's database, removed when the process ends. */
#ifndef IR_TESTS_FUZZ_SCRATCH_H
#define IR_TESTS_FUZZ_SCRATCH_H

#include <ftw.h>
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char scratch_folder[64];
static void (*scratch_close)(void);

static inline int scratch_remove(const char *path, const struct stat *info, int kind,
                                 struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static inline void scratch_clean_up(void)
{
    if (scratch_close)
        scratch_close();
    nftw(scratch_folder, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes scratch_folder; `close_database` is called before it goes. */
static inline void scratch_make(void (*close_database)(void))
{
    const char *root = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%.32s/imgret-fuzz-XXXXXX",
             root && root[0] ? root : "/tmp");
    if (!mkdtemp(scratch_folder))
        abort();
    scratch_close = close_database;
    atexit(scratch_clean_up);
}

/* The same with a database in it; what the options lack is the library's choice. */
static inline imgret *scratch_open(const imgret_open_options *options, void (*close_database)(void))
{
    char path[96];
    imgret *db = NULL;
    scratch_make(close_database);
    snprintf(path, sizeof path, "%s/db.imgret", scratch_folder);
    if (imgret_open(&db, path, options, NULL) != IMGRET_OK)
        abort();
    return db;
}

#endif
