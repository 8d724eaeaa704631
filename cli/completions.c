/* completions.c: what bash, zsh and fish need to complete a command line, from the one table. */
#include "commands.h"
#include "manual.h"
#include "message.h"

#include <stdio.h>
#include <string.h>

/* Writes text for the inside of single quotes of `shell`; bytes of `special` get a backslash. */
static void put_quoted(const char *text, const char *special, bool is_fish)
{
    for (const char *at = text; *at; at++) {
        if (*at == '\'')
            fputs(is_fish ? "\\'" : "'\\''", stdout);
        else if (strchr(special, *at))
            printf("\\%c", *at);
        else
            putchar(*at);
    }
}

static bool takes(const cli_command *command, const cli_flag *flag)
{
    return (flag->commands & command->bit) != 0;
}

/* Whether the flag's value is a file or a folder. */
static bool wants_path(const cli_flag *flag)
{
    return flag->kind == CLI_FLAG_TEXT &&
           (!strcmp(flag->value, "FILE") || !strcmp(flag->value, "DIRS") ||
            !strcmp(flag->value, "SPEC"));
}

/* The words that may follow the command itself, where they are not paths; NULL elsewhere. */
static const char *fixed_words(const cli_command *command)
{
    if (!command->run)
        return "commands";
    if (!strcmp(command->name, "completions"))
        return "bash zsh fish man";
    if (!strcmp(command->name, "model"))
        return "inspect bench compare";
    return !strcmp(command->name, "pca") ? "train" : NULL;
}

static void put_command_names(void)
{
    size_t count;
    const cli_command *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", commands[i].name);
}

/* "a b c" of a CHOICE's "a|b|c". */
static void put_choices(const char *value)
{
    for (; *value; value++)
        putchar(*value == '|' ? ' ' : *value);
}

/* ---- bash ------------------------------------------------------------------------------------- */

/* What the word before wants: a case of its own for each flag with a value. A name that stands twice
 * in the table has the same kind in both. */
static void bash_values(void)
{
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    for (size_t i = 0; i < count; i++) {
        const cli_flag *flag = &flags[i];
        if (flag->kind == CLI_FLAG_SWITCH || wants_path(flag))
            continue;
        fputs("        ", stdout);
        if (flag->letter)
            printf("-%c%s", flag->letter, flag->name ? "|" : "");
        if (flag->name)
            printf("--%s", flag->name);
        fputs(") COMPREPLY=(", stdout);
        if (flag->kind == CLI_FLAG_CHOICE) {
            fputs("$(compgen -W '", stdout);
            put_choices(flag->value);
            fputs("' -- \"$cur\")", stdout);
        }
        fputs("); return ;;\n", stdout);
    }
}

static void bash_flags(const cli_command *command)
{
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    printf("        %s) flags='", command->name);
    for (size_t i = 0; i < count; i++) {
        if (!takes(command, &flags[i]))
            continue;
        if (flags[i].name)
            printf("--%s ", flags[i].name);
        else
            printf("-%c ", flags[i].letter);
    }
    fputs("'", stdout);
    if (!command->run) {
        fputs(" words='", stdout);
        put_command_names();
        fputs("'", stdout);
    } else if (fixed_words(command)) {
        printf(" words='%s'", fixed_words(command));
    }
    fputs(" ;;\n", stdout);
}

static void write_bash(void)
{
    size_t count;
    const cli_command *commands = cli_commands(&count);
    fputs("# bash completion of imgret; written by 'imgret completions bash'\n"
          "_imgret()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command= flags='--help --version' words= i at=0\n"
          "    COMPREPLY=()\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} == -* ]] && continue\n"
          "        command=${COMP_WORDS[i]} at=$i\n"
          "        break\n"
          "    done\n"
          "    case $prev in\n",
          stdout);
    bash_values();
    fputs("    esac\n    case $command in\n        '') words='", stdout);
    put_command_names();
    fputs("' ;;\n", stdout);
    for (size_t i = 0; i < count; i++)
        bash_flags(&commands[i]);
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
          "    elif [[ -n $words ]] && ((COMP_CWORD == at + 1 || at == 0)); then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    else\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        local IFS=$'\\n'\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    fi\n"
          "}\n"
          "complete -F _imgret imgret\n",
          stdout);
}

/* ---- zsh -------------------------------------------------------------------------------------- */

