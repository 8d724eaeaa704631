/* filter.c: runs a host's filter: on a connection of its own, within limits of time and memory.
 *
 * The connection is opened at the first filter and used by one thread at a time. Between the
 * transactions that read the schema and the filter's statement nothing can change: both are in one.
 */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "catalog/filter_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX_DEFAULT 10000u
#define MEMORY_BYTES_MAX ((int64_t)256 << 20) /* that SQLite may take more than at the start */
#define STEPS 1000 /* of SQLite's machine between two looks at the limits: some 20 us */

struct ir_filter {
    ir_connection connection;
    ir_filter_guard guard;
    uint64_t end_us;
    int64_t memory_start;
    bool late;   /* the limit of time ended the statement */
    bool greedy; /* the limit of memory did */
};

static int watch(void *context)
{
    ir_filter *filter = context;
    const ir_connection *connection = &filter->connection;
    if (connection->unstoppable)
        return 0;
    filter->late = ir_clock_us() > filter->end_us;
    filter->greedy = sqlite3_memory_used() - filter->memory_start > MEMORY_BYTES_MAX;
    return filter->late || filter->greedy ||
           (connection->stop && connection->stop(connection->stop_context));
}

static int32_t open_filter(ir_catalog *catalog, imgret_error *error)
{
    ir_filter *filter = ir_calloc(1, sizeof *filter);
    if (!filter)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    int32_t status = ir_connection_open(&filter->connection, catalog->path, catalog->reader_mode,
                                        &catalog->options, error);
    if (!status) {
        int code = ir_filter_confine(filter->connection.db, &filter->guard);
        if (code != SQLITE_OK)
            status = ir_connection_fail(&filter->connection, code, "preparing a filter", error);
        sqlite3_progress_handler(filter->connection.db, STEPS, watch, filter);
    }
    if (status)
        ir_filter_close(filter);
    else
        catalog->filter = filter;
    return status;
}

void ir_filter_close(ir_filter *filter)
{
    if (!filter)
        return;
    ir_connection_close(&filter->connection);
    ir_free(filter);
}

/* Whose fault a failure is: the filter's, or the catalogue's. */
static int32_t fail(ir_filter *filter, int code, imgret_error *error)
{
    const char *message = sqlite3_errmsg(filter->connection.db);
    switch (code & 0xFF) {
    case SQLITE_AUTH:
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: %s is not allowed",
                       filter->guard.refused[0] ? filter->guard.refused : "this");
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: %s%s",
                       filter->guard.refused[0] ? filter->guard.refused : message,
                       filter->guard.refused[0] ? " is not allowed" : "");
    case SQLITE_TOOBIG:
        return ir_fail(error, IMGRET_LIMIT, "where: %s", message);
    case SQLITE_INTERRUPT:
        if (filter->late)
            return ir_fail(error, IMGRET_LIMIT, "where: the filter took longer than its limit");
        if (filter->greedy)
            return ir_fail(error, IMGRET_LIMIT, "where: the filter needs more than %d MiB",
                           (int)(MEMORY_BYTES_MAX >> 20));
        return ir_fail(error, IMGRET_INTERRUPTED, "interrupted");
    default:
        return ir_connection_fail(&filter->connection, code, "filtering", error);
    }
}

/* The given parameter that the statement calls ":name"; NULL when there is none. */
static const imgret_param *find_param(const ir_catalog_filter *given, const char *name)
{
    for (uint32_t i = 0; i < given->param_count; i++)
        if (strcmp(given->params[i].name, name + 1) == 0)
            return &given->params[i];
    return NULL;
}

static int bind_value(sqlite3_stmt *statement, int at, const imgret_param *param)
{
    switch (param->kind) {
    case IMGRET_PARAM_INTEGER:
        return sqlite3_bind_int64(statement, at, param->integer);
    case IMGRET_PARAM_REAL:
        return sqlite3_bind_double(statement, at, param->real);
    case IMGRET_PARAM_TEXT:
        return sqlite3_bind_text64(statement, at, param->text, strlen(param->text), SQLITE_STATIC,
                                   SQLITE_UTF8);
    default:
        return sqlite3_bind_null(statement, at);
    }
}

