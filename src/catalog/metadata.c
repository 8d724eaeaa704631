/* metadata.c: what may be stored as an image's metadata. */
#include "catalog/internal.h"

#include "base/error.h"

#include <string.h>

/* The length of the well-formed UTF-8 sequence at `text`, or 0 (Unicode 15, table 3-7). */
static size_t sequence_bytes(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    unsigned char least = 0x80, most = 0xBF; /* of the second byte */
    if (lead == 0xE0)
        least = 0xA0; /* else overlong */
    else if (lead == 0xED)
        most = 0x9F; /* else a surrogate */
    else if (lead == 0xF0)
        least = 0x90;
    else if (lead == 0xF4)
        most = 0x8F;
    if (text[1] < least || text[1] > most)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

int32_t ir_catalog_check_utf8(const char *what, const char *text, size_t length,
                              imgret_error *error)
{
    for (size_t at = 0; at < length;) {
        size_t bytes = sequence_bytes((const unsigned char *)text + at);
        if (bytes == 0)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "%s is not UTF-8: the first wrong byte is at %zu", what, at);
        at += bytes;
    }
    return IMGRET_OK;
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
