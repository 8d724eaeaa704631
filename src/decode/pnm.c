/* pnm.c: the Netpbm formats P1 to P6: bitmap, grey and colour, as text or binary, 1 to 16 bits. */
#include "base/error.h"
#include "decode/codec.h"

typedef struct cursor {
    const uint8_t *data;
    size_t bytes;
    size_t at;
} cursor;

typedef struct header {
    bool is_text;
    bool is_bitmap;
    uint32_t channels;
    uint32_t width;
    uint32_t height;
    uint32_t sample_max;
} header;

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Skips white space and comments, which run from '#' to the end of their line. */
static void skip_space(cursor *c)
{
    bool is_comment = false;
    for (; c->at < c->bytes; c->at++) {
        uint8_t byte = c->data[c->at];
        if (byte == '#')
            is_comment = true;
        if (is_comment ? false : !is_space(byte))
            return;
        if (byte == '\n' || byte == '\r')
            is_comment = false;
    }
}

/* Reads a decimal number of at most 9 digits that white space or the end follows. */
static bool read_number(cursor *c, uint32_t *out)
{
    skip_space(c);
    size_t start = c->at;
    uint32_t value = 0;
    while (c->at < c->bytes && c->data[c->at] >= '0' && c->data[c->at] <= '9' && c->at - start < 9)
        value = value * 10 + (uint32_t)(c->data[c->at++] - '0');
    *out = value;
    bool ends = c->at == c->bytes || is_space(c->data[c->at]) || c->data[c->at] == '#';
    return c->at > start && ends;
}

static int32_t read_header(cursor *c, header *out, imgret_error *error)
{
    uint32_t kind = (uint32_t)(c->data[1] - '0');
    *out = (header){.is_text = kind <= 3,
                    .is_bitmap = kind % 3 == 1,
                    .sample_max = 1,
                    .channels = kind % 3 == 0 ? 3 : 1};
    c->at = 2;
    if (!read_number(c, &out->width) || !read_number(c, &out->height))
        return ir_fail(error, IMGRET_BAD_IMAGE, "pnm: no width and height");
    if (!out->is_bitmap && !read_number(c, &out->sample_max))
        return ir_fail(error, IMGRET_BAD_IMAGE, "pnm: no largest sample value");
    if (out->sample_max < 1 || out->sample_max > 65535)
        return ir_fail(error, IMGRET_BAD_IMAGE, "pnm: largest sample value %u, not 1..65535",
                       out->sample_max);
    if (!out->is_text && c->at < c->bytes)
        c->at++; /* exactly one white space before binary samples */
    return IMGRET_OK;
}

/* The least number of bytes that the samples of `h` take. */
static uint64_t sample_bytes_min(const header *h)
{
    uint64_t row_samples = (uint64_t)h->width * h->channels;
    if (h->is_text) /* digits, and between numbers a space */
        return h->is_bitmap ? row_samples * h->height : 2 * row_samples * h->height - 1;
    if (h->is_bitmap)
        return (row_samples + 7) / 8 * h->height;
    return row_samples * h->height * (h->sample_max > 255 ? 2 : 1);
}

static bool read_text_bit(cursor *c, uint32_t *out)
{
    skip_space(c);
    if (c->at >= c->bytes || (c->data[c->at] & ~1u) != '0')
        return false;
    *out = c->data[c->at++] & 1u;
    return true;
}

/* The sample at column x of a row; for binary kinds the length was checked before. */
static bool read_sample(cursor *c, const header *h, uint32_t x, uint32_t *out)
{
    if (h->is_text)
        return h->is_bitmap ? read_text_bit(c, out) : read_number(c, out);
    if (h->is_bitmap) {
        *out = (uint32_t)(c->data[c->at] >> (7 - x % 8)) & 1u;
        if (x % 8 == 7 || x + 1 == h->width)
            c->at++;
    } else if (h->sample_max > 255) {
        *out = ir_load_be16(c->data + c->at);
        c->at += 2;
    } else {
        *out = c->data[c->at++];
    }
    return true;
}

static bool read_row(cursor *c, const header *h, uint8_t *rgb)
{
    for (uint32_t x = 0; x < h->width; x++, rgb += 3) {
        for (uint32_t channel = 0; channel < h->channels; channel++) {
            uint32_t sample;
            if (!read_sample(c, h, x, &sample) || sample > h->sample_max)
                return false;
            rgb[channel] = (uint8_t)((sample * 255 + h->sample_max / 2) / h->sample_max);
        }
        if (h->is_bitmap)
            rgb[0] = (uint8_t)(255 - rgb[0]); /* 1 is black */
        if (h->channels == 1)
            rgb[1] = rgb[2] = rgb[0];
    }
    return true;
}

int32_t ir_decode_pnm(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    cursor c = {job->data, job->bytes, 0};
    header h;
    int32_t status = read_header(&c, &h, error);
    if (!status)
        status = ir_decode_check_size(job, h.width, h.height, out, error);
    if (status)
        return status;
    uint64_t needed = sample_bytes_min(&h);
    if (needed > c.bytes - c.at)
        return ir_fail(error, IMGRET_BAD_IMAGE, "pnm: cut short, %zu of at least %llu bytes",
                       c.bytes - c.at, (unsigned long long)needed);
    status = ir_decode_allocate(job, h.width, h.height, out, error);
    for (uint32_t y = 0; !status && y < h.height; y++)
        if (!read_row(&c, &h, out->rgb + (size_t)3 * h.width * y))
            status = ir_fail(error, IMGRET_BAD_IMAGE,
                             "pnm: a sample in row %u is missing, no "
                             "number, or above %u",
                             y, h.sample_max);
    return status;
}
