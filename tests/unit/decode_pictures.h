/* decode_pictures.h: small encoded pictures of every format, made by the decoders' tests themselves.
 *
 * All show the same scene where the format allows: flat blocks of 8 x 8 pixels, each of another
 * colour, so that lossy formats keep it nearly and no turn or mirror of it looks like another.
 */
#ifndef DECODE_PICTURES_H
#define DECODE_PICTURES_H

#include "testing.h"

#include "base/alloc.h"
#include "decode/decode.h"

#include <math.h>

#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

#if IR_WITH_WEBP
#include <webp/encode.h>
#endif

enum { SCENE_WIDTH = 24, SCENE_HEIGHT = 16, SCENE_BYTES = 3 * SCENE_WIDTH * SCENE_HEIGHT };

typedef struct file_bytes {
    size_t count;
    uint8_t data[1 << 16];
} file_bytes;

static const uint8_t scene_colours[6][3] = {{200, 30, 40},  {40, 180, 60}, {30, 60, 200},
                                            {240, 230, 90}, {20, 20, 20},  {230, 230, 230}};

static const uint8_t *scene_colour(int x, int y)
{
    return scene_colours[y / 8 * 3 + x / 8];
}

static void draw_scene(uint8_t rgb[SCENE_BYTES])
{
    for (int y = 0; y < SCENE_HEIGHT; y++)
        for (int x = 0; x < SCENE_WIDTH; x++)
            memcpy(rgb + 3 * (y * SCENE_WIDTH + x), scene_colour(x, y), 3);
}

static void put(file_bytes *file, const void *data, size_t count)
{
    assert_true(count <= sizeof file->data - file->count);
    memcpy(file->data + file->count, data, count);
    file->count += count;
}

static void put_text(file_bytes *file, const char *text)
{
    put(file, text, strlen(text));
}

/* Writes the low `count` bytes of `value`, least first. */
static void put_le(file_bytes *file, uint32_t value, size_t count)
{
    for (size_t i = 0; i < count; i++, value >>= 8) {
        uint8_t byte = (uint8_t)value;
        put(file, &byte, 1);
    }
}

static void put_be(file_bytes *file, uint32_t value, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        put(file, &byte, 1);
    }
}

static void put_scene(file_bytes *file, bool bottom_up, bool bgr)
{
    for (int y = 0; y < SCENE_HEIGHT; y++)
        for (int x = 0; x < SCENE_WIDTH; x++) {
            const uint8_t *c = scene_colour(x, bottom_up ? SCENE_HEIGHT - 1 - y : y);
            uint8_t pixel[3] = {c[bgr ? 2 : 0], c[1], c[bgr ? 0 : 2]};
            put(file, pixel, 3);
        }
}

static void write_to_file(void *context, void *data, int count)
{
    put(context, data, (size_t)count);
}

/* The scene as JPEG, by Pillow: 4:4:4, quality 90, optimised tables. Given as bytes because builds
 * without libjpeg must read it too. */
static const uint8_t scene_jpeg[] = {
    0xFF, 0xD8, 0xFF, 0xE0, 0x00, 0x10, 0x4A, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01,
    0x00, 0x01, 0x00, 0x00, 0xFF, 0xDB, 0x00, 0x43, 0x00, 0x03, 0x02, 0x02, 0x03, 0x02, 0x02, 0x03,
    0x03, 0x03, 0x03, 0x04, 0x03, 0x03, 0x04, 0x05, 0x08, 0x05, 0x05, 0x04, 0x04, 0x05, 0x0A, 0x07,
    0x07, 0x06, 0x08, 0x0C, 0x0A, 0x0C, 0x0C, 0x0B, 0x0A, 0x0B, 0x0B, 0x0D, 0x0E, 0x12, 0x10, 0x0D,
    0x0E, 0x11, 0x0E, 0x0B, 0x0B, 0x10, 0x16, 0x10, 0x11, 0x13, 0x14, 0x15, 0x15, 0x15, 0x0C, 0x0F,
    0x17, 0x18, 0x16, 0x14, 0x18, 0x12, 0x14, 0x15, 0x14, 0xFF, 0xDB, 0x00, 0x43, 0x01, 0x03, 0x04,
    0x04, 0x05, 0x04, 0x05, 0x09, 0x05, 0x05, 0x09, 0x14, 0x0D, 0x0B, 0x0D, 0x14, 0x14, 0x14, 0x14,
    0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14,
    0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14,
    0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0x14, 0xFF, 0xC0,
    0x00, 0x11, 0x08, 0x00, 0x10, 0x00, 0x18, 0x03, 0x01, 0x11, 0x00, 0x02, 0x11, 0x01, 0x03, 0x11,
    0x01, 0xFF, 0xC4, 0x00, 0x17, 0x00, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x08, 0x0A, 0x09, 0xFF, 0xC4, 0x00, 0x14, 0x10, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xFF, 0xC4, 0x00, 0x18, 0x01, 0x00, 0x02, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x09, 0x00, 0x06, 0x08, 0xFF, 0xC4, 0x00, 0x14, 0x11, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xFF, 0xDA, 0x00, 0x0C, 0x03, 0x01, 0x00, 0x02, 0x11, 0x03, 0x11, 0x00, 0x3F, 0x00, 0x02, 0x07,
    0xED, 0xC0, 0x38, 0x2B, 0xE4, 0xFE, 0x59, 0xCC, 0xA0, 0x5B, 0x6C, 0x81, 0x3B, 0x8E, 0x09, 0xF2,
    0x6C, 0x05, 0x51, 0x46, 0x08, 0x8F, 0xFF, 0xD9,
};

