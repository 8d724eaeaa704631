/* json.h: writes one JSON object a line to stdout. */
#ifndef IMGRET_CLI_JSON_H
#define IMGRET_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

/* cli_json_begin, then fields in order, then cli_json_end, which ends the line. Names are plain
 * ASCII. NULL text is null. */
void cli_json_begin(void);
void cli_json_text(const char *name, const char *value);
void cli_json_int(const char *name, int64_t value);
void cli_json_count(const char *name, uint64_t value);
void cli_json_bool(const char *name, bool value);
void cli_json_null(const char *name);

/* Nine significant digits; null for what JSON cannot say (infinite, not a number). */
void cli_json_number(const char *name, double value);

/* Bytes that are no UTF-8 become U+FFFD, and NAME_base64 follows with the exact bytes. */
void cli_json_path(const char *name, const char *value);

/* An array of the lines of `lines`. */
void cli_json_list(const char *name, const char *lines);

/* JSON made elsewhere, brought to one line; NULL is null. */
void cli_json_raw(const char *name, const char *json);

/* Writes the end of the line; false once stdout can take no more (cli_output_line). */
bool cli_json_end(void);

#endif
