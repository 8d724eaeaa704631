/* text.h: text and bytes as each medium wants them: terminal, tab-separated, JSON, HTML, base64. */
#ifndef IMGRET_CLI_TEXT_H
#define IMGRET_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length in bytes of the well-formed UTF-8 character at `at`, or 0. Stops at the NUL. */
size_t cli_utf8_bytes(const char *at);

/* Whether the whole text is well-formed UTF-8. */
bool cli_utf8_is_valid(const char *text);

/* For a terminal: control characters and invalid bytes as \xNN. */
void cli_text_visible(FILE *out, const char *text);

/* For a tab-separated field: tab, newline, carriage return and backslash as \t \n \r \\; other
 * bytes as they are. */
void cli_text_field(FILE *out, const char *text);

/* Inside the quotes of a JSON text; invalid bytes become U+FFFD. */
void cli_text_json(FILE *out, const char *text);

/* Inside HTML text or a quoted attribute; invalid bytes and control characters become U+FFFD. */
void cli_text_html(FILE *out, const char *text);

/* A path as it stands in a URL: all but unreserved characters and '/' as %NN. */
void cli_text_url(FILE *out, const char *path);

void cli_base64(FILE *out, const uint8_t *data, size_t bytes);

#endif
