/* test_faults.c: the n-th allocation, or the n-th operation on a file, fails, for all n.
 *
 * A script uses the whole public interface; what it was told as done goes into a ledger. Whatever
 * failed, the calls say so, nothing leaks, and the database opened again afterwards holds exactly
 * what the ledger says and is sound.
 */
#include "pictures.h"
#include "rounds.h"
#include "watched_vfs.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { PICTURES = 3, URIS = 8, READ_DIMENSION = 32 };

typedef struct ledger {
    char what[64]; /* fails */
    char root[256];
    char path[300];
    char pictures[300];
    bool made;           /* an open succeeded */
    int32_t there[URIS]; /* 1 there, 0 not, -1 unknown: the call that failed may have done it */
    /* The disk fails until the process ends: then a commit that could not be synced may, or may not,
     * be found in the log afterwards, but only as a whole. */
    bool stuck;
    int failures;
    int silent; /* a failed call without a message, or a result beside an error */
} ledger;

static const char *name_of(const ledger *l, int uri, char out[400])
{
    if (uri < PICTURES)
        snprintf(out, 400, "%s/%d.ppm", l->pictures, uri);
    else
        snprintf(out, 400, "u%d", uri);
    return out;
}

/* Notes what a call said; true when it is done. */
static bool note(ledger *l, int32_t status, const imgret_error *error)
{
    if (status == IMGRET_OK)
        return true;
    l->failures++;
    if (error->code != status || !error->message[0]) {
        print_message("# %s: status %d, error %d \"%s\"\n", l->what, status, error->code,
                      error->message);
        l->silent++;
    }
    return false;
}

static bool add_pixels(ledger *l, imgret *db, int uri, uint32_t look)
{
    char name[400];
    static uint8_t rgb[3 * 32 * 32];
    imgret_error error = IMGRET_ERROR_INIT;
    draw_stripes(rgb, 32, look);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = rgb,
                          .data_bytes = sizeof rgb,
                          .width = 32,
                          .height = 32};
    imgret_add_options options = {
        .size = sizeof options, .uri = name_of(l, uri, name), .metadata = "{\"a\": 1}"};
    return note(l, imgret_add(db, &input, &options, NULL, &error), &error);
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    ledger *l = user;
    char name[400];
    for (int i = 0; i < PICTURES; i++)
        if (item->outcome == IMGRET_STORED && strcmp(item->uri, name_of(l, i, name)) == 0)
            l->there[i] = 1;
    return 0;
}

static void ingest(ledger *l, imgret *db)
{
    const char *folder = l->pictures;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_ingest_options options = {
        .size = sizeof options, .paths = &folder, .path_count = 1, .on_item = on_item, .user = l};
    note(l, imgret_ingest(db, &options, NULL, &error), &error);
}

static int64_t find(ledger *l, imgret *db, int uri)
{
    char name[400];
    imgret_records *records;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_list_options options = {.size = sizeof options, .uri = name_of(l, uri, name)};
    bool good = note(l, imgret_list(&records, db, &options, &error), &error);
    l->silent += !good && records;
    const imgret_record *record = imgret_records_at(records, 0);
    int64_t id = record ? record->id : 0;
    imgret_records_free(records);
    return id;
}

static void ask(ledger *l, imgret *db, int uri)
{
    int64_t id = find(l, db, uri);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = id};
    imgret_query_options options = {.size = sizeof options, .k = 3};
    imgret_results *results;
    bool good = note(l, imgret_query(&results, db, &input, &options, &error), &error);
    l->silent += !good && results;
    imgret_results_free(results);
    imgret_stats stats = {.size = sizeof stats};
    note(l, imgret_get_stats(db, &stats, &error), &error);
    uint64_t problems = 0;
    note(l, imgret_check(db, NULL, NULL, &problems, &error), &error);
}

/* What a failed call was to make of a uri. */
static void leave_open(ledger *l, int uri)
{
    if (l->stuck)
        l->there[uri] = -1;
}

/* Two additions and a removal, all or none. */
static void transact(ledger *l, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t id = find(l, db, 3);
    if (!note(l, imgret_begin(db, &error), &error))
        return;
    bool good = add_pixels(l, db, 4, 4) && add_pixels(l, db, 5, 5) &&
                (!id || note(l, imgret_remove(db, id, &error), &error));
    if (!good) {
        imgret_rollback(db, NULL);
        return;
    }
    if (!note(l, imgret_commit(db, &error), &error)) {
        leave_open(l, 3);
        leave_open(l, 4);
        leave_open(l, 5);
        return;
    }
    l->there[4] = l->there[5] = 1;
    if (id)
        l->there[3] = 0;
}

