/* test_steps.c: clean-ups and letterbox against PIL byte for byte, and their place in a specification. */
#include "pil_cases.h"

#include "base/alloc.h"
#include "base/file.h"
#include "decode/decode.h"
#include "extract/preprocess.h"
#include "extract/steps.h"

#include <imgret/backend.h>
#include <imgret/imgret.h>

enum { HEAD_BYTES = 36, GREY = 1, MEDIAN, REENCODE, LETTERBOX };

typedef struct pil_case {
    uint32_t step, width, height, out_width, out_height, parameter, zeros[2];
    uint8_t bars[4];
} pil_case;

/* The step's result in fresh memory. */
static uint8_t *do_step(const pil_case *head, const uint8_t *source)
{
    size_t bytes = 3 * (size_t)head->width * head->height;
    ir_picture picture = {.width = head->width, .height = head->height, .rgb = ir_malloc(bytes)};
    memcpy(picture.rgb, source, bytes);
    if (head->step == REENCODE) {
        assert_int_equal(ir_decode_reencode(&picture, head->parameter, NULL), 0);
        return picture.rgb;
    }
    if (head->step == LETTERBOX) {
        imgret_backend_info info = {.input_width = head->out_width,
                                    .input_height = head->out_height,
                                    .filter = head->parameter};
        ir_steps steps = {.letterbox = true};
        memcpy(steps.bars, head->bars, 3);
        uint8_t *out = ir_malloc(3 * (size_t)head->out_width * head->out_height);
        assert_int_equal(ir_preprocess_run(&info, &steps, &picture, out, NULL), 0);
        ir_picture_free(&picture);
        return out;
    }
    ir_steps steps = {.grey = head->step == GREY, .denoise_px = head->step == MEDIAN ? 3 : 0};
    assert_int_equal(ir_steps_clean(&steps, &picture, NULL), 0);
    return picture.rgb;
}

static void check_case(const char *path)
{
    uint8_t *data;
    size_t bytes;
    pil_case head;
    _Static_assert(sizeof head == HEAD_BYTES, "the file's head");
    assert_int_equal(ir_file_read(path, 1u << 26, &data, &bytes, NULL), 0);
    assert_true(bytes > HEAD_BYTES);
    memcpy(&head, data, sizeof head);
    size_t source_bytes = 3 * (size_t)head.width * head.height;
    size_t out_bytes = 3 * (size_t)head.out_width * head.out_height;
    assert_int_equal(bytes, HEAD_BYTES + source_bytes + out_bytes);
    uint8_t *out = do_step(&head, data + HEAD_BYTES);
    if (memcmp(out, data + HEAD_BYTES + source_bytes, out_bytes) != 0)
        fail_msg("%s: step %u, %ux%u -> %ux%u, parameter %u differs from PIL", path, head.step,
                 head.width, head.height, head.out_width, head.out_height, head.parameter);
    ir_free(out);
    ir_free(data);
}

static void steps_equal_pil(void **state)
{
    (void)state;
    check_pil_cases("steps_reference.py", check_case);
}

static void refuse(const char *spec, const char *words)
{
    ir_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_extractor_open(&extractor, spec, IMGRET_TEST_PLUGINS, 1, &error);
    if (status != IMGRET_INVALID_ARGUMENT || !strstr(error.message, words))
        fail_msg("%s: %s: \"%s\", not \"%s\"", spec, imgret_status_name(status), error.message,
                 words);
}

static void values_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse("fake;grey=maybe", "grey=maybe: it is yes or no");
    refuse("fake;denoise=5", "denoise=5: it is 3 or no");
    refuse("fake;reencode=0", "reencode=0");
    refuse("fake;reencode=101", "reencode=101");
    refuse("fake;reencode=75x", "reencode=75x");
    refuse("fake;reencode=", "reencode=");
    refuse("fake;letterbox=1,2", "letterbox=1,2");
    refuse("fake;letterbox=1,2,256", "letterbox=1,2,256");
    refuse("fake;letterbox=1,2,3,4", "letterbox=1,2,3,4");
    refuse("fake;letterbox=00000000001,2,3", "letterbox=0000");
}

static void check_identity(const char *spec, const char *identity, uint32_t decode_min)
{
    ir_extractor *extractor;
    assert_int_equal(ir_extractor_open(&extractor, spec, IMGRET_TEST_PLUGINS, 1, NULL), 0);
    const ir_extractor_info *info = ir_extractor_get_info(extractor);
    assert_string_equal(info->identity, identity);
    assert_int_equal(info->decode_width_min, decode_min);
    assert_int_equal(info->decode_height_min, decode_min);
    ir_extractor_close(extractor);
}

