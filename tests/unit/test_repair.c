/* test_repair.c: a damaged segment: the database opens, answers are right or refused, repair mends. */
#include "vectors.h"

#include "base/alloc.h"

#include <dirent.h>
#include <math.h>

enum { COUNT = 400, PAGE = 4096 };

typedef struct fixture {
    char folder[256];
    char path[300];
    char good[300]; /* a copy of the segment */
    imgret *db;
} fixture;

static void optimize(imgret *db)
{
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &options, NULL), IMGRET_OK);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "repair");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void make_database(fixture *f)
{
    char uri[32];
    f->db = open_vectors(f->path, 0, 0);
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(uri, sizeof uri, "u%u", i);
        assert_int_equal(try_add(f->db, i, uri, NULL, NULL), IMGRET_OK);
    }
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_metadata(f->db, 5, "{\"kept\":1}", NULL), IMGRET_OK);
    optimize(f->db);
    for (uint32_t i = COUNT; i < COUNT + 20; i++) /* beside it, in memory */
        assert_int_equal(try_add(f->db, i, NULL, NULL, NULL), IMGRET_OK);
    imgret_close(f->db);
    f->db = NULL;
}

/* The one segment file of the database. */
static void find_segment(const fixture *f, char *out, size_t capacity)
{
    char folder[320];
    snprintf(folder, sizeof folder, "%s/segments", f->path);
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    int found = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)))
        if (strstr(entry->d_name, ".seg")) {
            snprintf(out, capacity, "%s/%s", folder, entry->d_name);
            found++;
        }
    closedir(stream);
    assert_int_equal(found, 1);
}

static long file_bytes(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (long)info.st_size;
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 0x10, file);
    assert_int_equal(fclose(file), 0);
}

static int64_t failed_count(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    return (int64_t)stats.failed_count;
}

/* Right, or refused: never a wrong or a shorter answer. */
static void assert_honest(imgret *db, uint32_t seed)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = try_query(&results, db, seed, 1, &error);
    if (status == IMGRET_OK) {
        assert_int_equal(imgret_results_count(results), 1);
        assert_int_equal(imgret_results_at(results, 0)->id, seed + 1);
    } else {
        assert_int_equal(status, IMGRET_CORRUPT);
        assert_non_null(strstr(error.message, ".seg"));
    }
    imgret_results_free(results);
}

typedef struct losses {
    uint64_t count, restored;
    int64_t ids[COUNT];
} losses;

static int32_t note_loss(void *user, const imgret_ingest_item *item)
{
    losses *l = user;
    assert_true(l->count < COUNT);
    l->restored += item->outcome == IMGRET_STORED;
    l->ids[l->count++] = item->id;
    assert_true(item->message[0] != '\0');
    return 0;
}

