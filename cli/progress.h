/* progress.h: the progress bar of an add, on stderr and only if that is a terminal. */
#ifndef IMGRET_CLI_PROGRESS_H
#define IMGRET_CLI_PROGRESS_H

#include <imgret/imgret.h>
#include <stdbool.h>

/* Turns the bar on where stderr is a terminal that can move its cursor, unless `quiet`. */
void cli_progress_start(bool quiet);

/* Paints the bar, at most ten times a second. */
void cli_progress_show(const imgret_ingest_progress *progress);

/* Clears the bar. */
void cli_progress_stop(void);

#endif