static int32_t bind_params(ir_filter *filter, sqlite3_stmt *statement,
                           const ir_catalog_filter *given, imgret_error *error)
{
    int count = sqlite3_bind_parameter_count(statement);
    for (int at = 1; at <= count; at++) {
        const char *name = sqlite3_bind_parameter_name(statement, at);
        if (!name)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "where: a parameter without a name; write :name");
        const imgret_param *param = find_param(given, name);
        if (!param)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: %s is given no value", name);
        int code = bind_value(statement, at, param);
        if (code != SQLITE_OK)
            return fail(filter, code, error);
    }
    for (uint32_t i = 0; i < given->param_count; i++) {
        bool used = false;
        for (int at = 1; at <= count && !used; at++)
            used = strcmp(sqlite3_bind_parameter_name(statement, at) + 1, given->params[i].name) ==
                   0;
        if (!used)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: there is no parameter :%s",
                           given->params[i].name);
    }
    return IMGRET_OK;
}

/* Takes one row of the filter's statement; a status other than 0 ends it and is returned. */
typedef int32_t (*row_fn)(void *context, sqlite3_stmt *row, imgret_error *error);

static int32_t run(ir_filter *filter, const char *sql, const ir_catalog_filter *given,
                   row_fn on_row, void *context, imgret_error *error)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    filter->guard = (ir_filter_guard){.on = true};
    int code = sqlite3_prepare_v2(filter->connection.db, sql, -1, &statement, &rest);
    int32_t status = code == SQLITE_OK ? IMGRET_OK : fail(filter, code, error);
    if (!status && (!statement || rest[0] || !sqlite3_stmt_readonly(statement)))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: one expression only");
    if (!status)
        status = bind_params(filter, statement, given, error);
    while (!status && (code = sqlite3_step(statement)) == SQLITE_ROW)
        status = on_row(context, statement, error);
    if (!status && code != SQLITE_DONE)
        status = fail(filter, code, error);
    sqlite3_finalize(statement);
    filter->guard.on = false;
    return status;
}

/* A snapshot whose schema has been read: SQLite then has no reason to prepare the statement again
 * when it runs, which the authorizer would count as a second one. */
static int32_t begin(ir_filter *filter, imgret_error *error)
{
    ir_statement statement;
    int32_t status = ir_connection_control(&filter->connection, IR_SQL_BEGIN_READ, error);
    if (status)
        return status;
    ir_statement_start(&statement, &filter->connection, IR_SQL_ANY_IMAGE, "reading the schema");
    bool row;
    status = ir_statement_step(&statement, &row, error);
    ir_statement_end(&statement);
    return status;
}

/* Runs `sql`, made from given->where, and frees it. NULL: there was no memory for it. */
static int32_t filter_rows(ir_catalog *catalog, const ir_catalog_filter *given, char *sql,
                           row_fn on_row, void *context, imgret_error *error)
{
    if (!sql)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    pthread_mutex_lock(&catalog->filter_lock);
    int32_t status = catalog->filter ? IMGRET_OK : open_filter(catalog, error);
    if (!status) {
        ir_filter *filter = catalog->filter;
        uint64_t ms_max = given->ms_max ? given->ms_max : MS_MAX_DEFAULT;
        filter->end_us = ir_clock_us() + 1000 * ms_max;
        filter->memory_start = sqlite3_memory_used();
        filter->late = filter->greedy = false;
        status = begin(filter, error);
        if (!status)
            status = run(filter, sql, given, on_row, context, error);
        if (ir_connection_in_transaction(&filter->connection))
            ir_connection_control(&filter->connection, IR_SQL_ROLLBACK, NULL);
    }
    pthread_mutex_unlock(&catalog->filter_lock);
    ir_free(sql);
    return status;
}

/* ---- ids ---- */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_excluded(const ir_catalog_filter *given, int64_t image)
{
    return given->excluded_count > 0 &&
           bsearch(&image, given->excluded, (size_t)given->excluded_count, sizeof image,
                   compare_ids) != NULL;
}

/* Ids under construction. */
typedef struct id_list {
    const ir_catalog_filter *given;
    bool regions; /* of regions: the image is the second column */
    int64_t *ids;
    uint64_t count;
    uint64_t capacity;
    bool ascending;
} id_list;

