/* bmp.c: Windows and OS/2 bitmaps: 1 to 32 bits, palettes, masks, alpha; run lengths in bmp_rle.c.
 *
 * Not by stb_image: that reads the palettes of OS/2 headers wrongly, takes colours beyond the end
 * of a palette from memory it never wrote, and knows no run lengths.
 */
#include "decode/bmp.h"

#include "base/error.h"

#include <string.h>

enum {
    CODING_PLAIN = 0,
    CODING_RLE8 = 1,
    CODING_RLE4 = 2,
    CODING_MASKS = 3,
    CODING_MASKS_ALPHA = 6
};

static int32_t unsupported(const ir_bmp *bmp, imgret_error *error)
{
    return ir_fail(error, IMGRET_UNSUPPORTED,
                   "bmp: compression %u, %u bits a pixel, a header of "
                   "%u bytes",
                   bmp->coding, bmp->bits, bmp->header_bytes);
}

static int32_t read_size(const ir_decode_job *job, ir_bmp *bmp, imgret_error *error)
{
    const uint8_t *data = job->data; /* sniffing saw 26 bytes, and a header size that exists */
    bmp->offset = ir_load_le32(data + 10);
    bmp->header_bytes = ir_load_le32(data + 14);
    if (job->bytes < 14 + (uint64_t)bmp->header_bytes)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: cut short in its header, %zu bytes",
                       job->bytes);
    if (bmp->header_bytes == 12) {
        bmp->width = ir_load_le16(data + 18);
        bmp->height = ir_load_le16(data + 20);
        bmp->planes = ir_load_le16(data + 22);
        bmp->bits = ir_load_le16(data + 24);
        return IMGRET_OK;
    }
    int64_t width = (int32_t)ir_load_le32(data + 18), height = (int32_t)ir_load_le32(data + 22);
    if (width < 0)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: width %lld", (long long)width);
    bmp->is_top_down = height < 0;
    bmp->width = (uint64_t)width;
    bmp->height = (uint64_t)(height < 0 ? -height : height);
    bmp->planes = ir_load_le16(data + 26);
    bmp->bits = ir_load_le16(data + 28);
    bmp->coding = bmp->header_bytes >= 40 ? ir_load_le32(data + 30) : CODING_PLAIN;
    return IMGRET_OK;
}

static int32_t check_coding(const ir_bmp *bmp, imgret_error *error)
{
    uint32_t bits = bmp->bits;
    /* OS/2 numbers its codings otherwise. */
    bool is_os2 = bmp->header_bytes == 16 || bmp->header_bytes == 64;
    if (bmp->planes != 1)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: %u planes", bmp->planes);
    if ((is_os2 && bmp->coding >= CODING_MASKS) || bmp->coding == 4 || bmp->coding == 5)
        return unsupported(bmp, error);
    bool is_indexed = bits == 1 || bits == 2 || bits == 4 || bits == 8;
    bool is_right = false;
    if (bmp->coding == CODING_PLAIN)
        is_right = is_indexed || bits == 16 || bits == 24 || bits == 32;
    else if (bmp->coding == CODING_RLE8 || bmp->coding == CODING_RLE4)
        is_right = bits == (bmp->coding == CODING_RLE8 ? 8 : 4) && !bmp->is_top_down;
    else if (bmp->coding == CODING_MASKS || bmp->coding == CODING_MASKS_ALPHA)
        is_right = bits == 16 || bits == 32;
    if (!is_right)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: compression %u with %u bits a pixel%s",
                       bmp->coding, bits, bmp->is_top_down ? ", from the top" : "");
    return IMGRET_OK;
}

/* Masks stand in the longer headers, or follow the one of 40 bytes. */
static int32_t read_masks(const ir_decode_job *job, ir_bmp *bmp, imgret_error *error)
{
    static const uint32_t plain16[4] = {0x7C00, 0x03E0, 0x001F, 0};
    static const uint32_t plain24[4] = {0xFF0000, 0x00FF00, 0x0000FF, 0};
    if (bmp->coding == CODING_PLAIN) {
        memcpy(bmp->masks, bmp->bits == 16 ? plain16 : plain24, sizeof bmp->masks);
        return IMGRET_OK;
    }
    uint32_t count = bmp->coding == CODING_MASKS_ALPHA || bmp->header_bytes >= 56 ? 4 : 3;
    if (job->bytes < 54 + 4 * (uint64_t)count)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: cut short in its masks");
    for (uint32_t i = 0; i < count; i++)
        bmp->masks[i] = ir_load_le32(job->data + 54 + 4 * i);
    for (int i = 0; i < 4; i++) {
        uint32_t mask = bmp->masks[i];
        uint32_t run = mask ? mask >> __builtin_ctz(mask) : 0;
        if ((run & (run + 1)) != 0 || (i < 3 && mask == 0))
            return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: colour mask 0x%08X", mask);
    }
    if (bmp->header_bytes == 40)
        bmp->head_bytes += 4 * count;
    return IMGRET_OK;
}

