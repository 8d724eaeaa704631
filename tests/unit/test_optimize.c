/* test_optimize.c: vectors move into segments: found as before, removed, replaced, reopened, shared. */
#include "pictures.h"

#include "base/alloc.h"
#include "base/half.h"
#include "base/way.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>

enum { DIMENSION = 32, COUNT = 400 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
} fixture;

static imgret *open_database(const char *path)
{
    imgret_open_options options = {.size = sizeof options, .model = "vectors:32"};
    imgret *db = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        print_message("open: %s\n", error.message);
    return db;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "optimize");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    f->db = open_database(f->path);
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
    seed = seed * 2654435761u + 1;
    for (uint32_t i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static int64_t add(imgret *db, uint32_t seed, const char *uri)
{
    float vector[DIMENSION];
    fill_vector(vector, seed);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {.size = sizeof options, .uri = uri};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), IMGRET_OK);
    return result.id;
}

static void add_many(imgret *db, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        add(db, first + i, NULL);
}

static void optimize(imgret *db)
{
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_optimize(db, &options, &error) != IMGRET_OK)
        fail_msg("optimize: %s", error.message);
}

static imgret_results *ask(imgret *db, uint32_t seed, uint32_t k)
{
    float vector[DIMENSION];
    fill_vector(vector, seed);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_query_options options = {.size = sizeof options, .k = k};
    imgret_results *results = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        fail_msg("query: %s", error.message);
    return results;
}

static int64_t best(imgret *db, uint32_t seed, double *score)
{
    imgret_results *results = ask(db, seed, 1);
    const imgret_hit *hit = imgret_results_at(results, 0);
    int64_t id = hit ? hit->id : 0;
    if (score)
        *score = hit ? hit->score : 0;
    imgret_results_free(results);
    return id;
}

static imgret_stats stats_of(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    return stats;
}

static int32_t print_problem(void *user, const char *message)
{
    (void)user;
    print_message("check: %s\n", message);
    return 0;
}

