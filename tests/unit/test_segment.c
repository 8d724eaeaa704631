/* test_segment.c: segment files: building, opening, damage found, reads that fail. */
#include "segment_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char path[64];

static uint8_t *read_file(const char *name, size_t *bytes)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*bytes);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

static void write_file(const char *name, const uint8_t *data, size_t bytes)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static void equal_input_gives_equal_files(void **state)
{
    (void)state;
    vectors v = make_vectors(700, 33, IMGRET_METRIC_COSINE);
    size_t bytes[2];
    uint8_t *files[2];
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(build_segment(&v, path, 1 + 2 * i, NULL), 0);
        files[i] = read_file(path, &bytes[i]);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(files[0], files[1], bytes[0]);
    free(files[0]);
    free(files[1]);
    free(v.rows);
}

static void stored_vectors_come_back(void **state)
{
    (void)state;
    vectors v = make_vectors(400, 300, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    float stored[300];
    for (uint32_t i = 0; i < 400; i++) {
        assert_int_equal(ir_segment_get(segment, id_of(i), stored, NULL), 0);
        assert_memory_equal(stored, v.rows + i * 300, sizeof stored);
        assert_int_equal(ir_segment_get(segment, id_of(i) + 1, stored, NULL), IMGRET_NOT_FOUND);
    }
    assert_int_equal(ir_segment_get(segment, INT64_MIN, stored, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(ir_segment_get(segment, INT64_MAX, stored, NULL), IMGRET_NOT_FOUND);
    ir_segment_info info;
    ir_segment_get_info(segment, &info);
    assert_int_equal(info.vector_count, 400);
    assert_int_equal(info.dimension, 300);
    ir_segment_close(segment);
    free(v.rows);
}

typedef struct id_list {
    const int64_t *ids;
    uint32_t count, next;
} id_list;

static int32_t next_listed(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    static float values[8];
    (void)error;
    id_list *list = context;
    if (list->next == list->count)
        return 0;
    values[0] = (float)list->next;
    *stored = values;
    *id = list->ids[list->next++];
    return 1;
}

static void ids_of_any_distance_are_kept(void **state)
{
    (void)state;
    const int64_t ids[][4] = {{1, 2, 3, 4}, {-5, 0, 7, 1000000}, {INT64_MIN, -1, 0, INT64_MAX}};
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 1, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        id_list list = {ids[i], 4, 0};
        ir_segment_spec spec = {.dimension = 8,
                                .metric = IMGRET_METRIC_L2,
                                .vector_type = IMGRET_VECTOR_F32,
                                .pool = pool};
        assert_int_equal(ir_segment_build(path, &spec, next_listed, &list, NULL, NULL), 0);
        ir_segment *segment;
        assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
        for (uint32_t slot = 0; slot < 4; slot++) {
            float stored[8];
            assert_int_equal(ir_segment_get(segment, ids[i][slot], stored, NULL), 0);
            assert_true(stored[0] == (float)slot);
        }
        ir_segment_close(segment);
    }
    ir_pool_free(pool);
}

static void what_cannot_be_built_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    unlink(path);
    vectors v = make_vectors(100, 16, IMGRET_METRIC_L2);
    imgret_error error = IMGRET_ERROR_INIT;
    v.rows[50 * 16 + 3] = NAN;
    assert_int_equal(build_segment(&v, path, 1, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "160")); /* the id */
    v.rows[50 * 16 + 3] = INFINITY;
    assert_int_equal(build_segment(&v, path, 1, &error), IMGRET_INVALID_ARGUMENT);
    v.rows[50 * 16 + 3] = 0;
    v.fail_at = 60;
    assert_int_equal(build_segment(&v, path, 1, &error), IMGRET_BUSY);
    v.fail_at = 0;
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 1, NULL), 0);
    ir_segment_spec spec = spec_of(&v, pool);
    int64_t twice[] = {1, 5, 5};
    id_list list = {twice, 3, 0};
    spec.dimension = 8;
    assert_int_equal(ir_segment_build(path, &spec, next_listed, &list, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "ascend"));
    spec = spec_of(&v, pool);
    spec.memory_bytes_max = 1000;
    v.next = 0;
    assert_int_equal(ir_segment_build(path, &spec, next_vector, &v, NULL, &error), IMGRET_LIMIT);
    spec.memory_bytes_max = 0;
    spec.code_bits = 9;
    assert_int_equal(ir_segment_build(path, &spec, next_vector, &v, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    spec.code_bits = 0;
    assert_int_equal(ir_segment_build("/no-such-folder/x", &spec, next_vector, &v, NULL, &error),
                     IMGRET_NOT_FOUND);
    ir_pool_free(pool);
    assert_int_equal(access(path, F_OK), -1);
    char temporary[80];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    assert_int_equal(access(temporary, F_OK), -1);
    free(v.rows);
}

static bool stop_late(void *context, double done)
{
    (void)context;
    return done > 0.4;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    unlink(path);
    vectors v = make_vectors(60, 16, IMGRET_METRIC_L2);
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 1, NULL), 0);
    uint64_t before = ir_alloc_live_count();
    ir_segment_spec spec = spec_of(&v, pool);
    spec.stop = stop_late;
    v.next = 0;
    assert_int_equal(ir_segment_build(path, &spec, next_vector, &v, NULL, NULL),
                     IMGRET_INTERRUPTED);
    assert_int_equal(ir_alloc_live_count(), before);
    spec.stop = NULL;
    int32_t status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; status && n < 200; n++) {
        v.next = 0;
        ir_alloc_fail_after(n);
        status = ir_segment_build(path, &spec, next_vector, &v, NULL, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_int_equal(status, 0);
    status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; status && n < 400; n++) {
        ir_segment *segment = NULL;
        ir_neighbor found[5];
        uint32_t count;
        ir_search search = {.vector = v.rows, .k = 5};
        ir_alloc_fail_after(n);
        status = ir_segment_open(&segment, path, NULL, NULL);
        if (!status)
            status = ir_segment_search(segment, &search, found, &count, NULL, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        ir_segment_close(segment);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_int_equal(status, 0);
    ir_pool_free(pool);
    free(v.rows);
}

/* A file that version 0.1 wrote, with `make_vectors(40, 8, IMGRET_METRIC_L2)`: it opens for ever. */
static void a_stored_file_of_format_1_opens(void **state)
{
    (void)state;
    static const char stored_path[] = IMGRET_TEST_SOURCE "/tests/format/segment-1.seg";
    vectors v = make_vectors(40, 8, IMGRET_METRIC_L2);
    if (getenv("IMGRET_TEST_WRITE_FORMAT"))
        assert_int_equal(build_segment(&v, stored_path, 1, NULL), 0);
    ir_segment *segment;
    uint64_t problems = 1;
    assert_int_equal(ir_segment_check(stored_path, NULL, NULL, &problems, NULL), 0);
    assert_int_equal(problems, 0);
    assert_int_equal(ir_segment_open(&segment, stored_path, NULL, NULL), 0);
    for (uint32_t q = 0; q < 20; q++) {
        float query[8], stored[8];
        ir_neighbor found[5];
        uint32_t count;
        make_query(&v, q, query);
        ir_search search = {.vector = query, .k = 5};
        assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
        assert_int_equal(count, 5);
        assert_int_equal(count_right(&v, query, 5, found, count), 5);
        assert_int_equal(ir_segment_get(segment, id_of(q), stored, NULL), 0);
        assert_memory_equal(stored, v.rows + q * 8, sizeof stored);
    }
    ir_segment_close(segment);
    free(v.rows);
}

/* ---- Damage ------------------------------------------------------------------------------------- */

typedef struct answers {
    ir_neighbor found[20][5];
} answers;

/* Twenty searches; IMGRET_OK only when all were answered. */
static int32_t ask(const vectors *v, ir_segment *segment, answers *out, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t q = 0; !status && q < 20; q++) {
        float query[64];
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = 5};
        uint32_t count;
        status = ir_segment_search(segment, &search, out->found[q], &count, NULL, error);
    }
    return status;
}

