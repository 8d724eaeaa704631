/* test_graph.c: the graph is the same for any number of threads, reaches every node, finds neighbours. */
#include "testing.h"

#include "base/alloc.h"
#include "base/random.h"
#include "index/graph.h"

#include <math.h>

enum { N = 16 };

static ir_graph_rows make_rows(uint32_t count, bool equal)
{
    ir_graph_rows rows = {.stride = ir_graph_row_bytes(N), .count = count, .dimension = N};
    rows.base = ir_malloc(count * rows.stride);
    uint64_t seed = 11;
    for (uint32_t i = 0; i < count; i++) {
        float vector[N];
        for (uint32_t j = 0; j < N; j++)
            vector[j] = equal ? 0.25f : (float)ir_random_unit(&seed) - 0.5f;
        ir_graph_row_encode(vector, N, 0, rows.base + i * rows.stride);
    }
    return rows;
}

static ir_graph_spec spec_of(const ir_graph_rows *rows, ir_pool *pool)
{
    return (ir_graph_spec){.rows = rows,
                           .degree = 16,
                           .beam = 48,
                           .alpha = 1.05f,
                           .seed = 3,
                           .group_count = 1,
                           .pool = pool};
}

static uint32_t count_reachable(const ir_graph *graph)
{
    uint8_t *seen = calloc(graph->count + 1u, 1);
    uint32_t *queue = calloc(graph->count + 1u, sizeof *queue), head = 0, tail = 0;
    for (uint32_t i = 0; i < graph->entry_count; i++)
        if (!seen[graph->entries[i]]) {
            seen[graph->entries[i]] = 1;
            queue[tail++] = graph->entries[i];
        }
    while (head < tail) {
        uint32_t slot = queue[head++];
        for (uint32_t e = 0; e < graph->degree; e++) {
            uint32_t next = graph->edges[slot * graph->degree + e];
            assert_true(next < graph->count);
            if (!seen[next]) {
                seen[next] = 1;
                queue[tail++] = next;
            }
        }
    }
    free(seen);
    free(queue);
    return tail;
}

static void threads_do_not_change_the_graph(void **state)
{
    (void)state;
    ir_graph_rows rows = make_rows(3000, false);
    ir_graph graphs[2];
    for (uint32_t i = 0; i < 2; i++) {
        ir_pool *pool;
        assert_int_equal(ir_pool_create(&pool, 1 + 3 * i, NULL), 0);
        ir_graph_spec spec = spec_of(&rows, pool);
        assert_int_equal(ir_graph_build(&graphs[i], &spec, NULL), 0);
        ir_pool_free(pool);
    }
    assert_memory_equal(graphs[0].edges, graphs[1].edges, 3000 * 16 * sizeof(uint32_t));
    assert_int_equal(count_reachable(&graphs[0]), 3000);
    ir_graph_free(&graphs[0]);
    ir_graph_free(&graphs[1]);
    ir_free(rows.base);
}

static void every_size_and_kind_is_connected(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 2, 3, 17, 300, 1000};
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 2, NULL), 0);
    for (uint32_t equal = 0; equal < 2; equal++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            ir_graph_rows rows = make_rows(sizes[i], equal);
            ir_graph_spec spec = spec_of(&rows, pool);
            ir_graph graph;
            assert_int_equal(ir_graph_build(&graph, &spec, NULL), 0);
            assert_int_equal(graph.count, sizes[i]);
            assert_int_equal(count_reachable(&graph), sizes[i]);
            if (!equal)
                assert_true(graph.entry_count <= 1 + sizes[i] / 100);
            ir_graph_free(&graph);
            ir_free(rows.base);
        }
    ir_pool_free(pool);
}

static double distance(const ir_graph_rows *rows, uint32_t a, uint32_t b)
{
    const uint8_t *x = rows->base + a * rows->stride, *y = rows->base + b * rows->stride;
    float scales[2]; /* the second number of a row's tail */
    memcpy(&scales[0], x + N + 4, 4);
    memcpy(&scales[1], y + N + 4, 4);
    double sum = 0;
    for (uint32_t j = 0; j < N; j++)
        sum += pow((double)scales[0] * (x[j] - 128) - (double)scales[1] * (y[j] - 128), 2);
    return sum;
}

/* The nearest other node is nearly always a neighbour. */
static void the_nearest_is_linked(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    ir_graph_rows rows = make_rows(COUNT, false);
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 2, NULL), 0);
    ir_graph_spec spec = spec_of(&rows, pool);
    ir_graph graph;
    assert_int_equal(ir_graph_build(&graph, &spec, NULL), 0);
    uint32_t linked = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t nearest = i == 0;
        for (uint32_t other = 0; other < COUNT; other++)
            if (other != i && distance(&rows, i, other) < distance(&rows, i, nearest))
                nearest = other;
        for (uint32_t e = 0; e < graph.degree; e++)
            if (graph.edges[i * graph.degree + e] == nearest) {
                linked++;
                break;
            }
    }
    assert_true(linked > COUNT * 97 / 100);
    ir_graph_free(&graph);
    ir_pool_free(pool);
    ir_free(rows.base);
}

