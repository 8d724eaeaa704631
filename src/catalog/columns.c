/* columns.c: the columns that a table has, in the order of the table. */
#include "catalog/columns.h"

#include "base/error.h"

#include <string.h>

static bool read_kind(const char *type, ir_column_kind *out)
{
    static const char *const names[] = {"INTEGER", "REAL", "TEXT", "BLOB"};
    for (int i = 0; i < 4; i++)
        if (strcmp(type, names[i]) == 0) {
            *out = (ir_column_kind)i;
            return true;
        }
    return false;
}

static bool read_column(sqlite3_stmt *statement, ir_column *out)
{
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    const char *type = (const char *)sqlite3_column_text(statement, 1);
    const char *preset = (const char *)sqlite3_column_text(statement, 2);
    preset = preset ? preset : "NULL";
    if (!name || !type || strlen(name) >= sizeof out->name ||
        strlen(preset) >= sizeof out->preset || !read_kind(type, &out->kind))
        return false;
    memcpy(out->name, name, strlen(name) + 1);
    memcpy(out->preset, preset, strlen(preset) + 1);
    return true;
}

int32_t ir_columns_read(ir_columns *out, ir_connection *connection, const char *table,
                        imgret_error *error)
{
    static const char sql[] = "SELECT name, type, dflt_value FROM pragma_table_info(?1)";
    sqlite3_stmt *statement = NULL;
    out->count = 0;
    int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    bool known = true;
    while (known && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        known = out->count < IR_COLUMNS_MAX && read_column(statement, &out->at[out->count++]);
    }
    sqlite3_finalize(statement);
    if (!known || (code == SQLITE_DONE && out->count == 0))
        return ir_fail(error, IMGRET_INTERNAL, "%s: a column of %s is not understood",
                       connection->path, table);
    return code == SQLITE_DONE ? IMGRET_OK
                               : ir_connection_fail(connection, code, "reading columns", error);
}

int ir_columns_find(const ir_columns *columns, const char *name, size_t bytes)
{
    for (int i = 0; i < columns->count; i++)
        if (strlen(columns->at[i].name) == bytes && memcmp(columns->at[i].name, name, bytes) == 0)
            return i;
    return -1;
}
