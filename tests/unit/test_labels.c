/* test_labels.c: class names from a file, hostile ones too, and what a head says of pictures. */
#include "testing.h"

#include "base/alloc.h"
#include "extract/extract.h"
#include "extract/labels.h"

#include <imgret/imgret.h>

#include <math.h>
#include <unistd.h>

static void accept(const char *text, size_t bytes, uint32_t count, const char *last)
{
    ir_labels *labels;
    imgret_error error = IMGRET_ERROR_INIT;
    if (ir_labels_parse(&labels, "f", (const uint8_t *)text, bytes, &error))
        fail_msg("%s", error.message);
    assert_int_equal(labels->count, count);
    assert_string_equal(labels->texts[count - 1], last);
    ir_labels_free(labels);
}

static void lines_are_classes(void **state)
{
    (void)state;
    accept("cat\ndog\n", 8, 2, "dog");
    accept("cat\ndog", 7, 2, "dog");
    accept("cat\r\ndog\r\n", 10, 2, "dog");
    accept("\xEF\xBB\xBF"
           "cat",
           6, 1, "cat");
    accept("caf\xC3\xA9\n\xF0\x9F\x90\x88\n", 11, 2, "\xF0\x9F\x90\x88");
    accept("tench, Tinca tinca; a fish", 26, 1, "tench, Tinca tinca; a fish");
}

static void refuse(const char *text, size_t bytes, int32_t code, const char *words)
{
    ir_labels *labels = (ir_labels *)1;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t before = ir_alloc_live_count();
    int32_t status = ir_labels_parse(&labels, "f", (const uint8_t *)text, bytes, &error);
    if (status != code || !strstr(error.message, words))
        fail_msg("got %s: \"%s\", not \"%s\"", imgret_status_name(status), error.message, words);
    assert_null(labels);
    assert_int_equal(ir_alloc_live_count(), before);
}

static void what_is_no_list_of_labels_is_refused(void **state)
{
    (void)state;
    refuse("", 0, IMGRET_INVALID_ARGUMENT, "0 labels");
    refuse("\xEF\xBB\xBF", 3, IMGRET_INVALID_ARGUMENT, "0 labels");
    refuse("a\n\nb\n", 5, IMGRET_INVALID_ARGUMENT, "line 2: a class without a name");
    refuse("a\n\r\n", 4, IMGRET_INVALID_ARGUMENT, "line 2");
    refuse("a\nb\0c\n", 6, IMGRET_INVALID_ARGUMENT, "line 2: byte 2");
    refuse("a\tb", 3, IMGRET_INVALID_ARGUMENT, "line 1: byte 2");
    refuse("\x7F", 1, IMGRET_INVALID_ARGUMENT, "byte 1");
    refuse("\xC2\x85", 2, IMGRET_INVALID_ARGUMENT, "byte 1");              /* a control character */
    refuse("\xC0\xAF", 2, IMGRET_INVALID_ARGUMENT, "byte 1");              /* overlong */
    refuse("\xE0\x80\xAF", 3, IMGRET_INVALID_ARGUMENT, "byte 1");          /* overlong */
    refuse("x\xED\xA0\x80", 4, IMGRET_INVALID_ARGUMENT, "byte 2");         /* a surrogate */
    refuse("\xF4\x90\x80\x80", 4, IMGRET_INVALID_ARGUMENT, "byte 1");      /* above U+10FFFF */
    refuse("caf\xC3", 4, IMGRET_INVALID_ARGUMENT, "byte 4");               /* cut short */
    refuse("caf\xC3\n\xA9", 6, IMGRET_INVALID_ARGUMENT, "line 1: byte 4"); /* cut by the line */
    char *many = malloc(2 * 65537);
    for (size_t i = 0; i < 65537; i++)
        memcpy(many + 2 * i, "x\n", 2);
    accept(many, (size_t)2 * 65536, 65536, "x");
    refuse(many, (size_t)2 * 65537, IMGRET_LIMIT, "65537 labels");
    memset(many, 'y', 1025);
    accept(many, 1024, 1, (many[1024] = '\0', many));
    many[1024] = 'y';
    refuse(many, 1025, IMGRET_LIMIT, "1025 bytes");
    free(many);
}

