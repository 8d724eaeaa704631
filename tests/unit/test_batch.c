/* test_batch.c: a batch of queries answers what each query answers alone. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { DIMENSION = 24, IN_SEGMENT = 700, IN_DELTA = 300, QUERIES = 28 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
    float vectors[QUERIES][DIMENSION];
    imgret_input inputs[QUERIES];
} fixture;

static void fill_vector(float *out, uint32_t seed)
{
    seed = seed * 2654435761u + 1;
    for (uint32_t i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static imgret_input vector_input(const float *vector)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
}

static void add_vectors(imgret *db, uint32_t first, uint32_t count)
{
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = first; i < first + count; i++) {
        float vector[DIMENSION];
        fill_vector(vector, i);
        imgret_input input = vector_input(vector);
        imgret_add_options options = {.size = sizeof options,
                                      .metadata = i % 3 ? "{\"third\":0}" : "{\"third\":1}"};
        assert_int_equal(imgret_add(db, &input, &options, NULL, NULL), IMGRET_OK);
    }
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "batch");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:24", .threads = 3};
    assert_int_equal(imgret_open(&f->db, f->path, &options, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < QUERIES; i++) {
        fill_vector(f->vectors[i], 100000 + i);
        f->inputs[i] = vector_input(f->vectors[i]);
        if (i % 4 == 3)
            f->inputs[i] = (imgret_input){
                .size = sizeof(imgret_input), .kind = IMGRET_INPUT_ID, .id = 1 + (int64_t)i * 13};
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

static void assert_equal_results(const imgret_results *a, const imgret_results *b)
{
    assert_non_null(a);
    assert_int_equal(imgret_results_count(a), imgret_results_count(b));
    for (uint64_t i = 0; i < imgret_results_count(a); i++) {
        const imgret_hit *x = imgret_results_at(a, i), *y = imgret_results_at(b, i);
        assert_int_equal(x->id, y->id);
        assert_memory_equal(&x->score, &y->score, sizeof x->score);
        assert_string_equal(x->metadata, y->metadata);
    }
}

/* Returns how many results there were in all. */
static uint64_t assert_same_as_one_by_one(imgret *db, const imgret_input *inputs, uint32_t count,
                                          const imgret_query_options *options)
{
    imgret_results *many[QUERIES];
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t total = 0;
    if (imgret_query_batch(many, db, inputs, count, options, &error))
        fail_msg("batch: %s", error.message);
    for (uint32_t i = 0; i < count; i++) {
        imgret_results *one;
        assert_int_equal(imgret_query(&one, db, &inputs[i], options, NULL), IMGRET_OK);
        assert_equal_results(many[i], one);
        total += imgret_results_count(one);
        imgret_results_free(one);
        imgret_results_free(many[i]);
    }
    return total;
}

static void assert_all_kinds_agree(fixture *f)
{
    imgret_query_options plain = {.size = sizeof plain};
    assert_int_equal(assert_same_as_one_by_one(f->db, f->inputs, QUERIES, &plain), 10 * QUERIES);
    imgret_query_options all = {.size = sizeof all, .k = 5000};
    assert_true(assert_same_as_one_by_one(f->db, f->inputs, 4, &all) >= 4 * IN_DELTA - 4);
    imgret_query_options near = {.size = sizeof near,
                                 .k = 50,
                                 .min_score = 0.4,
                                 .flags = IMGRET_QUERY_MIN_SCORE | IMGRET_QUERY_INCLUDE_SELF};
    uint64_t found = assert_same_as_one_by_one(f->db, f->inputs, QUERIES, &near);
    assert_true(found > QUERIES / 4 && found < 50 * QUERIES);
    imgret_query_options third = {.size = sizeof third, .k = 7, .where = "meta->>'third' = 1"};
    assert_int_equal(assert_same_as_one_by_one(f->db, f->inputs, QUERIES, &third), 7 * QUERIES);
    imgret_query_options few = {.size = sizeof few, .where = "id IN (5, 90, 200, 400)"};
    assert_true(assert_same_as_one_by_one(f->db, f->inputs, QUERIES, &few) >= 3 * QUERIES);
}

