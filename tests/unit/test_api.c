/* test_api.c: the public contract on ready vectors: open, add, query, list, remove, errors. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>

enum { DIMENSION = 24 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
} fixture;

static imgret *open_vectors(const char *path, uint32_t metric, uint32_t flags)
{
    imgret_open_options options = {
        .size = sizeof options, .flags = flags, .model = "vectors:24", .metric = metric};
    imgret *db = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        print_message("open: %s\n", error.message);
    return db;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "api");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    f->db = open_vectors(f->path, 0, 0);
    *state = f;
    return f->db ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void fill_vector(float *out, uint32_t seed)
{
    for (uint32_t i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static int64_t add_vector(imgret *db, uint32_t seed, const char *uri, const char *metadata)
{
    float vector[DIMENSION];
    fill_vector(vector, seed);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    imgret_add_result result = {.size = sizeof result};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_add(db, &input, &options, &result, &error) != IMGRET_OK)
        print_message("add: %s\n", error.message);
    return result.id;
}

static imgret_results *query_vector(imgret *db, uint32_t seed, uint32_t k)
{
    float vector[DIMENSION];
    fill_vector(vector, seed);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_query_options options = {.size = sizeof options, .k = k};
    imgret_results *results = NULL;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    return results;
}

static void what_is_added_is_found_at_once(void **state)
{
    fixture *f = *state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        int64_t id = add_vector(f->db, seed, NULL, NULL);
        assert_true(id > 0);
        imgret_results *results = query_vector(f->db, seed, 3);
        assert_true(imgret_results_count(results) >= 1);
        const imgret_hit *best = imgret_results_at(results, 0);
        assert_int_equal(best->id, id);
        assert_true(fabs(best->score - 1.0) < 1e-5);
        for (uint64_t i = 1; i < imgret_results_count(results); i++)
            assert_true(imgret_results_at(results, i)->score <=
                        imgret_results_at(results, i - 1)->score);
        assert_null(imgret_results_at(results, imgret_results_count(results)));
        imgret_results_free(results);
    }
}

static void it_is_there_after_reopening(void **state)
{
    fixture *f = *state;
    int64_t first = add_vector(f->db, 1, "one", "{\"a\": 1}");
    int64_t second = add_vector(f->db, 2, "two", NULL);
    imgret_close(f->db);
    f->db = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_open(&f->db, f->path, NULL, &error), IMGRET_OK);
    imgret_results *results = query_vector(f->db, 2, 10);
    assert_int_equal(imgret_results_count(results), 2);
    assert_int_equal(imgret_results_at(results, 0)->id, second);
    assert_string_equal(imgret_results_at(results, 0)->uri, "two");
    assert_null(imgret_results_at(results, 0)->metadata);
    assert_string_equal(imgret_results_at(results, 1)->metadata, "{\"a\": 1}");
    imgret_close(f->db); /* results outlive the database */
    f->db = NULL;
    assert_int_equal(imgret_results_at(results, 1)->id, first);
    imgret_results_free(results);
}

static void an_id_is_a_query_and_not_its_own_answer(void **state)
{
    fixture *f = *state;
    int64_t ids[5];
    for (uint32_t i = 0; i < 5; i++)
        ids[i] = add_vector(f->db, i, NULL, NULL);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = ids[2]};
    imgret_query_options options = {.size = sizeof options};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_not_equal(imgret_results_at(results, i)->id, ids[2]);
    imgret_results_free(results);
    options.flags = IMGRET_QUERY_INCLUDE_SELF | IMGRET_QUERY_MIN_SCORE;
    options.min_score = 0.9999;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 1);
    assert_int_equal(imgret_results_at(results, 0)->id, ids[2]);
    imgret_results_free(results);
    input.id = 999;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_query(&results, f->db, &input, NULL, &error), IMGRET_NOT_FOUND);
    assert_null(results);
    assert_non_null(strstr(error.message, "999"));
}

