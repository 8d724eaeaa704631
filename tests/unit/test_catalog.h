/* test_catalog.h: what the catalogue's tests share: a folder of their own, images, children. */
#ifndef IR_TESTS_TEST_CATALOG_H
#define IR_TESTS_TEST_CATALOG_H

#include "testing.h"

#include "base/alloc.h"
#include "catalog/catalog.h"

#include <ftw.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VECTOR_BYTES 64

typedef struct catalog_fixture {
    char root[64];  /* removed with all it holds */
    char path[128]; /* of the database's folder, not yet there */
    char file[160]; /* its catalog.db */
    uint64_t live_before;
} catalog_fixture;

static inline int fixture_setup(void **state)
{
    static catalog_fixture fixture;
    snprintf(fixture.root, sizeof fixture.root, "/tmp/imgret-catalog-XXXXXX");
    if (!mkdtemp(fixture.root))
        return -1;
    snprintf(fixture.path, sizeof fixture.path, "%s/photos.imgret", fixture.root);
    snprintf(fixture.file, sizeof fixture.file, "%s/catalog.db", fixture.path);
    fixture.live_before = ir_alloc_live_count();
    *state = &fixture;
    return 0;
}

static inline int remove_entry(const char *path, const struct stat *info, int kind,
                               struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int fixture_teardown(void **state)
{
    catalog_fixture *fixture = *state;
    remove_tree(fixture->root);
    return ir_alloc_live_count() == fixture->live_before ? 0 : -1;
}

#define catalog_test(function) \
    cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline ir_catalog *open_catalog(const char *path)
{
    ir_catalog *catalog;
    ir_catalog_options options = {0};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_open(&catalog, path, &options, NULL, &error);
    if (status)
        fail_msg("open: %s", error.message);
    return catalog;
}

/* The status and message of an open that must fail. */
static inline int32_t open_status(const char *path, ir_catalog_options options, imgret_error *error)
{
    ir_catalog *catalog;
    int32_t status = ir_catalog_open(&catalog, path, &options, NULL, error);
    if (status)
        assert_null(catalog);
    ir_catalog_close(catalog);
    return status;
}

/* An image whose vector is filled with `fill`; uri may be NULL. */
static inline ir_catalog_image image_of(const char *uri, int fill)
{
    static uint8_t vector[VECTOR_BYTES];
    memset(vector, fill, sizeof vector);
    ir_catalog_image image = {
        .uri = uri,
        .format = "jpeg",
        .width = 640,
        .height = 480,
        .file_bytes = 12345,
        .modified_ns = 1700000000123456789,
        .vector = vector,
        .vector_bytes = sizeof vector,
    };
    memset(image.content_hash, fill, sizeof image.content_hash);
    return image;
}

/* Stores one image in a transaction of its own; returns the status. */
static inline int32_t try_add(ir_catalog *catalog, const char *uri, int fill, int64_t *id)
{
    int64_t region, removed;
    ir_catalog_image image = image_of(uri, fill);
    int32_t status = ir_catalog_begin(catalog, NULL);
    if (status)
        return status;
    status = ir_catalog_store(catalog, &image, 0, id, &region, &removed, NULL);
    int32_t ended = ir_catalog_commit(catalog, NULL, NULL, NULL);
    return status ? status : ended;
}

static inline int64_t add(ir_catalog *catalog, const char *uri, int fill)
{
    int64_t id;
    assert_int_equal(try_add(catalog, uri, fill, &id), IMGRET_OK);
    return id;
}

static inline void add_many(ir_catalog *catalog, int first, int count)
{
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    for (int i = first; i < first + count; i++) {
        char uri[64];
        int64_t id, region, removed;
        snprintf(uri, sizeof uri, "/pictures/%06d.jpg", i);
        ir_catalog_image image = image_of(uri, i % 256);
        assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL), 0);
    }
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
}

static inline int32_t count_record(void *context, uint64_t position, const imgret_record *record,
                                   imgret_error *error)
{
    (void)position, (void)record, (void)error;
    ++*(int *)context;
    return IMGRET_OK;
}

/* The number of images, or a negative status. */
static inline int count_images(ir_catalog *catalog, imgret_error *error)
{
    int count = 0;
    imgret_list_options all = {.size = sizeof all, .limit = UINT64_MAX};
    int32_t status = ir_catalog_list(catalog, &all, count_record, &count, error);
    return status ? status : count;
}

static inline int32_t show_problem(void *context, const char *message)
{
    if (++*(int *)context == 1)
        print_message("problem: %s\n", message);
    return 0;
}

/* The number of problems that a check finds. */
static inline int count_problems(ir_catalog *catalog)
{
    int count = 0;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_check(catalog, VECTOR_BYTES, show_problem, &count, &error);
    if (status)
        fail_msg("check: %s", error.message);
    return count;
}

/* Memory that a child and its parent share. */
typedef struct shared_page {
    atomic_int acknowledged, ready, go, created, failed;
} shared_page;

static inline shared_page *share(void)
{
    shared_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0);
    assert_true(page != MAP_FAILED);
    return page;
}

static inline void unshare_page(shared_page *page)
{
    munmap(page, sizeof *page);
}

static inline void wait_until(const atomic_int *value, int least)
{
    while (atomic_load(value) < least)
        usleep(200);
}

/* In children, where cmocka's assertions cannot report. */
#define need(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                       \
        }                                                                   \
    } while (0)

/* Runs `fn` in a child and returns its exit status. */
static inline int in_child(int (*fn)(const catalog_fixture *fixture),
                           const catalog_fixture *fixture)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(fn(fixture));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