static void the_largest_logit_wins(void **state)
{
    (void)state;
    uint32_t index;
    float score;
    assert_int_equal(ir_labels_choose((float[]){0, 2, 1}, 3, &index, &score, NULL), 0);
    assert_int_equal(index, 1);
    assert_float_equal(score, 0.66524096f, 1e-6f);
    assert_int_equal(ir_labels_choose((float[]){3e38f, -3e38f}, 2, &index, &score, NULL), 0);
    assert_int_equal(index, 0);
    assert_float_equal(score, 1, 0);
    assert_int_equal(ir_labels_choose((float[]){5, 5}, 2, &index, &score, NULL), 0);
    assert_int_equal(index, 0);
    assert_float_equal(score, 0.5f, 1e-7);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_labels_choose((float[]){0, NAN}, 2, &index, &score, &error),
                     IMGRET_BAD_MODEL);
    assert_non_null(strstr(error.message, "class 1"));
}

/* ---- through the public calls: the fake plugin's head has three classes ---- */

static char label_path[] = "/tmp/imgret_labels_XXXXXX";

static void write_labels(const char *text)
{
    FILE *file = fopen(label_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static int32_t open_with(imgret_extractor **out, const char *act, imgret_error *error)
{
    char spec[128];
    snprintf(spec, sizeof spec, "fake;%s%slabels=%s", act, act[0] ? ";" : "", label_path);
    imgret_extractor_options options = {
        .size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS, .threads = 2};
    return imgret_extractor_open(out, spec, &options, error);
}

static void labels_must_fit_the_head(void **state)
{
    (void)state;
    imgret_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    write_labels("a\nb\n");
    assert_int_equal(open_with(&extractor, "act=head", &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "2 labels for the 3 classes of fake_net"));
    assert_int_equal(open_with(&extractor, "", &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "no classification head"));
    write_labels("a\n\nc\n");
    assert_int_equal(open_with(&extractor, "act=head", &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "line 2"));
    unlink(label_path);
    assert_int_equal(open_with(&extractor, "act=head", &error), IMGRET_NOT_FOUND);
}

enum { COUNT = 70, SIDE = 2 };

/* Picture i has the value i % 3 everywhere; the fake head's logits are {value == class} * 4. */
static void fill_inputs(imgret_input *inputs, uint8_t (*pixels)[3 * SIDE * SIDE])
{
    for (int i = 0; i < COUNT; i++) {
        memset(pixels[i], i % 3, sizeof pixels[i]);
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_PIXELS,
                                   .data = pixels[i],
                                   .data_bytes = sizeof pixels[i],
                                   .width = SIDE,
                                   .height = SIDE};
    }
}

static void pictures_get_labels(void **state)
{
    (void)state;
    static imgret_input inputs[COUNT];
    static uint8_t pixels[COUNT][3 * SIDE * SIDE];
    static float vectors[COUNT][4], logits[COUNT][3], scores[COUNT];
    static uint32_t labels[COUNT];
    static int32_t statuses[COUNT];
    fill_inputs(inputs, pixels);
    inputs[40].width = 0;
    write_labels("zero\none\ntwo\n");
    imgret_extractor *extractor;
    assert_int_equal(open_with(&extractor, "act=head", NULL), 0);
    imgret_extraction wanted = {.size = sizeof wanted,
                                .vectors = &vectors[0][0],
                                .vector_floats = COUNT * 4,
                                .logits = &logits[0][0],
                                .logit_floats = COUNT * 3,
                                .labels = labels,
                                .label_scores = scores,
                                .statuses = statuses};
    for (uint32_t flags = 0; flags <= IMGRET_EXTRACT_PREPARED; flags++) {
        wanted.flags = flags;
        memset(labels, 0xFF, sizeof labels);
        memset(logits, 0xFF, sizeof logits);
        assert_int_equal(imgret_extract_with(extractor, inputs, COUNT, &wanted, NULL), 0);
        for (int i = 0; i < COUNT; i++) {
            float good = i == 40 ? 0.0f : 1.0f;
            assert_int_equal(statuses[i] == 0, i != 40);
            assert_int_equal(labels[i], i == 40 ? 0 : i % 3);
            assert_float_equal(logits[i][i % 3], good * 4, 0);
            assert_float_equal(scores[i], good * 0.96466312f, 1e-6f);
            assert_float_equal(hypotf(vectors[i][0], vectors[i][1]), good, 1e-6);
        }
    }
    char text[8];
    assert_int_equal(imgret_extractor_get_label(extractor, 2, text, sizeof text, NULL), 0);
    assert_string_equal(text, "two");
    assert_int_equal(imgret_extractor_get_label(extractor, 3, text, sizeof text, NULL),
                     IMGRET_NOT_FOUND);
    assert_int_equal(imgret_extractor_get_label(extractor, 0, text, 4, NULL), IMGRET_LIMIT);
    wanted = (imgret_extraction){.size = sizeof wanted,
                                 .labels = labels,
                                 .label_scores = scores,
                                 .statuses = statuses}; /* only these */
    assert_int_equal(imgret_extract_with(extractor, inputs, COUNT, &wanted, NULL), 0);
    assert_int_equal(labels[69], 0);
    assert_int_equal(labels[68], 2);
    imgret_extractor_close(extractor);
}

/* Names in the weights serve when the user gives none; wrong ones are passed over. */
static void weights_may_name_the_classes(void **state)
{
    (void)state;
    ir_extractor *extractor;
    assert_int_equal(ir_extractor_open(&extractor, "fake;act=names", IMGRET_TEST_PLUGINS, 1, NULL),
                     0);
    assert_true(ir_extractor_get_info(extractor)->has_labels);
    assert_string_equal(ir_extractor_label(extractor, 1), "one");
    ir_extractor_close(extractor);
    assert_int_equal(
        ir_extractor_open(&extractor, "fake;act=names_lack", IMGRET_TEST_PLUGINS, 1, NULL), 0);
    assert_false(ir_extractor_get_info(extractor)->has_labels);
    assert_null(ir_extractor_label(extractor, 1));
    ir_extractor_close(extractor);
    write_labels("a\nb\nc\n");
    char spec[128];
    snprintf(spec, sizeof spec, "fake;act=names;labels=%s", label_path);
    assert_int_equal(ir_extractor_open(&extractor, spec, IMGRET_TEST_PLUGINS, 1, NULL), 0);
    assert_string_equal(ir_extractor_label(extractor, 1), "b");
    ir_extractor_close(extractor);
}

/* ---- in a database ---- */

static char folder[] = "/tmp/imgret_labelled_XXXXXX";

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

/* NAME.ppm in the folder, of one value everywhere. */
static void write_picture(int value)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%d.ppm", folder, value);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "P6 8 8 255\n");
    for (int i = 0; i < 192; i++)
        fputc(value, file);
    fclose(file);
}

