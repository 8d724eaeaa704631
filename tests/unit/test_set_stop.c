/* test_set_stop.c: imgret_set_stop stops the calls of one thread and no other. */
#include "vectors_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static int lower_and_teardown(void **state)
{
    imgret_set_stop(NULL);
    return teardown(state);
}

static int32_t ask(imgret *db)
{
    imgret_results *results = NULL;
    int32_t status = try_query(&results, db, 1, 1, NULL);
    imgret_results_free(results);
    return status;
}

static void a_raised_word_stops_what_begins(void **state)
{
    fixture *f = *state;
    uint32_t first = 0, second = 1;
    assert_int_equal(try_add(f->db, 1, "a", NULL, NULL), IMGRET_OK);
    assert_null(imgret_set_stop(&first));
    assert_int_equal(ask(f->db), IMGRET_OK);
    assert_ptr_equal(imgret_set_stop(&second), &first);
    assert_int_equal(ask(f->db), IMGRET_INTERRUPTED);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(
        imgret_optimize(f->db,
                        &(imgret_optimize_options){.size = sizeof(imgret_optimize_options),
                                                   .flags = IMGRET_OPTIMIZE_FORCE},
                        &error),
        IMGRET_INTERRUPTED);
    assert_ptr_equal(imgret_set_stop(NULL), &second);
    assert_int_equal(ask(f->db), IMGRET_OK);
    assert_null(imgret_set_stop(NULL));
}

/* A thread that waits for the writer, who is the test. */
typedef struct waiter {
    imgret *db;
    uint32_t seed;
    uint32_t stop; /* atomically */
    atomic_int status;
    atomic_int done;
} waiter;

static void *add_beside(void *context)
{
    waiter *w = context;
    imgret_set_stop(&w->stop);
    w->status = try_add(w->db, w->seed, NULL, NULL, NULL);
    w->done = 1;
    return NULL;
}

static void only_the_call_of_that_thread_is_stopped(void **state)
{
    fixture *f = *state;
    waiter first = {.db = f->db, .seed = 70}, second = {.db = f->db, .seed = 71};
    pthread_t threads[2];
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    assert_int_equal(pthread_create(&threads[0], NULL, add_beside, &first), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, add_beside, &second), 0);
    __atomic_store_n(&first.stop, 1, __ATOMIC_RELAXED);
    pthread_join(threads[0], NULL);
    assert_int_equal(first.status, IMGRET_INTERRUPTED);
    assert_int_equal(second.done, 0);
    assert_int_equal(imgret_rollback(f->db, NULL), IMGRET_OK);
    pthread_join(threads[1], NULL);
    assert_int_equal(second.status, IMGRET_OK);
    assert_int_equal(ask(f->db), IMGRET_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, lower_and_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_raised_word_stops_what_begins),
        TEST(only_the_call_of_that_thread_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
