/* thumbs.c: a backend plugin in plain C: the picture itself, tiny and grey, as its vector.
 *
 *   cc -shared -fPIC thumbs.c -o imgret_thumbs.so $(pkg-config --cflags imgret)
 *   imgret add photos.imgret ~/Pictures --model thumbs --plugin-path .
 *
 * A real backend would run a network here; what it has to do besides is all in this file. The option
 * side=N (2 to 64, default 16) is the thumbnail's side: --model 'thumbs;side=8'.
 */
#include <imgret/backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_DEFAULT = 16, SIDE_MIN = 2, SIDE_MAX = 64 };

struct imgret_backend_model {
    uint32_t side_px;
    char identity[32];
};

static int32_t fail(imgret_error *error, int32_t code, const char *message, const char *what)
{
    error->code = code;
    snprintf(error->message, sizeof error->message, "%s%s", message, what);
    return code;
}

static int32_t load(imgret_backend_model **out, const char *path, const char *options,
                    uint32_t threads, imgret_error *error)
{
    (void)threads;
    unsigned long side = SIDE_DEFAULT;
    if (path[0])
        return fail(error, IMGRET_INVALID_ARGUMENT, "thumbs has no weights, but was given ", path);
    if (options[0]) {
        char *end = NULL;
        if (!strncmp(options, "side=", 5))
            side = strtoul(options + 5, &end, 10);
        if (!end || *end || side < SIDE_MIN || side > SIDE_MAX)
            return fail(error, IMGRET_INVALID_ARGUMENT, "thumbs wants side=2 to 64, not ", options);
    }
    imgret_backend_model *model = calloc(1, sizeof *model);
    if (!model)
        return fail(error, IMGRET_NO_MEMORY, "out of memory", "");
    model->side_px = (uint32_t)side;
    snprintf(model->identity, sizeof model->identity, "side=%u", model->side_px);
    *out = model;
    return IMGRET_OK;
}

static int32_t describe(const imgret_backend_model *model, imgret_backend_info *out,
                        imgret_error *error)
{
    (void)error;
    out->dimension = model->side_px * model->side_px;
    out->input_width = model->side_px;
    out->input_height = model->side_px;
    out->batch_max = 32;
    out->resize = IMGRET_RESIZE_SQUASH;
    out->filter = IMGRET_FILTER_BILINEAR;
    out->architecture = "thumbs";
    out->identity = model->identity; /* a change of this makes another extractor of it */
    return IMGRET_OK;
}

/* Lightness around its mean: two pictures of the same layout point the same way, bright or dark.
 * The host brings the vectors to unit length. */
static int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error)
{
    (void)error;
    const size_t dimension = (size_t)model->side_px * model->side_px;
    for (size_t i = 0; i < batch->count; i++) {
        const uint8_t *rgb = batch->pixels + i * dimension * 3;
        float *vector = batch->embeddings + i * dimension;
        float sum = 0;
        for (size_t p = 0; p < dimension; p++)
            sum += vector[p] = 0.299f * rgb[3 * p] + 0.587f * rgb[3 * p + 1] +
                               0.114f * rgb[3 * p + 2];
        for (size_t p = 0; p < dimension; p++)
            vector[p] -= sum / (float)dimension;
    }
    return IMGRET_OK;
}

static void unload(imgret_backend_model *model)
{
    free(model);
}

/* The one symbol that the library looks for; IMGRET_BACKEND_ENTRY is its name. */
__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    static const imgret_backend table = {
        .size = sizeof table,
        .abi = IMGRET_BACKEND_ABI,
        .name = "thumbs",
        .version = "1",
        .extensions = "",
        .load = load,
        .describe = describe,
        .run = run,
        .unload = unload,
    };
    if (host->abi != IMGRET_BACKEND_ABI) {
        fail(error, IMGRET_VERSION_TOO_NEW, "thumbs was built for another libimgret", "");
        return NULL;
    }
    return &table;
}