/* Who asks for nothing keeps the identity that databases have recorded. */
static void steps_are_part_of_the_identity(void **state)
{
    (void)state;
    check_identity("fake;grey=no;letterbox=no;reencode=no;denoise=no",
                   "fake=1;resize=shorter:4;crop=2x2;filter=bicubic;dimension=4", 16);
    check_identity("fake;grey=yes",
                   "fake=1;resize=shorter:4;crop=2x2;filter=bicubic;grey=yes;dimension=4", 16);
    check_identity("fake;letterbox=yes",
                   "fake=1;resize=letterbox:2x2:0,0,0;filter=bicubic;dimension=4", 8);
    check_identity("fake;act=letterbox", /* the model's own way */
                   "fake=1;resize=letterbox:2x2:10,11,12:top_left;filter=bicubic;dimension=4", 8);
    check_identity("fake;act=letterbox;letterbox=yes",
                   "fake=1;resize=letterbox:2x2:0,0,0;filter=bicubic;dimension=4", 8);
    check_identity(
        "fake;reencode=60;denoise=3;letterbox=1,22,255", /* needs the file's own pixels */
        "fake=1;resize=letterbox:2x2:1,22,255;filter=bicubic;denoise=3;reencode=60;"
        "dimension=4",
        0);
}

/* Through the public call: the red picture's first byte, which the plugin returns, turns grey. */
static void a_user_switches_them_on(void **state)
{
    (void)state;
    uint8_t red[3 * 64];
    for (int i = 0; i < 64; i++)
        memcpy(red + 3 * i, (uint8_t[3]){200, 0, 0}, 3);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = red,
                          .data_bytes = sizeof red,
                          .width = 8,
                          .height = 8};
    imgret_extractor_options options = {
        .size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS, .threads = 1};
    static const struct {
        const char *spec;
        float first; /* of the vector: first byte + 1, 1 (the batch), scaled to length 1 */
    } cases[] = {{"fake", 201}, {"fake;grey=yes", 61}, {"fake;grey=yes;denoise=3;reencode=90", 61}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_extractor *extractor;
        float vector[4];
        assert_int_equal(imgret_extractor_open(&extractor, cases[i].spec, &options, NULL), 0);
        assert_int_equal(imgret_extract(extractor, &input, 1, vector, 4, NULL, NULL), 0);
        assert_float_equal(vector[0] / vector[1], cases[i].first, 0.05f);
        imgret_extractor_close(extractor);
    }
}

static void a_letterbox_may_lie_at_the_top_left(void **state)
{
    (void)state;
    uint8_t rgb[3 * 2 * 4], out[3 * 4 * 4];
    memset(rgb, 99, sizeof rgb);
    ir_picture tall = {.width = 2, .height = 4, .rgb = rgb};
    imgret_backend_info info = {
        .input_width = 4, .input_height = 4, .filter = IMGRET_FILTER_BILINEAR};
    ir_steps steps = {.letterbox = true, .bars = {1, 2, 3}};
    for (int top_left = 0; top_left < 2; top_left++) {
        steps.top_left = top_left;
        assert_int_equal(ir_preprocess_run(&info, &steps, &tall, out, NULL), 0);
        for (int i = 0; i < 16; i++) {
            bool bar = top_left ? i % 4 >= 2 : i % 4 == 0 || i % 4 == 3;
            assert_memory_equal(out + 3 * i, bar ? steps.bars : rgb, 3);
        }
    }
}

static void failing_memory_is_an_error(void **state)
{
    (void)state;
    uint8_t rgb[3 * 12] = {0};
    ir_picture picture = {.width = 4, .height = 3, .rgb = rgb};
    ir_steps steps = {.denoise_px = 3};
    imgret_error error = IMGRET_ERROR_INIT;
    ir_alloc_fail_after(1);
    assert_int_equal(ir_steps_clean(&steps, &picture, &error), IMGRET_NO_MEMORY);
    ir_alloc_fail_after(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_equal_pil),
        cmocka_unit_test(values_that_make_no_sense_are_refused),
        cmocka_unit_test(steps_are_part_of_the_identity),
        cmocka_unit_test(a_user_switches_them_on),
        cmocka_unit_test(a_letterbox_may_lie_at_the_top_left),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
