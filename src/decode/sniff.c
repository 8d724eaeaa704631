/* sniff.c: tells the format of a picture from its first bytes. */
#include "decode/codec.h"
#include "decode/decode.h"

#include <string.h>

typedef struct head {
    const uint8_t *data;
    size_t bytes;
} head;

/* `length` is given because signatures contain NUL bytes. */
static bool has(head file, size_t at, const char *text, size_t length)
{
    return file.bytes >= at + length && memcmp(file.data + at, text, length) == 0;
}

#define HAS(file, at, text) has(file, at, "" text, sizeof(text) - 1)

/* Formats whose first bytes alone are sure. */
static const struct {
    const char *format;
    uint8_t length;
    char bytes[13];
} signatures[] = {
    {"jpeg", 3, "\xFF\xD8\xFF"},
    {"png", 8, "\x89PNG\r\n\x1A\n"},
    {"gif", 6, "GIF87a"},
    {"gif", 6, "GIF89a"},
    {"psd", 4, "8BPS"},
    {"hdr", 11, "#?RADIANCE\n"},
    {"hdr", 7, "#?RGBE\n"},
    {"orf", 4, "IIRO"},
    {"orf", 4, "IIRS"},
    {"rw2", 4, "IIU\0"},
    {"cr2", 11, "II*\0\x10\0\0\0CR\x02"},
    {"raf", 12, "FUJIFILMCCD-"},
    {"x3f", 4, "FOVb"},
    {"tiff", 4, "II*\0"},
    {"tiff", 4, "MM\0*"},
    {"tiff", 4, "II+\0"},
    {"tiff", 4, "MM\0+"},
    {"jp2", 12, "\0\0\0\x0CjP  \r\n\x87\n"},
    {"j2k", 4, "\xFF\x4F\xFF\x51"},
    {"jxl", 12, "\0\0\0\x0CJXL \r\n\x87\n"},
    {"jxl", 2, "\xFF\x0A"},
    {"exr", 4, "\x76\x2F\x31\x01"},
    {"dds", 4, "DDS "},
    {"qoi", 4, "qoif"},
    {"xcf", 8, "gimp xcf"},
    {"pam", 3, "P7\n"},
};

static const char *by_signature(head file)
{
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        if (has(file, 0, signatures[i].bytes, signatures[i].length))
            return signatures[i].format;
    return NULL;
}

/* "BM" begins many texts: the size of the second header must be one that exists. */
static bool is_bmp(head file)
{
    if (!HAS(file, 0, "BM") || file.bytes < 26)
        return false;
    uint32_t header_bytes = ir_load_le32(file.data + 14);
    return header_bytes == 12 || header_bytes == 16 || header_bytes == 40 || header_bytes == 52 ||
           header_bytes == 56 || header_bytes == 64 || header_bytes == 108 || header_bytes == 124;
}

/* "P1" to "P6", white space, and then the width or a comment. */
static bool is_pnm(head file)
{
    if (file.bytes < 4 || file.data[0] != 'P' || file.data[1] < '1' || file.data[1] > '6')
        return false;
    size_t at = 2;
    while (at < file.bytes && strchr(" \t\r\n\v\f", file.data[at]) && file.data[at])
        at++;
    if (at >= file.bytes || (at == 2 && file.data[at] != '#'))
        return false;
    return file.data[at] == '#' || (file.data[at] >= '0' && file.data[at] <= '9');
}

/* Brands of ISO base media files that hold still pictures; films are no pictures. */
static const char *iso_media(head file)
{
    static const struct {
        char brand[5];
        const char *format;
    } brands[] = {{"avif", "avif"}, {"avis", "avif"}, {"heic", "heif"}, {"heix", "heif"},
                  {"hevc", "heif"}, {"heim", "heif"}, {"heis", "heif"}, {"hevx", "heif"},
                  {"mif1", "heif"}, {"msf1", "heif"}, {"crx ", "cr3"}};
    if (!HAS(file, 4, "ftyp"))
        return NULL;
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
        if (has(file, 8, brands[i].brand, 4))
            return brands[i].format;
    return NULL;
}

/* An icon: its directory's count and the first entry must be plausible, four bytes are too weak. */
static bool is_ico(head file)
{
    if (!HAS(file, 0, "\0\0\1\0") || file.bytes < 22)
        return false;
    uint32_t count = ir_load_le16(file.data + 4);
    uint32_t offset = ir_load_le32(file.data + 18);
    return count >= 1 && count <= 256 && file.data[9] == 0 && offset >= 6 + 16 * count;
}

static bool is_svg(head file)
{
    size_t at = HAS(file, 0, "\xEF\xBB\xBF") ? 3 : 0;
    size_t end = file.bytes < 1024 ? file.bytes : 1024;
    while (at < end && (file.data[at] == ' ' || (file.data[at] >= '\t' && file.data[at] <= '\r')))
        at++;
    if (HAS(file, at, "<svg") || HAS(file, at, "<!DOCTYPE svg"))
        return true;
    if (!HAS(file, at, "<?xml"))
        return false;
    for (; at < end; at++)
        if (HAS(file, at, "<svg") || HAS(file, at, "<!DOCTYPE svg"))
            return true;
    return false;
}

static bool is_one_of(uint32_t value, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return value == a || value == b || value == c || value == d;
}

/* TGA has no signature at its start: every field must hold a value that writers use. */
static bool is_tga(head file)
{
    if (file.bytes < 18)
        return false;
    const uint8_t *h = file.data;
    uint32_t kind = h[2] & ~8u, depth = h[16];
    uint32_t palette_start = ir_load_le16(h + 3), palette_count = ir_load_le16(h + 5);
    if (h[1] > 1 || h[2] > 11 || kind < 1 || kind > 3)
        return false;
    if (ir_load_le16(h + 12) == 0 || ir_load_le16(h + 14) == 0 || (h[17] & 0xC0) != 0)
        return false;
    uint32_t alpha_bits = h[17] & 15;
    if (kind == 1)
        return h[1] == 1 && palette_count > 0 && palette_start + palette_count <= 65536 &&
               is_one_of(h[7], 15, 16, 24, 32) && is_one_of(depth, 8, 16, 8, 16) &&
               is_one_of(alpha_bits, 0, 1, 8, 0);
    if (h[1] != 0 || palette_start != 0 || palette_count != 0 || h[7] != 0)
        return false;
    if (kind == 3)
        return (depth == 8 && alpha_bits == 0) ||
               (depth == 16 && is_one_of(alpha_bits, 0, 8, 0, 8));
    return (is_one_of(depth, 15, 16, 15, 16) && alpha_bits <= 1) ||
           (depth == 24 && is_one_of(alpha_bits, 0, 8, 0, 8)) ||
           (depth == 32 && is_one_of(alpha_bits, 0, 8, 0, 8));
}

static const char *recognise(head file)
{
    const char *format = by_signature(file);
    if (!format)
        format = iso_media(file);
    if (format)
        return format;
    if (HAS(file, 0, "RIFF") && HAS(file, 8, "WEBP"))
        return "webp";
    if (is_bmp(file))
        return "bmp";
    if (is_pnm(file))
        return "pnm";
    if (is_ico(file))
        return "ico";
    if (is_svg(file))
        return "svg";
    return is_tga(file) ? "tga" : NULL;
}

const char *ir_decode_sniff(const uint8_t *head_bytes, size_t bytes, bool *supported)
{
    const char *format = recognise((head){head_bytes, bytes});
    *supported = format && ir_decode_decoder(format) != NULL;
    return format;
}
