/* duplicates.c: groups of pictures that show the same, and verdicts on them. */
#include "engine/duplicates.h"

#include "api/handle.h"
#include "base/error.h"
#include "engine/where.h"

#include <math.h>

static int32_t check(imgret_duplicates_options *options, const ir_database *database,
                     imgret_error *error)
{
    if (options->flags & ~IMGRET_DUPLICATES_TURNED)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_duplicates_options.flags is 0x%x",
                       options->flags);
    if (options->kind_max > IMGRET_DUPLICATE_SIMILAR)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_duplicates_options.kind_max is %u",
                       options->kind_max);
    if (options->reserved_zero)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_duplicates_options.reserved_zero is %u", options->reserved_zero);
    if (!isfinite(options->similar_score) ||
        (database->metric == IMGRET_METRIC_COSINE && fabs(options->similar_score) > 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_duplicates_options.similar_score is %g", options->similar_score);
    if (options->kind_max == 0)
        options->kind_max = IMGRET_DUPLICATE_NEAR;
    return IMGRET_OK;
}

int32_t imgret_duplicates(imgret *db, const imgret_duplicates_options *options,
                          imgret_duplicates_fn on_group, void *user,
                          imgret_duplicates_report *report, imgret_error *error)
{
    imgret_duplicates_options wanted;
    imgret_duplicates_report found = {.size = sizeof found};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_duplicates_options", error);
    if (!status)
        status = check(&wanted, db->database, error);
    if (status)
        return status;
    ir_catalog_filter filter;
    status = ir_where_read(&filter, wanted.where, wanted.params, wanted.param_count,
                           wanted.where_ms_max, error);
    if (!status) {
        ir_call call;
        ir_call_begin(&call, &db->database->interrupts);
        status = ir_duplicates(db->database, &wanted, &filter, on_group, user, &found, &call,
                               error);
        ir_call_end(&call);
    }
    ir_where_free(&filter);
    if (report) {
        int32_t written = ir_struct_write(report, &found, sizeof found, sizeof found,
                                          "imgret_duplicates_report", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}

int32_t imgret_set_verdict(imgret *db, int64_t id, int64_t other_id, int32_t verdict,
                           imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status && verdict != IMGRET_VERDICT_NONE && verdict != IMGRET_VERDICT_DIFFERENT)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the verdict is %d", verdict);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_set_verdict(db->database, id, other_id, verdict, error);
    ir_call_end(&call);
    return status;
}
