/* test_reembed_kinds.c: moving databases with regions, and to and from principal components: afterwards
 * they are as fresh ones. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdbool.h>

enum { PICTURES = 30, DIMENSION = 492, KEPT = 12 };

typedef struct fixture {
    char folder[256];
    char path[300];
    char pictures[300];
    imgret *db;
} fixture;

static imgret *open_at(const char *path, const char *model, const char *regions)
{
    imgret_open_options options = {.size = sizeof options,
                                   .plugin_path = IMGRET_TEST_PLUGINS,
                                   .model = model,
                                   .regions = regions,
                                   .threads = 2};
    imgret *db = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return db;
}

static void ingest(const fixture *f, imgret *db)
{
    const char *paths[] = {f->pictures};
    imgret_ingest_options options = {.size = sizeof options, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_ingest(db, &options, NULL, NULL), IMGRET_OK);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char name[400];
    make_folder(f->folder, "reembed-kinds");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->pictures, sizeof f->pictures, "%s/pictures", f->folder);
    mkdir(f->pictures, 0777);
    for (uint32_t i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof name, "%s/%03u.ppm", f->pictures, i);
        write_stripes(name, 40 + i, i);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void begin(fixture *f, const char *model, const char *regions)
{
    f->db = open_at(f->path, model, regions);
    ingest(f, f->db);
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    (*(uint32_t *)user)++;
    return item->outcome != IMGRET_FAILED;
}

/* Moves the database, and opens it again without naming the model. */
static imgret_reembed_report move(fixture *f, const char *model)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_reembed_report report = {.size = sizeof report};
    imgret_reembed_options options = {.size = sizeof options, .model = model};
    if (imgret_reembed(f->db, &options, &report, &error) != IMGRET_OK)
        fail_msg("%s: %s", model, error.message);
    imgret_close(f->db);
    f->db = open_at(f->path, NULL, NULL);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(f->db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
    return report;
}

/* The best objects for region `ordinal` of an image. */
static imgret_results *ask(imgret *db, int64_t id, uint32_t ordinal, bool regions)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = id};
    imgret_query_options options = {.size = sizeof options, .k = 20};
    if (regions) {
        options.region = ordinal;
        options.search = IMGRET_SEARCH_BOTH;
    }
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return results;
}

static void assert_same_answers(imgret *a, imgret *b, int64_t id, uint32_t ordinal, bool regions)
{
    imgret_results *x = ask(a, id, ordinal, regions), *y = ask(b, id, ordinal, regions);
    assert_int_equal(imgret_results_count(x), imgret_results_count(y));
    assert_true(imgret_results_count(x) > 0);
    for (uint64_t i = 0; i < imgret_results_count(x); i++) {
        const imgret_hit *one = imgret_results_at(x, i), *other = imgret_results_at(y, i);
        assert_int_equal(one->id, other->id);
        assert_int_equal(one->region, other->region);
        assert_true(one->score == other->score);
    }
    imgret_results_free(x);
    imgret_results_free(y);
}

static void assert_like_fresh(fixture *f, const char *model, const char *regions)
{
    char path[320];
    static float a[DIMENSION], b[DIMENSION];
    snprintf(path, sizeof path, "%s/fresh.imgret", f->folder);
    imgret *fresh = open_at(path, model, regions);
    ingest(f, fresh);
    imgret_stats one = {.size = sizeof one}, other = {.size = sizeof other};
    assert_int_equal(imgret_get_stats(fresh, &one, NULL), IMGRET_OK);
    assert_int_equal(imgret_get_stats(f->db, &other, NULL), IMGRET_OK);
    assert_int_equal(one.dimension, other.dimension);
    assert_int_equal(one.vector_count, other.vector_count);
    assert_true(one.dimension <= DIMENSION);
    for (int64_t id = 1; id <= PICTURES; id++) {
        assert_int_equal(imgret_get_vector(fresh, id, a, one.dimension, NULL), IMGRET_OK);
        assert_int_equal(imgret_get_vector(f->db, id, b, one.dimension, NULL), IMGRET_OK);
        assert_memory_equal(a, b, one.dimension * sizeof a[0]);
        assert_same_answers(fresh, f->db, id, 0, regions != NULL);
        if (regions)
            assert_same_answers(fresh, f->db, id, 1 + (uint32_t)id % 4, true);
    }
    imgret_close(fresh);
    remove_folder(path);
}

static void regions_keep_their_boxes(void **state)
{
    fixture *f = *state;
    begin(f, "fake", "grid=2x2");
    imgret_reembed_report report = move(f, "classic");
    assert_int_equal(report.embedded_count, 5 * PICTURES);
    assert_like_fresh(f, "classic", "grid=2x2");
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, f->db, 3, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 5);
    imgret_regions_free(regions);
}

