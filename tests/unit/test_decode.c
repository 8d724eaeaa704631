/* test_decode.c: the front of the room: formats told apart, limits, orientation, raw pixels. */
#include "decode_pictures.h"

static file_bytes file;

static void every_format_is_decoded_to_its_pixels(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        ir_picture picture;
        imgret_error error = IMGRET_ERROR_INIT;
        samples[i].make(&file);
        if (decode_file(&file, &picture, &error))
            fail_msg("%s: %s", samples[i].name, error.message);
        assert_string_equal(picture.format, samples[i].format);
        assert_int_equal(picture.source_width, SCENE_WIDTH);
        assert_scene(&picture, samples[i].tolerance);
        ir_picture_free(&picture);
    }
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void formats_are_told_by_their_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *format;
    } heads[] = {
        {"\xFF\xD8\xFF\xE0", 4, "jpeg"},
        {"II*\0\x08\0\0\0", 8, "tiff"},
        {"\0\0\0\x0CjP  \r\n\x87\n", 12, "jp2"},
        {"\0\0\0\x18"
         "ftypheic",
         12, "heif"},
        {"\0\0\0\x18"
         "ftypavif",
         12, "avif"},
        {"\xFF\x0A..", 4, "jxl"},
        {"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\0\1\0\0\x16\0\0\0", 22, "ico"},
        {"<?xml version=\"1.0\"?>\n<svg xmlns=", 33, "svg"},
        {"  <svg>", 7, "svg"},
        {"\x76\x2F\x31\x01", 4, "exr"},
        {"qoif....", 8, "qoi"},
        {"DDS |", 5, "dds"},
        {"II*\0\x10\0\0\0CR\x02\0", 12, "cr2"},
        {"P7\nWIDTH", 8, "pam"},
        {"RIFF\0\0\0\0WEBPVP8 ", 16, "webp"},
        {"P1\n# text\n", 10, "pnm"},
        {"\0\0\0\x18"
         "ftypmp42",
         12, NULL},
        {"P1 is a road", 12, NULL},
        {"P6", 2, NULL},
        {"BM is no bitmap, it is a sentence.", 34, NULL},
        {"<?xml version=\"1.0\"?><html>", 27, NULL},
        {"RIFF\0\0\0\0WAVEfmt ", 16, NULL},
        {"", 0, NULL},
        {"\0", 1, NULL},
        {"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0", 18, "tga"},
        {"\0\0\2\0\1\0\0\0\0\0\0\0\x10\0\x10\0\x18\0", 18, NULL},  /* a palette without one */
        {"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x17\0", 18, NULL},  /* 23 bits */
        {"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\0\0\x18\0", 18, NULL},    /* no height */
        {"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\xC0", 18, NULL} /* bits that must be 0 */
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        bool supported;
        const char *format = ir_decode_sniff((const uint8_t *)heads[i].bytes, heads[i].count,
                                             &supported);
        if (!heads[i].format)
            assert_null(format);
        else
            assert_string_equal(format, heads[i].format);
    }
}

static void a_known_format_without_decoder_is_named(void **state)
{
    (void)state;
    ir_decode_options options = default_options();
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(decode_copy((const uint8_t *)"II*\0\x08\0\0\0", 8, &options, &picture, &error),
                     IMGRET_UNSUPPORTED);
    assert_non_null(strstr(error.message, "tiff"));
    assert_int_equal(decode_copy((const uint8_t *)"plain text", 10, &options, &picture, &error),
                     IMGRET_BAD_IMAGE);
    assert_null(picture.rgb);
}

static void limits_have_defaults_and_a_size(void **state)
{
    (void)state;
    imgret_limits limits, given = {.size = sizeof given, .dimension_max = 100};
    assert_int_equal(ir_decode_limits(&limits, &given, NULL), 0);
    assert_int_equal(limits.dimension_max, 100);
    assert_int_equal(limits.file_bytes_max, 256 << 20);
    assert_int_equal(limits.pixel_count_max, 128 << 20);
    given.size = 4;
    assert_int_equal(ir_decode_limits(&limits, &given, NULL), IMGRET_INVALID_ARGUMENT);
}

static int32_t decode_limited(imgret_limits limits)
{
    ir_decode_options options = {0};
    limits.size = sizeof limits;
    assert_int_equal(ir_decode_limits(&options.limits, &limits, NULL), 0);
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = decode_copy(file.data, file.count, &options, &picture, &error);
    if (status == 0)
        ir_picture_free(&picture);
    return status;
}

