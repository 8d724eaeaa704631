/* index.c: indexes for filters: create, drop, list. */
#include "api/handle.h"
#include "engine/filter_index.h"

typedef int32_t (*change_fn)(ir_database *database, const char *expression, imgret_error *error);

static int32_t change(imgret *db, change_fn run, const char *expression, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_handle_need(expression, "expression", error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = run(db->database, expression, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_create_index(imgret *db, const char *expression, imgret_error *error)
{
    return change(db, ir_create_index, expression, error);
}

int32_t imgret_drop_index(imgret *db, const char *expression, imgret_error *error)
{
    return change(db, ir_drop_index, expression, error);
}

int32_t imgret_list_indexes(imgret_indexes **out, imgret *db, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_list_indexes(out, db->database, error);
    ir_call_end(&call);
    return status;
}
