/* small_table.c: a plugin whose table ends before run and unload. */
#include <imgret/backend.h>

#include <stddef.h>

static const imgret_backend table = {
    .size = offsetof(imgret_backend, run),
    .abi = IMGRET_BACKEND_ABI,
    .name = "small_table",
};

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    (void)host;
    (void)error;
    return &table;
}
