/* test_sync.c: IMGRET_INGEST_SYNC: new, changed, moved and gone files; what is refused; what fails. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>

enum { PICTURES = 6 };

typedef struct fixture {
    char folder[256];
    char pictures[300];
    char path[300];
    imgret *db;
} fixture;

static void path_of(const fixture *f, const char *name, char out[400])
{
    snprintf(out, 400, "%s/%s", f->pictures, name);
}

static void draw(const fixture *f, const char *name, uint32_t seed)
{
    char path[400];
    path_of(f, name, path);
    write_stripes(path, 40, seed);
}

static void rename_picture(const fixture *f, const char *from, const char *to)
{
    char old[400], fresh[400];
    path_of(f, from, old);
    path_of(f, to, fresh);
    assert_int_equal(rename(old, fresh), 0);
}

static void delete_picture(const fixture *f, const char *name)
{
    char path[400];
    path_of(f, name, path);
    assert_int_equal(unlink(path), 0);
}

static int32_t sync_folder(const fixture *f, uint32_t flags, imgret_ingest_item_fn on_item,
                           imgret_ingest_progress *report, imgret_error *error)
{
    const char *paths[] = {f->pictures};
    const imgret_ingest_options options = {.size = sizeof options,
                                           .flags = IMGRET_INGEST_SYNC | flags,
                                           .paths = paths,
                                           .path_count = 1,
                                           .on_item = on_item};
    *report = (imgret_ingest_progress){.size = sizeof *report};
    return imgret_ingest(f->db, &options, report, error);
}

static imgret_ingest_progress synced(const fixture *f)
{
    imgret_ingest_progress report;
    imgret_error error = IMGRET_ERROR_INIT;
    if (sync_folder(f, 0, NULL, &report, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return report;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "sync");
    snprintf(f->pictures, sizeof f->pictures, "%s/pictures", f->folder);
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    mkdir(f->pictures, 0777);
    *state = f;
    for (uint32_t i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.ppm", i);
        draw(f, name, 10 + i);
    }
    const imgret_open_options options = {.size = sizeof options, .threads = 2};
    if (imgret_open(&f->db, f->path, &options, NULL) != IMGRET_OK)
        return -1;
    return synced(f).stored_count == PICTURES ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

/* The id of a file's picture; 0: it is not in the database. */
static int64_t id_of(const fixture *f, const char *name)
{
    char path[400];
    imgret_records *records;
    path_of(f, name, path);
    const imgret_list_options list = {.size = sizeof list, .uri = path, .limit = 1};
    assert_int_equal(imgret_list(&records, f->db, &list, NULL), IMGRET_OK);
    const imgret_record *record = imgret_records_at(records, 0);
    int64_t id = record ? record->id : 0;
    imgret_records_free(records);
    return id;
}

static uint64_t image_count(const fixture *f)
{
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    return stats.image_count;
}

static void a_folder_is_followed(void **state)
{
    fixture *f = *state;
    int64_t moved = id_of(f, "0.ppm"), changed = id_of(f, "1.ppm"), same = id_of(f, "5.ppm");
    assert_int_equal(imgret_set_label(f->db, moved, "mine", 1, NULL), IMGRET_OK);
    rename_picture(f, "0.ppm", "moved.ppm");
    draw(f, "1.ppm", 99);
    delete_picture(f, "2.ppm");
    draw(f, "new.ppm", 77);
    imgret_ingest_progress report = synced(f);
    assert_int_equal(report.moved_count, 1);
    assert_int_equal(report.removed_count, 1);
    assert_int_equal(report.stored_count, 1);
    assert_int_equal(report.replaced_count, 1);
    assert_int_equal(id_of(f, "moved.ppm"), moved);
    assert_int_equal(id_of(f, "1.ppm"), changed);
    assert_int_equal(id_of(f, "5.ppm"), same);
    assert_int_equal(id_of(f, "0.ppm"), 0);
    assert_int_equal(id_of(f, "2.ppm"), 0);
    uint64_t labelled;
    const imgret_count_options mine = {.size = sizeof mine, .where = "label = 'mine'"};
    assert_int_equal(imgret_count(&labelled, f->db, &mine, NULL), IMGRET_OK);
    assert_int_equal(labelled, 1);
    report = synced(f);
    assert_int_equal(report.unchanged_count, PICTURES);
    assert_int_equal(report.moved_count + report.removed_count + report.stored_count, 0);
}

