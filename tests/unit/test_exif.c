/* test_exif.c: EXIF fields: read as written, in every container, and left out when broken. */
#include "testing.h"

#include "decode/decode.h"

#include <math.h>

/* A TIFF block under construction. */
typedef struct block {
    uint8_t bytes[4096];
    size_t length;
    bool big_endian;
} block;

static void put(block *to, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        to->bytes[to->length++] = (uint8_t)(value >> 8 * (to->big_endian ? count - 1 - i : i));
}

static void put_at(block *to, size_t at, uint32_t value)
{
    size_t end = to->length;
    to->length = at;
    put(to, value, 4);
    to->length = end;
}

static block start(bool big_endian)
{
    block out = {.big_endian = big_endian};
    memcpy(out.bytes, big_endian ? "MM" : "II", 2);
    out.length = 2;
    put(&out, 42, 2);
    put(&out, 8, 4);
    return out;
}

/* An entry of a directory; returns where its value or place stands. */
static size_t entry(block *to, uint32_t tag, uint32_t type, uint32_t count, uint32_t value)
{
    put(to, tag, 2);
    put(to, type, 2);
    put(to, count, 4);
    size_t at = to->length;
    if (type == 3 && count == 1) {
        put(to, value, 2);
        put(to, 0, 2);
    } else {
        put(to, value, 4);
    }
    return at;
}

static void place_text(block *to, size_t entry_at, const char *text)
{
    put_at(to, entry_at, (uint32_t)to->length);
    memcpy(to->bytes + to->length, text, strlen(text) + 1);
    to->length += strlen(text) + 1;
}

static void place_angle(block *to, size_t entry_at, uint32_t degrees, uint32_t minutes,
                        uint32_t seconds, uint32_t divisor)
{
    put_at(to, entry_at, (uint32_t)to->length);
    put(to, degrees, 4), put(to, 1, 4);
    put(to, minutes, 4), put(to, 1, 4);
    put(to, seconds, 4), put(to, divisor, 4);
}

typedef struct fields {
    const char *make, *model, *changed, *original;
    uint32_t orientation, minutes, divisor;
    const char *north;
} fields;

static const fields usual = {
    "FUJIFILM", "X100  ", "2024:06:01 10:00:00", "2024:05:31 18:04:59", 6, 30, 100, "N"};

static block make(bool big_endian, const fields *given)
{
    block out = start(big_endian);
    put(&out, 6, 2);
    size_t make = entry(&out, 0x010F, 2, (uint32_t)strlen(given->make) + 1, 0);
    size_t model = entry(&out, 0x0110, 2, (uint32_t)strlen(given->model) + 1, 0);
    entry(&out, 0x0112, 3, 1, given->orientation);
    size_t changed = entry(&out, 0x0132, 2, (uint32_t)strlen(given->changed) + 1, 0);
    size_t exif = entry(&out, 0x8769, 4, 1, 0);
    size_t gps = entry(&out, 0x8825, 4, 1, 0);
    put(&out, 0, 4);
    place_text(&out, make, given->make);
    place_text(&out, model, given->model);
    place_text(&out, changed, given->changed);
    put_at(&out, exif, (uint32_t)out.length);
    put(&out, 1, 2);
    size_t original = entry(&out, 0x9003, 2, (uint32_t)strlen(given->original) + 1, 0);
    put(&out, 0, 4);
    place_text(&out, original, given->original);
    put_at(&out, gps, (uint32_t)out.length);
    put(&out, 4, 2);
    size_t north = entry(&out, 1, 2, 2, 0);
    size_t latitude = entry(&out, 2, 5, 3, 0);
    size_t east = entry(&out, 3, 2, 2, 0);
    size_t longitude = entry(&out, 4, 5, 3, 0);
    put(&out, 0, 4);
    out.bytes[north] = (uint8_t)given->north[0];
    out.bytes[north + 1] = 0;
    out.bytes[east] = 'W';
    out.bytes[east + 1] = 0;
    place_angle(&out, latitude, 48, given->minutes, 900, given->divisor);
    place_angle(&out, longitude, 11, 15, 0, 1);
    return out;
}

/* The block in the shortest file of a format that holds one. */
static size_t wrap(uint8_t *out, const char *format, const block *given)
{
    size_t length = 0;
    uint32_t bytes = (uint32_t)given->length;
    if (strcmp(format, "jpeg") == 0) {
        uint32_t segment = bytes + 8;
        uint8_t head[] = {
            0xFF, 0xD8, 0xFF, 0xE1, (uint8_t)(segment >> 8), (uint8_t)segment, 'E', 'x',
            'i',  'f',  0,    0};
        memcpy(out, head, sizeof head);
        length = sizeof head;
    } else if (strcmp(format, "webp") == 0) {
        uint8_t head[] = {'R',
                          'I',
                          'F',
                          'F',
                          0,
                          0,
                          0,
                          0,
                          'W',
                          'E',
                          'B',
                          'P',
                          'E',
                          'X',
                          'I',
                          'F',
                          (uint8_t)bytes,
                          (uint8_t)(bytes >> 8),
                          0,
                          0};
        memcpy(out, head, sizeof head);
        length = sizeof head;
    } else {
        uint8_t head[] = {
            0x89,           'P', 'N', 'G', '\r', '\n', 0x1A, '\n', 0, 0, (uint8_t)(bytes >> 8),
            (uint8_t)bytes, 'e', 'X', 'I', 'f'};
        memcpy(out, head, sizeof head);
        length = sizeof head;
    }
    memcpy(out + length, given->bytes, given->length);
    length += given->length;
    memset(out + length, 0, 4); /* PNG's checksum, which nobody asks for here */
    return length + 4;
}

