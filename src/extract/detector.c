/* detector.c: an opened object detector: letterbox, the backend's run, decoding, suppression. */
#include "extract/detector.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "extract/labels.h"
#include "extract/nms.h"
#include "extract/registry.h"
#include "extract/resize.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INPUT_PX_MAX 4096u
#define STOP_POLL_NS 20000000L /* how long an interrupt may go unnoticed */

struct ir_detector {
    const imgret_backend *backend;
    imgret_backend_model *model;
    imgret_backend_info info; /* checked; its strings are the backend's */
    ir_detector_options options;
    char *identity;
    ir_labels *labels;    /* of the classes; NULL: nobody names them */
    char *numbers;        /* then "class 0\0class 1\0...", NUMBER_BYTES each */
    pthread_mutex_t lock; /* one run at a time; what follows is the running thread's */
    float *rows;          /* of one picture */
    ir_detection *found;  /* anchor_count */
    uint8_t *prepared;    /* input_height x input_width x 3 */
    uint8_t *fitted;      /* the same room: the picture before it is placed */
};

enum { NUMBER_BYTES = 24 };

/* Where a picture lies in the network's input, in its pixels. */
typedef struct placement {
    uint32_t left, top, width, height;
    double across, down; /* pixels of the input for one of the source */
} placement;

/* ---- opening ---- */

static int32_t fail_step(const ir_detector *detector, const char *step, int32_t status,
                         const imgret_error *reason, imgret_error *error)
{
    bool is_known = status >= IMGRET_INTERNAL && status < IMGRET_OK;
    return ir_fail(error, is_known ? status : IMGRET_BAD_MODEL, "backend \"%s\" cannot %s: %s",
                   detector->backend->name, step,
                   reason->message[0] ? reason->message : imgret_status_name(status));
}

static int32_t check_info(const ir_detector *detector, imgret_error *error)
{
    const imgret_backend_info *info = &detector->info;
    if (info->anchor_count == 0 || !detector->backend->detect)
        return ir_fail(error, IMGRET_BAD_MODEL, "backend \"%s\": %s is no detector",
                       detector->backend->name, info->architecture ? info->architecture : "this");
    bool has_size = info->input_width > 0 && info->input_width <= INPUT_PX_MAX &&
                    info->input_height > 0 && info->input_height <= INPUT_PX_MAX;
    bool has_filter = info->filter == IMGRET_FILTER_BILINEAR ||
                      info->filter == IMGRET_FILTER_BICUBIC;
    bool has_resize = info->resize == IMGRET_RESIZE_SQUASH ||
                      info->resize == IMGRET_RESIZE_LETTERBOX;
    if (!has_size || !has_filter || !has_resize || info->letterbox_place > IMGRET_PLACE_TOP_LEFT ||
        !info->architecture || !info->identity || !info->identity[0])
        return ir_fail(error, IMGRET_BAD_MODEL,
                       "backend \"%s\" describes a detector of %u x %u pixels, resize %u, filter "
                       "%u, place %u, identity \"%.40s\"",
                       detector->backend->name, info->input_width, info->input_height, info->resize,
                       info->filter, info->letterbox_place, info->identity ? info->identity : "");
    return ir_detection_check(info, error);
}

static int32_t load(ir_detector *detector, const ir_model_spec *spec, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    uint32_t threads = detector->options.threads ? detector->options.threads : ir_cpu_count();
    int32_t status = detector->backend->load(&detector->model, spec->weights, spec->options,
                                             threads, &reason);
    if (status) {
        detector->model = NULL; /* whatever a failing load left there is not ours to unload */
        return fail_step(detector, "load the model", status, &reason, error);
    }
    detector->info.size = sizeof detector->info;
    status = detector->backend->describe(detector->model, &detector->info, &reason);
    if (status)
        return fail_step(detector, "describe the model", status, &reason, error);
    return check_info(detector, error);
}

static int32_t number_classes(ir_detector *detector, imgret_error *error)
{
    uint32_t count = detector->info.box_class_count;
    detector->numbers = ir_malloc_array(count, NUMBER_BYTES);
    if (!detector->numbers)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u labels", count);
    for (uint32_t i = 0; i < count; i++)
        snprintf(detector->numbers + (size_t)i * NUMBER_BYTES, NUMBER_BYTES, "class %u", i);
    return IMGRET_OK;
}

