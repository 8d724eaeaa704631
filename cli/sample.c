/* sample.c: the picture files below some paths, in a random order that comes again. */
#include "sample.h"

#include "message.h"
#include "session.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool add(cli_files *files, const char *path)
{
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 1024;
        char **items = realloc(files->items, capacity * sizeof *items);
        if (!items)
            return false;
        files->items = items;
        files->capacity = capacity;
    }
    files->items[files->count] = strdup(path);
    return files->items[files->count++] != NULL;
}

static bool is_file(const FTSENT *entry)
{
    struct stat info;
    return entry->fts_info == FTS_F || (entry->fts_info == FTS_SL &&
                                        stat(entry->fts_path, &info) == 0 && S_ISREG(info.st_mode));
}

/* Folders in the order of their names: the same tree gives the same list everywhere. */
static int compare_names(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool walk(cli_files *files, const char *path)
{
    char *roots[] = {(char *)path, NULL}; /* fts does not write to it */
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare_names);
    FTSENT *entry;
    bool good = true;
    if (!tree) {
        cli_error("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    while (good && (entry = fts_read(tree)) != NULL) {
        if (cli_session_is_interrupted()) {
            good = false;
        } else if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
            fts_set(tree, entry, FTS_SKIP);
        } else if (entry->fts_level == 0 && entry->fts_info == FTS_NS) {
            cli_error("cannot read %s: %s", path, strerror(entry->fts_errno));
            good = false;
        } else if (is_file(entry) && !add(files, entry->fts_path)) {
            cli_error("out of memory");
            good = false;
        }
    }
    fts_close(tree);
    return good;
}

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* Fisher and Yates' shuffle. */
static void shuffle(cli_files *files, uint64_t seed)
{
    for (size_t i = files->count; i > 1; i--) {
        size_t other = (size_t)(next_random(&seed) % i);
        char *item = files->items[i - 1];
        files->items[i - 1] = files->items[other];
        files->items[other] = item;
    }
}

bool cli_files_shuffled(cli_files *files, const char *const *paths, size_t path_count,
                        uint64_t seed)
{
    for (size_t i = 0; i < path_count; i++)
        if (!walk(files, paths[i]))
            return false;
    shuffle(files, seed);
    return true;
}

void cli_files_free(cli_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i]);
    free(files->items);
    *files = (cli_files){0};
}
