/* test_decode_damage.c: pictures cut at every byte and with flipped bits: an error or the picture. */
#include "decode_pictures.h"

enum { FLIP_COUNT = 3000 };

static file_bytes file;

static bool is_error_of_a_picture(int32_t status)
{
    return status == IMGRET_BAD_IMAGE || status == IMGRET_UNSUPPORTED || status == IMGRET_LIMIT;
}

static void assert_same(const ir_picture *a, const ir_picture *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->rgb, b->rgb, (size_t)3 * a->width * a->height);
}

static void cut_files_are_errors_or_whole(void **state)
{
    (void)state;
    ir_decode_options options = default_options();
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        ir_picture whole, part;
        samples[i].make(&file);
        assert_int_equal(decode_file(&file, &whole, NULL), 0);
        size_t whole_count = 0;
        for (size_t count = 0; count < file.count; count++) {
            imgret_error error = IMGRET_ERROR_INIT;
            int32_t status = decode_copy(file.data, count, &options, &part, &error);
            if (status) {
                assert_true(is_error_of_a_picture(status));
                assert_true(error.message[0] != '\0');
                assert_null(part.rgb);
                continue;
            }
            /* A number cut after its first digit is a number still. */
            if (strcmp(samples[i].name, "ppm text") == 0)
                part.rgb[SCENE_BYTES - 1] = whole.rgb[SCENE_BYTES - 1];
            assert_same(&whole, &part);
            ir_picture_free(&part);
            whole_count++;
        }
        /* What may be missing: the end marker, the last line's end. */
        assert_true(whole_count <= 3);
        ir_picture_free(&whole);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void flipped_bits_are_survived(void **state)
{
    (void)state;
    static file_bytes damaged;
    ir_decode_options options = default_options();
    options.limits.pixel_count_max = 1 << 20;
    uint64_t seed = 2026;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        samples[i].make(&file);
        for (int round = 0; round < FLIP_COUNT; round++) {
            damaged = file;
            for (uint64_t flip = 0; flip <= next_random(&seed) % 4; flip++)
                damaged.data[next_random(&seed) % file.count] ^= (uint8_t)(1 << next_random(&seed) %
                                                                                    8);
            ir_picture picture;
            int32_t status = decode_copy(damaged.data, file.count, &options, &picture, NULL);
            if (status) {
                assert_true(is_error_of_a_picture(status));
                continue;
            }
            assert_true((uint64_t)picture.width * picture.height <= 1 << 20);
            ir_picture_free(&picture);
        }
        assert_int_equal(ir_alloc_live_count(), 0);
    }
}

/* A PNG is checksummed: no flipped bit may go unnoticed, but in what the pixels do not need. */
static void every_flipped_bit_of_a_png_is_noticed(void **state)
{
    (void)state;
    ir_picture whole, picture;
    make_png(&file);
    assert_int_equal(decode_file(&file, &whole, NULL), 0);
    for (size_t bit = 0; bit < file.count * 8; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (decode_file(&file, &picture, NULL) == 0) {
            assert_same(&whole, &picture);
            ir_picture_free(&picture);
        }
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ir_picture_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_errors_or_whole),
        cmocka_unit_test(flipped_bits_are_survived),
        cmocka_unit_test(every_flipped_bit_of_a_png_is_noticed),
    };
    return cmocka_run_group_tests_name("decode damage", tests, NULL, NULL);
}
