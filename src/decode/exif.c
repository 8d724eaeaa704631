/* exif.c: finds the EXIF block of a JPEG, PNG or WebP file, and the orientation in it. */
#include "decode/codec.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112u
#define TYPE_SHORT 3u

typedef struct span {
    const uint8_t *data;
    size_t bytes;
} span;

static const span none = {NULL, 0};

static uint32_t load16(span tiff, size_t at, bool big_endian)
{
    return big_endian ? ir_load_be16(tiff.data + at) : ir_load_le16(tiff.data + at);
}

static uint32_t load32(span tiff, size_t at, bool big_endian)
{
    return big_endian ? ir_load_be32(tiff.data + at) : ir_load_le32(tiff.data + at);
}

/* Reads the first directory of a TIFF structure (EXIF 2.3, section 4.5). */
static uint32_t orientation_in_tiff(span tiff)
{
    if (tiff.bytes < 10)
        return 1;
    bool big_endian = memcmp(tiff.data, "MM\0*", 4) == 0;
    if (!big_endian && memcmp(tiff.data, "II*\0", 4) != 0)
        return 1;
    size_t at = load32(tiff, 4, big_endian);
    if (at < 8 || at > tiff.bytes - 2)
        return 1;
    uint32_t entry_count = load16(tiff, at, big_endian);
    at += 2;
    for (uint32_t i = 0; i < entry_count && tiff.bytes - at >= 12; i++, at += 12) {
        if (load16(tiff, at, big_endian) != TAG_ORIENTATION)
            continue;
        uint32_t value = load16(tiff, at + 8, big_endian);
        bool is_right = load16(tiff, at + 2, big_endian) == TYPE_SHORT &&
                        load32(tiff, at + 4, big_endian) == 1 && value >= 1 && value <= 8;
        return is_right ? value : 1;
    }
    return 1;
}

/* Cuts off the prefix that JPEG demands and that some writers also give WebP. */
static bool cut_prefix(span *exif)
{
    if (exif->bytes < 6 || memcmp(exif->data, "Exif\0", 6) != 0)
        return false;
    exif->data += 6;
    exif->bytes -= 6;
    return true;
}

static span find_in_jpeg(span file)
{
    size_t at = 2; /* after SOI */
    while (at < file.bytes) {
        const uint8_t *marker = memchr(file.data + at, 0xFF, file.bytes - at);
        if (!marker)
            return none;
        at = (size_t)(marker - file.data) + 1;
        while (at < file.bytes && file.data[at] == 0xFF)
            at++;
        if (at >= file.bytes)
            return none;
        uint8_t kind = file.data[at++];
        if (kind <= 0x01 || (kind >= 0xD0 && kind <= 0xD8))
            continue; /* no segment follows */
        if (kind == 0xD9 || kind == 0xDA || file.bytes - at < 2)
            return none;
        size_t segment_bytes = ir_load_be16(file.data + at);
        if (segment_bytes < 2 || segment_bytes > file.bytes - at)
            return none;
        span body = {file.data + at + 2, segment_bytes - 2};
        if (kind == 0xE1 && cut_prefix(&body))
            return body;
        at += segment_bytes;
    }
    return none;
}

static span find_in_png(span file)
{
    ir_png_chunk chunk;
    size_t position = 0;
    while (ir_png_next(file.data, file.bytes, &position, &chunk))
        if (memcmp(chunk.type, "eXIf", 4) == 0)
            return (span){chunk.data, chunk.bytes};
    return none;
}

static span find_in_webp(span file)
{
    size_t at = 12; /* "RIFF" size "WEBP" */
    while (at < file.bytes && file.bytes - at >= 8) {
        size_t chunk_bytes = ir_load_le32(file.data + at + 4);
        if (chunk_bytes > file.bytes - at - 8)
            return none;
        span body = {file.data + at + 8, chunk_bytes};
        if (memcmp(file.data + at, "EXIF", 4) == 0) {
            cut_prefix(&body);
            return body;
        }
        at += 8 + chunk_bytes + (chunk_bytes & 1);
    }
    return none;
}

const uint8_t *ir_exif_find(const char *format, const uint8_t *data, size_t bytes,
                            size_t *exif_bytes)
{
    span file = {data, bytes}, found = none;
    if (strcmp(format, "jpeg") == 0)
        found = find_in_jpeg(file);
    else if (strcmp(format, "png") == 0)
        found = find_in_png(file);
    else if (strcmp(format, "webp") == 0)
        found = find_in_webp(file);
    *exif_bytes = found.bytes;
    return found.data;
}

uint32_t ir_decode_orientation(const char *format, const uint8_t *data, size_t bytes)
{
    span tiff;
    tiff.data = ir_exif_find(format, data, bytes, &tiff.bytes);
    return tiff.data ? orientation_in_tiff(tiff) : 1;
}
