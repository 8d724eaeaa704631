/* segments.h: the segment files of an open database, and how searches and replacing them agree.
 *
 * Invariants:
 *  1. Every region's vector is in the delta or in exactly one segment: a segment covers the regions
 *     from first_region to last_region, the delta has what lies above the last segment.
 *  2. Who searches or fetches vectors holds `layout` for reading; who replaces segments (and drops
 *     from the delta what they cover) holds it for writing, for an instant: building goes on before.
 *  3. Regions that were removed stay in their segment until it is rebuilt; `tombstones` has them.
 *  4. Queries wait for a replacement, so it must not take long: a segment that stays listed stays open;
 *     who builds one opens it, and copies the rest of the delta, beforehand (`ready`) and under no lock;
 *     and what was replaced is closed after the locks were left (`gone`).
 */
#ifndef IR_ENGINE_SEGMENTS_H
#define IR_ENGINE_SEGMENTS_H

#include "catalog/catalog.h"
#include "engine/filter_cache.h"
#include "index/delta.h"
#include "index/segment.h"
#include "index/tombstones.h"

#include <pthread.h>

typedef struct ir_open_segment {
    ir_catalog_segment listed;
    ir_segment *file;
    uint32_t code_bits; /* in RAM */
    ir_effort_curves curves;
    uint64_t ram_bytes_max; /* it was opened with */
    bool damaged;           /* `file` is a stand-in */
    bool borrowed;          /* `file` is another list's too, until that one is replaced */
} ir_open_segment;

/* Segments, and a delta, of which only the owner knows. */
typedef struct ir_segments_bag {
    ir_open_segment *open;
    uint32_t count;
    ir_delta *delta;     /* NULL: none */
    int64_t last_region; /* that the delta has no longer */
} ir_segments_bag;

typedef struct ir_segments {
    pthread_rwlock_t layout;
    ir_open_segment *open; /* by ascending regions */
    uint32_t count;
    ir_tombstones *tombstones;
    uint64_t ram_bytes_max; /* for codes and graphs of all segments; 0: no limit */
    ir_pool *pool;          /* shares the work of opening them; NULL: nobody does */
    /* Under the lock of ir_segments_follow's caller: */
    ir_segments_bag *ready; /* NULL: nobody is about to replace segments */
    ir_segments_bag gone;
} ir_segments;

int32_t ir_segments_init(ir_segments *segments, uint64_t ram_bytes_max, imgret_error *error);
void ir_segments_close(ir_segments *segments);

/* Brings the open segments in line with the catalogue's list, and delta and tombstones with them:
 * opens what is new and not `ready`, puts what is gone into `gone`. Takes `layout` for writing where
 * something changed. The caller holds the lock that keeps others from appending and from adding tombstones. */
int32_t ir_segments_follow(ir_segments *segments, ir_catalog *catalog, ir_delta *delta,
                           imgret_error *error);

/* Opens what a list that is about to be committed has and is not open, and copies the rest of the delta; by the
 * thread that alone may replace segments, under no lock. Free *out with ir_segments_bag_free. */
int32_t ir_segments_prepare(const ir_segments *segments, const ir_catalog *catalog,
                            const ir_delta *delta, const ir_catalog_segment *listed, uint32_t count,
                            ir_segments_bag *out, imgret_error *error);

/* Hands over what is gone, under the lock of ir_segments_follow, to be freed without it: nothing while
 * something is ready, whose owner will ask. */
ir_segments_bag ir_segments_take_gone(ir_segments *segments);
void ir_segments_bag_free(ir_segments_bag *bag);

/* The stored vector of a region that is in a segment; NOT_FOUND when none covers it. Under
 * `layout`. */
int32_t ir_segments_get(ir_segments *segments, int64_t region, void *stored, imgret_error *error);

/* The same for a region of an older state than the one in memory: tombstones are not looked at. Takes
 * `layout`. CORRUPT when no segment has it. */
int32_t ir_segments_read(ir_segments *segments, int64_t region, void *stored, imgret_error *error);

typedef struct ir_segments_query {
    const ir_delta_query
        *queries; /* what is asked; pool, stop, partial and allowed ids are the first's */
    ir_filter_cache *filters;        /* of the next */
    const ir_filter_regions *filter; /* the allowed ids; NULL: all are */
    uint32_t count;
    uint32_t effort;       /* 0: the default */
    bool estimated;        /* results that are certain are not read */
    float target_recall;   /* above 0: chooses the effort */
    uint32_t effort_used;  /* filled: the greatest */
    float expected_recall; /* filled: the least that was measured for it; 0: it was not */
    bool any_searched;     /* filled */
} ir_segments_query;

/* Adds what the segments find to the neighbours that each of `found` has (room for the query's k),
 * keeps the best k, and adds up their stats. Under `layout`. */
int32_t ir_segments_search(ir_segments *segments, ir_segments_query *asked, ir_search_result *found,
                           imgret_error *error);

/* Reads a whole segment file as ir_segment_check does; that it is missing, or not the one that is
 * listed, is a problem like others. */
int32_t ir_segments_check_one(const ir_catalog *catalog, const ir_catalog_segment *listed,
                              bool (*problem)(void *context, const char *message), void *context,
                              uint64_t *problem_count, imgret_error *error);

/* "FOLDER/segments" and the file of a segment, in fresh memory. */
char *ir_segments_folder(const ir_catalog *catalog);
char *ir_segments_path(const ir_catalog *catalog, int64_t id);

#endif
