/* test_catalog_sharing.c: threads, processes, waiting, and being interrupted. */
#include "test_catalog.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

typedef struct test_crew {
    ir_catalog *catalog;
    atomic_int stored, committed, done;
} test_crew;

static void count_commit(void *context)
{
    test_crew *crew = context;
    atomic_fetch_add(&crew->committed, 1);
}

static void *write_some(void *context)
{
    test_crew *crew = context;
    for (int round = 0; round < 20; round++) {
        ir_catalog_image image = {.format = "", .vector = "0123456789abcdef", .vector_bytes = 16};
        int64_t id, region, removed;
        if (ir_catalog_begin(crew->catalog, NULL) != IMGRET_OK)
            return NULL;
        for (int i = 0; i < 3; i++)
            if (ir_catalog_store(crew->catalog, &image, 0, &id, &region, &removed, NULL) == 0)
                atomic_fetch_add(&crew->stored, 1);
        if (ir_catalog_commit(crew->catalog, count_commit, crew, NULL) != IMGRET_OK)
            return NULL;
        if (count_images(crew->catalog, NULL) < 3)
            return NULL;
    }
    return NULL;
}

static void threads_take_turns(void **state)
{
    const catalog_fixture *fixture = *state;
    test_crew crew = {.catalog = open_catalog(fixture->path)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_some, &crew), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crew.stored, 240);
    assert_int_equal(crew.committed, 80);
    assert_int_equal(count_images(crew.catalog, NULL), 240);
    ir_catalog_close(crew.catalog);
}

typedef struct counting {
    ir_catalog *catalog;
    ir_catalog_counts counts;
    int32_t status;
    sem_t done;
} counting;

static void *count_all(void *context)
{
    counting *work = context;
    work->status = ir_catalog_get_counts(work->catalog, &work->counts, NULL);
    sem_post(&work->done);
    return NULL;
}

/* Queries hold the reader: what counts must not need it. */
static void counting_waits_for_no_reader(void **state)
{
    const catalog_fixture *fixture = *state;
    counting work = {.catalog = open_catalog(fixture->path)};
    ir_catalog *other = open_catalog(fixture->path);
    pthread_t thread;
    sem_init(&work.done, 0, 0);
    for (uint64_t images = 0; images < 3; images++) {
        struct timespec never;
        assert_int_equal(ir_catalog_hold(work.catalog, NULL), IMGRET_OK);
        assert_int_equal(pthread_create(&thread, NULL, count_all, &work), 0);
        clock_gettime(CLOCK_REALTIME, &never);
        never.tv_sec += 300;
        assert_int_equal(sem_timedwait(&work.done, &never), 0);
        pthread_join(thread, NULL);
        ir_catalog_release(work.catalog);
        assert_int_equal(work.status, IMGRET_OK);
        assert_int_equal(work.counts.image_count, images);
        assert_int_equal(work.counts.region_count, images);
        add(images % 2 ? work.catalog : other, images == 0 ? "/a" : images == 1 ? "/b" : "/c", 1);
    }
    sem_destroy(&work.done);
    ir_catalog_close(other);
    ir_catalog_close(work.catalog);
}

static void *add_one_between(void *context)
{
    test_crew *crew = context;
    int64_t id;
    if (try_add(crew->catalog, "/between", 1, &id) == IMGRET_OK)
        atomic_store(&crew->done, 1);
    return NULL;
}

static void nobody_is_passed_over(void **state)
{
    const catalog_fixture *fixture = *state;
    test_crew crew = {.catalog = open_catalog(fixture->path)};
    pthread_t thread;
    assert_int_equal(ir_catalog_begin(crew.catalog, NULL), IMGRET_OK);
    assert_int_equal(pthread_create(&thread, NULL, add_one_between, &crew), 0);
    usleep(100000); /* it waits by now, or will once a busy machine lets it */
    int turns = 0;
    while (!atomic_load(&crew.done) && turns++ < 1000000) {
        ir_catalog_rollback(crew.catalog); /* and at once again, as an ingest does */
        assert_int_equal(ir_catalog_begin(crew.catalog, NULL), IMGRET_OK);
    }
    ir_catalog_rollback(crew.catalog);
    pthread_join(thread, NULL);
    assert_true(turns < 1000000);
    assert_int_equal(count_images(crew.catalog, NULL), 1);
    ir_catalog_close(crew.catalog);
}

static void creators_at_once(const catalog_fixture *fixture, bool fresh, shared_page *page)
{
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];
    memset(page, 0, sizeof *page);
    fflush(NULL);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            ir_catalog *catalog;
            ir_catalog_options options = {.fresh = fresh, .busy_timeout_ms = 60000};
            imgret_error error = IMGRET_ERROR_INIT;
            bool created = false;
            wait_until(&page->go, 1);
            int32_t status = ir_catalog_open(&catalog, fixture->path, &options, &created, &error);
            if (status != IMGRET_OK && !(fresh && status == IMGRET_EXISTS)) {
                fprintf(stderr, "creating: %s\n", error.message);
                atomic_fetch_add(&page->failed, 1);
            }
            atomic_fetch_add(&page->created, created);
            ir_catalog_close(catalog);
            _exit(0);
        }
    }
    atomic_store(&page->go, 1);
    for (int i = 0; i < CHILDREN; i++)
        waitpid(children[i], NULL, 0);
    assert_int_equal(page->failed, 0);
    assert_int_equal(page->created, 1);
    remove_tree(fixture->path);
}