static int32_t name_classes(ir_detector *detector, const char *path, imgret_error *error)
{
    const imgret_backend_info *info = &detector->info;
    if (!path && !info->class_names)
        return number_classes(detector, error);
    int32_t status = path ? ir_labels_load(&detector->labels, path, error)
                          : ir_labels_parse(&detector->labels, info->architecture,
                                            (const uint8_t *)info->class_names,
                                            strlen(info->class_names), error);
    if (!status && detector->labels->count != info->box_class_count)
        status = ir_fail(error, IMGRET_MISMATCH, "%s has %u labels for the %u classes of %s",
                         path ? path : "the model", detector->labels->count, info->box_class_count,
                         info->architecture);
    return status;
}

static int32_t make_rooms(ir_detector *detector, imgret_error *error)
{
    const imgret_backend_info *info = &detector->info;
    size_t pixels = (size_t)info->input_width * info->input_height;
    detector->rows = ir_malloc_array((size_t)info->anchor_count * (5 + info->box_class_count),
                                     sizeof *detector->rows);
    detector->found = ir_malloc_array(info->anchor_count, sizeof *detector->found);
    detector->prepared = ir_malloc_array(pixels, 3);
    detector->fitted = ir_malloc_array(pixels, 3);
    detector->identity = ir_asprintf(
        "%s;resize=%s:%ux%u:%06x:%u;filter=%u", info->identity,
        info->resize == IMGRET_RESIZE_LETTERBOX ? "letterbox" : "squash", info->input_width,
        info->input_height, info->pad_rgb, info->letterbox_place, info->filter);
    bool all = detector->rows && detector->found && detector->prepared && detector->fitted &&
               detector->identity;
    return all ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector");
}

int32_t ir_detector_open(ir_detector **out, const char *spec_text,
                         const ir_detector_options *options, imgret_error *error)
{
    *out = NULL;
    ir_model_spec spec;
    int32_t status = ir_model_spec_parse(&spec, spec_text, error);
    if (status)
        return status;
    ir_detector *detector = ir_calloc(1, sizeof *detector);
    if (!detector) {
        ir_model_spec_free(&spec);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a detector");
    }
    pthread_mutex_init(&detector->lock, NULL);
    detector->options = *options;
    detector->options.plugin_path = NULL; /* the caller's, and not needed any more */
    detector->options.labels_path = NULL;
    status = ir_registry_find(&detector->backend, &spec, options->plugin_path, error);
    if (!status)
        status = load(detector, &spec, error);
    if (!status)
        status = name_classes(detector, options->labels_path, error);
    if (!status)
        status = make_rooms(detector, error);
    ir_model_spec_free(&spec);
    if (status)
        ir_detector_close(detector);
    else
        *out = detector;
    return status;
}

void ir_detector_close(ir_detector *detector)
{
    if (!detector)
        return;
    if (detector->model)
        detector->backend->unload(detector->model);
    pthread_mutex_destroy(&detector->lock);
    ir_labels_free(detector->labels);
    ir_free(detector->numbers);
    ir_free(detector->identity);
    ir_free(detector->fitted);
    ir_free(detector->prepared);
    ir_free(detector->found);
    ir_free(detector->rows);
    ir_free(detector);
}

const char *ir_detector_identity(const ir_detector *detector)
{
    return detector->identity;
}

const char *ir_detector_label(const ir_detector *detector, uint32_t label)
{
    return detector->labels ? detector->labels->texts[label]
                            : detector->numbers + (size_t)label * NUMBER_BYTES;
}

/* ---- one picture ---- */

static uint32_t scaled(uint32_t length, double ratio, uint32_t most)
{
    double scaled_length = length * ratio;
    return scaled_length < 1.0 ? 1 : scaled_length < most ? (uint32_t)scaled_length : most;
}

