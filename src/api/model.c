/* model.c: loading, exchanging and unloading the model of a database; looking into one. */
#include "api/handle.h"

#include "base/alloc.h"
#include "base/error.h"
#include "extract/extract.h"

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

struct imgret_inspection {
    ir_inspection found;
};

int32_t imgret_inspect_model(imgret_inspection **out, const char *model, const char *plugin_path,
                             imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = ir_handle_need(model, "model", error);
    if (status)
        return status;
    imgret_inspection *made = ir_calloc(1, sizeof *made);
    if (!made)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to describe a model");
    status = ir_inspect_model(&made->found, model, plugin_path, error);
    if (status) {
        imgret_inspection_free(made);
        return status;
    }
    *out = made;
    return IMGRET_OK;
}

const imgret_model_report *imgret_inspection_report(const imgret_inspection *inspection)
{
    return inspection ? &inspection->found.report : NULL;
}

void imgret_inspection_free(imgret_inspection *inspection)
{
    if (!inspection)
        return;
    ir_inspection_clear(&inspection->found);
    ir_free(inspection);
}
