/* test_extract_many.c: long arrays of pictures: the next ones are prepared while the model runs. */
#include "testing.h"

#include <imgret/imgret.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

enum { GROUP = 32, COUNT = 100, DIMENSION = 4, WIDTH = 67, HEIGHT = 61, HEAD_BYTES = 13 };

#define FILE_BYTES (HEAD_BYTES + 3 * WIDTH * HEIGHT)

/* Set when somebody asks for as much memory as the file has: it is being read. */
static atomic_int file_was_read;

static void *watch_alloc(void *user, uint64_t bytes)
{
    (void)user;
    if (bytes == FILE_BYTES)
        atomic_store(&file_was_read, 1);
    return malloc(bytes ? bytes : 1);
}

static void *watch_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    return realloc(pointer, bytes ? bytes : 1);
}

static void watch_free(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

static char file_path[] = "/tmp/imgret_many_XXXXXX";

static void write_picture(void)
{
    FILE *file = fopen(file_path, "wb");
    assert_non_null(file);
    assert_int_equal(fprintf(file, "P6 %d %d 255\n", WIDTH, HEIGHT), HEAD_BYTES);
    for (int i = 0; i < 3 * WIDTH * HEIGHT; i++)
        fputc(77, file);
    fclose(file);
}

/* Picture i has the value i everywhere; 0 of them is held by the plugin's gate. */
static void fill_inputs(imgret_input *inputs, uint8_t (*pixels)[12])
{
    for (int i = 0; i < COUNT; i++) {
        memset(pixels[i], i == 0 ? 200 : i, sizeof pixels[i]);
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_PIXELS,
                                   .data = pixels[i],
                                   .data_bytes = sizeof pixels[i],
                                   .width = 2,
                                   .height = 2};
    }
    inputs[GROUP + 5] = (imgret_input){
        .size = sizeof inputs[0], .kind = IMGRET_INPUT_FILE, .path = file_path};
}

typedef struct call {
    imgret_extractor *extractor;
    imgret_input inputs[COUNT];
    uint8_t pixels[COUNT][12];
    float rows[COUNT][DIMENSION];
    int32_t statuses[COUNT];
    int32_t status;
} call;

static void *extract(void *argument)
{
    call *self = argument;
    self->status = imgret_extract(self->extractor, self->inputs, COUNT, &self->rows[0][0],
                                  COUNT * DIMENSION, self->statuses, NULL);
    return NULL;
}

static bool comes_true(atomic_int *what)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000 && !atomic_load(what); i++)
        nanosleep(&moment, NULL);
    return atomic_load(what);
}

static void open_acting(imgret_extractor **out, const char *model, uint32_t threads)
{
    imgret_extractor_options options = {
        .size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS, .threads = threads};
    assert_int_equal(imgret_extractor_open(out, model, &options, NULL), 0);
}

static void open_plugin(imgret_extractor **out, uint32_t threads)
{
    open_acting(out, "fake", threads);
}

static void the_next_pictures_are_prepared_meanwhile(void **state)
{
    (void)state;
    static call work;
    open_plugin(&work.extractor, 2);
    void *library = dlopen(IMGRET_TEST_PLUGINS "/imgret_fake.so", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    void (*gate)(int closed);
    *(void **)&gate = dlsym(library, "fake_gate");
    fill_inputs(work.inputs, work.pixels);
    gate(1); /* the first group does not get through the model ... */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, extract, &work), 0);
    bool seen = comes_true(&file_was_read); /* ... but the second one is read */
    gate(0);
    pthread_join(thread, NULL);
    assert_true(seen);
    assert_int_equal(work.status, 0);
    for (int i = 0; i < COUNT; i++) {
        float shade = i == 0 ? 200 : i == GROUP + 5 ? 77 : (float)i;
        float ratio = work.rows[i][0] / work.rows[i][1]; /* (shade + 1) / pictures in its batch */
        assert_int_equal(work.statuses[i], 0);
        bool own = false;
        for (int batch = 1; batch <= 3; batch++)
            own = own ||
                  (ratio * (float)batch > shade + 0.9f && ratio * (float)batch < shade + 1.1f);
        assert_true(own);
    }
    dlclose(library);
    imgret_extractor_close(work.extractor);
}

