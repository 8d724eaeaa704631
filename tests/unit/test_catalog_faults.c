/* test_catalog_faults.c: kills, full disks, other processes, interruption, read-only media. */
#include "test_catalog.h"

#include "base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define NOBODY 65534

/* Memory that a child and its parent share. */
typedef struct shared_page {
    atomic_int acknowledged, ready, go, created, failed;
} shared_page;

static shared_page *share(void)
{
    shared_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    return page;
}

static void unshare_page(shared_page *page)
{
    munmap(page, sizeof *page);
}

static void wait_until(const atomic_int *value, int least)
{
    while (atomic_load(value) < least)
        usleep(200);
}

/* Adds groups of 1 to 7 for ever, and tells how many are durable. */
static void add_for_ever(const catalog_fixture *fixture, shared_page *page)
{
    ir_catalog *catalog;
    ir_catalog_options options = {0};
    need(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL) == IMGRET_OK);
    for (int next = atomic_load(&page->acknowledged), group = 1;; group = group % 7 + 1) {
        need(ir_catalog_begin(catalog, NULL) == IMGRET_OK);
        for (int i = 0; i < group; i++, next++) {
            char uri[32];
            int64_t id, region, removed;
            snprintf(uri, sizeof uri, "%d", next);
            ir_catalog_image image = image_of(uri, next % 256);
            int64_t old = next % 3 ? 0 : next; /* replace now and then */
            int32_t status = ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL);
            if (status == IMGRET_EXISTS) /* committed before the last kill, but not told */
                continue;
            need(status == IMGRET_OK);
            if (old)
                need(ir_catalog_store(catalog, &image, id, &id, &region, &removed, NULL) == 0);
        }
        need(ir_catalog_commit(catalog, NULL, NULL, NULL) == IMGRET_OK);
        atomic_store(&page->acknowledged, next);
    }
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    const catalog_fixture *fixture = *state;
    shared_page *page = share();
    srand(20260101);
    for (int round = 0; round < 20; round++) {
        int before = atomic_load(&page->acknowledged);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            add_for_ever(fixture, page);
            _exit(0);
        }
        wait_until(&page->acknowledged, before + 1);
        usleep((useconds_t)(rand() % 20000));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        int acknowledged = atomic_load(&page->acknowledged);
        ir_catalog *catalog = open_catalog(fixture->path);
        int count = count_images(catalog, NULL);
        assert_in_range(count, acknowledged, acknowledged + 7);
        for (int i = 0; i < acknowledged; i++) {
            char uri[32];
            ir_catalog_known known;
            snprintf(uri, sizeof uri, "%d", i);
            assert_int_equal(ir_catalog_find(catalog, uri, false, &known, NULL), IMGRET_OK);
            assert_int_not_equal(known.id, 0);
        }
        assert_int_equal(count_problems(catalog), 0);
        ir_catalog_close(catalog);
    }
    unshare_page(page);
}

