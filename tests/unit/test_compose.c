/* test_compose.c: queries of several examples, pages, exclusions, the host's ranking, diversity. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdbool.h>

enum { DIMENSION = 12, COUNT = 2500 };

typedef struct fixture {
    char folder[256];
    imgret *db;
} fixture;

static float component(uint32_t seed, uint32_t i)
{
    seed = (seed * 2654435761u) ^ (i * 40503u + 977u);
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

static void draw(uint32_t seed, float *out)
{
    for (uint32_t i = 0; i < DIMENSION; i++)
        out[i] = component(seed, i);
}

static imgret_input vector_input(const float *vector)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
}

static int64_t add(imgret *db, const float *vector)
{
    imgret_input input = vector_input(vector);
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, NULL, &result, NULL), IMGRET_OK);
    return result.id;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char path[300];
    make_folder(f->folder, "compose");
    snprintf(path, sizeof path, "%s/db.imgret", f->folder);
    imgret_open_options options = {
        .size = sizeof options, .model = "vectors:12", .vector_type = IMGRET_VECTOR_F32};
    if (imgret_open(&f->db, path, &options, NULL) || imgret_begin(f->db, NULL))
        return -1;
    for (uint32_t i = 1; i <= COUNT; i++) {
        float vector[DIMENSION];
        draw(i, vector);
        add(f->db, vector);
    }
    *state = f;
    return imgret_commit(f->db, NULL);
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static imgret_results *query(imgret *db, const imgret_input *input,
                             const imgret_query_options *options)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, input, options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return results;
}

static void assert_same(const imgret_results *a, const imgret_results *b)
{
    assert_int_equal(imgret_results_count(a), imgret_results_count(b));
    for (uint64_t i = 0; i < imgret_results_count(a); i++) {
        assert_int_equal(imgret_results_at(a, i)->id, imgret_results_at(b, i)->id);
        assert_true(fabs(imgret_results_at(a, i)->score - imgret_results_at(b, i)->score) < 1e-6);
    }
}

static void a_plus_b_minus_c_is_one_vector(void **state)
{
    fixture *f = *state;
    float vectors[3][DIMENSION], sum[DIMENSION] = {0}, lengths[3] = {0};
    imgret_input inputs[3];
    for (uint32_t t = 0; t < 3; t++) {
        draw(90001 + t, vectors[t]);
        inputs[t] = vector_input(vectors[t]);
        for (uint32_t i = 0; i < DIMENSION; i++)
            lengths[t] += vectors[t][i] * vectors[t][i];
    }
    const float weights[3] = {1, 2, -0.5f};
    for (uint32_t t = 0; t < 3; t++)
        for (uint32_t i = 0; i < DIMENSION; i++)
            sum[i] += weights[t] * vectors[t][i] / sqrtf(lengths[t]);
    imgret_input mean = vector_input(sum);
    imgret_query_options plain = {.size = sizeof plain, .k = 20};
    imgret_results *expected = query(f->db, &mean, &plain);
    imgret_term terms[3] = {{.size = sizeof terms[0], .input = &inputs[0]},
                            {.size = sizeof terms[0], .input = &inputs[1], .weight = 2},
                            {.size = sizeof terms[0], .input = &inputs[2], .weight = -0.5}};
    imgret_query_options options = {
        .size = sizeof options, .k = 20, .terms = terms, .term_count = 3};
    imgret_results *found = query(f->db, NULL, &options);
    assert_same(found, expected);
    imgret_results_free(found);
    options.terms = terms + 1;
    options.term_count = 2;
    found = query(f->db, &inputs[0], &options); /* the input is the first term */
    assert_same(found, expected);
    imgret_results_free(found);
    imgret_results_free(expected);
}

