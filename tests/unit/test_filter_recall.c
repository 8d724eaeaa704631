/* test_filter_recall.c: filtered searches of a segment find as much as unfiltered ones, by few reads. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>

enum { DIMENSION = 48, COUNT = 12000, CLUSTERS = 40, QUERIES = 60, K = 10 };

typedef struct fixture {
    char folder[256];
    imgret *db;
    float *queries;
} fixture;

static uint32_t random_state;

static float random_normal(void)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        random_state = random_state * 1664525u + 1013904223u;
        sum += (float)(random_state >> 8) / 16777216.0f - 0.5f;
    }
    return sum;
}

/* Vectors in clusters; a picture's number modulo CLUSTERS is its cluster. */
static void draw(float *out, uint32_t seed, uint32_t cluster)
{
    random_state = cluster * 7919u + 13u;
    for (uint32_t i = 0; i < DIMENSION; i++)
        out[i] = 2.0f * random_normal();
    random_state = seed * 2654435761u + 99u;
    for (uint32_t i = 0; i < DIMENSION; i++)
        out[i] += random_normal();
}

static int group_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char path[300];
    make_folder(f->folder, "recall");
    snprintf(path, sizeof path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:48"};
    if (imgret_open(&f->db, path, &options, NULL) != IMGRET_OK ||
        imgret_begin(f->db, NULL) != IMGRET_OK)
        return -1;
    for (uint32_t i = 0; i < COUNT; i++) {
        float vector[DIMENSION];
        draw(vector, i + 1, i % CLUSTERS);
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = vector,
                              .dimension = DIMENSION};
        if (imgret_add(f->db, &input, NULL, NULL, NULL) != IMGRET_OK)
            return -1;
    }
    f->queries = malloc(QUERIES * DIMENSION * sizeof *f->queries);
    for (uint32_t i = 0; i < QUERIES; i++)
        draw(f->queries + i * DIMENSION, 1000000 + i, i % CLUSTERS);
    *state = f;
    return imgret_commit(f->db, NULL);
}

static int group_teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f->queries);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

/* Answers of all queries: QUERIES x K ids, 0 where there are fewer. */
static void ask(const fixture *f, const char *where, uint32_t effort, int64_t *out)
{
    memset(out, 0, QUERIES * K * sizeof *out);
    for (uint32_t q = 0; q < QUERIES; q++) {
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = f->queries + q * DIMENSION,
                              .dimension = DIMENSION};
        imgret_query_options options = {
            .size = sizeof options, .k = K, .effort = effort, .where = where};
        imgret_results *results;
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_query(&results, f->db, &input, &options, &error) != IMGRET_OK)
            fail_msg("%s", error.message);
        for (uint64_t i = 0; i < imgret_results_count(results); i++)
            out[q * K + i] = imgret_results_at(results, i)->id;
        imgret_results_free(results);
    }
}

static uint32_t common(const int64_t *found, const int64_t *truth, uint32_t *wanted)
{
    uint32_t same = 0;
    *wanted = 0;
    for (uint32_t q = 0; q < QUERIES; q++)
        for (uint32_t i = 0; i < K && truth[q * K + i]; i++) {
            ++*wanted;
            for (uint32_t j = 0; j < K; j++)
                same += found[q * K + j] == truth[q * K + i];
        }
    return same;
}

static uint32_t hits_in(const int64_t *found)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < QUERIES * K; i++)
        count += found[i] != 0;
    return count;
}

static const char *const filters[] = {
    NULL, /* the unfiltered recall, which the others must reach */
    "id % 2 = 0",
    "id % 10 = 3",
    "id % 100 = 7",
    "id % 1000 = 11",
    "id IN (5, 6000, 11990)",
    "id % 40 < 20", /* whole clusters are out: far from many a query */
    "id % 40 = 17",
    "id <= 3000 AND id % 3 = 0",
};

enum { FILTERS = sizeof filters / sizeof filters[0] };

static void recall_does_not_fall(void **state)
{
    fixture *f = *state;
    static const uint32_t efforts[] = {16, 64};
    int64_t *truth = calloc(FILTERS * QUERIES * K, sizeof *truth);
    int64_t *found = calloc(QUERIES * K, sizeof *found);
    for (size_t i = 0; i < FILTERS; i++) /* in memory all is compared exactly */
        ask(f, filters[i], 0, truth + i * QUERIES * K);
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_OK);
    for (size_t e = 0; e < 2; e++) {
        double unfiltered = 0;
        for (size_t i = 0; i < FILTERS; i++) {
            const int64_t *right = truth + i * QUERIES * K;
            ask(f, filters[i], efforts[e], found);
            uint32_t wanted, same = common(found, right, &wanted);
            double recall = (double)same / wanted;
            if (i == 0)
                unfiltered = recall;
            else if (recall < unfiltered - 0.002) /* one neighbour of 600 */
                fail_msg("%s, effort %u: recall %.4f, unfiltered %.4f", filters[i], efforts[e],
                         recall, unfiltered);
            assert_int_equal(hits_in(found), wanted); /* never fewer than min(k, matches) */
        }
    }
    free(truth);
    free(found);
}

/* Where few match, the vectors of the likely results are read, not those of all that match. */
static void few_matches_are_told_apart_by_their_codes(void **state)
{
    fixture *f = *state;
    int64_t *found = calloc(QUERIES * K, sizeof *found);
    imgret_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    assert_int_equal(imgret_get_stats(f->db, &before, NULL), IMGRET_OK);
    ask(f, "id % 100 = 7", 0, found); /* 120 match */
    assert_int_equal(imgret_get_stats(f->db, &after, NULL), IMGRET_OK);
    assert_true(after.disk_read_count - before.disk_read_count >= QUERIES * K);
    assert_true(after.disk_read_count - before.disk_read_count < QUERIES * 60);
    free(found);
}

/* A removed picture takes no place of another, however near it is. */
static void removed_matches_take_no_place(void **state)
{
    fixture *f = *state;
    int64_t *found = calloc(QUERIES * K, sizeof *found);
    ask(f, "id % 100 = 7", 0, found);
    int64_t gone[K];
    memcpy(gone, found, sizeof gone);
    for (uint32_t i = 0; i < K; i++)
        assert_int_equal(imgret_remove(f->db, gone[i], NULL), IMGRET_OK);
    ask(f, "id % 100 = 7", 0, found);
    assert_int_equal(hits_in(found), QUERIES * K);
    for (uint32_t i = 0; i < K; i++)
        for (uint32_t j = 0; j < QUERIES * K; j++)
            assert_true(found[j] != gone[i]);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_does_not_fall),
        cmocka_unit_test(few_matches_are_told_apart_by_their_codes),
        cmocka_unit_test(removed_matches_take_no_place),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
