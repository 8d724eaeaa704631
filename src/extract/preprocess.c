/* preprocess.c: the geometry of resize, centre crop and letterbox, and its name in an identity. */
#include "extract/preprocess.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
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

/* round(a / b * side) of Python, which rounds a half to the even neighbour; at least 1. It is shorter
 * than the input's other side, of which it becomes a part. */
static uint32_t fitted_length(uint32_t a, uint32_t b, uint32_t side, uint32_t longest)
{
    double length = rint((double)a / (double)b * (double)side);
    return length < 1.0 ? 1 : length > (double)longest ? longest : (uint32_t)length;
}

/* The resize that fits a whole picture into the model's input, as PIL's ImageOps.pad. */
static void plan_letterbox(ir_resize *out, const imgret_backend_info *info, uint32_t width,
                           uint32_t height)
{
    uint32_t wide = info->input_width, high = info->input_height;
    double ratio = (double)width / (double)height, wanted = (double)wide / (double)high;
    if (ratio > wanted)
        high = fitted_length(height, width, wide, high);
    else if (ratio < wanted)
        wide = fitted_length(width, height, high, wide);
    *out = (ir_resize){.source_width = width,
                       .source_height = height,
                       .scaled_width = wide,
                       .scaled_height = high,
                       .width = wide,
                       .height = high,
                       .filter = info->filter};
}

static void paint_bars(const imgret_backend_info *info, const uint8_t colour[3], uint8_t *out)
{
    size_t count = (size_t)info->input_width * info->input_height;
    for (size_t i = 0; i < count; i++)
        memcpy(out + 3 * i, colour, 3);
}

static int32_t run_letterbox(const imgret_backend_info *info, const ir_steps *steps,
                             const ir_picture *picture, uint8_t *out, imgret_error *error)
{
    ir_resize resize;
    plan_letterbox(&resize, info, picture->width, picture->height);
    size_t row_bytes = 3 * (size_t)resize.width, out_row_bytes = 3 * (size_t)info->input_width;
    uint8_t *fitted = ir_malloc_array(resize.height, row_bytes);
    if (!fitted)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u x %u pixels", resize.width,
                       resize.height);
    int32_t status = ir_resize_rgb(&resize, picture->rgb, fitted, error);
    if (!status) {
        paint_bars(info, steps->bars, out);
        if (!steps->top_left)
            out += centre_offset(info->input_height, resize.height) * out_row_bytes +
                   3 * (size_t)centre_offset(info->input_width, resize.width);
        for (uint32_t y = 0; y < resize.height; y++)
            memcpy(out + y * out_row_bytes, fitted + y * row_bytes, row_bytes);
    }
    ir_free(fitted);
    return status;
}

int32_t ir_preprocess_run(const imgret_backend_info *info, const ir_steps *steps,
                          const ir_picture *picture, uint8_t *out, imgret_error *error)
{
    if (steps->letterbox)
        return run_letterbox(info, steps, picture, out, error);
    ir_resize resize;
    int32_t status = ir_preprocess_plan(&resize, info, picture->width, picture->height, error);
    return status ? status : ir_resize_rgb(&resize, picture->rgb, out, error);
}

char *ir_preprocess_describe(const imgret_backend_info *info, const ir_steps *steps)
{
    const char *filter = info->filter == IMGRET_FILTER_BICUBIC ? "bicubic" : "bilinear";
    char *clean = ir_steps_describe(steps), *text = NULL;
    if (!clean)
        return NULL;
    if (steps->letterbox)
        text = ir_asprintf("resize=letterbox:%ux%u:%u,%u,%u%s;filter=%s%s", info->input_width,
                           info->input_height, steps->bars[0], steps->bars[1], steps->bars[2],
                           steps->top_left ? ":top_left" : "", filter, clean);
    else if (info->resize == IMGRET_RESIZE_SQUASH)
        text = ir_asprintf("resize=squash:%ux%u;filter=%s%s", info->input_width, info->input_height,
                           filter, clean);
    else
        text = ir_asprintf("resize=shorter:%u;crop=%ux%u;filter=%s%s", info->resize_px,
                           info->input_width, info->input_height, filter, clean);
    ir_free(clean);
    return text;
}
