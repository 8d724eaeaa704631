/* test_base.c: errors, size-first structs, half precision, hashes, paths, the thread pool. */
#include "testing.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/way.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

static void error_is_filled_and_cut_at_a_character(void **state)
{
    (void)state;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_fail(&error, IMGRET_IO, "%s", "plain"), IMGRET_IO);
    assert_int_equal(error.code, IMGRET_IO);
    assert_string_equal(error.message, "plain");
    char text[600];
    for (size_t at = 0; at + 2 < sizeof text; at += 2)
        memcpy(text + at, "\xC3\xA9", 2); /* e acute */
    text[598] = '\0';
    ir_fail(&error, IMGRET_IO, "x%s", text);
    size_t length = strlen(error.message);
    assert_true(length >= sizeof error.message - 4);
    assert_int_equal((unsigned char)error.message[length - 1], 0xA9);
    assert_int_equal(ir_fail(NULL, IMGRET_BUSY, "nobody listens"), IMGRET_BUSY);
}

static void error_of_an_older_caller_stays_within_its_size(void **state)
{
    (void)state;
    struct {
        imgret_error error;
        char guard[8];
    } box;
    memset(&box, 0x55, sizeof box);
    box.error.size = 8 + 16;
    ir_fail(&box.error, IMGRET_IO, "%s", "a message longer than sixteen bytes");
    assert_int_equal(strlen(box.error.message), 15);
    assert_int_equal(box.error.message[16], 0x55);
    box.error.size = 8;
    ir_fail(&box.error, IMGRET_BUSY, "none");
    assert_int_equal(box.error.code, IMGRET_BUSY);
}

static void errors_nest(void **state)
{
    (void)state;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_fail(&error, IMGRET_BAD_IMAGE, "cut short");
    assert_int_equal(ir_fail_within(&error, IMGRET_IO, "%s", "a.jpg"), IMGRET_BAD_IMAGE);
    assert_string_equal(error.message, "a.jpg: cut short");
}

static void options_grow_both_ways(void **state)
{
    (void)state;
    struct {
        uint32_t size, a, b;
    } known, older = {8, 7, 99};
    struct {
        uint32_t size, a, b, c;
    } newer = {16, 1, 2, 0};
    assert_int_equal(ir_options_read(&known, sizeof known, 4, &older, "o", NULL), 0);
    assert_int_equal(known.a, 7);
    assert_int_equal(known.b, 0);
    assert_int_equal(known.size, sizeof known);
    assert_int_equal(ir_options_read(&known, sizeof known, 4, &newer, "o", NULL), 0);
    assert_int_equal(known.b, 2);
    newer.c = 1;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_options_read(&known, sizeof known, 4, &newer, "o", &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "byte 12"));
    assert_int_equal(ir_options_read(&known, sizeof known, 4, NULL, "o", NULL), 0);
    assert_int_equal(known.a, 0);
}

static void half_round_trips_every_value(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        float value = ir_half_to_float((uint16_t)half);
        if (isnan(value))
            assert_true(isnan(ir_half_to_float(ir_half_from_float(value))));
        else
            assert_int_equal(ir_half_from_float(value), half);
    }
}

static void half_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(ir_half_from_float(1.0f + 0x1p-11f), 0x3C00);
    assert_int_equal(ir_half_from_float(1.0f + 3 * 0x1p-11f), 0x3C02);
    assert_int_equal(ir_half_from_float(65519.0f), 0x7BFF);
    assert_int_equal(ir_half_from_float(65520.0f), 0x7C00);
    assert_int_equal(ir_half_from_float(0x1p-25f), 0);
    assert_int_equal(ir_half_from_float(0x1.8p-25f), 1);
    assert_int_equal(ir_half_from_float(-0x1p-24f), 0x8001);
}

static void sha256_of(const char *text, size_t repeat, char hex[65])
{
    ir_sha256 hash;
    uint8_t digest[32];
    ir_sha256_start(&hash);
    for (size_t i = 0; i < repeat; i++)
        ir_sha256_feed(&hash, text, strlen(text));
    ir_sha256_finish(&hash, digest);
    ir_hex(digest, 32, hex);
}