static void back_up(ledger *l, imgret *db)
{
    char to[320];
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(to, sizeof to, "%s/copy", l->root);
    if (note(l, imgret_backup(db, to, NULL, &error), &error))
        return;
    if (access(to, F_OK) == 0 &&
        !l->stuck) /* a disk that refuses all does not take it back either */
        l->silent++;
}

static void export(ledger *l, imgret *db)
{
    char to[320];
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(to, sizeof to, "%s/export", l->root);
    if (note(l, imgret_export(db, to, NULL, &error), &error))
        return;
    if (access(to, F_OK) == 0 && !l->stuck)
        l->silent++;
}

/* Changes nothing of what is there, whether it succeeds or not. */
static void optimize(ledger *l, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    note(l, imgret_optimize(db, &options, &error), &error);
}

static void run_script(ledger *l)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .model = "classic", .threads = 2};
    for (int session = 0; session < 2; session++) {
        if (!note(l, imgret_open(&db, l->path, &options, &error), &error)) {
            l->silent += db != NULL;
            continue;
        }
        l->made = true;
        if (session == 0) {
            ingest(l, db);
            if (add_pixels(l, db, 3, 3))
                l->there[3] = 1;
            else
                leave_open(l, 3);
            transact(l, db);
            optimize(l, db);
            ask(l, db, 4);
        } else {
            for (uint32_t look = 6; look <= 60; look += 54) /* added, then replaced */
                if (add_pixels(l, db, 6, look))
                    l->there[6] = 1;
                else if (l->there[6] != 1)
                    leave_open(l, 6);
            optimize(l, db); /* with the segment that is there, and without what was replaced */
            back_up(l, db);
            export(l, db);
            int64_t id = l->there[5] == 1 ? find(l, db, 5) : 0;
            if (id && note(l, imgret_remove(db, id, &error), &error))
                l->there[5] = 0;
            else if (id)
                leave_open(l, 5);
            ask(l, db, 6);
        }
        imgret_close(db);
    }
}

static void prepare(ledger *l)
{
    char file[400];
    *l = (ledger){0};
    make_folder(l->root, "faults");
    snprintf(l->path, sizeof l->path, "%s/db.imgret", l->root);
    snprintf(l->pictures, sizeof l->pictures, "%s/pictures", l->root);
    assert_int_equal(mkdir(l->pictures, 0700), 0);
    for (int i = 0; i < PICTURES; i++)
        write_stripes(name_of(l, i, file), 40, (uint32_t)i);
}

static int32_t print_problem(void *user, const char *message)
{
    (void)user;
    print_message("# problem: %s\n", message);
    return 0;
}

/* Everything works again: what does the database hold? */
static void compare(ledger *l)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .model = "classic", .threads = 2};
    if (imgret_open(&db, l->path, &options, &error) != IMGRET_OK)
        fail_msg("%s: cannot be opened: %s", l->what, error.message);
    bool whole = l->there[4] != -1 || l->there[5] != -1 ||
                 (find(l, db, 4) != 0) == (find(l, db, 5) != 0);
    assert_true(whole);
    for (int i = 0; i < URIS; i++) {
        bool there = find(l, db, i) != 0;
        if (l->there[i] == -1 || (i < PICTURES && !l->there[i]))
            continue; /* of an ingest, what was not told as done may be there all the same */
        if (there != (l->there[i] == 1))
            fail_msg("%s: uri %d is %s, told was the contrary", l->what, i,
                     there ? "there" : "missing");
    }
    uint64_t problems = 0;
    assert_int_equal(imgret_check(db, print_problem, NULL, &problems, &error), IMGRET_OK);
    assert_int_equal(problems, 0);
    assert_true(add_pixels(l, db, 7, 7));
    imgret_close(db);
    remove_folder(l->root);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static atomic_uint_fast64_t allocation_count;

static void *count_alloc(void *user, uint64_t bytes)
{
    (void)user;
    atomic_fetch_add(&allocation_count, 1);
    return malloc(bytes);
}

static void *count_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    atomic_fetch_add(&allocation_count, 1);
    return realloc(pointer, bytes);
}

