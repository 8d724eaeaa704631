/* test_transaction.c: imgret_begin, commit and rollback: threads, queries, processes, memory. */
#include "vectors_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

/* A call that must be done; its last argument is written as `why`. */
#define assert_good(call)                                            \
    do {                                                             \
        imgret_error failure_ = IMGRET_ERROR_INIT, *why = &failure_; \
        if ((call) != IMGRET_OK)                                     \
            fail_msg("%s: %s", #call, failure_.message);             \
    } while (0)

static void a_commit_shows_everything_at_once(void **state)
{
    fixture *f = *state;
    int64_t kept, ids[100];
    assert_good(try_add(f->db, 1000, "kept", &kept, why));
    assert_good(imgret_begin(f->db, why));
    for (uint32_t i = 0; i < 100; i++) {
        char uri[16];
        snprintf(uri, sizeof uri, "u%u", i);
        assert_good(try_add(f->db, i, uri, &ids[i], why));
        assert_int_equal(find_seed(f->db, i), 0);
    }
    assert_good(imgret_remove(f->db, kept, why));
    assert_good(imgret_remove(f->db, ids[50], why)); /* of the transaction itself */
    assert_good(try_add(f->db, 2000, "u7", NULL, why));
    assert_good(imgret_set_metadata(f->db, ids[8], "{\"a\":1}", why));
    assert_int_equal(count_images(f->db), 1);
    assert_int_equal(find_seed(f->db, 1000), kept);
    assert_good(imgret_commit(f->db, why));
    assert_int_equal(count_images(f->db), 99);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 100; i++)
            assert_int_equal(find_seed(f->db, i), i == 7 || i == 50 ? 0 : ids[i]);
        assert_int_equal(find_seed(f->db, 2000), ids[7]);
        assert_int_equal(find_seed(f->db, 1000), 0);
        assert_int_equal(count_problems(f->db), 0);
        reopen(f);
    }
}

static void a_rollback_leaves_no_trace(void **state)
{
    fixture *f = *state;
    int64_t kept;
    assert_good(try_add(f->db, 1, "kept", &kept, why));
    assert_good(imgret_begin(f->db, why));
    assert_good(try_add(f->db, 2, "kept", NULL, why));
    assert_good(try_add(f->db, 3, "new", NULL, why));
    assert_good(imgret_rollback(f->db, why));
    assert_int_equal(find_seed(f->db, 1), kept);
    assert_int_equal(find_seed(f->db, 2), 0);
    assert_int_equal(find_seed(f->db, 3), 0);
    assert_good(try_add(f->db, 4, "new", NULL, why)); /* alone again, and durable */
    reopen(f);
    assert_int_equal(count_images(f->db), 2);
    assert_int_equal(count_problems(f->db), 0);
}

