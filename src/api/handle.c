/* handle.c: the checks every call begins with. */
#include "api/handle.h"

#include "base/error.h"

#include <unistd.h>

static int32_t check_owner(pid_t owner, imgret_error *error)
{
    pid_t here = getpid();
    if (owner == here)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_FORKED,
                   "the handle was opened by process %ld and cannot be used in its child %ld: "
                   "open it again there",
                   (long)owner, (long)here);
}

int32_t ir_handle_check(const imgret *db, imgret_error *error)
{
    if (!db)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the database handle is NULL");
    return check_owner(db->owner, error);
}

int32_t ir_handle_check_extractor(const imgret_extractor *extractor, imgret_error *error)
{
    if (!extractor)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the extractor handle is NULL");
    return check_owner(extractor->owner, error);
}

int32_t ir_handle_need(const void *pointer, const char *what, imgret_error *error)
{
    return pointer ? IMGRET_OK : ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s is NULL", what);
}
