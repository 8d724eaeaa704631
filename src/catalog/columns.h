/* columns.h: the columns that a table has, in the order of the table. */
#ifndef IR_CATALOG_COLUMNS_H
#define IR_CATALOG_COLUMNS_H

#include "base/text.h"
#include "catalog/internal.h"

enum { IR_COLUMNS_MAX = 64, IR_COLUMN_NAME_BYTES = 48 };

typedef enum ir_column_kind {
    IR_COLUMN_INTEGER,
    IR_COLUMN_REAL,
    IR_COLUMN_TEXT,
    IR_COLUMN_BLOB
} ir_column_kind;

typedef struct ir_column {
    char name[IR_COLUMN_NAME_BYTES];
    char preset[IR_COLUMN_NAME_BYTES]; /* its default as SQL; "NULL" when it has none */
    ir_column_kind kind;
} ir_column;

typedef struct ir_columns {
    ir_column at[IR_COLUMNS_MAX];
    int count;
} ir_columns;

/* Of a table of a catalogue whose schema was verified. */
int32_t ir_columns_read(ir_columns *out, ir_connection *connection, const char *table,
                        imgret_error *error);

/* The place of a column, or -1. */
int ir_columns_find(const ir_columns *columns, const char *name, size_t bytes);

#endif