static void of_many_creators_one_wins(void **state)
{
    const catalog_fixture *fixture = *state;
    shared_page *page = share();
    for (int round = 0; round < 10; round++)
        creators_at_once(fixture, round % 2, page);
    unshare_page(page);
}

static int32_t count_vector(void *context, int64_t region, const void *vector, size_t bytes,
                            imgret_error *error)
{
    (void)vector, (void)bytes, (void)error;
    *(int64_t *)context = region;
    return IMGRET_OK;
}

static int32_t no_removal(void *context, int64_t region, imgret_error *error)
{
    (void)context, (void)region, (void)error;
    return IMGRET_OK;
}

static void a_reader_follows_another_processs_writer(void **state)
{
    const catalog_fixture *fixture = *state;
    shared_page *page = share();
    ir_catalog_close(open_catalog(fixture->path));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        ir_catalog *catalog;
        ir_catalog_options options = {0};
        need(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL) == IMGRET_OK);
        for (int i = 1; i <= 50; i++) {
            int64_t id;
            need(try_add(catalog, NULL, i, &id) == IMGRET_OK);
            atomic_store(&page->acknowledged, i);
            if (i % 10 == 0)
                wait_until(&page->ready, i);
        }
        ir_catalog_close(catalog);
        _exit(0);
    }
    ir_catalog *catalog;
    ir_catalog_options options = {.read_only = true};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL), IMGRET_OK);
    int64_t last = 0, mark = 0, version, version_before = 0;
    for (int wanted = 10; wanted <= 50; wanted += 10) {
        wait_until(&page->acknowledged, wanted);
        assert_int_equal(ir_catalog_data_version(catalog, &version, NULL), IMGRET_OK);
        assert_int_not_equal(version, version_before);
        version_before = version;
        assert_int_equal(
            ir_catalog_changes(catalog, last, &mark, no_removal, count_vector, &last, NULL),
            IMGRET_OK);
        assert_int_equal(last, wanted);
        atomic_store(&page->ready, wanted);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    ir_catalog_close(catalog);
    unshare_page(page);
}

static bool is_set(void *context)
{
    return atomic_load((atomic_bool *)context);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_second_writer_waits_or_is_told(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *holder = open_catalog(fixture->path), *other;
    atomic_bool stop = true;
    assert_int_equal(ir_catalog_begin(holder, NULL), IMGRET_OK);
    imgret_error error = IMGRET_ERROR_INIT;
    ir_catalog_options options = {.busy_timeout_ms = IMGRET_NO_WAIT};
    assert_int_equal(ir_catalog_open(&other, fixture->path, &options, NULL, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_begin(other, &error), IMGRET_BUSY);
    assert_non_null(strstr(error.message, "catalog.db"));
    ir_catalog_close(other);
    options = (ir_catalog_options){.busy_timeout_ms = 60};
    assert_int_equal(ir_catalog_open(&other, fixture->path, &options, NULL, NULL), IMGRET_OK);
    int64_t start = now_ms();
    assert_int_equal(ir_catalog_begin(other, NULL), IMGRET_BUSY);
    assert_true(now_ms() - start >= 59);
    ir_catalog_rollback(holder);
    assert_int_equal(ir_catalog_begin(other, NULL), IMGRET_OK);
    ir_catalog_close(other);
    assert_int_equal(ir_catalog_begin(holder, NULL), IMGRET_OK);
    options = (ir_catalog_options){.stop = is_set, .stop_context = &stop};
    atomic_store(&stop, false);
    assert_int_equal(ir_catalog_open(&other, fixture->path, &options, NULL, NULL), IMGRET_OK);
    atomic_store(&stop, true);
    assert_int_equal(ir_catalog_begin(other, NULL), IMGRET_INTERRUPTED);
    ir_catalog_close(other);
    ir_catalog_close(holder);
}

typedef struct waiting_thread {
    ir_catalog *catalog;
    int32_t status;
} waiting_thread;

static void *begin_in_thread(void *context)
{
    waiting_thread *waiting = context;
    waiting->status = ir_catalog_begin(waiting->catalog, NULL);
    ir_catalog_rollback(waiting->catalog);
    return NULL;
}

static void waiting_for_a_thread_can_be_stopped(void **state)
{
    const catalog_fixture *fixture = *state;
    atomic_bool stop = false;
    ir_catalog_options options = {.stop = is_set, .stop_context = &stop};
    waiting_thread waiting = {.status = 1};
    pthread_t thread;
    assert_int_equal(ir_catalog_open(&waiting.catalog, fixture->path, &options, NULL, NULL), 0);
    assert_int_equal(ir_catalog_begin(waiting.catalog, NULL), IMGRET_OK);
    assert_int_equal(pthread_create(&thread, NULL, begin_in_thread, &waiting), 0);
    usleep(20000);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(waiting.status, IMGRET_INTERRUPTED);
    atomic_store(&stop, false);
    ir_catalog_rollback(waiting.catalog);
    add(waiting.catalog, "/a", 1);
    ir_catalog_close(waiting.catalog);
}

typedef struct stopping_list {
    atomic_bool stop;
    int count;
} stopping_list;

static int32_t stop_at_ten(void *context, uint64_t position, const imgret_record *record,
                           imgret_error *error)
{
    stopping_list *list = context;
    (void)position, (void)record, (void)error;
    if (++list->count == 10)
        atomic_store(&list->stop, true);
    return IMGRET_OK;
}

static void reading_can_be_interrupted(void **state)
{
    const catalog_fixture *fixture = *state;
    stopping_list list = {false, 0};
    ir_catalog *catalog;
    ir_catalog_options options = {.stop = is_set, .stop_context = &list.stop};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL), IMGRET_OK);
    add_many(catalog, 0, 3000);
    imgret_list_options all = {.size = sizeof all, .limit = 10000};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_catalog_list(catalog, &all, stop_at_ten, &list, &error),
                     IMGRET_INTERRUPTED);
    assert_true(list.count < 3000);
    atomic_store(&list.stop, false);
    assert_int_equal(count_images(catalog, NULL), 3000);
    ir_catalog_close(catalog);
}

