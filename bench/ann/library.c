/* library.c: libimgret as one of the engines that are measured: opening, adding, searching, counting. */
#include "library.h"

#include "../common.h"

#include <stdio.h>
#include <stdlib.h>

enum { EFFORT_MAX = 16384 };

imgret *bench_library_open(const char *path, uint32_t dimension, uint32_t metric,
                           uint32_t vector_type, uint32_t flags, uint32_t threads, uint64_t memory)
{
    char model[32];
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(model, sizeof model, "vectors:%u", dimension);
    imgret_open_options options = {.size = sizeof options,
                                   .flags = flags,
                                   .model = model,
                                   .metric = metric,
                                   .vector_type = vector_type,
                                   .threads = threads,
                                   .index_ram_bytes = memory};
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    return db;
}

static void add_vector(imgret *db, const float *row, uint32_t dimension, int64_t id)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .vector = row, .dimension = dimension};
    imgret_add_result result = {.size = sizeof result};
    if (imgret_add(db, &input, NULL, &result, &error) != IMGRET_OK)
        bench_die("vector %lld: %s", (long long)id, error.message);
    if (result.id != id)
        bench_die("the database gave id %lld to vector %lld", (long long)result.id, (long long)id);
}

int64_t bench_library_add(imgret *db, bench_vectors *vectors, uint64_t count, int64_t id)
{
    enum { BATCH = 1000 };
    imgret_error error = IMGRET_ERROR_INIT;
    uint32_t dimension = bench_vectors_dimension(vectors);
    float *rows = malloc((size_t)BATCH * dimension * sizeof *rows);
    if (!rows)
        bench_die("no memory");
    uint64_t read;
    while ((read = bench_vectors_read(vectors, rows, count < BATCH ? count : BATCH)) > 0) {
        if (imgret_begin(db, &error) != IMGRET_OK)
            bench_die("%s", error.message);
        for (uint64_t i = 0; i < read; i++)
            add_vector(db, rows + i * dimension, dimension, id++);
        if (imgret_commit(db, &error) != IMGRET_OK)
            bench_die("%s", error.message);
        count -= read;
    }
    free(rows);
    return id;
}

static imgret_query_options options_of(const bench_library *s, uint32_t effort, uint32_t k)
{
    imgret_query_options options = {.size = sizeof options, .k = k};
    if (s->ids_only)
        options.flags |= IMGRET_QUERY_IDS_ONLY;
    if (s->estimated)
        options.flags |= IMGRET_QUERY_ESTIMATED;
    if (s->by_target)
        options.target_recall = (float)effort / BENCH_TARGET_UNIT;
    else
        options.effort = effort;
    return options;
}

static void keep_ids(const bench_library *s, const imgret_results *results, uint32_t k,
                     int64_t *ids)
{
    uint64_t count = imgret_results_count(results);
    for (uint32_t i = 0; i < k; i++)
        ids[i] = i < count ? imgret_results_at(results, i)->id - s->first_id : -1;
}

static void search_batch(void *user, const float *queries, uint32_t count, uint32_t effort,
                         uint32_t k, int64_t *ids)
{
    const bench_library *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input *inputs = calloc(count, sizeof *inputs);
    imgret_results **results = calloc(count, sizeof *results);
    imgret_query_options options = options_of(s, effort, k);
    if (!inputs || !results)
        bench_die("no memory");
    for (uint32_t i = 0; i < count; i++)
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_VECTOR,
                                   .vector = queries + (size_t)i * s->dimension,
                                   .dimension = s->dimension};
    if (imgret_query_batch(results, s->db, inputs, count, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    for (uint32_t i = 0; i < count; i++) {
        keep_ids(s, results[i], k, ids + (size_t)i * k);
        imgret_results_free(results[i]);
    }
    free(inputs);
    free(results);
}

static void search_one(void *user, const float *query, uint32_t effort, uint32_t k, int64_t *ids)
{
    const bench_library *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = query,
                          .dimension = s->dimension};
    imgret_query_options options = options_of(s, effort, k);
    if (imgret_query(&results, s->db, &input, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    keep_ids(s, results, k, ids);
    imgret_results_free(results);
}

static void count_work(void *user, bench_counters *out)
{
    const bench_library *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(s->db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    out->reads = (double)stats.disk_read_count;
    out->read_bytes = (double)stats.disk_read_bytes;
    out->ram_bytes = (double)(stats.delta_ram_bytes + stats.segment_ram_bytes);
}

bench_engine bench_library_engine(bench_library *library, uint32_t k)
{
    return (bench_engine){.user = library,
                          .effort_min = k,
                          .effort_max = EFFORT_MAX,
                          .search = search_one,
                          .search_batch = search_batch,
                          .count = count_work};
}
