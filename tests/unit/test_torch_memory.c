/* test_torch_memory.c: memory that lacks within libtorch fails the batch it lacks for, and no more. */
#include "torch_fixture.h"

#include <imgret/imgret.h>
#include <libgen.h>
#include <math.h>
#include <sys/resource.h>

enum { CHANNELS = 16, BLOCKS = 13, SIDE = 1024, COUNT = 16 };

/* What a picture needs is 12 MiB for itself and 16 for each map; a batch 16 times that. With oneDNN's
 * layers a thread needs it once, and keeps it: the first has it since the model was loaded. */
static const size_t room_bytes = 256u << 20, onednn_room_bytes = 24u << 20;

/* oneDNN's layers take one picture at a time, and would not need the memory that is to lack. */
static const char options[] = "input=1024;batch=16;crop_pct=1;resize=squash;kernels=torch";

static void add_conv(st_writer *writer, const char *name, int out, int in, int side, uint64_t *seed)
{
    char full[64], shape[64];
    float values[CHANNELS * CHANNELS * 9];
    int count = out * in * side * side;
    for (int i = 0; i < count; i++)
        values[i] = 0.5f * random_unit(seed);
    snprintf(full, sizeof full, "%s.weight", name);
    snprintf(shape, sizeof shape, "[%d,%d,%d,%d]", out, in, side, side);
    st_add(writer, full, "F32", shape, values, (size_t)count * sizeof *values);
    for (int i = 0; i < out; i++)
        values[i] = 0.1f * random_unit(seed);
    snprintf(full, sizeof full, "%s.bias", name);
    snprintf(shape, sizeof shape, "[%d]", out);
    st_add(writer, full, "F32", shape, values, (size_t)out * sizeof *values);
}

/* A MobileNetV1 of few channels. */
static void write_network(const char *path)
{
    st_writer writer = {0};
    uint64_t seed = 5;
    char name[32];
    add_conv(&writer, "conv_0", CHANNELS, 3, 3, &seed);
    for (int i = 1; i <= BLOCKS; i++) {
        snprintf(name, sizeof name, "conv_%d.depthwise", i);
        add_conv(&writer, name, CHANNELS, 1, 3, &seed);
        snprintf(name, sizeof name, "conv_%d.pointwise", i);
        add_conv(&writer, name, CHANNELS, CHANNELS, 1, &seed);
    }
    float head[3 * CHANNELS] = {0};
    st_add(&writer, "classifier.weight", "F32", "[3,16]", head, sizeof head);
    st_add(&writer, "classifier.bias", "F32", "[3]", head, 3 * sizeof *head);
    st_write(&writer, path);
}

static uint8_t *make_pictures(void)
{
    size_t bytes = (size_t)SIDE * SIDE * 3;
    uint8_t *pixels = malloc(COUNT * bytes);
    assert_non_null(pixels);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < bytes; j++)
            pixels[i * bytes + j] = (uint8_t)(17 * i + j * (i + 1) / 4096);
    return pixels;
}

/* Lets the process have `room` bytes more than it has; what the limit was. */
static struct rlimit limit_memory(size_t room)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + room;
    assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
    return before;
}

static void same_rows(const float *a, const float *b)
{
    for (size_t i = 0; i < (size_t)COUNT * CHANNELS; i++)
        assert_true(fabsf(a[i] - b[i]) <= 1e-4f * (1 + fabsf(b[i])));
}

/* Three times a batch that lacks memory, and each time one picture, for which there is enough. */
static void fail_and_go_on(imgret_backend_model *model, const uint8_t *pixels, size_t room)
{
    static float rows[COUNT * CHANNELS];
    struct rlimit before = limit_memory(room);
    for (int round = 0; round < 3; round++) {
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_backend_batch batch = {sizeof batch, COUNT, pixels, rows, NULL};
        int32_t status = plugin()->run(model, &batch, &error);
        imgret_backend_batch one = {sizeof one, 1, pixels, rows, NULL};
        int32_t next = plugin()->run(model, &one, NULL);
        if (status != IMGRET_NO_MEMORY || next)
            setrlimit(RLIMIT_AS, &before);
        assert_int_equal(status, IMGRET_NO_MEMORY);
        assert_non_null(strstr(error.message, "memory"));
        assert_null(strchr(error.message, '\n'));
        assert_int_equal(next, 0);
    }
    setrlimit(RLIMIT_AS, &before);
}