static void assert_healthy(imgret *db)
{
    uint64_t problems = 99;
    assert_int_equal(imgret_check(db, print_problem, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void what_was_found_is_found_in_a_segment(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    imgret_results *before[20];
    for (uint32_t q = 0; q < 20; q++)
        before[q] = ask(f->db, 100000 + q, 10);
    optimize(f->db);
    imgret_stats stats = stats_of(f->db);
    assert_int_equal(stats.segment_count, 1);
    assert_int_equal(stats.segment_vector_count, COUNT);
    assert_int_equal(stats.delta_vector_count, 0);
    uint32_t same = 0;
    for (uint32_t q = 0; q < 20; q++) {
        imgret_results *after = ask(f->db, 100000 + q, 10);
        assert_int_equal(imgret_results_count(after), 10);
        for (uint64_t i = 0; i < 10; i++)
            for (uint64_t j = 0; j < 10; j++) {
                const imgret_hit *a = imgret_results_at(after, i);
                const imgret_hit *b = imgret_results_at(before[q], j);
                if (a->id != b->id)
                    continue;
                same++;
                assert_true(fabs(a->score - b->score) < 1e-5);
            }
        imgret_results_free(after);
        imgret_results_free(before[q]);
    }
    assert_true(same >= 195); /* of 200: a graph may miss one now and then */
    assert_true(stats_of(f->db).disk_read_count > 0);
    assert_healthy(f->db);
}

static void new_ones_are_found_beside_and_merged_later(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    optimize(f->db);
    add_many(f->db, COUNT, 40); /* a tenth: becomes a segment of its own */
    double score;
    assert_int_equal(best(f->db, COUNT + 7, &score), COUNT + 8);
    assert_true(score > 0.9999);
    optimize(f->db);
    assert_int_equal(stats_of(f->db).segment_count, 2);
    assert_int_equal(best(f->db, COUNT + 7, NULL), COUNT + 8);
    assert_int_equal(best(f->db, 7, NULL), 8);
    add_many(f->db, COUNT + 40, 200); /* more than an eighth: all becomes one */
    optimize(f->db);
    imgret_stats stats = stats_of(f->db);
    assert_int_equal(stats.segment_count, 1);
    assert_int_equal(stats.segment_vector_count, COUNT + 240);
    assert_int_equal(best(f->db, COUNT + 7, NULL), COUNT + 8);
    assert_int_equal(best(f->db, COUNT + 200, NULL), COUNT + 201);
    assert_healthy(f->db);
}

static void removed_and_replaced_ones_never_appear(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 99);
    int64_t named = add(f->db, 99, "named");
    optimize(f->db);
    assert_int_equal(imgret_remove(f->db, 5, NULL), IMGRET_OK);
    assert_int_equal(add(f->db, 5000, "named"), named);
    assert_int_not_equal(best(f->db, 4, NULL), 5);
    assert_int_equal(best(f->db, 5000, NULL), named);
    double score;
    best(f->db, 99, &score);
    assert_true(score < 0.99);
    imgret_results *all = ask(f->db, 4, 1000);
    assert_int_equal(imgret_results_count(all), 99);
    imgret_results_free(all);
    float vector[DIMENSION];
    assert_int_equal(imgret_get_vector(f->db, 5, vector, DIMENSION, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_get_vector(f->db, 7, vector, DIMENSION, NULL), IMGRET_OK);
    imgret_close(f->db);
    f->db = open_database(f->path);
    assert_int_not_equal(best(f->db, 4, NULL), 5);
    optimize(f->db);
    assert_int_not_equal(best(f->db, 4, NULL), 5);
    for (int64_t id = 10; id <= 60; id++)
        assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    optimize(f->db); /* half is dead: erased */
    assert_int_equal(stats_of(f->db).segment_vector_count, 48);
    all = ask(f->db, 4, 1000);
    assert_int_equal(imgret_results_count(all), 48);
    imgret_results_free(all);
    assert_healthy(f->db);
}

static void another_handle_follows(void **state)
{
    fixture *f = *state;
    imgret *other = open_database(f->path);
    add_many(f->db, 0, 100);
    assert_int_equal(best(other, 42, NULL), 43);
    optimize(f->db);
    assert_int_equal(best(other, 42, NULL), 43);
    assert_int_equal(stats_of(other).segment_count, 1);
    assert_int_equal(stats_of(other).delta_vector_count, 0);
    assert_int_equal(imgret_remove(other, 43, NULL), IMGRET_OK);
    assert_int_not_equal(best(f->db, 42, NULL), 43);
    add_many(other, 1000, 60);
    optimize(other);
    assert_int_equal(best(f->db, 1059, NULL), 160);
    assert_healthy(f->db);
    imgret_close(other);
}

static void leftovers_are_deleted_and_damage_is_named(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 50);
    optimize(f->db);
    imgret_close(f->db);
    char path[400];
    snprintf(path, sizeof path, "%s/segments/000077.seg.tmp", f->path);
    write_text(path, "half a segment");
    f->db = open_database(f->path);
    assert_int_not_equal(access(path, F_OK), 0);
    imgret_close(f->db);
    snprintf(path, sizeof path, "%s/segments/000001.seg", f->path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 100, SEEK_SET);
    fputc(0x55, file);
    fclose(file);
    imgret_error error = IMGRET_ERROR_INIT;
    for (int round = 0; round < 2; round++) { /* damaged, then missing */
        assert_int_equal(imgret_open(&f->db, f->path, NULL, &error), IMGRET_OK);
        imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
        imgret_results *results;
        assert_int_equal(imgret_query(&results, f->db, &input, NULL, &error), IMGRET_CORRUPT);
        assert_non_null(strstr(error.message, "000001.seg"));
        imgret_close(f->db);
        f->db = NULL;
        unlink(path);
    }
}

static int32_t stop_at_once(void *user, double done)
{
    (void)user, (void)done;
    return 1;
}

static void it_stops_when_asked_and_does_nothing_without_need(void **state)
{
    fixture *f = *state;
    assert_int_equal(imgret_optimize(f->db, NULL, NULL), IMGRET_OK); /* empty */
    add_many(f->db, 0, 50);
    assert_int_equal(imgret_optimize(f->db, NULL, NULL), IMGRET_OK);
    assert_int_equal(stats_of(f->db).segment_count, 0); /* too few to pay */
    imgret_optimize_options options = {
        .size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE, .on_progress = stop_at_once};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_INTERRUPTED);
    assert_int_equal(stats_of(f->db).segment_count, 0);
    assert_int_equal(best(f->db, 7, NULL), 8);
    options.flags = 1u << 20;
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
    optimize(f->db);
    for (int64_t id = 1; id <= 50; id++)
        assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    optimize(f->db);
    assert_int_equal(best(f->db, 7, NULL), 0);
    assert_healthy(f->db);
}

static void a_backup_has_the_segments_too(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 60);
    optimize(f->db);
    add_many(f->db, 60, 10);
    assert_int_equal(imgret_remove(f->db, 7, NULL), IMGRET_OK);
    char copy[320];
    snprintf(copy, sizeof copy, "%s-copy", f->path);
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_backup(f->db, copy, NULL, &error) != IMGRET_OK)
        fail_msg("backup: %s", error.message);
    imgret_close(f->db);
    remove_folder(f->path);
    f->db = open_database(copy);
    assert_int_equal(stats_of(f->db).segment_vector_count, 60);
    assert_int_equal(best(f->db, 42, NULL), 43);
    assert_int_equal(best(f->db, 65, NULL), 66);
    assert_int_not_equal(best(f->db, 6, NULL), 7);
    assert_healthy(f->db);
}

