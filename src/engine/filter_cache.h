/* filter_cache.h: what filters let through, remembered until something is committed. */
#ifndef IR_ENGINE_FILTER_CACHE_H
#define IR_ENGINE_FILTER_CACHE_H

#include "catalog/catalog.h"
#include "index/segment.h"

typedef struct ir_filter_cache ir_filter_cache;

/* The regions that a filter lets through, shared by the queries that use it. */
typedef struct ir_filter_regions {
    int64_t *ids; /* ascending; never NULL */
    uint64_t count;
} ir_filter_regions;

int32_t ir_filter_cache_create(ir_filter_cache **out, imgret_error *error);

/* NULL is allowed. Nothing of it may be in use. */
void ir_filter_cache_free(ir_filter_cache *cache);

/* ir_catalog_filter_regions, those of `kinds` (IR_REGION_*; 0: all), or what it gave when nothing was
 * committed since, by anyone. Not
 * remembered: filters that exclude images or speak of the time. Any thread; *out is given back by
 * ir_filter_cache_release. */
int32_t ir_filter_cache_regions(ir_filter_cache *cache, ir_catalog *catalog,
                                const ir_catalog_filter *filter, uint32_t kinds,
                                const ir_filter_regions **out, imgret_error *error);

/* Which vectors of the segment, listed as `listed`, are among the regions: found at the first call, then remembered with the filter. *out is valid until the regions are released. Any
 * thread. */
int32_t ir_filter_cache_rows(ir_filter_cache *cache, const ir_filter_regions *regions,
                             const ir_segment *segment, const ir_catalog_segment *listed,
                             const ir_segment_rows **out, imgret_error *error);

/* NULL is allowed. */
void ir_filter_cache_release(ir_filter_cache *cache, const ir_filter_regions *regions);

#endif
