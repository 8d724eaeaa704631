/* test_safetensors.c: the strict reader: what it takes, and one clear error for all it refuses. */
#include "torch/failure.h"
#include "torch/safetensors.h"
#include "torch_fixture.h"

/* A file of `header` and `data_bytes` bytes 0, 1, 2, ... in memory, freed by the caller. */
static uint8_t *make_file(const char *header, size_t data_bytes, size_t *bytes)
{
    uint64_t length = strlen(header);
    uint8_t *file = malloc(8 + length + data_bytes);
    assert_non_null(file);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + length + i] = (uint8_t)i;
    *bytes = 8 + length + data_bytes;
    return file;
}

static void expect(const char *header, size_t data_bytes, int32_t status, const char *words)
{
    size_t bytes;
    uint8_t *data = make_file(header, data_bytes, &bytes);
    imgret_error error = IMGRET_ERROR_INIT;
    ir_safetensors *file;
    int32_t got = ir_safetensors_open_memory(&file, "m.safetensors", data, bytes, &error);
    if (got != status || !strstr(error.message, words))
        fail_msg("%s\n%d '%s', not %d '%s'", header, got, error.message, status, words);
    if (status) {
        assert_null(file);
        assert_non_null(strstr(error.message, "m.safetensors"));
    }
    ir_safetensors_close(file);
    free(data);
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void good_files_are_read(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *data = make_file(
        "{\"__metadata__\":{\"mean\":\"1,2,3\"}," A
        ",\"z\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]},"
        "\"\\u00e9\":{\"shape\":[0,7],\"dtype\":\"BF16\",\"data_offsets\":[8,8]}}  ",
        9, &bytes);
    ir_safetensors *file;
    assert_int_equal(ir_safetensors_open_memory(&file, "m", data, bytes, NULL), 0);
    assert_int_equal(ir_safetensors_count(file), 3);
    assert_null(ir_safetensors_at(file, 3));
    const ir_safetensors_tensor *a = ir_safetensors_find(file, "a");
    assert_ptr_equal(a, ir_safetensors_at(file, 0));
    assert_int_equal(a->type, IR_ST_F32);
    assert_int_equal(a->rank, 1);
    assert_int_equal(a->shape[0], 2);
    uint8_t got[8];
    assert_int_equal(ir_safetensors_read(file, a, got, NULL), 0);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(got[i], i);
    const ir_safetensors_tensor *z = ir_safetensors_find(file, "z");
    assert_int_equal(z->element_count, 1);
    assert_int_equal(ir_safetensors_read(file, z, got, NULL), 0);
    assert_int_equal(got[0], 8);
    assert_int_equal(ir_safetensors_find(file, "\xC3\xA9")->element_count, 0);
    assert_null(ir_safetensors_find(file, "b"));
    assert_string_equal(ir_safetensors_metadata(file, "mean"), "1,2,3");
    assert_null(ir_safetensors_metadata(file, "std"));
    ir_safetensors_close(file);
    free(data);
    ir_safetensors_close(NULL);
}

static void empty_files_are_read(void **state)
{
    (void)state;
    expect("{}", 0, 0, "");
    expect("{\"__metadata__\":{}}", 0, 0, "");
}

static void headers_are_checked(void **state)
{
    (void)state;
    expect("", 0, IMGRET_BAD_MODEL, "does not begin");
    expect("[]", 0, IMGRET_BAD_MODEL, "does not begin");
    expect(" {}", 0, IMGRET_BAD_MODEL, "does not begin");
    expect("{" A, 8, IMGRET_BAD_MODEL, "not valid JSON");
    expect("{" A "} x", 8, IMGRET_BAD_MODEL, "garbage");
    expect("{" A "}{}", 8, IMGRET_BAD_MODEL, "garbage");
    expect("{" A ",}", 8, IMGRET_BAD_MODEL, "not valid JSON");
    expect("{\"a\n\":1}", 8, IMGRET_BAD_MODEL, "control character");
    expect("{\"a\":[[[[[[1]]]]]]}", 0, IMGRET_BAD_MODEL, "nested");
    expect("{" A "}", 9, IMGRET_BAD_MODEL, "1 bytes after the last tensor");
    expect("{}", 3, IMGRET_BAD_MODEL, "3 bytes after the last tensor");
    expect("{" A "," A "}", 8, IMGRET_BAD_MODEL, "tensor 'a': stands there twice");
}

static void tensors_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *words;
    } cases[] = {
        {"1", "not described"},
        {"{}", "no dtype"},
        {"{\"dtype\":\"F32\",\"data_offsets\":[0,8]}", "no shape"},
        {"{\"dtype\":\"F32\",\"shape\":[2]}", "data_offsets"},
        {"{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}", "no dtype"},
        {"{\"dtype\":\"F12\",\"shape\":[2],\"data_offsets\":[0,8]}", "unknown dtype 'F12'"},
        {"{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}", "whole numbers"},
        {"{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,8]}", "whole numbers"},
        {"{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}", "whole numbers"},
        {"{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,8]}", "whole numbers"},
        {"{\"dtype\":\"F32\",\"shape\":[9007199254740992,4096],\"data_offsets\":[0,8]}",
         "overflows"},
        {"{\"dtype\":\"F64\",\"shape\":[4503599627370496,1024],\"data_offsets\":[0,8]}",
         "overflows"},
        {"{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]}", "8 dimensions"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}", "data_offsets"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}", "data_offsets"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}", "outside"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}", "outside"},
        {"{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}", "do not fit"},
        {"{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}", "hole"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}", "unknown or repeated"},
        {"{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", "repeated"},
        {"{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}",
         "overlaps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[400];
        snprintf(header, sizeof header, "{\"a\":%s}", cases[i].entry);
        expect(header, 8, IMGRET_BAD_MODEL, cases[i].words);
    }
}

