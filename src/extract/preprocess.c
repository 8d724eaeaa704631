/* preprocess.c: the geometry of resize and centre crop, and its name in an identity. */
#include "extract/preprocess.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

#define SCALED_PX_MAX INT32_MAX

/* int(round((side - crop) / 2.0)) of Python, which rounds a half to the even neighbour. */
static uint32_t centre_offset(uint32_t side, uint32_t crop)
{
    uint32_t spare = side - crop, half = spare / 2;
    return half + (spare % 2 == 1 && half % 2 == 1);
}

/* The longer side, int(shorter_px * longer / shorter) of Python: true division, then cut. */
static double scaled_length(uint32_t shorter_px, uint32_t longer, uint32_t shorter)
{
    return (double)((uint64_t)shorter_px * longer) / (double)shorter;
}

int32_t ir_preprocess_plan(ir_resize *out, const imgret_backend_info *info, uint32_t width,
                           uint32_t height, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    out->source_width = width;
    out->source_height = height;
    out->width = info->input_width;
    out->height = info->input_height;
    out->filter = info->filter;
    out->scaled_width = info->input_width;
    out->scaled_height = info->input_height;
    if (info->resize == IMGRET_RESIZE_SQUASH)
        return IMGRET_OK;
    uint32_t shorter = width < height ? width : height;
    uint32_t longer = width < height ? height : width;
    double length = scaled_length(info->resize_px, longer, shorter);
    if (length > SCALED_PX_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "a picture of %u x %u pixels is too narrow to scale to %u", width, height,
                       info->resize_px);
    out->scaled_width = width <= height ? info->resize_px : (uint32_t)length;
    out->scaled_height = width <= height ? (uint32_t)length : info->resize_px;
    out->left = centre_offset(out->scaled_width, info->input_width);
    out->top = centre_offset(out->scaled_height, info->input_height);
    return IMGRET_OK;
}

char *ir_preprocess_describe(const imgret_backend_info *info)
{
    const char *filter = info->filter == IMGRET_FILTER_BICUBIC ? "bicubic" : "bilinear";
    if (info->resize == IMGRET_RESIZE_SQUASH)
        return ir_asprintf("resize=squash:%ux%u;filter=%s", info->input_width,
                           info->input_height, filter);
    return ir_asprintf("resize=shorter:%u;crop=%ux%u;filter=%s", info->resize_px,
                       info->input_width, info->input_height, filter);
}