static void limits_hold_before_pixels_are_allocated(void **state)
{
    (void)state;
    const imgret_limits exact = {.dimension_max = SCENE_WIDTH,
                                 .pixel_count_max = SCENE_WIDTH * SCENE_HEIGHT};
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        samples[i].make(&file);
        imgret_limits limits = exact;
        limits.file_bytes_max = file.count;
        assert_int_equal(decode_limited(limits), 0);
        /* An allocation would fail here and give another status; JPEG without libjpeg needs some
         * for its header. */
#if IR_WITH_TURBOJPEG
        bool counts = true;
#else
        bool counts = strcmp(samples[i].format, "jpeg") != 0;
#endif
        ir_alloc_fail_after(counts ? 1 : 0);
        limits.file_bytes_max = file.count - 1;
        assert_int_equal(decode_limited(limits), IMGRET_LIMIT);
        limits = exact;
        limits.dimension_max--;
        assert_int_equal(decode_limited(limits), IMGRET_LIMIT);
        limits = exact;
        limits.pixel_count_max--;
        assert_int_equal(decode_limited(limits), IMGRET_LIMIT);
        ir_alloc_fail_after(0);
    }
}

static void each_failing_allocation_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        samples[i].make(&file);
        int32_t status = IMGRET_NO_MEMORY;
        uint64_t n = 0;
        while (status == IMGRET_NO_MEMORY && n < 100) {
            ir_picture picture;
            ir_alloc_fail_after(++n);
            status = decode_file(&file, &picture, NULL);
            ir_alloc_fail_after(0);
            if (status == 0)
                ir_picture_free(&picture);
            assert_int_equal(ir_alloc_live_count(), 0);
        }
        assert_int_equal(status, 0);
        assert_true(n > 1);
    }
}

/* The pixel of the encoded scene that EXIF 2.3 wants at (x, y) of the upright picture. */
static const uint8_t *upright_colour(uint32_t orientation, int x, int y)
{
    const int right = SCENE_WIDTH - 1, bottom = SCENE_HEIGHT - 1;
    switch (orientation) {
    case 2:
        return scene_colour(right - x, y);
    case 3:
        return scene_colour(right - x, bottom - y);
    case 4:
        return scene_colour(x, bottom - y);
    case 5:
        return scene_colour(y, x);
    case 6:
        return scene_colour(y, bottom - x);
    case 7:
        return scene_colour(right - y, bottom - x);
    case 8:
        return scene_colour(right - y, x);
    default:
        return scene_colour(x, y);
    }
}

static void assert_turned(uint32_t orientation, int tolerance)
{
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    if (decode_file(&file, &picture, &error))
        fail_msg("orientation %u: %s", orientation, error.message);
    bool lies = orientation >= 5 && orientation <= 8;
    assert_int_equal(picture.width, lies ? SCENE_HEIGHT : SCENE_WIDTH);
    assert_int_equal(picture.height, lies ? SCENE_WIDTH : SCENE_HEIGHT);
    assert_int_equal(picture.source_width, picture.width);
    assert_int_equal(picture.source_height, picture.height);
    for (uint32_t y = 0; y < picture.height; y++)
        for (uint32_t x = 0; x < picture.width; x++)
            assert_near(picture.rgb + 3 * (y * picture.width + x),
                        upright_colour(orientation, (int)x, (int)y), tolerance);
    ir_picture_free(&picture);
}

static void all_orientations_of_jpeg_and_png_are_turned_once(void **state)
{
    (void)state;
    for (uint32_t orientation = 0; orientation <= 9; orientation++) {
        make_jpeg(&file);
        add_exif_to_jpeg(&file, orientation);
        assert_turned(orientation, 6);
        uint8_t exif[26];
        make_png(&file);
        add_png_chunk(&file, "eXIf", exif, make_exif(exif, orientation, orientation % 2 == 1));
        assert_turned(orientation, 0);
    }
}

#if IR_WITH_WEBP
static void orientation_of_webp_is_turned(void **state)
{
    (void)state;
    static file_bytes plain;
    uint8_t exif[26];
    make_webp(&plain);
    file.count = 0;
    put_text(&file, "RIFF");
    put_le(&file, 0, 4);
    put_text(&file, "WEBPVP8X");
    put_le(&file, 10, 4);
    put_le(&file, 8, 4); /* there is EXIF */
    put_le(&file, SCENE_WIDTH - 1, 3);
    put_le(&file, SCENE_HEIGHT - 1, 3);
    put(&file, plain.data + 12, plain.count - 12);
    put_text(&file, "EXIF");
    put_le(&file, 26, 4);
    put(&file, exif, make_exif(exif, 6, false));
    file.data[4] = (uint8_t)(file.count - 8), file.data[5] = (uint8_t)((file.count - 8) >> 8);
    assert_turned(6, 0);
}
#endif