static void best_match_takes_the_better_score(void **state)
{
    fixture *f = *state;
    float vectors[3][DIMENSION];
    imgret_input inputs[3];
    imgret_term terms[3];
    double best[COUNT + 1];
    for (int i = 0; i <= COUNT; i++)
        best[i] = -2;
    imgret_query_options all = {.size = sizeof all, .k = COUNT};
    for (uint32_t t = 0; t < 3; t++) {
        draw(80001 + t, vectors[t]);
        inputs[t] = vector_input(vectors[t]);
        terms[t] = (imgret_term){.size = sizeof terms[t], .input = &inputs[t]};
        imgret_results *one = query(f->db, &inputs[t], &all);
        for (uint64_t i = 0; i < imgret_results_count(one); i++) {
            const imgret_hit *hit = imgret_results_at(one, i);
            best[hit->id] = hit->score > best[hit->id] ? hit->score : best[hit->id];
        }
        imgret_results_free(one);
    }
    imgret_query_options options = {.size = sizeof options,
                                    .k = 50,
                                    .terms = terms,
                                    .term_count = 3,
                                    .combine = IMGRET_COMBINE_BEST};
    imgret_results *found = query(f->db, NULL, &options);
    assert_int_equal(imgret_results_count(found), 50);
    double last = imgret_results_at(found, 49)->score;
    uint32_t above = 0;
    for (int i = 1; i <= COUNT; i++)
        above += best[i] > last;
    assert_int_equal(above, 49);
    for (uint64_t i = 0; i < 50; i++)
        assert_true(best[imgret_results_at(found, i)->id] == imgret_results_at(found, i)->score);
    imgret_results_free(found);
    terms[1].weight = 2;
    imgret_results *none;
    assert_int_equal(imgret_query(&none, f->db, NULL, &options, NULL), IMGRET_INVALID_ARGUMENT);
}

static void examples_of_the_database_are_not_results(void **state)
{
    fixture *f = *state;
    imgret_input inputs[2] = {{.size = sizeof inputs[0], .kind = IMGRET_INPUT_ID, .id = 7},
                              {.size = sizeof inputs[0], .kind = IMGRET_INPUT_ID, .id = 70}};
    imgret_term terms[2] = {{.size = sizeof terms[0], .input = &inputs[0]},
                            {.size = sizeof terms[0], .input = &inputs[1]}};
    imgret_query_options options = {
        .size = sizeof options, .k = 30, .terms = terms, .term_count = 2};
    imgret_results *found = query(f->db, NULL, &options);
    assert_int_equal(imgret_results_count(found), 30);
    for (uint64_t i = 0; i < 30; i++)
        assert_true(imgret_results_at(found, i)->id != 7 && imgret_results_at(found, i)->id != 70);
    imgret_results_free(found);
    options.flags = IMGRET_QUERY_INCLUDE_SELF;
    options.combine = IMGRET_COMBINE_BEST;
    found = query(f->db, NULL, &options);
    assert_int_equal(imgret_results_at(found, 0)->id + imgret_results_at(found, 1)->id, 77);
    imgret_results_free(found);
    inputs[1].id = 99999;
    assert_int_equal(imgret_query(&found, f->db, NULL, &options, NULL), IMGRET_NOT_FOUND);
}

/* The ranking without the excluded, however many they are, with a filter and without. */
static void excluded_images_are_left_out(void **state)
{
    fixture *f = *state;
    static const uint64_t counts[] = {1, 300, 2000, COUNT, 1000000};
    static const char *const filters[] = {NULL, "id % 3 = 0"};
    float vector[DIMENSION];
    draw(70001, vector);
    imgret_input input = vector_input(vector);
    int64_t *ids = malloc(1000000 * sizeof *ids);
    for (size_t w = 0; w < 2; w++) {
        imgret_query_options all = {.size = sizeof all, .k = COUNT, .where = filters[w]};
        imgret_results *ranking = query(f->db, &input, &all);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (uint64_t i = 0; i < counts[c]; i++) /* the best of all, then unknown ids */
                ids[i] = i < imgret_results_count(ranking) ? imgret_results_at(ranking, i)->id
                                                           : (int64_t)(5000000 - i);
            imgret_query_options options = {.size = sizeof options,
                                            .k = 15,
                                            .where = filters[w],
                                            .exclude_ids = ids,
                                            .exclude_count = counts[c]};
            imgret_results *found = query(f->db, &input, &options);
            for (uint64_t i = 0; i < 15; i++) {
                const imgret_hit *right = imgret_results_at(ranking, counts[c] + i);
                const imgret_hit *got = imgret_results_at(found, i);
                assert_true((right == NULL) == (got == NULL));
                if (right)
                    assert_int_equal(got->id, right->id);
            }
            imgret_results_free(found);
        }
        imgret_results_free(ranking);
    }
    free(ids);
}

