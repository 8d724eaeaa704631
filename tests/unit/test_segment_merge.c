/* test_segment_merge.c: segments that take an older one over: what is in them, and how well they find. */
#include "segment_fixture.h"

static char path[80], base_path[96];

enum { BASE_END = 1000 };

/* What stays out: id_of(i), i below BASE_END, with i % step == 3, or all where step is 1. */
static bool is_dropped(void *context, int64_t id)
{
    uint32_t step = *(uint32_t *)context, i = (uint32_t)((id - 10) / 3);
    return step > 0 && i < BASE_END && i % step == 3 % step;
}

typedef struct part {
    const vectors *v;
    uint32_t next, end;
} part;

static int32_t next_of_part(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    (void)error;
    part *p = context;
    if (p->next == p->end)
        return 0;
    *stored = p->v->rows + (size_t)p->next * p->v->dimension;
    *id = id_of(p->next++);
    return 1;
}

/* Vectors first to end - 1, joining those of the file `base` (NULL: none) but each step-th. */
static int32_t build_part(const vectors *v, uint32_t first, uint32_t end, const char *base,
                          uint32_t step, const char *out, ir_segment_report *report,
                          imgret_error *error)
{
    part p = {v, first, end};
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 2, NULL), 0);
    ir_segment_spec spec = spec_of(v, pool);
    ir_segment *open = NULL;
    if (base)
        assert_int_equal(ir_segment_open(&open, base, NULL, NULL), 0);
    spec.base = open;
    spec.dropped = is_dropped;
    spec.dropped_context = &step;
    int32_t status = ir_segment_build(out, &spec, next_of_part, &p, report, error);
    ir_segment_close(open);
    ir_pool_free(pool);
    return status;
}

/* Share of the ten nearest that are found, of vectors left by `step`. */
static double recall(const vectors *v, const char *file, uint32_t step, uint32_t effort)
{
    enum { QUERIES = 100, K = 10 };
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, file, NULL, NULL), 0);
    uint32_t right = 0;
    float query[64];
    for (uint32_t q = 0; q < QUERIES; q++) {
        ir_neighbor found[K];
        uint32_t count = 0;
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = K, .effort = effort};
        assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
        assert_int_equal(count, K);
        for (uint32_t i = 0; i < K; i++) {
            assert_false(is_dropped(&step, found[i].id));
            double score = true_score(v, query, (uint32_t)((found[i].id - 10) / 3));
            uint32_t better = 0;
            for (uint32_t other = 0; other < v->count; other++)
                better += !is_dropped(&step, id_of(other)) &&
                          true_score(v, query, other) > score + 1e-9;
            right += better < K;
        }
    }
    ir_segment_close(segment);
    return (double)right / (QUERIES * K);
}

static void assert_whole(const char *file)
{
    uint64_t problems = 1;
    assert_int_equal(ir_segment_check(file, NULL, NULL, &problems, NULL), 0);
    assert_int_equal(problems, 0);
}

static void a_tenth_joins_and_the_dropped_are_gone(void **state)
{
    (void)state;
    const uint32_t metrics[] = {IMGRET_METRIC_L2, IMGRET_METRIC_COSINE,
                                IMGRET_METRIC_INNER_PRODUCT};
    for (size_t m = 0; m < 3; m++) {
        vectors v = make_vectors(1100, 40, metrics[m]);
        ir_segment_report report;
        assert_int_equal(build_part(&v, 0, 1000, NULL, 0, base_path, &report, NULL), 0);
        assert_int_equal(report.taken_count, 0);
        assert_int_equal(build_part(&v, 1000, 1100, base_path, 9, path, &report, NULL), 0);
        assert_int_equal(report.taken_count, 1000 - 111);
        assert_int_equal(report.vector_count, 1100 - 111);
        assert_whole(path);
        assert_true(recall(&v, path, 9, 0) > 0.98);
        ir_segment *segment;
        assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
        float stored[40];
        for (uint32_t i = 0; i < 1100; i++) {
            bool gone = i < 1000 && i % 9 == 3;
            assert_int_equal(ir_segment_has(segment, id_of(i)), !gone);
            assert_int_equal(ir_segment_get(segment, id_of(i), stored, NULL),
                             gone ? IMGRET_NOT_FOUND : IMGRET_OK);
            if (!gone)
                assert_memory_equal(stored, v.rows + i * 40, sizeof stored);
        }
        ir_segment_close(segment);
        free(v.rows);
    }
}

/* Bytes of what was dropped are nowhere in the new file. */
static void the_bytes_of_the_dropped_are_erased(void **state)
{
    (void)state;
    vectors v = make_vectors(600, 16, IMGRET_METRIC_L2);
    assert_int_equal(build_part(&v, 0, 600, NULL, 0, base_path, NULL, NULL), 0);
    assert_int_equal(build_part(&v, 600, 600, base_path, 7, path, NULL, NULL), 0);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(bytes);
    assert_int_equal(fread(data, 1, bytes, file), bytes);
    fclose(file);
    assert_non_null(memmem(data, bytes, v.rows + 16, 64));
    for (uint32_t i = 3; i < 600; i += 7)
        assert_null(memmem(data, bytes, v.rows + (size_t)i * 16, 64));
    free(data);
    free(v.rows);
}