static void equal_scores_come_by_id_even_after_a_replacement(void **state)
{
    fixture *f = *state;
    int64_t first = add_vector(f->db, 5, "a", NULL);
    int64_t second = add_vector(f->db, 7, "b", NULL);
    assert_int_equal(add_vector(f->db, 6, "a", NULL), first);
    assert_int_equal(add_vector(f->db, 7, "a", NULL), first); /* a later region than b's */
    imgret_results *results = query_vector(f->db, 7, 2);
    assert_true(imgret_results_at(results, 0)->score == imgret_results_at(results, 1)->score);
    assert_int_equal(imgret_results_at(results, 0)->id, first);
    assert_int_equal(imgret_results_at(results, 1)->id, second);
    imgret_results_free(results);
}

static void a_uri_is_replaced_or_unchanged(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION];
    fill_vector(vector, 1);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {.size = sizeof options, .uri = "x"};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(f->db, &input, &options, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_STORED);
    int64_t id = result.id;
    options.metadata = "{\"k\":2}";
    assert_int_equal(imgret_add(f->db, &input, &options, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_UNCHANGED);
    assert_int_equal(result.id, id);
    options.metadata = NULL;
    fill_vector(vector, 2);
    assert_int_equal(imgret_add(f->db, &input, &options, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_REPLACED);
    assert_int_equal(result.id, id);
    imgret_records *records;
    assert_int_equal(imgret_get(&records, f->db, id, NULL), IMGRET_OK);
    assert_string_equal(imgret_records_at(records, 0)->metadata, "{\"k\":2}");
    assert_string_equal(imgret_records_at(records, 0)->format, "vector");
    imgret_records_free(records);
    imgret_results *results = query_vector(f->db, 1, 5);
    assert_int_equal(imgret_results_count(results), 1);
    assert_true(imgret_results_at(results, 0)->score < 0.99);
    imgret_results_free(results);
}

static void removal_is_final(void **state)
{
    fixture *f = *state;
    int64_t id = add_vector(f->db, 1, "gone", NULL);
    int64_t stays = add_vector(f->db, 2, NULL, NULL);
    assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_NOT_FOUND);
    float vector[DIMENSION];
    assert_int_equal(imgret_get_vector(f->db, id, vector, DIMENSION, NULL), IMGRET_NOT_FOUND);
    imgret_results *results = query_vector(f->db, 1, 5);
    assert_int_equal(imgret_results_count(results), 1);
    assert_int_equal(imgret_results_at(results, 0)->id, stays);
    imgret_results_free(results);
    assert_true(add_vector(f->db, 1, "gone", NULL) > stays); /* ids are not used again */
}

static void stored_vectors_come_back(void **state)
{
    fixture *f = *state;
    float in[DIMENSION], out[DIMENSION];
    fill_vector(in, 9);
    int64_t id = add_vector(f->db, 9, NULL, NULL);
    assert_int_equal(imgret_get_vector(f->db, id, out, DIMENSION, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < DIMENSION; i++)
        assert_true(fabsf(in[i] - out[i]) <= fabsf(in[i]) * 0x1p-11f + 0x1p-24f);
    assert_int_equal(imgret_get_vector(f->db, id, out, 5, NULL), IMGRET_INVALID_ARGUMENT);
}

static void bad_vectors_are_refused_at_the_door(void **state)
{
    fixture *f = *state;
    float vector[DIMENSION] = {1};
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_error error = IMGRET_ERROR_INIT;
    vector[7] = NAN;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    imgret_results *results;
    assert_int_equal(imgret_query(&results, f->db, &input, NULL, &error), IMGRET_INVALID_ARGUMENT);
    vector[7] = INFINITY;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    vector[7] = 1e6f; /* beyond half precision */
    assert_int_not_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_OK);
    assert_non_null(strstr(error.message, "7"));
    vector[7] = 0;
    input.dimension = 5;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    input.kind = 77;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    input.kind = IMGRET_INPUT_ID;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    input.kind = IMGRET_INPUT_FILE;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    input.path = "/nowhere.jpg";
    assert_int_not_equal(imgret_add(f->db, &input, NULL, NULL, &error), IMGRET_OK);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, 0);
}

