/* output.c: the form of results on stdout, and the failures of stdout itself. */
#include "output.h"

#include "commands.h"
#include "message.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_errno; /* of the first write that failed */

cli_form cli_output_form(const cli_options *options)
{
    if (options->json)
        return CLI_FORM_JSON;
    if (options->null)
        return CLI_FORM_PATHS;
    return isatty(STDOUT_FILENO) ? CLI_FORM_TABLE : CLI_FORM_FIELDS;
}

bool cli_output_path_line(cli_form form, const char *path)
{
    if (form == CLI_FORM_PATHS) {
        if (path)
            fwrite(path, 1, strlen(path) + 1, stdout);
        return cli_output_line();
    }
    if (!path)
        fputs("-", stdout);
    else if (form == CLI_FORM_TABLE)
        cli_text_visible(stdout, path);
    else
        cli_text_field(stdout, path);
    fputc('\n', stdout);
    return cli_output_line();
}

bool cli_output_line(void)
{
    if (ferror(stdout) && !write_errno)
        write_errno = errno ? errno : EIO;
    return write_errno == 0;
}

bool cli_output_flush(void)
{
    fflush(stdout);
    return cli_output_line();
}

int cli_output_finish(int status)
{
    cli_output_flush();
    if (!write_errno)
        return status;
    if (write_errno == EPIPE)
        return CLI_EXIT_FOUND;
    cli_error("cannot write to stdout: %s", strerror(write_errno));
    return CLI_EXIT_ERROR;
}
