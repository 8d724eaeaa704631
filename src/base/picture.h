/* picture.h: decoded pixels, the one form in which pictures travel between rooms. */
#ifndef IR_BASE_PICTURE_H
#define IR_BASE_PICTURE_H

#include <stdint.h>

/* 8-bit sRGB, rows packed: row_bytes = 3 * width. Upright: orientation is applied already. */
typedef struct ir_picture {
    uint32_t width; /* of `rgb`, in pixels */
    uint32_t height;
    uint32_t source_width; /* of the picture as encoded, upright; larger when decoded scaled */
    uint32_t source_height;
    const char *format; /* "jpeg", "png", ... static text */
    uint8_t *rgb;       /* 3 * width * height bytes, owned; ir_picture_free */
} ir_picture;

/* Frees the pixels and zeroes the struct. */
void ir_picture_free(ir_picture *picture);

#endif
