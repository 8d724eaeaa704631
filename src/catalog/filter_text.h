/* filter_text.h: from a host's filter to the one statement that may be made of it. */
#ifndef IR_CATALOG_FILTER_TEXT_H
#define IR_CATALOG_FILTER_TEXT_H

#include "catalog/connection.h"

/* What the authorizer must know, and what it found. */
typedef struct ir_filter_guard {
    bool on;           /* off while the catalogue's own statements run */
    int select_count;  /* of the statement being prepared */
    char refused[128]; /* what was asked for and is not allowed; "" */
} ir_filter_guard;

/* Whether `where` is one expression as far as brackets, quotes and comments go, so that it cannot
 * leave the brackets it is put in. INVALID_ARGUMENT or LIMIT says what is wrong. */
int32_t ir_filter_check_text(const char *where, imgret_error *error);

/* "SELECT region, image ... WHERE (where)" over all regions, or, with `listing`, "SELECT id ..." over
 * images by ascending id that `listing` wants. Fresh memory (ir_free), NULL when out of memory. */
char *ir_filter_sql(const char *where, const imgret_list_options *listing);

/* The same frame: "SELECT id, palette ..." of stored images, and "SELECT id ..." of images of a state
 * (0: any). */
char *ir_filter_sql_palettes(const char *where);
char *ir_filter_sql_state(const char *where, int32_t state);

/* Gives the connection its functions and limits, and its authorizer, which refuses everything but
 * the statement that ir_filter_sql makes with plain functions in it. `guard` outlives it. */
int ir_filter_confine(sqlite3 *db, ir_filter_guard *guard);

#endif
