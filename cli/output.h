/* output.h: results on stdout: which form they take, and whether anyone still reads them. */
#ifndef IMGRET_CLI_OUTPUT_H
#define IMGRET_CLI_OUTPUT_H

#include "options.h"

typedef enum cli_form {
    CLI_FORM_TABLE,  /* aligned, with a heading: stdout is a terminal */
    CLI_FORM_FIELDS, /* tab-separated, no heading */
    CLI_FORM_JSON,   /* one object a line */
    CLI_FORM_PATHS   /* paths alone, each ended by NUL */
} cli_form;

/* --json, then --null, then by what stdout is. */
cli_form cli_output_form(const cli_options *options);

/* A path as the last thing of a line, and the line's end. NULL, for a picture without one, is "-".
 * Returns cli_output_line. */
bool cli_output_path_line(cli_form form, const char *path);

/* To be called after each line; false once stdout can take no more, and the work may stop. */
bool cli_output_line(void);

/* Sends what is still buffered; false as above. */
bool cli_output_flush(void);

/* Ends the output and returns the exit status: `status`, or 0 when the reader went away (`| head`
 * is no error), or an error when stdout could not be written. */
int cli_output_finish(int status);

#endif