/* As YOLOX places it: both sides by the same ratio, cut to whole pixels. */
static placement place(const imgret_backend_info *info, const ir_picture *picture)
{
    placement at = {0, 0, info->input_width, info->input_height, 0, 0};
    at.across = (double)at.width / picture->source_width;
    at.down = (double)at.height / picture->source_height;
    if (info->resize == IMGRET_RESIZE_SQUASH)
        return at;
    double ratio = at.across < at.down ? at.across : at.down;
    at.across = at.down = ratio;
    at.width = scaled(picture->source_width, ratio, info->input_width);
    at.height = scaled(picture->source_height, ratio, info->input_height);
    if (info->letterbox_place == IMGRET_PLACE_CENTRE) {
        at.left = (info->input_width - at.width) / 2;
        at.top = (info->input_height - at.height) / 2;
    }
    return at;
}

static int32_t prepare(ir_detector *detector, const ir_picture *picture, const placement *at,
                       imgret_error *error)
{
    const imgret_backend_info *info = &detector->info;
    ir_resize resize = {
        .source_width = picture->width,
        .source_height = picture->height,
        .scaled_width = at->width,
        .scaled_height = at->height,
        .width = at->width,
        .height = at->height,
        .filter = info->filter,
    };
    int32_t status = ir_resize_rgb(&resize, picture->rgb, detector->fitted, error);
    if (status)
        return status;
    size_t count = (size_t)info->input_width * info->input_height;
    for (size_t i = 0; i < count; i++) {
        detector->prepared[3 * i] = (uint8_t)(info->pad_rgb >> 16);
        detector->prepared[3 * i + 1] = (uint8_t)(info->pad_rgb >> 8);
        detector->prepared[3 * i + 2] = (uint8_t)info->pad_rgb;
    }
    for (uint32_t y = 0; y < at->height; y++)
        memcpy(detector->prepared + 3 * ((size_t)(at->top + y) * info->input_width + at->left),
               detector->fitted + 3 * (size_t)y * at->width, 3 * (size_t)at->width);
    return IMGRET_OK;
}

/* Under the lock. */
static int32_t run(ir_detector *detector, imgret_error *error)
{
    imgret_backend_detect_batch batch = {
        .size = sizeof batch,
        .count = 1,
        .pixels = detector->prepared,
        .detections = detector->rows,
    };
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = detector->backend->detect(detector->model, &batch, &reason);
    return status ? fail_step(detector, "detect", status, &reason, error) : IMGRET_OK;
}

/* Under the lock: from the network's rows to boxes of the source. */
static uint32_t collect(ir_detector *detector, const ir_picture *picture, const placement *at,
                        ir_box *out)
{
    ir_detection *found = detector->found;
    uint32_t count = ir_detection_decode(&detector->info, detector->rows,
                                         (float)detector->options.score_min, found);
    count = ir_detection_suppress(found, count, (float)detector->options.overlap_max,
                                  detector->options.box_max);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        ir_box box = {.label = found[i].label, .score = (double)found[i].score};
        if (ir_box_within(&box, ((double)found[i].left - at->left) / at->across,
                          ((double)found[i].top - at->top) / at->down,
                          ((double)found[i].right - at->left) / at->across,
                          ((double)found[i].bottom - at->top) / at->down, picture->source_width,
                          picture->source_height))
            out[kept++] = box;
    }
    return kept;
}

static int32_t wait_turn(ir_detector *detector, bool (*stop)(void *context), void *stop_context,
                         imgret_error *error)
{
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += STOP_POLL_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_mutex_timedlock(&detector->lock, &until) != ETIMEDOUT)
            return IMGRET_OK;
        if (stop && stop(stop_context))
            return ir_fail(error, IMGRET_INTERRUPTED, "interrupted");
    }
}

int32_t ir_detector_find(ir_detector *detector, const ir_picture *picture,
                         bool (*stop)(void *context), void *stop_context, ir_box *out,
                         uint32_t *count, imgret_error *error)
{
    *count = 0;
    if (!picture->rgb || picture->width == 0 || picture->height == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "a picture of %u x %u pixels has nothing to detect", picture->width,
                       picture->height);
    placement at = place(&detector->info, picture);
    int32_t status = wait_turn(detector, stop, stop_context, error);
    if (status)
        return status;
    status = prepare(detector, picture, &at, error);
    if (!status)
        status = run(detector, error);
    if (!status)
        *count = collect(detector, picture, &at, out);
    pthread_mutex_unlock(&detector->lock);
    return status;
}
