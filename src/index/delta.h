/* delta.h: the vectors not yet in a segment, in RAM: passed over by their codes, or compared. */
#ifndef IR_INDEX_DELTA_H
#define IR_INDEX_DELTA_H

#include "base/pool.h"
#include "base/region.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ir_delta ir_delta;

typedef struct ir_neighbor {
    int64_t id;   /* region id */
    double score; /* higher is more alike, as IMGRET_METRIC_* defines it */
} ir_neighbor;

typedef struct ir_delta_query {
    const float *vector; /* `dimension` finite floats */
    uint32_t k;          /* at least 1 */
    double score_min;    /* -INFINITY: none */
    int64_t excluded_id; /* not among the results; 0: none */
    ir_pool *pool;       /* shares the scan */
    /* Asked now and then, from any thread of the pool; true stops the search. NULL: never. */
    bool (*stop)(void *stop_context);
    void *stop_context;
    /* Ascending ids: only these are compared, and those that are not there are passed over. NULL:
     * all. With a count of 0 nothing is found. */
    const int64_t *allowed;
    uint64_t allowed_count;
    bool partial; /* when stopped: what was found by then, no error */
    /* IR_REGION_*: only ids of these kinds, and none of the picture of excluded_id; 0: ids say
     * nothing. */
    uint32_t kinds;
} ir_delta_query;

/* `dimension` is 1 to 65,536, `metric` IMGRET_METRIC_*, `vector_type` IMGRET_VECTOR_*, else
 * INVALID_ARGUMENT. */
int32_t ir_delta_create(ir_delta **out, uint32_t dimension, uint32_t metric, uint32_t vector_type,
                        imgret_error *error);
void ir_delta_free(ir_delta *delta);

/* Bytes of one vector as it is stored: dimension times 2 or 4. */
size_t ir_delta_vector_bytes(const ir_delta *delta);

/* Checks that `vector` is finite and within the stored type's range, and writes it in that type to
 * `out`, at any address. INVALID_ARGUMENT names the component at fault. Any thread. */
int32_t ir_delta_encode(const ir_delta *delta, const float *vector, void *out, imgret_error *error);
void ir_delta_decode(const ir_delta *delta, const void *stored, float *out);

/* Appends one stored vector, which may lie at any address; ids must ascend strictly, from 1. One
 * thread at a time; searches go on meanwhile and see it or do not. Errors: INVALID_ARGUMENT (the
 * id), CORRUPT (a component is not finite; names it and the id), LIMIT (1 TiB), NO_MEMORY; the
 * delta is then as before. */
int32_t ir_delta_append(ir_delta *delta, int64_t id, const void *stored, imgret_error *error);

/* Hides a vector from later searches; false when no such id is there. Any thread. */
bool ir_delta_remove(ir_delta *delta, int64_t id);

/* The stored bytes of a vector that is not removed, or NULL. They live as long as `delta`. */
const void *ir_delta_get(const ir_delta *delta, int64_t id);

/* Copies the vectors above `id` into a fresh delta, for ir_delta_drop, which then takes an instant.
 * Any thread, beside all calls but ir_delta_drop. */
int32_t ir_delta_prepare_drop(const ir_delta *delta, int64_t id, ir_delta **out,
                              imgret_error *error);

/* Forgets all vectors up to `id` (they are in a segment now); ids up to it are refused from then on. *rest is
 * what was prepared for this id, or NULL; it becomes what was forgotten, for ir_delta_free at leisure. No
 * search and no other call may be running. On failure nothing has changed. */
int32_t ir_delta_drop(ir_delta *delta, int64_t id, ir_delta **rest, imgret_error *error);

int64_t ir_delta_last_id(const ir_delta *delta); /* 0 when nothing was ever appended or dropped */
uint64_t ir_delta_count(const ir_delta *delta);  /* vectors that are searched */
uint64_t ir_delta_ram_bytes(const ir_delta *delta);

/* The k nearest with exact scores, by (score descending, id ascending) into `out` (room for k). *scanned (may be
 * NULL) counts compared vectors, removed ones included. A large delta is first looked through by
 * codes of one bit a dimension, which lose one of the k nearest in some 30,000. Errors: INTERRUPTED when `stop` said so,
 * INVALID_ARGUMENT when k is 0, score_min NaN or the query not finite, NO_MEMORY; *out_count is
 * 0 then. Any thread. */
int32_t ir_delta_search(const ir_delta *delta, const ir_delta_query *query, ir_neighbor *out,
                        uint32_t *out_count, uint64_t *scanned, imgret_error *error);

typedef struct ir_delta_result {
    ir_neighbor *neighbors; /* room for k, given by the caller */
    uint32_t count;
    uint64_t scanned;   /* vectors compared */
    uint64_t estimated; /* vectors looked at by their codes first */
    bool partial;       /* it was stopped, and the query allows that */
} ir_delta_result;

/* The same for `count` queries that go over the vectors together, so that each is fetched once; pool,
 * stop, partial and allowed ids are those of the first. A failure is that of all; counts are 0 then. */
int32_t ir_delta_search_many(const ir_delta *delta, const ir_delta_query *queries, uint32_t count,
                             ir_delta_result *results, imgret_error *error);

#endif
