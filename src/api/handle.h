/* handle.h: what the opaque handles of imgret.h are made of, and the checks every call begins with. */
#ifndef IR_API_HANDLE_H
#define IR_API_HANDLE_H

#include "base/arena.h"
#include "engine/database.h"

#include <imgret/imgret.h>
#include <sys/types.h>

struct imgret {
    ir_database *database;
    pid_t owner; /* the process that opened it */
};

struct imgret_extractor {
    pthread_mutex_t lock; /* of the four that follow */
    ir_extractor *extractor;
    imgret_extractor_info
        info; /* of it; its strings are in the arena: they outlive a replaced one */
    ir_arena names;
    ir_extractor_options options;
    char *plugin_path; /* the one of `options` */
    ir_pool *pool;
    imgret_limits limits;
    pid_t owner;
};

/* INVALID_ARGUMENT for NULL, FORKED in a child of the process that opened the handle. */
int32_t ir_handle_check(const imgret *db, imgret_error *error);
int32_t ir_handle_check_extractor(const imgret_extractor *extractor, imgret_error *error);

/* INVALID_ARGUMENT when a pointer that `what` needs is NULL. */
int32_t ir_handle_need(const void *pointer, const char *what, imgret_error *error);

#endif