/* Whatever the number of threads and groups, each row is its picture's, and a bad one has zeros. */
static void rows_stay_with_their_pictures(void **state)
{
    (void)state;
    static call work;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        open_plugin(&work.extractor, threads);
        fill_inputs(work.inputs, work.pixels);
        for (int i = 3; i < COUNT; i += 29)
            work.inputs[i].width = 0;
        memset(work.rows, 0xFF, sizeof work.rows);
        extract(&work);
        assert_int_equal(work.status, 0);
        for (int i = 0; i < COUNT; i++) {
            bool bad = i % 29 == 3;
            assert_int_equal(work.statuses[i] != 0, bad);
            assert_int_equal(work.rows[i][0] == 0.0f, bad);
        }
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(imgret_extract(work.extractor, work.inputs, COUNT, &work.rows[0][0],
                                        COUNT * DIMENSION, NULL, &error),
                         IMGRET_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "input 3:"));
        imgret_extractor_close(work.extractor);
    }
}

/* A vector that is not finite is the matter of its picture, as a file that cannot be read is. */
static void a_picture_without_a_vector_fails_alone(void **state)
{
    (void)state;
    static call work;
    open_acting(&work.extractor, "fake;act=nan", 2); /* a picture of nines has none */
    fill_inputs(work.inputs, work.pixels);
    work.inputs[12].width = 0;
    memset(work.pixels[GROUP + 8], 9, sizeof work.pixels[0]);
    memset(work.rows, 0xFF, sizeof work.rows);
    extract(&work);
    assert_int_equal(work.status, 0);
    for (int i = 0; i < COUNT; i++) {
        bool nan = i == 9 || i == GROUP + 8, bad = nan || i == 12;
        assert_int_equal(work.statuses[i], nan   ? IMGRET_BAD_MODEL
                                           : bad ? IMGRET_INVALID_ARGUMENT
                                                 : 0);
        float shade = i == 0 ? 200 : i == GROUP + 5 ? 77 : (float)i;
        float ratio = bad ? 0 : work.rows[i][0] / work.rows[i][1];
        bool own = false; /* (shade + 1) / pictures in its batch, or nothing but zeros */
        for (int batch = 1; batch <= 3; batch++)
            own = own ||
                  (ratio * (float)batch > shade + 0.9f && ratio * (float)batch < shade + 1.1f);
        assert_true(bad ? work.rows[i][0] == 0.0f && work.rows[i][1] == 0.0f : own);
    }
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_extract(work.extractor, work.inputs, GROUP / 2, &work.rows[0][0],
                                    COUNT * DIMENSION, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    work.inputs[12].width = 2;
    assert_int_equal(imgret_extract(work.extractor, work.inputs, GROUP / 2, &work.rows[0][0],
                                    COUNT * DIMENSION, NULL, &error),
                     IMGRET_BAD_MODEL);
    assert_non_null(strstr(error.message, "not finite"));
    imgret_extractor_close(work.extractor);
}

/* Memory that lacks for a batch may do for one picture. */
static void a_batch_that_is_too_large_runs_one_by_one(void **state)
{
    (void)state;
    static call work;
    open_acting(&work.extractor, "fake;act=alone", 2);
    fill_inputs(work.inputs, work.pixels);
    extract(&work);
    assert_int_equal(work.status, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(work.statuses[i], 0);
        assert_true(work.rows[i][0] > 0 && work.rows[i][1] > 0);
    }
    imgret_extractor_close(work.extractor);
}

int main(void)
{
    int file = mkstemp(file_path);
    if (file < 0)
        return 1;
    close(file);
    write_picture();
    imgret_allocator watched = {
        .size = sizeof watched, .alloc = watch_alloc, .realloc = watch_realloc, .free = watch_free};
    if (imgret_set_allocator(&watched, NULL))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_pictures_are_prepared_meanwhile),
        cmocka_unit_test(rows_stay_with_their_pictures),
        cmocka_unit_test(a_picture_without_a_vector_fails_alone),
        cmocka_unit_test(a_batch_that_is_too_large_runs_one_by_one),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file_path);
    return failed;
}
