/* staging.h: a folder that is filled aside and then appears under its name, whole and durable. */
#ifndef IR_ENGINE_STAGING_H
#define IR_ENGINE_STAGING_H

#include <imgret/imgret.h>

/* All zeros is one that was not begun. */
typedef struct ir_staging {
    char *path;    /* absolute, where it will appear */
    char *partial; /* PATH.imgret-partial, where it is filled */
    char *parent;  /* the folder that holds both */
    int fd;        /* of `partial`, with a lock on it; valid while `partial` is there */
} ir_staging;

/* Makes the folder to fill. What a process that died left there is removed; one that is being
 * filled is IMGRET_BUSY. IMGRET_EXISTS when something stands at `path`, NOT_FOUND when its parent
 * does not exist. End it with ir_staging_finish or ir_staging_drop. */
int32_t ir_staging_begin(ir_staging *staging, const char *path, imgret_error *error);

/* The files in it must be durable already. Renames the folder and makes the name durable. On
 * failure all is removed, unless only the last step failed (IMGRET_IO, FULL). */
int32_t ir_staging_finish(ir_staging *staging, imgret_error *error);

/* Removes what was filled in. Harmless when not begun, or finished. */
void ir_staging_drop(ir_staging *staging);

#endif
