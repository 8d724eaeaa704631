/* test_catalog_faults.c: kills, full disks, what removal leaves, read-only media. */
#include "test_catalog.h"

#include "base/file.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define NOBODY 65534

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
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
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
        char uri[64], metadata[64], vector[2 * VECTOR_BYTES];
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(what_was_acknowledged_survives_a_kill),
        catalog_test(a_kill_while_creating_leaves_nothing_in_the_way),
        catalog_test(a_file_size_limit_loses_nothing),
        catalog_test(a_full_disk_loses_nothing),
        catalog_test(removed_bytes_are_gone_from_the_file),
        catalog_test(closing_empties_the_log),
        catalog_test(a_read_only_folder_can_be_read),
        catalog_test(a_log_in_a_read_only_folder_is_never_ignored),
    };
    return cmocka_run_group_tests_name("catalog, faults", tests, NULL, NULL);
}