static bool count_problem(void *context, const char *message)
{
    assert_non_null(strstr(message, path));
    ++*(uint32_t *)context;
    return false;
}

/* A flipped bit anywhere is an error or changes nothing that is answered, and `check` finds it. */
static void a_flipped_bit_never_gives_a_wrong_answer(void **state)
{
    (void)state;
    vectors v = make_vectors(250, 40, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 1, NULL), 0);
    size_t bytes;
    uint8_t *file = read_file(path, &bytes);
    ir_segment *segment;
    answers truth, found;
    memset(&truth, 0, sizeof truth);
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    assert_int_equal(ask(&v, segment, &truth, NULL), 0);
    ir_segment_close(segment);
    uint32_t errors = 0;
    uint64_t seed = 8, problems;
    for (uint32_t trial = 0; trial < 300; trial++) {
        size_t at = trial < 100 ? trial * 3 : (size_t)ir_random_below(&seed, bytes);
        file[at] ^= (uint8_t)(1u << (trial % 8));
        write_file(path, file, bytes);
        imgret_error error = IMGRET_ERROR_INIT;
        memset(&found, 0, sizeof found);
        int32_t status = ir_segment_open(&segment, path, NULL, &error);
        if (!status)
            status = ask(&v, segment, &found, &error);
        ir_segment_close(segment);
        if (status) {
            assert_int_equal(status, IMGRET_CORRUPT);
            assert_non_null(strstr(error.message, path));
            errors++;
        } else {
            assert_memory_equal(&truth, &found, sizeof truth);
        }
        uint32_t heard = 0;
        assert_int_equal(ir_segment_check(path, count_problem, &heard, &problems, NULL), 0);
        assert_true(problems > 0 && heard == problems);
        file[at] ^= (uint8_t)(1u << (trial % 8));
    }
    assert_true(errors > 100);
    write_file(path, file, bytes);
    assert_int_equal(ir_segment_check(path, count_problem, &errors, &problems, NULL), 0);
    assert_int_equal(problems, 0);
    free(file);
    free(v.rows);
}

