/* where.c: the filter of a query or listing, as the host gave it: checked and copied. */
#include "engine/where.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stddef.h>

enum { PARAMS_MAX = 1000 };

static int32_t read_param(imgret_param *out, const imgret_param *given, imgret_error *error)
{
    int32_t status = ir_options_read(out, sizeof *out, sizeof *out, given, "imgret_param", error);
    if (status)
        return status;
    if (!out->name || !out->name[0])
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_param.name is empty");
    if (out->kind > IMGRET_PARAM_TEXT)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_param.kind of %s is %u", out->name,
                       out->kind);
    if (out->kind == IMGRET_PARAM_TEXT && !out->text)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_param.text of %s is NULL",
                       out->name);
    if (out->kind == IMGRET_PARAM_REAL && isnan(out->real))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_param.real of %s is NaN", out->name);
    return IMGRET_OK;
}

int32_t ir_where_read(ir_catalog_filter *out, const char *where, const imgret_param *params,
                      uint32_t param_count, uint32_t ms_max, imgret_error *error)
{
    *out = (ir_catalog_filter){.where = where, .ms_max = ms_max};
    if (param_count == 0)
        return IMGRET_OK;
    if (!where || !params)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "param_count is %u, but %s is NULL",
                       param_count, where ? "params" : "where");
    if (param_count > PARAMS_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "param_count is %u, at most %d parameters are possible", param_count,
                       PARAMS_MAX);
    uint32_t stride = params[0].size;
    imgret_param *copies = ir_malloc_array(param_count, sizeof *copies);
    if (!copies)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u parameters", param_count);
    out->params = copies;
    out->param_count = param_count;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < param_count && !status; i++)
        status = read_param(
            &copies[i],
            (const imgret_param *)(const void *)((const char *)params + (size_t)i * stride), error);
    return status;
}

void ir_where_free(ir_catalog_filter *filter)
{
    ir_free((imgret_param *)filter->params);
    filter->params = NULL;
}