static void it_answers_what_single_queries_answer(void **state)
{
    fixture *f = *state;
    add_vectors(f->db, 0, IN_SEGMENT + IN_DELTA);
    assert_all_kinds_agree(f); /* all in the delta */
    assert_int_equal(imgret_remove(f->db, 77, NULL), IMGRET_OK);
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &force, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(f->db, 78, NULL), IMGRET_OK);
    add_vectors(f->db, IN_SEGMENT + IN_DELTA, IN_DELTA);
    assert_all_kinds_agree(f); /* in a segment and in the delta */
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.segment_count, 1);
    assert_int_equal(stats.query_count, 2 * 2 * (4 * QUERIES + 4));
}

static void a_batch_longer_than_a_part_is_whole(void **state)
{
    fixture *f = *state;
    enum { COUNT = 2500 };
    add_vectors(f->db, 0, 200);
    imgret_input *inputs = malloc(COUNT * sizeof *inputs);
    imgret_results **out = malloc(COUNT * sizeof(imgret_results *));
    for (uint32_t i = 0; i < COUNT; i++)
        inputs[i] = (imgret_input){
            .size = sizeof(imgret_input), .kind = IMGRET_INPUT_ID, .id = 1 + i % 200};
    imgret_query_options self = {.size = sizeof self, .k = 1, .flags = IMGRET_QUERY_INCLUDE_SELF};
    assert_int_equal(imgret_query_batch(out, f->db, inputs, COUNT, &self, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(imgret_results_count(out[i]), 1);
        assert_int_equal(imgret_results_at(out[i], 0)->id, inputs[i].id);
        imgret_results_free(out[i]);
    }
    inputs[2222].id = 12345; /* in the last part: what was found before is let go */
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_query_batch(out, f->db, inputs, COUNT, &self, &error),
                     IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "input 2222: "));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_null(out[i]);
    free(out);
    free(inputs);
}