static void make_jpeg(file_bytes *file)
{
    file->count = 0;
    put(file, scene_jpeg, sizeof scene_jpeg);
}

static void make_png(file_bytes *file)
{
    uint8_t rgb[SCENE_BYTES];
    draw_scene(rgb);
    file->count = 0;
    assert_true(stbi_write_png_to_func(write_to_file, file, SCENE_WIDTH, SCENE_HEIGHT, 3, rgb, 0));
}

#if IR_WITH_WEBP
static void make_webp(file_bytes *file)
{
    uint8_t rgb[SCENE_BYTES], *encoded;
    draw_scene(rgb);
    file->count = 0;
    size_t count = WebPEncodeLosslessRGB(rgb, SCENE_WIDTH, SCENE_HEIGHT, 3 * SCENE_WIDTH, &encoded);
    put(file, encoded, count);
    WebPFree(encoded);
}

static void make_webp_lossy(file_bytes *file)
{
    uint8_t rgb[SCENE_BYTES], *encoded;
    draw_scene(rgb);
    file->count = 0;
    size_t count = WebPEncodeRGB(rgb, SCENE_WIDTH, SCENE_HEIGHT, 3 * SCENE_WIDTH, 95, &encoded);
    put(file, encoded, count);
    WebPFree(encoded);
}
#endif

static void put_bmp_head(file_bytes *file, uint32_t colours, uint32_t bits, uint32_t coding)
{
    file->count = 0;
    put_text(file, "BM");
    put_le(file, 0, 8);
    put_le(file, 54 + 4 * colours, 4);
    put_le(file, 40, 4);
    put_le(file, SCENE_WIDTH, 4);
    put_le(file, SCENE_HEIGHT, 4);
    put_le(file, 1, 2);
    put_le(file, bits, 2);
    put_le(file, coding, 4);
    put_le(file, 0, 12);
    put_le(file, colours, 4);
    put_le(file, 0, 4);
}

static void put_scene_palette(file_bytes *file)
{
    for (int i = 0; i < 6; i++) {
        uint8_t entry[4] = {scene_colours[i][2], scene_colours[i][1], scene_colours[i][0], 0};
        put(file, entry, 4);
    }
}

static void make_bmp(file_bytes *file)
{
    put_bmp_head(file, 0, 24, 0);
    put_scene(file, true, true);
}

static void make_bmp_rle8(file_bytes *file)
{
    put_bmp_head(file, 6, 8, 1);
    put_scene_palette(file);
    for (int y = SCENE_HEIGHT - 1; y >= 0; y--) {
        for (uint8_t block = 0; block < 3; block++) {
            uint8_t run[2] = {8, (uint8_t)(y / 8 * 3 + block)};
            put(file, run, 2);
        }
        put(file, "\0", 2);
    }
    put(file, "\0\1", 2);
}

