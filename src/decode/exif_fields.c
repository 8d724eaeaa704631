/* exif_fields.c: reads what a camera wrote about a picture: when, with what, where (EXIF 2.3).
 *
 * Strict: a field counts only with the type and count that the standard gives it, its value inside
 * the block and in range. Every directory is read once and none from within another of its kind, so
 * that a block that points at itself ends.
 */
#include "decode/codec.h"
#include "decode/decode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ENTRY_BYTES = 12, ENTRIES_MAX = 1000 };
enum { TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_RATIONAL = 5 };
enum {
    TAG_MAKE = 0x010F,
    TAG_MODEL = 0x0110,
    TAG_ORIENTATION = 0x0112,
    TAG_CHANGED = 0x0132,
    TAG_EXIF = 0x8769,
    TAG_GPS = 0x8825,
    TAG_ORIGINAL = 0x9003,
    TAG_LATITUDE_REF = 1,
    TAG_LATITUDE = 2,
    TAG_LONGITUDE_REF = 3,
    TAG_LONGITUDE = 4
};

typedef struct tiff {
    const uint8_t *data;
    size_t bytes;
    bool big_endian;
} tiff;

typedef struct entry {
    uint32_t type;
    uint32_t count;
    const uint8_t *value; /* wholly inside the block */
} entry;

static uint32_t load16(const tiff *block, const uint8_t *at)
{
    return block->big_endian ? ir_load_be16(at) : ir_load_le16(at);
}

static uint32_t load32(const tiff *block, const uint8_t *at)
{
    return block->big_endian ? ir_load_be32(at) : ir_load_le32(at);
}

/* Checks the header; the place of the first directory, or 0. */
static uint32_t open_block(tiff *block)
{
    if (block->bytes < 8)
        return 0;
    block->big_endian = memcmp(block->data, "MM\0*", 4) == 0;
    if (!block->big_endian && memcmp(block->data, "II*\0", 4) != 0)
        return 0;
    return load32(block, block->data + 4);
}

static uint32_t type_bytes(uint32_t type)
{
    return type == TYPE_ASCII      ? 1
           : type == TYPE_SHORT    ? 2
           : type == TYPE_LONG     ? 4
           : type == TYPE_RATIONAL ? 8
                                   : 0;
}

/* Finds `tag` in the directory at `at`. False when it is not there, or not as the standard says. */
static bool find(const tiff *block, uint32_t at, uint32_t tag, uint32_t type, entry *out)
{
    if (at < 8 || at > block->bytes || block->bytes - at < 2)
        return false;
    uint32_t count = load16(block, block->data + at);
    if (count > ENTRIES_MAX || (block->bytes - at - 2) / ENTRY_BYTES < count)
        return false;
    const uint8_t *item = block->data + at + 2;
    for (uint32_t i = 0; i < count; i++, item += ENTRY_BYTES) {
        if (load16(block, item) != tag)
            continue;
        out->type = load16(block, item + 2);
        out->count = load32(block, item + 4);
        if (out->type != type || out->count == 0)
            return false;
        uint64_t value_bytes = (uint64_t)out->count * type_bytes(type);
        if (value_bytes <= 4) {
            out->value = item + 8;
            return true;
        }
        uint32_t place = load32(block, item + 8);
        if (place < 8 || place > block->bytes || block->bytes - place < value_bytes)
            return false;
        out->value = block->data + place;
        return true;
    }
    return false;
}

/* A text of the first directory, blanks around it cut off; "" unless it is printable ASCII that
 * fits. */
static void read_text(const tiff *block, uint32_t at, uint32_t tag, char *out, size_t capacity)
{
    entry found;
    out[0] = '\0';
    if (!find(block, at, tag, TYPE_ASCII, &found))
        return;
    const char *text = (const char *)found.value;
    size_t length = strnlen(text, found.count);
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (length >= capacity)
        return;
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return;
    memcpy(out, text, length);
    out[length] = '\0';
}

static bool read_digits(const char *text, int count, int least, int most, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = 10 * *out + (text[i] - '0');
    }
    return *out >= least && *out <= most;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* "2024:05:31 18:04:59" and its NUL, of a day that exists. */
