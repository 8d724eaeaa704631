/* copy.c: the calls that copy a database out of, or into, folders. */
#include "api/handle.h"

#include "base/error.h"
#include "engine/backup.h"
#include "engine/export.h"

int32_t imgret_backup(imgret *db, const char *folder, const imgret_backup_options *options,
                      imgret_error *error)
{
    imgret_backup_options wanted;
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_backup_options", error);
    if (!status && (!folder || !folder[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the backup's path is empty");
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_backup(db->database, folder, &wanted, error);
    ir_call_end(&call);
    return status;
}

static int32_t read_transfer(imgret_transfer_options *out, const imgret_transfer_options *options,
                             imgret_error *error)
{
    int32_t status = ir_options_read(out, sizeof *out, sizeof *out, options,
                                     "imgret_transfer_options", error);
    if (!status && out->flags_zero)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "imgret_transfer_options.flags_zero is 0x%x", out->flags_zero);
    return status;
}

int32_t imgret_export(imgret *db, const char *folder, const imgret_transfer_options *options,
                      imgret_error *error)
{
    imgret_transfer_options wanted;
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = read_transfer(&wanted, options, error);
    if (!status && (!folder || !folder[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the export's path is empty");
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_export(db->database, folder, &wanted, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_import(const char *path, const char *folder, const imgret_transfer_options *options,
                      imgret_error *error)
{
    imgret_transfer_options wanted;
    int32_t status = read_transfer(&wanted, options, error);
    if (!status && (!path || !path[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the database's path is empty");
    if (!status && (!folder || !folder[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the folder to import is not given");
    return status ? status : ir_import_folder(path, folder, &wanted, error);
}
