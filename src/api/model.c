/* model.c: loading, exchanging and unloading the model of a database. */
#include "api/handle.h"

#include "base/error.h"

int32_t imgret_load_model(imgret *db, const char *model, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status && model && !model[0])
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the model's specification is empty");
    return status ? status : ir_database_load_model(db->database, model, error);
}

int32_t imgret_unload_model(imgret *db, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status)
        ir_database_unload_model(db->database);
    return status;
}
