/* test_decode_corpus.c: the real files under IMGRET_TEST_DATA: right pixels or a clear error. */
#include "testing.h"

#include "base/alloc.h"
#include "base/file.h"
#include "decode/decode.h"

#include <fts.h>
#include <sys/resource.h>

typedef struct outcome {
    int32_t status;
    imgret_error error;
    ir_picture picture;
} outcome;

/* Decodes under the default limits; free outcome.picture. */
static outcome decode_path(const char *path)
{
    outcome result = {.error = IMGRET_ERROR_INIT};
    ir_decode_options options = {0};
    uint8_t *data;
    size_t bytes;
    assert_int_equal(ir_decode_limits(&options.limits, NULL, NULL), 0);
    assert_int_equal(ir_file_read(path, options.limits.file_bytes_max, &data, &bytes, NULL), 0);
    result.status = ir_decode(data, bytes, &options, &result.picture, &result.error);
    ir_free(data);
    return result;
}

static outcome decode_named(const char *folder, const char *name)
{
    char relative[512], path[4096];
    snprintf(relative, sizeof relative, "%s/%s", folder, name);
    assert_non_null(test_data(path, sizeof path, relative));
    return decode_path(path);
}

typedef void visit_fn(const char *path, const char *name, outcome *result, void *context);

/* Decodes every file below the folder; false when there is no such data. */
static bool visit_all(const char *relative, visit_fn *visit, void *context)
{
    char root[4096];
    if (!test_data(root, sizeof root, relative))
        return false;
    char *roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    assert_non_null(walk);
    for (FTSENT *entry; (entry = fts_read(walk));) {
        if (entry->fts_info != FTS_F)
            continue;
        uint64_t live_count = ir_alloc_live_count();
        outcome result = decode_path(entry->fts_path);
        visit(entry->fts_path, entry->fts_name, &result, context);
        if (result.status == 0)
            ir_picture_free(&result.picture);
        assert_null(result.picture.rgb);
        assert_int_equal(ir_alloc_live_count(), live_count);
    }
    fts_close(walk);
    return true;
}

typedef struct tally {
    uint32_t decoded;
    uint32_t refused;
} tally;

static void count_outcome(const char *path, const char *name, outcome *result, void *context)
{
    (void)name;
    tally *counts = context;
    if (result->status == 0) {
        counts->decoded++;
        return;
    }
    bool is_clear = result->status == IMGRET_BAD_IMAGE || result->status == IMGRET_LIMIT ||
                    result->status == IMGRET_UNSUPPORTED;
    if (!is_clear || !result->error.message[0])
        fail_msg("%s: status %d, '%s'", path, result->status, result->error.message);
    counts->refused++;
}

static void every_file_is_decoded_or_refused(void **state)
{
    (void)state;
    tally counts = {0};
    if (!visit_all("decoders", count_outcome, &counts))
        skip();
    assert_true(counts.decoded >= 320);
    assert_true(counts.refused >= 400); /* fuzzers' files, for the most part */
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Width and height stand in bytes 16 to 23 of every PNG. */
static void check_pngsuite_file(const char *path, const char *name, outcome *result, void *context)
{
    tally *counts = context;
    if (!ends_with(name, ".png"))
        return;
    if (name[0] == 'x') {
        if (result->status != IMGRET_BAD_IMAGE)
            fail_msg("%s: status %d", name, result->status);
        counts->refused++;
        return;
    }
    if (result->status)
        fail_msg("%s: %s", name, result->error.message);
    uint8_t head[24];
    size_t bytes;
    assert_int_equal(ir_file_read_head(path, head, sizeof head, &bytes, NULL), 0);
    assert_int_equal(result->picture.width, head[18] * 256 + head[19]);
    assert_int_equal(result->picture.height, head[22] * 256 + head[23]);
    counts->decoded++;
}

static void pngsuite_decodes_and_its_damaged_files_do_not(void **state)
{
    (void)state;
    tally counts = {0};
    if (!visit_all("decoders/pngsuite", check_pngsuite_file, &counts))
        skip();
    assert_int_equal(counts.refused, 14);
    assert_int_equal(counts.decoded, 162);
}

static void assert_alike(const char *folder, const char *name_a, const char *name_b)
{
    outcome a = decode_named(folder, name_a), b = decode_named(folder, name_b);
    assert_int_equal(a.status, 0);
    assert_int_equal(b.status, 0);
    assert_int_equal(a.picture.width, b.picture.width);
    assert_int_equal(a.picture.height, b.picture.height);
    size_t bytes = (size_t)3 * a.picture.width * a.picture.height;
    if (memcmp(a.picture.rgb, b.picture.rgb, bytes) != 0)
        fail_msg("%s and %s differ", name_a, name_b);
    ir_picture_free(&a.picture);
    ir_picture_free(&b.picture);
}

/* The same picture, stored in two ways, must come out as the same pixels. */
static void pngsuite_pictures_do_not_depend_on_their_coding(void **state)
{
    (void)state;
    static const char *kinds[] = {"0g01", "0g02", "0g04", "0g08", "0g16", "2c08", "2c16", "3p01",
                                  "3p02", "3p04", "3p08", "4a08", "4a16", "6a08", "6a16"};
    static const char *alike[][2] = {
        {"oi1n0g16.png", "oi9n0g16.png"}, {"oi2n0g16.png", "oi4n0g16.png"},
        {"oi1n2c16.png", "oi9n2c16.png"}, {"oi2n2c16.png", "oi4n2c16.png"},
        {"z00n2c08.png", "z09n2c08.png"}, {"z03n2c08.png", "z06n2c08.png"},
        {"s05n3p02.png", "s05i3p02.png"}, {"s32n3p04.png", "s32i3p04.png"},
        {"s39n3p04.png", "s39i3p04.png"}};
    const char *folder = "decoders/pngsuite";
    char path[4096];
    if (!test_data(path, sizeof path, folder))
        skip();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char plain[32], interlaced[32];
        snprintf(plain, sizeof plain, "basn%s.png", kinds[i]);
        snprintf(interlaced, sizeof interlaced, "basi%s.png", kinds[i]);
        assert_alike(folder, plain, interlaced);
    }
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++)
        assert_alike(folder, alike[i][0], alike[i][1]);
}

