/* open.c: a database handle's life, and stopping what runs on it. */
#include "api/handle.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stddef.h>
#include <unistd.h>

static int32_t check_options(const imgret_open_options *options, imgret_error *error)
{
    const uint32_t known = IMGRET_OPEN_READ_ONLY | IMGRET_OPEN_EXISTING | IMGRET_OPEN_NEW |
                           IMGRET_OPEN_MAINTAIN;
    if (options->flags & ~known)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_open_options.flags is 0x%x",
                       options->flags);
    if ((options->flags & IMGRET_OPEN_NEW) &&
        (options->flags & (IMGRET_OPEN_READ_ONLY | IMGRET_OPEN_EXISTING)))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "IMGRET_OPEN_NEW does not go with READ_ONLY or EXISTING");
    if ((options->flags & IMGRET_OPEN_MAINTAIN) && (options->flags & IMGRET_OPEN_READ_ONLY))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "IMGRET_OPEN_MAINTAIN does not go with READ_ONLY");
    if (options->metric > IMGRET_METRIC_L2)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_open_options.metric is %u",
                       options->metric);
    if (options->vector_type > IMGRET_VECTOR_F32)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_open_options.vector_type is %u",
                       options->vector_type);
    return IMGRET_OK;
}

int32_t imgret_open(imgret **out, const char *path, const imgret_open_options *options,
                    imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    imgret_open_options wanted;
    status = ir_options_read(&wanted, sizeof wanted, offsetof(imgret_open_options, index_ram_bytes),
                             options, "imgret_open_options", error);
    if (!status && (!path || !path[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the database's path is empty");
    if (!status)
        status = check_options(&wanted, error);
    if (status)
        return status;
    imgret *db = ir_calloc(1, sizeof *db);
    if (!db)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to open %s", path);
    db->owner = getpid();
    status = ir_database_open(&db->database, path, &wanted, error);
    if (status) {
        ir_free(db);
        return status;
    }
    *out = db;
    return IMGRET_OK;
}

void imgret_close(imgret *db)
{
    if (!db)
        return;
    if (db->owner == getpid())
        ir_database_close(db->database);
    else
        ir_database_abandon(db->database);
    ir_free(db);
}

const uint32_t *imgret_set_stop(const uint32_t *stop)
{
    return ir_call_set_stop(stop);
}

void imgret_interrupt(imgret *db)
{
    /* Nothing but an atomic: this may be a signal handler. */
    if (db)
        atomic_fetch_add(&db->database->interrupts, 1);
}
