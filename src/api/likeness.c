/* likeness.c: what scores mean: measured, and told. */
#include "engine/likeness.h"

#include "api/handle.h"
#include "base/error.h"

enum { SAMPLE_DEFAULT = 1000, SAMPLE_MAX = 100000, COPIES_DEFAULT = 64 };

static int32_t check(imgret_calibrate_options *options, const ir_database *database,
                     imgret_error *error)
{
    if (options->flags & ~IMGRET_CALIBRATE_NO_COPIES)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_calibrate_options.flags is 0x%x",
                       options->flags);
    if (options->sample_count > SAMPLE_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_calibrate_options.sample_count is %u, at most %d is possible",
                       options->sample_count, SAMPLE_MAX);
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (options->sample_count == 0)
        options->sample_count = SAMPLE_DEFAULT;
    if (options->copy_max == 0)
        options->copy_max = COPIES_DEFAULT;
    return IMGRET_OK;
}

/* Hands over what was measured, unless `status` says that it failed. */
static int32_t give(imgret_calibration *out, const imgret_calibration *found, int32_t status,
                    imgret_error *error)
{
    if (status || !out)
        return status;
    return ir_struct_write(out, found, sizeof *found, sizeof *found, "imgret_calibration", error);
}

int32_t imgret_calibrate(imgret *db, const imgret_calibrate_options *options,
                         imgret_calibration *out, imgret_error *error)
{
    imgret_calibrate_options wanted;
    imgret_calibration found = {.size = sizeof found};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_calibrate_options", error);
    if (!status)
        status = check(&wanted, db->database, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_likeness_calibrate(db->database, &wanted, &found, &call, error);
    ir_call_end(&call);
    return give(out, &found, status, error);
}

int32_t imgret_get_calibration(imgret *db, imgret_calibration *out, imgret_error *error)
{
    imgret_calibration found = {.size = sizeof found};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_likeness_read(db->database, &found, error);
    ir_call_end(&call);
    return give(out, &found, status, error);
}