static void a_batch_without_memory_is_an_error_of_its_own(void **state)
{
    (void)state;
    char path[64];
    plugin();
    temporary_path(path);
    write_network(path);
    uint8_t *pixels = make_pictures();
    imgret_backend_info info;
    imgret_backend_model *model = load_model(path, options, 1, &info);
    assert_int_equal(info.dimension, CHANNELS);
    static float wanted[COUNT * CHANNELS], rows[COUNT * CHANNELS];
    run_model(model, pixels, COUNT, wanted, NULL);
    fail_and_go_on(model, pixels, room_bytes);
    run_model(model, pixels, COUNT, rows, NULL);
    same_rows(rows, wanted);
    plugin()->unload(model);
    free(pixels);
    unlink(path);
}

/* The second thread lacks memory, in the middle of the network, and must not keep what it got. */
static void onednn_without_memory_fails_a_batch_only(void **state)
{
    (void)state;
    static const char how[] = "input=1024;batch=16;crop_pct=1;resize=squash;kernels=onednn";
    static float wanted[COUNT * CHANNELS], rows[COUNT * CHANNELS];
    char path[64];
    plugin();
    temporary_path(path);
    write_network(path);
    imgret_backend_model *model = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (plugin()->load(&model, path, how, 2, &error) == IMGRET_UNSUPPORTED) {
        unlink(path);
        skip_because("no oneDNN in this plugin or for this processor");
    }
    assert_int_equal(error.code, 0);
    uint8_t *pixels = make_pictures();
    fail_and_go_on(model, pixels, onednn_room_bytes);
    run_model(model, pixels, COUNT, rows, NULL);
    plugin()->unload(model);
    imgret_backend_info info;
    model = load_model(path, options, 1, &info);
    run_model(model, pixels, COUNT, wanted, NULL);
    same_rows(rows, wanted);
    plugin()->unload(model);
    free(pixels);
    unlink(path);
}

/* Through the library: where pictures have statuses, each gets its vector alone. */
static void what_does_not_fit_together_is_extracted_one_by_one(void **state)
{
    (void)state;
    char path[64], spec[256], folder[PATH_MAX + 64];
    plugin_path(folder);
    if (access(folder, R_OK) != 0)
        skip_because("the torch plugin is not built");
    temporary_path(path);
    write_network(path);
    uint8_t *pixels = make_pictures();
    size_t bytes = (size_t)SIDE * SIDE * 3;
    snprintf(spec, sizeof spec, "torch:%s;%s", path, options);
    imgret_extractor_options how = {
        .size = sizeof how, .plugin_path = dirname(folder), .threads = 1};
    imgret_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_extractor_open(&extractor, spec, &how, &error))
        fail_msg("%s", error.message);
    imgret_input inputs[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        inputs[i] = (imgret_input){.size = sizeof *inputs,
                                   .kind = IMGRET_INPUT_PIXELS,
                                   .data = pixels + i * bytes,
                                   .data_bytes = bytes,
                                   .width = SIDE,
                                   .height = SIDE};
    static float wanted[COUNT * CHANNELS], rows[COUNT * CHANNELS];
    int32_t statuses[COUNT];
    assert_int_equal(imgret_extract(extractor, inputs, COUNT, wanted, COUNT * CHANNELS, NULL, NULL),
                     0);
    struct rlimit before = limit_memory(room_bytes);
    int32_t together = imgret_extract(extractor, inputs, COUNT, rows, COUNT * CHANNELS, NULL, NULL);
    int32_t apart = imgret_extract(extractor, inputs, COUNT, rows, COUNT * CHANNELS, statuses,
                                   NULL);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(together, IMGRET_NO_MEMORY);
    assert_int_equal(apart, 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(statuses[i], 0);
    same_rows(rows, wanted);
    imgret_extractor_close(extractor);
    free(pixels);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_without_memory_is_an_error_of_its_own),
        cmocka_unit_test(onednn_without_memory_fails_a_batch_only),
        cmocka_unit_test(what_does_not_fit_together_is_extracted_one_by_one),
    };
    return cmocka_run_group_tests_name("torch without memory", tests, NULL, NULL);
}
