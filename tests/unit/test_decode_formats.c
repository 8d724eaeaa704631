/* test_decode_formats.c: the kinds of picture inside each format, and decoding to a smaller size. */
#include "decode_pictures.h"

#if IR_WITH_TURBOJPEG
#include <jpeglib.h>
#endif
#if IR_WITH_PNG
#include <png.h>
#endif

static file_bytes file;

static ir_picture decoded(void)
{
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    if (decode_file(&file, &picture, &error))
        fail_msg("%s", error.message);
    return picture;
}

static void assert_fails(int32_t expected, const char *part_of_message)
{
    ir_picture picture;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(decode_file(&file, &picture, &error), expected);
    if (!strstr(error.message, part_of_message))
        fail_msg("'%s' lacks '%s'", error.message, part_of_message);
}

/* Decodes `file`, which shows `count` pixels, and compares them all. */
static void assert_pixels(const uint8_t (*expected)[3], uint32_t count, int tolerance)
{
    ir_picture picture = decoded();
    assert_int_equal(picture.width * picture.height, count);
    for (uint32_t i = 0; i < count; i++)
        assert_near(picture.rgb + 3 * i, expected[i], tolerance);
    ir_picture_free(&picture);
}

#if IR_WITH_TURBOJPEG

typedef struct jpeg_plan {
    J_COLOR_SPACE from;
    J_COLOR_SPACE stored;
    int channels;
    uint8_t pixel[4];
    uint32_t width, height;
    bool progressive;
    bool separate_scans;
} jpeg_plan;

