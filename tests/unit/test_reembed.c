/* test_reembed.c: moving a database to another model: at once, resumable, and nobody is lied to. */
#include "vectors.h"

#include "base/alloc.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

enum { PICTURES = 70 };

typedef struct fixture {
    char folder[256];
    char path[300];
    char pictures[300];
    imgret *db;
} fixture;

static imgret *open_database(const char *path, imgret_error *error)
{
    imgret_open_options options = {
        .size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS, .threads = open_threads};
    imgret *db;
    imgret_open(&db, path, &options, error);
    return db;
}

static void picture_name(const fixture *f, uint32_t i, char out[400])
{
    snprintf(out, 400, "%s/%03u.ppm", f->pictures, i);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char name[400];
    make_folder(f->folder, "reembed");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->pictures, sizeof f->pictures, "%s/pictures", f->folder);
    mkdir(f->pictures, 0777);
    for (uint32_t i = 0; i < PICTURES; i++) {
        picture_name(f, i, name);
        write_stripes(name, 24, i);
    }
    const char *paths[] = {f->pictures};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    f->db = open_database(f->path, NULL);
    *state = f;
    return f->db && imgret_ingest(f->db, &ingest, NULL, NULL) == IMGRET_OK ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static uint32_t dimension_of(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    return imgret_get_stats(db, &stats, NULL) == IMGRET_OK ? stats.dimension : 0;
}

static int32_t query_id(imgret *db, int64_t id, imgret_error *error)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = id};
    imgret_results *results;
    int32_t status = imgret_query(&results, db, &input, NULL, error);
    imgret_results_free(results);
    return status;
}

typedef struct watch {
    fixture *f;
    uint64_t calls, missing, stop_at;
    bool kill_self;
    int32_t asked; /* status of a query with the old model meanwhile */
} watch;

static int32_t on_progress(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;
    w->calls++;
    assert_true(done <= total);
    w->asked = w->asked ? w->asked : query_id(w->f->db, 1, NULL);
    if (w->kill_self && w->calls == w->stop_at)
        kill(getpid(), SIGKILL);
    return w->stop_at && w->calls == w->stop_at;
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    watch *w = user;
    w->missing++;
    return item->outcome != IMGRET_FAILED || !item->message[0];
}

static int32_t reembed(fixture *f, const char *model, uint32_t flags, watch *w,
                       imgret_reembed_report *report, imgret_error *error)
{
    *report = (imgret_reembed_report){.size = sizeof *report};
    w->f = f;
    imgret_reembed_options options = {.size = sizeof options,
                                      .flags = flags,
                                      .model = model,
                                      .on_item = on_item,
                                      .on_progress = on_progress,
                                      .user = w};
    return imgret_reembed(f->db, &options, report, error);
}

/* The database as a fresh one made with the model would be. */
static void assert_like_new(fixture *f, imgret *db, const char *model)
{
    char path[320];
    snprintf(path, sizeof path, "%s/fresh.imgret", f->folder);
    imgret_open_options options = {
        .size = sizeof options, .model = model, .plugin_path = IMGRET_TEST_PLUGINS};
    imgret *fresh;
    assert_int_equal(imgret_open(&fresh, path, &options, NULL), IMGRET_OK);
    const char *paths[] = {f->pictures};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_ingest(fresh, &ingest, NULL, NULL), IMGRET_OK);
    uint32_t dimension = dimension_of(fresh);
    assert_int_equal(dimension_of(db), dimension);
    float a[1024], b[1024];
    for (int64_t id = 1; id <= PICTURES; id++) {
        assert_int_equal(imgret_get_vector(fresh, id, a, dimension, NULL), IMGRET_OK);
        assert_int_equal(imgret_get_vector(db, id, b, dimension, NULL), IMGRET_OK);
        for (uint32_t i = 0; i < dimension; i++)
            assert_true(fabsf(a[i] - b[i]) < 0.6f); /* "fake" tells the size of its batch */
        assert_true(a[0] == b[0] || dimension == 4);
    }
    imgret_close(fresh);
    remove_folder(path);
}

