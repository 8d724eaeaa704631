/* likeness.h: what scores mean, as far as it was calibrated. */
#ifndef IMGRET_CLI_LIKENESS_H
#define IMGRET_CLI_LIKENESS_H

#include "output.h"

#include <imgret/imgret.h>

/* The least score of a level, IMGRET_LIKENESS_*; false with `error` filled where nothing was
 * calibrated. */
bool cli_likeness_score(imgret *db, uint32_t level, double *out, imgret_error *error);

/* Lines, or fields of a JSON object, with the scores of the levels; nothing, or null, where nothing
 * was calibrated. */
void cli_likeness_print(imgret *db, cli_form form);

#endif
