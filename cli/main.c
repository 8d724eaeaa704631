/* main.c: the imgret command: reads the command line and hands over to one command. */
#include "commands.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A closed stdin, stdout or stderr would be given to the next file that is opened, the database
 * perhaps. What takes its place here refuses the use that the closed one would have refused. */
static void fill_closed_files(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            _exit(CLI_EXIT_ERROR);
}

static void on_log(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    cli_error("%s", message);
}

static int run(const cli_options *options)
{
    if (options->version) {
        printf("imgret %s\n", imgret_version_string());
        return CLI_EXIT_FOUND;
    }
    if (options->help || (options->command && !options->command->run)) {
        cli_help(options->command);
        return CLI_EXIT_FOUND;
    }
    if (!options->command) {
        cli_error("no command; see 'imgret help'");
        return CLI_EXIT_ERROR;
    }
    cli_message_set_quiet(options->quiet);
    if (options->verbose)
        imgret_set_log(on_log, NULL, IMGRET_LOG_DEBUG);
    cli_session_catch_signals();
    return options->command->run(options);
}

int main(int argc, char **argv)
{
    fill_closed_files();
    cli_options options;
    int status = CLI_EXIT_ERROR;
    if (cli_options_parse(&options, argc, argv))
        status = cli_output_finish(run(&options));
    cli_options_free(&options);
    return status;
}
