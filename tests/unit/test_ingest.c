/* test_ingest.c: folders in: outcomes, order, resuming, interrupts, bad files, extraction alone. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <utime.h>

typedef struct fixture {
    char folder[256];
    char pictures[300];
    char path[300];
    imgret *db;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "ingest");
    snprintf(f->pictures, sizeof f->pictures, "%s/pictures", f->folder);
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    mkdir(f->pictures, 0755);
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&f->db, f->path, NULL, &error) != IMGRET_OK)
        print_message("open: %s\n", error.message);
    *state = f;
    return f->db ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static const char *in_folder(const fixture *f, const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", f->pictures, name);
    return path;
}

static void draw_some(const fixture *f, uint32_t count)
{
    char name[32];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "p%04u.ppm", i);
        write_stripes(in_folder(f, name), 64, i);
    }
}

typedef struct seen {
    imgret *db;
    uint32_t count;
    uint32_t by_outcome[8];
    uint32_t stop_after;
    char last_uri[600];
    char message[600];
    int32_t code;
    int out_of_order;
    int not_durable;
} seen;

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    seen *s = user;
    s->count++;
    s->by_outcome[item->outcome]++;
    if (item->outcome == IMGRET_FAILED || item->outcome == IMGRET_SKIPPED) {
        snprintf(s->message, sizeof s->message, "%s", item->message);
        s->code = item->code;
    }
    s->out_of_order |= strcmp(s->last_uri, item->uri) >= 0;
    snprintf(s->last_uri, sizeof s->last_uri, "%s", item->uri);
    if (item->outcome == IMGRET_STORED && s->db) { /* a callback may call back */
        imgret_records *records = NULL;
        s->not_durable |= imgret_get(&records, s->db, item->id, NULL) != IMGRET_OK;
        imgret_records_free(records);
    }
    return s->stop_after && s->count >= s->stop_after;
}

static int32_t ingest(fixture *f, const char *path, seen *s, uint32_t flags,
                      imgret_ingest_progress *report)
{
    imgret_ingest_options options = {
        .size = sizeof options,
        .flags = flags,
        .paths = &path,
        .path_count = 1,
        .on_item = on_item,
        .user = s,
        .commit_count = 7,
    };
    memset(report, 0, sizeof *report);
    report->size = sizeof *report;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_ingest(f->db, &options, report, &error);
    if (status)
        print_message("ingest: %s\n", error.message);
    return status;
}

static void a_folder_goes_in_once(void **state)
{
    fixture *f = *state;
    draw_some(f, 40);
    imgret_ingest_progress report;
    seen first = {.db = f->db};
    assert_int_equal(ingest(f, f->pictures, &first, 0, &report), IMGRET_OK);
    assert_int_equal(report.stored_count, 40);
    assert_int_equal(report.file_count, 40);
    assert_int_equal(report.listing_done, 1);
    assert_int_equal(first.by_outcome[IMGRET_STORED], 40);
    assert_false(first.out_of_order);
    assert_false(first.not_durable);
    seen again = {0};
    assert_int_equal(ingest(f, f->pictures, &again, 0, &report), IMGRET_OK);
    assert_int_equal(report.unchanged_count, 40);
    assert_int_equal(report.bytes_read, 0);
    imgret_results *results;
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = in_folder(f, "p0007.ppm")};
    assert_int_equal(imgret_query(&results, f->db, &input, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 10);
    assert_non_null(strstr(imgret_results_at(results, 0)->uri, "p0007.ppm"));
    assert_true(fabs(imgret_results_at(results, 0)->score - 1) < 1e-3);
    assert_int_equal(imgret_results_at(results, 0)->width, 64);
    imgret_results_free(results);
}

static void changed_touched_and_new_files_are_told_apart(void **state)
{
    fixture *f = *state;
    draw_some(f, 5);
    imgret_ingest_progress report;
    seen s = {0};
    assert_int_equal(ingest(f, f->pictures, &s, 0, &report), IMGRET_OK);
    write_stripes(in_folder(f, "p0001.ppm"), 64, 77);
    struct utimbuf later = {.actime = 2000000000, .modtime = 2000000000};
    utime(in_folder(f, "p0002.ppm"), &later);
    write_stripes(in_folder(f, "p0009.ppm"), 32, 9);
    seen again = {0};
    assert_int_equal(ingest(f, f->pictures, &again, 0, &report), IMGRET_OK);
    assert_int_equal(report.replaced_count, 1);
    assert_int_equal(report.stored_count, 1);
    assert_int_equal(report.unchanged_count, 4);
    seen third = {0};
    assert_int_equal(ingest(f, f->pictures, &third, 0, &report), IMGRET_OK);
    assert_int_equal(report.unchanged_count, 6);
    assert_int_equal(report.bytes_read, 0); /* the touched file's new time was noted */
}

