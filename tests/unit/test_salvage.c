/* test_salvage.c: a damaged catalog.db: whatever can be read is in the new one, the rest is told. */
#include "rounds.h"
#include "vectors.h"
#include "watched_vfs.h"

#include "base/alloc.h"

#include <signal.h>
#include <sys/wait.h>

enum { COUNT = 400, PENDING = 300, TOTAL = COUNT + PENDING, GONE = 7, PAGE = 8192 };
enum {
    LEAF_VECTORS = PAGE / (2 * DIMENSION),
    LEAF_RECORDS = PAGE / 100
}; /* on one page, at most */

typedef struct fixture {
    char folder[256];
    char path[300];
    char good[300]; /* a copy of the sound database */
    char catalog[340];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "salvage");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->good, sizeof f->good, "%s/good", f->folder);
    snprintf(f->catalog, sizeof f->catalog, "%s/catalog.db", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void copy_folder(const char *from, const char *to)
{
    char command[4096];
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

static void add_images(imgret *db, uint32_t first, uint32_t end)
{
    char uri[64], metadata[32];
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = first; i < end; i++) {
        float vector[DIMENSION];
        snprintf(uri, sizeof uri, "a picture of some longer name, %05u", i);
        snprintf(metadata, sizeof metadata, "{\"seed\":%u}", i);
        imgret_input input = vector_input(vector, i);
        imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
        assert_int_equal(imgret_add(db, &input, &options, NULL, NULL), IMGRET_OK);
    }
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

/* Image i + 1 is of seed i; some are in a segment, some pending, one of each was removed. */
static void make_database(fixture *f)
{
    imgret *db = open_vectors(f->path, 0, 0);
    add_images(db, 0, COUNT);
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &options, NULL), IMGRET_OK);
    add_images(db, COUNT, TOTAL);
    assert_int_equal(imgret_remove(db, GONE, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(db, COUNT + GONE, NULL), IMGRET_OK);
    imgret_close(db);
    copy_folder(f->path, f->good);
}

static long file_bytes(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (long)info.st_size;
}

typedef enum damage { ZEROS, NOISE, HEAD, DAMAGE_COUNT } damage;

/* Overwrites a page, or its first bytes. */
static void spoil(const char *path, long page, damage how, uint64_t seed)
{
    uint8_t bytes[PAGE] = {0};
    for (int i = 0; how != ZEROS && i < PAGE; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, page * PAGE, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, how == HEAD ? 200 : PAGE, file), how == HEAD ? 200 : PAGE);
    assert_int_equal(fclose(file), 0);
}

static uint64_t told; /* lines of on_loss */

static int32_t count_loss(void *user, const char *message)
{
    (void)user;
    assert_true(message[0] != '\0');
    told++;
    return 0;
}

static int32_t try_salvage(const char *path, imgret_salvage_report *report, imgret_error *error)
{
    imgret_salvage_options options = {
        .size = sizeof options, .busy_timeout_ms = 200, .on_loss = count_loss};
    *report = (imgret_salvage_report){.size = sizeof *report};
    told = 0;
    int32_t status = imgret_salvage(path, &options, report, error);
    assert_int_equal(report->loss_count, told);
    return status;
}

