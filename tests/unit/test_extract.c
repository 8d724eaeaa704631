/* test_extract.c: opening extractors, plugins that misbehave, batches, threads. */
#include "testing.h"

#include "base/alloc.h"
#include "extract/extract.h"
#include "extract/plugin.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static ir_extractor *open_good(const char *spec)
{
    ir_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    if (ir_extractor_open(&extractor, spec, IMGRET_TEST_PLUGINS, 1, &error))
        fail_msg("%s: %s", spec, error.message);
    return extractor;
}

/* Opening must fail with this code and a message that holds `words`; nothing may be left. */
static void refuse_in(const char *folders, const char *spec, int32_t code, const char *words)
{
    ir_extractor *extractor = (ir_extractor *)1;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t before = ir_alloc_live_count();
    int32_t status = ir_extractor_open(&extractor, spec, folders, 1, &error);
    if (status != code || !strstr(error.message, words))
        fail_msg("%s: got %s: \"%s\", not \"%s\"", spec, imgret_status_name(status), error.message,
                 words);
    assert_int_equal(error.code, code);
    assert_null(extractor);
    assert_int_equal(ir_alloc_live_count(), before);
}

static void refuse(const char *spec, int32_t code, const char *words)
{
    refuse_in(IMGRET_TEST_PLUGINS, spec, code, words);
}

static void a_plugin_is_found_and_described(void **state)
{
    (void)state;
    ir_extractor *extractor = open_good("fake");
    const ir_extractor_info *info = ir_extractor_get_info(extractor);
    assert_int_equal(info->dimension, 4);
    assert_int_equal(info->batch_max, 3);
    assert_string_equal(info->backend, "fake");
    assert_string_equal(info->architecture, "fake_net");
    assert_string_equal(info->identity,
                        "fake=1;resize=shorter:4;crop=2x2;filter=bicubic;dimension=4");
    assert_int_equal(ir_extractor_input_bytes(extractor), 12);
    assert_int_equal(info->decode_width_min, 16);
    assert_int_equal(info->decode_height_min, 16);
    ir_extractor_close(extractor);
    ir_extractor_close(NULL);
}

static void plugins_are_searched_in_order(void **state)
{
    (void)state;
    char folders[1024];
    snprintf(folders, sizeof folders, "/no-such::%s", IMGRET_TEST_PLUGINS);
    ir_extractor *extractor;
    assert_int_equal(ir_extractor_open(&extractor, "fake", folders, 0, NULL), 0);
    ir_extractor_close(extractor);
    refuse_in("/no-such", "fake", IMGRET_NOT_FOUND, "imgret_fake.so");
    setenv("IMGRET_PLUGIN_PATH", IMGRET_TEST_PLUGINS, 1);
    assert_int_equal(ir_extractor_open(&extractor, "fake", NULL, 0, NULL), 0);
    unsetenv("IMGRET_PLUGIN_PATH");
    ir_extractor_close(extractor);
}

static void a_plugin_of_an_older_table_works(void **state)
{
    (void)state;
    const imgret_backend *table;
    assert_int_equal(ir_plugin_find(&table, "first_abi", IMGRET_TEST_PLUGINS, NULL), 0);
    assert_null(table->detect); /* its own memory holds poison there */
    assert_null(table->inspect);
    assert_null(table->end_inspection);
    ir_extractor *extractor = open_good("first_abi");
    uint8_t pixels[3] = {0};
    float vector[2];
    assert_int_equal(ir_extractor_run(extractor, pixels, 1, vector, NULL), 0);
    assert_true(fabsf(vector[0] - 0.6f) < 1e-6f && fabsf(vector[1] - 0.8f) < 1e-6f);
    ir_extractor_close(extractor);
}

static void a_detector_is_no_extractor(void **state)
{
    (void)state;
    refuse("fake;act=detector", IMGRET_BAD_MODEL, "fake_net is a detector");
}