static void truncated_and_foreign_files_are_refused(void **state)
{
    (void)state;
    vectors v = make_vectors(100, 40, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 1, NULL), 0);
    size_t bytes;
    uint8_t *file = read_file(path, &bytes);
    for (size_t length = 0; length < bytes; length += 1 + length / 2) {
        write_file(path, file, length);
        ir_segment *segment;
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(ir_segment_open(&segment, path, NULL, &error), IMGRET_CORRUPT);
        assert_non_null(strstr(error.message, path));
        assert_null(segment);
    }
    /* Two pages change places: each is whole, and where it does not belong. */
    uint8_t page[4096];
    memcpy(page, file + 4096, 4096);
    memcpy(file + 4096, file + 8192, 4096);
    memcpy(file + 8192, page, 4096);
    write_file(path, file, bytes);
    ir_segment *segment;
    answers found;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ask(&v, segment, &found, &error), IMGRET_CORRUPT);
    assert_non_null(strstr(error.message, "page"));
    ir_segment_close(segment);
    assert_int_equal(ir_segment_open(&segment, "/no-such-file", NULL, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(ir_segment_open(&segment, "/tmp", NULL, NULL), IMGRET_INVALID_ARGUMENT);
    free(file);
    free(v.rows);
}

/* ---- Reads that fail ------------------------------------------------------------------------------ */

typedef struct fault {
    uint32_t kind, seen;
} fault;

static int32_t spoil_some(void *context, const ir_io_read *read, int32_t result)
{
    fault *f = context;
    if (++f->seen % 500 != 0)
        return result;
    if (f->kind == 0)
        return -EIO;
    if (f->kind == 1)
        return result / 2;
    ((uint8_t *)read->buffer)[17] ^= 4;
    return result;
}

static void failing_reads_fail_their_query_alone(void **state)
{
    (void)state;
    enum { QUERIES = 200 };
    vectors v = make_vectors(800, 64, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    const int32_t expected[] = {IMGRET_IO, IMGRET_IO, IMGRET_CORRUPT};
    for (uint32_t trial = 0; trial < 6; trial++) { /* the last three read the graph as well */
        uint32_t kind = trial % 3;
        fault f = {kind, 0};
        ir_segment_open_options options = {.io_kind = IR_IO_FAULTY,
                                           .fault = spoil_some,
                                           .fault_context = &f,
                                           .ram_bytes_max = trial < 3 ? 0 : 45000};
        ir_segment *segment;
        assert_int_equal(ir_segment_open(&segment, path, &options, NULL), 0);
        static float queries[QUERIES][64];
        ir_search searches[QUERIES];
        ir_search_result results[QUERIES];
        ir_neighbor neighbors[QUERIES][5];
        for (uint32_t q = 0; q < QUERIES; q++) {
            make_query(&v, q, queries[q]);
            searches[q] = (ir_search){.vector = queries[q], .k = 5};
            results[q].neighbors = neighbors[q];
        }
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(
            ir_segment_search_batch(segment, searches, QUERIES, results, NULL, NULL, &error),
            expected[kind]);
        assert_non_null(strstr(error.message, path));
        assert_non_null(strstr(error.message, "page"));
        uint32_t failed = 0;
        for (uint32_t q = 0; q < QUERIES; q++) {
            if (results[q].status) {
                assert_int_equal(results[q].status, expected[kind]);
                assert_int_equal(results[q].count, 0);
                failed++;
                continue;
            }
            assert_int_equal(results[q].count, 5);
            count_right(&v, queries[q], 5, neighbors[q], 5);
        }
        assert_true(failed > 0 && failed < QUERIES);
        ir_segment_close(segment);
    }
    free(v.rows);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    vectors v = make_vectors(100, 16, IMGRET_METRIC_L2);
    imgret_error error = IMGRET_ERROR_INIT;
    char temporary[80];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    unlink(path);
    if (symlink("/dev/full", temporary) != 0)
        skip();
    int32_t status = build_segment(&v, path, 1, &error);
    unlink(temporary);
    free(v.rows);
    assert_int_equal(status, IMGRET_FULL);
}

static int choose_file(void **state)
{
    (void)state;
    return make_segment_path(path, sizeof path);
}

static int remove_file(void **state)
{
    (void)state;
    return remove_segment_path(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_input_gives_equal_files),
        cmocka_unit_test(stored_vectors_come_back),
        cmocka_unit_test(ids_of_any_distance_are_kept),
        cmocka_unit_test(what_cannot_be_built_is_refused_and_leaves_nothing),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(a_stored_file_of_format_1_opens),
        cmocka_unit_test(a_flipped_bit_never_gives_a_wrong_answer),
        cmocka_unit_test(truncated_and_foreign_files_are_refused),
        cmocka_unit_test(failing_reads_fail_their_query_alone),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests_name("segment", tests, choose_file, remove_file);
}
