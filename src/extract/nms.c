/* nms.c: from what a detector's network says to a few boxes: decoding, and non-maximum suppression.
 *
 * The grid coding is YOLOX's: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430.
 */
#include "extract/nms.h"

#include "base/error.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define ANCHORS_MAX (1u << 20)
#define CLASSES_MAX 65536u
#define FLOATS_MAX (64u << 20) /* of one picture */

enum { BOX_VALUES = 5 }; /* four of the box, and that there is an object */

static int32_t refuse(imgret_error *error, const char *field, uint32_t value)
{
    return ir_fail(error, IMGRET_BAD_MODEL, "a backend describes a detector with %s %u", field,
                   value);
}

static int32_t check_grid(const imgret_backend_info *info, imgret_error *error)
{
    if (info->stride_count == 0 || info->stride_count > IMGRET_BACKEND_STRIDES_MAX)
        return refuse(error, "stride_count", info->stride_count);
    uint64_t cells = 0;
    for (uint32_t i = 0; i < info->stride_count; i++) {
        uint32_t stride = info->strides[i];
        if (stride == 0 || info->input_width % stride != 0 || info->input_height % stride != 0)
            return refuse(error, "a stride of", stride);
        cells += (uint64_t)(info->input_width / stride) * (info->input_height / stride);
    }
    return cells == info->anchor_count ? IMGRET_OK
                                       : refuse(error, "anchor_count", info->anchor_count);
}

int32_t ir_detection_check(const imgret_backend_info *info, imgret_error *error)
{
    if (info->anchor_count == 0 || info->anchor_count > ANCHORS_MAX)
        return refuse(error, "anchor_count", info->anchor_count);
    if (info->box_class_count == 0 || info->box_class_count > CLASSES_MAX ||
        (uint64_t)info->anchor_count * (BOX_VALUES + info->box_class_count) > FLOATS_MAX)
        return refuse(error, "box_class_count", info->box_class_count);
    if (info->box_coding == IMGRET_BOXES_GRID)
        return check_grid(info, error);
    return info->box_coding == IMGRET_BOXES_CENTRE ? IMGRET_OK
                                                   : refuse(error, "box_coding", info->box_coding);
}

/* ---- decoding ---- */

/* Where a walk over the anchors is, cell by cell and grid by grid. */
typedef struct grid_walk {
    const imgret_backend_info *info;
    uint32_t grid;
    uint32_t column, row;
} grid_walk;

static void step(grid_walk *walk)
{
    uint32_t stride = walk->info->strides[walk->grid];
    if (++walk->column < walk->info->input_width / stride)
        return;
    walk->column = 0;
    if (++walk->row < walk->info->input_height / stride)
        return;
    walk->row = 0;
    walk->grid++;
}

/* The middle and the size of a row's box, in pixels of the input. */
static void place(const grid_walk *walk, const float *row, float out[4])
{
    if (walk->info->box_coding == IMGRET_BOXES_CENTRE) {
        for (int i = 0; i < 4; i++)
            out[i] = row[i];
        return;
    }
    float stride = (float)walk->info->strides[walk->grid];
    out[0] = (row[0] + (float)walk->column) * stride;
    out[1] = (row[1] + (float)walk->row) * stride;
    out[2] = expf(row[2]) * stride;
    out[3] = expf(row[3]) * stride;
}

/* False when the row's best score is below `score_min`, or is not a number. */
static bool score(const float *row, uint32_t class_count, float score_min, ir_detection *out)
{
    const float *classes = row + BOX_VALUES;
    float object = row[BOX_VALUES - 1];
    if (!(object >= score_min)) /* no class has more than 1 */
        return false;
    uint32_t best = 0;
    for (uint32_t i = 1; i < class_count; i++)
        if (classes[i] > classes[best])
            best = i;
    out->score = object * classes[best];
    out->label = best;
    if (out->score > 1.0f)
        out->score = 1.0f;
    return out->score >= score_min;
}

uint32_t ir_detection_decode(const imgret_backend_info *info, const float *rows, float score_min,
                             ir_detection *out)
{
    uint32_t count = 0;
    grid_walk walk = {.info = info};
    bool is_grid = info->box_coding == IMGRET_BOXES_GRID;
    for (uint32_t i = 0; i < info->anchor_count; i++) {
        const float *row = rows + (size_t)i * (BOX_VALUES + info->box_class_count);
        ir_detection found;
        if (score(row, info->box_class_count, score_min, &found)) {
            float box[4];
            place(&walk, row, box);
            found.left = box[0] - box[2] / 2;
            found.top = box[1] - box[3] / 2;
            found.right = box[0] + box[2] / 2;
            found.bottom = box[1] + box[3] / 2;
            if (isfinite(found.left) && isfinite(found.top) && found.right > found.left &&
                found.bottom > found.top && isfinite(found.right) && isfinite(found.bottom))
                out[count++] = found;
        }
        if (is_grid)
            step(&walk);
    }
    return count;
}

/* ---- non-maximum suppression ---- */

static double area(const ir_detection *box)
{
    return ((double)box->right - (double)box->left) * ((double)box->bottom - (double)box->top);
}

static double overlap(const ir_detection *a, const ir_detection *b)
{
    double left = fmax((double)a->left, (double)b->left);
    double top = fmax((double)a->top, (double)b->top);
    double width = fmin((double)a->right, (double)b->right) - left;
    double height = fmin((double)a->bottom, (double)b->bottom) - top;
    if (width <= 0 || height <= 0)
        return 0;
    double both = width * height;
    return both / (area(a) + area(b) - both);
}

/* Equal scores are told apart by where the boxes are: qsort keeps no order. */
static int compare(const void *left, const void *right)
{
    const ir_detection *a = left, *b = right;
    const float keys[][2] = {{b->score, a->score},
                             {a->top, b->top},
                             {a->left, b->left},
                             {a->right, b->right},
                             {a->bottom, b->bottom}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return a->label < b->label ? -1 : a->label > b->label;
}

uint32_t ir_detection_suppress(ir_detection *boxes, uint32_t count, float overlap_max,
                               uint32_t keep_max)
{
    uint32_t kept = 0;
    if (count > 1)
        qsort(boxes, count, sizeof *boxes, compare);
    for (uint32_t i = 0; i < count && kept < keep_max; i++) {
        bool stays = true;
        for (uint32_t j = 0; j < kept && stays; j++)
            stays = boxes[j].label != boxes[i].label ||
                    overlap(&boxes[j], &boxes[i]) <= (double)overlap_max;
        if (stays)
            boxes[kept++] = boxes[i];
    }
    return kept;
}
