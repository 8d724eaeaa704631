/* reembed_inside.h: what the two halves of re-embedding share: reembed.c embeds, reembed_exchange.c exchanges. */
#ifndef IR_ENGINE_REEMBED_INSIDE_H
#define IR_ENGINE_REEMBED_INSIDE_H

#include "engine/database.h"
#include "engine/reembed_store.h"

/* Parts of a picture: a batch where there are regions. */
enum { IR_REEMBED_PARTS_MAX = 1 + IR_REGION_OBJECTS_MAX };

typedef struct ir_reembed_move {
    ir_database *database;
    const imgret_reembed_options *options;
    imgret_reembed_report *report;
    ir_call *call;
    char *model;    /* specification, paths absolute */
    char *path;     /* of the store */
    char *pca;      /* the principal components that the model names; NULL: none */
    char *pca_next; /* their copy until the exchange is done */
    ir_extractor *extractor;
    uint32_t dimension;
    ir_delta *codec; /* empty: it knows how the new vectors are stored */
    ir_pool *pool;   /* of its own: queries need not wait for a batch */
    ir_reembed_store *store;
    float *rows;      /* IR_REEMBED_PARTS_MAX x dimension */
    void *stored;     /* one vector */
    int64_t *missing; /* regions whose pictures cannot be had, ascending */
    uint64_t missing_count, missing_capacity;
    uint64_t missing_pictures; /* they are of */
    int64_t *regions;          /* as of the last look */
    uint64_t region_count;
    uint64_t next;       /* of them, while a segment is built */
    int64_t last_region; /* in the segment that was built; 0: none was */
} ir_reembed_move;

/* Lists the regions that there are now. */
int32_t ir_reembed_look(ir_reembed_move *move, imgret_error *error);

/* Embeds those of the last look that are neither kept nor known to be missing. */
int32_t ir_reembed_rest(ir_reembed_move *move, imgret_error *error);

/* Whether none of the last look is left to embed. */
bool ir_reembed_all_settled(const ir_reembed_move *move);

/* NOT_FOUND when pictures are missing and the host did not allow for that. */
int32_t ir_reembed_check_missing(const ir_reembed_move *move, imgret_error *error);

/* Builds a segment of what is kept and puts the new vectors in the place of the old ones. The caller has paused
 * optimizing. On failure nothing has changed. */
int32_t ir_reembed_exchange(ir_reembed_move *move, imgret_error *error);

#endif