static int32_t read_palette(const ir_decode_job *job, ir_bmp *bmp, imgret_error *error)
{
    uint32_t entry_bytes = bmp->header_bytes == 12 ? 3 : 4, full = 1u << bmp->bits;
    uint32_t count = bmp->header_bytes >= 40 ? ir_load_le32(job->data + 46) : 0;
    if (count > full)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: %u colours with %u bits a pixel", count,
                       bmp->bits);
    uint32_t room = (uint32_t)(bmp->offset - bmp->head_bytes) / entry_bytes;
    count = count ? count : full;
    bmp->palette_count = count < room ? count : room;
    for (uint32_t i = 0; i < bmp->palette_count; i++) {
        const uint8_t *entry = job->data + bmp->head_bytes + (size_t)i * entry_bytes;
        bmp->palette[i][0] = entry[2], bmp->palette[i][1] = entry[1], bmp->palette[i][2] = entry[0];
    }
    return IMGRET_OK;
}

static int32_t read_header(const ir_decode_job *job, ir_bmp *bmp, ir_picture *out,
                           imgret_error *error)
{
    int32_t status = read_size(job, bmp, error);
    if (!status)
        status = check_coding(bmp, error);
    if (!status)
        status = ir_decode_check_size(job, bmp->width, bmp->height, out, error);
    bmp->head_bytes = 14 + bmp->header_bytes;
    if (!status && bmp->bits > 8)
        status = read_masks(job, bmp, error);
    if (!status && (bmp->offset < bmp->head_bytes || bmp->offset > job->bytes))
        status = ir_fail(error, IMGRET_BAD_IMAGE, "bmp: pixels at byte %llu of %zu",
                         (unsigned long long)bmp->offset, job->bytes);
    if (!status && bmp->bits <= 8)
        status = read_palette(job, bmp, error);
    return status;
}

static bool read_indexed_row(const ir_bmp *bmp, const uint8_t *from, uint8_t *rgb)
{
    for (size_t x = 0; x < bmp->width; x++, rgb += 3) {
        size_t bit = x * bmp->bits;
        uint32_t index = (uint32_t)(from[bit / 8] >> (8 - bmp->bits - bit % 8)) &
                         ((1u << bmp->bits) - 1);
        if (index >= bmp->palette_count)
            return false;
        memcpy(rgb, bmp->palette[index], 3);
    }
    return true;
}

static uint32_t load_pixel(const uint8_t *from, uint32_t bits)
{
    if (bits == 16)
        return ir_load_le16(from);
    uint32_t low = ir_load_le16(from) | (uint32_t)from[2] << 16;
    return bits == 24 ? low : low | (uint32_t)from[3] << 24;
}

/* The masked bits of `pixel`, scaled to 0..255. */
static uint32_t channel_of(uint32_t pixel, uint32_t mask)
{
    int shift = __builtin_ctz(mask);
    uint64_t value = (pixel & mask) >> shift, largest = mask >> shift;
    return (uint32_t)((value * 255 + largest / 2) / largest);
}

static void read_masked_row(const ir_bmp *bmp, const uint8_t *from, uint8_t *rgb)
{
    for (size_t x = 0; x < bmp->width; x++, rgb += 3, from += bmp->bits / 8) {
        uint32_t pixel = load_pixel(from, bmp->bits);
        uint32_t alpha = bmp->masks[3] ? channel_of(pixel, bmp->masks[3]) : 255;
        for (int c = 0; c < 3; c++)
            rgb[c] = ir_decode_over_white(channel_of(pixel, bmp->masks[c]), alpha);
    }
}

/* Many writers leave an alpha channel that they name at zero: such a picture is opaque. */
static void drop_empty_alpha(ir_bmp *bmp, const uint8_t *rows, size_t row_bytes)
{
    for (size_t y = 0; bmp->masks[3] && y < bmp->height; y++)
        for (size_t x = 0; x < bmp->width; x++)
            if (load_pixel(rows + row_bytes * y + x * (bmp->bits / 8), bmp->bits) & bmp->masks[3])
                return;
    bmp->masks[3] = 0;
}

static int32_t read_rows(const ir_decode_job *job, ir_bmp *bmp, ir_picture *out,
                         imgret_error *error)
{
    uint64_t row_bits = bmp->width * bmp->bits, row_bytes = (row_bits + 31) / 32 * 4;
    /* The padding of the last row is often left out. */
    uint64_t needed = row_bytes * (bmp->height - 1) + (row_bits + 7) / 8;
    if (needed > job->bytes - bmp->offset)
        return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: cut short, %llu of %llu bytes of pixels",
                       (unsigned long long)(job->bytes - bmp->offset), (unsigned long long)needed);
    int32_t status = ir_decode_allocate(job, out->source_width, out->source_height, out, error);
    if (status)
        return status;
    const uint8_t *rows = job->data + bmp->offset;
    drop_empty_alpha(bmp, rows, row_bytes);
    for (size_t y = 0; y < bmp->height; y++) {
        size_t to = bmp->is_top_down ? y : bmp->height - 1 - y;
        uint8_t *rgb = out->rgb + 3 * bmp->width * to;
        if (bmp->bits > 8)
            read_masked_row(bmp, rows + row_bytes * y, rgb);
        else if (!read_indexed_row(bmp, rows + row_bytes * y, rgb))
            return ir_fail(error, IMGRET_BAD_IMAGE, "bmp: a colour beyond the %u of its palette",
                           bmp->palette_count);
    }
    return IMGRET_OK;
}

int32_t ir_decode_bmp(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    ir_bmp bmp = {0};
    int32_t status = read_header(job, &bmp, out, error);
    if (status)
        return status;
    if (bmp.coding == CODING_RLE8 || bmp.coding == CODING_RLE4)
        return ir_bmp_read_runs(job, &bmp, out, error);
    return read_rows(job, &bmp, out, error);
}