static void a_transaction_and_an_optimize_do_not_mix(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 30);
    optimize(f->db);
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(f->db, 5, NULL), IMGRET_OK);
    add(f->db, 900, NULL);
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    assert_int_not_equal(best(f->db, 4, NULL), 5);
    assert_int_equal(best(f->db, 900, NULL), 31);
    optimize(f->db);
    imgret_close(f->db);
    f->db = open_database(f->path);
    uint64_t scanned = stats_of(f->db).scanned_count;
    assert_int_equal(best(f->db, 900, NULL), 31);
    assert_true(stats_of(f->db).scanned_count - scanned <= 31); /* one try: no removal is news */
    assert_healthy(f->db);
}

static int32_t note_progress(void *user, double done)
{
    double *last = user;
    assert_true(done >= *last && done <= 1);
    *last = done;
    return 0;
}

typedef struct meeting {
    imgret *db;
    bool gave_way, was_asked;
} meeting;

/* The building thread itself: what it finds here is how it builds. */
static int32_t ask_meanwhile(void *user, double done)
{
    (void)done;
    meeting *m = user;
    m->gave_way = m->gave_way || ir_way_get() != NULL;
    if (!m->was_asked) {
        imgret_results_free(ask(m->db, 5, 3));
        m->was_asked = ir_way_is_asked();
    }
    return 0;
}

static void building_gives_way_to_queries(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    meeting m = {.db = f->db};
    imgret_optimize_options options = {.size = sizeof options,
                                       .flags = IMGRET_OPTIMIZE_FORCE,
                                       .on_progress = ask_meanwhile,
                                       .user = &m};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_OK);
    assert_true(m.gave_way && m.was_asked);
    assert_null(ir_way_get());
    assert_int_equal(stats_of(f->db).segment_count, 1);
}

static void progress_ends_at_one(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    for (int round = 0; round < 2; round++) { /* built, then merged */
        double last = 0;
        imgret_optimize_options options = {.size = sizeof options,
                                           .flags = IMGRET_OPTIMIZE_FORCE,
                                           .on_progress = note_progress,
                                           .user = &last};
        assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_OK);
        assert_true(last == 1);
        assert_int_equal(stats_of(f->db).segment_count, 1);
        add_many(f->db, COUNT, 100);
    }
}

typedef struct measuring {
    uint32_t calls; /* after the segment was built, before the end */
    uint32_t stop_at;
} measuring;

static int32_t note_measuring(void *user, double done)
{
    measuring *m = user;
    if (done > 0.9 && done < 1)
        m->calls++;
    return m->stop_at && m->calls == m->stop_at;
}

static void progress_goes_on_while_recall_is_measured(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    measuring m = {.stop_at = 2};
    imgret_optimize_options options = {.size = sizeof options,
                                       .flags = IMGRET_OPTIMIZE_FORCE,
                                       .on_progress = note_measuring,
                                       .user = &m};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_INTERRUPTED);
    assert_int_equal(stats_of(f->db).segment_count, 0);
    m = (measuring){0};
    assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_OK);
    assert_true(m.calls >= 6); /* three curves, two or more measurements each */
    assert_int_equal(stats_of(f->db).segment_count, 1);
}

