/* likeness.h: what scores mean in one collection under one model: similar, near, the same. */
#ifndef IR_ENGINE_LIKENESS_H
#define IR_ENGINE_LIKENESS_H

#include "engine/database.h"

/* imgret_calibrate: `options` are checked and have their defaults. Fills all of `out` but size. */
int32_t ir_likeness_calibrate(ir_database *database, const imgret_calibrate_options *options,
                              imgret_calibration *out, ir_call *call, imgret_error *error);

/* What was calibrated. NOT_FOUND: nothing was, or under another model; CORRUPT. */
int32_t ir_likeness_read(ir_database *database, imgret_calibration *out, imgret_error *error);

/* The same, *there telling whether it was calibrated. */
int32_t ir_likeness_find(ir_database *database, imgret_calibration *out, bool *there,
                         imgret_error *error);

/* The least score of a level, IMGRET_LIKENESS_*. */
double ir_likeness_score(const imgret_calibration *calibration, uint32_t level);

/* ---- Parts of the measuring ---- */

typedef struct ir_scores {
    double *values;
    uint32_t count, room;
} ir_scores;

int32_t ir_scores_add(ir_scores *scores, double value, imgret_error *error);

/* The score below which `share` of them lie. Sorts them; there is at least one. */
double ir_scores_quantile(ir_scores *scores, double share);

/* Alters the picture in file `path` and appends the scores of its copies for itself: encoded anew or
 * smaller to `same`, cut or lighter to `near`. *used is false when the picture cannot be read. */
int32_t ir_likeness_copies(ir_database *database, const char *path, ir_scores *same,
                           ir_scores *near, bool *used, imgret_error *error);

#endif