static void sha256_matches_its_standard(void **state)
{
    (void)state;
    char hex[65];
    sha256_of("", 1, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of("abc", 1, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sha256_of("aaaaaaaaaa", 100000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void sha256_is_the_same_by_instructions(void **state)
{
    (void)state;
    uint8_t data[700], digest[32], plain[32];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 151 + (i >> 3));
    for (size_t bytes = 0; bytes <= sizeof data; bytes += bytes < 130 ? 1 : 57)
        for (size_t first = 0; first <= bytes; first += 61) { /* in two parts, odd addresses */
            ir_sha256 hash;
            ir_sha256_start(&hash);
            ir_sha256_feed(&hash, data, first);
            ir_sha256_feed(&hash, data + first, bytes - first);
            ir_sha256_finish(&hash, digest);
            ir_sha256_start_plain(&hash);
            ir_sha256_feed(&hash, data, bytes);
            ir_sha256_finish(&hash, plain);
            assert_memory_equal(digest, plain, sizeof plain);
        }
}

static void paths_become_absolute(void **state)
{
    (void)state;
    char *path = NULL;
    assert_int_equal(ir_path_absolute("/tmp/../tmp/./none.jpg", &path, NULL), 0);
    assert_string_equal(path, "/tmp/none.jpg");
    ir_free(path);
    assert_int_equal(ir_path_absolute("/tmp/", &path, NULL), 0);
    assert_string_equal(path, "/tmp");
    ir_free(path);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_path_absolute("/no-such-folder/x", &path, &error), IMGRET_NOT_FOUND);
    assert_null(path);
}

static void reading_refuses_what_is_no_file(void **state)
{
    (void)state;
    uint8_t *data;
    size_t bytes;
    assert_int_equal(ir_file_read("/tmp", 1000, &data, &bytes, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(ir_file_read("/no-such", 1000, &data, &bytes, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(ir_file_read("/bin/sh", 10, &data, &bytes, NULL), IMGRET_LIMIT);
}

static void count_part(void *context, uint32_t part)
{
    atomic_uint *seen = context;
    atomic_fetch_add(&seen[part], 1);
}

static void pool_runs_every_part_once(void **state)
{
    (void)state;
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 4, NULL), 0);
    for (uint32_t round = 0; round < 2000; round++) {
        atomic_uint seen[16] = {0};
        ir_pool_run(pool, count_part, seen, 1 + round % 16);
        for (uint32_t part = 0; part < 16; part++)
            assert_int_equal(seen[part], part <= round % 16);
    }
    ir_pool_free(pool);
}

static void note_way(void *context, uint32_t part)
{
    (void)part;
    ir_give_way();
    if (ir_way_get() != context)
        fail_msg("a part is done without the way of its owner");
}

static void work_gives_way_while_somebody_asks(void **state)
{
    (void)state;
    atomic_uint_fast64_t answered = 7;
    const ir_way way = {.answered = &answered}, always = {.answered = NULL};
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 4, NULL), 0);
    assert_null(ir_way_set(&way));
    assert_false(ir_way_is_asked());
    ir_pool_run(pool, note_way, (void *)&way, 64);
    atomic_fetch_add(&answered, 1);
    assert_true(ir_way_is_asked());
    for (uint32_t i = 0; i < 1000000;
         i++) /* many slices: it is given again and again, and comes back */
        ir_give_way();
    assert_ptr_equal(ir_way_set(&always), &way);
    assert_true(ir_way_is_asked());
    ir_pool_run(pool, note_way, (void *)&always, 64);
    assert_ptr_equal(ir_way_set(NULL), &always);
    assert_false(ir_way_is_asked());
    ir_pool_run(pool, note_way, NULL, 64);
    ir_pool_free(pool);
}

static void allocations_are_counted_and_can_fail(void **state)
{
    (void)state;
    uint64_t before = ir_alloc_live_count();
    void *aligned = ir_malloc_aligned(4096, 100);
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    assert_int_equal(ir_alloc_live_count(), before + 1);
    assert_int_equal(imgret_set_allocator(NULL, NULL), IMGRET_BUSY);
    ir_free_aligned(aligned);
    assert_int_equal(ir_alloc_live_count(), before);
    ir_alloc_fail_after(2);
    void *first = ir_malloc(1), *second = ir_malloc(1), *third = ir_malloc(1);
    assert_true(first && !second && third);
    ir_free(first);
    ir_free(third);
    assert_null(ir_malloc_array(SIZE_MAX / 2, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_filled_and_cut_at_a_character),
        cmocka_unit_test(error_of_an_older_caller_stays_within_its_size),
        cmocka_unit_test(errors_nest),
        cmocka_unit_test(options_grow_both_ways),
        cmocka_unit_test(half_round_trips_every_value),
        cmocka_unit_test(half_rounds_to_nearest_even),
        cmocka_unit_test(sha256_matches_its_standard),
        cmocka_unit_test(sha256_is_the_same_by_instructions),
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(reading_refuses_what_is_no_file),
        cmocka_unit_test(pool_runs_every_part_once),
        cmocka_unit_test(work_gives_way_while_somebody_asks),
        cmocka_unit_test(allocations_are_counted_and_can_fail),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
