/* regions.h: which parts of a picture get a vector of their own, and how they get it.
 *
 * A database's specification of regions, part of its settings:
 *   "none"            whole pictures alone
 *   "center[=SHARE]"  the middle too; each side SHARE (from 0.01 to below 1; 0.5) of the picture's
 *   "grid=CxR"        C x R equal parts, at most 255
 *   "detector:SPEC[?score=S][&nms=I][&max=N][&labels=FILE][&KEY=VALUE]"
 *                     what a detector finds; SPEC as for an extractor, other keys are the backend's
 */
#ifndef IR_ENGINE_REGIONS_H
#define IR_ENGINE_REGIONS_H

#include "base/region.h"
#include "catalog/catalog.h"
#include "extract/boxes.h"
#include "extract/extract.h"

typedef struct ir_regions ir_regions;

/* *out is NULL for "none". Nothing is loaded yet. INVALID_ARGUMENT says what is wrong with `spec`.
 * `options` are those of the extractor; its strings must outlive *out. */
int32_t ir_regions_create(ir_regions **out, const char *spec, const ir_extractor_options *options,
                          imgret_error *error);
void ir_regions_free(ir_regions *regions);

/* The specification with its paths made absolute; "none" for NULL. Lives as long as `regions`. */
const char *ir_regions_spec(const ir_regions *regions);

/* What decides the boxes, in fresh memory (ir_free); loads the detector. "none" for NULL. */
int32_t ir_regions_identify(ir_regions *regions, char **out, imgret_error *error);

/* A detector that is loaded from now on must have this identity (IMGRET_MISMATCH); it is taken over,
 * ir_free'd with `regions`. */
void ir_regions_expect(ir_regions *regions, char *identity);

/* Loads the detector, if there is one and it is not loaded. IMGRET_OK for NULL. */
int32_t ir_regions_load(ir_regions *regions, imgret_error *error);

/* How many times as many pixels as the extractor needs of a whole picture have to be decoded on a
 * side, so that the parts have enough; UINT32_MAX: all. 1 for NULL. */
void ir_regions_zoom(const ir_regions *regions, uint32_t *columns, uint32_t *rows);

/* How a detector is to run: as in ir_extract_job. */
typedef struct ir_regions_run {
    bool background;
    bool (*stop)(void *context);
    void *stop_context;
} ir_regions_run;

/* The boxes of a picture, best first, in pixels of its source; *out is fresh memory (ir_free), perhaps
 * NULL when *count is 0. Any thread; loads the detector, and waits its turn there. */
int32_t ir_regions_propose(ir_regions *regions, const ir_picture *picture,
                           const ir_regions_run *run, ir_box **out, uint32_t *count,
                           imgret_error *error);

/* The objects of one picture, ready for the extractor. All zeros is none. */
typedef struct ir_objects {
    uint32_t count;
    ir_catalog_object *items; /* count; labels as above */
    uint8_t *prepared;        /* count x ir_extractor_input_bytes */
} ir_objects;

/* Proposes, crops and prepares. ir_objects_free, also after a failure. */
int32_t ir_regions_prepare(ir_regions *regions, const ir_extractor *extractor,
                           const ir_picture *picture, const ir_regions_run *run, ir_objects *out,
                           imgret_error *error);
void ir_objects_free(ir_objects *objects);

/* Crops one box of a picture and prepares it (ir_extractor_input_bytes). */
int32_t ir_regions_prepare_box(const ir_extractor *extractor, const ir_picture *picture,
                               const ir_box *box, uint8_t *prepared, imgret_error *error);

/* The pixels are no longer needed once there are vectors. */
void ir_objects_free_pixels(ir_objects *objects);

#endif
