/* export.c: a database written out as lines of JSON and a matrix of its vectors.
 *
 * Row by row from one snapshot: memory does not grow with the database. While it is read no segment
 * is replaced, so that a vector which is in none of the pending rows is in a segment.
 */
#include "engine/export.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "catalog/transfer.h"
#include "engine/copy.h"
#include "engine/npy.h"
#include "engine/optimize.h"
#include "engine/staging.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

typedef struct exporter {
    ir_database *database;
    const imgret_transfer_options *options;
    const char *folder;
    FILE *images, *vectors, *verdicts;
    void *stored; /* one vector */
    size_t vector_bytes;
    uint64_t done, total; /* images */
} exporter;

static int32_t make_file(FILE **out, const char *folder, const char *name, imgret_error *error)
{
    char *path = ir_path_join(folder, name);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    *out = fopen(path, "wxe");
    int32_t status = *out ? IMGRET_OK : ir_fail_errno(error, errno, "make", path);
    ir_free(path);
    return status;
}

static int32_t put(FILE *file, const void *data, size_t bytes, const char *name,
                   imgret_error *error)
{
    if (fwrite(data, 1, bytes, file) == bytes)
        return IMGRET_OK;
    return ir_fail_errno(error, errno ? errno : EIO, "write", name);
}

/* Makes what was written durable. */
static int32_t finish(FILE *file, const char *name, imgret_error *error)
{
    errno = 0;
    if (fflush(file) != 0 || fsync(fileno(file)) != 0)
        return ir_fail_errno(error, errno ? errno : EIO, "write", name);
    return IMGRET_OK;
}

static int32_t on_begin(void *context, const ir_transfer_counts *counts, imgret_error *error)
{
    exporter *out = context;
    char head[IR_NPY_HEAD_BYTES];
    ir_npy_head shape = {.rows = counts->vector_count,
                         .columns = out->database->dimension,
                         .vector_type = out->database->vector_type};
    out->total = counts->image_count;
    ir_npy_write_head(head, &shape);
    return put(out->vectors, head, sizeof head, IR_EXPORT_VECTORS, error);
}

static int32_t on_vector(void *context, int64_t region, const void *pending, size_t bytes,
                         imgret_error *error)
{
    exporter *out = context;
    const void *stored = pending ? pending : out->stored;
    if (pending && bytes != out->vector_bytes)
        return ir_fail(error, IMGRET_CORRUPT,
                       "%s: the vector of region %lld has %zu bytes, not %zu", out->database->path,
                       (long long)region, bytes, out->vector_bytes);
    int32_t status = IMGRET_OK;
    if (!pending)
        status = ir_segments_read(&out->database->segments, region, out->stored, error);
    if (status)
        return ir_fail_within(error, status, "%s", out->database->path);
    return put(out->vectors, stored, out->vector_bytes, IR_EXPORT_VECTORS, error);
}

static int32_t on_line(void *context, const char *line, size_t bytes, imgret_error *error)
{
    exporter *out = context;
    int32_t status = put(out->images, line, bytes, IR_EXPORT_IMAGES, error);
    if (!status)
        status = put(out->images, "\n", 1, IR_EXPORT_IMAGES, error);
    out->done++;
    const imgret_transfer_options *options = out->options;
    if (!status && options->on_progress && (out->done % 256 == 0 || out->done == out->total) &&
        options->on_progress(options->user, out->done, out->total) != 0)
        status = ir_fail(error, IMGRET_INTERRUPTED, "the export was stopped by the host");
    return status;
}

static int32_t on_verdict(void *context, const char *line, size_t bytes, imgret_error *error)
{
    exporter *out = context;
    int32_t status = out->verdicts
                         ? IMGRET_OK
                         : make_file(&out->verdicts, out->folder, IR_EXPORT_VERDICTS, error);
    if (!status)
        status = put(out->verdicts, line, bytes, IR_EXPORT_VERDICTS, error);
    return status ? status : put(out->verdicts, "\n", 1, IR_EXPORT_VERDICTS, error);
}

static int32_t on_manifest(void *context, const char *text, size_t bytes, imgret_error *error)
{
    exporter *out = context;
    FILE *file;
    int32_t status = make_file(&file, out->folder, IR_EXPORT_MANIFEST, error);
    if (status)
        return status;
    status = put(file, text, bytes, IR_EXPORT_MANIFEST, error);
    if (!status)
        status = put(file, "\n", 1, IR_EXPORT_MANIFEST, error);
    if (!status)
        status = finish(file, IR_EXPORT_MANIFEST, error);
    fclose(file);
    return status;
}

static int32_t fill(exporter *out, imgret_error *error)
{
    const ir_export_sink sink = {on_begin, on_vector, on_line, on_verdict, on_manifest, out};
    int32_t status = make_file(&out->images, out->folder, IR_EXPORT_IMAGES, error);
    if (!status)
        status = make_file(&out->vectors, out->folder, IR_EXPORT_VECTORS, error);
    if (!status)
        status = ir_catalog_export(out->database->catalog, &sink, error);
    if (!status)
        status = finish(out->images, IR_EXPORT_IMAGES, error);
    if (!status)
        status = finish(out->vectors, IR_EXPORT_VECTORS, error);
    if (!status && out->verdicts)
        status = finish(out->verdicts, IR_EXPORT_VERDICTS, error);
    if (!status)
        status = ir_copy_if_there(ir_catalog_folder(out->database->catalog), out->folder,
                                  IR_EXPORT_PCA, error);
    if (out->images)
        fclose(out->images);
    if (out->vectors)
        fclose(out->vectors);
    if (out->verdicts)
        fclose(out->verdicts);
    return status;
}

int32_t ir_export(ir_database *database, const char *folder, const imgret_transfer_options *options,
                  imgret_error *error)
{
    ir_staging staging;
    int32_t status = ir_staging_begin(&staging, folder, error);
    if (status)
        return status;
    int lock = -1;
    exporter out = {.database = database,
                    .options = options,
                    .folder = staging.partial,
                    .vector_bytes = ir_delta_vector_bytes(database->delta)};
    out.stored = ir_malloc(out.vector_bytes);
    if (!out.stored)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to export");
    if (!status)
        status = ir_optimize_pause(database, &lock, error);
    if (!status) {
        status = ir_database_sync(database, error); /* the segments that are listed are open then */
        if (!status)
            status = fill(&out, error);
        ir_optimize_resume(database, lock);
    }
    ir_free(out.stored);
    if (!status)
        return ir_staging_finish(&staging, error);
    ir_staging_drop(&staging);
    return status;
}
