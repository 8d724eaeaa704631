/* fake.c: a backend plugin for tests; its option "act" says what it does wrong.
 *
 * Its vector tells what it was given: {first byte + 1, pictures in the batch, 0, 0}; with "head" it
 * has three logits, 4 for the class that is the first byte, else 0. Weights are files that start with "fake". Picture bytes of 200 are held in `run` while the gate is closed: a
 * test finds fake_gate and fake_held by dlsym.
 */
#include <imgret/backend.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_int gate_closed, held_count;

__attribute__((visibility("default"))) void fake_gate(int closed);
__attribute__((visibility("default"))) int fake_held(void);

void fake_gate(int closed)
{
    atomic_store(&gate_closed, closed);
}

/* Batches that wait at the gate. */
int fake_held(void)
{
    return atomic_load(&held_count);
}

static void pass_gate(const uint8_t *pixels)
{
    const struct timespec moment = {.tv_nsec = 200000};
    if (pixels[0] != 200)
        return;
    atomic_fetch_add(&held_count, 1);
    while (atomic_load(&gate_closed))
        nanosleep(&moment, NULL);
    atomic_fetch_sub(&held_count, 1);
}

struct imgret_backend_model {
    char act[32];
    atomic_int running;
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
    if (threads == 0)
        return failed(error, IMGRET_INVALID_ARGUMENT, "no threads");
    if (options[0] && strncmp(options, "act=", 4) != 0)
        return failed(error, IMGRET_INVALID_ARGUMENT, "unknown option");
    if (strcmp(options, "act=load_unknown") == 0)
        return 77;
    if (path[0]) {
        char magic[5] = "";
        FILE *file = fopen(path, "rb");
        if (!file)
            return failed(error, IMGRET_NOT_FOUND, path);
        size_t got = fread(magic, 1, 4, file);
        fclose(file);
        if (got != 4 || strcmp(magic, "fake") != 0)
            return failed(error, IMGRET_BAD_MODEL, "the weights lack their magic");
    }
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
    out->dimension = strcmp(act, "dimension") == 0 ? 65537 : 4;
    out->input_width = strcmp(act, "width") == 0 ? 4097 : 2;
    out->input_height = strcmp(act, "height") == 0 ? 0 : 2;
    out->batch_max = strcmp(act, "batch") == 0 ? 0 : 3;
    out->resize = strcmp(act, "resize") == 0 ? 4 : IMGRET_RESIZE_SHORTER_SIDE;
    out->resize_px = strcmp(act, "resize_px") == 0 ? 1 : 4;
    out->filter = strcmp(act, "filter") == 0 ? 0 : IMGRET_FILTER_BICUBIC;
    out->class_count = strcmp(act, "head") == 0 ? 3 : strcmp(act, "classes") == 0 ? 1u << 21 : 0;
    out->architecture = strcmp(act, "architecture") == 0 ? NULL : "fake_net";
    out->identity = strcmp(act, "identity") == 0 ? NULL : "fake=1";
    if (strcmp(act, "letterbox") == 0) {
        out->resize = IMGRET_RESIZE_LETTERBOX;
        out->letterbox_place = IMGRET_PLACE_TOP_LEFT;
        out->pad_rgb = 0x0A0B0C;
    }
    if (strncmp(act, "names", 5) == 0) {
        out->class_count = 3;
        out->class_names = act[5] ? "zero\none\n" : "zero\none\ntwo\n";
    }
    if (strcmp(act, "detector") == 0) {
        out->dimension = 0;
        out->anchor_count = 21;
        out->box_class_count = 1;
    }
    if (strcmp(act, "describe") == 0)
        return failed(error, IMGRET_UNSUPPORTED, "nobody knows");
    return IMGRET_OK;
}

static int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error)
{
    if (atomic_exchange(&model->running, 1))
        return failed(error, IMGRET_INTERNAL, "two runs at once");
    pass_gate(batch->pixels);
    if (strcmp(model->act, "alone") == 0 && batch->count > 1) {
        atomic_store(&model->running, 0);
        return failed(error, IMGRET_NO_MEMORY, "no room for two");
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        float *vector = batch->embeddings + 4 * (size_t)i;
        vector[0] = (float)batch->pixels[12 * (size_t)i] + 1.0f;
        vector[1] = (float)batch->count;
        vector[2] = vector[3] = 0.0f;
        for (size_t c = 0; batch->logits && c < 3; c++)
            batch->logits[3 * (size_t)i + c] = batch->pixels[12 * (size_t)i] == c ? 4.0f : 0.0f;
        if (strcmp(model->act, "nan") == 0 && batch->pixels[12 * (size_t)i] == 9)
            vector[2] = NAN;
        if (strcmp(model->act, "zero") == 0)
            vector[0] = vector[1] = 0.0f;
        if (strcmp(model->act, "huge") == 0)
            vector[0] = vector[1] = 3e38f;
    }
    atomic_store(&model->running, 0);
    if (strcmp(model->act, "run_silent") == 0)
        return IMGRET_IO; /* breaks the rule that a failure says why */
    return IMGRET_OK;
}

static void unload(imgret_backend_model *model)
{
    free(model);
}

/* "act" lacks: a file that cannot be used; broken: a status that is none; small: an older struct. */
static int32_t inspect(imgret_backend_inspection **out, const char *path, const char *options,
                       imgret_error *error)
{
    if (strcmp(options, "act=broken") == 0)
        return 77;
    if (strcmp(options, "act=unreadable") == 0)
        return failed(error, IMGRET_IO, "the disk says no");
    imgret_backend_inspection *made = calloc(1, sizeof *made);
    if (!made)
        return failed(error, IMGRET_NO_MEMORY, "no memory");
    made->size = strcmp(options, "act=small") == 0 ? 8 : sizeof *made;
    made->architecture = "fake_net";
    made->dimension = 4;
    made->tensor_count = (uint32_t)strlen(path);
    if (strcmp(options, "act=lacks") == 0) {
        made->status = IMGRET_BAD_MODEL;
        made->reason = "two tensors are not there";
        made->missing = "head.weight\nhead.bias\n";
        made->missing_count = 2;
    }
    *out = made;
    return IMGRET_OK;
}

static void end_inspection(imgret_backend_inspection *inspection)
{
    free(inspection);
}

static const imgret_backend table = {
    .size = sizeof(imgret_backend),
    .abi = IMGRET_BACKEND_ABI,
    .name = "fake",
    .version = "1",
    .extensions = "fake other.fake2",
    .load = load,
    .describe = describe,
    .run = run,
    .unload = unload,
    .inspect = inspect,
    .end_inspection = end_inspection,
};

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    static int calls;
    if (calls++ > 0) {
        failed(error, IMGRET_INTERNAL, "called twice");
        return NULL;
    }
    host->log(IMGRET_LOG_INFO, "fake is here");
    return &table;
}