static void it_works_with_little_memory(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options options = {
        .size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE, .memory_bytes_max = 1000};
    assert_int_equal(imgret_optimize(f->db, &options, &error), IMGRET_LIMIT);
    assert_non_null(strstr(error.message, "at least"));
    options.memory_bytes_max = 8u << 20; /* all at once takes more than 32 MiB */
    for (uint32_t round = 0; round < 2; round++) {
        assert_int_equal(imgret_optimize(f->db, &options, NULL), IMGRET_OK);
        assert_int_equal(stats_of(f->db).segment_count, 1);
        assert_int_equal(best(f->db, 7, NULL), 8);
        assert_healthy(f->db);
        add_many(f->db, COUNT + 60 * round, 60);
    }
    assert_int_equal(best(f->db, COUNT + 7, NULL), COUNT + 8);
}

/* Whether the vector of `seed` lies, as it is stored, in the only segment file. */
static bool lies_in_file(const fixture *f, const char *name, uint32_t seed)
{
    char path[400], *data;
    float vector[DIMENSION];
    uint16_t stored[DIMENSION];
    fill_vector(vector, seed);
    for (uint32_t i = 0; i < DIMENSION; i++)
        stored[i] = ir_half_from_float(vector[i]);
    snprintf(path, sizeof path, "%s/segments/%s", f->path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    data = malloc(bytes);
    assert_int_equal(fread(data, 1, bytes, file), bytes);
    fclose(file);
    bool found = memmem(data, bytes, stored, sizeof stored) != NULL;
    free(data);
    return found;
}

static void a_merge_erases_what_was_removed(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, COUNT);
    optimize(f->db);
    assert_true(lies_in_file(f, "000001.seg", 7));
    for (int64_t id = 8; id <= 20; id++)
        assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    add_many(f->db, COUNT, 60);
    optimize(f->db);
    assert_int_equal(stats_of(f->db).segment_count, 1);
    assert_int_equal(stats_of(f->db).segment_vector_count, COUNT + 60 - 13);
    for (uint32_t seed = 0; seed < COUNT + 60; seed += 5)
        assert_int_equal(lies_in_file(f, "000002.seg", seed), seed < 7 || seed > 19);
    assert_int_equal(best(f->db, COUNT + 7, NULL), COUNT + 8);
    assert_int_equal(best(f->db, 300, NULL), 301);
    assert_int_not_equal(best(f->db, 10, NULL), 11);
    optimize(f->db); /* nothing to do: no empty segment appears */
    assert_int_equal(stats_of(f->db).segment_count, 1);
    assert_healthy(f->db);
}

/* ---- threads ---- */

typedef struct traffic {
    imgret *db;
    _Atomic int stop;
} traffic;

static void *ask_all_the_time(void *context)
{
    traffic *t = context;
    uintptr_t wrong = 0;
    for (uint32_t i = 0; !t->stop; i++)
        wrong += best(t->db, i % 100, NULL) != i % 100 + 1;
    return (void *)wrong;
}

static void queries_go_on_while_segments_are_replaced(void **state)
{
    fixture *f = *state;
    add_many(f->db, 0, 100);
    traffic t = {.db = f->db};
    pthread_t readers[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&readers[i], NULL, ask_all_the_time, &t);
    for (uint32_t round = 0; round < 6; round++) {
        add_many(f->db, 1000 + 20 * round, 20);
        optimize(f->db);
    }
    t.stop = 1;
    for (int i = 0; i < 2; i++) {
        void *wrong;
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
    assert_healthy(f->db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_found_is_found_in_a_segment),
        TEST(new_ones_are_found_beside_and_merged_later),
        TEST(removed_and_replaced_ones_never_appear),
        TEST(another_handle_follows),
        TEST(leftovers_are_deleted_and_damage_is_named),
        TEST(it_stops_when_asked_and_does_nothing_without_need),
        TEST(a_backup_has_the_segments_too),
        TEST(a_transaction_and_an_optimize_do_not_mix),
        TEST(building_gives_way_to_queries),
        TEST(progress_ends_at_one),
        TEST(progress_goes_on_while_recall_is_measured),
        TEST(it_works_with_little_memory),
        TEST(a_merge_erases_what_was_removed),
        TEST(queries_go_on_while_segments_are_replaced),
    };
    return cmocka_run_group_tests_name("optimize", tests, NULL, NULL);
}
