/* boxes.h: parts of a picture: where they are, and their pixels. A face of the room. */
#ifndef IR_EXTRACT_BOXES_H
#define IR_EXTRACT_BOXES_H

#include "base/picture.h"

#include <imgret/imgret.h>
#include <stdbool.h>

#define IR_BOX_UNLABELLED UINT32_MAX

/* A part in whole pixels of the upright picture as encoded, within it and not empty. */
typedef struct ir_box {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
    uint32_t label; /* number of a class; IR_BOX_UNLABELLED */
    double score;   /* 0..1: how sure it is that there is something */
} ir_box;

/* Cuts a rectangle to the picture and rounds it outwards to whole pixels. False when nothing is left
 * of it, or a side is not finite. Label and score are left alone. */
bool ir_box_within(ir_box *box, double left, double top, double right, double bottom,
                   uint32_t width, uint32_t height);

/* The middle of a picture, each side `share` (above 0, at most 1) of the picture's. */
void ir_box_centre(ir_box *out, uint32_t width, uint32_t height, double share);

/* The parts of a grid, row by row, into `out` (room for columns * rows); parts of no pixel, of a
 * picture smaller than the grid, are left out. Returns how many there are. */
uint32_t ir_box_grid(ir_box *out, uint32_t width, uint32_t height, uint32_t columns, uint32_t rows);

/* The main one: the greatest product of score and area; of several, the one whose middle is nearest
 * to the picture's. `count` is at least 1. */
uint32_t ir_box_main(const ir_box *boxes, uint32_t count, uint32_t width, uint32_t height);

/* Copies the pixels of a box of `picture`, whose source size the box is in, also when it was decoded
 * scaled. ir_picture_free. */
int32_t ir_box_crop(const ir_picture *picture, const ir_box *box, ir_picture *out,
                    imgret_error *error);

#endif