static void check_label(imgret *db, const char *uri_end, const char *label)
{
    imgret_records *records;
    char where[64];
    snprintf(where, sizeof where, "uri LIKE '%%%s'", uri_end);
    imgret_list_options options = {.size = sizeof options, .where = where};
    assert_int_equal(imgret_list(&records, db, &options, NULL), 0);
    assert_int_equal(imgret_records_count(records), 1);
    const imgret_record *record = imgret_records_at(records, 0);
    assert_int_equal(record->state, IMGRET_STATE_STORED);
    if (label)
        assert_string_equal(record->label, label);
    else
        assert_null(record->label);
    assert_true(fabs(record->label_score - (label ? 0.96466312 : 0)) < 1e-6);
    imgret_records_free(records);
}

static imgret *open_database(const char *name, const char *model)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s.imgret", folder, name);
    imgret_open_options options = {
        .size = sizeof options, .model = model, .threads = 2, .plugin_path = IMGRET_TEST_PLUGINS};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    if (imgret_open(&db, path, &options, &error))
        fail_msg("%s", error.message);
    return db;
}

/* Adds a picture of this one value, which the head's class is, and looks at its label. */
static void add_pixels(imgret *db, int value, const char *uri, const char *label)
{
    uint8_t pixels[12];
    memset(pixels, value, sizeof pixels);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = pixels,
                          .data_bytes = sizeof pixels,
                          .width = 2,
                          .height = 2};
    imgret_add_options options = {.size = sizeof options, .uri = uri};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), 0);
    check_label(db, uri, label);
}

static void stored_pictures_have_labels(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (int value = 0; value < 3; value++)
        write_picture(value);
    write_labels("zero\none\ntwo\n");
    char spec[128];
    snprintf(spec, sizeof spec, "fake;act=head;labels=%s", label_path);
    imgret *db = open_database("labelled", spec);
    const char *paths[] = {folder};
    imgret_ingest_options what = {.size = sizeof what, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_ingest(db, &what, NULL, NULL), 0);
    check_label(db, "/0.ppm", "zero");
    check_label(db, "/1.ppm", "one");
    check_label(db, "/2.ppm", "two");
    add_pixels(db, 2, "px-0", "two"); /* extracted, then remembered */
    add_pixels(db, 2, "px-1", "two");
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), 0);
    assert_true(stats.feature_cache_hits > 0);
    imgret_close(db);
    db = open_database("labelled", NULL); /* the names' place is recorded */
    write_picture(1);
    add_pixels(db, 1, "px-later", "one");
    imgret_close(db);
    db = open_database("plain", "fake;act=head");
    assert_int_equal(imgret_ingest(db, &what, NULL, NULL), 0);
    check_label(db, "/2.ppm", NULL);
    imgret_close(db);
    remove_folder();
}

