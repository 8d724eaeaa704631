/* metadata.c: what may be stored as an image's metadata. */
#include "catalog/internal.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

int32_t ir_catalog_check_utf8(const char *what, const char *text, size_t length,
                              imgret_error *error)
{
    size_t at = ir_utf8_valid_bytes(text, length);
    if (at == length)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "%s is not UTF-8: the first wrong byte is at %zu", what, at);
}

int32_t ir_catalog_check_metadata(ir_connection *connection, const char *metadata,
                                  imgret_error *error)
{
    if (!metadata)
        return IMGRET_OK;
    size_t length = strnlen(metadata, IR_CATALOG_METADATA_BYTES_MAX + 1);
    if (length > IR_CATALOG_METADATA_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "metadata is longer than %d bytes",
                       IR_CATALOG_METADATA_BYTES_MAX);
    int32_t status = ir_catalog_check_utf8("metadata", metadata, length, error);
    if (status)
        return status;
    ir_statement statement;
    bool row;
    ir_statement_start(&statement, connection, IR_SQL_METADATA_IS_OBJECT, "checking metadata");
    ir_statement_bind_text(&statement, metadata);
    status = ir_statement_step(&statement, &row, error);
    bool is_object = !status && row && sqlite3_column_int(statement.handle, 0) == 1;
    ir_statement_end(&statement);
    if (!status && !is_object)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "metadata is not a JSON object (or nested too deeply): %.40s%s", metadata,
                         length > 40 ? "..." : "");
    return status;
}