static void damaged_exif_leaves_the_picture_as_it_is(void **state)
{
    (void)state;
    static file_bytes whole;
    make_jpeg(&whole);
    add_exif_to_jpeg(&whole, 6);
    const size_t exif = 12; /* SOI, marker, length, "Exif" and two NULs */
    static const struct {
        size_t at;
        uint8_t value;
    } damages[] = {
        {0, 'X'},  /* byte order */
        {7, 0xFF}, /* directory beyond the end */
        {13, 4},   /* type LONG */
        {17, 2},   /* two values */
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        file = whole;
        file.data[exif + damages[i].at] = damages[i].value;
        assert_turned(1, 6);
    }
    file = whole;
    assert_turned(6, 6);
}

static imgret_input pixel_input(const void *data, uint64_t bytes, uint32_t format)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = data,
                          .data_bytes = bytes,
                          .width = 2,
                          .height = 2,
                          .pixel_format = format};
}

static void raw_pixels_of_every_kind_become_rgb(void **state)
{
    (void)state;
    static const uint8_t data[20] = {10, 20, 30, 0,  40, 50, 60, 255, 7, 7,
                                     70, 80, 90, 51, 1,  2,  3,  128, 9, 9};
    static const uint8_t expected[4][12] = {
        [IMGRET_PIXELS_RGB8] = {10, 20, 30, 0, 40, 50, 70, 80, 90, 51, 1, 2},
        [IMGRET_PIXELS_RGBA8] = {255, 255, 255, 40, 50, 60, 218, 220, 222, 128, 128, 129},
        [IMGRET_PIXELS_GRAY8] = {10, 10, 10, 20, 20, 20, 70, 70, 70, 80, 80, 80},
        [IMGRET_PIXELS_BGR8] = {30, 20, 10, 50, 40, 0, 90, 80, 70, 2, 1, 51}};
    ir_decode_options options = default_options();
    for (uint32_t format = 0; format < 4; format++) {
        imgret_input input = pixel_input(data, sizeof data, format);
        input.row_bytes = 10;
        ir_picture picture;
        assert_int_equal(ir_decode_pixels(&input, &options.limits, &picture, NULL), 0);
        assert_memory_equal(picture.rgb, expected[format], 12);
        assert_string_equal(picture.format, "pixels");
        ir_picture_free(&picture);
    }
}

static void raw_pixels_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    uint8_t data[12] = {0};
    ir_decode_options options = default_options();
    ir_picture picture;
    imgret_input input = pixel_input(data, 12, IMGRET_PIXELS_RGB8);
    assert_int_equal(ir_decode_pixels(&input, &options.limits, &picture, NULL), 0);
    ir_picture_free(&picture);
    imgret_input wrong[8];
    for (int i = 0; i < 8; i++)
        wrong[i] = input;
    wrong[0].data_bytes = 11;
    wrong[1].row_bytes = 5;
    wrong[2].row_bytes = UINT64_MAX;
    wrong[3].pixel_format = 4;
    wrong[4].width = 0;
    wrong[5].height = 0;
    wrong[6].data = NULL;
    wrong[7].height = 65535;
    for (int i = 0; i < 8; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(ir_decode_pixels(&wrong[i], &options.limits, &picture, &error),
                         IMGRET_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "pixels"));
    }
    input.width = 65536;
    assert_int_equal(ir_decode_pixels(&input, &options.limits, &picture, NULL), IMGRET_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_decoded_to_its_pixels),
        cmocka_unit_test(formats_are_told_by_their_first_bytes),
        cmocka_unit_test(a_known_format_without_decoder_is_named),
        cmocka_unit_test(limits_have_defaults_and_a_size),
        cmocka_unit_test(limits_hold_before_pixels_are_allocated),
        cmocka_unit_test(each_failing_allocation_is_reported_and_nothing_leaks),
        cmocka_unit_test(all_orientations_of_jpeg_and_png_are_turned_once),
#if IR_WITH_WEBP
        cmocka_unit_test(orientation_of_webp_is_turned),
#endif
        cmocka_unit_test(damaged_exif_leaves_the_picture_as_it_is),
        cmocka_unit_test(raw_pixels_of_every_kind_become_rgb),
        cmocka_unit_test(raw_pixels_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
