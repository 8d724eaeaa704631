/* stb_jpeg.c: checks the segments of a JPEG before stb_image, in builds without libjpeg-turbo.
 *
 * stb_image writes beyond its Huffman tables when one claims more than 256 codes, reads beyond them
 * when a scan uses one that was never defined, and does not limit the number of scans.
 */
#include "decode/stb.h"

#include "base/error.h"

#include <string.h>

/* As in jpeg.c. */
#define SCAN_COUNT_MAX 64

enum { MARKER_DHT = 0xC4, MARKER_EOI = 0xD9, MARKER_SOS = 0xDA };

typedef struct walker {
    const uint8_t *data;
    size_t bytes;
    size_t at;
    uint32_t table_mask[2]; /* bit i: table i of class DC, AC is defined */
    uint32_t scan_count;
    bool is_progressive;
} walker;

/* Steps to the next marker, as stb_image does: stuffed bytes and restarts belong to their scan. */
static uint8_t next_marker(walker *w)
{
    while (w->at < w->bytes) {
        const uint8_t *mark = memchr(w->data + w->at, 0xFF, w->bytes - w->at);
        if (!mark)
            break;
        w->at = (size_t)(mark - w->data);
        while (w->at < w->bytes && w->data[w->at] == 0xFF)
            w->at++;
        uint8_t kind = w->at < w->bytes ? w->data[w->at++] : MARKER_EOI;
        if (kind > 0x01 && (kind < 0xD0 || kind > 0xD8))
            return kind;
    }
    return MARKER_EOI;
}

static bool read_tables(walker *w, const uint8_t *at, size_t bytes)
{
    while (bytes >= 17) {
        size_t code_count = 0;
        for (int length = 1; length <= 16; length++)
            code_count += at[length];
        if (at[0] >> 4 > 1 || (at[0] & 15) > 3 || code_count > 256 || 17 + code_count > bytes)
            return false;
        w->table_mask[at[0] >> 4] |= 1u << (at[0] & 15);
        at += 17 + code_count;
        bytes -= 17 + code_count;
    }
    return bytes == 0;
}

/* A scan's header: component count, pairs of component and tables, first and last coefficient. */
static bool read_scan(walker *w, const uint8_t *at, size_t bytes)
{
    if (bytes < 1 || bytes < 4 + 2 * (size_t)at[0])
        return false;
    w->scan_count++;
    bool starts_at_dc = at[1 + 2 * (size_t)at[0]] == 0;
    for (size_t i = 0; i < at[0]; i++) {
        uint8_t tables = at[2 + 2 * i];
        bool has_dc = tables >> 4 <= 3 && (w->table_mask[0] >> (tables >> 4) & 1) != 0;
        bool has_ac = (tables & 15) <= 3 && (w->table_mask[1] >> (tables & 15) & 1) != 0;
        bool needs_dc = !w->is_progressive || starts_at_dc;
        bool needs_ac = !w->is_progressive || !starts_at_dc;
        if ((needs_dc && !has_dc) || (needs_ac && !has_ac))
            return false;
    }
    return true;
}

int32_t ir_stb_check_jpeg(const ir_decode_job *job, imgret_error *error)
{
    walker w = {.data = job->data, .bytes = job->bytes, .at = 2};
    for (uint8_t kind; (kind = next_marker(&w)) != MARKER_EOI;) {
        const uint8_t *at = w.data + w.at;
        size_t left = w.bytes - w.at, length = left >= 2 ? ir_load_be16(at) : 0;
        if (length < 2 || length > left)
            return ir_fail(error, IMGRET_BAD_IMAGE, "jpeg: cut short, %zu bytes", job->bytes);
        if (kind == 0xC2)
            w.is_progressive = true;
        if (kind == MARKER_DHT && !read_tables(&w, at + 2, length - 2))
            return ir_fail(error, IMGRET_BAD_IMAGE, "jpeg: damaged Huffman tables");
        if (kind == MARKER_SOS && !read_scan(&w, at + 2, length - 2))
            return ir_fail(error, IMGRET_BAD_IMAGE, "jpeg: a damaged scan, or one without tables");
        if (w.scan_count > SCAN_COUNT_MAX)
            return ir_fail(error, IMGRET_LIMIT, "jpeg: more than %d scans", SCAN_COUNT_MAX);
        w.at += length;
    }
    return IMGRET_OK;
}