/* Codes of 4 bits, a clear code after each fifth pixel: the code length never grows. */
static void make_gif(file_bytes *file)
{
    file->count = 0;
    put_text(file, "GIF89a");
    put_le(file, SCENE_WIDTH, 2);
    put_le(file, SCENE_HEIGHT, 2);
    put(file, "\x82\0\0", 3);
    for (int i = 0; i < 8; i++)
        put(file, scene_colours[i % 6], 3);
    put(file, ",\0\0\0\0", 5);
    put_le(file, SCENE_WIDTH, 2);
    put_le(file, SCENE_HEIGHT, 2);
    put(file, "\0\3", 2);
    uint8_t codes[SCENE_WIDTH * SCENE_HEIGHT * 2], packed[255];
    size_t count = 0;
    for (int i = 0; i < SCENE_WIDTH * SCENE_HEIGHT; i++) {
        int x = i % SCENE_WIDTH, y = i / SCENE_WIDTH;
        if (i % 5 == 0)
            codes[count++] = 8; /* clear */
        codes[count++] = (uint8_t)(y / 8 * 3 + x / 8);
    }
    codes[count++] = 9; /* end */
    if (count % 2)
        codes[count++] = 0;
    assert_true(count / 2 <= sizeof packed);
    for (size_t i = 0; i < count / 2; i++)
        packed[i] = (uint8_t)(codes[2 * i] | codes[2 * i + 1] << 4);
    put_le(file, (uint32_t)(count / 2), 1);
    put(file, packed, count / 2);
    put(file, "\0;", 2);
}

static void put_tga_head(file_bytes *file, uint8_t kind, uint8_t bits, uint8_t descriptor)
{
    uint8_t head[18] = {
        [2] = kind, [12] = SCENE_WIDTH, [14] = SCENE_HEIGHT, [16] = bits, [17] = descriptor};
    file->count = 0;
    put(file, head, sizeof head);
}

static void make_tga(file_bytes *file)
{
    put_tga_head(file, 2, 24, 0);
    put_scene(file, true, true);
}

static void make_tga_rle(file_bytes *file)
{
    put_tga_head(file, 10, 24, 0x20);
    for (int y = 0; y < SCENE_HEIGHT; y++)
        for (int x = 0; x < SCENE_WIDTH; x += 8) {
            const uint8_t *c = scene_colour(x, y);
            uint8_t run[4] = {0x87, c[2], c[1], c[0]};
            put(file, run, 4);
        }
}

static void put_psd_head(file_bytes *file, uint32_t bits, uint32_t mode, uint32_t coding)
{
    file->count = 0;
    put_text(file, "8BPS");
    put_be(file, 1, 2);
    put(file, "\0\0\0\0\0", 6);
    put_be(file, 3, 2);
    put_be(file, SCENE_HEIGHT, 4);
    put_be(file, SCENE_WIDTH, 4);
    put_be(file, bits, 2);
    put_be(file, mode, 2);
    put(file, "\0\0\0\0\0\0\0\0\0\0\0", 12); /* three empty sections */
    put_be(file, coding, 2);
}

static void make_psd(file_bytes *file)
{
    put_psd_head(file, 8, 3, 0);
    for (int channel = 0; channel < 3; channel++)
        for (int y = 0; y < SCENE_HEIGHT; y++)
            for (int x = 0; x < SCENE_WIDTH; x++)
                put(file, scene_colour(x, y) + channel, 1);
}

static void make_psd_rle(file_bytes *file)
{
    put_psd_head(file, 8, 3, 1);
    for (int i = 0; i < 3 * SCENE_HEIGHT; i++)
        put_be(file, 6, 2);
    for (int channel = 0; channel < 3; channel++)
        for (int y = 0; y < SCENE_HEIGHT; y++)
            for (int x = 0; x < SCENE_WIDTH; x += 8) {
                uint8_t run[2] = {257 - 8, scene_colour(x, y)[channel]};
                put(file, run, 2);
            }
}

static void make_ppm(file_bytes *file)
{
    file->count = 0;
    put_text(file, "P6\n# a scene\n24 16\n255\n");
    put_scene(file, false, false);
}

static void make_ppm_text(file_bytes *file)
{
    file->count = 0;
    put_text(file, "P3 24 16 255");
    for (int i = 0; i < SCENE_BYTES; i++) {
        char number[8];
        const uint8_t *c = scene_colour(i / 3 % SCENE_WIDTH, i / 3 / SCENE_WIDTH);
        snprintf(number, sizeof number, " %03u", c[i % 3]);
        put_text(file, number);
    }
    put_text(file, "\n");
}

/* Radiance: shared exponents; 8 bits a channel are kept for the largest one only. */
static void make_hdr(file_bytes *file)
{
    uint8_t rgb[SCENE_BYTES];
    float linear[SCENE_BYTES];
    draw_scene(rgb);
    for (int i = 0; i < SCENE_BYTES; i++)
        linear[i] = powf((float)rgb[i] / 255.0f, 2.2f);
    file->count = 0;
    assert_true(stbi_write_hdr_to_func(write_to_file, file, SCENE_WIDTH, SCENE_HEIGHT, 3, linear));
}