/* One colour everywhere; `file` gets it. */
static void write_jpeg(const jpeg_plan *plan)
{
    static const jpeg_scan_info scans[3] = {
        {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    unsigned char *encoded = NULL;
    unsigned long count = 0;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &encoded, &count);
    codec.image_width = plan->width, codec.image_height = plan->height;
    codec.input_components = plan->channels;
    codec.in_color_space = plan->from;
    jpeg_set_defaults(&codec);
    jpeg_set_colorspace(&codec, plan->stored);
    jpeg_set_quality(&codec, 100, TRUE);
    if (plan->progressive)
        jpeg_simple_progression(&codec);
    if (plan->separate_scans)
        codec.scan_info = scans, codec.num_scans = 3;
    jpeg_start_compress(&codec, TRUE);
    uint8_t *row = malloc((size_t)plan->width * 4);
    for (uint32_t x = 0; x < plan->width; x++)
        memcpy(row + x * (uint32_t)plan->channels, plan->pixel, (size_t)plan->channels);
    while (codec.next_scanline < codec.image_height)
        jpeg_write_scanlines(&codec, &row, 1);
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    file.count = 0;
    put(&file, encoded, count);
    free(encoded);
    free(row);
}

static void assert_one_colour(const uint8_t expected[3])
{
    ir_picture picture = decoded();
    for (uint32_t i = 0; i < picture.width * picture.height; i++)
        assert_near(picture.rgb + 3 * i, expected, 2);
    ir_picture_free(&picture);
}

static void jpeg_of_every_colour_space(void **state)
{
    (void)state;
    static const struct {
        jpeg_plan plan;
        uint8_t expected[3];
    } cases[] = {
        {{JCS_GRAYSCALE, JCS_GRAYSCALE, 1, {77}, 20, 10, false, false}, {77, 77, 77}},
        {{JCS_RGB, JCS_YCbCr, 3, {200, 100, 50}, 20, 10, true, false}, {200, 100, 50}},
        {{JCS_RGB, JCS_RGB, 3, {200, 100, 50}, 20, 10, false, false}, {200, 100, 50}},
        {{JCS_RGB, JCS_YCbCr, 3, {200, 100, 50}, 20, 10, false, true}, {200, 100, 50}},
        /* Stored inverted, as Adobe does: red 200/255, and black that leaves 204/255. */
        {{JCS_CMYK, JCS_CMYK, 4, {200, 100, 50, 204}, 20, 10, false, false}, {160, 80, 40}},
        {{JCS_CMYK, JCS_YCCK, 4, {200, 100, 50, 204}, 20, 10, false, false}, {160, 80, 40}},
        {{JCS_CMYK, JCS_YCCK, 4, {200, 100, 50, 204}, 20, 10, true, false}, {160, 80, 40}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_jpeg(&cases[i].plan);
        assert_one_colour(cases[i].expected);
    }
}

static void jpeg_of_two_components_is_unsupported(void **state)
{
    (void)state;
    const jpeg_plan plan = {JCS_UNKNOWN, JCS_UNKNOWN, 2, {1, 2}, 8, 8, false, false};
    write_jpeg(&plan);
    assert_fails(IMGRET_UNSUPPORTED, "2 colour components");
}

static void jpeg_is_scaled_to_the_smallest_size_that_suffices(void **state)
{
    (void)state;
    static const struct {
        uint32_t width_min, height_min, orientation, width, height;
    } cases[] = {
        {0, 0, 1, 203, 101},     {50, 0, 1, 203, 101},  {1, 1, 1, 26, 13},
        {26, 13, 1, 26, 13},     {27, 1, 1, 51, 26},    {1, 14, 1, 51, 26},
        {100, 50, 1, 102, 51},   {102, 52, 1, 127, 64}, {202, 1, 1, 203, 101},
        {999, 999, 1, 203, 101}, {13, 26, 6, 13, 26},   {14, 1, 6, 26, 51},
    };
    const jpeg_plan plan = {JCS_RGB, JCS_YCbCr, 3, {90, 120, 30}, 203, 101, false, false};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_jpeg(&plan);
        add_exif_to_jpeg(&file, cases[i].orientation);
        ir_decode_options options = default_options();
        options.width_min = cases[i].width_min, options.height_min = cases[i].height_min;
        ir_picture picture;
        assert_int_equal(decode_copy(file.data, file.count, &options, &picture, NULL), 0);
        assert_int_equal(picture.width, cases[i].width);
        assert_int_equal(picture.height, cases[i].height);
        assert_int_equal(picture.source_width, cases[i].orientation == 6 ? 101 : 203);
        assert_near(picture.rgb, plan.pixel, 2);
        ir_picture_free(&picture);
    }
}

/* The offset of the last scan's header. */
static size_t last_scan(void)
{
    size_t at = file.count - 2;
    while (at > 0 && (file.data[at] != 0xFF || file.data[at + 1] != 0xDA))
        at--;
    return at;
}

static void jpeg_with_endless_scans_is_stopped(void **state)
{
    (void)state;
    static file_bytes bomb;
    const jpeg_plan plan = {JCS_RGB, JCS_YCbCr, 3, {90, 120, 30}, 16, 16, false, true};
    write_jpeg(&plan);
    bomb = file;
    for (int i = 0; i < 100; i++) {
        bomb.count -= 2; /* the end marker */
        put(&bomb, file.data + last_scan(), file.count - last_scan());
    }
    file = bomb;
    assert_fails(IMGRET_LIMIT, "scans");
}

static void jpeg_that_lacks_a_scan_is_damaged(void **state)
{
    (void)state;
    const jpeg_plan plan = {JCS_RGB, JCS_YCbCr, 3, {90, 120, 30}, 16, 16, false, true};
    write_jpeg(&plan);
    size_t end = last_scan();
    file.count = end; /* neither scan nor end marker */
    assert_fails(IMGRET_BAD_IMAGE, "cut short");
    put(&file, "\xFF\xD9", 2); /* an end marker where the scan was */
    assert_fails(IMGRET_BAD_IMAGE, "cut short");
}

static void jpeg_oddities_of_encoders_are_read(void **state)
{
    (void)state;
    static file_bytes plain;
    make_jpeg(&plain);
    file.count = 0; /* bytes between segments that belong to none */
    put(&file, plain.data, 20);
    put(&file, "\0\0\0", 3);
    put(&file, plain.data + 20, plain.count - 20);
    ir_picture picture = decoded();
    assert_scene(&picture, 6);
    ir_picture_free(&picture);
    file = plain; /* no end marker, then bytes behind it */
    file.count -= 2;
    picture = decoded();
    assert_scene(&picture, 6);
    ir_picture_free(&picture);
    file = plain;
    put_text(&file, "a maker's trailer");
    picture = decoded();
    assert_scene(&picture, 6);
    ir_picture_free(&picture);
}

#endif

#if IR_WITH_PNG

typedef struct png_plan {
    int colour;
    int bits;
    int interlace;
    uint32_t width, height;
    const uint8_t *rows; /* packed */
    size_t row_bytes;
    const png_color *palette;
    int palette_count;
    const uint8_t *palette_alpha;
    const png_color_16 *transparent;
} png_plan;

static void put_png_bytes(png_structp codec, png_bytep data, size_t count)
{
    put(png_get_io_ptr(codec), data, count);
}

static void write_png(const png_plan *plan)
{
    png_structp codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(codec);
    file.count = 0;
    png_set_write_fn(codec, &file, put_png_bytes, NULL);
    png_set_IHDR(codec, info, plan->width, plan->height, plan->bits, plan->colour, plan->interlace,
                 0, 0);
    if (plan->palette)
        png_set_PLTE(codec, info, plan->palette, plan->palette_count);
    if (plan->palette_alpha || plan->transparent)
        png_set_tRNS(codec, info, plan->palette_alpha, plan->palette_count, plan->transparent);
    png_write_info(codec, info);
    int pass_count = png_set_interlace_handling(codec);
    for (int pass = 0; pass < pass_count; pass++)
        for (uint32_t y = 0; y < plan->height; y++)
            png_write_row(codec, plan->rows + plan->row_bytes * y);
    png_write_end(codec, info);
    png_destroy_write_struct(&codec, &info);
}

static void png_of_every_colour_kind(void **state)
{
    (void)state;
    static const uint8_t bit_rows[] = {0x80, 0x40};
    static const uint8_t grey2_rows[] = {0x1B};
    static const uint8_t grey16_rows[] = {0x80, 0x00, 0x12, 0xFF};
    static const uint8_t rgb16_rows[] = {0xFF, 0xFF, 0x80, 0x80, 0x00, 0x7F};
    static const uint8_t rgba_rows[] = {100, 0, 200, 128, 9, 9, 9, 0};
    static const uint8_t grey_alpha_rows[] = {0, 51, 200, 255};
    static const uint8_t palette_rows[] = {0x06, 0x40};
    static const png_color palette[3] = {{10, 20, 30}, {200, 0, 0}, {0, 100, 0}};
    static const uint8_t palette_alpha[3] = {255, 255, 0};
    static const png_color_16 transparent_red = {0, 7, 8, 9, 0};
    static const uint8_t keyed_rows[] = {7, 8, 9, 7, 8, 10};
    static const uint8_t black_white[4][3] = {
        {255, 255, 255}, {0, 0, 0}, {0, 0, 0}, {255, 255, 255}};
    static const uint8_t greys[4][3] = {{0, 0, 0}, {85, 85, 85}, {170, 170, 170}, {255, 255, 255}};
    static const uint8_t grey16[2][3] = {{128, 128, 128}, {19, 19, 19}};
    static const uint8_t rgb16[1][3] = {{255, 128, 0}};
    static const uint8_t rgba[2][3] = {{177, 127, 227}, {255, 255, 255}};
    static const uint8_t grey_alpha[2][3] = {{204, 204, 204}, {200, 200, 200}};
    static const uint8_t indexed[5][3] = {
        {10, 20, 30}, {10, 20, 30}, {200, 0, 0}, {255, 255, 255}, {200, 0, 0}};
    static const uint8_t keyed[2][3] = {{255, 255, 255}, {7, 8, 10}};
    const struct {
        png_plan plan;
        const uint8_t (*expected)[3];
    } cases[] = {
        {{.colour = 0, .bits = 1, .width = 2, .height = 2, .rows = bit_rows, .row_bytes = 1},
         black_white},
        {{.colour = 0, .bits = 2, .width = 4, .height = 1, .rows = grey2_rows, .row_bytes = 1},
         greys},
        {{.colour = 0, .bits = 16, .width = 2, .height = 1, .rows = grey16_rows, .row_bytes = 4},
         grey16},
        {{.colour = 2, .bits = 16, .width = 1, .height = 1, .rows = rgb16_rows, .row_bytes = 6},
         rgb16},
        {{.colour = 6, .bits = 8, .width = 2, .height = 1, .rows = rgba_rows, .row_bytes = 8},
         rgba},
        {{.colour = 6,
          .bits = 8,
          .width = 1,
          .height = 2,
          .rows = rgba_rows,
          .row_bytes = 4,
          .interlace = 1},
         rgba},
        {{.colour = 4, .bits = 8, .width = 2, .height = 1, .rows = grey_alpha_rows, .row_bytes = 4},
         grey_alpha},
        {{.colour = 3,
          .bits = 2,
          .width = 5,
          .height = 1,
          .rows = palette_rows,
          .row_bytes = 2,
          .palette = palette,
          .palette_count = 3,
          .palette_alpha = palette_alpha},
         indexed},
        {{.colour = 2,
          .bits = 8,
          .width = 2,
          .height = 1,
          .rows = keyed_rows,
          .row_bytes = 6,
          .transparent = &transparent_red},
         keyed},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_png(&cases[i].plan);
        assert_pixels(cases[i].expected, cases[i].plan.width * cases[i].plan.height, 0);
    }
}

#endif

static void png_checksums_are_checked(void **state)
{
    (void)state;
    make_png(&file);
    add_png_chunk(&file, "tRNS", "\0\xC8\0\x1E\0\x28", 6); /* the first block's colour */
    ir_picture picture = decoded();
    static const uint8_t white[3] = {255, 255, 255};
    assert_near(picture.rgb, white, 0);
    assert_near(picture.rgb + 24, scene_colours[1], 0);
    ir_picture_free(&picture);
    file.data[33 + 8]++; /* in tRNS */
    assert_fails(IMGRET_BAD_IMAGE, "checksum");
    make_png(&file);
    add_png_chunk(&file, "tEXt", "Comment\0x", 9);
    file.data[33 + 8]++; /* in a comment: nothing to the pixels */
    picture = decoded();
    assert_scene(&picture, 0);
    ir_picture_free(&picture);
}

static void bmp_kinds_are_read(void **state)
{
    (void)state;
    ir_picture picture;
    put_bmp_head(&file, 0, 32, 0); /* no alpha in plain pixels: the fourth byte is noise */
    for (int y = SCENE_HEIGHT - 1; y >= 0; y--)
        for (int x = 0; x < SCENE_WIDTH; x++) {
            const uint8_t *c = scene_colour(x, y);
            uint8_t pixel[4] = {c[2], c[1], c[0], (uint8_t)x};
            put(&file, pixel, 4);
        }
    picture = decoded();
    assert_scene(&picture, 0);
    ir_picture_free(&picture);
    make_bmp(&file);
    file.data[22] = 0xF0, memset(file.data + 23, 0xFF, 3); /* height -16: from the top */
    file.count -= SCENE_BYTES;
    put_scene(&file, false, true);
    picture = decoded();
    assert_scene(&picture, 0);
    ir_picture_free(&picture);
    make_bmp_rle8(&file);
    file.data[54 + 24 + 1] = 6; /* the palette ends at 5 */
    assert_fails(IMGRET_BAD_IMAGE, "run lengths");
    make_bmp(&file);
    file.data[30] = 5; /* a PNG inside */
    assert_fails(IMGRET_UNSUPPORTED, "compression 5");
}

static void tga_is_turned_by_its_descriptor(void **state)
{
    (void)state;
    make_tga(&file);
    ir_picture picture = decoded();
    static uint8_t upright[SCENE_BYTES];
    memcpy(upright, picture.rgb, SCENE_BYTES);
    ir_picture_free(&picture);
    file.data[17] = 0x10; /* rows run from the right */
    picture = decoded();
    for (int y = 0; y < SCENE_HEIGHT; y++)
        for (int x = 0; x < SCENE_WIDTH; x++)
            assert_near(picture.rgb + 3 * (y * SCENE_WIDTH + x),
                        upright + 3 * (y * SCENE_WIDTH + SCENE_WIDTH - 1 - x), 0);
    ir_picture_free(&picture);
}

static void psd_that_stb_image_would_misread_is_refused(void **state)
{
    (void)state;
    put_psd_head(&file, 8, 4, 0);
    assert_fails(IMGRET_UNSUPPORTED, "colour mode 4");
    put_psd_head(&file, 16, 3, 1);
    assert_fails(IMGRET_UNSUPPORTED, "16 bits");
    put_psd_head(&file, 8, 3, 0);
    memset(file.data + 30, 0xFF, 4); /* a section of 4 GiB */
    assert_fails(IMGRET_BAD_IMAGE, "cut short");
}

/* A fourth channel may be a saved selection: the merged colours stand as they are. */
static void psd_channels_beyond_the_colours_are_ignored(void **state)
{
    (void)state;
    static file_bytes plain;
    make_psd(&plain);
    file = plain;
    file.data[13] = 4;
    for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++)
        put_le(&file, (uint32_t)i % 256, 1);
    ir_picture picture = decoded();
    assert_scene(&picture, 0);
    ir_picture_free(&picture);
    make_psd_rle(&plain); /* rows' lengths of four channels, then the channels */
    size_t lengths_end = 40 + 3 * 2 * SCENE_HEIGHT;
    file.count = 0;
    put(&file, plain.data, lengths_end);
    file.data[13] = 4;
    for (int y = 0; y < SCENE_HEIGHT; y++)
        put_be(&file, 2, 2);
    put(&file, plain.data + lengths_end, plain.count - lengths_end);
    for (int y = 0; y < SCENE_HEIGHT; y++)
        put(&file, "\xE9\x33", 2);
    picture = decoded();
    assert_scene(&picture, 0);
    ir_picture_free(&picture);
}