/* The mean of |a - b| over all samples. */
static double mean_difference(const ir_picture *a, const ir_picture *b)
{
    uint64_t sum = 0;
    size_t count = (size_t)3 * a->width * a->height;
    for (size_t i = 0; i < count; i++)
        sum += (uint64_t)abs(a->rgb[i] - b->rgb[i]);
    return (double)sum / (double)count;
}

static void all_orientations_give_one_picture(void **state)
{
    (void)state;
    const char *folder = "decoders/exif-orientation";
    char path[4096];
    if (!test_data(path, sizeof path, folder))
        skip();
    outcome upright = decode_named(folder, "Landscape_1.jpg");
    assert_int_equal(upright.status, 0);
    for (int orientation = 2; orientation <= 8; orientation++) {
        char name[32];
        snprintf(name, sizeof name, "Landscape_%d.jpg", orientation);
        outcome turned = decode_named(folder, name);
        assert_int_equal(turned.status, 0);
        assert_int_equal(turned.picture.width, upright.picture.width);
        assert_int_equal(turned.picture.height, upright.picture.height);
        double difference = mean_difference(&upright.picture, &turned.picture);
        if (difference > 4.0)
            fail_msg("%s differs by %.2f", name, difference);
        ir_picture_free(&turned.picture);
    }
    ir_picture_free(&upright.picture);
}

/* The suite's pictures show one scene of 127 x 64 in many codings, exactly or nearly. */
static void bitmaps_of_one_scene_agree(void **state)
{
    (void)state;
    const char *folder = "decoders/image-rs/test-images/bmp/images";
    static const struct {
        const char *name;
        double tolerance;
    } bitmaps[] = {{"rgb32.bmp", 0},     {"rgb32bf.bmp", 0},       {"rgb24prof.bmp", 0},
                   {"pal8v4.bmp", 30},   {"pal8rle.bmp", 30},      {"rgb16.bmp", 8},
                   {"rgb16-565.bmp", 8}, {"rgb32-111110.bmp", 0.6}};
    char path[4096];
    if (!test_data(path, sizeof path, folder))
        skip();
    outcome scene = decode_named(folder, "rgb24.bmp");
    assert_int_equal(scene.status, 0);
    for (size_t i = 0; i < sizeof bitmaps / sizeof bitmaps[0]; i++) {
        outcome other = decode_named(folder, bitmaps[i].name);
        if (other.status)
            fail_msg("%s: %s", bitmaps[i].name, other.error.message);
        assert_int_equal(other.picture.width, scene.picture.width);
        assert_int_equal(other.picture.height, scene.picture.height);
        double difference = mean_difference(&scene.picture, &other.picture);
        if (difference > bitmaps[i].tolerance)
            fail_msg("%s differs by %.2f", bitmaps[i].name, difference);
        ir_picture_free(&other.picture);
    }
    ir_picture_free(&scene.picture);
    assert_alike(folder, "pal8v4.bmp", "pal8v5.bmp");
    assert_alike(folder, "pal8v4.bmp", "pal8rle.bmp");
}

/* In these folders a user's files: all decode but those of a kind that the library only names. */
static void check_user_file(const char *path, const char *name, outcome *result, void *context)
{
    (void)path;
    tally *counts = context;
    bool is_picture = !ends_with(name, ".txt") && strcmp(name, "LICENSE") != 0 &&
                      strcmp(name, "ukbench09268_corrupt.jpg") != 0;
    bool is_named = ends_with(name, ".tiff");
#if !IR_WITH_WEBP
    is_named = is_named || ends_with(name, ".webp");
#endif
    int32_t expected = !is_picture ? IMGRET_BAD_IMAGE : is_named ? IMGRET_UNSUPPORTED : 0;
    if (result->status != expected)
        fail_msg("%s: status %d, '%s'", name, result->status, result->error.message);
    counts->decoded += result->status == 0;
}

static void a_users_folders_decode(void **state)
{
    (void)state;
    tally counts = {0};
    if (!visit_all("rclip_e2e", check_user_file, &counts) ||
        !visit_all("neardup_tiny", check_user_file, &counts))
        skip();
    assert_true(counts.decoded >= 40);
}

/* Headers that promise huge pictures must not make the process grow: 4,000,000 KiB are plenty.
 * A sanitizer reserves more than that for itself. */
static int limit_memory(void **state)
{
    (void)state;
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        limit.rlim_cur = (rlim_t)4000000 * 1024;
    return setrlimit(RLIMIT_AS, &limit);
#else
    return 0;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_decoded_or_refused),
        cmocka_unit_test(pngsuite_decodes_and_its_damaged_files_do_not),
        cmocka_unit_test(pngsuite_pictures_do_not_depend_on_their_coding),
        cmocka_unit_test(all_orientations_give_one_picture),
        cmocka_unit_test(bitmaps_of_one_scene_agree),
        cmocka_unit_test(a_users_folders_decode),
    };
    return cmocka_run_group_tests_name("decode corpus", tests, limit_memory, NULL);
}
