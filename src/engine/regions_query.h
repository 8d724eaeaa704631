/* regions_query.h: what a query has to know of regions: kinds, groups, boxes of results. */
#ifndef IR_ENGINE_REGIONS_QUERY_H
#define IR_ENGINE_REGIONS_QUERY_H

#include "engine/database.h"

/* The IR_REGION_* that a search (IMGRET_SEARCH_*) compares; 0 without regions. */
uint32_t ir_regions_kinds(const ir_regions *regions, uint32_t search);

/* Drops the ids of other kinds (0: none) from an array; returns how many are left. */
uint64_t ir_regions_keep_kinds(int64_t *ids, uint64_t count, uint32_t kinds);

/* Keeps the best neighbour of each picture, at most k of them, in order; `neighbors` are best first.
 * *count becomes how many are left. */
int32_t ir_regions_group(ir_neighbor *neighbors, uint32_t *count, uint32_t k, imgret_error *error);

/* Fills in what region each hit is: hit i is of `regions[i]` unless that is gone. Within the snapshot
 * that the hits are from. */
int32_t ir_regions_describe_hits(imgret_results *results, ir_catalog *catalog,
                                 const int64_t *regions, uint32_t count, imgret_error *error);

/* The ordinal of an image's main object; NOT_FOUND when it has none. */
int32_t ir_regions_main_of(ir_catalog *catalog, int64_t id, uint32_t *ordinal, imgret_error *error);

/* imgret_get_regions. */
int32_t ir_regions_of(imgret_regions **out, ir_database *database, int64_t id, imgret_error *error);

#endif
