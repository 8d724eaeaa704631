/* results.h: what queries and listings hand out: rows with their strings in one arena. */
#ifndef IR_ENGINE_RESULTS_H
#define IR_ENGINE_RESULTS_H

#include "base/arena.h"
#include "catalog/catalog.h"
#include "engine/cursor.h"

#include <imgret/imgret.h>

struct imgret_results {
    ir_arena arena;
    imgret_hit *hits;
    uint64_t count;
    uint64_t capacity;
    imgret_query_stats stats;
    char cursor[IR_CURSOR_BYTES]; /* where they end; "": nothing can follow */
};

struct imgret_records {
    ir_arena arena;
    imgret_record *rows;
    uint64_t count;
    uint64_t capacity;
};

int32_t ir_results_create(imgret_results **out, uint64_t capacity, imgret_error *error);

/* Appends a hit made from a catalogue's record; its strings are copied. */
int32_t ir_results_add(imgret_results *results, const imgret_record *record, double score,
                       imgret_error *error);

/* Says of hit `index` which region it is. */
int32_t ir_results_set_region(imgret_results *results, uint64_t index,
                              const ir_catalog_region *region, imgret_error *error);

/* Gives `known`, a hit of `results`, score and region of `hit`, of the same image. */
int32_t ir_results_better(imgret_results *results, imgret_hit *known, const imgret_hit *hit,
                          imgret_error *error);

/* Appends a copy of another results' hit, making room. */
int32_t ir_results_append(imgret_results *results, const imgret_hit *hit, imgret_error *error);

int32_t ir_records_create(imgret_records **out, imgret_error *error);
int32_t ir_records_add(imgret_records *records, const imgret_record *record, imgret_error *error);

#endif
