/* registry.c: the table of built-in backends, and the way on to plugins. */
#include "extract/registry.h"

#include "base/error.h"
#include "base/file.h"
#include "extract/classic.h"
#include "extract/plugin.h"

#include <string.h>

/* JPEGs decoded at n/8 of their size against full decoding, cosine of the vectors. classic, lowest and
 * median of 81 photographs of 250 to 2,400 pixels: 100% .9965 .9994, 125% .9994 .9998, 200% .9995 .9999:
 * its own small input hides what the DCT leaves out. ViT-tiny, lowest of 20 mosaics of photographs, 720
 * to 2,160 pixels high: 200% .9931, 300% .9971, 400% .9992 (tests/reference/end_to_end.py). */
#define CLASSIC_DECODE_PERCENT 125u
#define PLUGIN_DECODE_PERCENT 400u

uint32_t ir_registry_decode_percent(const imgret_backend *backend)
{
    return backend == &ir_classic_backend ? CLASSIC_DECODE_PERCENT : PLUGIN_DECODE_PERCENT;
}

uint32_t ir_registry_instances(const imgret_backend *backend, uint32_t threads)
{
    return backend == &ir_classic_backend ? threads : 1;
}

bool ir_registry_batches_pay(const imgret_backend *backend)
{
    return backend != &ir_classic_backend;
}

int32_t ir_registry_find(const imgret_backend **out, const ir_model_spec *spec,
                         const char *plugin_path, imgret_error *error)
{
    static const imgret_backend *const built_in[] = {&ir_classic_backend};
    *out = NULL;
    if (spec->vectors_dimension > 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "model \"vectors:%u\" extracts nothing: it takes ready vectors",
                       spec->vectors_dimension);
    if (!spec->backend) {
        ir_file_info info; /* a mistyped path must not read as a missing plugin */
        int32_t status = ir_file_stat(spec->weights, &info, error);
        return status ? status : ir_plugin_find_for_file(out, spec->weights, plugin_path, error);
    }
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        if (strcmp(built_in[i]->name, spec->backend) == 0) {
            *out = built_in[i];
            return IMGRET_OK;
        }
    return ir_plugin_find(out, spec->backend, plugin_path, error);
}
