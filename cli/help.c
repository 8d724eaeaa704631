/* help.c: --help, written from the table of commands and flags; examples come first. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static void print_flag(const cli_flag *flag)
{
    char left[64];
    int bytes = 0;
    if (flag->name && flag->letter)
        bytes = snprintf(left, sizeof left, "-%c, --%s", flag->letter, flag->name);
    else if (flag->name)
        bytes = snprintf(left, sizeof left, "    --%s", flag->name);
    else
        bytes = snprintf(left, sizeof left, "-%c", flag->letter);
    if (flag->value && bytes > 0 && (size_t)bytes < sizeof left)
        snprintf(left + bytes, sizeof left - (size_t)bytes, " %s", flag->value);
    printf("  %-26s  %s\n", left, flag->help);
}

static void print_global_flags(void)
{
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    fputs("\nFlags of every command:\n", stdout);
    for (size_t i = 0; i < count; i++)
        if (cli_flag_is_global(&flags[i]))
            print_flag(&flags[i]);
}

static void help_on_command(const cli_command *command)
{
    printf("Examples:\n%s\nUsage: imgret %s %s\n\n  %c%s.\n", command->examples, command->name,
           command->usage, command->summary[0] - 'a' + 'A', command->summary + 1);
    if (command->details[0])
        printf("\n%s", command->details);
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    bool titled = false;
    for (size_t i = 0; i < count; i++) {
        if (cli_flag_is_global(&flags[i]) || !(flags[i].commands & command->bit))
            continue;
        if (!titled)
            fputs("\nFlags:\n", stdout);
        titled = true;
        print_flag(&flags[i]);
    }
    print_global_flags();
}

static void help_on_all(void)
{
    fputs("Examples:\n"
          "  imgret add photos.imgret ~/Pictures          take in a folder of pictures\n"
          "  imgret search photos.imgret cat.jpg          print the ten most like cat.jpg\n"
          "  imgret search photos.imgret --id 42 --html similar.html\n"
          "                                               and write a page to look at\n"
          "  imgret show photos.imgret --failed           list what cannot be read, and why\n"
          "\nUsage: imgret COMMAND DB [ARGUMENT...] [FLAG...]\n\n"
          "  Finds pictures that look alike. DB is a folder that holds the database.\n"
          "\nCommands:\n",
          stdout);
    size_t count;
    const cli_command *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++)
        printf("  %-11s  %s\n", commands[i].name, commands[i].summary);
    fputs("\n  'imgret COMMAND --help' explains one, with its own flags.\n", stdout);
    print_global_flags();
    fputs("\nExit status: 0 found or done, 1 nothing found, 2 error, 3 some pictures cannot\n"
          "be read or a search was stopped early, 130 interrupted. Results go to stdout,\n"
          "everything else to stderr.\n",
          stdout);
}

void cli_help(const cli_command *command)
{
    if (command && command->run)
        help_on_command(command);
    else
        help_on_all();
}