static void copies_are_told_from_moves(void **state)
{
    fixture *f = *state;
    int64_t first = id_of(f, "0.ppm");
    draw(f, "copy.ppm", 10); /* what 0.ppm is */
    assert_int_equal(synced(f).moved_count, 0);
    assert_int_equal(id_of(f, "0.ppm"), first);
    delete_picture(f, "0.ppm"); /* its copy has a picture of its own */
    imgret_ingest_progress report = synced(f);
    assert_int_equal(report.moved_count, 0);
    assert_int_equal(report.removed_count, 1);
    assert_int_equal(image_count(f), PICTURES);
}

static void a_missing_disk_removes_nothing(void **state)
{
    fixture *f = *state;
    char away[400];
    imgret_ingest_progress report;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(away, sizeof away, "%s/away", f->folder);
    assert_int_equal(rename(f->pictures, away), 0);
    assert_int_equal(sync_folder(f, 0, NULL, &report, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "pictures"));
    mkdir(f->pictures, 0777); /* mounted nowhere */
    assert_int_equal(sync_folder(f, 0, NULL, &report, &error), IMGRET_NOT_FOUND);
    assert_int_equal(image_count(f), PICTURES);
    assert_int_equal(sync_folder(f, IMGRET_INGEST_FORCE, NULL, &report, &error), IMGRET_OK);
    assert_int_equal(report.removed_count, PICTURES);
    assert_int_equal(image_count(f), 0);
    const char *paths[] = {f->pictures};
    const imgret_ingest_options alone = {
        .size = sizeof alone, .flags = IMGRET_INGEST_FORCE, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_ingest(f->db, &alone, NULL, NULL), IMGRET_INVALID_ARGUMENT);
}

static int32_t stop_at_once(void *user, const imgret_ingest_item *item)
{
    (void)user, (void)item;
    return 1;
}

static void a_stopped_call_removed_nothing_that_is_there(void **state)
{
    fixture *f = *state;
    imgret_ingest_progress report;
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t moved = id_of(f, "0.ppm");
    rename_picture(f, "0.ppm", "moved.ppm");
    delete_picture(f, "3.ppm");
    assert_int_equal(sync_folder(f, 0, stop_at_once, &report, &error), IMGRET_INTERRUPTED);
    assert_true(image_count(f) >= PICTURES - 1);
    synced(f);
    assert_int_equal(id_of(f, "moved.ppm"), moved);
    assert_int_equal(image_count(f), PICTURES - 1);
}

static void any_allocation_may_fail(void **state)
{
    fixture *f = *state;
    uint32_t failures = 0;
    for (uint64_t n = 1;; n += n < 100 ? 1 : 7) {
        char from[16], to[16];
        imgret_ingest_progress report;
        imgret_error error = IMGRET_ERROR_INIT;
        snprintf(from, sizeof from, "%llu", (unsigned long long)n);
        snprintf(to, sizeof to, "%llu m", (unsigned long long)n);
        draw(f, from, 1000 + (uint32_t)n);
        synced(f);
        int64_t id = id_of(f, from);
        rename_picture(f, from, to);
        delete_picture(f, "4.ppm");
        ir_alloc_fail_after(n);
        int32_t status = sync_folder(f, 0, NULL, &report, &error);
        ir_alloc_fail_after(0);
        failures += status != IMGRET_OK;
        assert_true(status == IMGRET_OK || error.message[0]);
        synced(f); /* takes up what was left */
        assert_int_equal(id_of(f, to), id);
        assert_int_equal(id_of(f, "4.ppm"), 0);
        assert_int_equal(image_count(f), PICTURES);
        delete_picture(f, to);
        draw(f, "4.ppm", 14);
        if (status == IMGRET_OK && n > 100)
            break;
    }
    assert_true(failures > 20);
    assert_int_equal(imgret_check(f->db, NULL, NULL, NULL, NULL), IMGRET_OK);
}

#define sync_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        sync_test(a_folder_is_followed),
        sync_test(copies_are_told_from_moves),
        sync_test(a_missing_disk_removes_nothing),
        sync_test(a_stopped_call_removed_nothing_that_is_there),
        sync_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
