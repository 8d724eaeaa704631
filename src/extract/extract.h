/* extract.h: RGB pixels in, feature vectors out. The room's only public face. */
#ifndef IR_EXTRACT_EXTRACT_H
#define IR_EXTRACT_EXTRACT_H

#include "base/picture.h"

#include <imgret/imgret.h>
#include <stddef.h>

/* A model specification taken apart: "BACKEND[:WEIGHTS][;key=value...]", a weights file's path, or
 * "vectors:N". Nothing is loaded. */
typedef struct ir_model_spec {
    char *backend; /* "classic", "torch", "vectors"; NULL: to be found from the file's ending */
    char *weights; /* path, "" when there is none */
    char *options; /* "key=value;..." or "" */
    uint32_t vectors_dimension; /* of "vectors:N", else 0 */
} ir_model_spec;

int32_t ir_model_spec_parse(ir_model_spec *out, const char *text, imgret_error *error);
void ir_model_spec_free(ir_model_spec *spec);

typedef struct ir_extractor ir_extractor;

typedef struct ir_extractor_info {
    uint32_t dimension;
    uint32_t input_width; /* pixels */
    uint32_t input_height;
    uint32_t batch_max;
    /* A decoder may deliver pictures scaled down, as long as both sides keep at least this. */
    uint32_t decode_width_min;
    uint32_t decode_height_min;
    const char *backend;
    const char *architecture;
    const char *identity; /* backend's identity and the host's preprocessing, "key=value;..." */
} ir_extractor_info;

/* Finds the backend (built in, or a plugin from plugin_path, IMGRET_PLUGIN_PATH, the installed
 * folder), loads the weights and describes the model. `spec` must name a backend that extracts. */
int32_t ir_extractor_open(ir_extractor **out, const char *spec, const char *plugin_path,
                          uint32_t threads, imgret_error *error);
void ir_extractor_close(ir_extractor *extractor);

/* Lives as long as the extractor. */
const ir_extractor_info *ir_extractor_get_info(const ir_extractor *extractor);

/* Bytes of one prepared picture: 3 * input_width * input_height. */
size_t ir_extractor_input_bytes(const ir_extractor *extractor);

/* Resizes and crops a picture to what the model sees. Any number of threads at once. */
int32_t ir_extractor_prepare(const ir_extractor *extractor, const ir_picture *picture,
                             uint8_t *out, imgret_error *error);

/* Runs the model on `count` prepared pictures, in batches it accepts, and L2-normalises each row
 * of `out` (count x dimension). A vector that is not finite is IMGRET_BAD_MODEL. Any thread;
 * calls wait for one another. */
int32_t ir_extractor_run(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                         float *out, imgret_error *error);

#endif
