/* registry.h: from a model specification to the backend that serves it. */
#ifndef IR_EXTRACT_REGISTRY_H
#define IR_EXTRACT_REGISTRY_H

#include "extract/extract.h"

#include <imgret/backend.h>
#include <stdbool.h>

/* The backend of `spec`: built in, else a plugin. It lives as long as the process. Any thread. */
int32_t ir_registry_find(const imgret_backend **out, const ir_model_spec *spec,
                         const char *plugin_path, imgret_error *error);

/* How large a picture must stay when its decoder scales it down, in percent of the size that it is
 * resized to: as small as leaves vectors within a cosine of 0.999 of full decoding. */
uint32_t ir_registry_decode_percent(const imgret_backend *backend);

/* How many instances of a model to load when nobody said: a plugin spreads a batch over its threads
 * itself, a built-in backend runs on the caller's thread alone. */
uint32_t ir_registry_instances(const imgret_backend *backend, uint32_t threads);

/* Whether a batch is faster than its pictures one by one. */
bool ir_registry_batches_pay(const imgret_backend *backend);

#endif
