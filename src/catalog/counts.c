/* counts.c: how much there is, counted beside everything else.
 *
 * Counting goes through whole indexes, 15 ms for a million images. It has a connection of its own, so that queries,
 * which need the reader, do not wait for it, and counts anew only when something was committed.
 */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

/* 0 when there is no such file: the log is gone while nobody has the database open. */
static uint64_t bytes_of(const char *path)
{
    ir_file_info info;
    return ir_file_stat(path, &info, NULL) == IMGRET_OK ? info.bytes : 0;
}

static int32_t read_numbers(ir_connection *connection, ir_sql sql, const char *doing, int64_t *out,
                            int count, imgret_error *error)
{
    ir_statement statement;
    bool row;
    ir_statement_start(&statement, connection, sql, doing);
    int32_t status = ir_statement_step(&statement, &row, error);
    for (int i = 0; i < count; i++) {
        out[i] = 0;
        if (!status && row)
            status = ir_statement_int(&statement, i, INT64_MIN, INT64_MAX, &out[i], error);
    }
    ir_statement_end(&statement);
    return status;
}

/* Within a transaction, so that version and numbers are of one state. */
static int32_t count(ir_catalog_counter *counter, imgret_error *error)
{
    int64_t version, numbers[3];
    ir_connection *connection = &counter->connection;
    /* Until something was read there is no snapshot, and the version is of what was read last. */
    int32_t status = read_numbers(connection, IR_SQL_ANY_IMAGE, "counting images", &version, 1,
                                  error);
    if (!status)
        status = read_numbers(connection, IR_SQL_DATA_VERSION, "looking for changes", &version, 1,
                              error);
    if (status || (counter->counted && version == counter->version))
        return status;
    counter->counted = false;
    status = read_numbers(connection, IR_SQL_COUNTS, "counting images", numbers, 3, error);
    if (status)
        return status;
    if (numbers[1] < 0 || numbers[0] < numbers[1] || numbers[2] < 0)
        return ir_fail(error, IMGRET_CORRUPT, "%s: there are fewer images than failures",
                       connection->path);
    counter->failed_count = (uint64_t)numbers[1];
    counter->region_count = (uint64_t)numbers[2];
    counter->image_count = (uint64_t)(numbers[0] - numbers[1]);
    counter->version = version;
    counter->counted = true;
    return IMGRET_OK;
}

static int32_t count_in_transaction(ir_catalog *catalog, imgret_error *error)
{
    ir_connection *connection = &catalog->counter.connection;
    int32_t status = IMGRET_OK;
    if (!connection->db)
        status = ir_connection_open(connection, catalog->path, catalog->reader_mode,
                                    &catalog->options, error);
    if (!status)
        status = ir_connection_control(connection, IR_SQL_BEGIN_READ, error);
    if (!status)
        status = count(&catalog->counter, error);
    if (connection->db && ir_connection_in_transaction(connection))
        ir_connection_control(connection, IR_SQL_ROLLBACK, NULL);
    if (status) /* the next call begins anew */
        ir_connection_close(connection);
    if (status)
        catalog->counter.counted = false;
    return status;
}

int32_t ir_catalog_get_counts(ir_catalog *catalog, ir_catalog_counts *out, imgret_error *error)
{
    *out = (ir_catalog_counts){0};
    char *log = ir_asprintf("%s-wal", catalog->path);
    if (!log)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    pthread_mutex_lock(&catalog->count_lock);
    const ir_catalog_counter *counter = &catalog->counter;
    int32_t status = count_in_transaction(catalog, error);
    if (!status)
        *out = (ir_catalog_counts){counter->image_count, counter->failed_count,
                                   counter->region_count, bytes_of(catalog->path) + bytes_of(log)};
    pthread_mutex_unlock(&catalog->count_lock);
    ir_free(log);
    return status;
}
