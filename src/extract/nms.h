/* nms.h: from what a detector's network says to a few boxes: decoding, and non-maximum suppression. */
#ifndef IR_EXTRACT_NMS_H
#define IR_EXTRACT_NMS_H

#include <imgret/backend.h>

/* A box in pixels of the network's input. */
typedef struct ir_detection {
    float left;
    float top;
    float right;
    float bottom;
    float score; /* that there is an object, times that it is of its class */
    uint32_t label;
} ir_detection;

/* Checks what a backend says of its detections: IMGRET_BAD_MODEL names the field. Lengths that pass
 * are such that one picture's detections are at most 64 Mi floats. */
int32_t ir_detection_check(const imgret_backend_info *info, imgret_error *error);

/* Decodes the rows of one picture: anchor_count x (5 + box_class_count), as info->box_coding says. Each
 * anchor gives at most one box, of its best class, when its score is at least `score_min`; what is not
 * finite is passed over. `out` has room for anchor_count. Returns how many there are. */
uint32_t ir_detection_decode(const imgret_backend_info *info, const float *rows, float score_min,
                             ir_detection *out);

/* Greedy non-maximum suppression within each class: the best score first, a box goes when its
 * intersection over union with a better one that stays is above `overlap_max`. Keeps at most `keep_max`,
 * sorted by score, equal ones from top to bottom and left to right. Returns how many. */
uint32_t ir_detection_suppress(ir_detection *boxes, uint32_t count, float overlap_max,
                               uint32_t keep_max);

#endif