static void it_refuses_what_makes_no_sense(void **state)
{
    fixture *f = *state;
    imgret_results *out[QUERIES];
    imgret_error error = IMGRET_ERROR_INIT;
    add_vectors(f->db, 0, 20);
    assert_int_equal(imgret_query_batch(out, f->db, NULL, 0, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_query_batch(NULL, f->db, f->inputs, 1, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_query_batch(out, f->db, NULL, 1, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_query_batch(out, NULL, f->inputs, 1, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_query_batch(out, f->db, f->inputs, UINT64_MAX, NULL, NULL),
                     IMGRET_LIMIT);
    f->inputs[1].dimension = 7;
    assert_int_equal(imgret_query_batch(out, f->db, f->inputs, 3, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "input 1: "));
    f->inputs[1].dimension = DIMENSION;
    f->inputs[2].kind = 9;
    assert_int_equal(imgret_query_batch(out, f->db, f->inputs, 3, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "input 2: "));
    for (int i = 0; i < 3; i++)
        assert_null(out[i]);
}

/* Inputs of a host compiled for a larger struct: the size is the stride. */
static void larger_inputs_are_read(void **state)
{
    fixture *f = *state;
    struct {
        imgret_input input;
        uint64_t later;
    } inputs[3];
    add_vectors(f->db, 0, 50);
    memset(inputs, 0, sizeof inputs);
    for (int i = 0; i < 3; i++) {
        inputs[i].input = vector_input(f->vectors[i]);
        inputs[i].input.size = sizeof inputs[0];
    }
    imgret_results *out[3];
    assert_int_equal(imgret_query_batch(out, f->db, &inputs[0].input, 3, NULL, NULL), IMGRET_OK);
    for (int i = 0; i < 3; i++) {
        imgret_results *one;
        imgret_input input = vector_input(f->vectors[i]);
        assert_int_equal(imgret_query(&one, f->db, &input, NULL, NULL), IMGRET_OK);
        assert_equal_results(out[i], one);
        imgret_results_free(one);
        imgret_results_free(out[i]);
    }
}

/* ---- deadlines and statistics ---- */

enum { LONG = 30000 };

static imgret_input *long_batch(void)
{
    imgret_input *inputs = malloc(LONG * sizeof *inputs);
    for (uint32_t i = 0; i < LONG; i++)
        inputs[i] = (imgret_input){
            .size = sizeof(imgret_input), .kind = IMGRET_INPUT_ID, .id = 1 + i % 900};
    return inputs;
}

/* A batch that no machine answers within a millisecond. */
static void a_deadline_ends_a_batch(void **state)
{
    fixture *f = *state;
    add_vectors(f->db, 0, 900);
    imgret_input *inputs = long_batch();
    imgret_results **out = malloc(LONG * sizeof(imgret_results *));
    imgret_query_options options = {.size = sizeof options, .k = 3, .deadline_ms = 1};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_query_batch(out, f->db, inputs, LONG, &options, &error),
                     IMGRET_INTERRUPTED);
    assert_non_null(strstr(error.message, "deadline of 1 ms"));
    assert_null(out[0]);
    assert_null(out[LONG - 1]);
    options.flags = IMGRET_QUERY_ALLOW_PARTIAL;
    assert_int_equal(imgret_query_batch(out, f->db, inputs, LONG, &options, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < LONG; i++) {
        const imgret_query_stats *stats = imgret_results_stats(out[i]);
        assert_int_equal(stats->size, sizeof *stats);
        if (!(stats->flags & IMGRET_QUERY_PARTIAL))
            assert_int_equal(imgret_results_count(out[i]), 3);
    }
    assert_true(imgret_results_stats(out[LONG - 1])->flags & IMGRET_QUERY_PARTIAL);
    for (uint32_t i = 0; i < LONG; i++)
        imgret_results_free(out[i]);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_true(stats.partial_count > 0 && stats.partial_count <= LONG);
    options.deadline_ms = 1000000000; /* none that matters */
    assert_int_equal(imgret_query_batch(out, f->db, inputs, 5, &options, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(imgret_results_stats(out[i])->flags, 0);
        assert_int_equal(imgret_results_count(out[i]), 3);
        imgret_results_free(out[i]);
    }
    free(out);
    free(inputs);
}

static void queries_tell_what_they_did(void **state)
{
    fixture *f = *state;
    imgret_results *results;
    assert_null(imgret_results_stats(NULL));
    add_vectors(f->db, 0, IN_SEGMENT);
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &force, NULL), IMGRET_OK);
    add_vectors(f->db, IN_SEGMENT, IN_DELTA);
    imgret_query_options options = {.size = sizeof options, .effort = 80};
    assert_int_equal(imgret_query(&results, f->db, &f->inputs[0], &options, NULL), IMGRET_OK);
    imgret_query_stats one = *imgret_results_stats(results);
    imgret_results_free(results);
    assert_int_equal(one.scanned, IN_DELTA);
    /* A walk may end after half of the hops, when all that is left lies far away. */
    assert_true(one.hops >= 40 && one.cache_hits == one.hops);
    assert_true(one.sign_distances > one.hops && one.code_distances > 0);
    assert_true(one.reranks >= 10 && one.reads >= 10 && one.read_bytes == one.reads * 4096);
    assert_int_equal(one.exact_distances, one.scanned + one.reranks);
    assert_int_equal(one.effort, 80);
    imgret_stats all = {.size = sizeof all};
    assert_int_equal(imgret_get_stats(f->db, &all, NULL), IMGRET_OK);
    assert_int_equal(all.hop_count, one.hops);
    assert_int_equal(all.disk_read_bytes, one.read_bytes);
    assert_int_equal(all.sign_distance_count, one.sign_distances);
    assert_int_equal(all.code_ram_bytes + all.graph_ram_bytes + all.id_ram_bytes +
                         all.check_ram_bytes + all.other_ram_bytes,
                     all.segment_ram_bytes);
    assert_true(all.code_ram_bytes > 0 && all.graph_ram_bytes > 0 && all.graph_disk_bytes == 0);
    bool ring = strcmp(all.io_kind, "io_uring") == 0;
    assert_true(ring || strcmp(all.io_kind, "threads") == 0);
    assert_int_equal(ring, all.io_reason[0] == '\0');
}

static void estimated_scores_spare_reads(void **state)
{
    fixture *f = *state;
    imgret_results *results;
    add_vectors(f->db, 0, IN_SEGMENT + IN_DELTA);
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &force, NULL), IMGRET_OK);
    uint64_t reads[2] = {0, 0}, estimates = 0;
    for (uint32_t q = 0; q < QUERIES; q++) {
        double scores[10];
        int64_t ids[10];
        uint32_t same = 0;
        for (uint32_t e = 0; e < 2; e++) {
            imgret_query_options options = {.size = sizeof options,
                                            .flags = e ? IMGRET_QUERY_ESTIMATED : 0};
            assert_int_equal(imgret_query(&results, f->db, &f->inputs[q], &options, NULL),
                             IMGRET_OK);
            const imgret_query_stats *stats = imgret_results_stats(results);
            reads[e] += stats->reads;
            estimates += (stats->flags & IMGRET_QUERY_HAS_ESTIMATES) != 0;
            assert_true(e || !(stats->flags & IMGRET_QUERY_HAS_ESTIMATES));
            for (uint32_t i = 0; i < 10; i++) {
                const imgret_hit *hit = imgret_results_at(results, i);
                for (uint32_t j = 0; e && j < 10; j++)
                    if (ids[j] == hit->id) {
                        assert_true(fabs(scores[j] - hit->score) < 0.1);
                        same++;
                    }
                if (!e) {
                    ids[i] = hit->id;
                    scores[i] = hit->score;
                }
            }
            imgret_results_free(results);
        }
        assert_true(same >= 8);
    }
    assert_true(reads[1] < reads[0] && estimates > QUERIES / 2);
}

static void targets_are_checked(void **state)
{
    fixture *f = *state;
    imgret_results *results;
    add_vectors(f->db, 0, 20);
    const float bad[] = {-1, 0.2f, 1, 2, NAN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        imgret_query_options options = {.size = sizeof options, .target_recall = bad[i]};
        assert_int_equal(imgret_query(&results, f->db, &f->inputs[0], &options, NULL),
                         IMGRET_INVALID_ARGUMENT);
    }
    imgret_query_options both = {.size = sizeof both, .effort = 9, .target_recall = 0.9f};
    assert_int_equal(imgret_query(&results, f->db, &f->inputs[0], &both, NULL),
                     IMGRET_INVALID_ARGUMENT);
}

/* ---- pictures ---- */

static void pictures_go_through_the_model(void **state)
{
    fixture *f = *state;
    enum { PICTURES = 40 };
    char path[320], files[PICTURES][320];
    snprintf(path, sizeof path, "%s/pictures.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "classic", .threads = 3};
    imgret *db;
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_OK);
    imgret_input inputs[PICTURES + 1];
    for (int i = 0; i < PICTURES; i++) {
        snprintf(files[i], sizeof files[i], "%s/%d.ppm", f->folder, i);
        write_stripes(files[i], 40, (uint32_t)i);
        inputs[i] = (imgret_input){
            .size = sizeof(imgret_input), .kind = IMGRET_INPUT_FILE, .path = files[i]};
        if (i % 2)
            assert_int_equal(imgret_add(db, &inputs[i], NULL, NULL, NULL), IMGRET_OK);
    }
    imgret_results *out[PICTURES + 1];
    assert_int_equal(imgret_query_batch(out, db, inputs, PICTURES, NULL, NULL), IMGRET_OK);
    for (int i = 0; i < PICTURES; i++) {
        imgret_results *one;
        assert_int_equal(imgret_query(&one, db, &inputs[i], NULL, NULL), IMGRET_OK);
        assert_int_equal(imgret_results_count(out[i]), imgret_results_count(one));
        for (uint64_t h = 0; h < imgret_results_count(one); h++)
            assert_int_equal(imgret_results_at(out[i], h)->id, imgret_results_at(one, h)->id);
        if (i % 2)
            assert_string_equal(imgret_results_at(out[i], 0)->uri, files[i]);
        imgret_results_free(one);
        imgret_results_free(out[i]);
    }
    inputs[PICTURES] = inputs[0];
    inputs[PICTURES].path = "/nowhere.png";
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_query_batch(out, db, inputs, PICTURES + 1, NULL, &error),
                     IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "input 40: "));
    assert_null(out[0]);
    imgret_close(db);
}

