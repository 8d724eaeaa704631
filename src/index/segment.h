/* segment.h: an immutable file of vectors with a graph over them, searched from disk. */
#ifndef IR_INDEX_SEGMENT_H
#define IR_INDEX_SEGMENT_H

#include "base/pool.h"
#include "index/delta.h"
#include "io/io.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ir_segment ir_segment;

/* ---- Building ------------------------------------------------------------------------------- */

typedef struct ir_segment_spec {
    uint32_t dimension;      /* 2 to 4,096 */
    uint32_t metric;         /* IMGRET_METRIC_* */
    uint32_t vector_type;    /* IMGRET_VECTOR_* */
    uint32_t code_bits;      /* 1 to 8; 0: 5 */
    uint32_t degree;         /* of the graph; 0: 32 */
    uint32_t beam;           /* candidates while building; 0: 96 */
    float alpha;             /* of the pruning; 0: 1.05 */
    uint32_t centroid_count; /* 1 to 256; 0: by the number of vectors */
    uint64_t seed;
    uint64_t memory_bytes_max; /* of allocations; 0: no limit. Where all at once takes more, parts
                                * of the work go to unnamed files in the folder of the segment */
    ir_pool *pool;
    /* Called now and then on the calling thread with the share that is done; true stops with
     * IMGRET_INTERRUPTED. NULL: never. */
    bool (*stop)(void *context, double done);
    void *context;
    /* NULL, or an open segment (no limit of RAM) of equal dimension, metric and vector type whose
     * vectors become part of the new one beside those that `next` gives: all but the `dropped`
     * (NULL: none). Its codes and graph are taken over and the others inserted, unless it has
     * fewer vectors than come or other code bits or degree: then all is built anew. */
    ir_segment *base;
    bool (*dropped)(void *context, int64_t id);
    void *dropped_context;
} ir_segment_spec;

/* Gives the next vector: 1 with *id (ascending strictly) and *stored (dimension values of the
 * vector type, valid until the next call), 0 at the end, or a negative status with `error`. */
typedef int32_t (*ir_segment_next_fn)(void *context, int64_t *id, const void **stored,
                                      imgret_error *error);

typedef struct ir_segment_report {
    uint64_t vector_count;
    uint64_t file_bytes;
    uint64_t memory_bytes; /* most that building took */
    uint64_t encode_us, graph_us, total_us;
    uint64_t identity;    /* as in ir_segment_info */
    uint64_t taken_count; /* of vectors whose codes and edges came from the base */
} ir_segment_report;

/* Builds the file `path`; until it is durable it has the name `path`.tmp. Equal vectors, ids, spec
 * and seed give the same file, whatever the number of threads; where memory_bytes_max makes it build
 * in parts, what threads take of it counts as well. `report` may be NULL.
 * Errors: INVALID_ARGUMENT (not finite, ids not ascending), LIMIT (memory: names the least that
 * works), INTERRUPTED, FULL, IO, NO_MEMORY, and what `next` returned. */
int32_t ir_segment_build(const char *path, const ir_segment_spec *spec, ir_segment_next_fn next,
                         void *next_context, ir_segment_report *report, imgret_error *error);

/* ---- Opening -------------------------------------------------------------------------------- */

typedef struct ir_segment_open_options {
    uint64_t ram_bytes_max; /* for codes and graph; 0: no limit. Filled in this order: sign codes,
                             * graph, rank codes; the rest of the graph is read while searching */
    uint32_t io_kind;       /* IR_IO_* */
    ir_io_fault_fn fault;   /* with IR_IO_FAULTY */
    void *fault_context;
    bool keeps_vectors; /* what codes and graph leave of ram_bytes_max goes to the vectors that
                        * searches read most often */
    bool
        vectors_only; /* loads what ir_segment_get needs: for a segment whose other parts are damaged;
                        * it cannot be searched */
    uint64_t vector_bytes_max; /* they take no more than this, and so much without a ram_bytes_max;
                                * 0: they take what there is */
    ir_pool
        *pool; /* shares the work of cutting codes to fit ram_bytes_max; NULL: done alone. Not used
                    * once the segment is open */
} ir_segment_open_options;

/* Opens and checks a segment. Errors: NOT_FOUND, CORRUPT (names file and page), VERSION_TOO_NEW,
 * LIMIT (RAM: names the least that works), IO, NO_MEMORY. Close *out with ir_segment_close. */
