/* json.c: NDJSON, one object a line on stdout. */
#include "json.h"

#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_first;

void cli_json_begin(void)
{
    is_first = true;
    putchar('{');
}

static void field(const char *name)
{
    printf("%s\"%s\":", is_first ? "" : ",", name);
    is_first = false;
}

void cli_json_text(const char *name, const char *value)
{
    if (!value) {
        cli_json_null(name);
        return;
    }
    field(name);
    putchar('"');
    cli_text_json(stdout, value);
    putchar('"');
}

void cli_json_int(const char *name, int64_t value)
{
    field(name);
    printf("%" PRId64, value);
}

void cli_json_count(const char *name, uint64_t value)
{
    field(name);
    printf("%" PRIu64, value);
}

void cli_json_bool(const char *name, bool value)
{
    field(name);
    fputs(value ? "true" : "false", stdout);
}

void cli_json_null(const char *name)
{
    field(name);
    fputs("null", stdout);
}

void cli_json_number(const char *name, double value)
{
    if (!isfinite(value)) {
        cli_json_null(name);
        return;
    }
    field(name);
    printf("%.9g", value);
}

void cli_json_path(const char *name, const char *value)
{
    cli_json_text(name, value);
    if (!value || cli_utf8_is_valid(value))
        return;
    printf(",\"%s_base64\":\"", name);
    cli_base64(stdout, (const uint8_t *)value, strlen(value));
    putchar('"');
}

void cli_json_list(const char *name, const char *lines)
{
    char line[1024]; /* longer ones are cut */
    field(name);
    putchar('[');
    for (bool first = true; *lines; first = false) {
        size_t bytes = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(bytes < sizeof line ? bytes : sizeof line),
                 lines);
        fputs(first ? "\"" : ",\"", stdout);
        cli_text_json(stdout, line);
        putchar('"');
        lines += bytes + (lines[bytes] == '\n');
    }
    putchar(']');
}

void cli_json_raw(const char *name, const char *json)
{
    if (!json) {
        cli_json_null(name);
        return;
    }
    field(name);
    while (*json) {
        size_t bytes = cli_utf8_bytes(json);
        if (!bytes) /* cannot stand outside a text, so U+FFFD keeps it JSON */
            fputs("\\ufffd", stdout);
        else if (*json == '\n' || *json == '\r') /* between tokens: a text has it escaped */
            putchar(' ');
        else
            fwrite(json, 1, bytes, stdout);
        json += bytes ? bytes : 1;
    }
}

bool cli_json_end(void)
{
    fputs("}\n", stdout);
    return cli_output_line();
}
