/* test_tensors.c: the command's reader of reference tensors: good files, and what is refused. */
#include "testing.h"

#include "tensors.h"

#include <stdbool.h>

typedef struct found {
    bool good;
    const char *reason;
    cli_tensor tensors[2];
    int first; /* byte of the first one's data */
} found;

/* A file of this header and `data_bytes` bytes 0, 1, 2, ... The memory is exactly as long. */
static found read_header(const char *header, size_t data_bytes)
{
    size_t header_bytes = strlen(header), bytes = 8 + header_bytes + data_bytes;
    uint8_t *file = malloc(bytes);
    memset(file, 0, 8);
    file[0] = (uint8_t)header_bytes;
    file[1] = (uint8_t)(header_bytes >> 8);
    memcpy(file + 8, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + header_bytes + i] = (uint8_t)i;
    found out = {.tensors = {{.name = "pixels"}, {.name = "embedding"}}};
    out.good = cli_tensors_find(file, bytes, out.tensors, 2, &out.reason);
    if (out.good && out.tensors[0].found)
        out.first = out.tensors[0].data[0];
    free(file);
    return out;
}

static void tensors_are_found(void **state)
{
    (void)state;
    found out = read_header("{\"__metadata__\":{\"a\":\"b \\\" }\"},"
                            "\"pixels\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[4,10]},"
                            "\"other\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[0,2]},"
                            " \"embedding\" : {\"shape\":[1],\"data_offsets\":[0,4],"
                            "\"dtype\":\"F32\"} }  ",
                            10);
    assert_true(out.good);
    assert_true(out.tensors[0].found && !out.tensors[0].is_float);
    assert_int_equal(out.tensors[0].rank, 2);
    assert_int_equal(out.tensors[0].shape[1], 3);
    assert_int_equal(out.tensors[0].count, 6);
    assert_int_equal(out.first, 4);
    assert_true(out.tensors[1].found && out.tensors[1].is_float);
    out = read_header("{}", 0);
    assert_true(out.good && !out.tensors[0].found);
}

static void refuse(const char *header, const char *words)
{
    found out = read_header(header, 8);
    assert_false(out.good);
    if (!strstr(out.reason, words))
        fail_msg("%s: \"%s\", not \"%s\"", header, out.reason, words);
}

#define PIXELS(dtype, shape, offsets) \
    "{\"pixels\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}}"

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    refuse(PIXELS("U8", "9", "0,9"), "place");  /* beyond the file */
    refuse(PIXELS("U8", "3", "4,0"), "place");  /* ends before it begins */
    refuse(PIXELS("U8", "3", "0,4"), "place");  /* more than its shape */
    refuse(PIXELS("F32", "4", "0,4"), "place"); /* less */
    refuse(PIXELS("U8", "3", "0"), "place");
    refuse(PIXELS("I64", "1", "0,8"), "neither");
    refuse(PIXELS("U8", "4294967296,4294967296", "0,0"), "too large");
    refuse(PIXELS("F32", "4611686018427387904", "0,0"), "place");
    refuse(PIXELS("U8", "99999999999999999999", "0,0"), "too large");
    refuse(PIXELS("U8", "1,1,1,1,1,1,1,1,1", "0,1"), "too long");
    refuse(PIXELS("U8", "1", "0,1,2"), "too long");
    refuse(PIXELS("U8", "-1", "0,1"), "whole");
    refuse("{\"pixels\":{\"dtype\":\"U8\",\"size\":[1]}}", "unknown field");
    refuse("{\"pixels\":{}}", "JSON");
    refuse("{\"pixels\":[]}", "JSON");
    refuse("{\"pixels", "no end");
    refuse("{\"pixels\\", "no end");
    refuse("{} x", "follows");
    refuse("[]", "JSON");
    refuse("{\"pixels\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
           "\"pixels\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
           "twice");
}

static void what_is_no_such_file_is_refused(void **state)
{
    (void)state;
    cli_tensor wanted = {.name = "pixels"};
    const char *reason;
    assert_false(cli_tensors_find((const uint8_t *)"", 0, &wanted, 1, &reason));
    assert_false(cli_tensors_find((const uint8_t *)"\2\0\0\0\0\0\0\0{", 9, &wanted, 1, &reason));
    assert_false(cli_tensors_find((const uint8_t *)"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10,
                                  &wanted, 1, &reason));
    assert_non_null(strstr(reason, ".safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(what_is_no_such_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