/* A picture that is gone is one that is missing, however many regions it has. */
static void a_missing_picture_counts_once(void **state)
{
    fixture *f = *state;
    char name[400];
    uint32_t told = 0;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_reembed_report report = {.size = sizeof report};
    imgret_reembed_options options = {
        .size = sizeof options, .model = "classic", .on_item = on_item, .user = &told};
    begin(f, "fake", "center");
    snprintf(name, sizeof name, "%s/003.ppm", f->pictures);
    unlink(name);
    assert_int_equal(imgret_reembed(f->db, &options, &report, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "1 pictures"));
    assert_int_equal(report.missing_count, 1);
    assert_int_equal(told, 1);
    options.flags = IMGRET_REEMBED_DROP_MISSING;
    assert_int_equal(imgret_reembed(f->db, &options, &report, &error), IMGRET_OK);
    assert_int_equal(report.resumed_count, 2 * (PICTURES - 1));
    imgret_close(f->db);
    f->db = open_at(f->path, NULL, NULL);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(f->db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.failed_count, 1);
    assert_int_equal(stats.vector_count, 2 * (PICTURES - 1));
}

/* ---- principal components ---- */

/* Learned from the pictures themselves; another `seed` gives other components. */
static bool learn(const fixture *f, const char *name, uint32_t dimension, char model[400])
{
    enum { ROWS = 64 };
    static float rows[ROWS * DIMENSION];
    char path[350];
    uint32_t state = dimension;
    for (uint32_t i = 0; i < ROWS * DIMENSION; i++) {
        state = state * 1664525u + 1013904223u;
        rows[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    snprintf(model, 400, "classic;pca=%s", path);
    imgret_pca_options options = {.size = sizeof options, .dimension = dimension};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_pca_train(path, rows, ROWS, DIMENSION, &options, NULL, &error);
    if (status && status != IMGRET_UNSUPPORTED)
        fail_msg("%s", error.message);
    return status == IMGRET_OK;
}

static bool has_copy(const fixture *f, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return access(path, F_OK) == 0;
}

/* Whether a picture from outside is understood, which needs the components. */
static int32_t ask_by_file(const fixture *f)
{
    char name[400];
    snprintf(name, sizeof name, "%s/005.ppm", f->pictures);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = name};
    imgret_results *results;
    int32_t status = imgret_query(&results, f->db, &input, NULL, NULL);
    if (!status)
        assert_int_equal(imgret_results_at(results, 0)->id, 6);
    imgret_results_free(results);
    return status;
}

static void components_come_and_go(void **state)
{
    fixture *f = *state;
    char first[400], second[400];
    if (!learn(f, "first.pca", KEPT, first) || !learn(f, "second.pca", KEPT + 4, second))
        skip_because("no OpenBLAS or LAPACK here");
    begin(f, first, NULL);
    assert_true(has_copy(f, "pca.imgret-pca"));
    move(f, second); /* from some to others */
    assert_like_fresh(f, second, NULL);
    assert_false(has_copy(f, "pca.imgret-pca.next"));
    unlink(strchr(second, '=') + 1);
    assert_int_equal(ask_by_file(f), IMGRET_OK); /* the database has its own copy */
    move(f, "classic");                          /* to none */
    assert_false(has_copy(f, "pca.imgret-pca"));
    assert_like_fresh(f, "classic", NULL);
    move(f, first); /* and back */
    assert_like_fresh(f, first, NULL);
    assert_int_equal(ask_by_file(f), IMGRET_OK);
}

/* Stopped between the commit and the exchange of the copies: whoever needs them finishes it. */
static void a_cut_off_exchange_is_finished(void **state)
{
    fixture *f = *state;
    char first[400], second[400], copy[400], next[400], old[400];
    if (!learn(f, "first.pca", KEPT, first) || !learn(f, "second.pca", KEPT + 4, second))
        skip_because("no OpenBLAS or LAPACK here");
    snprintf(copy, sizeof copy, "%s/pca.imgret-pca", f->path);
    snprintf(next, sizeof next, "%s/pca.imgret-pca.next", f->path);
    snprintf(old, sizeof old, "%s/old.pca", f->folder);
    begin(f, first, NULL);
    assert_int_equal(link(copy, old), 0);
    move(f, second);
    imgret_close(f->db);
    assert_int_equal(rename(copy, next), 0);
    assert_int_equal(rename(old, copy), 0);
    unlink(strchr(second, '=') + 1);
    f->db = open_at(f->path, NULL, NULL);
    assert_int_equal(ask_by_file(f), IMGRET_OK);
    assert_false(has_copy(f, "pca.imgret-pca.next"));
    imgret_close(f->db);
    f->db = open_at(f->path, NULL, NULL);
    assert_int_equal(ask_by_file(f), IMGRET_OK);
}

int main(void)
{
    setenv("OPENBLAS_NUM_THREADS", "1", 1); /* its threads spin, for minutes on a busy machine */
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(regions_keep_their_boxes),
        TEST(a_missing_picture_counts_once),
        TEST(components_come_and_go),
        TEST(a_cut_off_exchange_is_finished),
    };
    return cmocka_run_group_tests_name("reembed_kinds", tests, NULL, NULL);
}
