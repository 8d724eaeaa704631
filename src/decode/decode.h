/* decode.h: encoded bytes in, upright RGB pixels out, under limits. The room's only public face. */
#ifndef IR_DECODE_DECODE_H
#define IR_DECODE_DECODE_H

#include "base/picture.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes of a file's head that ir_decode_sniff needs to be sure. */
#define IR_DECODE_SNIFF_BYTES 64

typedef struct ir_decode_options {
    imgret_limits limits; /* all fields set; see ir_decode_limits */
    /* The caller needs no more than this many pixels a side: a codec that can scale while decoding
     * may return the smallest scale whose width and height are both at least these. 0: full size. */
    uint32_t width_min;
    uint32_t height_min;
} ir_decode_options;

/* Copies the caller's limits (NULL: none given) into `out`, defaults in place of zeros. */
int32_t ir_decode_limits(imgret_limits *out, const imgret_limits *given, imgret_error *error);

/* The picture format that these first bytes announce ("jpeg", "png", "tiff", ...: static text),
 * or NULL when they are no picture that this library knows by name. *supported tells whether this
 * build decodes it. */
const char *ir_decode_sniff(const uint8_t *head, size_t bytes, bool *supported);

/* Decodes a whole encoded picture. Limits are checked on the header, before pixels are allocated.
 * A picture that is cut short or damaged is IMGRET_BAD_IMAGE, never half a picture; a known format
 * without decoder is IMGRET_UNSUPPORTED. Any thread. */
int32_t ir_decode(const uint8_t *data, size_t bytes, const ir_decode_options *options,
                  ir_picture *out, imgret_error *error);

/* What a camera wrote into a picture file. Texts are printable ASCII, "" when there is none. */
typedef struct ir_exif {
    uint32_t orientation; /* 1..8, 0: none */
    char taken_at[20];    /* "2024-05-31 18:04:59", the camera's time: original, else as changed */
    char make[64];
    char model[64];
    double latitude;  /* degrees, north positive; NaN: none */
    double longitude; /* degrees, east positive; NaN: none */
} ir_exif;

/* Reads the EXIF fields of a whole encoded picture of this format (as ir_decode_sniff names it). A
 * field that breaks the standard's rules (its type, count, range or place) is left out, and so are
 * all where a directory is broken: metadata never makes a picture bad. Any thread. */
void ir_decode_exif(const char *format, const uint8_t *data, size_t bytes, ir_exif *out);

/* Sends a picture through a JPEG of `quality` 1 to 100 (libjpeg's scale, as PIL writes it): its pixels
 * are then what such a file gives back. LIMIT when a side is longer than a JPEG's may be,
 * UNSUPPORTED in a build without libjpeg. Any thread. */
int32_t ir_decode_reencode(ir_picture *picture, uint32_t quality, imgret_error *error);

/* Checks and converts an input of kind IMGRET_INPUT_PIXELS. */
int32_t ir_decode_pixels(const imgret_input *input, const imgret_limits *limits, ir_picture *out,
                         imgret_error *error);

#endif
