/* search.h: one query's way through a segment: the walk over codes, and what to read. */
#ifndef IR_INDEX_SEARCH_H
#define IR_INDEX_SEARCH_H

#include "index/rows.h"
#include "index/segment_state.h"

enum { IR_LINE_BYTES = 64 };

/* A vector that may be among the results. */
typedef struct ir_candidate {
    double score; /* estimated until it was read */
    int64_t id;
    float key, error;
    uint32_t slot;
    bool wanted; /* to be read */
    bool exact;
} ir_candidate;

/* Rows of the graph that one query waits for at most. */
#define IR_QUERY_NODES_MAX 4

/* What the next step of a walk does. */
enum {
    IR_STAGE_NEXT,   /* takes up the nearest open node */
    IR_STAGE_SIGNS,  /* coarse keys of `fresh` */
    IR_STAGE_RANKS,  /* full keys of `passed` */
    IR_STAGE_CLOSER, /* the walk is over: full keys of candidates */
};

/* Codes of slots are on their way to the cache. */
static inline void ir_fetch_rows(const uint8_t *base, size_t stride, const uint32_t *slots,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = base + (size_t)slots[i] * stride;
        for (size_t at = 0; at < stride; at += IR_LINE_BYTES)
            __builtin_prefetch(row + at);
        __builtin_prefetch(row + stride - 1);
    }
}

/* One query in flight; its memory is used again by the next. */
typedef struct ir_query {
    const ir_search *search; /* the caller's; NULL: idle */
    ir_search_result *result;
    ir_code_query code;
    void *code_memory;
    float *loaded; /* the query normalised; then centred and spent */
    float *rotated;
    double squared; /* the query's squared length */
    ir_beam beam;
    uint32_t beam_room;
    ir_visited visited;
    uint32_t stage;  /* IR_STAGE_* */
    uint32_t *fresh; /* slots met for the first time: room for the degree and all entries */
    uint32_t fresh_count;
    uint32_t *passed; /* those of them that could enter the beam; as much room */
    uint32_t passed_count;
    uint64_t width;      /* of the beam as wished; at most the number of vectors is used */
    uint32_t border;     /* place in the beam of what the walk measures by; 0: none */
    float far;           /* times its key is too far */
    uint64_t hops_least; /* before anything is too far */
    bool thorough;       /* goes through all of the beam */
    bool coarse;         /* the walk goes by coarse keys; the candidates get full ones after it */
    bool walking;        /* the candidates are not settled yet */
    bool others_offered; /* all entries were offered, not the nearest alone */
    bool blocked;        /* cannot go on before rows are read */
    bool cut;            /* stopped, and the best so far is wanted */
    uint32_t nodes_wanted[IR_QUERY_NODES_MAX]; /* slots whose rows are to be read */
    uint32_t nodes_wanted_count;
    uint32_t nodes_pending; /* such reads in flight */
    ir_candidate *candidates;
    uint32_t candidate_count, candidate_room;
    uint32_t closer_count, closer_at; /* candidates that get full keys, and those that have them */
    uint32_t next_wanted;             /* candidates before it are queued or need no read */
    uint32_t pending;                 /* reads in flight, of rows and vectors */
    uint64_t waiting_since_us;        /* with reads in flight */
    int32_t status;
    ir_search_stats stats;
} ir_query;

/* Room to work in that the queries of one thread share. */
typedef struct ir_walk_tools {
    uint32_t *neighbors; /* degree each */
    uint32_t *fresh;
    uint32_t *passed;
    float *keys;
    float *errors;
    float *centroid_squares;
} ir_walk_tools;

int32_t ir_walk_tools_create(ir_walk_tools *out, const ir_segment *segment, imgret_error *error);
void ir_walk_tools_free(ir_walk_tools *tools);

int32_t ir_query_create(ir_query *out, const ir_segment *segment, imgret_error *error);
void ir_query_free(ir_query *query);

/* Prepares the query in query->search; ir_query_advance follows while it is walking. */
int32_t ir_query_start(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                       imgret_error *error);

/* One short step of a query that is walking and not blocked. After it `blocked` is true when rows
 * are missing (nodes_wanted, to be read by the caller), and `walking` is false at the end: then the
 * candidates are there, nearest first, those to be read marked. */
int32_t ir_query_advance(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                         imgret_error *error);

/* Asks the caller's stop: INTERRUPTED, or, where the best so far is wanted, query->cut is set. */
int32_t ir_query_heed_stop(ir_query *query, imgret_error *error);

/* Takes up a node whose row was read, of a query that is walking; ir_query_advance follows. */
int32_t ir_query_take_row(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                          uint32_t slot, const uint8_t *row, imgret_error *error);

/* Coarse keys of `count` slots; those that miss the beam by no more than `slack` standard deviations
 * go to `passed`, whose number is returned. Without more bits to come they enter the beam at once, and
 * none is left. */
uint32_t ir_query_sieve(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                        const uint32_t *slots, uint32_t count, float slack, uint32_t *passed);

/* All the bits of what came through the sieve, into the beam. */
void ir_query_rank(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                   const uint32_t *slots, uint32_t count);

/* An empty beam of `width`. */
int32_t ir_query_start_beam(ir_query *query, uint32_t width, imgret_error *error);

/* ---- search_rows.c: the rows of a filter ---- */

/* Whether comparing search->rows one by one costs less than walking the graph. */
bool ir_query_prefers_rows(const ir_query *query, const ir_segment *segment);

/* The width of a walk that meets as many of the rows as it would meet vectors without a filter. */
uint64_t ir_query_width_among_rows(const ir_query *query, const ir_segment *segment);

/* Fills the beam with the nearest of search->rows. */
int32_t ir_query_scan_rows(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                           imgret_error *error);

/* Whether the vector in a slot, `id`, may be a result, as far as rows and search->allowed say. */
bool ir_query_allows(const ir_search *search, uint32_t slot, int64_t id);

/* ---- search_settle.c ---- */

/* The beam's allowed entries become the candidates. */
int32_t ir_query_gather(ir_query *query, const ir_segment *segment, imgret_error *error);

/* Chooses the candidates that get full keys after a walk by coarse ones; ir_query_look_closer follows
 * while the stage is IR_STAGE_CLOSER: it finds the keys of some, then ends the walk. */
void ir_query_begin_closer(ir_query *query, const ir_segment *segment);
void ir_query_look_closer(ir_query *query, const ir_segment *segment);

/* Marks what has to be read. */
void ir_query_choose_reads(ir_query *query);

/* The exact score of a candidate, from its record. */
void ir_query_settle(ir_query *query, const ir_segment *segment, uint32_t candidate,
                     const uint8_t *record);

/* The best k into the result, once no read is pending. */
void ir_query_finish(ir_query *query);

#endif
