/* detector.h: an opened object detector: a picture in, boxes out. A face of the room. */
#ifndef IR_EXTRACT_DETECTOR_H
#define IR_EXTRACT_DETECTOR_H

#include "extract/boxes.h"
#include "extract/extract.h"

typedef struct ir_detector ir_detector;

typedef struct ir_detector_options {
    const char *plugin_path; /* NULL: none */
    uint32_t threads;        /* 0: the CPUs the process may use */
    double score_min;        /* 0..1 */
    double overlap_max;      /* 0..1: intersection over union up to which two of a class are two */
    uint32_t box_max;        /* at least 1 */
    const char
        *labels_path; /* a file that names the classes, one a line; NULL: as the model does */
} ir_detector_options;

/* Loads the detector `spec`, written as an extractor's. Errors: as ir_extractor_open, BAD_MODEL for a
 * model that is no detector, and what is wrong with the labels: INVALID_ARGUMENT, MISMATCH (their
 * number), LIMIT, NOT_FOUND. */
int32_t ir_detector_open(ir_detector **out, const char *spec, const ir_detector_options *options,
                         imgret_error *error);
void ir_detector_close(ir_detector *detector);

/* What decides its raw boxes; score_min and the like are not part of it. Lives as long as it. */
const char *ir_detector_identity(const ir_detector *detector);

/* The name of a class that a box has: "cat", or "class 17" when nobody names them. Lives as long as
 * it. */
const char *ir_detector_label(const ir_detector *detector, uint32_t label);

/* The boxes of a picture, best first, in pixels of its source, into `out` (room for box_max). One
 * picture at a time runs; who waits asks `stop` (NULL: never) now and then: INTERRUPTED. Any
 * thread. */
int32_t ir_detector_find(ir_detector *detector, const ir_picture *picture,
                         bool (*stop)(void *context), void *stop_context, ir_box *out,
                         uint32_t *count, imgret_error *error);

#endif
