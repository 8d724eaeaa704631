/* transaction.c: a host's transactions: begin, commit, rollback. */
#include "api/handle.h"

int32_t imgret_begin(imgret *db, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_database_begin_host(db->database, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_commit(imgret *db, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    return status ? status : ir_database_commit_host(db->database, error);
}

int32_t imgret_rollback(imgret *db, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    return status ? status : ir_database_rollback_host(db->database, error);
}