/* ---- beside adds and removals ---- */

typedef struct churn {
    imgret *db;
    atomic_bool done;
} churn;

static void *add_and_remove(void *argument)
{
    churn *c = argument;
    for (uint32_t i = 0; i < 150; i++) {
        float vector[DIMENSION];
        fill_vector(vector, 5000 + i);
        imgret_input input = vector_input(vector);
        imgret_add_result added = {.size = sizeof added};
        imgret_add_options options = {.size = sizeof options, .metadata = "{}"};
        if (imgret_add(c->db, &input, &options, &added, NULL) == IMGRET_OK && i % 2)
            imgret_remove(c->db, added.id, NULL);
    }
    atomic_store(&c->done, true);
    return NULL;
}

static void batches_run_beside_writers(void **state)
{
    fixture *f = *state;
    add_vectors(f->db, 0, 500);
    churn c = {.db = f->db};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, add_and_remove, &c), 0);
    imgret_query_options self = {.size = sizeof self, .flags = IMGRET_QUERY_INCLUDE_SELF};
    do {
        imgret_results *out[QUERIES];
        assert_int_equal(imgret_query_batch(out, f->db, f->inputs, 20, &self, NULL), IMGRET_OK);
        for (uint32_t i = 0; i < 20; i++) {
            assert_int_equal(imgret_results_count(out[i]), 10);
            if (f->inputs[i].kind == IMGRET_INPUT_ID)
                assert_int_equal(imgret_results_at(out[i], 0)->id, f->inputs[i].id);
            imgret_results_free(out[i]);
        }
    } while (!atomic_load(&c.done));
    pthread_join(writer, NULL);
}

