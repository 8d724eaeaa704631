/* test_resize.c: resizing against PIL byte for byte, and torchvision's crop geometry. */
#include "pil_cases.h"

#include "base/alloc.h"
#include "base/file.h"
#include "extract/preprocess.h"
#include "extract/resize.h"

#include <imgret/backend.h>

enum { CASE_HEAD_BYTES = 36 };

static void check_case(const char *path)
{
    uint8_t *data;
    size_t bytes;
    uint32_t head[9];
    assert_int_equal(ir_file_read(path, 1u << 26, &data, &bytes, NULL), 0);
    assert_true(bytes > CASE_HEAD_BYTES);
    memcpy(head, data, sizeof head);
    ir_resize resize = {head[0], head[1], head[2], head[3], head[4],
                        head[5], head[6], head[7], head[8]};
    size_t source_bytes = 3 * (size_t)head[0] * head[1], out_bytes = 3 * (size_t)head[6] * head[7];
    assert_int_equal(bytes, CASE_HEAD_BYTES + source_bytes + out_bytes);
    uint8_t *out = ir_malloc(out_bytes);
    assert_int_equal(ir_resize_rgb(&resize, data + CASE_HEAD_BYTES, out, NULL), 0);
    if (memcmp(out, data + CASE_HEAD_BYTES + source_bytes, out_bytes) != 0)
        fail_msg("%ux%u -> %ux%u, window %u,%u %ux%u, filter %u differs from PIL", head[0], head[1],
                 head[2], head[3], head[4], head[5], head[6], head[7], head[8]);
    ir_free(out);
    ir_free(data);
}

static void resizing_equals_pil(void **state)
{
    (void)state;
    check_pil_cases("resize_reference.py", check_case);
}

static ir_resize plan(uint32_t resize_px, uint32_t crop, uint32_t width, uint32_t height)
{
    imgret_backend_info info = {
        .input_width = crop,
        .input_height = crop,
        .resize = IMGRET_RESIZE_SHORTER_SIDE,
        .resize_px = resize_px,
        .filter = IMGRET_FILTER_BICUBIC,
    };
    ir_resize out;
    assert_int_equal(ir_preprocess_plan(&out, &info, width, height, NULL), 0);
    return out;
}

/* Expected numbers: torchvision.transforms.functional.resize and center_crop. */
static void geometry_equals_torchvision(void **state)
{
    (void)state;
    ir_resize out = plan(248, 224, 500, 375);
    assert_int_equal(out.scaled_width, 330); /* int(248 * 500 / 375) = int(330.67) */
    assert_int_equal(out.scaled_height, 248);
    assert_int_equal(out.left, 53);
    assert_int_equal(out.top, 12);
    out = plan(256, 224, 333, 500);
    assert_int_equal(out.scaled_width, 256);
    assert_int_equal(out.scaled_height, 384);
    assert_int_equal(out.top, 80);
    out = plan(227, 224, 227, 229); /* round(1.5) = 2, round(2.5) = 2 */
    assert_int_equal(out.left, 2);
    assert_int_equal(out.top, 2);
    out = plan(224, 224, 224, 224);
    assert_int_equal(out.left, 0);
}

static void a_narrow_picture_costs_little_memory(void **state)
{
    (void)state;
    enum { LENGTH = 10000, CROP = 224 };
    ir_resize resize = plan(248, CROP, 1, LENGTH); /* 248 x 2,480,000 if it were made whole */
    assert_int_equal(resize.scaled_height, 2480000);
    uint8_t *source = malloc(3 * LENGTH), *out = malloc(3 * CROP * CROP);
    for (int i = 0; i < LENGTH; i++)
        memset(source + 3 * i, i >= LENGTH / 2 ? 200 : 100, 3);
    assert_int_equal(ir_resize_rgb(&resize, source, out, NULL), 0);
    /* the crop is less than one source pixel high, in the middle of the step from 100 to 200 */
    assert_in_range(out[0], 95, 115);
    assert_in_range(out[3 * (CROP / 2) * CROP], 145, 155);
    assert_in_range(out[3 * CROP * CROP - 1], 185, 205);
    ir_resize across = plan(248, CROP, LENGTH, 1);
    assert_int_equal(ir_resize_rgb(&across, source, out, NULL), 0);
    assert_in_range(out[0], 95, 115);
    assert_in_range(out[3 * CROP - 1], 185, 205);
    free(out);
    free(source);
}

static void a_side_that_outgrows_31_bits_is_refused(void **state)
{
    (void)state;
    imgret_backend_info info = {
        .input_width = 4096,
        .input_height = 4096,
        .resize = IMGRET_RESIZE_SHORTER_SIDE,
        .resize_px = 4096,
        .filter = IMGRET_FILTER_BILINEAR,
    };
    ir_resize out;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_preprocess_plan(&out, &info, 1, 1u << 20, &error), IMGRET_LIMIT);
    assert_non_null(strstr(error.message, "1 x 1048576"));
}

static void failing_allocations_are_reported(void **state)
{
    (void)state;
    uint8_t source[3 * 20 * 20] = {0}, out[3 * 8 * 8];
    ir_resize resize = {20, 20, 8, 8, 0, 0, 8, 8, IMGRET_FILTER_BICUBIC};
    uint64_t before = ir_alloc_live_count();
    uint64_t nth = 0;
    int32_t status;
    do {
        imgret_error error = IMGRET_ERROR_INIT;
        ir_alloc_fail_after(++nth);
        status = ir_resize_rgb(&resize, source, out, &error);
        ir_alloc_fail_after(0);
        assert_int_equal(error.code, status);
        assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
        assert_int_equal(ir_alloc_live_count(), before);
    } while (status);
    assert_true(nth > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_equals_pil),
        cmocka_unit_test(geometry_equals_torchvision),
        cmocka_unit_test(a_narrow_picture_costs_little_memory),
        cmocka_unit_test(a_side_that_outgrows_31_bits_is_refused),
        cmocka_unit_test(failing_allocations_are_reported),
    };
    return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
