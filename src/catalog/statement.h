/* statement.h: prepared statements: bound, stepped, and their columns read with distrust. */
#ifndef IR_CATALOG_STATEMENT_H
#define IR_CATALOG_STATEMENT_H

#include "catalog/connection.h"

/* One use of a cached statement. Binding fills parameters from left to right and keeps the first
 * failure, which the next step returns. Bound memory must live until the statement ends. */
typedef struct ir_statement {
    ir_connection *connection;
    sqlite3_stmt *handle;
    const char *doing; /* for messages: "storing an image" */
    int parameter_count;
    int failure; /* SQLite's code */
} ir_statement;

void ir_statement_start(ir_statement *statement, ir_connection *connection, ir_sql sql,
                        const char *doing);
void ir_statement_bind_int(ir_statement *statement, int64_t value);
void ir_statement_bind_real(ir_statement *statement, double value);     /* NaN: SQL's NULL */
void ir_statement_bind_text(ir_statement *statement, const char *text); /* NULL: SQL's NULL */
void ir_statement_bind_blob(ir_statement *statement, const void *data, size_t bytes);

/* *row tells whether there is a row to read. If not, or on failure, the statement has ended. */
int32_t ir_statement_step(ir_statement *statement, bool *row, imgret_error *error);

/* Lets go of the row and of what was bound. Harmless when it has ended already. */
void ir_statement_end(ir_statement *statement);

/* For statements that return nothing: step, then end. */
int32_t ir_statement_run(ir_statement *statement, imgret_error *error);

/* Reading the row. A file can hold any type in any column, whatever its schema says: what is not
 * as it should be is IMGRET_CORRUPT, and the message names the column and the row (column 0). */
int32_t ir_statement_int(ir_statement *statement, int column, int64_t least, int64_t most,
                         int64_t *out, imgret_error *error);

/* NULL, where it is allowed, is NaN. */
int32_t ir_statement_real(ir_statement *statement, int column, bool null_allowed, double *out,
                          imgret_error *error);

/* *out lives until the next step; it is NULL only for SQL's NULL, and only when that is allowed. */
int32_t ir_statement_text(ir_statement *statement, int column, bool null_allowed, const char **out,
                          imgret_error *error);

/* Copies a blob that must have exactly `bytes`. */
int32_t ir_statement_bytes(ir_statement *statement, int column, void *out, size_t bytes,
                           imgret_error *error);

/* *out is never NULL. */
int32_t ir_statement_blob(ir_statement *statement, int column, const void **out, size_t *bytes,
                          imgret_error *error);

#endif