/* Reads all pages of a ranking; pictures are added meanwhile when `disturb`. */
static uint64_t read_pages(fixture *f, imgret_query_options options, const imgret_input *input,
                           bool disturb, int64_t *ids)
{
    char cursor[128] = "";
    uint64_t count = 0;
    double last = INFINITY;
    uint32_t seed = 500000;
    for (;;) {
        options.cursor = cursor[0] ? cursor : NULL;
        imgret_results *page = query(f->db, input, &options);
        for (uint64_t i = 0; i < imgret_results_count(page); i++) {
            const imgret_hit *hit = imgret_results_at(page, i);
            assert_true(hit->score <= last);
            last = hit->score;
            ids[count++] = hit->id;
        }
        const char *next = imgret_results_cursor(page);
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        imgret_results_free(page);
        if (!next)
            return count;
        if (disturb) { /* before, at and after what was seen */
            float vector[DIMENSION];
            add(f->db, input->vector);
            draw(seed++, vector);
            add(f->db, vector);
        }
    }
}

static void pages_join_while_pictures_are_added(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION];
    draw(60001, vector);
    imgret_input input = vector_input(vector);
    imgret_query_options all = {.size = sizeof all, .k = 400};
    imgret_results *ranking = query(f->db, &input, &all);
    assert_non_null(imgret_results_cursor(ranking));
    double least = imgret_results_at(ranking, 399)->score;
    imgret_query_options options = {
        .size = sizeof options, .k = 37, .min_score = least, .flags = IMGRET_QUERY_MIN_SCORE};
    int64_t *ids = malloc(2 * COUNT * sizeof *ids);
    assert_int_equal(read_pages(f, options, &input, false, ids), 400);
    for (uint64_t i = 0; i < 400; i++)
        assert_int_equal(ids[i], imgret_results_at(ranking, i)->id);
    uint64_t count = read_pages(f, options, &input, true, ids), at = 0;
    for (uint64_t i = 0; i < count; i++) { /* the old ones are all there, in order, once */
        if (at < 400 && ids[i] == imgret_results_at(ranking, at)->id)
            at++;
        else
            assert_true(ids[i] > COUNT);
        for (uint64_t j = 0; j < i; j++)
            assert_true(ids[j] != ids[i]);
    }
    assert_int_equal(at, 400);
    free(ids);
    imgret_results_free(ranking);
}

/* Equal scores are told apart by their ids. */
static void pages_of_equal_scores_join(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION];
    draw(50001, vector);
    for (int i = 0; i < 25; i++)
        add(f->db, vector);
    imgret_input input = vector_input(vector);
    imgret_query_options options = {
        .size = sizeof options, .k = 4, .min_score = 0.99999, .flags = IMGRET_QUERY_MIN_SCORE};
    int64_t ids[64];
    assert_int_equal(read_pages(f, options, &input, false, ids), 25);
    for (int i = 1; i < 25; i++)
        assert_int_equal(ids[i], ids[0] + i);
}

static void forged_cursors_are_refused(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION], other[DIMENSION];
    draw(40001, vector);
    draw(40002, other);
    imgret_input input = vector_input(vector), another = vector_input(other);
    imgret_query_options options = {.size = sizeof options, .k = 5, .where = "id > 3"};
    imgret_results *page = query(f->db, &input, &options), *none;
    char cursor[128], forged[128];
    snprintf(cursor, sizeof cursor, "%s", imgret_results_cursor(page));
    imgret_results_free(page);
    options.cursor = forged;
    for (size_t i = 0; i <= strlen(cursor); i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        strcpy(forged, cursor);
        forged[i] = forged[i] == '7' ? '8' : '7';
        forged[i + 1 > strlen(cursor) ? i + 1 : strlen(cursor)] = '\0';
        assert_int_equal(imgret_query(&none, f->db, &input, &options, &error),
                         IMGRET_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "cursor"));
    }
    static const char *const texts[] = {"", "p1", "p2", "first", "p1zz", "\xff\xff"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        options.cursor = texts[i];
        assert_int_equal(imgret_query(&none, f->db, &input, &options, NULL),
                         IMGRET_INVALID_ARGUMENT);
    }
    options.cursor = cursor;
    assert_int_equal(imgret_query(&none, f->db, &another, &options, NULL), IMGRET_INVALID_ARGUMENT);
    options.where = "id > 4";
    assert_int_equal(imgret_query(&none, f->db, &input, &options, NULL), IMGRET_INVALID_ARGUMENT);
    options.where = "id > 3";
    options.diversity = 0.5;
    assert_int_equal(imgret_query(&none, f->db, &input, &options, NULL), IMGRET_INVALID_ARGUMENT);
    options.diversity = 0;
    imgret_results_free(query(f->db, &input, &options));
}

