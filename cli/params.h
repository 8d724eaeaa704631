/* params.h: --param NAME=VALUE as parameters of a filter. */
#ifndef IMGRET_CLI_PARAMS_H
#define IMGRET_CLI_PARAMS_H

#include "options.h"

#include <imgret/imgret.h>

/* The parameters that the command line gave, NULL for none: *out is freed by the caller with
 * cli_params_free, *count is their number. A value that reads as a number is one. False: said on
 * stderr. */
bool cli_params_read(imgret_param **out, uint32_t *count, const cli_options *options);
void cli_params_free(imgret_param *params, uint32_t count);

#endif
