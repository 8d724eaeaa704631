/* label.c: what an image is said to be: given, changed and taken away. */
#include "catalog/internal.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

#define LABEL_BYTES_MAX (4 << 10)

int32_t ir_catalog_check_label(const char *label, double score, imgret_error *error)
{
    if (!label)
        return IMGRET_OK;
    size_t length = strnlen(label, LABEL_BYTES_MAX + 1);
    if (length == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the label is empty");
    if (length > LABEL_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "the label is longer than %d bytes: %.60s...",
                       LABEL_BYTES_MAX, label);
    if (!(score >= 0.0 && score <= 1.0)) /* false for NaN too */
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "the score of label %.60s is %g, not between 0 and 1", label, score);
    return ir_catalog_check_utf8("the label", label, length, error);
}

int32_t ir_catalog_set_label(ir_catalog *catalog, int64_t id, const char *label, double score,
                             imgret_error *error)
{
    int32_t status = ir_catalog_may_write(catalog, error);
    if (!status)
        status = ir_catalog_check_label(label, score, error);
    if (status)
        return status;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_SET_LABEL, "storing a label");
    ir_statement_bind_text(&statement, label);
    ir_statement_bind_real(&statement, label ? score : (double)NAN);
    ir_statement_bind_int(&statement, id);
    return ir_catalog_change_image(catalog, &statement, id, error);
}