static void repair(imgret *db, losses *l, imgret_repair_report *report)
{
    *l = (losses){0};
    *report = (imgret_repair_report){.size = sizeof *report};
    imgret_repair_options options = {.size = sizeof options, .on_item = note_loss, .user = l};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_repair(db, &options, report, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
}

static bool is_lost(const losses *l, int64_t id)
{
    for (uint64_t i = 0; i < l->count; i++)
        if (l->ids[i] == id)
            return true;
    return false;
}

/* Repairs and sees that all that is not reported as lost is as it was. */
static void assert_mended(fixture *f, uint64_t lost_max)
{
    losses l;
    imgret_repair_report report;
    repair(f->db, &l, &report);
    assert_int_equal(report.segments_rebuilt, 1);
    assert_true(report.images_lost <= lost_max);
    assert_int_equal(report.images_lost, l.count);
    assert_int_equal(report.vectors_kept + report.images_lost, COUNT);
    assert_int_equal(failed_count(f->db), l.count);
    assert_int_equal(count_problems(f->db), 0);
    for (uint32_t i = 0; i < COUNT + 20; i += 3)
        assert_int_equal(find_seed(f->db, i), is_lost(&l, i + 1) ? 0 : i + 1);
    repair(f->db, &l, &report);
    assert_int_equal(report.segments_rebuilt, 0); /* nothing is left to do */
}

static void every_damaged_page_is_mended(void **state)
{
    fixture *f = *state;
    char segment[640], backup[300], command[1400];
    make_database(f);
    snprintf(backup, sizeof backup, "%s/good", f->folder);
    snprintf(command, sizeof command, "cp -r %s %s", f->path, backup);
    assert_int_equal(system(command), 0);
    find_segment(f, segment, sizeof segment);
    long pages = file_bytes(segment) / PAGE;
    for (long page = 0; page < pages; page++) {
        flip(segment, page * PAGE + 40);
        f->db = open_vectors(f->path, 0, 0);
        assert_non_null(f->db);
        for (uint32_t i = 0; i < COUNT; i += 40)
            assert_honest(f->db, i);
        imgret_list_options list = {.size = sizeof list, .limit = 1000};
        imgret_records *records; /* what needs no vector goes on */
        assert_int_equal(imgret_list(&records, f->db, &list, NULL), IMGRET_OK);
        assert_int_equal(imgret_records_count(records), COUNT + 20);
        imgret_records_free(records);
        assert_true(count_problems(f->db) > 0);
        /* The header, the table of checks and the ids are what the vectors are read by. */
        bool vital = page == 0 || page >= pages - 1;
        assert_mended(f, vital ? COUNT : PAGE / (2 * DIMENSION));
        imgret_close(f->db);
        f->db = NULL;
        snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", f->path, backup, f->path);
        assert_int_equal(system(command), 0);
    }
}

static void a_missing_file_is_mended_by_adding_again(void **state)
{
    fixture *f = *state;
    char segment[640];
    make_database(f);
    find_segment(f, segment, sizeof segment);
    unlink(segment);
    imgret *reader = open_vectors(f->path, IMGRET_OPEN_READ_ONLY, 0);
    assert_honest(reader, 3);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_repair(reader, NULL, NULL, &error), IMGRET_READ_ONLY);
    f->db = open_vectors(f->path, 0, 0);
    assert_int_equal(try_add(f->db, 7000, "new", NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(f->db, 2, NULL), IMGRET_OK);
    imgret_optimize_options all = {.size = sizeof all, .flags = IMGRET_OPTIMIZE_FORCE};
    int32_t status = imgret_optimize(f->db, &all, &error); /* it drops nothing unread */
    assert_true(status == IMGRET_CORRUPT || status == IMGRET_NOT_FOUND);
    losses l;
    imgret_repair_report report;
    repair(f->db, &l, &report);
    assert_int_equal(report.images_lost, COUNT - 1);
    assert_int_equal(report.vectors_kept, 0);
    assert_int_equal(count_problems(f->db), 0);
    imgret_records *records;
    assert_int_equal(imgret_get(&records, f->db, 5, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_at(records, 0)->state, IMGRET_STATE_FAILED);
    assert_int_equal(imgret_records_at(records, 0)->failure_code, IMGRET_CORRUPT);
    assert_string_equal(imgret_records_at(records, 0)->metadata, "{\"kept\":1}");
    imgret_records_free(records);
    int64_t id;
    assert_int_equal(try_add(f->db, 4, "u4", &id, NULL), IMGRET_OK);
    assert_int_equal(id, 5); /* as what it was */
    assert_int_equal(find_seed(f->db, 4), 5);
    assert_int_equal(find_seed(f->db, 7000), COUNT + 21);
    assert_int_equal(find_seed(reader, 4), 5); /* who has it open follows */
    imgret_close(reader);
    assert_int_equal(count_problems(f->db), 0);
}

static void pictures_are_extracted_again(void **state)
{
    fixture *f = *state;
    char from[320], name[400], segment[640];
    snprintf(from, sizeof from, "%s/pictures", f->folder);
    mkdir(from, 0777);
    for (uint32_t i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%s/%02u.ppm", from, i);
        write_stripes(name, 32, i);
    }
    const char *paths[] = {from};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_open(&f->db, f->path, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_ingest(f->db, &ingest, NULL, NULL), IMGRET_OK);
    float before[492], after[492];
    assert_int_equal(imgret_get_vector(f->db, 3, before, 492, NULL), IMGRET_OK);
    optimize(f->db);
    imgret_close(f->db);
    find_segment(f, segment, sizeof segment);
    flip(segment, 3);
    unlink(name); /* the last one's picture is gone */
    assert_int_equal(imgret_open(&f->db, f->path, NULL, NULL), IMGRET_OK);
    losses l;
    imgret_repair_report report;
    repair(f->db, &l, &report);
    assert_int_equal(l.count, 20);
    assert_int_equal(l.restored, 19);
    assert_int_equal(report.images_extracted, 19);
    assert_int_equal(report.images_lost, 1);
    assert_int_equal(imgret_get_vector(f->db, 3, after, 492, NULL), IMGRET_OK);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(count_problems(f->db), 0);
    imgret_records *records;
    assert_int_equal(imgret_get(&records, f->db, 3, NULL), IMGRET_OK);
    assert_non_null(imgret_records_at(records, 0)->attributes);
    imgret_records_free(records);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_damaged_page_is_mended),
        TEST(a_missing_file_is_mended_by_adding_again),
        TEST(pictures_are_extracted_again),
    };
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