static void all_move_at_once(void **state)
{
    fixture *f = *state;
    watch w = {0};
    imgret_reembed_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *other = open_database(f->path, NULL);
    assert_int_equal(imgret_set_metadata(f->db, 3, "{\"a\":1}", NULL), IMGRET_OK);
    if (reembed(f, "fake", 0, &w, &report, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_int_equal(report.embedded_count, PICTURES);
    assert_int_equal(w.asked, IMGRET_OK); /* the old model answered meanwhile */
    assert_true(w.calls >= 3);
    assert_int_equal(query_id(f->db, 1, &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "open it again"));
    assert_int_equal(query_id(other, 1, NULL), IMGRET_MISMATCH);
    assert_int_equal(imgret_remove(other, 1, NULL), IMGRET_MISMATCH);
    imgret_close(other);
    imgret_close(f->db);
    f->db = open_database(f->path, NULL);
    assert_non_null(f->db);
    assert_like_new(f, f->db, "fake");
    assert_int_equal(count_problems(f->db), 0);
    assert_int_equal(query_id(f->db, 1, NULL), IMGRET_OK);
    imgret_records *records;
    assert_int_equal(imgret_get(&records, f->db, 3, NULL), IMGRET_OK);
    assert_string_equal(imgret_records_at(records, 0)->metadata, "{\"a\":1}");
    imgret_records_free(records);
    char rest[400];
    snprintf(rest, sizeof rest, "%s/reembed.imgret-partial", f->path);
    assert_int_not_equal(access(rest, F_OK), 0);
    w = (watch){0}; /* the model that it has: nothing to do */
    assert_int_equal(reembed(f, "fake", 0, &w, &report, NULL), IMGRET_OK);
    assert_int_equal(report.embedded_count, 0);
    assert_int_equal(reembed(f, "classic", 0, &w, &report, NULL), IMGRET_OK); /* and back */
    imgret_close(f->db);
    f->db = open_database(f->path, NULL);
    assert_like_new(f, f->db, "classic");
}

static void a_stop_or_a_kill_loses_little(void **state)
{
    fixture *f = *state;
    imgret_reembed_report report;
    watch w = {.stop_at = 2};
    assert_int_equal(reembed(f, "fake", 0, &w, &report, NULL), IMGRET_INTERRUPTED);
    assert_int_equal(report.embedded_count, 32);
    assert_int_equal(query_id(f->db, 1, NULL), IMGRET_OK); /* nothing changed */
    assert_int_equal(count_problems(f->db), 0);
    imgret_close(f->db);
    f->db = NULL;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_threads = 1;
        f->db = open_database(f->path, NULL);
        w = (watch){.stop_at = 2, .kill_self = true};
        reembed(f, "fake", 0, &w, &report, NULL);
        _exit(1);
    }
    int ended;
    waitpid(child, &ended, 0);
    assert_true(WIFSIGNALED(ended));
    f->db = open_database(f->path, NULL);
    assert_int_equal(query_id(f->db, 1, NULL), IMGRET_OK);
    w = (watch){0};
    assert_int_equal(reembed(f, "fake", 0, &w, &report, NULL), IMGRET_OK);
    assert_int_equal(report.resumed_count, 64);
    assert_int_equal(report.embedded_count, PICTURES - 64);
    imgret_close(f->db);
    f->db = open_database(f->path, NULL);
    assert_like_new(f, f->db, "fake");
}

static void what_another_model_left_is_not_taken(void **state)
{
    fixture *f = *state;
    imgret_reembed_report report;
    watch w = {.stop_at = 2};
    assert_int_equal(reembed(f, "fake", 0, &w, &report, NULL), IMGRET_INTERRUPTED);
    char path[400];
    snprintf(path, sizeof path, "%s/reembed.imgret-partial", f->path);
    FILE *file = fopen(path, "r+b"); /* a torn record, and bytes of no record */
    assert_non_null(file);
    fseek(file, 64 + 10 * (16 + 8) + 17, SEEK_SET);
    fputc(0x7f, file);
    fseek(file, 0, SEEK_END);
    fputs("rest", file);
    fclose(file);
    w = (watch){0};
    assert_int_equal(reembed(f, "fake", 0, &w, &report, NULL), IMGRET_OK);
    assert_int_equal(report.resumed_count, 10);
    assert_int_equal(report.embedded_count, PICTURES - 10);
}

static void missing_pictures_are_listed(void **state)
{
    fixture *f = *state;
    char name[400];
    imgret_reembed_report report;
    watch w = {0};
    imgret_error error = IMGRET_ERROR_INIT;
    picture_name(f, 5, name);
    unlink(name);
    picture_name(f, 6, name);
    write_stripes(name, 25, 6); /* changed since */
    uint8_t pixels[3 * 16 * 16];
    draw_stripes(pixels, 16, 3);
    imgret_input memory = {.size = sizeof memory,
                           .kind = IMGRET_INPUT_PIXELS,
                           .data = pixels,
                           .data_bytes = sizeof pixels,
                           .width = 16,
                           .height = 16};
    assert_int_equal(imgret_add(f->db, &memory, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(reembed(f, "fake", 0, &w, &report, &error), IMGRET_NOT_FOUND);
    assert_int_equal(w.missing, 3);
    assert_int_equal(report.missing_count, 3);
    assert_int_equal(query_id(f->db, 6, NULL), IMGRET_OK); /* nothing changed */
    w = (watch){0};
    assert_int_equal(reembed(f, "fake", IMGRET_REEMBED_DROP_MISSING, &w, &report, &error),
                     IMGRET_OK);
    assert_int_equal(report.embedded_count, 0); /* the others were done */
    imgret_close(f->db);
    f->db = open_database(f->path, NULL);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.failed_count, 3);
    assert_int_equal(stats.vector_count, PICTURES - 2);
    assert_int_equal(count_problems(f->db), 0);
    imgret_add_result result = {.size = sizeof result};
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = name};
    assert_int_equal(imgret_add(f->db, &input, NULL, &result, NULL), IMGRET_OK);
    assert_int_equal(result.id, 7); /* it comes back as what it was */
}

typedef struct adder {
    fixture *f;
    uint32_t calls, added;
} adder;

static int32_t add_meanwhile(void *user, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    adder *a = user;
    char name[400];
    if (a->calls++ > 3 || a->added >= 3)
        return 0;
    picture_name(a->f, 500 + a->added, name);
    write_stripes(name, 24, 500 + a->added);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = name};
    assert_int_equal(imgret_add(a->f->db, &input, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(a->f->db, 10 + a->added, NULL), IMGRET_OK);
    a->added++;
    return 0;
}

static void what_comes_and_goes_meanwhile_is_minded(void **state)
{
    fixture *f = *state;
    adder a = {.f = f};
    imgret_reembed_options options = {
        .size = sizeof options, .model = "fake", .on_progress = add_meanwhile, .user = &a};
    assert_int_equal(imgret_reembed(f->db, &options, NULL, NULL), IMGRET_OK);
    assert_int_equal(a.added, 3);
    imgret_close(f->db);
    f->db = open_database(f->path, NULL);
    assert_int_equal(count_images(f->db), PICTURES);
    assert_int_equal(count_problems(f->db), 0);
    assert_int_equal(query_id(f->db, PICTURES + 3, NULL), IMGRET_OK);
    assert_int_equal(query_id(f->db, 11, NULL), IMGRET_NOT_FOUND);
}

static void what_cannot_be_is_refused(void **state)
{
    fixture *f = *state;
    char path[320];
    imgret_reembed_report report;
    watch w = {0};
    assert_int_equal(reembed(f, "no-such-file", 0, &w, &report, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(reembed(f, "vectors:8", 0, &w, &report, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(reembed(f, NULL, 0, &w, &report, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(reembed(f, "fake", 8, &w, &report, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(query_id(f->db, 1, NULL), IMGRET_OK);
    imgret *pictures = f->db;
    snprintf(path, sizeof path, "%s/vectors.imgret", f->folder);
    f->db = open_vectors(path, 0, 0);
    assert_int_equal(reembed(f, "classic", 0, &w, &report, NULL), IMGRET_INVALID_ARGUMENT);
    imgret_close(f->db);
    f->db = pictures;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_move_at_once),
        TEST(a_stop_or_a_kill_loses_little),
        TEST(what_another_model_left_is_not_taken),
        TEST(missing_pictures_are_listed),
        TEST(what_comes_and_goes_meanwhile_is_minded),
        TEST(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("reembed", tests, NULL, NULL);
}