static void ten_merges_find_as_much_as_a_rebuild(void **state)
{
    (void)state;
    enum { FIRST = 1500, EACH = 150, ALL = FIRST + 10 * EACH };
    vectors v = make_vectors(ALL, 48, IMGRET_METRIC_L2);
    char names[2][96];
    memcpy(names[0], base_path, sizeof base_path);
    memcpy(names[1], path, sizeof path);
    assert_int_equal(build_part(&v, 0, FIRST, NULL, 0, names[0], NULL, NULL), 0);
    ir_segment_report report;
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t first = FIRST + i * EACH;
        assert_int_equal(
            build_part(&v, first, first + EACH, names[i % 2], 0, names[1 - i % 2], &report, NULL),
            0);
        assert_int_equal(report.taken_count, first);
    }
    assert_whole(names[0]);
    double merged = recall(&v, names[0], 0, 24);
    assert_int_equal(build_part(&v, 0, ALL, NULL, 0, names[1], NULL, NULL), 0);
    double rebuilt = recall(&v, names[1], 0, 24);
    print_message("recall after ten merges %.4f, rebuilt %.4f\n", merged, rebuilt);
    assert_true(merged > rebuilt - 0.005);
    free(v.rows);
}

static void what_is_mostly_new_is_built_anew(void **state)
{
    (void)state;
    vectors v = make_vectors(400, 24, IMGRET_METRIC_L2);
    ir_segment_report report;
    assert_int_equal(build_part(&v, 0, 100, NULL, 0, base_path, NULL, NULL), 0);
    assert_int_equal(build_part(&v, 100, 400, base_path, 0, path, &report, NULL), 0);
    assert_int_equal(report.taken_count, 0);
    assert_int_equal(report.vector_count, 400);
    assert_whole(path);
    assert_true(recall(&v, path, 0, 0) > 0.98);
    /* All of the base is dropped; the same id twice; another dimension. */
    assert_int_equal(build_part(&v, 100, 400, base_path, 1, path, &report, NULL), 0);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(build_part(&v, 99, 200, base_path, 0, path, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    vectors other = make_vectors(10, 25, IMGRET_METRIC_L2);
    assert_int_equal(build_part(&other, 0, 10, base_path, 0, path, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    free(other.rows);
    free(v.rows);
}

static void memory_may_end_anywhere_in_a_merge(void **state)
{
    (void)state;
    vectors v = make_vectors(66, 16, IMGRET_METRIC_L2);
    assert_int_equal(build_part(&v, 0, 60, NULL, 0, base_path, NULL, NULL), 0);
    ir_pool *pool;
    ir_segment *base;
    uint32_t step = 9;
    assert_int_equal(ir_pool_create(&pool, 1, NULL), 0);
    assert_int_equal(ir_segment_open(&base, base_path, NULL, NULL), 0);
    ir_segment_spec spec = spec_of(&v, pool);
    spec.base = base;
    spec.dropped = is_dropped;
    spec.dropped_context = &step;
    uint64_t before = ir_alloc_live_count();
    int32_t status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; status && n < 200; n++) {
        part p = {&v, 60, 66};
        ir_alloc_fail_after(n);
        status = ir_segment_build(path, &spec, next_of_part, &p, NULL, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_int_equal(status, 0);
    ir_segment_close(base);
    ir_pool_free(pool);
    free(v.rows);
}

/* What was measured of the base is said of the merged segment where it is true, and only there. */
static void old_curves_hold_or_not(void **state)
{
    (void)state;
    vectors v = make_vectors(2200, 40, IMGRET_METRIC_L2);
    ir_pool *pool;
    ir_segment *segment;
    ir_effort_curves curves, none = {0};
    assert_int_equal(ir_pool_create(&pool, 2, NULL), 0);
    ir_calibration how = {.pool = pool};
    bool holds = false;
    assert_int_equal(build_part(&v, 0, 2000, NULL, 0, base_path, NULL, NULL), 0);
    assert_int_equal(ir_segment_open(&segment, base_path, NULL, NULL), 0);
    assert_int_equal(ir_segment_calibrate(segment, &how, &curves, NULL), 0);
    ir_segment_close(segment);
    assert_int_equal(curves.count, 3);
    assert_int_equal(build_part(&v, 2000, 2200, base_path, 0, path, NULL, NULL), 0);
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    assert_int_equal(ir_segment_confirm(segment, &curves, &how, &holds, NULL), 0);
    assert_true(holds);
    for (uint32_t i = 0; i < 3; i++) { /* each is looked at */
        ir_effort_curves lie = curves;
        lie.curves[i].count = 1;
        lie.curves[i].points[0] = (ir_effort_point){lie.curves[i].k == 10 ? 2 : 100, 1};
        assert_int_equal(ir_segment_confirm(segment, &lie, &how, &holds, NULL), 0);
        assert_false(holds);
    }
    assert_int_equal(ir_segment_confirm(segment, &none, &how, &holds, NULL), 0);
    assert_false(holds);
    curves.curves[0].code_bits = 4; /* of a segment with other codes */
    assert_int_equal(ir_segment_confirm(segment, &curves, &how, &holds, NULL), 0);
    assert_false(holds);
    ir_segment_close(segment);
    ir_pool_free(pool);
    free(v.rows);
}

static int choose_files(void **state)
{
    (void)state;
    if (make_segment_path(path, sizeof path))
        return -1;
    snprintf(base_path, sizeof base_path, "%s.base", path);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(base_path);
    return remove_segment_path(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenth_joins_and_the_dropped_are_gone),
        cmocka_unit_test(the_bytes_of_the_dropped_are_erased),
        cmocka_unit_test(ten_merges_find_as_much_as_a_rebuild),
        cmocka_unit_test(what_is_mostly_new_is_built_anew),
        cmocka_unit_test(memory_may_end_anywhere_in_a_merge),
        cmocka_unit_test(old_curves_hold_or_not),
    };
    return cmocka_run_group_tests_name("segment_merge", tests, choose_files, remove_files);
}