static void what_is_refused_does_not_end_it(void **state)
{
    fixture *f = *state;
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t id;
    assert_good(imgret_begin(f->db, why));
    assert_int_equal(imgret_begin(f->db, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "nest"));
    assert_good(try_add(f->db, 1, "x", &id, why));
    assert_int_equal(imgret_remove(f->db, 99, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_set_metadata(f->db, id, "[]", NULL), IMGRET_INVALID_ARGUMENT);
    float vector[DIMENSION];
    imgret_input input = vector_input(vector, 1);
    imgret_add_options options = {.size = sizeof options, .uri = "x", .metadata = "{"};
    assert_int_equal(imgret_add(f->db, &input, &options, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    input.dimension = 3;
    assert_int_equal(imgret_add(f->db, &input, NULL, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    const char *path = f->folder;
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = &path, .path_count = 1};
    assert_int_equal(imgret_ingest(f->db, &ingest, NULL, &error), IMGRET_INVALID_ARGUMENT);
    assert_good(imgret_commit(f->db, why));
    assert_int_equal(find_seed(f->db, 1), id);
    assert_int_equal(imgret_commit(f->db, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_rollback(f->db, &error), IMGRET_INVALID_ARGUMENT);
    imgret *reader = open_vectors(f->path, IMGRET_OPEN_READ_ONLY, 0);
    assert_int_equal(imgret_begin(reader, &error), IMGRET_READ_ONLY);
    assert_int_equal(imgret_commit(reader, &error), IMGRET_INVALID_ARGUMENT);
    imgret_close(reader);
    assert_int_equal(imgret_begin(NULL, &error), IMGRET_INVALID_ARGUMENT);
}

static void closing_rolls_back(void **state)
{
    fixture *f = *state;
    assert_good(try_add(f->db, 1, NULL, NULL, why));
    assert_good(imgret_begin(f->db, why));
    assert_good(try_add(f->db, 2, NULL, NULL, why));
    reopen(f);
    assert_int_equal(count_images(f->db), 1);
    char log[320];
    snprintf(log, sizeof log, "%s/catalog.db-wal", f->path);
    imgret_close(f->db);
    f->db = NULL;
    assert_int_not_equal(access(log, F_OK), 0);
}

/* ---- threads ---- */

typedef struct visitor {
    imgret *db;
    int32_t status;
    atomic_int done;
} visitor;

static void *add_beside(void *context)
{
    visitor *v = context;
    v->status = try_add(v->db, 77, "beside", NULL, NULL);
    atomic_store(&v->done, 1);
    return NULL;
}

static void another_thread_waits_and_is_not_part_of_it(void **state)
{
    fixture *f = *state;
    visitor v = {.db = f->db};
    pthread_t thread;
    assert_good(imgret_begin(f->db, why));
    assert_good(try_add(f->db, 1, NULL, NULL, why));
    assert_int_equal(pthread_create(&thread, NULL, add_beside, &v), 0);
    usleep(50000);
    assert_int_equal(atomic_load(&v.done), 0);
    assert_good(imgret_rollback(f->db, why));
    pthread_join(thread, NULL);
    assert_int_equal(v.status, IMGRET_OK);
    assert_int_equal(count_images(f->db), 1);
    assert_true(find_seed(f->db, 77) > 0);
}

static void who_waits_can_be_interrupted(void **state)
{
    fixture *f = *state;
    visitor v = {.db = f->db};
    pthread_t thread;
    assert_good(imgret_begin(f->db, why));
    assert_good(try_add(f->db, 1, NULL, NULL, why));
    assert_int_equal(pthread_create(&thread, NULL, add_beside, &v), 0);
    while (!atomic_load(&v.done)) {
        imgret_interrupt(f->db);
        usleep(2000);
    }
    pthread_join(thread, NULL);
    assert_int_equal(v.status, IMGRET_INTERRUPTED);
    assert_good(imgret_commit(f->db, why)); /* no call of the transaction was running */
    assert_true(find_seed(f->db, 1) > 0);
}

/* ---- all or nothing, seen from queries ---- */

enum { GROUP = 40, ROUNDS = 150, WATCHERS = 3 };

typedef struct show {
    imgret *db;
    atomic_int over;
    atomic_int wrong;
    atomic_int seen;
} show;

/* Each round replaces all of a group by the next generation in one transaction: whoever asks finds
 * GROUP images, all of one generation. */
static void *watch(void *context)
{
    show *s = context;
    while (!atomic_load(&s->over)) {
        imgret_results *results;
        if (try_query(&results, s->db, 5, 10 * GROUP, NULL) != IMGRET_OK) {
            atomic_fetch_add(&s->wrong, 1);
            continue;
        }
        uint64_t count = imgret_results_count(results);
        int wrong = count != GROUP;
        for (uint64_t i = 1; i < count && !wrong; i++)
            wrong = strcmp(imgret_results_at(results, i)->metadata,
                           imgret_results_at(results, 0)->metadata) != 0;
        imgret_results_free(results);
        atomic_fetch_add(&s->wrong, wrong);
        atomic_fetch_add(&s->seen, 1);
    }
    return NULL;
}

static int32_t store_generation(imgret *db, uint32_t generation)
{
    int32_t status = imgret_begin(db, NULL);
    for (uint32_t i = 0; i < GROUP && !status; i++) {
        char uri[16], metadata[32];
        float vector[DIMENSION];
        snprintf(uri, sizeof uri, "g%u", i);
        snprintf(metadata, sizeof metadata, "{\"generation\":%u}", generation);
        imgret_input input = vector_input(vector, generation * GROUP + i);
        imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
        status = imgret_add(db, &input, &options, NULL, NULL);
    }
    return status ? status : imgret_commit(db, NULL);
}

static void a_query_sees_one_state(void **state)
{
    fixture *f = *state;
    imgret *other = open_vectors(f->path, 0, 60000);
    assert_non_null(other);
    assert_int_equal(store_generation(f->db, 0), IMGRET_OK);
    show s = {.db = f->db};
    pthread_t watchers[WATCHERS];
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch, &s), 0);
    int32_t status = IMGRET_OK;
    for (uint32_t round = 1; round <= ROUNDS && !status; round++)
        status = store_generation(round % 2 ? f->db : other, round);
    atomic_store(&s.over, 1);
    for (int i = 0; i < WATCHERS; i++)
        pthread_join(watchers[i], NULL);
    imgret_close(other);
    assert_int_equal(status, IMGRET_OK);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.seen) > 0);
    assert_int_equal(count_problems(f->db), 0);
}

/* ---- memory ---- */

static void a_transaction_that_ran_out_of_memory_is_whole_or_not_there(void **state)
{
    fixture *f = *state;
    bool ended = false;
    for (uint64_t n = 1; n < 400 && !ended; n++) {
        char uri[4][24];
        int32_t status = IMGRET_OK;
        uint64_t before = count_images(f->db);
        imgret_error error = IMGRET_ERROR_INIT;
        ir_alloc_fail_after(n);
        status = imgret_begin(f->db, &error);
        int32_t begun = status;
        for (uint32_t i = 0; i < 4 && !status; i++) {
            snprintf(uri[i], sizeof uri[i], "n%u-%u", (unsigned)n, i);
            status = try_add(f->db, (uint32_t)n * 4 + i, uri[i], NULL, &error);
        }
        if (!status)
            status = imgret_commit(f->db, &error);
        else if (!begun)
            imgret_rollback(f->db, NULL);
        ir_alloc_fail_after(0);
        if (status)
            assert_int_equal(error.code, status);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        assert_int_equal(count_images(f->db), before + (status ? 0 : 4));
        for (uint32_t i = 0; i < 4 && !status; i++)
            assert_true(find_seed(f->db, (uint32_t)n * 4 + i) > 0);
        ended = status == IMGRET_OK && n > 100;
    }
    assert_true(ended);
    assert_int_equal(count_problems(f->db), 0);
}

static void a_long_transaction_is_found_too(void **state)
{
    (void)state;
    char folder[256], path[300];
    make_folder(folder, "long");
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    imgret_open_options wide = {
        .size = sizeof wide, .model = "vectors:16384", .vector_type = IMGRET_VECTOR_F32};
    imgret *db;
    assert_good(imgret_open(&db, path, &wide, why));
    static float vector[16384];
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .vector = vector, .dimension = 16384};
    assert_good(imgret_begin(db, why));
    for (uint32_t i = 0; i < 1100; i++) { /* 69 MiB: more than is kept until the commit */
        vector[i] = 1.0f;
        assert_good(imgret_add(db, &input, NULL, NULL, why));
        vector[i] = 0.0f;
    }
    assert_good(imgret_commit(db, why));
    for (uint32_t i = 0; i < 1100; i += 100) {
        imgret_results *results;
        imgret_query_options one = {.size = sizeof one, .k = 1};
        vector[i] = 1.0f;
        assert_good(imgret_query(&results, db, &input, &one, why));
        vector[i] = 0.0f;
        assert_int_equal(imgret_results_at(results, 0)->id, i + 1);
        imgret_results_free(results);
    }
    imgret_close(db);
    remove_folder(folder);
}