static int32_t prefer_small_ids(void *user, const imgret_hit *hits, uint64_t count, double *scores)
{
    *(uint64_t *)user = count;
    for (uint64_t i = 0; i < count; i++)
        scores[i] = -(double)hits[i].id;
    return 0;
}

static int32_t spoil_scores(void *user, const imgret_hit *hits, uint64_t count, double *scores)
{
    (void)user, (void)hits;
    scores[count - 1] = (double)NAN;
    return 0;
}

static int32_t refuse(void *user, const imgret_hit *hits, uint64_t count, double *scores)
{
    (void)user, (void)hits, (void)count, (void)scores;
    return 1;
}

static void the_host_may_rank(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION];
    draw(30001, vector);
    imgret_input input = vector_input(vector);
    uint64_t seen = 0;
    imgret_query_options options = {.size = sizeof options,
                                    .k = 5,
                                    .candidate_count = 60,
                                    .where = "id % 2 = 0",
                                    .rerank = prefer_small_ids,
                                    .rerank_user = &seen};
    imgret_query_options all = {.size = sizeof all, .k = 60, .where = "id % 2 = 0"};
    imgret_results *found = query(f->db, &input, &options), *near = query(f->db, &input, &all);
    assert_int_equal(seen, 60);
    assert_int_equal(imgret_results_count(found), 5);
    assert_null(imgret_results_cursor(found));
    uint32_t smaller = 0;
    for (uint64_t i = 0; i < 60; i++)
        smaller += imgret_results_at(near, i)->id < imgret_results_at(found, 4)->id;
    assert_int_equal(smaller, 4);
    for (uint64_t i = 1; i < 5; i++)
        assert_true(imgret_results_at(found, i - 1)->id < imgret_results_at(found, i)->id);
    imgret_results_free(near);
    imgret_results_free(found);
    options.rerank = spoil_scores;
    assert_int_equal(imgret_query(&found, f->db, &input, &options, NULL), IMGRET_INVALID_ARGUMENT);
    options.rerank = refuse;
    assert_int_equal(imgret_query(&found, f->db, &input, &options, NULL), IMGRET_INTERRUPTED);
}

/* Ten pictures almost the same as the query, and three groups further off. */
static void diversity_passes_over_the_same_again(void **state)
{
    fixture *f = *state;
    float center[4][DIMENSION] = {{0}};
    for (uint32_t c = 0; c < 4; c++) {
        center[c][0] = 10;
        if (c > 0)
            center[c][c] = 2 + (float)c / 10;
        for (uint32_t i = 0; i < 10; i++) {
            float vector[DIMENSION];
            memcpy(vector, center[c], sizeof vector);
            vector[8] = (float)i / 1000;
            add(f->db, vector);
        }
    }
    imgret_input input = vector_input(center[0]);
    imgret_query_options options = {.size = sizeof options, .k = 4, .candidate_count = 40};
    imgret_results *found = query(f->db, &input, &options);
    for (uint64_t i = 0; i < 4; i++)
        assert_true(imgret_results_at(found, i)->id <= COUNT + 10);
    imgret_results_free(found);
    options.diversity = 0.6;
    found = query(f->db, &input, &options);
    bool groups[4] = {false};
    for (uint64_t i = 0; i < 4; i++)
        groups[(imgret_results_at(found, i)->id - COUNT - 1) / 10] = true;
    assert_true(groups[0] && groups[1] && groups[2] && groups[3]);
    imgret_results_free(found);
}