static void bad_files_never_stop_a_run(void **state)
{
    fixture *f = *state;
    draw_some(f, 3);
    write_text(in_folder(f, "a.jpg"), "no picture at all");
    write_text(in_folder(f, "b.txt"), "some notes");
    write_text(in_folder(f, "c.ppm"), "P6\n64 64\n255\ncut short");
    write_text(in_folder(f, ".hidden.ppm"), "P6\n64 64\n255\ncut short");
    write_text(in_folder(f, "empty.png"), "");
    mkfifo(in_folder(f, "pipe.jpg"), 0600);
    assert_int_equal(symlink("/nowhere", in_folder(f, "dangling.jpg")), 0);
    imgret_ingest_progress report;
    seen s = {0};
    assert_int_equal(ingest(f, f->pictures, &s, 0, &report), IMGRET_OK);
    assert_int_equal(report.stored_count, 3);
    assert_int_equal(report.failed_count, 3);
    assert_int_equal(report.skipped_count, 1);
    seen again = {0};
    assert_int_equal(ingest(f, f->pictures, &again, 0, &report), IMGRET_OK);
    assert_int_equal(report.known_bad_count, 3);
    assert_int_equal(report.unchanged_count, 3);
    seen retried = {0};
    assert_int_equal(ingest(f, f->pictures, &retried, IMGRET_INGEST_RETRY_FAILED, &report),
                     IMGRET_OK);
    assert_int_equal(report.failed_count, 3);
    write_stripes(in_folder(f, "c.ppm"), 64, 3);
    seen mended = {0};
    assert_int_equal(ingest(f, f->pictures, &mended, 0, &report), IMGRET_OK);
    assert_int_equal(report.stored_count, 1);
    imgret_list_options failed = {.size = sizeof failed, .state = IMGRET_STATE_FAILED};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, f->db, &failed, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 2);
    assert_true(strlen(imgret_records_at(records, 0)->failure) > 0);
    assert_int_equal(imgret_records_at(records, 0)->failure_code, IMGRET_BAD_IMAGE);
    imgret_records_free(records);
}

static void a_stored_picture_that_goes_bad_is_found_no_more(void **state)
{
    fixture *f = *state;
    draw_some(f, 2);
    imgret_ingest_progress report;
    seen s = {0};
    assert_int_equal(ingest(f, f->pictures, &s, 0, &report), IMGRET_OK);
    write_text(in_folder(f, "p0000.ppm"), "P6\n64 64\n255\nruined");
    seen again = {0};
    assert_int_equal(ingest(f, f->pictures, &again, 0, &report), IMGRET_OK);
    assert_int_equal(report.failed_count, 1);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, 1);
    assert_int_equal(stats.failed_count, 1);
    assert_int_equal(stats.vector_count, 1);
    uint64_t problems;
    assert_int_equal(imgret_check(f->db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void given_files_that_are_missing_are_named(void **state)
{
    fixture *f = *state;
    draw_some(f, 2);
    char first[600], missing[600];
    snprintf(first, sizeof first, "%s", in_folder(f, "p0000.ppm"));
    snprintf(missing, sizeof missing, "%s", in_folder(f, "missing.jpg"));
    const char *paths[] = {missing, first};
    seen s = {0};
    imgret_ingest_options options = {
        .size = sizeof options, .paths = paths, .path_count = 2, .on_item = on_item, .user = &s};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_ingest(f->db, &options, NULL, &error), IMGRET_NOT_FOUND);
    assert_int_equal(s.by_outcome[IMGRET_STORED], 1);
    assert_int_equal(s.by_outcome[IMGRET_FAILED], 1);
    assert_non_null(strstr(s.message, "missing.jpg"));
}

static void a_host_can_stop_and_go_on(void **state)
{
    fixture *f = *state;
    draw_some(f, 60);
    imgret_ingest_progress report;
    seen s = {.stop_after = 20, .db = f->db};
    assert_int_equal(ingest(f, f->pictures, &s, 0, &report), IMGRET_INTERRUPTED);
    assert_int_equal(s.count, 20);
    seen rest = {0};
    assert_int_equal(ingest(f, f->pictures, &rest, 0, &report), IMGRET_OK);
    assert_true(report.unchanged_count >= 20);
    assert_int_equal(report.unchanged_count + report.stored_count, 60);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, 60);
}

static int32_t interrupt_from_within(void *user, const imgret_ingest_item *item)
{
    (void)item;
    imgret_interrupt(user);
    return 0;
}

static void an_interrupt_stops_this_run_and_no_later_one(void **state)
{
    fixture *f = *state;
    draw_some(f, 100);
    const char *path = f->pictures;
    imgret_ingest_options options = {.size = sizeof options,
                                     .paths = &path,
                                     .path_count = 1,
                                     .on_item = interrupt_from_within,
                                     .user = f->db,
                                     .commit_count = 3};
    imgret_ingest_progress report = {.size = sizeof report};
    assert_int_equal(imgret_ingest(f->db, &options, &report, NULL), IMGRET_INTERRUPTED);
    assert_true(report.stored_count >= 3 && report.stored_count < 100);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, report.stored_count);
    options.on_item = NULL;
    assert_int_equal(imgret_ingest(f->db, &options, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, 100);
}

