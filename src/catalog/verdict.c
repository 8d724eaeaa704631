/* verdict.c: what a user said of pairs of images: stored, forgotten, listed. */
#include "catalog/internal.h"

#include "base/error.h"

/* Whether both images are there. */
static int32_t check_pair(ir_catalog *catalog, int64_t first, int64_t second, imgret_error *error)
{
    ir_statement statement;
    bool row;
    int64_t count = 0;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_COUNT_PAIR, "looking up two images");
    ir_statement_bind_int(&statement, first);
    ir_statement_bind_int(&statement, second);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 0, 2, &count, error);
    ir_statement_end(&statement);
    if (!status && count < 2)
        status = ir_fail(error, IMGRET_NOT_FOUND, "no image has id %lld, or none has id %lld",
                         (long long)first, (long long)second);
    return status;
}

int32_t ir_catalog_set_verdict(ir_catalog *catalog, int64_t one, int64_t other, int32_t verdict,
                               imgret_error *error)
{
    int64_t first = one < other ? one : other, second = one < other ? other : one;
    int32_t status = ir_catalog_may_write(catalog, error);
    if (!status && first == second)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "a verdict is about two images, not twice about %lld", (long long)first);
    if (!status)
        status = check_pair(catalog, first, second, error);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer,
                       verdict ? IR_SQL_SET_VERDICT : IR_SQL_DELETE_VERDICT, "storing a verdict");
    ir_statement_bind_int(&statement, first);
    ir_statement_bind_int(&statement, second);
    if (verdict)
        ir_statement_bind_int(&statement, verdict);
    status = ir_statement_run(&statement, &failure);
    return status ? ir_catalog_note_write(catalog, status, &failure, error) : IMGRET_OK;
}

/* A catalogue that is open for reading only may be of a version without verdicts. */
static int32_t has_table(ir_catalog *catalog, bool *out, imgret_error *error)
{
    ir_statement statement;
    bool row;
    int64_t version = 0;
    ir_statement_start(&statement, &catalog->reader, IR_SQL_USER_VERSION, "reading its version");
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 0, INT32_MAX, &version, error);
    ir_statement_end(&statement);
    *out = version >= 4;
    return status;
}

int32_t ir_catalog_verdicts(ir_catalog *catalog, ir_catalog_verdict_fn on_verdict, void *context,
                            imgret_error *error)
{
    bool there = false, row = false;
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    status = has_table(catalog, &there, error);
    if (status || !there) {
        ir_catalog_end_read(catalog);
        return status;
    }
    ir_statement statement;
    ir_statement_start(&statement, &catalog->reader, IR_SQL_VERDICTS, "reading the verdicts");
    status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        int64_t first = 0, second = 0, verdict = 0;
        status = ir_statement_int(&statement, 0, 1, INT64_MAX, &first, error);
        if (!status)
            status = ir_statement_int(&statement, 1, 1, INT64_MAX, &second, error);
        if (!status)
            status = ir_statement_int(&statement, 2, 1, INT32_MAX, &verdict, error);
        if (!status)
            status = on_verdict(context, first, second, (int32_t)verdict, error);
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    ir_catalog_end_read(catalog);
    return status;
}
