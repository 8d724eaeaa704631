/* future_abi.c: a plugin built for another version of the backend table. */
#include <imgret/backend.h>

static const imgret_backend table = {
    .size = sizeof(imgret_backend),
    .abi = IMGRET_BACKEND_ABI + 41,
    .name = "future_abi",
};

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    (void)host;
    (void)error;
    return &table;
}
