/* classic.c: the weightless backend: its table, and the blocks joined into one vector. */
#include "extract/classic.h"

#include "base/alloc.h"
#include "base/error.h"
#include "extract/classic_blocks.h"

#include <math.h>

/* Raised with every change that moves a vector, rounding apart. */
#define CLASSIC_IDENTITY "classic=1"

enum { BATCH = 16 };
enum {
    COLOUR_AT = 0,
    TEXTURE_AT = COLOUR_AT + IR_CLASSIC_COLOUR_BINS,
    GRADIENT_AT = TEXTURE_AT + IR_CLASSIC_TEXTURE_BINS,
    LAYOUT_AT = GRADIENT_AT + IR_CLASSIC_GRADIENT_BINS,
    DIMENSION = LAYOUT_AT + IR_CLASSIC_LAYOUT_BINS,
};

/* Shares of the four blocks in a cosine; docs/classic.md tells how they were chosen. */
#define COLOUR_SHARE 1.0f
#define TEXTURE_SHARE 2.0f
#define GRADIENT_SHARE 0.125f
#define LAYOUT_SHARE 0.125f

/* Lengths below which a block says little: of an edgeless picture, of one that is all mid-grey. */
#define GRADIENT_FAINT 5.0f
#define LAYOUT_FAINT 5.0f

struct imgret_backend_model {
    ir_classic_tables tables;
    ir_classic_planes planes; /* scratch: the host runs one batch at a time */
};

static int32_t classic_load(imgret_backend_model **out, const char *path, const char *options,
                            uint32_t threads, imgret_error *error)
{
    (void)threads;
    *out = NULL;
    if (path[0])
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "classic takes no weights, \"%s\" given",
                       path);
    if (options[0])
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "classic has no options, \"%s\" given",
                       options);
    imgret_backend_model *model = ir_malloc(sizeof *model);
    if (!model)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the classic extractor");
    ir_classic_tables_fill(&model->tables);
    *out = model;
    return IMGRET_OK;
}

static int32_t classic_describe(const imgret_backend_model *model, imgret_backend_info *out,
                                imgret_error *error)
{
    (void)model;
    (void)error;
    *out = (imgret_backend_info){
        .size = sizeof *out,
        .dimension = DIMENSION,
        .input_width = IR_CLASSIC_PX,
        .input_height = IR_CLASSIC_PX,
        .batch_max = BATCH,
        .resize = IMGRET_RESIZE_SQUASH,
        .filter = IMGRET_FILTER_BILINEAR,
        .architecture = "classic",
        .identity = CLASSIC_IDENTITY,
    };
    return IMGRET_OK;
}

/* Scales a block to length sqrt(share). A block no longer than `faint` is mostly noise: it fades
 * out instead of being blown up. */
static void weigh(float *block, int bins, float share, float faint)
{
    float sum = faint * faint;
    for (int i = 0; i < bins; i++)
        sum += block[i] * block[i];
    float scale = sum > 0.0f ? sqrtf(share / sum) : 0.0f;
    for (int i = 0; i < bins; i++)
        block[i] *= scale;
}

static int32_t classic_run(imgret_backend_model *model, const imgret_backend_batch *batch,
                           imgret_error *error)
{
    (void)error;
    const uint8_t *pixels = batch->pixels;
    float *out = batch->embeddings;
    for (uint32_t i = 0; i < batch->count; i++) {
        ir_classic_planes_fill(&model->planes, &model->tables, pixels);
        ir_classic_colour(&model->planes, out + COLOUR_AT);
        ir_classic_texture(&model->planes, &model->tables, out + TEXTURE_AT);
        ir_classic_gradient(&model->planes, out + GRADIENT_AT);
        ir_classic_layout(&model->planes, out + LAYOUT_AT);
        weigh(out + COLOUR_AT, IR_CLASSIC_COLOUR_BINS, COLOUR_SHARE, 0.0f);
        weigh(out + TEXTURE_AT, IR_CLASSIC_TEXTURE_BINS, TEXTURE_SHARE, 0.0f);
        weigh(out + GRADIENT_AT, IR_CLASSIC_GRADIENT_BINS, GRADIENT_SHARE, GRADIENT_FAINT);
        weigh(out + LAYOUT_AT, IR_CLASSIC_LAYOUT_BINS, LAYOUT_SHARE, LAYOUT_FAINT);
        pixels += 3 * IR_CLASSIC_PX * IR_CLASSIC_PX;
        out += DIMENSION;
    }
    return IMGRET_OK;
}

static void classic_unload(imgret_backend_model *model)
{
    ir_free(model);
}

const imgret_backend ir_classic_backend = {
    .size = sizeof(imgret_backend),
    .abi = IMGRET_BACKEND_ABI,
    .name = "classic",
    .version = "1",
    .extensions = "",
    .load = classic_load,
    .describe = classic_describe,
    .run = classic_run,
    .unload = classic_unload,
};