/* What is remembered from before has a vector, and no class. */
static void labels_may_come_later(void **state)
{
    (void)state;
    memcpy(strrchr(folder, '_'), "_XXXXXX", 7);
    assert_non_null(mkdtemp(folder));
    write_labels("zero\none\ntwo\n");
    imgret *db = open_database("later", "fake;act=head");
    add_pixels(db, 2, "before", NULL);
    char spec[128];
    snprintf(spec, sizeof spec, "fake;act=head;labels=%s", label_path);
    assert_int_equal(imgret_load_model(db, spec, NULL), 0);
    add_pixels(db, 2, "after", "two");
    imgret_stats first = {.size = sizeof first}, second = {.size = sizeof second};
    assert_int_equal(imgret_get_stats(db, &first, NULL), 0);
    add_pixels(db, 2, "again", "two"); /* remembered with its class now */
    assert_int_equal(imgret_get_stats(db, &second, NULL), 0);
    assert_int_equal(second.feature_cache_hits, first.feature_cache_hits + 1);
    assert_int_equal(second.batch_count, first.batch_count);
    imgret_close(db);
    remove_folder();
}

static void refuse_wanted(imgret_extractor *extractor, const imgret_input *input,
                          const imgret_extraction *wanted, const char *words)
{
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_extract_with(extractor, input, 1, wanted, &error),
                     IMGRET_INVALID_ARGUMENT);
    if (!strstr(error.message, words))
        fail_msg("\"%s\", not \"%s\"", error.message, words);
}

static void what_cannot_be_wanted_is_refused(void **state)
{
    (void)state;
    uint8_t pixels[3 * 9] = {0};
    float floats[8];
    uint32_t label;
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = pixels,
                          .data_bytes = sizeof pixels,
                          .width = 3,
                          .height = 3};
    imgret_extractor_options options = {.size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS};
    imgret_extractor *headless, *extractor;
    assert_int_equal(imgret_extractor_open(&headless, "fake", &options, NULL), 0);
    assert_int_equal(imgret_extractor_open(&extractor, "fake;act=head", &options, NULL), 0);
    imgret_extraction wanted = {.size = sizeof wanted, .logits = floats, .logit_floats = 8};
    refuse_wanted(headless, &input, &wanted, "no classification head");
    wanted.logit_floats = 2;
    refuse_wanted(extractor, &input, &wanted, "logits holds 2 floats, 3 are needed");
    wanted.logit_floats = 3;
    wanted.flags = 2;
    refuse_wanted(extractor, &input, &wanted, "flags");
    wanted.flags = IMGRET_EXTRACT_PREPARED;
    refuse_wanted(extractor, &input, &wanted, "3 x 3 pixels, fake_net takes 2 x 2");
    input.kind = IMGRET_INPUT_BYTES;
    refuse_wanted(extractor, &input, &wanted, "kind");
    wanted = (imgret_extraction){.size = sizeof wanted, .labels = &label};
    refuse_wanted(extractor, &input, &wanted, "go together");
    refuse_wanted(extractor, &input, NULL, "wanted");
    char text[8];
    assert_int_equal(imgret_extractor_get_label(extractor, 0, text, sizeof text, NULL),
                     IMGRET_NOT_FOUND); /* a head, but nobody named its classes */
    imgret_extractor_close(headless);
    imgret_extractor_close(extractor);
}

static void failing_memory_leaves_nothing(void **state)
{
    (void)state;
    uint64_t before = ir_alloc_live_count();
    int32_t status = IMGRET_NO_MEMORY;
    for (uint64_t n = 1; n < 20 && status; n++) {
        ir_labels *labels;
        ir_alloc_fail_after(n);
        status = ir_labels_parse(&labels, "f", (const uint8_t *)"a\nb", 3, NULL);
        ir_alloc_fail_after(0);
        if (status)
            assert_int_equal(status, IMGRET_NO_MEMORY);
        else
            ir_labels_free(labels);
        assert_int_equal(ir_alloc_live_count(), before);
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    int file = mkstemp(label_path);
    if (file < 0)
        return 1;
    close(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_classes),
        cmocka_unit_test(what_is_no_list_of_labels_is_refused),
        cmocka_unit_test(the_largest_logit_wins),
        cmocka_unit_test(labels_must_fit_the_head),
        cmocka_unit_test(pictures_get_labels),
        cmocka_unit_test(weights_may_name_the_classes),
        cmocka_unit_test(stored_pictures_have_labels),
        cmocka_unit_test(labels_may_come_later),
        cmocka_unit_test(what_cannot_be_wanted_is_refused),
        cmocka_unit_test(failing_memory_leaves_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(label_path);
    return failed;
}
