/* bmp.h: what bmp.c knows of a bitmap when bmp_rle.c unpacks it. */
#ifndef IR_DECODE_BMP_H
#define IR_DECODE_BMP_H

#include "decode/codec.h"

typedef struct ir_bmp {
    uint64_t width;
    uint64_t height;
    uint64_t offset;       /* of the pixels, in the file; not beyond its end */
    uint32_t header_bytes; /* of the second header */
    uint32_t head_bytes;   /* all that stands before the palette */
    uint32_t planes;
    uint32_t bits; /* a pixel */
    uint32_t coding;
    bool is_top_down;
    uint32_t masks[4]; /* red, green, blue, alpha or 0 */
    uint32_t palette_count;
    uint8_t palette[256][3];
} ir_bmp;

/* Unpacks run lengths of 8-bit or 4-bit indices into freshly allocated pixels. */
int32_t ir_bmp_read_runs(const ir_decode_job *job, const ir_bmp *bmp, ir_picture *out,
                         imgret_error *error);

#endif