static void the_first_failure_of_a_long_batch_is_told(void **state)
{
    enum { MANY = 900 };
    fixture *f = *state;
    add_vectors(f->db, 0, IN_SEGMENT);
    imgret_input *inputs = calloc(MANY, sizeof *inputs);
    imgret_results **out = calloc(MANY, sizeof *out);
    assert_true(inputs && out);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < MANY; i++)
            inputs[i] = f->inputs[i % QUERIES];
        /* nobody has these ids: of different parts, in whatever order they are answered */
        uint32_t first = round * 7 + 3;
        for (uint32_t at = first; at < MANY; at += 101)
            inputs[at] = (imgret_input){
                .size = sizeof *inputs, .kind = IMGRET_INPUT_ID, .id = 99999};
        imgret_error error = IMGRET_ERROR_INIT;
        char start[32];
        snprintf(start, sizeof start, "input %u: ", first);
        assert_int_equal(imgret_query_batch(out, f->db, inputs, MANY, NULL, &error),
                         IMGRET_NOT_FOUND);
        assert_memory_equal(error.message, start, strlen(start));
        for (uint32_t i = 0; i < MANY; i++)
            assert_null(out[i]);
    }
    free(inputs);
    free(out);
}

static void ids_only_leaves_the_rest_out(void **state)
{
    fixture *f = *state;
    add_vectors(f->db, 0, IN_SEGMENT);
    imgret_results *whole[QUERIES], *ids[QUERIES];
    imgret_query_options options = {.size = sizeof options};
    assert_int_equal(imgret_query_batch(whole, f->db, f->inputs, QUERIES, &options, NULL),
                     IMGRET_OK);
    options.flags = IMGRET_QUERY_IDS_ONLY;
    assert_int_equal(imgret_query_batch(ids, f->db, f->inputs, QUERIES, &options, NULL), IMGRET_OK);
    for (uint32_t q = 0; q < QUERIES; q++) {
        assert_int_equal(imgret_results_count(ids[q]), imgret_results_count(whole[q]));
        for (uint64_t i = 0; i < imgret_results_count(ids[q]); i++) {
            const imgret_hit *one = imgret_results_at(ids[q], i);
            assert_int_equal(one->id, imgret_results_at(whole[q], i)->id);
            assert_true(one->score == imgret_results_at(whole[q], i)->score);
            assert_non_null(imgret_results_at(whole[q], i)->metadata);
            assert_true(!one->metadata && !one->uri && !one->label);
        }
        imgret_results_free(ids[q]);
        imgret_results_free(whole[q]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_answers_what_single_queries_answer),
        TEST(a_batch_longer_than_a_part_is_whole),
        TEST(it_refuses_what_makes_no_sense),
        TEST(larger_inputs_are_read),
        TEST(a_deadline_ends_a_batch),
        TEST(queries_tell_what_they_did),
        TEST(estimated_scores_spare_reads),
        TEST(targets_are_checked),
        TEST(pictures_go_through_the_model),
        TEST(batches_run_beside_writers),
        TEST(the_first_failure_of_a_long_batch_is_told),
        TEST(ids_only_leaves_the_rest_out),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
