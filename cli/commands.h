/* commands.h: what each command does; all return the exit status. */
#ifndef IMGRET_CLI_COMMANDS_H
#define IMGRET_CLI_COMMANDS_H

#include "options.h"

#define CLI_EXIT_FOUND 0   /* or simply: done */
#define CLI_EXIT_NOTHING 1 /* nothing found, or a named picture is not in the database */
#define CLI_EXIT_ERROR 2   /* stderr says which */
#define CLI_EXIT_SOME_FAILED \
    3 /* added, but some of the given pictures cannot be read;
                                * or found, but stopped before the end */
#define CLI_EXIT_INTERRUPTED 130

int cli_create(const cli_options *options);
int cli_add(const cli_options *options);
int cli_search(const cli_options *options);
int cli_show(const cli_options *options);
int cli_remove(const cli_options *options);
int cli_stats(const cli_options *options);
int cli_index(const cli_options *options);
int cli_optimize(const cli_options *options);
int cli_check(const cli_options *options);
int cli_extract(const cli_options *options);
int cli_model(const cli_options *options);
int cli_pca(const cli_options *options);
int cli_backup(const cli_options *options);
int cli_count(const cli_options *options);
int cli_label(const cli_options *options);
int cli_export(const cli_options *options);
int cli_import(const cli_options *options);
int cli_reembed(const cli_options *options);
int cli_completions(const cli_options *options);
int cli_dups(const cli_options *options);
int cli_eval(const cli_options *options);
int cli_calibrate(const cli_options *options);
int cli_compare_databases(const cli_options *options);

/* Explains one command, or all when `command` is NULL. */
void cli_help(const cli_command *command);

#endif
