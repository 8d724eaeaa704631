/* message.h: what the command says on stderr. */
#ifndef IMGRET_CLI_MESSAGE_H
#define IMGRET_CLI_MESSAGE_H

#include <stdbool.h>

/* One line "imgret: ..." on stderr. Control characters and bytes that are no UTF-8 are shown as
 * \xNN, so that a file's name cannot drive the terminal. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, unless --quiet. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Silences cli_note. */
void cli_message_set_quiet(bool quiet);

/* Called before each message to clear what stands on the terminal's last line; NULL for none. */
void cli_message_set_clear(void (*clear)(void));

#endif