static void count_free(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

/* The allocations of a script in which nothing fails. */
static uint64_t count_allocations(void)
{
    const imgret_allocator counting = {.size = sizeof counting,
                                       .alloc = count_alloc,
                                       .realloc = count_realloc,
                                       .free = count_free};
    ledger l;
    prepare(&l);
    assert_int_equal(imgret_set_allocator(&counting, NULL), IMGRET_OK);
    run_script(&l);
    assert_int_equal(imgret_set_allocator(NULL, NULL), IMGRET_OK);
    assert_int_equal(l.failures, 0);
    compare(&l);
    return atomic_load(&allocation_count);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    uint64_t stride = round_count(SANITIZED(5, 15), 1), runs = 0, failures = 0;
    uint64_t most = count_allocations() + 20; /* threads make it vary a little */
    for (uint64_t n = 1; n <= most; n += stride) {
        ledger l;
        prepare(&l);
        snprintf(l.what, sizeof l.what, "allocation %llu", (unsigned long long)n);
        ir_alloc_fail_after(n);
        run_script(&l);
        ir_alloc_fail_after(0);
        if (l.silent)
            fail_msg("%s: %d calls failed without saying so", l.what, l.silent);
        compare(&l);
        runs++;
        failures += (uint64_t)l.failures;
    }
    printf("# %llu runs with one failed allocation each, %llu calls failed, violations: 0\n",
           (unsigned long long)runs, (unsigned long long)failures);
    assert_true(failures > 20);
}

static void every_file_operation_fails(void **state)
{
    (void)state;
    uint64_t stride = round_count(SANITIZED(11, 37), 1), runs = 0, failures = 0;
    uint64_t failed_operations = 0;
    for (int fault = 0; fault < WATCHED_VFS_FAULT_COUNT; fault++) {
        bool reached = true;
        for (uint64_t n = 1; reached; n += stride) {
            ledger l;
            prepare(&l);
            l.stuck = fault == WATCHED_VFS_EIO_STUCK;
            snprintf(l.what, sizeof l.what, "fault %d at %llu", fault, (unsigned long long)n);
            watched_vfs_fail((watched_vfs_fault)fault, n);
            run_script(&l);
            reached = watched_vfs_operation_count() >= n;
            failed_operations += watched_vfs_has_failed();
            watched_vfs_fail(WATCHED_VFS_EIO, 0);
            if (l.silent)
                fail_msg("%s: %d calls failed without saying so", l.what, l.silent);
            compare(&l);
            runs++;
            failures += (uint64_t)l.failures;
            assert_true(n < 20000);
        }
    }
    printf("# %llu runs with failing files (in %llu something failed; %llu reads of segments did), "
           "%llu calls failed, violations: 0\n",
           (unsigned long long)runs, (unsigned long long)failed_operations,
           (unsigned long long)watched_vfs_failed_reads(), (unsigned long long)failures);
    assert_true(failures > 50);
}

/* ---- completions of reads ---- */

enum { STORED = 600, ASKED = 4 };

static int32_t ask_seed(imgret *db, uint32_t seed, int64_t *first, imgret_error *error)
{
    static float vector[READ_DIMENSION];
    for (uint32_t i = 0; i < READ_DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        vector[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = READ_DIMENSION};
    imgret_add_options adding = {.size = sizeof adding};
    if (!first)
        return imgret_add(db, &input, &adding, NULL, error);
    imgret_query_options options = {.size = sizeof options, .k = 20};
    imgret_results *results;
    int32_t status = imgret_query(&results, db, &input, &options, error);
    const imgret_hit *best = status ? NULL : imgret_results_at(results, 0);
    *first = best ? best->id : 0;
    imgret_results_free(results);
    return status;
}

/* Each completion of the ring fails once: the query says so, and the next one is right again. */
static void every_completed_read_fails(void **state)
{
    (void)state;
    char root[256], path[300];
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    make_folder(root, "reads");
    snprintf(path, sizeof path, "%s/db.imgret", root);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:32", .threads = 1};
    imgret_optimize_options all = {.size = sizeof all, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t seed = 0; seed < STORED; seed++)
        assert_int_equal(ask_seed(db, seed, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
    assert_int_equal(imgret_optimize(db, &all, NULL), IMGRET_OK);
    uint64_t before = watched_vfs_failed_reads(), refused = 0;
    int64_t first;
    for (uint32_t seed = 0; seed < ASKED; seed++)
        for (uint64_t n = 1, reached = 1; reached; n++) {
            watched_vfs_fail(WATCHED_VFS_EIO, n);
            int32_t status = ask_seed(db, seed, &first, &error);
            reached = watched_vfs_operation_count() >= n;
            watched_vfs_fail(WATCHED_VFS_EIO, 0);
            if (!status)
                assert_int_equal(first, seed + 1);
            else
                assert_true(status == IMGRET_IO && error.message[0]);
            refused += status != 0;
            assert_int_equal(ask_seed(db, seed, &first, &error), IMGRET_OK);
            assert_int_equal(first, seed + 1);
        }
    uint64_t failed = watched_vfs_failed_reads() - before;
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    printf("# %llu completions of %s failed, %llu queries said so, violations: 0\n",
           (unsigned long long)failed, stats.io_kind ? stats.io_kind : "?",
           (unsigned long long)refused);
    assert_true(failed > ASKED && refused >= failed);
    imgret_close(db);
    remove_folder(root);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(void)
{
    watched_vfs_install();
    if (access("/dev/shm", W_OK) == 0) /* thousands of databases: no disk is needed for that */
        setenv("TMPDIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_file_operation_fails),
        cmocka_unit_test(every_completed_read_fails),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
