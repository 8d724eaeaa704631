/* maintain.c: the calls that keep a database sound and quick. */
#include "api/handle.h"

#include "base/error.h"
#include "engine/reembed.h"
#include "engine/repair.h"
#include "engine/salvage.h"

int32_t imgret_repair(imgret *db, const imgret_repair_options *options,
                      imgret_repair_report *report, imgret_error *error)
{
    imgret_repair_options wanted;
    imgret_repair_report done = {.size = sizeof done};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_repair_options", error);
    if (!status && wanted.flags_zero)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_repair_options.flags_zero is 0x%x",
                         wanted.flags_zero);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_repair(db->database, &wanted, &done, &call, error);
    ir_call_end(&call);
    if (report) {
        int32_t written = ir_struct_write(report, &done, sizeof done, sizeof done,
                                          "imgret_repair_report", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}

int32_t imgret_salvage(const char *path, const imgret_salvage_options *options,
                       imgret_salvage_report *report, imgret_error *error)
{
    imgret_salvage_options wanted;
    imgret_salvage_report done = {.size = sizeof done};
    int32_t status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                     "imgret_salvage_options", error);
    if (!status && (!path || !path[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the database's path is empty");
    if (status)
        return status;
    status = ir_salvage_database(path, &wanted, &done, error);
    if (report) {
        int32_t written = ir_struct_write(report, &done, sizeof done, sizeof done,
                                          "imgret_salvage_report", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}

int32_t imgret_reembed(imgret *db, const imgret_reembed_options *options,
                       imgret_reembed_report *report, imgret_error *error)
{
    imgret_reembed_options wanted;
    imgret_reembed_report done = {.size = sizeof done};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_reembed_options", error);
    if (!status && (wanted.flags & ~IMGRET_REEMBED_DROP_MISSING))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_reembed_options.flags is 0x%x",
                         wanted.flags);
    if (!status && (!wanted.model || !wanted.model[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "imgret_reembed_options.model is not given");
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_reembed(db->database, &wanted, &done, &call, error);
    ir_call_end(&call);
    if (report) {
        int32_t written = ir_struct_write(report, &done, sizeof done, sizeof done,
                                          "imgret_reembed_report", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}
