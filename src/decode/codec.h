/* codec.h: what the decoders of this room share: their signature, size checks, scale, alpha. */
#ifndef IR_DECODE_CODEC_H
#define IR_DECODE_CODEC_H

#include "base/picture.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* One picture to decode. A decoder knows nothing of EXIF orientation: the front turns the finished
 * picture, once, and has turned width_min and height_min the other way before. */
typedef struct ir_decode_job {
    const uint8_t *data;
    size_t bytes;
    const char *format; /* as sniffed, for messages */
    const imgret_limits *limits;
    uint32_t width_min; /* of the picture as encoded; 0: full size */
    uint32_t height_min;
} ir_decode_job;

/* Fills `out`, which comes zeroed. On failure the front frees what `out` holds by then, so that a
 * decoder that leaves by longjmp need not. */
typedef int32_t ir_decode_fn(const ir_decode_job *job, ir_picture *out, imgret_error *error);

ir_decode_fn ir_decode_jpeg; /* libjpeg-turbo, when this build has it */
ir_decode_fn ir_decode_png;  /* libpng, when this build has it */
ir_decode_fn ir_decode_webp; /* libwebp, when this build has it */
ir_decode_fn ir_decode_bmp;
ir_decode_fn ir_decode_pnm;
ir_decode_fn ir_decode_stb; /* the rest, by stb_image */

/* The decoder of a sniffed format, or NULL when this build has none. */
ir_decode_fn *ir_decode_decoder(const char *format);

/* IMGRET_LIMIT when a picture of this size is more than the limits allow, IMGRET_BAD_IMAGE when it
 * is empty; on success sets the source size of `out`. */
int32_t ir_decode_check_size(const ir_decode_job *job, uint64_t width, uint64_t height,
                             ir_picture *out, imgret_error *error);

/* Allocates the pixels of `out`, at most as large as the checked source. They are not cleared. */
int32_t ir_decode_allocate(const ir_decode_job *job, uint32_t width, uint32_t height,
                           ir_picture *out, imgret_error *error);

/* The smallest n of 1..8 for which n/8 of both sides, rounded up, reach what the caller needs. */
uint32_t ir_decode_eighths(const ir_decode_job *job, uint32_t width, uint32_t height);

/* `length` of a side at n/8, rounded up. */
static inline uint32_t ir_decode_scaled(uint32_t length, uint32_t eighths)
{
    return (uint32_t)(((uint64_t)length * eighths + 7) / 8);
}

/* `value` of 0..255, not premultiplied, over white. */
static inline uint8_t ir_decode_over_white(uint32_t value, uint32_t alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* Writes `count` pixels of `channels` (1 grey, 2 grey and alpha, 3 RGB, 4 RGBA) as RGB over white;
 * `rgb` and `from` may not overlap. */
void ir_decode_flatten(uint8_t *rgb, const uint8_t *from, size_t count, int channels);

/* The EXIF orientation, 1..8, that a picture of this format carries; 1 when it carries none or a
 * damaged one: orientation is metadata, a fault in it does not make the pixels bad. */
uint32_t ir_decode_orientation(const char *format, const uint8_t *data, size_t bytes);

/* The EXIF block of a picture file, a TIFF structure as yet unread, or NULL when there is none. */
const uint8_t *ir_exif_find(const char *format, const uint8_t *data, size_t bytes,
                            size_t *exif_bytes);

/* Turns the picture upright. */
int32_t ir_decode_turn(ir_picture *picture, uint32_t orientation, imgret_error *error);

/* A PNG chunk as it stands in the file. */
typedef struct ir_png_chunk {
    const uint8_t *type; /* four letters, the checksummed bytes start here */
    const uint8_t *data;
    uint32_t bytes; /* of data */
} ir_png_chunk;

/* Steps to the next chunk; *position starts at 0. False at the end, or where the file is cut. */
bool ir_png_next(const uint8_t *data, size_t bytes, size_t *position, ir_png_chunk *out);

/* Checks the order of the first chunk, the presence of the last, and the checksums of tRNS and
 * (all_checksums) of every critical chunk; gives the size. */
int32_t ir_png_check(const ir_decode_job *job, bool all_checksums, uint32_t *width,
                     uint32_t *height, imgret_error *error);

static inline uint32_t ir_load_be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t ir_load_be32(const uint8_t *at)
{
    return ir_load_be16(at) << 16 | ir_load_be16(at + 2);
}

static inline uint32_t ir_load_le16(const uint8_t *at)
{
    return (uint32_t)at[1] << 8 | at[0];
}

static inline uint32_t ir_load_le32(const uint8_t *at)
{
    return ir_load_le16(at + 2) << 16 | ir_load_le16(at);
}

#endif
