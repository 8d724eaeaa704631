/* vectors.h: a database of small ready vectors, for tests of the public interface. */
#ifndef IR_TESTS_VECTORS_H
#define IR_TESTS_VECTORS_H

#include "pictures.h"

#include <imgret/imgret.h>
#include <stdbool.h>

enum { DIMENSION = 24 };

/* Of each handle; a forked child sets 1: it must not start threads under ThreadSanitizer. */
static uint32_t open_threads = 2;

/* Another seed gives another direction. */
static inline void fill_vector(float *out, uint32_t seed)
{
    for (uint32_t i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static inline imgret_input vector_input(float *vector, uint32_t seed)
{
    fill_vector(vector, seed);
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
}

static inline int32_t try_open(imgret **out, const char *path, uint32_t flags,
                               uint32_t busy_timeout_ms, imgret_error *error)
{
    imgret_open_options options = {.size = sizeof options,
                                   .flags = flags,
                                   .model = "vectors:24",
                                   .threads = open_threads,
                                   .busy_timeout_ms = busy_timeout_ms};
    return imgret_open(out, path, &options, error);
}

static inline imgret *open_vectors(const char *path, uint32_t flags, uint32_t busy_timeout_ms)
{
    imgret *db = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (try_open(&db, path, flags, busy_timeout_ms, &error) != IMGRET_OK)
        printf("# open: %s\n", error.message);
    return db;
}

static inline int32_t try_add(imgret *db, uint32_t seed, const char *uri, int64_t *id,
                              imgret_error *error)
{
    float vector[DIMENSION];
    imgret_input input = vector_input(vector, seed);
    imgret_add_options options = {.size = sizeof options, .uri = uri};
    imgret_add_result result = {.size = sizeof result};
    int32_t status = imgret_add(db, &input, &options, &result, error);
    if (id)
        *id = result.id;
    return status;
}

static inline int32_t try_query(imgret_results **out, imgret *db, uint32_t seed, uint32_t k,
                                imgret_error *error)
{
    float vector[DIMENSION];
    imgret_input input = vector_input(vector, seed);
    imgret_query_options options = {.size = sizeof options, .k = k};
    return imgret_query(out, db, &input, &options, error);
}

/* The id of what is exactly like `seed`, or 0; -1 on failure. */
static inline int64_t find_seed(imgret *db, uint32_t seed)
{
    imgret_results *results;
    if (try_query(&results, db, seed, 1, NULL) != IMGRET_OK)
        return -1;
    const imgret_hit *best = imgret_results_at(results, 0);
    int64_t id = best && best->score > 0.9999 ? best->id : 0;
    imgret_results_free(results);
    return id;
}

static inline uint64_t count_images(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    return imgret_get_stats(db, &stats, NULL) == IMGRET_OK ? stats.image_count : UINT64_MAX;
}

static inline int32_t print_problem(void *user, const char *message)
{
    (void)user;
    printf("# problem: %s\n", message);
    return 0;
}

/* What imgret_check finds, or UINT64_MAX when it fails. */
static inline uint64_t count_problems(imgret *db)
{
    uint64_t count = UINT64_MAX;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_check(db, print_problem, NULL, &count, &error) != IMGRET_OK) {
        printf("# check: %s\n", error.message);
        return UINT64_MAX;
    }
    return count;
}

#endif