static int32_t append(void *context, sqlite3_stmt *row, imgret_error *error)
{
    id_list *list = context;
    int64_t id = sqlite3_column_int64(row, 0);
    if (list->regions && is_excluded(list->given, sqlite3_column_int64(row, 1)))
        return IMGRET_OK;
    if (list->count == list->capacity) {
        uint64_t capacity = list->capacity ? 2 * list->capacity : 1024;
        int64_t *more = ir_realloc(list->ids, (size_t)capacity * sizeof *more);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu matches",
                           (unsigned long long)capacity);
        list->ids = more;
        list->capacity = capacity;
    }
    list->ascending = list->ascending && (list->count == 0 || list->ids[list->count - 1] < id);
    list->ids[list->count++] = id;
    return IMGRET_OK;
}

static int32_t filter_ids(ir_catalog *catalog, const ir_catalog_filter *given,
                          const imgret_list_options *listing, id_list *list, imgret_error *error)
{
    int32_t status = ir_filter_check_text(given->where, error);
    if (!status)
        status = filter_rows(catalog, given, ir_filter_sql(given->where, listing), append, list,
                             error);
    if (!status && !list->ascending)
        qsort(list->ids, (size_t)list->count, sizeof *list->ids, compare_ids);
    return status;
}

int32_t ir_catalog_filter_regions(ir_catalog *catalog, const ir_catalog_filter *given,
                                  int64_t **out, uint64_t *count, imgret_error *error)
{
    id_list list = {.given = given, .regions = true, .ascending = true};
    int32_t status = filter_ids(catalog, given, NULL, &list, error);
    if (status) {
        ir_free(list.ids);
        list = (id_list){0};
    }
    *out = list.ids;
    *count = list.count;
    return status;
}

int32_t ir_catalog_filter_list(ir_catalog *catalog, const ir_catalog_filter *given,
                               const imgret_list_options *options, ir_catalog_record_fn on_record,
                               void *context, imgret_error *error)
{
    id_list list = {.given = given, .ascending = true};
    int32_t status = filter_ids(catalog, given, options, &list, error);
    if (!status)
        status = ir_catalog_records_of_images(catalog, list.ids, list.count, on_record, context,
                                              error);
    ir_free(list.ids);
    return status;
}

static int32_t count_row(void *context, sqlite3_stmt *row, imgret_error *error)
{
    (void)row, (void)error;
    ++*(uint64_t *)context;
    return IMGRET_OK;
}

int32_t ir_catalog_filter_count(ir_catalog *catalog, const ir_catalog_filter *given, int32_t state,
                                uint64_t *count, imgret_error *error)
{
    *count = 0;
    int32_t status = ir_filter_check_text(given->where, error);
    return status ? status
                  : filter_rows(catalog, given, ir_filter_sql_state(given->where, state), count_row,
                                count, error);
}

/* ---- colours ---- */

typedef struct palette_rows {
    const ir_catalog *catalog;
    const ir_catalog_filter *given;
    ir_catalog_palette_fn on_palette;
    void *context;
} palette_rows;

static int32_t pass_palette(void *context, sqlite3_stmt *row, imgret_error *error)
{
    palette_rows *rows = context;
    imgret_swatch swatches[IMGRET_SWATCH_MAX];
    uint32_t count;
    int64_t id = sqlite3_column_int64(row, 0);
    if (is_excluded(rows->given, id))
        return IMGRET_OK;
    const void *data = sqlite3_column_blob(row, 1);
    int bytes = sqlite3_column_bytes(row, 1);
    if (bytes > 0 && !data)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a palette");
    if (sqlite3_column_type(row, 1) != SQLITE_BLOB ||
        !ir_catalog_unpack_palette(data, (size_t)bytes, swatches, &count))
        return ir_fail(error, IMGRET_CORRUPT, "%s: filtering: row %lld: a palette of %d bytes",
                       rows->catalog->path, (long long)id, bytes);
    return count ? rows->on_palette(rows->context, id, swatches, count, error) : IMGRET_OK;
}

int32_t ir_catalog_filter_palettes(ir_catalog *catalog, const ir_catalog_filter *given,
                                   ir_catalog_palette_fn on_palette, void *context,
                                   imgret_error *error)
{
    palette_rows rows = {catalog, given, on_palette, context};
    const char *where = given->where ? given->where : "1";
    int32_t status = ir_filter_check_text(where, error);
    return status ? status
                  : filter_rows(catalog, given, ir_filter_sql_palettes(where), pass_palette, &rows,
                                error);
}