static void folders_are_entered_and_the_database_is_not(void **state)
{
    fixture *f = *state;
    mkdir(in_folder(f, "deep"), 0755);
    mkdir(in_folder(f, "deep/er"), 0755);
    write_stripes(in_folder(f, "deep/er/x.ppm"), 32, 1);
    write_stripes(in_folder(f, "top.ppm"), 32, 2);
    assert_int_equal(symlink("..", in_folder(f, "deep/loop")), 0);
    imgret_ingest_progress report;
    seen s = {0};
    assert_int_equal(ingest(f, f->folder, &s, 0, &report), IMGRET_OK); /* holds db.imgret too */
    assert_int_equal(report.file_count, 2);
    assert_int_equal(report.stored_count, 2);
    seen flat = {0};
    assert_int_equal(ingest(f, f->pictures, &flat, IMGRET_INGEST_NO_RECURSION, &report), IMGRET_OK);
    assert_int_equal(report.file_count, 1);
}

static void adding_one_by_one_equals_ingesting(void **state)
{
    fixture *f = *state;
    draw_some(f, 3);
    imgret_ingest_progress report;
    seen s = {0};
    assert_int_equal(ingest(f, f->pictures, &s, 0, &report), IMGRET_OK);
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = in_folder(f, "p0001.ppm")};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(f->db, &input, NULL, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_UNCHANGED);
    uint8_t rgb[3 * 64 * 64];
    draw_stripes(rgb, 64, 1);
    imgret_input pixels = {.size = sizeof pixels,
                           .kind = IMGRET_INPUT_PIXELS,
                           .data = rgb,
                           .data_bytes = sizeof rgb,
                           .width = 64,
                           .height = 64};
    int64_t file_id = result.id;
    assert_int_equal(imgret_add(f->db, &pixels, NULL, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_STORED);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    float *a = malloc(stats.dimension * sizeof *a), *b = malloc(stats.dimension * sizeof *b);
    assert_int_equal(imgret_get_vector(f->db, file_id, a, stats.dimension, NULL), IMGRET_OK);
    assert_int_equal(imgret_get_vector(f->db, result.id, b, stats.dimension, NULL), IMGRET_OK);
    assert_memory_equal(a, b, stats.dimension * sizeof *a);
    free(a);
    free(b);
}

static void extraction_works_alone(void **state)
{
    fixture *f = *state;
    draw_some(f, 1);
    imgret_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_extractor_open(&extractor, "classic", NULL, &error), IMGRET_OK);
    imgret_extractor_info info = {.size = sizeof info};
    assert_int_equal(imgret_extractor_get_info(extractor, &info, NULL), IMGRET_OK);
    assert_string_equal(info.backend, "classic");
    imgret_input inputs[70];
    for (uint32_t i = 0; i < 70; i++)
        inputs[i] = (imgret_input){
            .size = sizeof inputs[i],
            .kind = i == 41 ? IMGRET_INPUT_BYTES : IMGRET_INPUT_FILE,
            .path = in_folder(f, "p0000.ppm"),
            .data = "junk",
            .data_bytes = 4,
        };
    uint64_t floats = (uint64_t)70 * info.dimension;
    float *rows = malloc(floats * sizeof *rows);
    int32_t statuses[70];
    assert_int_equal(imgret_extract(extractor, inputs, 70, rows, floats, statuses, &error),
                     IMGRET_OK);
    for (uint32_t i = 0; i < 70; i++) {
        double norm = 0;
        for (uint32_t j = 0; j < info.dimension; j++)
            norm += (double)rows[i * info.dimension + j] * rows[i * info.dimension + j];
        assert_true(i == 41 ? norm == 0 : fabs(norm - 1) < 1e-5);
        assert_int_equal(statuses[i], i == 41 ? IMGRET_BAD_IMAGE : IMGRET_OK);
    }
    assert_int_equal(imgret_extract(extractor, inputs, 70, rows, floats, NULL, &error),
                     IMGRET_BAD_IMAGE);
    assert_non_null(strstr(error.message, "41"));
    assert_int_equal(imgret_extract(extractor, inputs, 70, rows, 5, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    free(rows);
    imgret_extractor_close(extractor);
    assert_int_equal(imgret_extractor_open(&extractor, "vectors:5", NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_goes_in_once),
        TEST(changed_touched_and_new_files_are_told_apart),
        TEST(bad_files_never_stop_a_run),
        TEST(a_stored_picture_that_goes_bad_is_found_no_more),
        TEST(given_files_that_are_missing_are_named),
        TEST(a_host_can_stop_and_go_on),
        TEST(an_interrupt_stops_this_run_and_no_later_one),
        TEST(folders_are_entered_and_the_database_is_not),
        TEST(adding_one_by_one_equals_ingesting),
        TEST(extraction_works_alone),
    };
    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
