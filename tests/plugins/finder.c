/* finder.c: a detector plugin for tests: finds the cells of its input that are red, green or blue.
 *
 * Its input has 32 x 32 pixels, in cells of 8 and then of 16. A cell whose middle is of a pure colour is
 * a box of just that cell: of the small ones with a score of 0.9, of the large ones (only when all
 * of it is of that colour) with the colour's level / 255. The option "act" says what it does wrong.
 */
#include <imgret/backend.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, SMALL = 8, LARGE = 16, ANCHORS = 16 + 4, CLASSES = 3, VALUES = 5 + CLASSES };

struct imgret_backend_model {
    char act[32];
};

static int32_t failed(imgret_error *error, int32_t code, const char *message)
{
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s", message);
    return code;
}

static int32_t load(imgret_backend_model **out, const char *path, const char *options,
                    uint32_t threads, imgret_error *error)
{
    (void)path, (void)threads;
    if (options[0] && strncmp(options, "act=", 4) != 0)
        return failed(error, IMGRET_INVALID_ARGUMENT, "unknown option");
    imgret_backend_model *model = calloc(1, sizeof *model);
    if (!model)
        return failed(error, IMGRET_NO_MEMORY, "no memory");
    snprintf(model->act, sizeof model->act, "%s", options[0] ? options + 4 : "");
    *out = model;
    return IMGRET_OK;
}

static int32_t describe(const imgret_backend_model *model, imgret_backend_info *out,
                        imgret_error *error)
{
    const char *act = model->act;
    (void)error;
    out->dimension = 0;
    out->input_width = strcmp(act, "width") == 0 ? 4097 : SIDE;
    out->input_height = SIDE;
    out->batch_max = 1;
    out->resize = strcmp(act, "shorter") == 0 ? IMGRET_RESIZE_SHORTER_SIDE
                                              : IMGRET_RESIZE_LETTERBOX;
    out->filter = strcmp(act, "filter") == 0 ? 9 : IMGRET_FILTER_BILINEAR;
    out->architecture = "finder";
    out->identity = strcmp(act, "other") == 0 ? "finder=2" : "finder=1";
    out->anchor_count = strcmp(act, "anchors") == 0 ? ANCHORS + 1 : ANCHORS;
    out->box_class_count = strcmp(act, "classes") == 0 ? UINT32_MAX : CLASSES;
    out->box_coding = strcmp(act, "coding") == 0 ? 3 : IMGRET_BOXES_GRID;
    out->stride_count = strcmp(act, "strides") == 0 ? 9 : 2;
    out->strides[0] = SMALL;
    out->strides[1] = strcmp(act, "stride") == 0 ? 0 : LARGE;
    out->letterbox_place = strcmp(act, "centre") == 0 ? IMGRET_PLACE_CENTRE : IMGRET_PLACE_TOP_LEFT;
    out->pad_rgb = 0x727272;
    out->class_names = strcmp(act, "nameless") == 0 ? NULL : "red\ngreen\nblue\n";
    return IMGRET_OK;
}

static int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error)
{
    (void)model, (void)batch;
    return failed(error, IMGRET_UNSUPPORTED, "a detector makes no vectors");
}

/* The channel that is alone above 100; -1: none. */
static int color_at(const uint8_t *pixels, int x, int y)
{
    const uint8_t *pixel = pixels + 3 * (y * SIDE + x);
    int found = -1;
    for (int i = 0; i < 3; i++)
        if (pixel[i] > 100) {
            if (found >= 0)
                return -1;
            found = i;
        }
    return found;
}

static void look_at_cell(const uint8_t *pixels, int x, int y, int side, float *row)
{
    int color = color_at(pixels, x + side / 2, y + side / 2);
    memset(row, 0, VALUES * sizeof *row);
    row[0] = row[1] = 0.5f; /* the middle of the cell, as large as it */
    if (color < 0)
        return;
    for (int i = 0; side == LARGE && i < LARGE; i += 4)
        for (int j = 0; j < LARGE; j += 4)
            if (color_at(pixels, x + i + 2, y + j + 2) != color)
                return;
    row[4] = 1.0f;
    row[5 + color] = side == SMALL ? 0.9f
                                   : (float)pixels[3 * ((y + 8) * SIDE + x + 8) + color] / 255.0f;
}

static int32_t detect(imgret_backend_model *model, const imgret_backend_detect_batch *batch,
                      imgret_error *error)
{
    if (strcmp(model->act, "detect") == 0)
        return failed(error, IMGRET_IO, "the eye is shut");
    for (uint32_t n = 0; n < batch->count; n++) {
        const uint8_t *pixels = batch->pixels + (size_t)n * SIDE * SIDE * 3;
        float *row = batch->detections + (size_t)n * ANCHORS * VALUES;
        for (int side = SMALL; side <= LARGE; side += SMALL)
            for (int y = 0; y < SIDE; y += side)
                for (int x = 0; x < SIDE; x += side, row += VALUES) {
                    look_at_cell(pixels, x, y, side, row);
                    if (strcmp(model->act, "nan") == 0 && x == 0)
                        row[y % VALUES] = NAN;
                    if (strcmp(model->act, "huge") == 0)
                        row[2] = row[3] = 1e30f;
                }
    }
    return IMGRET_OK;
}

static void unload(imgret_backend_model *model)
{
    free(model);
}

static const imgret_backend table = {
    .size = sizeof(imgret_backend),
    .abi = IMGRET_BACKEND_ABI,
    .name = "finder",
    .version = "1",
    .extensions = "",
    .load = load,
    .describe = describe,
    .run = run,
    .unload = unload,
    .detect = detect,
};

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    (void)host, (void)error;
    return &table;
}
