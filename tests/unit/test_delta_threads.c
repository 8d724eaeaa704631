/* test_delta_threads.c: one appender, one remover and several searchers of a delta at once. */
#include "testing.h"

#include "index/delta.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { RACE_DIMENSION = 256, RACE_COUNT = 9000, RACE_SEARCHERS = 3 };

typedef struct race_state {
    ir_delta *delta;
    ir_pool *pool;
    atomic_bool done;
    _Atomic int64_t removed_to; /* all odd ids up to here are removed */
    atomic_int failures;
} race_state;

/* A vector that tells its id: the inner product with (1, 128, 0...) is the id. */
static void race_vector(int64_t id, float *vector)
{
    memset(vector, 0, RACE_DIMENSION * sizeof *vector);
    vector[0] = (float)(id % 128);
    vector[1] = (float)(id / 128);
}

static void *race_append(void *argument)
{
    race_state *race = argument;
    float vector[RACE_DIMENSION], stored[RACE_DIMENSION];
    for (int64_t id = 1; id <= RACE_COUNT; id++) {
        race_vector(id, vector);
        if (ir_delta_encode(race->delta, vector, stored, NULL) != IMGRET_OK ||
            ir_delta_append(race->delta, id, stored, NULL) != IMGRET_OK)
            atomic_fetch_add(&race->failures, 1);
    }
    atomic_store(&race->done, true);
    return NULL;
}

static void *race_remove(void *argument)
{
    race_state *race = argument;
    for (int64_t id = 1; id <= RACE_COUNT; id += 2) {
        while (ir_delta_last_id(race->delta) < id)
            sched_yield();
        if (!ir_delta_remove(race->delta, id) || ir_delta_get(race->delta, id))
            atomic_fetch_add(&race->failures, 1);
        atomic_store(&race->removed_to, id);
    }
    return NULL;
}

/* What was there before the search is found, what was removed before is not, scores fit ids. */
static void race_check(race_state *race, int64_t last, int64_t removed_to, const ir_neighbor *got,
                       uint32_t count)
{
    bool fits = count > 0 || last < 2;
    if (count > 0)
        fits = got[0].id >= last - 1;
    for (uint32_t i = 0; i < count; i++) {
        fits = fits && got[i].score == (double)got[i].id;
        fits = fits && (got[i].id % 2 == 0 || got[i].id > removed_to);
    }
    if (!fits)
        atomic_fetch_add(&race->failures, 1);
}

static void *race_search(void *argument)
{
    race_state *race = argument;
    float query[RACE_DIMENSION] = {1, 128};
    ir_neighbor got[20];
    bool last_round = false;
    while (!last_round) {
        last_round = atomic_load(&race->done);
        int64_t removed_to = atomic_load(&race->removed_to);
        int64_t last = ir_delta_last_id(race->delta);
        uint32_t count = 0;
        ir_delta_query ask = {query, 20, -INFINITY, 0, race->pool, NULL, NULL, NULL, 0, false, 0};
        if (ir_delta_search(race->delta, &ask, got, &count, NULL, NULL) != IMGRET_OK ||
            ir_delta_count(race->delta) > RACE_COUNT)
            atomic_fetch_add(&race->failures, 1);
        race_check(race, last, removed_to, got, count);
    }
    return NULL;
}

static void searches_run_beside_adds_and_removes(void **state)
{
    (void)state;
    race_state race = {.pool = NULL};
    assert_int_equal(ir_pool_create(&race.pool, 2, NULL), IMGRET_OK);
    assert_int_equal(ir_delta_create(&race.delta, RACE_DIMENSION, IMGRET_METRIC_INNER_PRODUCT,
                                     IMGRET_VECTOR_F16, NULL),
                     IMGRET_OK);
    pthread_t threads[2 + RACE_SEARCHERS];
    assert_int_equal(pthread_create(&threads[0], NULL, race_append, &race), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, race_remove, &race), 0);
    for (size_t i = 0; i < RACE_SEARCHERS; i++)
        assert_int_equal(pthread_create(&threads[2 + i], NULL, race_search, &race), 0);
    for (size_t i = 0; i < 2 + RACE_SEARCHERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.failures), 0);
    assert_int_equal(ir_delta_count(race.delta), RACE_COUNT / 2);
    ir_delta_free(race.delta);
    ir_pool_free(race.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_run_beside_adds_and_removes),
    };
    return cmocka_run_group_tests_name("delta threads", tests, NULL, NULL);
}