static void metadata_is_checked(void **state)
{
    (void)state;
    expect("{\"__metadata__\":[]}", 0, IMGRET_BAD_MODEL, "__metadata__");
    expect("{\"__metadata__\":{\"a\":1}}", 0, IMGRET_BAD_MODEL, "__metadata__");
    expect("{\"__metadata__\":{},\"__metadata__\":{}}", 0, IMGRET_BAD_MODEL, "twice");
}

static void lengths_are_checked(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3, 100000001, UINT64_MAX, UINT64_MAX - 7, INT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t file[10] = {0};
        memcpy(file, &lengths[i], 8);
        memcpy(file + 8, "{}", 2);
        imgret_error error = IMGRET_ERROR_INIT;
        ir_safetensors *opened;
        assert_int_equal(ir_safetensors_open_memory(&opened, "m", file, sizeof file, &error),
                         IMGRET_BAD_MODEL);
        assert_non_null(strstr(error.message, "cut short"));
        assert_int_equal(ir_safetensors_open_memory(&opened, "m", file, i, &error),
                         IMGRET_BAD_MODEL);
        assert_non_null(strstr(error.message, "too short"));
    }
}

static void costly_headers_are_refused(void **state)
{
    (void)state;
    size_t count = 3000000;
    char *header = malloc(2 * count + 16);
    assert_non_null(header);
    strcpy(header, "{\"a\":[");
    for (size_t i = 0; i < count; i++)
        memcpy(header + 6 + 2 * i, "0,", 2);
    strcpy(header + 6 + 2 * count, "0]}");
    expect(header, 0, IMGRET_LIMIT, "too many values");
    free(header);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *data = make_file("{\"__metadata__\":{\"x\":\"y\"}," A "}", 8, &bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        uint8_t *part = malloc(cut + 1); /* its own block: the sanitizer sees a read beyond it */
        assert_non_null(part);
        memcpy(part, data, cut);
        ir_safetensors *file;
        assert_int_equal(ir_safetensors_open_memory(&file, "m", part, cut, NULL), IMGRET_BAD_MODEL);
        assert_null(file);
        free(part);
    }
    free(data);
}

static void files_are_opened_with_care(void **state)
{
    (void)state;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_safetensors *file;
    assert_int_equal(ir_safetensors_open(&file, "/no/such.safetensors", &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "/no/such.safetensors"));
    assert_int_equal(ir_safetensors_open(&file, "/dev/null", &error), IMGRET_INVALID_ARGUMENT);
    char path[64];
    temporary_path(path);
    st_writer writer = {0};
    float values[2] = {1, 2}, got[2];
    st_add(&writer, "a", "F32", "[2]", values, sizeof values);
    st_write(&writer, path);
    assert_int_equal(ir_safetensors_open(&file, path, &error), 0);
    const ir_safetensors_tensor *a = ir_safetensors_find(file, "a");
    assert_int_equal(ir_safetensors_read(file, a, got, &error), 0);
    assert_memory_equal(got, values, sizeof values);
    assert_int_equal(truncate(path, 20), 0); /* under our feet: an error, no SIGBUS */
    assert_int_equal(ir_safetensors_read(file, a, got, &error), IMGRET_BAD_MODEL);
    assert_non_null(strstr(error.message, "shorter"));
    ir_safetensors_close(file);
    unlink(path);
}

static void messages_stay_printable(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *data = make_file("{\"\\u001b[31mred\\n\":1}", 0, &bytes);
    imgret_error error = IMGRET_ERROR_INIT;
    ir_safetensors *file;
    assert_int_equal(ir_safetensors_open_memory(&file, "m", data, bytes, &error), IMGRET_BAD_MODEL);
    assert_string_equal(error.message, "m: tensor '?[31mred?': is not described by an object");
    free(data);
}

/* libtorch repeats bytes of the files it reads. */
static void messages_stay_utf8(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a\xA0z", "a?z"},
        {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x88", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x88"},
        {"\xC0\xAF \xE0\x80\xAF \xF5z", "?? ??? ?z"},
        {"\xED\xA0\x80 \xF4\x90\x80\x80z", "??? ????z"},
        {"cut \xE2\x82", "cut "},
        {"two\nlines\x7F", "two?lines?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(ir_torch_fail(&error, IMGRET_BAD_MODEL, "%s", cases[i][0]),
                         IMGRET_BAD_MODEL);
        assert_string_equal(error.message, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),        cmocka_unit_test(empty_files_are_read),
        cmocka_unit_test(headers_are_checked),        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(metadata_is_checked),        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(costly_headers_are_refused), cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(files_are_opened_with_care), cmocka_unit_test(messages_stay_printable),
        cmocka_unit_test(messages_stay_utf8),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
