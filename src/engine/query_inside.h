/* query_inside.h: what the files that answer queries share: the queries of one call. */
#ifndef IR_ENGINE_QUERY_INSIDE_H
#define IR_ENGINE_QUERY_INSIDE_H

#include "engine/database.h"

/* One query on its way. */
typedef struct ir_asked {
    const imgret_input *input;
    float *vector;  /* `dimension` floats */
    int64_t region; /* of an INPUT_ID, else 0 */
} ir_asked;

/* The queries of one call, or a part of them that is answered from one state. */
typedef struct ir_query_work {
    ir_database *database;
    const imgret_query_options *options;
    ir_call *call;
    uint32_t kinds; /* IR_REGION_* that are searched; 0: the database has no regions */
    const ir_filter_regions *allowed; /* NULL: there is no filter */
    ir_asked *asked;
    uint32_t count;
    imgret_results **out; /* one for each of `asked` */
    uint64_t started_us;  /* of the call */
    bool alone;           /* the call has one query: messages need not say which */
    uint64_t first;       /* number of asked[0] in the call, for messages */
} ir_query_work;

/* Prefixes the failure of asked[index] with the query's number where there are several. */
int32_t ir_query_fail(const ir_query_work *work, uint32_t index, const imgret_error *reason,
                      imgret_error *error);

/* Fills the vectors of all but INPUT_ID: ready ones are copied, pictures go through the model
 * together. */
int32_t ir_query_vectors(const ir_query_work *work, imgret_error *error);

/* The vectors there are to be found, or a few more. */
uint64_t ir_query_vectors_at_most(ir_database *database);

/* Searches delta and segments for all queries, and fills work->out from one snapshot of the
 * catalogue. *outdated: a commit came between, nothing is in work->out, and the search has to be
 * repeated. */
int32_t ir_query_search(const ir_query_work *work, const ir_database_view *view, bool *outdated,
                        imgret_error *error);

#endif