static void metadata_must_be_a_json_object(void **state)
{
    fixture *f = *state;
    int64_t id = add_vector(f->db, 1, NULL, "{}");
    assert_int_equal(imgret_set_metadata(f->db, id, "[1]", NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_set_metadata(f->db, id, "{", NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_set_metadata(f->db, id, "{\"n\": [1, 2]}", NULL), IMGRET_OK);
    assert_int_equal(imgret_set_metadata(f->db, 99, "{}", NULL), IMGRET_NOT_FOUND);
    char *deep = malloc(20020);
    strcpy(deep, "{\"a\":");
    memset(deep + 5, '[', 10000);
    memset(deep + 10005, ']', 10000);
    strcpy(deep + 20005, "}");
    assert_int_equal(imgret_set_metadata(f->db, id, deep, NULL), IMGRET_INVALID_ARGUMENT);
    free(deep);
    imgret_records *records;
    assert_int_equal(imgret_get(&records, f->db, id, NULL), IMGRET_OK);
    assert_string_equal(imgret_records_at(records, 0)->metadata, "{\"n\": [1, 2]}");
    imgret_records_free(records);
}

static void listing_pages_and_finds_by_uri(void **state)
{
    fixture *f = *state;
    char uri[16];
    for (uint32_t i = 0; i < 25; i++) {
        snprintf(uri, sizeof uri, "u%u", i);
        add_vector(f->db, i, uri, NULL);
    }
    imgret_list_options options = {.size = sizeof options, .limit = 10};
    uint64_t seen = 0;
    for (;;) {
        imgret_records *records;
        assert_int_equal(imgret_list(&records, f->db, &options, NULL), IMGRET_OK);
        uint64_t count = imgret_records_count(records);
        for (uint64_t i = 0; i < count; i++) {
            assert_true(imgret_records_at(records, i)->id > options.after_id);
            options.after_id = imgret_records_at(records, i)->id;
        }
        imgret_records_free(records);
        seen += count;
        if (count == 0)
            break;
    }
    assert_int_equal(seen, 25);
    imgret_list_options one = {.size = sizeof one, .uri = "u7"};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, f->db, &one, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 1);
    assert_string_equal(imgret_records_at(records, 0)->uri, "u7");
    imgret_records_free(records);
}

static void opening_says_what_is_wrong(void **state)
{
    fixture *f = *state;
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .model = "vectors:25"};
    assert_int_equal(imgret_open(&db, f->path, &options, &error), IMGRET_MISMATCH);
    assert_null(db);
    assert_non_null(strstr(error.message, "vectors:24"));
    options.model = "classic";
    assert_int_equal(imgret_open(&db, f->path, &options, &error), IMGRET_MISMATCH);
    options.model = NULL;
    options.metric = IMGRET_METRIC_L2;
    assert_int_equal(imgret_open(&db, f->path, &options, &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "cosine"));
    options.metric = 0;
    options.flags = IMGRET_OPEN_NEW;
    assert_int_equal(imgret_open(&db, f->path, &options, &error), IMGRET_EXISTS);
    options.flags = IMGRET_OPEN_EXISTING;
    char missing[320];
    snprintf(missing, sizeof missing, "%s-missing", f->path);
    assert_int_equal(imgret_open(&db, missing, &options, &error), IMGRET_NOT_FOUND);
    options.flags = 1u << 30;
    assert_int_equal(imgret_open(&db, f->path, &options, &error), IMGRET_INVALID_ARGUMENT);
    options.flags = 0;
    options.model = "no-such-backend:weights";
    assert_int_not_equal(imgret_open(&db, missing, &options, &error), IMGRET_OK);
    assert_int_not_equal(access(missing, F_OK), 0); /* a bad model leaves no database behind */
    assert_int_equal(imgret_open(&db, "", NULL, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_open(NULL, "x", NULL, &error), IMGRET_INVALID_ARGUMENT);
    write_text(missing, "this is no database");
    options.model = NULL;
    assert_int_not_equal(imgret_open(&db, missing, &options, &error), IMGRET_OK);
    assert_non_null(strstr(error.message, "-missing"));
}

static void read_only_reads_only(void **state)
{
    fixture *f = *state;
    add_vector(f->db, 1, NULL, NULL);
    imgret *reader = open_vectors(f->path, 0, IMGRET_OPEN_READ_ONLY);
    assert_non_null(reader);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_remove(reader, 1, &error), IMGRET_READ_ONLY);
    int64_t later = add_vector(f->db, 2, NULL, NULL);
    imgret_results *results = query_vector(reader, 2, 1); /* sees what the other handle adds */
    assert_int_equal(imgret_results_at(results, 0)->id, later);
    imgret_results_free(results);
    assert_int_equal(imgret_remove(f->db, later, NULL), IMGRET_OK);
    results = query_vector(reader, 2, 5);
    assert_int_equal(imgret_results_count(results), 1);
    imgret_results_free(results);
    imgret_close(reader);
}