static ir_exif read(const char *format, const block *given)
{
    uint8_t file[5000];
    size_t length = wrap(file, format, given);
    uint8_t *exact = malloc(length); /* so that reading past it is noticed */
    memcpy(exact, file, length);
    ir_exif out;
    ir_decode_exif(format, exact, length, &out);
    free(exact);
    return out;
}

static void every_field_is_read_from_every_container(void **state)
{
    (void)state;
    static const char *const formats[] = {"jpeg", "png", "webp"};
    for (int i = 0; i < 6; i++) {
        block given = make(i % 2 == 0, &usual);
        ir_exif found = read(formats[i / 2], &given);
        assert_int_equal(found.orientation, 6);
        assert_string_equal(found.make, "FUJIFILM");
        assert_string_equal(found.model, "X100");
        assert_string_equal(found.taken_at, "2024-05-31 18:04:59");
        assert_true(fabs(found.latitude - (48 + 30 / 60.0 + 9 / 3600.0)) < 1e-9);
        assert_true(fabs(found.longitude + 11.25) < 1e-9);
    }
}

static void assert_time(const char *original, const char *changed, const char *wanted)
{
    fields given = usual;
    given.original = original;
    given.changed = changed;
    block made = make(false, &given);
    assert_string_equal(read("jpeg", &made).taken_at, wanted);
}

static void only_a_time_that_exists_counts(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "0000:00:00 00:00:00", "2024:13:01 00:00:00", "2023:02:29 00:00:00",
        "2024:05:31 24:00:00", "2024:05:31 18:60:00", "2024-05-31 18:04:59",
        "    :  :     :  :  ", "2024:05:31",          "2024:05:31 18:04:5x",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_time(broken[i], broken[i], "");
        assert_time(broken[i], "2020:02:29 01:02:03", "2020-02-29 01:02:03");
    }
}

static void broken_fields_are_left_out(void **state)
{
    (void)state;
    fields given = usual;
    given.make = "caf\xC3\xA9"; /* not ASCII */
    given.model = "0123456789012345678901234567890123456789012345678901234567890123456789";
    given.orientation = 9;
    given.divisor = 0;
    block made = make(true, &given);
    ir_exif found = read("jpeg", &made);
    assert_string_equal(found.make, "");
    assert_string_equal(found.model, "");
    assert_int_equal(found.orientation, 0);
    assert_true(isnan(found.latitude) && isnan(found.longitude));
    assert_string_equal(found.taken_at, "2024-05-31 18:04:59");
    given = usual;
    given.minutes = 60;
    made = make(true, &given);
    assert_true(isnan(read("jpeg", &made).latitude));
    given = usual;
    given.north = "X";
    made = make(true, &given);
    assert_true(isnan(read("jpeg", &made).longitude));
}

/* Cut anywhere, and with any byte changed, nothing is read past the end and every text ends. */
static void damage_is_survived(void **state)
{
    (void)state;
    block whole = make(false, &usual);
    for (size_t length = 0; length < whole.length; length++) {
        block cut = whole;
        cut.length = length;
        read("jpeg", &cut);
        for (int value = 0; value < 256; value += 85) {
            block changed = whole;
            changed.bytes[length] = (uint8_t)value;
            ir_exif found = read("png", &changed);
            assert_true(strlen(found.taken_at) < sizeof found.taken_at);
            assert_true(strlen(found.make) < sizeof found.make);
            assert_true(found.orientation <= 8);
        }
    }
}

static void no_block_is_no_fields(void **state)
{
    (void)state;
    ir_exif found;
    ir_decode_exif("bmp", (const uint8_t *)"BM", 2, &found);
    assert_int_equal(found.orientation, 0);
    assert_string_equal(found.taken_at, "");
    assert_true(isnan(found.latitude));
    ir_decode_exif("jpeg", (const uint8_t *)"\xFF\xD8", 2, &found);
    assert_string_equal(found.model, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read_from_every_container),
        cmocka_unit_test(only_a_time_that_exists_counts),
        cmocka_unit_test(broken_fields_are_left_out),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(no_block_is_no_fields),
    };
    return cmocka_run_group_tests_name("exif", tests, NULL, NULL);
}
