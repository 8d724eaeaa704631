/* file_work.c: what a worker does with one file of an ingest. */
#include "engine/file_work.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "decode/decode.h"
#include "engine/source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Whether a name says "picture": a file of unknown content is then a failure to report, and not
 * something that merely lies in the folder. Decoding itself never looks at names. */
static bool named_like_picture(const char *path)
{
    static const char *const endings[] = {
        "jpg", "jpeg", "jpe", "jfif", "png",  "webp", "bmp",  "gif",  "tga",  "psd", "pnm", "pbm",
        "pgm", "ppm",  "hdr", "tif",  "tiff", "jp2",  "heic", "heif", "avif", "jxl", "ico"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

/* A failure is remembered when it lies in the content; what the system refused may work later. */
static bool is_lasting(int32_t code)
{
    return code == IMGRET_BAD_IMAGE || code == IMGRET_UNSUPPORTED || code == IMGRET_LIMIT;
}

static void settle(ir_pipe_file *file, int32_t outcome, int32_t code, const char *message)
{
    file->outcome = outcome;
    file->code = code;
    file->recorded = outcome == IMGRET_FAILED && is_lasting(code);
    snprintf(file->message, sizeof file->message, "%s", message);
}

/* The message without "path: " in front: the path stands beside it wherever it is shown. */
static const char *without_path(const char *message, const char *path)
{
    size_t length = strlen(path);
    if (strncmp(message, path, length) == 0 && strncmp(message + length, ": ", 2) == 0)
        return message + length + 2;
    return message;
}

static bool same_on_disk(const ir_catalog_known *known, const ir_file_info *info)
{
    return known->id && known->file_bytes == info->bytes && known->modified_ns == info->modified_ns;
}

/* What is known already, by size and time or by content. True when that settles the file. */
static bool settle_known(const ir_file_work *work, const ir_catalog_known *known)
{
    bool failed = known->state == IMGRET_STATE_FAILED;
    if (!known->id || (failed && work->retry_failed))
        return false;
    work->file->known_id = known->id;
    settle(work->file, failed ? IMGRET_KNOWN_BAD : IMGRET_UNCHANGED,
           failed ? known->failure_code : IMGRET_OK,
           failed ? "failed before, unchanged since" : "");
    return true;
}

/* Tells by the first bytes whether the file is worth reading. True when that settles it. */
static bool settle_by_head(const ir_walker_entry *entry, ir_pipe_file *file)
{
    uint8_t head[IR_DECODE_SNIFF_BYTES];
    size_t head_bytes;
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_file_read_head(entry->path, head, sizeof head, &head_bytes, &reason);
    if (status) {
        settle(file, IMGRET_FAILED, status, without_path(reason.message, entry->path));
        return true;
    }
    bool supported;
    const char *format = ir_decode_sniff(head, head_bytes, &supported);
    file->format = format ? format : "";
    if (!format && !entry->named && !named_like_picture(entry->path)) {
        settle(file, IMGRET_SKIPPED, 0, "not a picture");
        return true;
    }
    return false;
}

typedef struct parts_context {
    ir_file_work *work;
    const ir_extractor *extractor;
} parts_context;

static int32_t prepare_parts(void *context, const ir_picture *pixels, imgret_error *error)
{
    const parts_context *parts = context;
    const ir_regions_run run = {true, ir_call_stopped, parts->work->call};
    ir_objects_free(&parts->work->file->objects);
    return ir_regions_prepare(parts->work->database->regions, parts->extractor, pixels, &run,
                              &parts->work->file->objects, error);
}

static int32_t prepare(ir_file_work *work, const ir_source *source, imgret_error *error)
{
    ir_database *database = work->database;
    ir_extractor *extractor;
    int32_t status = ir_regions_load(database->regions, error);
    if (!status)
        status = ir_database_extractor(database, &extractor, error);
    if (status)
        return status;
    if (!*work->prepared)
        *work->prepared = ir_malloc(ir_extractor_input_bytes(extractor));
    if (!*work->prepared) {
        ir_extractor_close(extractor);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare a picture");
    }
    imgret_error reason = IMGRET_ERROR_INIT;
    ir_source_picture picture = {
        .format = work->file->format, .look = &work->file->look, .analyzer = work->analyzer};
    parts_context parts = {work, extractor};
    if (database->regions) {
        picture.on_pixels = prepare_parts;
        picture.context = &parts;
    }
    status = ir_source_prepare(source, extractor, &database->limits, *work->prepared, &picture,
                               &reason);
    ir_extractor_close(extractor);
    work->file->width = picture.width;
    work->file->height = picture.height;
    work->file->format = picture.format;
    if (status == IMGRET_INTERRUPTED)
        return ir_fail(error, status, "%s", reason.message);
    if (status)
        settle(work->file, IMGRET_FAILED, status,
               without_path(reason.message, source->input->path));
    else
        work->file->outcome = IMGRET_STORED;
    return IMGRET_OK;
}

static int32_t read_and_prepare(ir_file_work *work, const ir_walker_entry *entry,
                                const ir_catalog_known *known, imgret_error *error)
{
    ir_pipe_file *file = work->file;
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = entry->path};
    ir_source source;
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_source_open(&source, &input, &work->database->limits,
                                    work->database->isolation, &reason);
    ir_regions_zoom(work->database->regions, &source.zoom_columns, &source.zoom_rows);
    if (status) {
        settle(file, IMGRET_FAILED, status, without_path(reason.message, entry->path));
        return IMGRET_OK;
    }
    memcpy(file->content_hash, source.content_hash, sizeof file->content_hash);
    file->file_bytes = source.data_bytes;
    file->bytes_read = source.data_bytes;
    bool same = known->id &&
                memcmp(known->content_hash, file->content_hash, sizeof file->content_hash) == 0;
    if (same && settle_known(work, known))
        file->touched = true;
    else
        status = prepare(work, &source, error);
    ir_source_close(&source);
    return status;
}

int32_t ir_file_work_run(ir_file_work *work, const ir_walker_entry *entry, imgret_error *error)
{
    ir_pipe_file *file = work->file;
    file->uri = ir_strdup(entry->path);
    if (!file->uri)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    file->named = entry->named;
    if (entry->failure) {
        settle(file, IMGRET_FAILED, entry->failure, entry->message);
        return IMGRET_OK;
    }
    ir_file_info info;
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_file_stat(entry->path, &info, &reason);
    if (status) {
        settle(file, IMGRET_FAILED, status, reason.message);
        return IMGRET_OK;
    }
    file->file_bytes = info.bytes;
    file->modified_ns = info.modified_ns;
    ir_catalog_known known = {0};
    status = ir_catalog_find(work->database->catalog, entry->path, false, &known, error);
    if (status)
        return status;
    if (same_on_disk(&known, &info) && settle_known(work, &known))
        return IMGRET_OK;
    if (settle_by_head(entry, file))
        return IMGRET_OK;
    return read_and_prepare(work, entry, &known, error);
}