static bool read_time(const tiff *block, uint32_t at, uint32_t tag, char out[20])
{
    entry found;
    int year, month, day, hour, minute, second;
    out[0] = '\0';
    if (!find(block, at, tag, TYPE_ASCII, &found) || found.count != 20)
        return false;
    const char *text = (const char *)found.value;
    bool well_formed = text[4] == ':' && text[7] == ':' && text[10] == ' ' && text[13] == ':' &&
                       text[16] == ':' && text[19] == '\0';
    if (!well_formed || !read_digits(text, 4, 1, 9999, &year) ||
        !read_digits(text + 5, 2, 1, 12, &month) ||
        !read_digits(text + 8, 2, 1, days_in(year, month), &day) ||
        !read_digits(text + 11, 2, 0, 23, &hour) || !read_digits(text + 14, 2, 0, 59, &minute) ||
        !read_digits(text + 17, 2, 0, 59, &second))
        return false;
    memcpy(out, text, 20);
    out[4] = out[7] = '-';
    return true;
}

/* Degrees, minutes and seconds with their hemisphere, as degrees; NaN when broken. */
static double read_angle(const tiff *block, uint32_t at, uint32_t tag, uint32_t reference_tag,
                         const char *hemispheres, double most)
{
    entry value, reference;
    if (!find(block, at, tag, TYPE_RATIONAL, &value) || value.count != 3 ||
        !find(block, at, reference_tag, TYPE_ASCII, &reference) || reference.count != 2 ||
        reference.value[1] != '\0')
        return NAN;
    double parts[3];
    for (int i = 0; i < 3; i++) {
        uint32_t divisor = load32(block, value.value + 8 * i + 4);
        if (divisor == 0)
            return NAN;
        parts[i] = (double)load32(block, value.value + 8 * i) / (double)divisor;
    }
    double degrees = parts[0] + parts[1] / 60.0 + parts[2] / 3600.0;
    if (parts[1] >= 60.0 || parts[2] >= 60.0 || degrees > most)
        return NAN;
    if ((char)reference.value[0] == hemispheres[0])
        return degrees;
    return (char)reference.value[0] == hemispheres[1] ? 0.0 - degrees : NAN;
}

static void read_place(const tiff *block, uint32_t at, ir_exif *out)
{
    double latitude = read_angle(block, at, TAG_LATITUDE, TAG_LATITUDE_REF, "NS", 90.0);
    double longitude = read_angle(block, at, TAG_LONGITUDE, TAG_LONGITUDE_REF, "EW", 180.0);
    if (isnan(latitude) || isnan(longitude)) /* half a place is none */
        return;
    out->latitude = latitude;
    out->longitude = longitude;
}

static uint32_t read_pointer(const tiff *block, uint32_t at, uint32_t tag)
{
    entry found;
    return find(block, at, tag, TYPE_LONG, &found) && found.count == 1 ? load32(block, found.value)
                                                                       : 0;
}

void ir_decode_exif(const char *format, const uint8_t *data, size_t bytes, ir_exif *out)
{
    *out = (ir_exif){.latitude = NAN, .longitude = NAN};
    tiff block = {0};
    block.data = ir_exif_find(format, data, bytes, &block.bytes);
    if (!block.data)
        return;
    uint32_t first = open_block(&block);
    entry found;
    if (find(&block, first, TAG_ORIENTATION, TYPE_SHORT, &found) && found.count == 1) {
        uint32_t orientation = load16(&block, found.value);
        out->orientation = orientation <= 8 ? orientation : 0;
    }
    read_text(&block, first, TAG_MAKE, out->make, sizeof out->make);
    read_text(&block, first, TAG_MODEL, out->model, sizeof out->model);
    uint32_t exif = read_pointer(&block, first, TAG_EXIF);
    if (!exif || !read_time(&block, exif, TAG_ORIGINAL, out->taken_at))
        read_time(&block, first, TAG_CHANGED, out->taken_at);
    uint32_t gps = read_pointer(&block, first, TAG_GPS);
    if (gps)
        read_place(&block, gps, out);
}
