/* model_commands.h: the parts of `imgret model`. */
#ifndef IMGRET_CLI_MODEL_COMMANDS_H
#define IMGRET_CLI_MODEL_COMMANDS_H

#include "options.h"

#include <imgret/imgret.h>

/* All return the exit status. */
int cli_model_inspect(const cli_options *options, const char *model);
int cli_model_bench(const cli_options *options, const char *model);
int cli_model_compare(const cli_options *options, const char *model, const char *reference);

/* Opens the model and describes it; says on stderr why it cannot, and returns NULL then. */
imgret_extractor *cli_model_open(const cli_options *options, const char *model,
                                 imgret_extractor_info *info);

#endif
