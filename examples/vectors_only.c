/* vectors_only.c: libimgret as a store of ready vectors: no pictures, no model, no BLAS.
 *
 *   vectors_only DATABASE [COUNT]
 *
 * Makes a database of COUNT (default 2,000) vectors of 64 dimensions with metadata, in transactions;
 * moves them to an index on disk; asks many questions in one call, and one with a filter.
 */
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIMENSION = 64, QUERY_COUNT = 16, GROUP_COUNT = 10, COMMIT_COUNT = 500 };

/* Numbers that look random and are the same on every machine. */
static float next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) / (float)(1 << 23) - 1.0f;
}

/* Vector `index`: one of ten centres, and some noise. */
static void fill(float *vector, uint64_t index)
{
    uint64_t centre = index % GROUP_COUNT + 1, noise = index + 1000;
    for (int d = 0; d < DIMENSION; d++)
        vector[d] = next_number(&centre) + 0.3f * next_number(&noise);
}

static int32_t add_all(imgret *db, uint64_t count, imgret_error *error)
{
    float vector[DIMENSION];
    char uri[32], metadata[64];
    const imgret_input input = {.size = sizeof input,
                                .kind = IMGRET_INPUT_VECTOR,
                                .vector = vector,
                                .dimension = DIMENSION};
    const imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    int32_t status = imgret_begin(db, error);
    for (uint64_t i = 0; i < count && !status; i++) {
        fill(vector, i);
        snprintf(uri, sizeof uri, "item-%llu", (unsigned long long)i);
        snprintf(metadata, sizeof metadata, "{\"group\": %d}", (int)(i % GROUP_COUNT));
        status = imgret_add(db, &input, &options, NULL, error);
        if (!status && (i + 1) % COMMIT_COUNT == 0 && !(status = imgret_commit(db, error)))
            status = imgret_begin(db, error);
    }
    return status ? status : imgret_commit(db, error);
}

/* How many of the questions are answered by vectors of their own group alone. */
static int32_t ask_many(imgret *db, imgret_error *error)
{
    static float vectors[QUERY_COUNT][DIMENSION];
    imgret_input inputs[QUERY_COUNT] = {0};
    imgret_results *results[QUERY_COUNT];
    for (uint64_t i = 0; i < QUERY_COUNT; i++) {
        fill(vectors[i], 1000000 + i);
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_VECTOR,
                                   .vector = vectors[i],
                                   .dimension = DIMENSION};
    }
    int32_t status = imgret_query_batch(results, db, inputs, QUERY_COUNT, NULL, error);
    if (status)
        return status;
    int good = 0;
    for (uint64_t i = 0; i < QUERY_COUNT; i++) {
        int own = 1;
        for (uint64_t r = 0; r < imgret_results_count(results[i]); r++) {
            const char *name = imgret_results_at(results[i], r)->uri;
            own &= strtoull(name + 5, NULL, 10) % GROUP_COUNT == (1000000 + i) % GROUP_COUNT;
        }
        good += own;
        imgret_results_free(results[i]);
    }
    printf("%d of %d questions found their group\n", good, QUERY_COUNT);
    return IMGRET_OK;
}

/* The vectors most like the first, of another group. */
static int32_t ask_filtered(imgret *db, imgret_error *error)
{
    float vector[DIMENSION];
    fill(vector, 0);
    const imgret_input input = {.size = sizeof input,
                                .kind = IMGRET_INPUT_VECTOR,
                                .vector = vector,
                                .dimension = DIMENSION};
    const imgret_param group = {
        .size = sizeof group, .kind = IMGRET_PARAM_INTEGER, .name = "group", .integer = 3};
    const imgret_query_options options = {.size = sizeof options,
                                          .k = 3,
                                          .where = "meta->>'group' = :group",
                                          .params = &group,
                                          .param_count = 1};
    imgret_results *results;
    int32_t status = imgret_query(&results, db, &input, &options, error);
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        printf("%.4f\t%s\t%s\n", hit->score, hit->uri, hit->metadata);
    }
    imgret_results_free(results);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: vectors_only DATABASE [COUNT]\n"), 2;
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 2000;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    const imgret_open_options open = {
        .size = sizeof open, .flags = IMGRET_OPEN_NEW, .model = "vectors:64"};
    const imgret_optimize_options now = {.size = sizeof now, .flags = IMGRET_OPTIMIZE_FORCE};

    int32_t status = imgret_open(&db, argv[1], &open, &error);
    if (!status)
        status = add_all(db, count, &error);
    if (!status)
        status = imgret_optimize(db, &now, &error);
    if (!status)
        status = ask_many(db, &error);
    if (!status)
        status = ask_filtered(db, &error);
    if (status)
        fprintf(stderr, "vectors_only: %s: %s\n", imgret_status_name(status), error.message);
    imgret_close(db);
    return status ? 1 : 0;
}