static void counting_is_what_listing_lists(void **state)
{
    fixture *f = *state;
    uint64_t count;
    assert_int_equal(imgret_count(&count, f->db, NULL, NULL), IMGRET_OK);
    assert_int_equal(count, COUNT);
    const imgret_param most = {
        .size = sizeof most, .kind = IMGRET_PARAM_INTEGER, .name = "most", .integer = 300};
    imgret_count_options options = {.size = sizeof options,
                                    .where = "id % 3 = 0 AND id <= :most",
                                    .params = &most,
                                    .param_count = 1};
    assert_int_equal(imgret_count(&count, f->db, &options, NULL), IMGRET_OK);
    assert_int_equal(count, 100);
    options.state = IMGRET_STATE_FAILED;
    assert_int_equal(imgret_count(&count, f->db, &options, NULL), IMGRET_OK);
    assert_int_equal(count, 0);
    options.state = 3;
    assert_int_equal(imgret_count(&count, f->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
    options = (imgret_count_options){.size = sizeof options, .where = "count(*) > 1"};
    assert_int_equal(imgret_count(&count, f->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
}

static void nonsense_is_refused(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION];
    draw(20001, vector);
    imgret_input input = vector_input(vector), empty = {.size = sizeof empty};
    imgret_term good = {.size = sizeof good, .input = &input};
    imgret_term nan = {.size = sizeof nan, .input = &input, .weight = (double)NAN};
    imgret_term huge = {.size = sizeof huge, .input = &input, .weight = 1e300};
    imgret_term null = {.size = sizeof null};
    imgret_term kindless = {.size = sizeof kindless, .input = &empty};
    imgret_term cancels[2] = {good, {.size = sizeof good, .input = &input, .weight = -1}};
    imgret_term many[101];
    for (int i = 0; i < 101; i++)
        many[i] = good;
    imgret_color_term odd = {.size = sizeof odd, .weight = (double)NAN};
    imgret_color_term negative = {.size = sizeof odd, .weight = -1};
    const int64_t id = 1;
    const struct {
        imgret_query_options options;
        int32_t status;
    } cases[] = {
        {{.terms = &nan, .term_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &huge, .term_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &null, .term_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &kindless, .term_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = cancels, .term_count = 2}, IMGRET_INVALID_ARGUMENT},
        {{.terms = many, .term_count = 101}, IMGRET_LIMIT},
        {{.term_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .combine = 2}, IMGRET_INVALID_ARGUMENT},
        {{.k = 1}, IMGRET_INVALID_ARGUMENT}, /* nothing to search for */
        {{.colors = &odd, .color_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.colors = &negative, .color_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.color_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.colors = &odd, .color_count = 17}, IMGRET_LIMIT},
        {{.terms = &good, .term_count = 1, .color_weight = 1.5}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .diversity = -0.1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .diversity = (double)NAN}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .diversity = 0.5, .k = 2001}, IMGRET_LIMIT},
        {{.terms = &good, .term_count = 1, .candidate_count = 1000001}, IMGRET_LIMIT},
        {{.terms = &good, .term_count = 1, .k = 1000001}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .exclude_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.terms = &good, .term_count = 1, .exclude_ids = &id, .exclude_count = 1ull << 40},
         IMGRET_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_query_options options = cases[i].options;
        options.size = sizeof options;
        imgret_results *none;
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = imgret_query(&none, f->db, NULL, &options, &error);
        if (status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, imgret_status_name(status), error.message);
        assert_null(none);
        assert_true(error.message[0] != '\0');
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_plus_b_minus_c_is_one_vector),
        TEST(best_match_takes_the_better_score),
        TEST(examples_of_the_database_are_not_results),
        TEST(excluded_images_are_left_out),
        TEST(pages_join_while_pictures_are_added),
        TEST(pages_of_equal_scores_join),
        TEST(forged_cursors_are_refused),
        TEST(the_host_may_rank),
        TEST(diversity_passes_over_the_same_again),
        TEST(counting_is_what_listing_lists),
        TEST(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
