/* test_extract_spec.c: taking model specifications apart. */
#include "testing.h"

#include "base/alloc.h"
#include "extract/extract.h"

static void check(const char *text, const char *backend, const char *weights, const char *options,
                  uint32_t dimension)
{
    ir_model_spec spec;
    imgret_error error = IMGRET_ERROR_INIT;
    if (ir_model_spec_parse(&spec, text, &error))
        fail_msg("%s: %s", text, error.message);
    if (backend)
        assert_string_equal(spec.backend, backend);
    else
        assert_null(spec.backend);
    assert_string_equal(spec.weights, weights);
    assert_string_equal(spec.options, options);
    assert_int_equal(spec.vectors_dimension, dimension);
    ir_model_spec_free(&spec);
    assert_null(spec.weights);
}

static void good_specifications(void **state)
{
    (void)state;
    check("classic", "classic", "", "", 0);
    check("vectors:1", "vectors", "", "", 1);
    check("vectors:65536", "vectors", "", "", 65536);
    check("torch:/m/vit.safetensors", "torch", "/m/vit.safetensors", "", 0);
    check("torch:vit.pt;dtype=bf16;pool=", "torch", "vit.pt", "dtype=bf16;pool=", 0);
    check("my_backend2:x", "my_backend2", "x", "", 0);
    check("fake;act=nan", "fake", "", "act=nan", 0);
    check("torch:a:b", "torch", "a:b", "", 0);
}

static void paths_with_colons_stay_paths(void **state)
{
    (void)state;
    check("/models/vit.safetensors", NULL, "/models/vit.safetensors", "", 0);
    check("vit.safetensors;dtype=f32", NULL, "vit.safetensors", "dtype=f32", 0);
    check("C:\\models\\vit.pt", NULL, "C:\\models\\vit.pt", "", 0);
    check("c:/models/vit.pt", NULL, "c:/models/vit.pt", "", 0); /* one letter is a drive */
    check("./torch:vit.pt", NULL, "./torch:vit.pt", "", 0);
    check("dir/a:b.pt", NULL, "dir/a:b.pt", "", 0);
    check("Torch:vit.pt", NULL, "Torch:vit.pt", "", 0);
    check("2fast:vit.pt", NULL, "2fast:vit.pt", "", 0);
    check("my-model:v2.pt", NULL, "my-model:v2.pt", "", 0);
}

static void refuse(const char *text, const char *why)
{
    ir_model_spec spec;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t before = ir_alloc_live_count();
    assert_int_equal(ir_model_spec_parse(&spec, text, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(error.code, IMGRET_INVALID_ARGUMENT);
    if (!strstr(error.message, why))
        fail_msg("\"%s\" lacks \"%s\"", error.message, why);
    assert_int_equal(ir_alloc_live_count(), before);
    ir_model_spec_free(&spec); /* harmless after a failure */
}

static void bad_specifications(void **state)
{
    (void)state;
    refuse(NULL, "empty");
    refuse("", "empty");
    refuse("torch:", "names no weights");
    refuse(";dtype=f32", "names no weights");
    refuse("torch:;dtype=f32", "names no weights");
    refuse("vectors", "needs a dimension");
    refuse("vectors:0", "1 to 65536");
    refuse("vectors:65537", "1 to 65536");
    refuse("vectors:99999999999999999999", "1 to 65536");
    refuse("vectors:-3", "1 to 65536");
    refuse("vectors:12x", "1 to 65536");
    refuse("vectors:12;metric=l2", "1 to 65536");
    refuse("torch:a;dtype", "\"dtype\" is no key=value");
    refuse("torch:a;", "no key=value");
    refuse("torch:a;=f32", "no key=value");
    refuse("torch:a;x=1;;y=2", "no key=value");
    refuse("torch:a;Key=1", "\"Key=1\"");
    refuse("torch:a;x=1;y=2;x=3", "option \"x\" is given twice");
    char longest[200];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 100, ":w", 3);
    refuse(longest, "at most 64 letters");
}

static void failing_allocations_are_reported(void **state)
{
    (void)state;
    uint64_t before = ir_alloc_live_count();
    for (uint64_t nth = 1; nth <= 3; nth++) {
        ir_model_spec spec;
        ir_alloc_fail_after(nth);
        assert_int_equal(ir_model_spec_parse(&spec, "torch:a;x=1", NULL), IMGRET_NO_MEMORY);
        ir_alloc_fail_after(0);
        assert_int_equal(ir_alloc_live_count(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_specifications),
        cmocka_unit_test(paths_with_colons_stay_paths),
        cmocka_unit_test(bad_specifications),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests_name("extract_spec", tests, NULL, NULL);
}