static void inspections_tell_what_a_file_holds(void **state)
{
    (void)state;
    imgret_inspection *inspection;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t before = ir_alloc_live_count();
    assert_int_equal(imgret_inspect_model(&inspection, "fake;act=lacks;grey=yes;labels=/none",
                                          IMGRET_TEST_PLUGINS, &error),
                     0);
    const imgret_model_report *report = imgret_inspection_report(inspection);
    assert_int_equal(report->status, IMGRET_BAD_MODEL);
    assert_string_equal(report->reason, "two tensors are not there");
    assert_string_equal(report->missing, "head.weight\nhead.bias\n");
    assert_int_equal(report->missing_count, 2);
    assert_string_equal(report->left_over, "");
    assert_string_equal(report->backend, "fake");
    imgret_inspection_free(inspection);
    assert_int_equal(imgret_inspect_model(&inspection, "classic", NULL, NULL), 0);
    report = imgret_inspection_report(inspection);
    assert_int_equal(report->status, 0);
    assert_string_equal(report->architecture, "classic");
    assert_int_equal(report->dimension, 492);
    imgret_inspection_free(inspection);
    static const struct {
        const char *model, *words;
        int32_t code;
    } bad[] = {
        {"fake;act=broken", "cannot look into the model", IMGRET_BAD_MODEL},
        {"fake;act=unreadable", "the disk says no", IMGRET_IO},
        {"fake;act=small", "in 8 bytes", IMGRET_BAD_MODEL},
        {"fake;grey=maybe", "grey=maybe", IMGRET_INVALID_ARGUMENT},
        {"/no/such.file", "/no/such.file", IMGRET_NOT_FOUND},
        {"", "empty", IMGRET_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(
            imgret_inspect_model(&inspection, bad[i].model, IMGRET_TEST_PLUGINS, &error),
            bad[i].code);
        assert_non_null(strstr(error.message, bad[i].words));
        assert_null(inspection);
    }
    assert_int_equal(ir_alloc_live_count(), before);
    assert_null(imgret_inspection_report(NULL));
    imgret_inspection_free(NULL);
}

static void missing_and_broken_plugins_are_named(void **state)
{
    (void)state;
    refuse_in("/no-such:/none", "absent:w", IMGRET_NOT_FOUND, "imgret_absent.so");
    refuse_in("/no-such:/none", "absent:w", IMGRET_NOT_FOUND, "/no-such:/none:");
    refuse("future_abi", IMGRET_BAD_MODEL, "imgret_future_abi.so has backend ABI 42");
    refuse("future_abi", IMGRET_BAD_MODEL, "this library needs 1");
    refuse("small_table", IMGRET_BAD_MODEL, "imgret_small_table.so (backend ABI 1) has a table of");
    refuse("refusing", IMGRET_BAD_MODEL, "asked 1 times, too old a processor");
    refuse("refusing", IMGRET_BAD_MODEL, "asked 1 times"); /* remembered, not asked again */
    refuse("entryless", IMGRET_BAD_MODEL, "does not export imgret_backend_entry");
    refuse("vectors:5", IMGRET_INVALID_ARGUMENT, "extracts nothing");
    refuse("classic:weights.bin", IMGRET_INVALID_ARGUMENT, "takes no weights");
    refuse("classic;fast=1", IMGRET_INVALID_ARGUMENT, "has no options");
    refuse("/no-such/vit.safetensors", IMGRET_NOT_FOUND, "/no-such/vit.safetensors");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void a_file_that_is_no_plugin_is_named(void **state)
{
    (void)state;
    char folder[] = "/tmp/imgret_plugin_XXXXXX", path[128], link[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/imgret_text.so", folder);
    write_file(path, "this is no ELF file\n");
    refuse_in(folder, "text", IMGRET_BAD_MODEL, "imgret_text.so cannot be loaded: ");
    snprintf(link, sizeof link, "%s/imgret_alias.so", folder);
    assert_int_equal(symlink(IMGRET_TEST_PLUGINS "/imgret_fake.so", link), 0);
    refuse_in(folder, "alias", IMGRET_BAD_MODEL, "calls itself \"fake\", not \"alias\"");
    ir_extractor_close(open_good("fake")); /* the alias did not spoil the file's own name */
    unlink(link);
    unlink(path);
    rmdir(folder);
}

static void a_weights_file_finds_its_plugin_by_its_ending(void **state)
{
    (void)state;
    char folder[] = "/tmp/imgret_weights_XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    const char *const names[] = {"net.fake", "net.FAKE", "net.other.fake2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        write_file(path, "fake weights");
        ir_extractor_close(open_good(path));
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/net.fake", folder);
    write_file(path, "real");
    refuse(path, IMGRET_BAD_MODEL, "the weights lack their magic");
    unlink(path);
    snprintf(path, sizeof path, "%s/net.fake2", folder);
    write_file(path, "fake");
    refuse_in("/no-such", path, IMGRET_NOT_FOUND, "net.fake2: no backend takes files of this");
    unlink(path);
    rmdir(folder);
}

static void nonsense_descriptions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *act, *words;
    } cases[] = {
        {"classes", "class_count 2097152"},
        {"dimension", "dimension 65537"},
        {"width", "input_width 4097"},
        {"height", "input_height 0"},
        {"batch", "batch_max 0"},
        {"resize", "resize 4"},
        {"resize_px", "resize_px 1"},
        {"filter", "filter 0"},
        {"architecture", "without architecture"},
        {"identity", "or identity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "fake;act=%s", cases[i].act);
        refuse(spec, IMGRET_BAD_MODEL, cases[i].words);
    }
    refuse("fake;act=describe", IMGRET_UNSUPPORTED, "cannot describe the model: nobody knows");
    refuse("fake;act=load_unknown", IMGRET_BAD_MODEL, "cannot load the model");
    refuse("fake;wrong=1", IMGRET_INVALID_ARGUMENT, "unknown option");
    refuse("fake:/no-such.fake", IMGRET_NOT_FOUND, "/no-such.fake");
}

static void batches_are_split_and_vectors_normalised(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    ir_extractor *extractor = open_good("fake");
    uint8_t pixels[12 * COUNT] = {0};
    float out[4 * COUNT];
    for (int i = 0; i < COUNT; i++)
        pixels[12 * i] = (uint8_t)(10 * i);
    assert_int_equal(ir_extractor_run(extractor, pixels, COUNT, out, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        const float *vector = out + 4 * i;
        float batch = i < 6 ? 3.0f : 2.0f; /* 8 = 3 + 3 + 2 */
        assert_float_equal(vector[1] / vector[0] * (10.0f * (float)i + 1.0f), batch, 1e-5f);
        assert_float_equal(hypotf(vector[0], vector[1]), 1.0f, 1e-6f);
    }
    assert_int_equal(ir_extractor_run(extractor, pixels, 0, out, NULL), 0);
    ir_extractor_close(extractor);
}

static void bad_vectors_are_caught(void **state)
{
    (void)state;
    uint8_t pixels[24] = {0};
    float out[8];
    imgret_error error = IMGRET_ERROR_INIT;
    ir_extractor *extractor = open_good("fake;act=nan");
    assert_int_equal(ir_extractor_run(extractor, pixels, 2, out, NULL), 0);
    pixels[12] = 9;
    assert_int_equal(ir_extractor_run(extractor, pixels, 2, out, &error), IMGRET_BAD_MODEL);
    assert_non_null(
        strstr(error.message, "picture 2 of 2: backend \"fake\", fake_net: the vector"));
    ir_extractor_close(extractor);
    extractor = open_good("fake;act=run_silent");
    assert_int_equal(ir_extractor_run(extractor, pixels, 1, out, &error), IMGRET_IO);
    assert_non_null(strstr(error.message, "cannot run the model: IMGRET_IO"));
    ir_extractor_close(extractor);
}

static void zero_and_huge_vectors_survive(void **state)
{
    (void)state;
    uint8_t pixels[12] = {0};
    float out[4];
    ir_extractor *extractor = open_good("fake;act=zero");
    assert_int_equal(ir_extractor_run(extractor, pixels, 1, out, NULL), 0);
    assert_true(out[0] == 0.0f && out[1] == 0.0f);
    ir_extractor_close(extractor);
    extractor = open_good("fake;act=huge"); /* its square is beyond float */
    assert_int_equal(ir_extractor_run(extractor, pixels, 1, out, NULL), 0);
    assert_float_equal(out[0], sqrtf(0.5f), 1e-6f);
    ir_extractor_close(extractor);
}

static void preparing_resizes_and_refuses_nothingness(void **state)
{
    (void)state;
    ir_extractor *extractor = open_good("fake");
    uint8_t rgb[3 * 6 * 8], out[12];
    memset(rgb, 77, sizeof rgb);
    ir_picture picture = {.width = 6, .height = 8, .rgb = rgb};
    assert_int_equal(ir_extractor_prepare(extractor, &picture, out, NULL), 0);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 77);
    picture.height = 0;
    assert_int_equal(ir_extractor_prepare(extractor, &picture, out, NULL), IMGRET_INVALID_ARGUMENT);
    ir_extractor_close(extractor);
}

typedef struct worker {
    ir_extractor *extractor;
    uint8_t shade;
    int32_t status;
} worker;

/* Prepares and runs again and again; the answer must always be its own. */
static void *work(void *argument)
{
    worker *self = argument;
    uint8_t rgb[3 * 9 * 7], prepared[12];
    float out[4];
    memset(rgb, self->shade, sizeof rgb);
    ir_picture picture = {.width = 9, .height = 7, .rgb = rgb};
    for (int round = 0; round < 300 && !self->status; round++) {
        self->status = ir_extractor_prepare(self->extractor, &picture, prepared, NULL);
        if (!self->status)
            self->status = ir_extractor_run(self->extractor, prepared, 1, out, NULL);
        bool own = false; /* in a batch of one, two or three: others may have joined it */
        for (int batch = 1; batch <= 3; batch++)
            own |= fabsf(out[0] / out[1] * (float)batch - (float)(self->shade + 1)) < 1e-2f;
        if (!self->status && !own)
            self->status = IMGRET_INTERNAL;
    }
    return NULL;
}

static void threads_share_an_extractor(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    ir_extractor *extractor = open_good("fake");
    pthread_t threads[COUNT];
    worker workers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        workers[i] = (worker){.extractor = extractor, .shade = (uint8_t)(40 * i)};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].status, 0);
    }
    ir_extractor_close(extractor);
}

