/* walker.h: from given files and folders to one file after another, in a set order. */
#ifndef IR_ENGINE_WALKER_H
#define IR_ENGINE_WALKER_H

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_walker ir_walker;

typedef struct ir_walker_entry {
    char *path;      /* absolute, ir_free; a folder's when it could not be read */
    bool named;      /* given by the caller, not met in a folder */
    int32_t failure; /* status when the path or folder cannot be read, else 0 */
    char message[256];
} ir_walker_entry;

/* Keeps `paths` until ir_walker_free. `passed_over` is a folder that is not entered (the database),
 * NULL for none. */
int32_t ir_walker_create(ir_walker **out, const char *const *paths, uint64_t path_count,
                         bool recurse, const char *passed_over, imgret_error *error);

/* *found is false at the end. Given paths come in their order, names in a folder in byte order, a
 * folder's content where its name stands. One thread at a time. */
int32_t ir_walker_next(ir_walker *walker, ir_walker_entry *out, bool *found, imgret_error *error);

void ir_walker_free(ir_walker *walker);

#endif