static void two_writers_on_one_database_take_turns(void **state)
{
    fixture *f = *state;
    imgret *other = open_vectors(f->path, 0, 0);
    for (uint32_t i = 0; i < 20; i++) {
        add_vector(i % 2 ? other : f->db, i, NULL, NULL);
        imgret_results *mine = query_vector(f->db, i, 1);
        imgret_results *theirs = query_vector(other, i, 1);
        assert_int_equal(imgret_results_at(mine, 0)->id, imgret_results_at(theirs, 0)->id);
        assert_true(imgret_results_at(mine, 0)->score > 0.9999);
        imgret_results_free(mine);
        imgret_results_free(theirs);
    }
    imgret_close(other);
}

static void a_forked_child_gets_an_error(void **state)
{
    fixture *f = *state;
    add_vector(f->db, 1, NULL, NULL);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = imgret_remove(f->db, 1, &error);
        imgret_stats stats = {.size = sizeof stats};
        int32_t second = imgret_get_stats(f->db, &stats, &error);
        imgret_close(f->db);
        _exit(status == IMGRET_FORKED && second == IMGRET_FORKED ? 0 : 1);
    }
    int exit_status;
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_int_equal(exit_status, 0);
    add_vector(f->db, 2, NULL, NULL); /* the parent goes on */
    uint64_t problems = 99;
    assert_int_equal(imgret_check(f->db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void metrics_mean_what_they_say(void **state)
{
    fixture *f = *state;
    const float rows[3][DIMENSION] = {{3, 4}, {6, 8}, {0, 1}};
    const float query[DIMENSION] = {3, 4};
    const double wanted[3][3] = {{1, 1, 0.8}, {25, 50, 4}, {0, -5, -4.2426407}};
    for (uint32_t metric = IMGRET_METRIC_COSINE; metric <= IMGRET_METRIC_L2; metric++) {
        char path[320];
        snprintf(path, sizeof path, "%s-%u", f->path, metric);
        imgret *db = open_vectors(path, metric, 0);
        imgret_input input = {
            .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .dimension = DIMENSION};
        for (uint32_t i = 0; i < 3; i++) {
            input.vector = rows[i];
            assert_int_equal(imgret_add(db, &input, NULL, NULL, NULL), IMGRET_OK);
        }
        input.vector = query;
        imgret_results *results;
        assert_int_equal(imgret_query(&results, db, &input, NULL, NULL), IMGRET_OK);
        assert_int_equal(imgret_results_count(results), 3);
        for (uint64_t i = 0; i < 3; i++) {
            const imgret_hit *hit = imgret_results_at(results, i);
            assert_true(fabs(hit->score - wanted[metric - 1][hit->id - 1]) < 1e-5);
        }
        imgret_results_free(results);
        imgret_close(db);
    }
}

static void an_unknown_tail_is_refused(void **state)
{
    fixture *f = *state;
    struct {
        imgret_query_options options;
        uint64_t from_the_future;
    } newer = {{.size = sizeof newer, .k = 1}, 0};
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID};
    input.id = add_vector(f->db, 1, NULL, NULL);
    add_vector(f->db, 2, NULL, NULL);
    imgret_results *results;
    assert_int_equal(imgret_query(&results, f->db, &input, &newer.options, NULL), IMGRET_OK);
    imgret_results_free(results);
    newer.from_the_future = 1;
    assert_int_equal(imgret_query(&results, f->db, &input, &newer.options, NULL),
                     IMGRET_INVALID_ARGUMENT);
}

/* ---- threads ---- */

enum { ADDS = 200, READERS = 3 };

typedef struct traffic {
    imgret *db;
    _Atomic uint32_t added, asked;
} traffic;

static void *add_and_remove(void *context)
{
    traffic *t = context;
    for (uint32_t i = 1; i <= ADDS; i++) {
        int64_t id = add_vector(t->db, i, NULL, NULL);
        t->added = i;
        if (i % 5 == 0)
            imgret_remove(t->db, id, NULL);
        while (i == ADDS / 2 + 1 && t->asked == 0) /* on a busy machine nobody may have asked yet */
            sched_yield();
    }
    return NULL;
}

static void *ask_all_the_time(void *context)
{
    traffic *t = context;
    uintptr_t wrong = 0;
    while (t->added < ADDS) {
        uint32_t seed = t->added;
        if (seed == 0 || seed % 5 == 0)
            continue; /* may be removed by now */
        imgret_results *results = query_vector(t->db, seed, 2);
        const imgret_hit *best = imgret_results_at(results, 0);
        wrong += !best || best->score < 0.9999;
        imgret_results_free(results);
        t->asked++;
    }
    return (void *)wrong;
}

static void queries_run_beside_adds_and_removals(void **state)
{
    fixture *f = *state;
    traffic t = {.db = f->db};
    pthread_t writer, readers[READERS];
    pthread_create(&writer, NULL, add_and_remove, &t);
    for (int i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, ask_all_the_time, &t);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, ADDS - ADDS / 5);
    assert_int_equal(stats.vector_count, ADDS - ADDS / 5);
    assert_true(stats.query_count > 0);
}