int32_t ir_segment_open(ir_segment **out, const char *path, const ir_segment_open_options *options,
                        imgret_error *error);
void ir_segment_close(ir_segment *segment);

/* A stand-in for a segment that cannot be opened: searching it or reading from it is IMGRET_CORRUPT
 * with the message `damage`. Fails with NO_MEMORY only. */
int32_t ir_segment_open_damaged(ir_segment **out, const char *path, const char *damage,
                                imgret_error *error);

typedef struct ir_segment_info {
    uint64_t vector_count;
    uint64_t file_bytes;
    uint32_t dimension, metric, vector_type, code_bits, degree, centroid_count;
    uint64_t sign_bytes, rank_bytes, graph_bytes, id_bytes, check_bytes, other_bytes; /* RAM */
    uint64_t vector_bytes;        /* RAM of vectors that searches need not read */
    uint64_t graph_bytes_on_disk; /* read while searching */
    uint32_t code_bits_in_ram;
    uint32_t io_kind;  /* IR_IO_* in use, 0 before the first search */
    bool direct;       /* reads pass by the page cache */
    uint64_t identity; /* of the content; the catalogue may compare it */
} ir_segment_info;

void ir_segment_get_info(const ir_segment *segment, ir_segment_info *out);

/* Copies the stored vector of `id`; NOT_FOUND when it is not in the segment. Any thread. */
int32_t ir_segment_get(ir_segment *segment, int64_t id, void *stored, imgret_error *error);

/* Whether `id` is in the segment. Any thread. */
bool ir_segment_has(const ir_segment *segment, int64_t id);

/* The id of the vector in one of the slots from 0 to vector_count - 1; they ascend. Any thread. */
int64_t ir_segment_id(const ir_segment *segment, uint32_t slot);

/* Reads all vectors in the order of their ids, many at a time, checked. `segment` must outlive it.
 * One thread at a time. */
typedef struct ir_segment_scan ir_segment_scan;
int32_t ir_segment_scan_create(ir_segment_scan **out, ir_segment *segment, imgret_error *error);
void ir_segment_scan_free(ir_segment_scan *scan);

/* 1 with the next vector (valid until the next call), 0 at the end, or a negative status. */
int32_t ir_segment_scan_next(ir_segment_scan *scan, int64_t *id, const void **stored,
                             imgret_error *error);

/* Reads the whole file; each problem is reported with a one-line message that lives until the
 * callback returns; it returns true to stop. */
int32_t ir_segment_check(const char *path, bool (*problem)(void *context, const char *message),
                         void *context, uint64_t *problem_count, imgret_error *error);

/* ---- Searching ------------------------------------------------------------------------------ */

/* The vectors of a segment that a filter lets through, for any number of its searches. */
typedef struct ir_segment_rows ir_segment_rows;

/* Those of the `count` ascending ids that are in the segment. Takes one step through the ids of both;
 * *out is freed with ir_segment_rows_free. Any thread. Fails with NO_MEMORY only. */
int32_t ir_segment_rows_create(ir_segment_rows **out, const ir_segment *segment, const int64_t *ids,
                               uint64_t count, imgret_error *error);
void ir_segment_rows_free(ir_segment_rows *rows);
uint64_t ir_segment_rows_count(const ir_segment_rows *rows);
uint64_t ir_segment_rows_bytes(const ir_segment_rows *rows); /* of memory */

/* Flags of a search. */
#define IR_SEARCH_ESTIMATED \
    1u /* results certain to be in are not read: their scores are estimates */
#define IR_SEARCH_SIGNS_ONLY 4u /* as if no more than one bit a dimension was in RAM */
#define IR_SEARCH_PARTIAL 2u    /* when stopped: the best so far, some scores estimated, no error */

typedef struct ir_search {
    const float *vector; /* `dimension` finite floats */
    uint32_t k;          /* at least 1 */
    uint32_t flags;      /* IR_SEARCH_* */
    uint32_t effort;     /* width of the beam; 0: a default; never less than k */
    float certainty; /* standard deviations that settle a candidate unread; 0: 1 to 5, the more the
                          * greater the effort */
    int64_t excluded_id; /* not among the results; 0: none */
    /* Whether an id may be a result: tombstones and filters. NULL: every id. Any thread. */
    bool (*allowed)(void *context, int64_t id);
    void *allowed_context;
    /* When not NULL only these may be results. Few of them are compared one by one by their codes, many
     * by a walk as much wider as they are rarer: what costs less. Never fewer than min(k, those that are
     * there) results. */
    const ir_segment_rows *rows;
    bool rare; /* few ids may be allowed: a walk widens only until it met what `effort` asks for */
    bool (*stop)(void *context); /* asked now and then, from any thread; NULL: never */
    void *stop_context;
    uint32_t hidden_slot; /* 1 + the slot of a vector that the walk does not see; 0: none */
} ir_search;

