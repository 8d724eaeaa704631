/* first_abi.c: a plugin of the backend table's first form, which ended with unload; what lies behind
 * it in memory is no function. */
#include <imgret/backend.h>

#include <stdlib.h>
#include <string.h>

struct imgret_backend_model {
    int unused;
};

static int32_t load(imgret_backend_model **out, const char *path, const char *options,
                    uint32_t threads, imgret_error *error)
{
    (void)path, (void)options, (void)threads, (void)error;
    *out = calloc(1, sizeof **out);
    return *out ? IMGRET_OK : IMGRET_NO_MEMORY;
}

/* Fills only what imgret_backend_info had at first, up to and with `identity`. */
static int32_t describe(const imgret_backend_model *model, imgret_backend_info *out,
                        imgret_error *error)
{
    (void)model, (void)error;
    out->dimension = 2;
    out->input_width = out->input_height = 1;
    out->batch_max = 1;
    out->resize = IMGRET_RESIZE_SQUASH;
    out->filter = IMGRET_FILTER_BILINEAR;
    out->architecture = "first";
    out->identity = "first=1";
    return IMGRET_OK;
}

static int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error)
{
    (void)model, (void)error;
    batch->embeddings[0] = 3.0f;
    batch->embeddings[1] = 4.0f;
    return IMGRET_OK;
}

static void unload(imgret_backend_model *model)
{
    free(model);
}

/* Not a whole imgret_backend: the bytes after unload are poison, to show that nobody reads them. */
static struct {
    unsigned char table[IMGRET_BACKEND_SIZE_MIN];
    unsigned char poison[64];
} memory __attribute__((aligned(16)));

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    (void)host, (void)error;
    const imgret_backend table = {
        .size = IMGRET_BACKEND_SIZE_MIN,
        .abi = IMGRET_BACKEND_ABI,
        .name = "first_abi",
        .version = "1",
        .extensions = "",
        .load = load,
        .describe = describe,
        .run = run,
        .unload = unload,
    };
    memcpy(memory.table, &table, sizeof memory.table);
    memset(memory.poison, 0xA5, sizeof memory.poison);
    return (const imgret_backend *)(const void *)memory.table;
}
