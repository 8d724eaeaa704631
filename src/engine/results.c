/* results.c: what queries and listings hand out: rows with their strings in one arena. */
#include "engine/results.h"

#include "base/alloc.h"
#include "base/error.h"

int32_t ir_results_create(imgret_results **out, uint64_t capacity, imgret_error *error)
{
    *out = NULL;
    imgret_results *results = ir_calloc(1, sizeof *results);
    imgret_hit *hits = ir_malloc_array((size_t)capacity, sizeof *hits);
    if (!results || !hits) {
        ir_free(results);
        ir_free(hits);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu results",
                       (unsigned long long)capacity);
    }
    results->hits = hits;
    results->capacity = capacity;
    results->stats.size = sizeof results->stats;
    *out = results;
    return IMGRET_OK;
}

int32_t ir_results_add(imgret_results *results, const imgret_record *record, double score,
                       imgret_error *error)
{
    if (results->count == results->capacity)
        return ir_fail(error, IMGRET_INTERNAL, "more results than were asked for");
    int failed = 0;
    imgret_hit hit = {
        .size = sizeof hit,
        .width = record->width,
        .height = record->height,
        .id = record->id,
        .score = score,
        .box_width = record->width,
        .box_height = record->height,
        .uri = ir_arena_strdup(&results->arena, record->uri, &failed),
        .metadata = ir_arena_strdup(&results->arena, record->metadata, &failed),
        .label = ir_arena_strdup(&results->arena, record->label, &failed),
        .label_score = record->label_score,
    };
    if (failed)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a result");
    results->hits[results->count++] = hit;
    return IMGRET_OK;
}

int32_t ir_results_set_region(imgret_results *results, uint64_t index,
                              const ir_catalog_region *region, imgret_error *error)
{
    int failed = 0;
    imgret_hit *hit = &results->hits[index];
    hit->region = region->ordinal;
    hit->box_x = region->object.x;
    hit->box_y = region->object.y;
    hit->box_width = region->object.width;
    hit->box_height = region->object.height;
    hit->region_score = region->object.score;
    hit->region_label = ir_arena_strdup(&results->arena, region->object.label, &failed);
    return failed ? ir_fail(error, IMGRET_NO_MEMORY, "no memory for a result") : IMGRET_OK;
}

int32_t ir_results_better(imgret_results *results, imgret_hit *known, const imgret_hit *hit,
                          imgret_error *error)
{
    int failed = 0;
    known->score = hit->score;
    if (known->region == hit->region)
        return IMGRET_OK;
    known->region = hit->region;
    known->box_x = hit->box_x;
    known->box_y = hit->box_y;
    known->box_width = hit->box_width;
    known->box_height = hit->box_height;
    known->region_score = hit->region_score;
    known->region_label = ir_arena_strdup(&results->arena, hit->region_label, &failed);
    return failed ? ir_fail(error, IMGRET_NO_MEMORY, "no memory for a result") : IMGRET_OK;
}

int32_t ir_results_append(imgret_results *results, const imgret_hit *hit, imgret_error *error)
{
    int failed = 0;
    if (results->count == results->capacity) {
        uint64_t capacity = results->capacity ? 2 * results->capacity : 16;
        size_t bytes;
        imgret_hit *more = ir_mul_size((size_t)capacity, sizeof *more, &bytes)
                               ? ir_realloc(results->hits, bytes)
                               : NULL;
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu results",
                           (unsigned long long)capacity);
        results->hits = more;
        results->capacity = capacity;
    }
    imgret_hit copy = *hit;
    copy.uri = ir_arena_strdup(&results->arena, hit->uri, &failed);
    copy.metadata = ir_arena_strdup(&results->arena, hit->metadata, &failed);
    copy.label = ir_arena_strdup(&results->arena, hit->label, &failed);
    copy.region_label = ir_arena_strdup(&results->arena, hit->region_label, &failed);
    if (failed)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a result");
    results->hits[results->count++] = copy;
    return IMGRET_OK;
}

uint64_t imgret_results_count(const imgret_results *results)
{
    return results ? results->count : 0;
}

const imgret_hit *imgret_results_at(const imgret_results *results, uint64_t index)
{
    return results && index < results->count ? &results->hits[index] : NULL;
}

const imgret_query_stats *imgret_results_stats(const imgret_results *results)
{
    return results ? &results->stats : NULL;
}

const char *imgret_results_cursor(const imgret_results *results)
{
    return results && results->cursor[0] ? results->cursor : NULL;
}

void imgret_results_free(imgret_results *results)
{
    if (!results)
        return;
    ir_arena_free(&results->arena);
    ir_free(results->hits);
    ir_free(results);
}

int32_t ir_records_create(imgret_records **out, imgret_error *error)
{
    *out = ir_calloc(1, sizeof **out);
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a list");
}

static int32_t make_room(imgret_records *records)
{
    if (records->count < records->capacity)
        return IMGRET_OK;
    uint64_t capacity = records->capacity ? records->capacity * 2 : 16;
    size_t bytes;
    if (!ir_mul_size((size_t)capacity, sizeof *records->rows, &bytes))
        return IMGRET_NO_MEMORY;
    imgret_record *rows = ir_realloc(records->rows, bytes);
    if (!rows)
        return IMGRET_NO_MEMORY;
    records->rows = rows;
    records->capacity = capacity;
    return IMGRET_OK;
}

static const imgret_attributes *copy_attributes(ir_arena *arena, const imgret_attributes *from,
                                                int *failed)
{
    if (!from)
        return NULL;
    imgret_attributes *copy = ir_arena_alloc(arena, sizeof *copy);
    if (!copy) {
        *failed = 1;
        return NULL;
    }
    *copy = *from;
    copy->taken_at = ir_arena_strdup(arena, from->taken_at, failed);
    copy->camera_make = ir_arena_strdup(arena, from->camera_make, failed);
    copy->camera_model = ir_arena_strdup(arena, from->camera_model, failed);
    return copy;
}

int32_t ir_records_add(imgret_records *records, const imgret_record *record, imgret_error *error)
{
    int failed = make_room(records) != IMGRET_OK;
    imgret_record row = *record;
    row.size = sizeof row;
    row.uri = ir_arena_strdup(&records->arena, record->uri, &failed);
    row.metadata = ir_arena_strdup(&records->arena, record->metadata, &failed);
    row.format = ir_arena_strdup(&records->arena, record->format, &failed);
    row.failure = ir_arena_strdup(&records->arena, record->failure, &failed);
    row.label = ir_arena_strdup(&records->arena, record->label, &failed);
    row.attributes = copy_attributes(&records->arena, record->attributes, &failed);
    if (failed)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a list of images");
    records->rows[records->count++] = row;
    return IMGRET_OK;
}

uint64_t imgret_records_count(const imgret_records *records)
{
    return records ? records->count : 0;
}

const imgret_record *imgret_records_at(const imgret_records *records, uint64_t index)
{
    return records && index < records->count ? &records->rows[index] : NULL;
}

void imgret_records_free(imgret_records *records)
{
    if (!records)
        return;
    ir_arena_free(&records->arena);
    ir_free(records->rows);
    ir_free(records);
}
