/* refusing.c: a plugin that cannot work with any host; says how often it was asked. */
#include <imgret/backend.h>

#include <stdio.h>

__attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *host, imgret_error *error);

const imgret_backend *imgret_backend_entry(const imgret_backend_host *host, imgret_error *error)
{
    static int calls;
    (void)host;
    error->code = IMGRET_UNSUPPORTED;
    snprintf(error->message, sizeof error->message, "asked %d times, too old a processor", ++calls);
    return NULL;
}
