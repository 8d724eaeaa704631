/* regions_detector.c: the detector of a database's regions: its specification, loaded when needed. */
#include "engine/regions_detector.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SCORE_MIN_DEFAULT 0.3
#define OVERLAP_MAX_DEFAULT 0.45
#define BOX_MAX_DEFAULT 16u

struct ir_regions_detector {
    char *spec;   /* paths absolute */
    char *model;  /* as an extractor's specification */
    char *labels; /* path of the file; NULL: none */
    ir_detector_options options;
    pthread_mutex_t lock; /* while it is loaded */
    atomic_bool loaded;   /* the rest is there, and stays */
    ir_detector *detector;
};

/* ---- the specification ---- */

static int32_t refuse(const char *what, const char *text, imgret_error *error)
{
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "regions \"detector:...\": %s: \"%.100s\"", what,
                   text);
}

/* Digits and a point alone: no sign, no nan, no hexadecimal. */
static bool read_share(const char *text, double *out)
{
    char *end = NULL;
    if (!text[0] || text[strspn(text, "0123456789.")] != '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && *out >= 0.0 && *out <= 1.0;
}

static bool read_count(const char *text, uint32_t *out)
{
    size_t length = strspn(text, "0123456789");
    *out = length >= 1 && length <= 3 && !text[length] ? (uint32_t)strtoul(text, NULL, 10) : 0;
    return *out >= 1 && *out <= IR_REGION_OBJECTS_MAX;
}

/* Appends ";key=value" to the model's options. */
static int32_t pass_on(char **options, const char *pair, imgret_error *error)
{
    char *more = ir_asprintf("%s;%s", *options, pair);
    if (!more)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector's options");
    ir_free(*options);
    *options = more;
    return IMGRET_OK;
}

static int32_t read_option(ir_regions_detector *detector, char *pair, char **options,
                           imgret_error *error)
{
    const char *value = strchr(pair, '=');
    if (!value || value == pair || !value[1])
        return refuse("this is no key=value", pair, error);
    size_t key = (size_t)(value++ - pair);
    if (key == 5 && strncmp(pair, "score", key) == 0)
        return read_share(value, &detector->options.score_min)
                   ? IMGRET_OK
                   : refuse("a score is 0 to 1", value, error);
    if (key == 3 && strncmp(pair, "nms", key) == 0)
        return read_share(value, &detector->options.overlap_max)
                   ? IMGRET_OK
                   : refuse("nms is a share of 0 to 1", value, error);
    if (key == 3 && strncmp(pair, "max", key) == 0)
        return read_count(value, &detector->options.box_max)
                   ? IMGRET_OK
                   : refuse("max is 1 to 255", value, error);
    if (key == 6 && strncmp(pair, "labels", key) == 0) {
        ir_free(detector->labels);
        return ir_path_absolute(value, &detector->labels, error);
    }
    return pass_on(options, pair, error);
}

/* The model with its path made absolute, and the options behind it. */
static int32_t name_model(ir_regions_detector *detector, const char *text, const char *options,
                          imgret_error *error)
{
    ir_model_spec spec;
    char *weights = NULL;
    int32_t status = ir_model_spec_parse(&spec, text, error);
    if (status)
        return status;
    if (spec.weights[0])
        status = ir_path_absolute(spec.weights, &weights, error);
    if (!status) {
        detector->model = ir_asprintf("%s%s%s%s%s%s", spec.backend ? spec.backend : "",
                                      spec.backend && weights ? ":" : "", weights ? weights : "",
                                      spec.options[0] ? ";" : "", spec.options, options);
        if (!detector->model)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector's name");
    }
    ir_free(weights);
    ir_model_spec_free(&spec);
    if (!status) { /* once more: an option may be given twice, or be none */
        status = ir_model_spec_parse(&spec, detector->model, error);
        ir_model_spec_free(&spec);
    }
    return status;
}

static int32_t read_spec(ir_regions_detector *detector, char *text, imgret_error *error)
{
    char *options = ir_strdup(""), *at = strchr(text, '?');
    if (!options)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector's options");
    int32_t status = IMGRET_OK;
    if (at)
        *at++ = '\0';
    while (at && !status) {
        char *pair = at;
        at = strchr(at, '&');
        if (at)
            *at++ = '\0';
        status = read_option(detector, pair, &options, error);
    }
    if (!status)
        status = name_model(detector, text, options, error);
    detector->options.labels_path = detector->labels;
    ir_free(options);
    if (status)
        return status;
    /* Paths became absolute: what they hold now must still be told from what stands between. */
    if (strchr(detector->model, '?'))
        return refuse("a '?' within the model cannot be kept", detector->model, error);
    if (detector->labels && strchr(detector->labels, '&'))
        return refuse("a '&' in the path of labels cannot be kept", detector->labels, error);
    const ir_detector_options *given = &detector->options;
    detector->spec = ir_asprintf("detector:%s?score=%g&nms=%g&max=%u%s%s", detector->model,
                                 given->score_min, given->overlap_max, given->box_max,
                                 detector->labels ? "&labels=" : "",
                                 detector->labels ? detector->labels : "");
    return detector->spec ? IMGRET_OK
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector's name");
}

int32_t ir_regions_detector_create(ir_regions_detector **out, const char *text,
                                   const ir_extractor_options *options, imgret_error *error)
{
    *out = NULL;
    ir_regions_detector *detector = ir_calloc(1, sizeof *detector);
    char *copy = ir_strdup(text);
    if (!detector || !copy) {
        ir_free(detector);
        ir_free(copy);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector");
    }
    pthread_mutex_init(&detector->lock, NULL);
    detector->options = (ir_detector_options){
        .plugin_path = options->plugin_path,
        .threads = options->threads,
        .score_min = SCORE_MIN_DEFAULT,
        .overlap_max = OVERLAP_MAX_DEFAULT,
        .box_max = BOX_MAX_DEFAULT,
    };
    int32_t status = read_spec(detector, copy, error);
    ir_free(copy);
    if (status)
        ir_regions_detector_free(detector);
    else
        *out = detector;
    return status;
}

void ir_regions_detector_free(ir_regions_detector *detector)
{
    if (!detector)
        return;
    ir_detector_close(detector->detector);
    pthread_mutex_destroy(&detector->lock);
    ir_free(detector->labels);
    ir_free(detector->model);
    ir_free(detector->spec);
    ir_free(detector);
}

const char *ir_regions_detector_spec(const ir_regions_detector *detector)
{
    return detector->spec;
}

/* ---- loading and running ---- */

static int32_t agree(const ir_regions_detector *detector, const char *expected, imgret_error *error)
{
    if (!expected)
        return IMGRET_OK;
    char *identity = ir_regions_detector_identify(detector);
    int32_t status = IMGRET_OK;
    if (!identity)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector's identity");
    else if (strcmp(identity, expected) != 0)
        status = ir_fail(error, IMGRET_MISMATCH,
                         "%s is not the detector that the database was made with (needed: %s; "
                         "found: %s)",
                         detector->model, expected, identity);
    ir_free(identity);
    return status;
}

/* Under the lock. */
static int32_t load(ir_regions_detector *detector, const char *expected, imgret_error *error)
{
    int32_t status = ir_detector_open(&detector->detector, detector->model, &detector->options,
                                      error);
    if (!status)
        status = agree(detector, expected, error);
    if (!status) {
        atomic_store_explicit(&detector->loaded, true, memory_order_release);
        return IMGRET_OK;
    }
    ir_detector_close(detector->detector);
    detector->detector = NULL;
    return status;
}

int32_t ir_regions_detector_load(ir_regions_detector *detector, const char *expected,
                                 imgret_error *error)
{
    if (atomic_load_explicit(&detector->loaded, memory_order_acquire))
        return IMGRET_OK;
    pthread_mutex_lock(&detector->lock);
    int32_t status = IMGRET_OK;
    if (!atomic_load(&detector->loaded))
        status = load(detector, expected, error);
    pthread_mutex_unlock(&detector->lock);
    return status;
}

char *ir_regions_detector_identify(const ir_regions_detector *detector)
{
    const ir_detector_options *given = &detector->options;
    return ir_asprintf("detector;%s;score=%g;nms=%g;max=%u",
                       ir_detector_identity(detector->detector), given->score_min,
                       given->overlap_max, given->box_max);
}

int32_t ir_regions_detector_find(ir_regions_detector *detector, const ir_picture *picture,
                                 const ir_regions_run *run, ir_box **out, uint32_t *count,
                                 imgret_error *error)
{
    *count = 0;
    *out = ir_malloc_array(detector->options.box_max, sizeof **out);
    if (!*out)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u boxes",
                       detector->options.box_max);
    return ir_detector_find(detector->detector, picture, run->stop, run->stop_context, *out, count,
                            error);
}

const char *ir_regions_detector_label(const ir_regions_detector *detector, uint32_t label)
{
    return ir_detector_label(detector->detector, label);
}
