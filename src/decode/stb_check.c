/* stb_check.c: reads the headers of GIF, TGA and HDR (and of PNG in builds without libpng) strictly,
 * because stb_image believes much that it should not. */
#include "decode/stb.h"

#include "base/error.h"

#include <string.h>

static int32_t cut_short(const ir_decode_job *job, imgret_error *error)
{
    return ir_fail(error, IMGRET_BAD_IMAGE, "%s: cut short, %zu bytes", job->format, job->bytes);
}

static int32_t check_gif(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    if (job->bytes < 13)
        return cut_short(job, error);
    out->width = ir_load_le16(job->data + 6);
    out->height = ir_load_le16(job->data + 8);
    return IMGRET_OK;
}

static int32_t check_tga(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    const uint8_t *data = job->data; /* sniffing saw all 18 bytes of the header */
    out->width = ir_load_le16(data + 12);
    out->height = ir_load_le16(data + 14);
    out->is_mirrored = (data[17] & 0x10) != 0;
    if (data[1] == 1 && ir_load_le16(data + 3) != 0)
        return ir_fail(error, IMGRET_UNSUPPORTED, "tga: a palette that starts at %u",
                       ir_load_le16(data + 3));
    bool is_packed = data[2] >= 9;
    uint64_t pixel_bytes = out->width * out->height * ((data[16] + 7u) / 8);
    if (!is_packed && pixel_bytes > job->bytes - 18)
        return cut_short(job, error);
    return IMGRET_OK;
}

/* Reads digits; false when there are none or too many. */
static bool read_number(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *start = *at;
    *out = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - start < 9; (*at)++)
        *out = *out * 10 + (uint64_t)(**at - '0');
    return *at > start;
}

/* The resolution line follows the first empty one: "-Y height +X width". */
static int32_t check_hdr(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    const uint8_t *end = job->data + job->bytes;
    const uint8_t *blank = memmem(job->data, job->bytes, "\n\n", 2);
    if (!blank)
        return ir_fail(error, IMGRET_BAD_IMAGE, "hdr: the header does not end");
    const uint8_t *at = blank + 2;
    if (end - at < 3 || memcmp(at, "-Y ", 3) != 0)
        return ir_fail(error, IMGRET_UNSUPPORTED, "hdr: rows that do not run from the top");
    at += 3;
    bool is_right = read_number(&at, end, &out->height) && end - at >= 4 &&
                    memcmp(at, " +X ", 4) == 0;
    at += is_right ? 4 : 0;
    is_right = is_right && read_number(&at, end, &out->width) && at < end && *at == '\n';
    return is_right ? IMGRET_OK : ir_fail(error, IMGRET_BAD_IMAGE, "hdr: no height and width");
}

static int32_t check_png(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    uint32_t width, height;
    int32_t status = ir_png_check(job, true, &width, &height, error);
    if (!status)
        out->width = width, out->height = height;
    return status;
}

int32_t ir_stb_check(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    switch (job->format[0]) {
    case 'g':
        return check_gif(job, out, error);
    case 't':
        return check_tga(job, out, error);
    case 'h':
        return check_hdr(job, out, error);
    case 'j':
        return ir_stb_check_jpeg(job, error);
    default:
        return strcmp(job->format, "psd") == 0 ? ir_stb_check_psd(job, out, error)
                                               : check_png(job, out, error);
    }
}
