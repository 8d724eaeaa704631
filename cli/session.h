/* session.h: an open database of the command, its errors, and what Ctrl-C does to it. */
#ifndef IMGRET_CLI_SESSION_H
#define IMGRET_CLI_SESSION_H

#include "options.h"

#include <imgret/imgret.h>

/* Makes SIGINT and SIGTERM interrupt the open database; the second of them ends the process. */
void cli_session_catch_signals(void);

/* Whether a signal came. */
bool cli_session_is_interrupted(void);

/* Opens options->db with `flags` (IMGRET_OPEN_*) and the given options; says on stderr why it
 * cannot, and returns NULL then. Close with cli_session_close. */
imgret *cli_session_open(const cli_options *options, uint32_t flags);
void cli_session_close(imgret *db);

/* Says on stderr what failed and returns the exit status for it. */
int cli_session_fail(const imgret_error *error);

#endif