static void gif_whose_rows_are_missing_is_damaged(void **state)
{
    (void)state;
    make_gif(&file);
    size_t first_block = 13 + 24 + 11;
    file.data[first_block] = 8; /* of many bytes of codes, 8; the rest as an empty block */
    file.data[first_block + 9] = 0;
    file.count = first_block + 10;
    put_text(&file, ";");
    assert_fails(IMGRET_BAD_IMAGE, "rows are missing");
}

static void pnm_kinds_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        uint8_t expected[2][3];
    } cases[] = {
        {"P1 2 1\n01", 9, {{255, 255, 255}, {0, 0, 0}}},
        {"P1\n#c\n2#d\n1\n0#e\n 1", 18, {{255, 255, 255}, {0, 0, 0}}},
        {"P2 2 1 4 1 4", 12, {{64, 64, 64}, {255, 255, 255}}},
        {"P3 2 1 255 1 2 3 4 5 255 ", 25, {{1, 2, 3}, {4, 5, 255}}},
        {"P4 2 1\n\x40", 8, {{255, 255, 255}, {0, 0, 0}}},
        {"P5 2 1 65535\n\x80\0\x12\xFF", 17, {{128, 128, 128}, {19, 19, 19}}},
        {"P5 2 1 15\n\x0F\x05", 12, {{255, 255, 255}, {85, 85, 85}}},
        {"P6 2 1 255\n\1\2\3\4\5\xFF", 17, {{1, 2, 3}, {4, 5, 255}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        file.count = 0;
        put(&file, cases[i].text, cases[i].count);
        assert_pixels(cases[i].expected, 2, 0);
    }
    static const char *wrong[] = {
        "P2 2 1 4 1 5", "P2 2 1 4 1",   "P2 2 1 0 0 0", "P2 2 1 65536 0 0", "P3 2 1 255 1 2 3 4 5",
        "P1 2 1\n02",   "P5 0 1 255\n", "P2 x 1 4",     "P2 2 1 255 -1 1",  "P6 2 1 255\n12345"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        file.count = 0;
        put_text(&file, wrong[i]);
        assert_fails(IMGRET_BAD_IMAGE, i == 7 ? "no" : "pnm");
    }
}

#if IR_WITH_WEBP

static void webp_is_scaled_and_laid_over_white(void **state)
{
    (void)state;
    enum { SIDE = 64 };
    static uint8_t rgba[4 * SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        uint8_t pixel[4] = {100, 0, 200, 128};
        memcpy(rgba + 4 * i, pixel, 4);
    }
    for (int lossless = 0; lossless < 2; lossless++) {
        uint8_t *encoded;
        size_t count = lossless ? WebPEncodeLosslessRGBA(rgba, SIDE, SIDE, 4 * SIDE, &encoded)
                                : WebPEncodeRGBA(rgba, SIDE, SIDE, 4 * SIDE, 100, &encoded);
        ir_decode_options options = default_options();
        options.width_min = options.height_min = 17;
        ir_picture picture;
        assert_int_equal(decode_copy(encoded, count, &options, &picture, NULL), 0);
        assert_int_equal(picture.width, 24);
        assert_int_equal(picture.source_height, SIDE);
        static const uint8_t expected[3] = {177, 127, 227};
        for (uint32_t i = 0; i < picture.width * picture.height; i++)
            assert_near(picture.rgb + 3 * i, expected, 3);
        ir_picture_free(&picture);
        WebPFree(encoded);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if IR_WITH_TURBOJPEG
        cmocka_unit_test(jpeg_of_every_colour_space),
        cmocka_unit_test(jpeg_of_two_components_is_unsupported),
        cmocka_unit_test(jpeg_is_scaled_to_the_smallest_size_that_suffices),
        cmocka_unit_test(jpeg_with_endless_scans_is_stopped),
        cmocka_unit_test(jpeg_that_lacks_a_scan_is_damaged),
        cmocka_unit_test(jpeg_oddities_of_encoders_are_read),
#endif
#if IR_WITH_PNG
        cmocka_unit_test(png_of_every_colour_kind),
#endif
        cmocka_unit_test(png_checksums_are_checked),
        cmocka_unit_test(bmp_kinds_are_read),
        cmocka_unit_test(tga_is_turned_by_its_descriptor),
        cmocka_unit_test(psd_that_stb_image_would_misread_is_refused),
        cmocka_unit_test(psd_channels_beyond_the_colours_are_ignored),
        cmocka_unit_test(gif_whose_rows_are_missing_is_damaged),
        cmocka_unit_test(pnm_kinds_are_read),
#if IR_WITH_WEBP
        cmocka_unit_test(webp_is_scaled_and_laid_over_white),
#endif
    };
    return cmocka_run_group_tests_name("decode formats", tests, NULL, NULL);
}