static void zsh_flag(const cli_flag *flag)
{
    fputs("                '", stdout);
    if (flag->kind == CLI_FLAG_LIST)
        putchar('*');
    if (flag->name)
        printf("--%s", flag->name);
    else
        printf("-%c", flag->letter);
    putchar('[');
    put_quoted(flag->help, "[]:\\", false);
    putchar(']');
    if (flag->kind == CLI_FLAG_CHOICE) {
        printf(":%s:(", flag->name);
        put_choices(flag->value);
        putchar(')');
    } else if (flag->kind != CLI_FLAG_SWITCH) {
        putchar(':');
        put_quoted(flag->value, "[]:\\", false);
        fputs(wants_path(flag) ? ":_files" : ": ", stdout);
    }
    fputs("' \\\n", stdout);
}

static void zsh_command(const cli_command *command)
{
    size_t count;
    const cli_flag *flags = cli_flags(&count);
    printf("        %s)\n            _arguments \\\n", command->name);
    for (size_t i = 0; i < count; i++)
        if (takes(command, &flags[i]))
            zsh_flag(&flags[i]);
    if (!command->run) {
        fputs("                '1:command:(", stdout);
        put_command_names();
        fputs(")' ;;\n", stdout);
    } else if (fixed_words(command)) {
        printf("                '1:word:(%s)' '*:file:_files' ;;\n", fixed_words(command));
    } else {
        fputs("                '*:file:_files' ;;\n", stdout);
    }
}

static void write_zsh(void)
{
    size_t count;
    const cli_command *commands = cli_commands(&count);
    fputs("#compdef imgret\n# zsh completion of imgret; written by 'imgret completions zsh'\n"
          "_imgret() {\n"
          "    local context state state_descr line\n    typeset -A opt_args\n"
          "    local -a commands=(\n",
          stdout);
    for (size_t i = 0; i < count; i++) {
        printf("        '%s:", commands[i].name);
        put_quoted(commands[i].summary, ":\\", false);
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    _arguments -C '1:command:->command' '*::argument:->argument' && return\n"
          "    if [[ $state == command ]]; then\n"
          "        _describe command commands\n        return\n    fi\n"
          "    case ${words[1]} in\n",
          stdout);
    for (size_t i = 0; i < count; i++)
        zsh_command(&commands[i]);
    fputs("    esac\n}\n"
          "if [[ $funcstack[1] == _imgret ]]; then\n    _imgret \"$@\"\nelse\n"
          "    compdef _imgret imgret\nfi\n",
          stdout);
}

/* ---- fish ------------------------------------------------------------------------------------- */

static void fish_flag(const cli_command *command, const cli_flag *flag)
{
    fputs("complete -c imgret", stdout);
    if (command)
        printf(" -n '__fish_seen_subcommand_from %s'", command->name);
    if (flag->letter)
        printf(" -s %c", flag->letter);
    if (flag->name)
        printf(" -l %s", flag->name);
    if (flag->kind == CLI_FLAG_CHOICE) {
        fputs(" -x -a '", stdout);
        put_choices(flag->value);
        fputs("'", stdout);
    } else if (flag->kind != CLI_FLAG_SWITCH) {
        fputs(wants_path(flag) ? " -r -F" : " -x", stdout);
    }
    fputs(" -d '", stdout);
    put_quoted(flag->help, "\\", true);
    fputs("'\n", stdout);
}

static void fish_words(const cli_command *command)
{
    if (!fixed_words(command))
        return;
    printf("complete -c imgret -n '__fish_seen_subcommand_from %s' -f -a '", command->name);
    if (command->run)
        fputs(fixed_words(command), stdout);
    else
        put_command_names();
    fputs("'\n", stdout);
}

static void write_fish(void)
{
    size_t command_count, flag_count;
    const cli_command *commands = cli_commands(&command_count);
    const cli_flag *flags = cli_flags(&flag_count);
    fputs("# fish completion of imgret; written by 'imgret completions fish'\n", stdout);
    for (size_t i = 0; i < command_count; i++) {
        printf("complete -c imgret -n __fish_use_subcommand -f -a %s -d '", commands[i].name);
        put_quoted(commands[i].summary, "\\", true);
        fputs("'\n", stdout);
        fish_words(&commands[i]);
        for (size_t j = 0; j < flag_count; j++)
            if (takes(&commands[i], &flags[j]) && !cli_flag_is_global(&flags[j]))
                fish_flag(&commands[i], &flags[j]);
    }
    for (size_t j = 0; j < flag_count; j++)
        if (cli_flag_is_global(&flags[j]))
            fish_flag(NULL, &flags[j]);
}

int cli_completions(const cli_options *options)
{
    static const struct {
        const char *name;
        void (*write)(void);
    } kinds[] = {
        {"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}, {"man", cli_write_manual}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, options->db) != 0)
            continue;
        kinds[i].write();
        return CLI_EXIT_FOUND;
    }
    cli_error("there are no completions for '%s'; there are for bash, zsh and fish", options->db);
    return CLI_EXIT_ERROR;
}
