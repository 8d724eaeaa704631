/* repair.c: what the catalogue does about vectors that are lost. */
#include "catalog/internal.h"

#include "base/error.h"
#include "catalog/repair.h"

/* One statement of the transaction with at most three parameters: a number, a number, a text. */
static int32_t run(ir_catalog *catalog, const char *sql, int64_t first, int64_t second,
                   const char *text, int64_t *out, imgret_error *error)
{
    sqlite3_stmt *statement = NULL;
    imgret_error failure = IMGRET_ERROR_INIT;
    int code = sqlite3_prepare_v2(catalog->writer.db, sql, -1, &statement, NULL);
    const int count = code == SQLITE_OK ? sqlite3_bind_parameter_count(statement) : 0;
    if (count >= 1)
        code = sqlite3_bind_int64(statement, 1, first);
    if (code == SQLITE_OK && count >= 2)
        code = sqlite3_bind_int64(statement, 2, second);
    if (code == SQLITE_OK && count >= 3)
        code = sqlite3_bind_text(statement, 3, text, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (out)
        *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    int32_t status = code == SQLITE_ROW || code == SQLITE_DONE
                         ? IMGRET_OK
                         : ir_connection_fail(&catalog->writer, code, "repairing", &failure);
    sqlite3_finalize(statement);
    return ir_catalog_note_write(catalog, status, &failure, error);
}

int32_t ir_catalog_lose_vector(ir_catalog *catalog, int64_t region, int32_t failure_code,
                               const char *failure, int64_t *image, imgret_error *error)
{
    *image = 0;
    int32_t status = ir_catalog_may_write(catalog, error);
    if (!status)
        status = run(catalog, "SELECT image FROM regions WHERE id = ?1", region, 0, NULL, image,
                     error);
    if (status || *image == 0)
        return status;
    status = run(catalog,
                 "INSERT INTO removed_regions (region) SELECT id FROM regions "
                 "WHERE image = ?1",
                 *image, 0, NULL, NULL, error);
    if (!status)
        status = run(catalog, "DELETE FROM regions WHERE image = ?1", *image, 0, NULL, NULL, error);
    if (!status) /* what was measured is measured again with the vector */
        status = run(catalog,
                     "UPDATE images SET state = 2, failure_code = ?2, failure = ?3, "
                     "brightness = NULL, contrast = NULL, saturation = NULL, warmth = NULL, "
                     "sharpness = NULL, perceptual_hash = NULL, color = NULL, color_shares = NULL, "
                     "palette = NULL, orientation = NULL, taken_at = NULL, camera_make = NULL, "
                     "camera_model = NULL, latitude = NULL, longitude = NULL WHERE id = ?1",
                     *image, failure_code, failure, NULL, error);
    return status;
}

int32_t ir_catalog_drop_vectors(ir_catalog *catalog, imgret_error *error)
{
    int32_t status = ir_catalog_may_write(catalog, error);
    if (!status)
        status = run(catalog, "DELETE FROM pending_vectors", 0, 0, NULL, NULL, error);
    if (!status)
        status = run(catalog, "DELETE FROM segments", 0, 0, NULL, NULL, error);
    return status;
}

int32_t ir_catalog_put_vector(ir_catalog *catalog, int64_t region, const void *vector,
                              size_t vector_bytes, imgret_error *error)
{
    int32_t status = ir_catalog_may_write(catalog, error);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_INSERT_VECTOR, "storing a vector");
    ir_statement_bind_int(&statement, region);
    ir_statement_bind_blob(&statement, vector, vector_bytes);
    return ir_catalog_note_write(catalog, ir_statement_run(&statement, &failure), &failure, error);
}
