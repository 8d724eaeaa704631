/* copy.c: the calls that copy a database out of, or into, folders. */
#include "api/handle.h"

#include "base/error.h"
#include "engine/backup.h"

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
