/* sheet.h: the contact sheet: one HTML file with the query and its results to look at. */
#ifndef IMGRET_CLI_SHEET_H
#define IMGRET_CLI_SHEET_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cli_sheet {
    const char *database;
    uint64_t image_count;   /* in the database */
    uint32_t metric;        /* IMGRET_METRIC_* */
    const char *query_path; /* NULL when the query came as bytes, or has no file */
    const void *query_data; /* the query's encoded bytes, NULL when it is a file */
    size_t query_bytes;
    int64_t query_id; /* 0: not asked by id */
    const imgret_results *results;
} cli_sheet;

/* Writes the page to `file`, the pictures' own files inside it, so that it can be moved and sent
 * alone. A file that is gone, too large, or of a format that browsers do not show becomes a tile
 * that says so. False: said on stderr. */
bool cli_sheet_write(const char *file, const cli_sheet *sheet);

#endif