static void failing_allocations_are_reported(void **state)
{
    (void)state;
    const char *const specs[] = {"fake", "classic"};
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = ir_alloc_live_count(), nth = 0;
        int32_t status;
        do {
            ir_extractor *extractor;
            ir_alloc_fail_after(++nth);
            status = ir_extractor_open(&extractor, specs[i], IMGRET_TEST_PLUGINS, 1, NULL);
            ir_alloc_fail_after(0);
            assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
            ir_extractor_close(extractor);
            assert_int_equal(ir_alloc_live_count(), before);
        } while (status);
        assert_true(nth > 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first, so that the alias is what loads the file */
        cmocka_unit_test(a_file_that_is_no_plugin_is_named),
        cmocka_unit_test(a_plugin_is_found_and_described),
        cmocka_unit_test(plugins_are_searched_in_order),
        cmocka_unit_test(a_plugin_of_an_older_table_works),
        cmocka_unit_test(a_detector_is_no_extractor),
        cmocka_unit_test(inspections_tell_what_a_file_holds),
        cmocka_unit_test(missing_and_broken_plugins_are_named),
        cmocka_unit_test(a_weights_file_finds_its_plugin_by_its_ending),
        cmocka_unit_test(nonsense_descriptions_are_refused),
        cmocka_unit_test(batches_are_split_and_vectors_normalised),
        cmocka_unit_test(bad_vectors_are_caught),
        cmocka_unit_test(zero_and_huge_vectors_survive),
        cmocka_unit_test(preparing_resizes_and_refuses_nothingness),
        cmocka_unit_test(threads_share_an_extractor),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