static void salvage(const char *path, imgret_salvage_report *report)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (try_salvage(path, report, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
}

typedef struct tally {
    uint32_t whole, without_record, lost, missing;
} tally;

/* Holds every image against what it was; none may be another one. */
static tally compare(imgret *db)
{
    tally t = {0};
    for (int64_t id = 1; id <= TOTAL; id++) {
        imgret_records *records;
        uint32_t seed = (uint32_t)id - 1;
        int32_t status = imgret_get(&records, db, id, NULL);
        const imgret_record *record = status ? NULL : imgret_records_at(records, 0);
        bool removed = id == GONE || id == COUNT + GONE;
        char uri[64], metadata[32];
        snprintf(uri, sizeof uri, "a picture of some longer name, %05u", seed);
        snprintf(metadata, sizeof metadata, "{\"seed\":%u}", seed);
        if (record && record->uri)
            assert_string_equal(record->uri, uri);
        if (record && record->metadata)
            assert_string_equal(record->metadata, metadata);
        if (removed)
            assert_true(!record || record->state == IMGRET_STATE_FAILED);
        else if (!record)
            t.missing++;
        else if (record->state == IMGRET_STATE_FAILED)
            t.lost++;
        else if (record->uri && record->metadata)
            t.whole++;
        else
            t.without_record++;
        bool stored = record && record->state == IMGRET_STATE_STORED;
        if (!stored || id % 5 == 0)
            assert_int_equal(find_seed(db, seed), stored ? id : 0);
        imgret_records_free(records);
    }
    return t;
}

/* Opens and repairs what was salvaged, and sees that it is sound. */
static tally open_and_compare(const fixture *f, const imgret_salvage_report *report)
{
    imgret *db = open_vectors(f->path, IMGRET_OPEN_EXISTING, 0);
    assert_non_null(db);
    imgret_repair_report repaired = {.size = sizeof repaired};
    assert_int_equal(imgret_repair(db, NULL, &repaired, NULL), IMGRET_OK);
    assert_int_equal(count_problems(db), 0);
    assert_true(!report->salvaged || report->image_count >= count_images(db));
    tally t = compare(db);
    int64_t id;
    assert_int_equal(try_add(db, 9999, "one more", &id, NULL), IMGRET_OK);
    assert_true(id > TOTAL); /* never one that was given */
    imgret_close(db);
    return t;
}

static bool same_file(const char *a, const char *b)
{
    char command[4096];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
    return system(command) == 0;
}

static void every_page_may_be_lost(void **state)
{
    fixture *f = *state;
    char good[340];
    make_database(f);
    snprintf(good, sizeof good, "%s/catalog.db", f->good);
    long pages = file_bytes(good) / PAGE;
    assert_true(pages > 20);
    uint32_t refused = 0, bare = 0, lost = 0, rounds = 0;
    for (int how = 0; how < DAMAGE_COUNT; how++)
        for (long page = 0; page < pages; page += how == ZEROS ? 1 : (long)round_count(6, 1)) {
            imgret_error error = IMGRET_ERROR_INIT;
            imgret_salvage_report report;
            copy_folder(f->good, f->path);
            spoil(f->catalog, page, (damage)how, (uint64_t)page + 1);
            rounds++;
            int32_t status = try_salvage(f->path, &report, &error);
            if (status) { /* the settings are on one page */
                assert_int_equal(status, IMGRET_CORRUPT);
                assert_non_null(strstr(error.message, "setting"));
                refused++;
                continue;
            }
            tally t = open_and_compare(f, &report);
            if (report.salvaged) {
                char original[420];
                snprintf(original, sizeof original, "%s/%s", f->path, report.original);
                assert_int_equal(file_bytes(original), pages * PAGE);
            }
            bare += t.without_record;
            lost += t.lost;
            /* Never more than a page's worth: inner pages are made anew. */
            assert_true(t.lost <= LEAF_VECTORS && t.without_record <= LEAF_RECORDS);
            assert_int_equal(t.missing, 0); /* each is known from its region, or its uri */
            assert_true(t.whole == TOTAL - 2 || (report.salvaged && told > 0));
        }
    print_message("# %u pages spoiled; refused: %u; images without record: %u, lost: %u\n", rounds,
                  refused, bare, lost);
    assert_true(refused <= DAMAGE_COUNT && bare > 0 && lost > 0);
}

static void many_pages_may_be_lost(void **state)
{
    fixture *f = *state;
    make_database(f);
    long pages = file_bytes(f->catalog) / PAGE;
    uint64_t dice = first_seed();
    uint32_t opened = 0, rounds = round_count(12, 400);
    for (uint32_t i = 0; i < rounds; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_salvage_report report;
        copy_folder(f->good, f->path);
        uint32_t holes = 2 + random_below(&dice, 5);
        for (uint32_t hole = 0; hole < holes; hole++)
            spoil(f->catalog, (long)random_below(&dice, (uint32_t)pages),
                  (damage)random_below(&dice, DAMAGE_COUNT), next_random(&dice));
        if (random_below(&dice, 4) == 0)
            assert_int_equal(
                truncate(f->catalog, (off_t)random_below(&dice, (uint32_t)pages) * PAGE), 0);
        int32_t status = try_salvage(f->path, &report, &error);
        if (status && status != IMGRET_CORRUPT && status != IMGRET_NOT_FOUND)
            fail_msg("round %u: %s", i, error.message);
        if (status)
            continue;
        open_and_compare(f, &report);
        opened++;
    }
    print_message("# %u of %u databases with many damaged pages could be opened again\n", opened,
                  rounds);
    assert_true(opened > rounds / 3);
}

static void nothing_is_done_where_nothing_is_wrong(void **state)
{
    fixture *f = *state;
    imgret_salvage_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    make_database(f);
    salvage(f->path, &report);
    assert_int_equal(report.salvaged, 0);
    assert_int_equal(told, 0);
    assert_int_equal(try_salvage("/nowhere/at/all", &report, &error), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_salvage("", NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    imgret *db = open_vectors(f->path, 0, 0); /* asking is allowed, then, too */
    salvage(f->path, &report);
    assert_int_equal(report.salvaged, 0);
    imgret_close(db);
}

static void who_has_it_open_keeps_it(void **state)
{
    fixture *f = *state;
    imgret_salvage_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    make_database(f);
    imgret *db = open_vectors(f->path, 0, 0);
    spoil(f->catalog, file_bytes(f->catalog) / PAGE - 2, NOISE, 5);
    assert_int_equal(try_salvage(f->path, &report, &error), IMGRET_BUSY);
    assert_non_null(strstr(error.message, "open elsewhere"));
    imgret_close(db);
    salvage(f->path, &report);
    assert_int_equal(report.salvaged, 1);
    open_and_compare(f, &report);
}

static int32_t stop_at_once(void *user, const char *message)
{
    (void)user, (void)message;
    return 1;
}

static void what_is_refused_is_not_changed(void **state)
{
    fixture *f = *state;
    char good[340], command[900];
    imgret_salvage_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_salvage_options stopping = {.size = sizeof stopping, .on_loss = stop_at_once};
    make_database(f);
    snprintf(good, sizeof good, "%s/catalog.db", f->good);
    spoil(f->catalog, 20, ZEROS, 0);
    spoil(good, 20, ZEROS, 0);
    assert_int_equal(imgret_salvage(f->path, &stopping, NULL, &error), IMGRET_INTERRUPTED);
    assert_true(same_file(f->catalog, good));
    /* Another program's database of the same name. */
    remove_folder(f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import sqlite3; db = sqlite3.connect('%s'); "
             "db.execute('CREATE TABLE theirs (x)'); db.commit()\"",
             f->catalog);
    if (system(command) != 0)
        skip_because("there is no Python with sqlite3");
    snprintf(command, sizeof command, "%s/theirs.db", f->folder);
    copy_folder(f->catalog, command);
    assert_int_equal(try_salvage(f->path, &report, &error), IMGRET_CORRUPT);
    assert_non_null(strstr(error.message, "another program's"));
    assert_true(same_file(f->catalog, command));
}

/* A log that nobody copied is read with the file, also when the file's head is lost. */
static void the_log_counts(void **state)
{
    fixture *f = *state;
    imgret_salvage_report report;
    for (int page = 0; page < 30; page += 29) {
        remove_folder(f->path);
        make_database(f);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            open_threads = 1;
            imgret *db = open_vectors(f->path, 0, 0);
            add_images(db, TOTAL, TOTAL + 20);
            _exit(db ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        spoil(f->catalog, page, NOISE, 3);
        salvage(f->path, &report);
        imgret *db = open_vectors(f->path, IMGRET_OPEN_EXISTING, 0);
        assert_non_null(db);
        for (uint32_t i = TOTAL; i < TOTAL + 20; i++)
            assert_int_equal(find_seed(db, i), i + 1);
        assert_int_equal(count_problems(db), 0);
        imgret_close(db);
    }
}

/* Stopped at any moment, the old catalogue is there or the new one. */
static void a_kill_leaves_one_or_the_other(void **state)
{
    fixture *f = *state;
    imgret_salvage_report report;
    make_database(f);
    uint64_t dice = first_seed();
    uint32_t killed = 0, rounds = round_count(6, 100);
    for (uint32_t i = 0; i < rounds; i++) {
        copy_folder(f->good, f->path);
        spoil(f->catalog, 15, ZEROS, 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            imgret_salvage(f->path, NULL, NULL, NULL);
            _exit(0);
        }
        usleep(random_below(&dice, 40000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status) != 0;
        salvage(f->path, &report);
        tally t = open_and_compare(f, &report);
        assert_true(t.whole + t.without_record + t.lost == TOTAL - 2);
        char partial[400];
        snprintf(partial, sizeof partial, "%s/salvage.imgret-partial", f->path);
        assert_true(!report.salvaged || access(partial, F_OK) != 0);
    }
    print_message("# %u of %u salvages were killed\n", killed, rounds);
}

/* One salvage in which something fails, and what is there afterwards; false when nothing failed. */
static bool fail_once(fixture *f, const char *damaged)
{
    imgret_salvage_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = try_salvage(f->path, &report, &error);
    bool failed = watched_vfs_has_failed();
    ir_alloc_fail_after(0);
    watched_vfs_fail(WATCHED_VFS_EIO, 0);
    if (status && !error.message[0])
        fail_msg("status %d without a message", status);
    salvage(f->path, &report);
    tally t = open_and_compare(f, &report);
    assert_int_equal(t.whole + t.without_record + t.lost, TOTAL - 2);
    copy_folder(damaged, f->path);
    return failed || status;
}

static void every_failure_leaves_one_or_the_other(void **state)
{
    fixture *f = *state;
    char damaged[320];
    make_database(f);
    spoil(f->catalog, 15, ZEROS, 0);
    snprintf(damaged, sizeof damaged, "%s/damaged", f->folder);
    copy_folder(f->path, damaged);
    uint64_t stride = round_count(101, 1), runs = 0, failures = 0;
    for (int fault = 0; fault < WATCHED_VFS_FAULT_COUNT; fault++) {
        bool reached = fault != WATCHED_VFS_SHORT; /* it writes through SQLite alone */
        for (uint64_t n = 1; reached; n += stride, runs++) {
            watched_vfs_fail((watched_vfs_fault)fault, n);
            reached = fail_once(f, damaged) || n < 20;
            failures += reached;
        }
    }
    for (uint64_t n = 1, quiet = 0; quiet < 3; n += stride, runs++) {
        ir_alloc_fail_after(n);
        bool failed = fail_once(f, damaged);
        quiet = failed ? 0 : quiet + 1;
        failures += failed;
    }
    print_message("# %llu salvages with a failure each, %llu of them noticed it\n",
                  (unsigned long long)runs, (unsigned long long)failures);
    assert_true(failures > 20);
}

static void pictures_come_back(void **state)
{
    fixture *f = *state;
    char from[320], name[400];
    enum { PICTURES = 60 };
    snprintf(from, sizeof from, "%s/pictures", f->folder);
    mkdir(from, 0777);
    for (uint32_t i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof name, "%s/%02u.ppm", from, i);
        write_stripes(name, 32, i);
    }
    const char *paths[] = {from};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    imgret *db;
    assert_int_equal(imgret_open(&db, f->path, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_ingest(db, &ingest, NULL, NULL), IMGRET_OK);
    imgret_close(db);
    copy_folder(f->path, f->good);
    long pages = file_bytes(f->catalog) / PAGE;
    uint64_t again = 0;
    for (long page = 3; page < pages; page += 2) {
        imgret_salvage_report report;
        imgret_error error = IMGRET_ERROR_INIT;
        copy_folder(f->good, f->path);
        spoil(f->catalog, page, ZEROS, 0);
        if (try_salvage(f->path, &report, &error) != IMGRET_OK)
            continue; /* the settings */
        assert_int_equal(imgret_open(&db, f->path, NULL, NULL), IMGRET_OK);
        imgret_repair_report repaired = {.size = sizeof repaired};
        assert_int_equal(imgret_repair(db, NULL, &repaired, NULL), IMGRET_OK);
        again += repaired.images_extracted;
        assert_int_equal(count_problems(db), 0);
        assert_int_equal(imgret_ingest(db, &ingest, NULL, NULL), IMGRET_OK);
        assert_int_equal(count_images(db), PICTURES); /* none is lost, none is there twice */
        assert_int_equal(count_problems(db), 0);
        imgret_close(db);
    }
    assert_true(again > 0);
}

int main(void)
{
    watched_vfs_install();
    if (access("/dev/shm", W_OK) == 0) /* hundreds of databases: no disk is needed for that */
        setenv("TMPDIR", "/dev/shm", 1);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_page_may_be_lost),
        TEST(many_pages_may_be_lost),
        TEST(nothing_is_done_where_nothing_is_wrong),
        TEST(who_has_it_open_keeps_it),
        TEST(what_is_refused_is_not_changed),
        TEST(the_log_counts),
        TEST(a_kill_leaves_one_or_the_other),
        TEST(every_failure_leaves_one_or_the_other),
        TEST(pictures_come_back),
    };
    return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}
