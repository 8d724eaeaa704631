/* index_list.c: the indexes that a host asked for: made, taken away, listed, copied. */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/index_text.h"

#include <stdio.h>
#include <string.h>

static const char list_sql[] = "SELECT name FROM sqlite_schema WHERE type = 'index' AND "
                               "name GLOB '" IR_INDEX_PREFIX "*' ORDER BY name";

/* ---- reading ---- */

static int32_t list(ir_connection *connection, ir_catalog_index_fn on_index, void *context,
                    imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int32_t status = IMGRET_OK;
    int code = sqlite3_prepare_v2(connection->db, list_sql, -1, &rows, NULL);
    while (!status && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(rows);
        if (code != SQLITE_ROW)
            break;
        const char *name = (const char *)sqlite3_column_text(rows, 0);
        if (name)
            status = on_index(context, name + strlen(IR_INDEX_PREFIX), error);
        else
            code = SQLITE_NOMEM;
    }
    if (!status && code != SQLITE_DONE)
        status = ir_connection_fail(connection, code, "listing its indexes", error);
    sqlite3_finalize(rows);
    return status;
}

int32_t ir_catalog_list_indexes(ir_catalog *catalog, ir_catalog_index_fn on_index, void *context,
                                imgret_error *error)
{
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    status = list(&catalog->reader, on_index, context, error);
    ir_catalog_end_read(catalog);
    return status;
}

/* ---- changing ---- */

typedef struct present {
    const char *wanted;
    bool found;
    int count;
} present;

static int32_t look_at(void *context, const char *expression, imgret_error *error)
{
    (void)error;
    present *all = context;
    all->count++;
    all->found = all->found || strcmp(expression, all->wanted) == 0;
    return IMGRET_OK;
}

static int32_t change(ir_catalog *catalog, const char *sql, const char *doing, int32_t version,
                      imgret_error *error)
{
    imgret_error failure = IMGRET_ERROR_INIT;
    char mark[48];
    int32_t status = ir_connection_exec(&catalog->writer, sql, doing, &failure);
    snprintf(mark, sizeof mark, "PRAGMA user_version=%d", version);
    if (!status)
        status = ir_connection_exec(&catalog->writer, mark, doing, &failure);
    return ir_catalog_note_write(catalog, status, &failure, error);
}

/* Reads the expression, and looks which indexes there are before one is made or taken away. */
static int32_t look_for(ir_catalog *catalog, const char *expression, ir_index_text *index,
                        present *all, imgret_error *error)
{
    int32_t status = ir_catalog_may_write(catalog, error);
    if (!status)
        status = ir_index_text_read(index, expression, error);
    if (status)
        return status;
    *all = (present){.wanted = index->expression};
    return list(&catalog->writer, look_at, all, error);
}

int32_t ir_catalog_create_index(ir_catalog *catalog, const char *expression, imgret_error *error)
{
    ir_index_text index;
    present all;
    int32_t status = look_for(catalog, expression, &index, &all, error);
    if (status)
        return status;
    if (all.found)
        return ir_fail(error, IMGRET_EXISTS, "index '%s': is there already", index.expression);
    if (all.count >= IMGRET_INDEX_COUNT_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "index '%s': there are %d already; every index costs every add",
                       index.expression, all.count);
    return change(catalog, index.sql, "making an index", IR_CATALOG_FORMAT, error);
}

int32_t ir_catalog_drop_index(ir_catalog *catalog, const char *expression, imgret_error *error)
{
    ir_index_text index;
    present all;
    int32_t status = look_for(catalog, expression, &index, &all, error);
    if (status)
        return status;
    if (!all.found)
        return ir_fail(error, IMGRET_NOT_FOUND, "index '%s': there is none", index.expression);
    char *sql = ir_index_text_drop(&index);
    if (!sql)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to drop an index");
    status = change(catalog, sql, "dropping an index",
                    all.count > 1 ? IR_CATALOG_FORMAT : IR_CATALOG_FORMAT_MADE, error);
    ir_free(sql);
    return status;
}

/* ---- copying, when a damaged catalogue is made anew ---- */

static int32_t copy_one(void *context, const char *expression, imgret_error *error)
{
    ir_index_text index;
    int32_t status = ir_index_text_read(&index, expression, error);
    return status ? status
                  : ir_connection_exec(context, index.sql, "making its indexes anew", error);
}

int32_t ir_catalog_copy_indexes(ir_connection *from, ir_connection *to, imgret_error *error)
{
    present all = {.wanted = ""};
    char mark[48];
    int32_t status = list(from, look_at, &all, error);
    if (!status)
        status = list(from, copy_one, to, error);
    if (status || all.count == 0)
        return status;
    snprintf(mark, sizeof mark, "PRAGMA user_version=%d", IR_CATALOG_FORMAT);
    return ir_connection_exec(to, mark, "making its indexes anew", error);
}