static int32_t insert_into(const ir_graph_rows *rows, const uint32_t *fresh, uint32_t fresh_count,
                           uint32_t threads, ir_graph *out)
{
    uint32_t count = rows->count, settled = count - fresh_count, at = 0;
    uint32_t *slots = calloc(count, sizeof *slots), *taken = slots;
    ir_graph_rows old = {.stride = rows->stride, .count = settled, .dimension = N};
    old.base = malloc(settled * old.stride + 1);
    for (uint32_t slot = 0; slot < count; slot++) {
        if (at < fresh_count && fresh[at] == slot) {
            at++;
            continue;
        }
        memcpy(old.base + (size_t)(taken - slots) * old.stride, rows->base + slot * rows->stride,
               old.stride);
        *taken++ = slot;
    }
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, threads, NULL), 0);
    ir_graph before;
    ir_graph_spec spec = spec_of(&old, pool);
    assert_int_equal(ir_graph_build(&before, &spec, NULL), 0);
    *out = (ir_graph){.count = count, .degree = before.degree};
    out->edges = ir_calloc((size_t)count * 16, sizeof out->edges[0]);
    for (uint32_t i = 0; i < settled; i++)
        for (uint32_t e = 0; e < 16; e++)
            out->edges[slots[i] * 16 + e] = slots[before.edges[i * 16 + e]];
    ir_graph_free(&before);
    spec = spec_of(rows, pool);
    int32_t status = ir_graph_insert(out, &spec, fresh, fresh_count, NULL);
    ir_pool_free(pool);
    free(old.base);
    free(slots);
    return status;
}

static void what_is_inserted_is_linked_for_any_number_of_threads(void **state)
{
    (void)state;
    enum { COUNT = 2000, FRESH = 300 };
    ir_graph_rows rows = make_rows(COUNT, false);
    uint32_t fresh[FRESH];
    for (uint32_t i = 0; i < FRESH; i++)
        fresh[i] = 5 + 6 * i;
    ir_graph graphs[2];
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(insert_into(&rows, fresh, FRESH, 1 + 2 * i, &graphs[i]), 0);
    assert_memory_equal(graphs[0].edges, graphs[1].edges, COUNT * 16 * sizeof(uint32_t));
    assert_int_equal(count_reachable(&graphs[0]), COUNT);
    uint32_t linked = 0;
    for (uint32_t i = 0; i < FRESH; i++) {
        uint32_t nearest = 0;
        for (uint32_t other = 0; other < COUNT; other++)
            if (other != fresh[i] &&
                distance(&rows, fresh[i], other) < distance(&rows, fresh[i], nearest))
                nearest = other;
        for (uint32_t e = 0; e < 16; e++)
            if (graphs[0].edges[fresh[i] * 16 + e] == nearest) {
                linked++;
                break;
            }
    }
    assert_true(linked > FRESH * 95 / 100);
    ir_graph_free(&graphs[0]);
    ir_graph_free(&graphs[1]);
    ir_free(rows.base);
}

static bool stop_half_way(void *context, double done)
{
    *(double *)context = done;
    return done > 0.5;
}

static void building_can_be_stopped_and_memory_can_end(void **state)
{
    (void)state;
    ir_graph_rows rows = make_rows(SANITIZED(2000, 700), false);
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 2, NULL), 0);
    uint64_t before = ir_alloc_live_count();
    double done = 0;
    ir_graph_spec spec = spec_of(&rows, pool);
    spec.stop = stop_half_way;
    spec.context = &done;
    ir_graph graph;
    assert_int_equal(ir_graph_build(&graph, &spec, NULL), IMGRET_INTERRUPTED);
    assert_true(done > 0.5 && done < 1);
    assert_null(graph.edges);
    spec.stop = NULL;
    for (uint64_t n = 1; n < 200; n++) {
        ir_alloc_fail_after(n);
        int32_t status = ir_graph_build(&graph, &spec, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        ir_graph_free(&graph);
        assert_int_equal(ir_alloc_live_count(), before);
        if (status == IMGRET_OK)
            break;
        assert_true(n < 199);
    }
    spec.degree = 3;
    assert_int_equal(ir_graph_build(&graph, &spec, NULL), IMGRET_INVALID_ARGUMENT);
    ir_pool_free(pool);
    ir_free(rows.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_the_graph),
        cmocka_unit_test(every_size_and_kind_is_connected),
        cmocka_unit_test(the_nearest_is_linked),
        cmocka_unit_test(what_is_inserted_is_linked_for_any_number_of_threads),
        cmocka_unit_test(building_can_be_stopped_and_memory_can_end),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
