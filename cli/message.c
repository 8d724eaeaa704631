/* message.c: one line a message on stderr, safe for a terminal. */
#include "message.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_quiet;
static void (*clear_line)(void);

void cli_message_set_quiet(bool quiet)
{
    is_quiet = quiet;
}

void cli_message_set_clear(void (*clear)(void))
{
    clear_line = clear;
}

static void say(const char *format, va_list list)
{
    char *text = NULL;
    if (clear_line)
        clear_line();
    if (vasprintf(&text, format, list) < 0) {
        fputs("imgret: out of memory\n", stderr);
        return;
    }
    fputs("imgret: ", stderr);
    cli_text_visible(stderr, text);
    fputc('\n', stderr);
    free(text);
}

void cli_error(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
}

void cli_note(const char *format, ...)
{
    if (is_quiet)
        return;
    va_list list;
    va_start(list, format);
    say(format, list);
    va_end(list);
}
