/* resize.h: antialiased resizing of 8-bit RGB, equal to PIL's to the last bit. */
#ifndef IR_EXTRACT_RESIZE_H
#define IR_EXTRACT_RESIZE_H

#include <imgret/imgret.h>

/* A window of the resized picture: of scaled_width x scaled_height pixels only the rectangle at
 * (left, top) is made, with the same values as if all were. */
typedef struct ir_resize {
    uint32_t source_width; /* pixels, as all that follow */
    uint32_t source_height;
    uint32_t scaled_width;
    uint32_t scaled_height;
    uint32_t left;
    uint32_t top;
    uint32_t width;
    uint32_t height;
    uint32_t filter; /* IMGRET_FILTER_* of backend.h */
} ir_resize;

/* `out` receives 3 * width * height bytes. Memory needed beside it: about as many rows of the
 * window's width as one result row looks at. Any thread. */
int32_t ir_resize_rgb(const ir_resize *resize, const uint8_t *rgb, uint8_t *out,
                      imgret_error *error);

#endif