static void a_kill_while_creating_leaves_nothing_in_the_way(void **state)
{
    const catalog_fixture *fixture = *state;
    srand(20260102);
    for (int round = 0; round < 20; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            ir_catalog *catalog;
            ir_catalog_options options = {0};
            ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL);
            pause();
        }
        usleep((useconds_t)(rand() % 8000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        ir_catalog *catalog = open_catalog(fixture->path);
        add(catalog, "/a", 1);
        assert_int_equal(count_problems(catalog), 0);
        ir_catalog_close(catalog);
        remove_tree(fixture->path);
    }
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

/* Fills the disk one image at a time; how many were acknowledged. */
static int fill_disk(ir_catalog *catalog, int first)
{
    static char metadata[4096];
    memset(metadata, ' ', sizeof metadata - 1);
    memcpy(metadata, "{}", 2);
    for (int i = first;; i++) {
        char uri[32];
        int64_t id, region, removed;
        snprintf(uri, sizeof uri, "%d", i);
        ir_catalog_image image = image_of(uri, i % 256);
        image.metadata = metadata;
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = ir_catalog_begin(catalog, &error);
        if (status == IMGRET_OK) {
            status = ir_catalog_store(catalog, &image, 0, &id, &region, &removed, &error);
            int32_t ended = ir_catalog_commit(catalog, NULL, NULL, &error);
            need(status == IMGRET_OK || ended == status);
            status = ended;
        }
        if (status != IMGRET_OK) {
            need(status == IMGRET_FULL);
            need(strstr(error.message, "catalog.db"));
            return i;
        }
        need(i < 100000);
    }
}

/* `add_space` is called when the disk is full. */
static int live_with_full_disk(const char *path, void (*add_space)(const char *root),
                               const char *root)
{
    ir_catalog *catalog;
    ir_catalog_options options = {0};
    int problems = 0;
    need(ir_catalog_open(&catalog, path, &options, NULL, NULL) == IMGRET_OK);
    int stored = fill_disk(catalog, 0);
    need(stored > 20);
    need(fill_disk(catalog, stored) == stored); /* still full, still clear about it */
    need(count_images(catalog, NULL) == stored);
    add_space(root);
    for (int i = 0; i < 10; i++) {
        int64_t id;
        char uri[32];
        snprintf(uri, sizeof uri, "later %d", i);
        need(try_add(catalog, uri, 1, &id) == IMGRET_OK);
    }
    need(count_images(catalog, NULL) == stored + 10);
    ir_catalog_close(catalog);
    need(ir_catalog_open(&catalog, path, &options, NULL, NULL) == IMGRET_OK);
    need(count_images(catalog, NULL) == stored + 10);
    need(ir_catalog_check(catalog, VECTOR_BYTES, show_problem, &problems, NULL) == IMGRET_OK);
    need(problems == 0);
    ir_catalog_close(catalog);
    return 0;
}

static void lift_limit(const char *root)
{
    (void)root;
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static int fill_limited_file(const catalog_fixture *fixture)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    need(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 2 << 20;
    need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return live_with_full_disk(fixture->path, lift_limit, NULL);
}

static void a_file_size_limit_loses_nothing(void **state)
{
    assert_int_equal(in_child(fill_limited_file, *state), 0);
}

static void enlarge_disk(const char *root)
{
    need(mount("none", root, "tmpfs", MS_REMOUNT, "size=64m") == 0);
}

#define SKIPPED 77

static int fill_small_disk(const catalog_fixture *fixture)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", fixture->root, "tmpfs", 0, "size=2m") != 0)
        return SKIPPED;
    return live_with_full_disk(fixture->path, enlarge_disk, fixture->root);
}

static void a_full_disk_loses_nothing(void **state)
{
    int status = in_child(fill_small_disk, *state);
    if (status == SKIPPED) {
        print_message("a small disk cannot be mounted here\n");
        skip();
    }
    assert_int_equal(status, 0);
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
        assert_int_equal(ir_catalog_changes(catalog, last, &mark, no_removal, count_vector, &last,
                                            NULL), IMGRET_OK);
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

static bool contains(const uint8_t *data, size_t bytes, const char *text)
{
    return memmem(data, bytes, text, strlen(text)) != NULL;
}

static void removed_bytes_are_gone_from_the_file(void **state)
{
    const catalog_fixture *fixture = *state;
    enum { COUNT = 3000 };
    static int64_t ids[COUNT];
    ir_catalog *catalog = open_catalog(fixture->path);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    for (int i = 0; i < COUNT; i++) {
        char uri[64], metadata[64], vector[VECTOR_BYTES + 1];
        int64_t region, removed;
        snprintf(uri, sizeof uri, "/%04d/uri-%06d", i * 7919 % COUNT, i);
        snprintf(metadata, sizeof metadata, "{\"m\":\"meta-%06d\"}", i);
        snprintf(vector, sizeof vector, "%-52svector-%05d", "", i);
        ir_catalog_image image = image_of(uri, i % 256);
        image.metadata = metadata;
        image.vector = vector;
        assert_int_equal(ir_catalog_store(catalog, &image, 0, &ids[i], &region, &removed, NULL), 0);
    }
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    for (int i = 0; i < COUNT; i += 2) {
        int64_t removed;
        if (i % 100 == 0)
            assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
        assert_int_equal(ir_catalog_remove(catalog, ids[i], &removed, NULL), IMGRET_OK);
        if (i % 100 == 98)
            assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    }
    assert_int_equal(count_problems(catalog), 0);
    ir_catalog_close(catalog);
    uint8_t *data;
    size_t bytes;
    assert_int_equal(ir_file_read(fixture->file, 1 << 28, &data, &bytes, NULL), IMGRET_OK);
    int left = 0;
    for (int i = 0; i < COUNT; i++) {
        static const char *const kinds[] = {"uri-%06d", "meta-%06d", "vector-%05d"};
        for (int kind = 0; kind < 3; kind++) {
            char text[32];
            snprintf(text, sizeof text, kinds[kind], i);
            bool there = contains(data, bytes, text);
            if (i % 2)
                assert_true(there);
            else
                left += there;
        }
    }
    ir_free(data);
    assert_int_equal(left, 0);
    char log[256];
    snprintf(log, sizeof log, "%s-wal", fixture->file);
    assert_int_equal(access(log, F_OK), -1);
}

/* With another process's handle open the log stays, but it is emptied. */
static void closing_empties_the_log(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *other = open_catalog(fixture->path), *catalog = open_catalog(fixture->path);
    add_many(catalog, 0, 100);
    char log[256];
    struct stat info;
    snprintf(log, sizeof log, "%s-wal", fixture->file);
    assert_int_equal(stat(log, &info), 0);
    assert_true(info.st_size > 0);
    ir_catalog_close(catalog);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(count_images(other, NULL), 100);
    ir_catalog_close(other);
}

static int entries_of(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "exit $(ls -A '%s' | wc -l)", path);
    return WEXITSTATUS(system(command));
}

/* As somebody who may read but not write. */
static int read_as_nobody(const catalog_fixture *fixture)
{
    if (geteuid() == 0)
        need(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    ir_catalog *catalog;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_catalog_options options = {0};
    int32_t status = ir_catalog_open(&catalog, fixture->path, &options, NULL, &error);
    need(status == IMGRET_READ_ONLY || status == IMGRET_IO);
    need(strstr(error.message, "catalog.db"));
    options.read_only = true;
    need(ir_catalog_open(&catalog, fixture->path, &options, NULL, &error) == IMGRET_OK);
    need(count_images(catalog, &error) == 20);
    int64_t version, id;
    need(ir_catalog_data_version(catalog, &version, &error) == IMGRET_OK);
    need(try_add(catalog, "/x", 1, &id) == IMGRET_READ_ONLY);
    need(ir_catalog_set_setting(catalog, "a", "b", &error) == IMGRET_READ_ONLY);
    int problems = 0;
    need(ir_catalog_check(catalog, VECTOR_BYTES, show_problem, &problems, &error) == IMGRET_OK);
    need(problems == 0);
    ir_catalog_close(catalog);
    return 0;
}

static void a_read_only_folder_can_be_read(void **state)
{
    catalog_fixture fixture = *(const catalog_fixture *)*state;
    snprintf(fixture.path, sizeof fixture.path, "%s/50%% \xFF?a=b#c", fixture.root);
    snprintf(fixture.file, sizeof fixture.file, "%s/catalog.db", fixture.path);
    ir_catalog *catalog = open_catalog(fixture.path);
    add_many(catalog, 0, 20);
    ir_catalog_close(catalog);
    assert_int_equal(chmod(fixture.root, 0755), 0);
    assert_int_equal(chmod(fixture.path, 0555), 0);
    assert_int_equal(chmod(fixture.file, 0444), 0);
    int status = in_child(read_as_nobody, &fixture);
    assert_int_equal(entries_of(fixture.path), 1);
    assert_int_equal(chmod(fixture.path, 0755), 0);
    assert_int_equal(status, 0);
}

static int add_and_die(const catalog_fixture *fixture)
{
    ir_catalog *catalog;
    ir_catalog_options options = {0};
    int64_t id;
    need(ir_catalog_open(&catalog, fixture->path, &options, NULL, NULL) == IMGRET_OK);
    need(try_add(catalog, "/in the log", 1, &id) == IMGRET_OK);
    return 0; /* without closing: the log stays */
}

static int read_with_log(const catalog_fixture *fixture)
{
    if (geteuid() == 0)
        need(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    ir_catalog *catalog;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_catalog_options options = {.read_only = true};
    int32_t status = ir_catalog_open(&catalog, fixture->path, &options, NULL, &error);
    if (status == IMGRET_OK) /* then with what is in the log */
        need(count_images(catalog, NULL) == 1);
    else
        need(status == IMGRET_IO && strstr(error.message, "write-ahead log"));
    ir_catalog_close(catalog);
    return 0;
}

static void a_log_in_a_read_only_folder_is_never_ignored(void **state)
{
    const catalog_fixture *fixture = *state;
    char index[256];
    assert_int_equal(in_child(add_and_die, fixture), 0);
    snprintf(index, sizeof index, "%s-shm", fixture->file);
    assert_int_equal(chmod(fixture->root, 0755), 0);
    for (int without_index = 0; without_index < 2; without_index++) {
        if (without_index)
            assert_int_equal(remove(index), 0);
        assert_int_equal(chmod(fixture->path, 0555), 0);
        int status = in_child(read_with_log, fixture);
        assert_int_equal(chmod(fixture->path, 0755), 0);
        assert_int_equal(status, 0);
    }
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
        catalog_test(what_was_acknowledged_survives_a_kill),
        catalog_test(a_kill_while_creating_leaves_nothing_in_the_way),
        catalog_test(of_many_creators_one_wins),
        catalog_test(a_file_size_limit_loses_nothing),
        catalog_test(a_full_disk_loses_nothing),
        catalog_test(a_reader_follows_another_processs_writer),
        catalog_test(a_second_writer_waits_or_is_told),
        catalog_test(waiting_for_a_thread_can_be_stopped),
        catalog_test(reading_can_be_interrupted),
        catalog_test(an_interrupted_transaction_is_lost_as_a_whole),
        catalog_test(a_commit_is_never_reported_as_interrupted),
        catalog_test(removed_bytes_are_gone_from_the_file),
        catalog_test(closing_empties_the_log),
        catalog_test(a_read_only_folder_can_be_read),
        catalog_test(a_log_in_a_read_only_folder_is_never_ignored),
        catalog_test(a_forked_child_can_forget_the_handle),
    };
    return cmocka_run_group_tests_name("catalog, faults", tests, NULL, NULL);
}
