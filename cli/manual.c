/* manual.c: imgret(1) in the macros of man(7), written from the table of commands and flags. */
#include "manual.h"

#include "commands.h"

#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Writes `bytes` of text so that roff takes none of it for its own. */
static void put_text(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else if (text[i] == '~')
            fputs("\\(ti", stdout);
        else if (text[i] == '^')
            fputs("\\(ha", stdout);
        else if (text[i] == '\'')
            fputs("\\(aq", stdout);
        else if (text[i] == '.' && i == 0)
            fputs("\\&.", stdout);
        else
            putchar(text[i]);
    }
}

static void put_string(const char *text)
{
    put_text(text, strlen(text));
}

/* Lines of the help, each indented by two spaces, as lines of filled text or, verbatim, as they are. */
static void put_lines(const char *lines)
{
    while (*lines) {
        size_t bytes = strcspn(lines, "\n");
        size_t skip = !strncmp(lines, "  ", 2) ? 2 : 0;
        put_text(lines + skip, bytes - skip);
        putchar('\n');
        lines += bytes + (lines[bytes] == '\n');
    }
}

static void put_flag(const cli_flag *flag)
{
    fputs(".TP\n", stdout);
    if (flag->letter)
        printf("\\fB\\-%c\\fR%s", flag->letter, flag->name ? ", " : "");
    if (flag->name) {
        fputs("\\fB\\-\\-", stdout);
        put_string(flag->name);
        fputs("\\fR", stdout);
    }
    if (flag->value) {
        fputs(" \\fI", stdout);
        put_string(flag->value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put_string(flag->help);
    fputs(".\n", stdout);
}

static void put_command(const cli_command *command)
{
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    fputs(".SS imgret ", stdout);
    put_string(command->name);
    putchar(' ');
    put_string(command->usage);
    printf("\n%c", command->summary[0] - 'a' + 'A');
    put_string(command->summary + 1);
    fputs(".\n", stdout);
    if (command->details[0]) {
        fputs(".PP\n", stdout);
        put_lines(command->details);
    }
    fputs(".PP\n.EX\n", stdout);
    put_lines(command->examples);
    fputs(".EE\n", stdout);
    for (size_t i = 0; i < count; i++)
        if (!cli_flag_is_global(&flags[i]) && (flags[i].commands & command->bit))
            put_flag(&flags[i]);
}

static void put_title(void)
{
    char day[16] = "1970-01-01";
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t when = epoch && epoch[0] ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm parts;
    if (gmtime_r(&when, &parts))
        strftime(day, sizeof day, "%Y-%m-%d", &parts);
    printf(".\\\" Written by 'imgret completions man'.\n"
           ".TH IMGRET 1 %s \"libimgret %s\" \"User Commands\"\n"
           ".SH NAME\nimgret \\- find pictures that look alike\n"
           ".SH SYNOPSIS\n.B imgret\n.I COMMAND DB\n.RI [ ARGUMENT ...]\n.RI [ FLAG ...]\n",
           day, imgret_version_string());
}

void cli_write_manual(void)
{
    put_title();
    fputs(".SH DESCRIPTION\n"
          "Keeps databases of pictures and finds the ones that look like a given one.\n"
          ".I DB\nis a folder that holds a database; no server runs.\n"
          "Results go to stdout, everything else to stderr.\n"
          ".SH COMMANDS\n",
          stdout);
    size_t command_count, flag_count;
    const cli_command *commands = cli_commands(&command_count);
    const cli_flag *flags = cli_flags(&flag_count);
    for (size_t i = 0; i < command_count; i++)
        put_command(&commands[i]);
    fputs(".SH OPTIONS\nFlags of every command:\n", stdout);
    for (size_t i = 0; i < flag_count; i++)
        if (cli_flag_is_global(&flags[i]))
            put_flag(&flags[i]);
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\nFound, or done.\n"
          ".TP\n.B 1\nNothing found, or a named picture is not in the database.\n"
          ".TP\n.B 2\nAn error, named on stderr.\n"
          ".TP\n.B 3\nSome pictures cannot be read, or a search was stopped early.\n"
          ".TP\n.B 130\nInterrupted; what was done is kept.\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B IMGRET_PLUGIN_PATH\n"
          "Folders, separated by \\(aq:\\(aq, that are searched for backend plugins.\n"
          ".TP\n.B IMGRET_KERNELS\n"
          "The SIMD family to use at most: scalar, avx2, avx512 or neon.\n"
          ".SH SEE ALSO\n.BR imgret (3)\n",
          stdout);
}
