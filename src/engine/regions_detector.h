/* regions_detector.h: the detector of a database's regions: its specification, loaded when needed. */
#ifndef IR_ENGINE_REGIONS_DETECTOR_H
#define IR_ENGINE_REGIONS_DETECTOR_H

#include "engine/regions.h"
#include "extract/detector.h"

typedef struct ir_regions_detector ir_regions_detector;

/* `text` is what stands behind "detector:". Nothing is loaded. `options`: as in ir_regions_create. */
int32_t ir_regions_detector_create(ir_regions_detector **out, const char *text,
                                   const ir_extractor_options *options, imgret_error *error);
void ir_regions_detector_free(ir_regions_detector *detector);

/* "detector:..." with absolute paths; lives as long as it. */
const char *ir_regions_detector_spec(const ir_regions_detector *detector);

/* Loads it, unless it is. With `expected` (NULL: any) its identity must be this one, else
 * IMGRET_MISMATCH. Any thread. */
int32_t ir_regions_detector_load(ir_regions_detector *detector, const char *expected,
                                 imgret_error *error);

/* Of a loaded one: what decides its boxes, in fresh memory; NULL: out of memory. */
char *ir_regions_detector_identify(const ir_regions_detector *detector);

/* Of a loaded one: as ir_regions_propose. */
int32_t ir_regions_detector_find(ir_regions_detector *detector, const ir_picture *picture,
                                 const ir_regions_run *run, ir_box **out, uint32_t *count,
                                 imgret_error *error);

/* Of a loaded one: "cat", or "class 17". Lives as long as it. */
const char *ir_regions_detector_label(const ir_regions_detector *detector, uint32_t label);

#endif