/* ---- processes ---- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A child that begins, adds, tells so and stays. */
static pid_t hold_in_child(const char *path, int *told)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_threads = 1;
        imgret *db = open_vectors(path, 0, 0);
        char word = imgret_begin(db, NULL) == IMGRET_OK &&
                            try_add(db, 500, "child", NULL, NULL) == IMGRET_OK
                        ? 'y'
                        : 'n';
        if (write(ends[1], &word, 1) == 1)
            pause();
        _exit(1);
    }
    close(ends[1]);
    *told = ends[0];
    return child;
}

static void a_second_process_is_told_busy_and_readers_go_on(void **state)
{
    fixture *f = *state;
    assert_good(try_add(f->db, 1, "mine", NULL, why));
    int told;
    pid_t child = hold_in_child(f->path, &told);
    char word = 0;
    assert_int_equal(read(told, &word, 1), 1);
    assert_int_equal(word, 'y');
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *hasty = open_vectors(f->path, 0, IMGRET_NO_WAIT);
    imgret *patient = open_vectors(f->path, 0, 300);
    imgret *reader = open_vectors(f->path, IMGRET_OPEN_READ_ONLY, IMGRET_NO_WAIT);
    assert_true(hasty && patient && reader); /* opening needs no lock */
    assert_int_equal(try_add(hasty, 2, NULL, NULL, &error), IMGRET_BUSY);
    assert_non_null(strstr(error.message, "another process"));
    uint64_t before_ms = now_ms();
    assert_int_equal(imgret_begin(patient, &error), IMGRET_BUSY);
    assert_true(now_ms() - before_ms >= 300);
    assert_non_null(strstr(error.message, "300 ms"));
    assert_true(find_seed(reader, 1) > 0);
    assert_true(find_seed(hasty, 1) > 0);
    assert_int_equal(find_seed(reader, 500), 0);
    assert_int_equal(count_problems(reader), 0);
    kill(child, SIGKILL); /* its lock goes with it */
    waitpid(child, NULL, 0);
    close(told);
    assert_good(try_add(hasty, 2, NULL, NULL, why));
    assert_true(find_seed(reader, 2) > 0);
    assert_int_equal(find_seed(reader, 500), 0);
    imgret_close(hasty);
    imgret_close(patient);
    imgret_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_commit_shows_everything_at_once),
        TEST(a_rollback_leaves_no_trace),
        TEST(what_is_refused_does_not_end_it),
        TEST(closing_rolls_back),
        TEST(another_thread_waits_and_is_not_part_of_it),
        TEST(who_waits_can_be_interrupted),
        TEST(a_query_sees_one_state),
        TEST(a_transaction_that_ran_out_of_memory_is_whole_or_not_there),
        TEST(a_long_transaction_is_found_too),
        TEST(a_second_process_is_told_busy_and_readers_go_on),
    };
    return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
