/* eval_ann.h: the index of a database against exact search. */
#ifndef IMGRET_CLI_EVAL_ANN_H
#define IMGRET_CLI_EVAL_ANN_H

#include "options.h"

#include <imgret/imgret.h>

/* Asks with --sample (default 200) of the database's own vectors, compares what the index finds at
 * several efforts with what comparing every vector finds, and prints a row for each. Returns the exit
 * status. */
int cli_eval_ann(imgret *db, const cli_options *options);

#endif
