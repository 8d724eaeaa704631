/* slow.c: a backend plugin for tests that is still at work until it is told to end.
 *
 * Option "gate=PATH": each run makes the file PATH.entered, then waits until the file PATH is there;
 * after a minute it gives up with an error. Its vector is {first byte + 1, 1, 0, 0}.
 */
#include <imgret/backend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct imgret_backend_model {
    char gate[4000];
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
    (void)path;
    (void)threads;
    if (strncmp(options, "gate=", 5) != 0 || strlen(options + 5) >= sizeof(*out)->gate)
        return failed(error, IMGRET_INVALID_ARGUMENT, "the option gate=PATH is missing");
    imgret_backend_model *model = calloc(1, sizeof *model);
    if (!model)
        return failed(error, IMGRET_NO_MEMORY, "no memory");
    snprintf(model->gate, sizeof model->gate, "%s", options + 5);
    *out = model;
    return IMGRET_OK;
}

static int32_t describe(const imgret_backend_model *model, imgret_backend_info *out,
                        imgret_error *error)
{
    (void)model;
    (void)error;
    out->dimension = 4;
    out->input_width = 2;
    out->input_height = 2;
    out->batch_max = 1;
    out->resize = IMGRET_RESIZE_SHORTER_SIDE;
    out->resize_px = 2;
    out->filter = IMGRET_FILTER_BILINEAR;
    out->architecture = "slow";
    out->identity = "slow=1";
    return IMGRET_OK;
}

static int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error)
{
    char entered[sizeof model->gate + 16];
    snprintf(entered, sizeof entered, "%s.entered", model->gate);
    FILE *file = fopen(entered, "w");
    if (!file)
        return failed(error, IMGRET_IO, "cannot tell that it began");
    fclose(file);
    for (int i = 0; access(model->gate, F_OK) != 0; i++) {
        struct timespec pause = {.tv_nsec = 5000000};
        if (i == 12000)
            return failed(error, IMGRET_IO, "the gate was never opened");
        nanosleep(&pause, NULL);
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        float *vector = batch->embeddings + 4 * (size_t)i;
        vector[0] = (float)batch->pixels[12 * (size_t)i] + 1.0f;
        vector[1] = 1.0f;
        vector[2] = vector[3] = 0.0f;
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
    .name = "slow",
    .version = "1",
    .extensions = "slow",
    .load = load,
    .describe = describe,
    .run = run,
    .unload = unload,
};

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    (void)host;
    (void)error;
    return &table;
}
