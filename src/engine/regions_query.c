/* regions_query.c: what a query has to know of regions: kinds, groups, boxes of results. */
#include "engine/regions_query.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/results.h"

struct imgret_regions {
    ir_arena labels;
    uint32_t count;
    imgret_region items[1 + IR_REGION_OBJECTS_MAX];
};

uint32_t ir_regions_kinds(const ir_regions *regions, uint32_t search)
{
    if (!regions)
        return 0;
    return search == IMGRET_SEARCH_BOTH      ? IR_REGION_WHOLE | IR_REGION_OBJECT
           : search == IMGRET_SEARCH_OBJECTS ? IR_REGION_OBJECT
                                             : IR_REGION_WHOLE;
}

uint64_t ir_regions_keep_kinds(int64_t *ids, uint64_t count, uint32_t kinds)
{
    uint64_t kept = 0;
    if (kinds == 0)
        return count;
    for (uint64_t i = 0; i < count; i++)
        if (ir_region_is_wanted(ids[i], kinds, 0))
            ids[kept++] = ids[i];
    return kept;
}

/* ---- groups ---- */

/* A set of turns: open addressing, at most half full; no turn is 0. */
typedef struct turn_set {
    int64_t *turns;
    uint64_t mask;
} turn_set;

/* False when it is there already. */
static bool add_turn(turn_set *set, int64_t turn)
{
    uint64_t at = (uint64_t)turn * 0x9E3779B97F4A7C15u >> 20 & set->mask;
    while (set->turns[at] != 0 && set->turns[at] != turn)
        at = (at + 1) & set->mask;
    bool fresh = set->turns[at] == 0;
    set->turns[at] = turn;
    return fresh;
}

int32_t ir_regions_group(ir_neighbor *neighbors, uint32_t *count, uint32_t k, imgret_error *error)
{
    uint64_t room = 16;
    while (room < 2 * (uint64_t)*count)
        room *= 2;
    turn_set seen = {ir_calloc((size_t)room, sizeof *seen.turns), room - 1};
    if (!seen.turns)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to group %u results", *count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count && kept < k; i++)
        if (add_turn(&seen, ir_region_turn(neighbors[i].id)))
            neighbors[kept++] = neighbors[i];
    ir_free(seen.turns);
    *count = kept;
    return IMGRET_OK;
}

/* ---- boxes of results ---- */

typedef struct describe_context {
    imgret_results *results;
    uint64_t next;
} describe_context;

/* Hits were made in the order of their regions, from the same snapshot, so that both go side by
 * side. */
static int32_t describe_hit(void *context, uint64_t position, const ir_catalog_region *region,
                            imgret_error *error)
{
    (void)position;
    describe_context *describe = context;
    if (describe->next == describe->results->count)
        return ir_fail(error, IMGRET_INTERNAL, "more regions than results");
    return ir_results_set_region(describe->results, describe->next++, region, error);
}

int32_t ir_regions_describe_hits(imgret_results *results, ir_catalog *catalog,
                                 const int64_t *regions, uint32_t count, imgret_error *error)
{
    describe_context describe = {results, 0};
    return ir_catalog_boxes_of_regions(catalog, regions, count, describe_hit, &describe, error);
}

/* ---- the regions of one image ---- */

static int32_t add_region(void *context, uint64_t position, const ir_catalog_region *region,
                          imgret_error *error)
{
    imgret_regions *regions = context;
    int failed = 0;
    if (position > IR_REGION_OBJECTS_MAX)
        return ir_fail(error, IMGRET_CORRUPT, "an image has more than %u objects",
                       IR_REGION_OBJECTS_MAX);
    const ir_catalog_object *object = &region->object;
    regions->items[regions->count++] = (imgret_region){
        .size = sizeof(imgret_region),
        .ordinal = region->ordinal,
        .x = object->x,
        .y = object->y,
        .width = object->width,
        .height = object->height,
        .score = object->score,
        .label = ir_arena_strdup(&regions->labels, object->label, &failed),
    };
    return failed ? ir_fail(error, IMGRET_NO_MEMORY, "no memory for regions") : IMGRET_OK;
}

static int32_t read_regions(imgret_regions **out, ir_catalog *catalog, int64_t id,
                            imgret_error *error)
{
    *out = NULL;
    imgret_regions *regions = ir_calloc(1, sizeof *regions);
    if (!regions)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for regions");
    int32_t status = ir_catalog_regions_of_image(catalog, id, add_region, regions, error);
    if (status)
        imgret_regions_free(regions);
    else
        *out = regions;
    return status;
}

int32_t ir_regions_main_of(ir_catalog *catalog, int64_t id, uint32_t *ordinal, imgret_error *error)
{
    imgret_regions *regions;
    int32_t status = read_regions(&regions, catalog, id, error);
    if (status)
        return status;
    ir_box boxes[IR_REGION_OBJECTS_MAX];
    const imgret_region *items = regions->items;
    uint32_t count = regions->count - 1;
    for (uint32_t i = 0; i < count; i++) {
        const imgret_region *object = &items[1 + i];
        boxes[i] = (ir_box){object->x,      object->y,         object->width,
                            object->height, IR_BOX_UNLABELLED, object->score};
    }
    if (count > 0)
        *ordinal = items[1 + ir_box_main(boxes, count, items[0].width, items[0].height)].ordinal;
    else
        status = ir_fail(error, IMGRET_NOT_FOUND, "image %lld has no object", (long long)id);
    imgret_regions_free(regions);
    return status;
}

int32_t ir_regions_of(imgret_regions **out, ir_database *database, int64_t id, imgret_error *error)
{
    int32_t status = read_regions(out, database->catalog, id, error);
    return status ? ir_fail_within(error, status, "%s", database->path) : IMGRET_OK;
}

uint64_t imgret_regions_count(const imgret_regions *regions)
{
    return regions ? regions->count : 0;
}

const imgret_region *imgret_regions_at(const imgret_regions *regions, uint64_t index)
{
    return regions && index < regions->count ? &regions->items[index] : NULL;
}

void imgret_regions_free(imgret_regions *regions)
{
    if (!regions)
        return;
    ir_arena_free(&regions->labels);
    ir_free(regions);
}
