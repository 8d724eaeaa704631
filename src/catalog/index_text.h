/* index_text.h: from a host's wish for an index to the one object that may be made of it.
 *
 * The name of such an index holds the expression, so that nothing beside the schema has to be kept: what
 * stands in a file is compared with what its own name would make (schema.c).
 */
#ifndef IR_CATALOG_INDEX_TEXT_H
#define IR_CATALOG_INDEX_TEXT_H

#include "catalog/connection.h"

#define IR_INDEX_EXPRESSION_BYTES 224 /* of one with its NUL: "meta->>'" and a path of 200 bytes */
#define IR_INDEX_PREFIX "filter "     /* of the names, before the expression */

typedef struct ir_index_text {
    char expression[IR_INDEX_EXPRESSION_BYTES]; /* as listed: a column's name, or meta->>'path' */
    char sql[2048];                             /* CREATE INDEX ... as SQLite keeps it */
} ir_index_text;

/* Reads a column of docs/filters.md or meta->>'path'. INVALID_ARGUMENT for all else, EXISTS for what has
 * its index from the start. */
int32_t ir_index_text_read(ir_index_text *out, const char *given, imgret_error *error);

/* Whether an index of this name, on this table, with this text is one that a host may have asked for. */
bool ir_index_text_is(const char *name, const char *table, const char *sql);

/* "DROP INDEX ...", in fresh memory (ir_free); NULL when out of memory. */
char *ir_index_text_drop(const ir_index_text *index);

#endif
