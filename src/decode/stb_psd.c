/* stb_psd.c: checks a PSD and cuts it down to what stb_image reads rightly.
 *
 * The merged picture holds red, green and blue, already over white where layers are transparent,
 * and then any number of further channels: transparency, saved selections, spot colours. stb_image
 * takes the fourth for alpha and takes the white out again by it, which is wrong for most files.
 */
#include "decode/stb.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { HEADER_BYTES = 26, COLOUR_COUNT = 3 };

static int32_t cut_short(const ir_decode_job *job, imgret_error *error)
{
    return ir_fail(error, IMGRET_BAD_IMAGE, "psd: cut short, %zu bytes", job->bytes);
}

static int32_t check_coding(const ir_decode_job *job, uint32_t coding, imgret_error *error)
{
    const uint8_t *data = job->data;
    uint32_t channels = ir_load_be16(data + 12), bits = ir_load_be16(data + 22);
    uint32_t mode = ir_load_be16(data + 24);
    if (ir_load_be16(data + 4) != 1)
        return ir_fail(error, IMGRET_UNSUPPORTED, "psd: version %u", ir_load_be16(data + 4));
    if (mode != 3)
        return ir_fail(error, IMGRET_UNSUPPORTED, "psd: colour mode %u", mode);
    if (channels < COLOUR_COUNT || channels > 56)
        return ir_fail(error, IMGRET_BAD_IMAGE, "psd: %u channels", channels);
    /* stb_image unpacks 16-bit samples as if they were 8-bit ones. */
    if ((bits != 8 && bits != 16) || coding > 1 || (bits == 16 && coding == 1))
        return ir_fail(error, IMGRET_UNSUPPORTED, "psd: %u bits a channel, compression %u", bits,
                       coding);
    return IMGRET_OK;
}

int32_t ir_stb_check_psd(const ir_decode_job *job, ir_stb_header *out, imgret_error *error)
{
    if (job->bytes < HEADER_BYTES)
        return cut_short(job, error);
    out->height = ir_load_be32(job->data + 14);
    out->width = ir_load_be32(job->data + 18);
    size_t at = HEADER_BYTES;
    for (int section = 0; section < 3; section++) { /* palette, resources, layers */
        if (job->bytes - at < 4 || ir_load_be32(job->data + at) > job->bytes - at - 4)
            return cut_short(job, error);
        at += 4 + ir_load_be32(job->data + at);
    }
    if (job->bytes - at < 2)
        return cut_short(job, error);
    out->psd_pixels_at = at;
    return check_coding(job, ir_load_be16(job->data + at), error);
}

int32_t ir_stb_trim_psd(const ir_decode_job *job, const ir_stb_header *header, uint8_t **out,
                        size_t *out_bytes, imgret_error *error)
{
    const uint8_t *pixels = job->data + header->psd_pixels_at + 2;
    size_t left = job->bytes - header->psd_pixels_at - 2;
    /* Packed rows are preceded by their lengths, for all rows of all channels. */
    bool is_packed = ir_load_be16(pixels - 2) == 1;
    uint64_t length_bytes = is_packed ? 2 * header->height : 0;
    uint32_t channels = ir_load_be16(job->data + 12);
    if (length_bytes * channels > left)
        return cut_short(job, error);
    size_t kept = (size_t)length_bytes * COLOUR_COUNT, all = (size_t)length_bytes * channels;
    size_t head_bytes = HEADER_BYTES + 12 + 2; /* the three sections empty */
    *out_bytes = head_bytes + kept + (left - all);
    *out = ir_calloc(1, *out_bytes);
    if (!*out)
        return ir_fail(error, IMGRET_NO_MEMORY, "psd: no memory for %zu bytes", *out_bytes);
    memcpy(*out, job->data, HEADER_BYTES);
    (*out)[12] = 0;
    (*out)[13] = COLOUR_COUNT;
    (*out)[head_bytes - 1] = is_packed;
    memcpy(*out + head_bytes, pixels, kept);
    memcpy(*out + head_bytes + kept, pixels + all, left - all);
    return IMGRET_OK;
}
