/* extract.h: RGB pixels in, feature vectors out. The room's only public face. */
#ifndef IR_EXTRACT_EXTRACT_H
#define IR_EXTRACT_EXTRACT_H

#include "base/arena.h"
#include "base/picture.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* A model specification taken apart: "BACKEND[:WEIGHTS][;key=value...]", a weights file's path, or
 * "vectors:N". Nothing is loaded. */
typedef struct ir_model_spec {
    char *backend; /* "classic", "torch", "vectors"; NULL: to be found from the file's ending */
    char *weights; /* path, "" when there is none */
    char *options; /* "key=value;..." or "" */
    uint32_t vectors_dimension; /* of "vectors:N", else 0 */
} ir_model_spec;

/* Takes option `key` out of spec->options; *value is fresh memory, NULL when it is not there. */
int32_t ir_model_spec_take(ir_model_spec *spec, const char *key, char **value, imgret_error *error);

int32_t ir_model_spec_parse(ir_model_spec *out, const char *text, imgret_error *error);
void ir_model_spec_free(ir_model_spec *spec);

typedef struct ir_extractor ir_extractor;

typedef struct ir_extractor_info {
    uint32_t dimension;
    uint32_t input_width; /* pixels */
    uint32_t input_height;
    uint32_t batch_max;
    uint32_t instance_count;
    uint32_t class_count; /* 0: no classification head */
    /* A decoder may deliver pictures scaled down, as long as both sides keep at least this. */
    uint32_t decode_width_min;
    uint32_t decode_height_min;
    const char *backend;
    const char *architecture;
    const char *identity; /* backend's identity and the host's preprocessing, "key=value;..." */
    bool has_labels;      /* the specification names the classes of the head */
    bool cleans;          /* ir_extractor_clean has something to do */
    uint32_t
        reencode_quality; /* 1..100: the picture goes through a JPEG after that; 0: it does not */
} ir_extractor_info;

typedef struct ir_extractor_options {
    const char *plugin_path; /* NULL: none */
    uint32_t threads;        /* shared out to the instances; 0: the CPUs the process may use */
    uint32_t instances;      /* copies of the model that run at once; 0: the backend's usual */
    uint32_t batch_max;      /* pictures; 0, or more than the backend takes: what it takes */
    uint32_t batch_delay_us; /* longest wait for more pictures; 0: a quarter of a run, at most 5 ms
                                and none for a backend that gains nothing; IMGRET_NO_WAIT: none */
    uint32_t queue_max;      /* requests that may wait; 0: 1,024 */
    const char *pca_path;    /* read in place of the specification's "pca="; NULL: none */
} ir_extractor_options;

/* Finds the backend (built in, or a plugin from plugin_path, IMGRET_PLUGIN_PATH, the installed
 * folder), loads the weights and describes the model. `spec` must name a backend that extracts. */
int32_t ir_extractor_open_with(ir_extractor **out, const char *spec,
                               const ir_extractor_options *options, imgret_error *error);

/* The same with every other option at its default. */
int32_t ir_extractor_open(ir_extractor **out, const char *spec, const char *plugin_path,
                          uint32_t threads, imgret_error *error);

/* One more user of the extractor, who closes it too. Any thread. */
ir_extractor *ir_extractor_share(ir_extractor *extractor);

/* The last user's close unloads the model. NULL is allowed. */
void ir_extractor_close(ir_extractor *extractor);

/* Lives as long as the extractor. */
const ir_extractor_info *ir_extractor_get_info(const ir_extractor *extractor);

/* Bytes of one prepared picture: 3 * input_width * input_height. */
size_t ir_extractor_input_bytes(const ir_extractor *extractor);

/* The clean-ups that the specification asks for, on a picture at its full size, in place. Any thread. */
int32_t ir_extractor_clean(const ir_extractor *extractor, ir_picture *picture, imgret_error *error);

/* Resizes and crops a (clean) picture to what the model sees. Any number of threads at once. */
int32_t ir_extractor_prepare(const ir_extractor *extractor, const ir_picture *picture, uint8_t *out,
                             imgret_error *error);

#define IR_LABEL_BYTES_MAX 1024u /* of a class's name, without its NUL */

/* What a classification head says of a picture. */
typedef struct ir_label {
    uint32_t index; /* of the class: ir_extractor_label */
    float score;    /* its softmax, 0..1 */
} ir_label;

/* The name of a class, which lives as long as the extractor; NULL when the specification names none,
 * or there is no such class. */
const char *ir_extractor_label(const ir_extractor *extractor, uint32_t index);

/* A request: prepared pictures in, rows out. What it points to must live until the call returns. */
typedef struct ir_extract_job {
    const uint8_t *prepared;        /* pictures side by side, when `pictures` is NULL */
    const uint8_t *const *pictures; /* or one pointer for each */
    uint32_t count;
    float *out;       /* count x dimension; NULL: not wanted, as the two that follow */
    float *logits;    /* count x class_count, as the head gives them */
    ir_label *labels; /* count */
    bool background;  /* lets others pass, and is never refused: for long runs that nobody awaits */
    bool (*stop)(void *context); /* asked now and then while the request waits; NULL: never */
    void *stop_context;
} ir_extract_job;

/* Runs the model and L2-normalises each row of `out`. Any thread: requests that meet are gathered into
 * batches and answered in order of arrival, as far as one instance goes. The first failure is the
 * job's: a vector that is not finite is IMGRET_BAD_MODEL, a full queue IMGRET_BUSY, a stop
 * IMGRET_INTERRUPTED; `out` is then undefined. A batch that fails is tried again request by
 * request, so that one does not spoil the others. */
int32_t ir_extractor_run_job(ir_extractor *extractor, const ir_extract_job *job,
                             imgret_error *error);

/* The same for pictures side by side. */
int32_t ir_extractor_run(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                         float *out, imgret_error *error);

/* What an extractor has done since it was opened. */
typedef struct ir_extract_counts {
    uint64_t batch_count;
    uint64_t picture_count; /* in these batches */
    uint64_t refused_count; /* requests that found the queue full */
    uint64_t waiting_count; /* requests that wait now, not counting those in a batch */
} ir_extract_counts;

void ir_extractor_get_counts(ir_extractor *extractor, ir_extract_counts *out);

/* What a file of weights holds. Zero-initialised is empty. */
typedef struct ir_inspection {
    imgret_model_report report; /* its texts are in `texts`, never NULL */
    ir_arena texts;
} ir_inspection;

/* imgret_inspect_model. The caller ends `out` with ir_inspection_clear, also after a failure. */
int32_t ir_inspect_model(ir_inspection *out, const char *model, const char *plugin_path,
                         imgret_error *error);
void ir_inspection_clear(ir_inspection *inspection);

/* Learns principal components and writes them to `path`: imgret_pca_train, whose options these
 * are, checked. */
int32_t ir_extract_learn_pca(const char *path, const float *vectors, uint64_t count,
                             uint32_t dimension, const imgret_pca_options *options, double *kept,
                             imgret_error *error);

#endif