/* A TIFF structure that holds the orientation alone. */
static size_t make_exif(uint8_t out[26], uint32_t orientation, bool big_endian)
{
    static const uint8_t little[26] =
        "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0";
    static const uint8_t big[26] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0";
    memcpy(out, big_endian ? big : little, 26);
    out[big_endian ? 19 : 18] = (uint8_t)orientation;
    return 26;
}

/* Puts an EXIF segment behind the first two bytes of a JPEG. */
static void add_exif_to_jpeg(file_bytes *file, uint32_t orientation)
{
    static file_bytes with;
    uint8_t exif[26];
    make_exif(exif, orientation, orientation % 2 == 0);
    with.count = 0;
    put(&with, file->data, 2);
    put(&with,
        "\xFF\xE1\0\x22"
        "Exif\0",
        10);
    put(&with, exif, sizeof exif);
    put(&with, file->data + 2, file->count - 2);
    *file = with;
}

static uint32_t png_checksum(const uint8_t *data, size_t count)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < count; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
    return ~crc;
}

static void put_png_chunk(file_bytes *file, const char *type, const void *data, size_t count)
{
    put_be(file, (uint32_t)count, 4);
    size_t start = file->count;
    put(file, type, 4);
    put(file, data, count);
    put_be(file, png_checksum(file->data + start, count + 4), 4);
}

/* Puts a chunk behind the header of a PNG, which always ends at byte 33. */
static void add_png_chunk(file_bytes *file, const char *type, const void *data, size_t count)
{
    static file_bytes with;
    with.count = 0;
    put(&with, file->data, 33);
    put_png_chunk(&with, type, data, count);
    put(&with, file->data + 33, file->count - 33);
    *file = with;
}

static ir_decode_options default_options(void)
{
    ir_decode_options options = {0};
    assert_int_equal(ir_decode_limits(&options.limits, NULL, NULL), 0);
    return options;
}

/* Decodes a copy that ends where its memory ends, so that a sanitizer sees every step beyond. */
static int32_t decode_copy(const uint8_t *data, size_t count, const ir_decode_options *options,
                           ir_picture *out, imgret_error *error)
{
    uint8_t *copy = malloc(count ? count : 1);
    memcpy(copy, data, count);
    int32_t status = ir_decode(copy, count, options, out, error);
    free(copy);
    return status;
}

static int32_t decode_file(const file_bytes *file, ir_picture *out, imgret_error *error)
{
    ir_decode_options options = default_options();
    return decode_copy(file->data, file->count, &options, out, error);
}

static void assert_near(const uint8_t *pixel, const uint8_t *expected, int tolerance)
{
    for (int c = 0; c < 3; c++)
        assert_in_range(pixel[c] + tolerance - expected[c], 0, 2 * tolerance);
}

static void assert_scene(const ir_picture *picture, int tolerance)
{
    assert_int_equal(picture->width, SCENE_WIDTH);
    assert_int_equal(picture->height, SCENE_HEIGHT);
    for (int y = 0; y < SCENE_HEIGHT; y++)
        for (int x = 0; x < SCENE_WIDTH; x++)
            assert_near(picture->rgb + 3 * (y * SCENE_WIDTH + x), scene_colour(x, y), tolerance);
}

typedef struct sample {
    const char *name;
    const char *format;
    void (*make)(file_bytes *file);
    int tolerance;
} sample;

static const sample samples[] = {
    {"jpeg", "jpeg", make_jpeg, 6},
    {"png", "png", make_png, 0},
#if IR_WITH_WEBP
    {"webp lossless", "webp", make_webp, 0},
    {"webp lossy", "webp", make_webp_lossy, 80}, /* colours bleed at the blocks' edges */
#endif
    {"bmp", "bmp", make_bmp, 0},
    {"bmp run lengths", "bmp", make_bmp_rle8, 0},
    {"gif", "gif", make_gif, 0},
    {"tga", "tga", make_tga, 0},
    {"tga run lengths", "tga", make_tga_rle, 0},
    {"psd", "psd", make_psd, 0},
    {"psd run lengths", "psd", make_psd_rle, 0},
    {"ppm", "pnm", make_ppm, 0},
    {"ppm text", "pnm", make_ppm_text, 0},
    {"hdr", "hdr", make_hdr, 8},
};

enum { SAMPLE_COUNT = sizeof samples / sizeof samples[0] };

#endif