/* SQLite rolls an interrupted transaction back on its own: nothing may be committed after that. */
static void an_interrupted_transaction_is_lost_as_a_whole(void **state)
{
    const catalog_fixture *fixture = *state;
    atomic_bool stop = false;
    ir_catalog *catalog;
    ir_catalog_options options = {.stop = is_set, .stop_context = &stop};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = IMGRET_OK;
    int64_t id, region, removed;
    for (int i = 0; i < 2000 && !status; i++) {
        ir_catalog_image image = image_of(NULL, i % 256);
        atomic_store(&stop, i >= 10);
        status = ir_catalog_store(catalog, &image, 0, &id, &region, &removed, &error);
    }
    assert_int_equal(status, IMGRET_INTERRUPTED);
    atomic_store(&stop, false);
    ir_catalog_image image = image_of("/more", 1);
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL),
                     IMGRET_INTERRUPTED);
    assert_int_equal(ir_catalog_set_setting(catalog, "a", "b", NULL), IMGRET_INTERRUPTED);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, &error), IMGRET_INTERRUPTED);
    assert_non_null(strstr(error.message, "lost"));
    assert_int_equal(count_images(catalog, NULL), 0);
    add(catalog, "/again", 1);
    ir_catalog_close(catalog);
}

/* The progress handler is asked again when COMMIT is done; that must not look like a failure. */
static void a_commit_is_never_reported_as_interrupted(void **state)
{
    const catalog_fixture *fixture = *state;
    atomic_bool stop = false;
    ir_catalog *catalog;
    ir_catalog_options options = {.stop = is_set, .stop_context = &stop};
    assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL), IMGRET_OK);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
        atomic_store(&stop, true);
        assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
        atomic_store(&stop, false);
    }
    ir_catalog_close(catalog);
}

static void a_forked_child_can_forget_the_handle(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    add(catalog, "/before", 1);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    ir_catalog_image image = image_of("/during", 2);
    int64_t id, region, removed;
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        ir_catalog_abandon(catalog);
        _exit(ir_alloc_live_count() == fixture->live_before ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    ir_catalog *other;
    ir_catalog_options options = {.busy_timeout_ms = IMGRET_NO_WAIT};
    assert_int_equal(ir_catalog_open(&other, fixture->path, &options, NULL, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_begin(other, NULL), IMGRET_BUSY); /* the lock is still held */
    ir_catalog_close(other);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(count_images(catalog, NULL), 2);
    assert_int_equal(count_problems(catalog), 0);
    ir_catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(threads_take_turns),
        catalog_test(nobody_is_passed_over),
        catalog_test(counting_waits_for_no_reader),
        catalog_test(of_many_creators_one_wins),
        catalog_test(a_reader_follows_another_processs_writer),
        catalog_test(a_second_writer_waits_or_is_told),
        catalog_test(waiting_for_a_thread_can_be_stopped),
        catalog_test(reading_can_be_interrupted),
        catalog_test(an_interrupted_transaction_is_lost_as_a_whole),
        catalog_test(a_commit_is_never_reported_as_interrupted),
        catalog_test(a_forked_child_can_forget_the_handle),
    };
    return cmocka_run_group_tests_name("catalog, sharing", tests, NULL, NULL);
}