typedef struct ir_search_stats {
    uint64_t reads, read_bytes; /* of the graph included */
    uint64_t graph_reads;
    uint64_t hops;           /* nodes expanded */
    uint64_t sign_estimates; /* coarse keys */
    uint64_t rank_estimates; /* keys from all code bits in RAM */
    uint64_t reranks;        /* exact distances */
    uint64_t wait_us;        /* the query could not go on before reads had come */
} ir_search_stats;

typedef struct ir_search_result {
    ir_neighbor *neighbors; /* room for k, given by the caller */
    uint32_t count;
    int32_t status;        /* of this query; in a batch the others go on */
    bool partial;          /* with IR_SEARCH_PARTIAL: it was stopped */
    bool estimated;        /* some scores are estimates */
    ir_search_stats stats; /* of this query, filled */
} ir_search_result;

void ir_search_stats_add(ir_search_stats *sum, const ir_search_stats *more);

/* Finds the k nearest by (score descending, id ascending). stats (may be NULL) are added to. Any
 * thread. Errors: IO, CORRUPT (a page that was read is damaged), INTERRUPTED, NO_MEMORY. */
int32_t ir_segment_search(ir_segment *segment, const ir_search *search, ir_neighbor *out,
                          uint32_t *out_count, ir_search_stats *stats, imgret_error *error);

/* The same for many queries, several at once on each thread of `pool`. Returns the first status
 * that is not IMGRET_OK; results[i].status tells each. */
int32_t ir_segment_search_batch(ir_segment *segment, const ir_search *searches, uint32_t count,
                                ir_search_result *results, ir_pool *pool, ir_search_stats *stats,
                                imgret_error *error);

/* ---- Effort and recall ---------------------------------------------------------------------- */

enum { IR_CURVE_POINTS_MAX = 14, IR_CURVES_MAX = 3 };

typedef struct ir_effort_point {
    uint32_t effort;
    float recall; /* of the k nearest */
} ir_effort_point;

/* What was measured for one k and number of code bits in RAM. */
typedef struct ir_effort_curve {
    uint32_t k;
    uint32_t code_bits;
    uint32_t count;
    ir_effort_point points[IR_CURVE_POINTS_MAX]; /* by ascending effort */
} ir_effort_curve;

typedef struct ir_effort_curves {
    uint32_t count; /* 0: nothing was measured */
    ir_effort_curve curves[IR_CURVES_MAX];
} ir_effort_curves;

typedef struct ir_calibration {
    ir_pool *pool;
    bool (*stop)(void *context); /* from any thread; NULL: never */
    void *context;
    /* Called between measurements on the calling thread with the share that is done; true stops with
     * IMGRET_INTERRUPTED. NULL: never. */
    bool (*report)(void *context, double done);
} ir_calibration;

/* Measures an open segment, best with all its code bits in RAM, by queries that it holds itself,
 * each hidden from its own search. Errors: as of a search. */
int32_t ir_segment_calibrate(ir_segment *segment, const ir_calibration *how, ir_effort_curves *out,
                             imgret_error *error);

/* Whether curves of a segment that `segment` grew out of tell what its searches find as well: asked
 * at one effort of each, at a fraction of the cost of measuring. Errors: as of a search. */
int32_t ir_segment_confirm(ir_segment *segment, const ir_effort_curves *curves,
                           const ir_calibration *how, bool *holds, imgret_error *error);

/* The effort that finds `target` (0.5 to 0.9999) of the k nearest where `code_bits` bits are in RAM;
 * *expected is the recall that was measured for it, below the target where that was never reached.
 * 0, and 0 expected, when nothing was measured. */
uint32_t ir_effort_for(const ir_effort_curves *curves, uint32_t code_bits, uint32_t k, float target,
                       float *expected);

/* What a caller's effort has to become where only `code_bits` bits are in RAM, so that the recall
 * measured for it with all bits is kept; the same effort when nothing was measured. */
uint32_t ir_effort_with_bits(const ir_effort_curves *curves, uint32_t code_bits, uint32_t k,
                             uint32_t effort);

#endif