static void running_out_of_memory_is_an_error_and_nothing_worse(void **state)
{
    fixture *f = *state;
    add_vector(f->db, 1, NULL, NULL);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options, .flags = IMGRET_QUERY_INCLUDE_SELF};
    bool ended = false;
    for (uint64_t n = 1; n < 200 && !ended; n++) {
        imgret_results *results;
        uint64_t before = ir_alloc_live_count();
        ir_alloc_fail_after(n);
        int32_t status = imgret_query(&results, f->db, &input, &options, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        ended = status == IMGRET_OK;
        imgret_results_free(results);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_true(ended);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_added_is_found_at_once),
        TEST(it_is_there_after_reopening),
        TEST(an_id_is_a_query_and_not_its_own_answer),
        TEST(equal_scores_come_by_id_even_after_a_replacement),
        TEST(a_uri_is_replaced_or_unchanged),
        TEST(removal_is_final),
        TEST(stored_vectors_come_back),
        TEST(bad_vectors_are_refused_at_the_door),
        TEST(metadata_must_be_a_json_object),
        TEST(listing_pages_and_finds_by_uri),
        TEST(opening_says_what_is_wrong),
        TEST(read_only_reads_only),
        TEST(two_writers_on_one_database_take_turns),
        TEST(a_forked_child_gets_an_error),
        TEST(metrics_mean_what_they_say),
        TEST(an_unknown_tail_is_refused),
        TEST(queries_run_beside_adds_and_removals),
        TEST(running_out_of_memory_is_an_error_and_nothing_worse),
    };
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
