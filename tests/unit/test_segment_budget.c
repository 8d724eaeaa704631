/* test_segment_budget.c: building with less memory: the budget holds, what is found stays as good. */
#include "segment_fixture.h"

#include <malloc.h>
#include <stdatomic.h>

static char path[80];

/* ---- an allocator that counts bytes ---- */

static _Atomic int64_t bytes_now, bytes_most;

static void note(int64_t change)
{
    int64_t now = atomic_fetch_add(&bytes_now, change) + change, most = atomic_load(&bytes_most);
    while (now > most && !atomic_compare_exchange_weak(&bytes_most, &most, now))
        ;
}

static void *count_alloc(void *user, uint64_t bytes)
{
    (void)user;
    void *pointer = malloc(bytes);
    if (pointer)
        note((int64_t)malloc_usable_size(pointer));
    return pointer;
}

static void *count_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    note(-(int64_t)malloc_usable_size(pointer));
    void *grown = realloc(pointer, bytes);
    note((int64_t)malloc_usable_size(grown ? grown : pointer));
    return grown;
}

static void count_free(void *user, void *pointer)
{
    (void)user;
    note(-(int64_t)malloc_usable_size(pointer));
    free(pointer);
}

/* ---- building ---- */

/* Builds under a budget; *most becomes the most bytes that were allocated at a time. */
static int32_t build_under(vectors *v, uint64_t budget, uint32_t threads, int64_t *most,
                           imgret_error *error)
{
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, threads, NULL), 0);
    ir_segment_spec spec = spec_of(v, pool);
    spec.memory_bytes_max = budget;
    v->next = 0;
    int64_t before = atomic_load(&bytes_now);
    atomic_store(&bytes_most, before);
    int32_t status = ir_segment_build(path, &spec, next_vector, v, NULL, error);
    *most = atomic_load(&bytes_most) - before;
    assert_true(atomic_load(&bytes_now) == before);
    ir_pool_free(pool);
    return status;
}

static double recall(const vectors *v)
{
    enum { QUERIES = 60, K = 10 };
    ir_segment *segment;
    uint64_t problems = 1;
    assert_int_equal(ir_segment_check(path, NULL, NULL, &problems, NULL), 0);
    assert_int_equal(problems, 0);
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    uint32_t right = 0;
    float query[64];
    for (uint32_t q = 0; q < QUERIES; q++) {
        ir_neighbor found[K];
        uint32_t count = 0;
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = K, .effort = 40};
        assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
        right += count_right(v, query, K, found, count);
    }
    ir_segment_close(segment);
    return (double)right / (QUERIES * K);
}

static uint64_t least_of(const imgret_error *error)
{
    unsigned long long least = 0;
    const char *text = strstr(error->message, "at least");
    assert_non_null(text);
    assert_int_equal(sscanf(text, "at least %llu", &least), 1);
    return least;
}

static void the_budget_holds_and_recall_stays(void **state)
{
    (void)state;
    vectors v = make_vectors(SANITIZED(5000, 2000), 56, IMGRET_METRIC_L2);
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t most;
    assert_int_equal(build_under(&v, 0, 2, &most, NULL), 0);
    double whole = recall(&v);
    assert_int_equal(build_under(&v, 1000, 2, &most, &error), IMGRET_LIMIT);
    /* What the error names works, if need be after the next step told better. */
    uint64_t least = least_of(&error);
    if (build_under(&v, least, 2, &most, &error) == IMGRET_LIMIT) {
        assert_true(least_of(&error) > least);
        least = least_of(&error);
        assert_int_equal(build_under(&v, least, 2, &most, NULL), 0);
    }
    for (uint32_t times = 1; times <= 4; times *= 2) {
        assert_int_equal(build_under(&v, least * times, 2, &most, NULL), 0);
        double now = recall(&v);
        print_message("budget %llu, used %lld, recall %.4f (without a budget %.4f)\n",
                      (unsigned long long)(least * times), (long long)most, now, whole);
        assert_true((uint64_t)most <= least * times);
        assert_true(now > whole - 0.005);
    }
    free(v.rows);
}

static void every_metric_works_and_the_file_repeats(void **state)
{
    (void)state;
    const uint32_t metrics[] = {IMGRET_METRIC_COSINE, IMGRET_METRIC_INNER_PRODUCT};
    for (size_t m = 0; m < 2; m++) {
        vectors v = make_vectors(SANITIZED(3000, 1000), 30, metrics[m]);
        uint64_t identity[2];
        for (uint32_t i = 0; i < 2; i++) {
            int64_t most;
            assert_int_equal(build_under(&v, 12u << 20, 3, &most, NULL), 0);
            ir_segment *segment;
            ir_segment_info info;
            assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
            ir_segment_get_info(segment, &info);
            identity[i] = info.identity;
            ir_segment_close(segment);
        }
        assert_true(recall(&v) > 0.95);
        assert_true(identity[0] == identity[1]);
        free(v.rows);
    }
}

static void equal_vectors_fit_or_are_refused(void **state)
{
    (void)state;
    vectors v = make_vectors(3000, 16, IMGRET_METRIC_L2);
    for (uint32_t i = 0; i < 3000 * 16; i++)
        v.rows[i] = 1;
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t most;
    uint64_t budget = 1000;
    int32_t status = IMGRET_LIMIT;
    for (uint32_t i = 0; i < 4 && status == IMGRET_LIMIT; i++) {
        status = build_under(&v, budget, 1, &most, &error);
        if (status == IMGRET_LIMIT)
            budget = least_of(&error);
    }
    assert_int_equal(status, 0);
    assert_true((uint64_t)most <= budget);
    free(v.rows);
}

static void memory_may_end_anywhere_in_a_small_budget(void **state)
{
    (void)state;
    vectors v = make_vectors(300, 16, IMGRET_METRIC_L2);
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 1, NULL), 0);
    ir_segment_spec spec = spec_of(&v, pool);
    spec.memory_bytes_max = 4u << 20;
    uint64_t before = ir_alloc_live_count();
    int32_t status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; status && n < 2000; n += SANITIZED(1, 7)) {
        v.next = 0;
        ir_alloc_fail_after(n);
        status = ir_segment_build(path, &spec, next_vector, &v, NULL, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_int_equal(status, 0);
    ir_pool_free(pool);
    free(v.rows);
}

static int start(void **state)
{
    (void)state;
    imgret_allocator counting = {.size = sizeof counting,
                                 .alloc = count_alloc,
                                 .realloc = count_realloc,
                                 .free = count_free};
    return imgret_set_allocator(&counting, NULL) || make_segment_path(path, sizeof path);
}

static int end(void **state)
{
    (void)state;
    return imgret_set_allocator(NULL, NULL) || remove_segment_path(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_holds_and_recall_stays),
        cmocka_unit_test(every_metric_works_and_the_file_repeats),
        cmocka_unit_test(equal_vectors_fit_or_are_refused),
        cmocka_unit_test(memory_may_end_anywhere_in_a_small_budget),
    };
    return cmocka_run_group_tests_name("segment_budget", tests, start, end);
}
