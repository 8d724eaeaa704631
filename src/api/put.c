/* put.c: the calls that change a database. */
#include "api/handle.h"

#include "base/error.h"
#include "engine/add.h"
#include "engine/ingest.h"
#include "engine/optimize.h"
#include "engine/source.h"
#include "engine/sync.h"

#include <stddef.h>

#define KINDS_TO_ADD                                                                  \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS | \
     1u << IMGRET_INPUT_VECTOR)

int32_t imgret_add(imgret *db, const imgret_input *input, const imgret_add_options *options,
                   imgret_add_result *result, imgret_error *error)
{
    imgret_input given;
    imgret_add_options wanted;
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_source_read_input(&given, input, KINDS_TO_ADD, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_add_options", error);
    if (!status && wanted.uri && !wanted.uri[0])
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_add_options.uri is empty");
    if (status)
        return status;
    imgret_add_result added = {.size = sizeof added};
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_add(db->database, &given, &wanted, &added, error);
    ir_call_end(&call);
    if (!status && result)
        status = ir_struct_write(result, &added, sizeof added, sizeof added, "imgret_add_result",
                                 error);
    return status;
}

/* The first version of the struct. */
#define PROGRESS_LEAST_BYTES ((uint32_t)offsetof(imgret_ingest_progress, moved_count))

static int32_t check_ingest(imgret_ingest_options *options, imgret_error *error)
{
    const uint32_t known = IMGRET_INGEST_NO_RECURSION | IMGRET_INGEST_RETRY_FAILED |
                           IMGRET_INGEST_SYNC | IMGRET_INGEST_FORCE;
    if (options->flags & ~known)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_ingest_options.flags is 0x%x",
                       options->flags);
    if ((options->flags & IMGRET_INGEST_FORCE) && !(options->flags & IMGRET_INGEST_SYNC))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_ingest_options.flags has FORCE without SYNC");
    if (options->path_count > 0 && !options->paths)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_ingest_options.paths is NULL");
    for (uint64_t i = 0; i < options->path_count; i++)
        if (!options->paths[i] || !options->paths[i][0])
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "imgret_ingest_options.paths[%llu] is empty", (unsigned long long)i);
    if (options->commit_count > 65536)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_ingest_options.commit_count is %u, at most 65,536 is possible",
                       options->commit_count);
    if (options->commit_count == 0)
        options->commit_count = 256;
    if (options->commit_ms == 0)
        options->commit_ms = 1000;
    return IMGRET_OK;
}

int32_t imgret_ingest(imgret *db, const imgret_ingest_options *options,
                      imgret_ingest_progress *report, imgret_error *error)
{
    imgret_ingest_options wanted;
    imgret_ingest_progress progress = {.size = sizeof progress};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_ingest_options", error);
    if (!status)
        status = check_ingest(&wanted, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = wanted.flags & IMGRET_INGEST_SYNC
                 ? ir_sync(db->database, &wanted, &progress, &call, error)
                 : ir_ingest(db->database, &wanted, &progress, &call, error);
    ir_call_end(&call);
    if (report) {
        int32_t written = ir_struct_write(report, &progress, sizeof progress, PROGRESS_LEAST_BYTES,
                                          "imgret_ingest_progress", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}

int32_t imgret_remove(imgret *db, int64_t id, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_remove(db->database, id, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_set_metadata(imgret *db, int64_t id, const char *metadata, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_set_metadata(db->database, id, metadata, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_set_label(imgret *db, int64_t id, const char *label, double score,
                         imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_set_label(db->database, id, label, score, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_optimize(imgret *db, const imgret_optimize_options *options, imgret_error *error)
{
    imgret_optimize_options wanted;
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_optimize_options", error);
    if (!status && (wanted.flags & ~IMGRET_OPTIMIZE_FORCE))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_optimize_options.flags is 0x%x",
                         wanted.flags);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_optimize(db->database, &wanted, NULL, &call, error);
    ir_call_end(&call);
    return status;
}
