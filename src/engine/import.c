/* import.c: a new database made from what an export wrote, or somebody else.
 *
 *   manifest -> catalogue in FOLDER.imgret-partial -> lines and vectors side by side, in
 *   transactions of bounded size -> the catalogue's own check -> renamed to its place
 *
 * All or nothing: until the last step there is no database, and what a crash left is made anew.
 */
#include "engine/export.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "catalog/transfer.h"
#include "engine/copy.h"
#include "engine/npy.h"
#include "engine/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST_BYTES_MAX (1u << 20)
enum { COMMIT_BYTES = 8 << 20 }; /* of lines and vectors, between two transactions */

/* A file of lines, each stored by `store`. */
typedef struct line_file {
    const char *name;
    int32_t (*store)(ir_import *import, const char *line, size_t bytes, imgret_error *error);
    FILE *file;
    uint64_t announced, number; /* lines by the manifest, and those read */
} line_file;

typedef struct importer {
    const char *folder;
    const imgret_transfer_options *options;
    ir_catalog *catalog;
    ir_import *import;
    ir_delta *codec; /* empty: it knows how vectors are stored */
    line_file images, verdicts;
    FILE *vectors;
    ir_npy_head head;
    void *row, *stored;
    float *values;
    char *line;
    size_t line_capacity;
    uint64_t row_bytes, stored_bytes, vectors_read;
    uint64_t uncommitted_bytes;
    ir_transfer_counts counts;
} importer;

/* ---- files ---- */

/* Only a regular file: a pipe could keep us waiting for ever. */
static int32_t open_regular(FILE **out, const char *folder, const char *name, imgret_error *error)
{
    char *path = ir_path_join(folder, name);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_file_info info;
    int32_t status = ir_file_stat(path, &info, error);
    if (!status && !info.is_regular)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: is not a regular file", path);
    *out = status ? NULL : fopen(path, "re");
    if (!status && !*out)
        status = ir_fail_errno(error, errno, "open", path);
    ir_free(path);
    return status;
}

static int32_t grow_line(importer *in, size_t wanted, imgret_error *error)
{
    if (wanted <= in->line_capacity)
        return IMGRET_OK;
    size_t capacity = in->line_capacity ? in->line_capacity * 2 : 4096;
    char *line = ir_realloc(in->line, capacity);
    if (!line)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a line");
    in->line = line;
    in->line_capacity = capacity;
    return IMGRET_OK;
}

/* One line without its newline, ended by NUL; *out is false at the end of the file. */
static int32_t read_line(importer *in, const line_file *from, size_t *bytes, bool *out,
                         imgret_error *error)
{
    *bytes = 0;
    int c;
    while ((c = getc_unlocked(from->file)) != EOF && c != '\n') {
        if (*bytes == IR_TRANSFER_LINE_BYTES_MAX)
            return ir_fail(error, IMGRET_CORRUPT, "longer than %u bytes",
                           IR_TRANSFER_LINE_BYTES_MAX);
        int32_t status = grow_line(in, *bytes + 2, error);
        if (status)
            return status;
        in->line[(*bytes)++] = (char)c;
    }
    if (ferror(from->file))
        return ir_fail_errno(error, errno ? errno : EIO, "read", from->name);
    *out = c != EOF || *bytes > 0;
    if (*bytes > 0)
        in->line[*bytes] = '\0';
    return IMGRET_OK;
}

/* ---- vectors ---- */

/* ir_import_vector_fn */
static int32_t next_vector(void *context, const void **stored, size_t *bytes, imgret_error *error)
{
    importer *in = context;
    unsigned long long number = in->vectors_read++;
    if (fread(in->row, 1, in->row_bytes, in->vectors) != in->row_bytes)
        return ir_fail(error, IMGRET_CORRUPT, IR_EXPORT_VECTORS " ends before its vector %llu",
                       number);
    const float *values = in->values;
    if (in->head.vector_type == IMGRET_VECTOR_F32)
        values = in->row;
    else
        ir_delta_decode(in->codec, in->row, in->values);
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_delta_encode(in->codec, values, in->stored, &reason);
    if (status)
        return ir_fail(error, IMGRET_CORRUPT, IR_EXPORT_VECTORS ": vector %llu: %s", number,
                       reason.message);
    *stored = in->stored;
    *bytes = in->stored_bytes;
    in->uncommitted_bytes += in->stored_bytes;
    return IMGRET_OK;
}

static int32_t read_setting(importer *in, const char *name, uint32_t most, uint32_t *out,
                            imgret_error *error)
{
    char *text, *end = NULL;
    int32_t status = ir_catalog_get_setting(in->catalog, name, &text, error);
    if (status)
        return status;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || value < 1 || value > most)
        status = ir_fail(error, IMGRET_CORRUPT, IR_EXPORT_MANIFEST ": setting \"%s\" is \"%.20s\"",
                         name, text ? text : "(missing)");
    *out = (uint32_t)value;
    ir_free(text);
    return status;
}

/* Settings, .npy header and file size must be of one mind. */
static int32_t open_vectors(importer *in, imgret_error *error)
{
    uint32_t dimension = 0, metric = 0, type = 0;
    char head[IR_NPY_HEAD_BYTES_MAX];
    struct stat info;
    int32_t status = read_setting(in, "dimension", 65536, &dimension, error);
    if (!status)
        status = read_setting(in, "metric", IMGRET_METRIC_L2, &metric, error);
    if (!status)
        status = read_setting(in, "vector_type", IMGRET_VECTOR_F32, &type, error);
    if (!status)
        status = ir_delta_create(&in->codec, dimension, metric, type, error);
    if (!status)
        status = open_regular(&in->vectors, in->folder, IR_EXPORT_VECTORS, error);
    if (!status) {
        imgret_error reason = IMGRET_ERROR_INIT;
        status = ir_npy_read_head(&in->head, head, fread(head, 1, sizeof head, in->vectors),
                                  &reason);
        if (status)
            ir_fail(error, status, IR_EXPORT_VECTORS ": %s", reason.message);
    }
    if (status)
        return status;
    in->row_bytes = (uint64_t)dimension * (in->head.vector_type == IMGRET_VECTOR_F32 ? 4 : 2);
    in->stored_bytes = ir_delta_vector_bytes(in->codec);
    if (in->head.columns != dimension || in->head.rows != in->counts.vector_count)
        return ir_fail(error, IMGRET_CORRUPT,
                       IR_EXPORT_VECTORS ": has %llu rows of %u, needed are %llu of %u",
                       (unsigned long long)in->head.rows, in->head.columns,
                       (unsigned long long)in->counts.vector_count, dimension);
    if (in->head.vector_type == IMGRET_VECTOR_F16 && type != IMGRET_VECTOR_F16)
        return ir_fail(error, IMGRET_CORRUPT, IR_EXPORT_VECTORS ": is '<f2', needed is '<f4'");
    uint64_t wanted = in->head.head_bytes + in->head.rows * in->row_bytes;
    if (fstat(fileno(in->vectors), &info) != 0 || (uint64_t)info.st_size != wanted ||
        fseeko(in->vectors, (off_t)in->head.head_bytes, SEEK_SET) != 0)
        return ir_fail(error, IMGRET_CORRUPT,
                       IR_EXPORT_VECTORS ": has not the %llu bytes that its "
                                         "header announces",
                       (unsigned long long)wanted);
    in->row = ir_malloc(in->row_bytes);
    in->stored = ir_malloc(in->stored_bytes);
    in->values = ir_malloc_array(dimension, sizeof *in->values);
    return in->row && in->stored && in->values
               ? IMGRET_OK
               : ir_fail(error, IMGRET_NO_MEMORY, "no memory to import");
}

/* ---- the catalogue ---- */

static int32_t read_manifest(importer *in, imgret_error *error)
{
    uint8_t *data = NULL;
    size_t bytes;
    char *path = ir_path_join(in->folder, IR_EXPORT_MANIFEST), *text = NULL;
    int32_t status = path ? ir_file_read(path, MANIFEST_BYTES_MAX, &data, &bytes, error)
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_free(path);
    if (!status && !(text = ir_strndup((const char *)data, bytes)))
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to import");
    if (!status)
        status = ir_catalog_begin(in->catalog, error);
    if (!status) {
        imgret_error reason = IMGRET_ERROR_INIT;
        status = ir_import_manifest(in->import, text, strlen(text), &in->counts, &reason);
        if (status) {
            ir_fail(error, status, IR_EXPORT_MANIFEST ": %s", reason.message);
            ir_catalog_rollback(in->catalog);
        } else {
            status = ir_catalog_commit(in->catalog, NULL, NULL, error);
        }
    }
    ir_free(text);
    ir_free(data);
    return status;
}

static int32_t report(const importer *in, imgret_error *error)
{
    const imgret_transfer_options *options = in->options;
    if (!options->on_progress ||
        options->on_progress(options->user, in->images.number, in->counts.image_count) == 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the import was stopped by the host");
}

/* Stores lines until enough for one transaction is gathered. */
static int32_t store_some(importer *in, line_file *from, bool *more, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    in->uncommitted_bytes = 0;
    while (!status && *more && in->uncommitted_bytes < COMMIT_BYTES) {
        size_t bytes;
        imgret_error reason = IMGRET_ERROR_INIT;
        status = read_line(in, from, &bytes, more, &reason);
        if (!status && !*more)
            break;
        from->number++;
        if (!status && from->number > from->announced)
            status = ir_fail(&reason, IMGRET_CORRUPT, "more than the %llu lines announced",
                             (unsigned long long)from->announced);
        if (!status)
            status = from->store(in->import, bytes ? in->line : "", bytes, &reason);
        if (status)
            ir_fail(error, status, "%s: line %llu: %s", from->name,
                    (unsigned long long)from->number, reason.message);
        in->uncommitted_bytes += bytes;
    }
    return status;
}

static int32_t store_all(importer *in, line_file *from, imgret_error *error)
{
    bool more = true;
    int32_t status = open_regular(&from->file, in->folder, from->name, error);
    while (!status && more) {
        status = ir_catalog_begin(in->catalog, error);
        if (status)
            break;
        status = store_some(in, from, &more, error);
        if (status)
            ir_catalog_rollback(in->catalog);
        else
            status = ir_catalog_commit(in->catalog, NULL, NULL, error);
        if (!status)
            status = report(in, error);
    }
    if (!status && from->number != from->announced)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: has %llu lines, announced were %llu",
                         from->name, (unsigned long long)from->number,
                         (unsigned long long)from->announced);
    return status;
}

static int32_t store_images(importer *in, imgret_error *error)
{
    in->images = (line_file){
        .name = IR_EXPORT_IMAGES, .store = ir_import_line, .announced = in->counts.image_count};
    int32_t status = store_all(in, &in->images, error);
    if (!status && in->vectors_read != in->counts.vector_count)
        status = ir_fail(
            error, IMGRET_CORRUPT, IR_EXPORT_IMAGES ": names %llu vectors, announced were %llu",
            (unsigned long long)in->vectors_read, (unsigned long long)in->counts.vector_count);
    return status;
}

/* What users said of pairs of images: a file that is there only where somebody did. */
static int32_t store_verdicts(importer *in, imgret_error *error)
{
    in->verdicts = (line_file){.name = IR_EXPORT_VERDICTS,
                               .store = ir_import_verdict,
                               .announced = in->counts.verdict_count};
    return in->verdicts.announced ? store_all(in, &in->verdicts, error) : IMGRET_OK;
}

/* Keeps the first problem and ends the check. */
static int32_t keep_problem(void *context, const char *message)
{
    ir_fail(context, IMGRET_CORRUPT, "%s", message);
    return 1;
}

static int32_t check(importer *in, imgret_error *error)
{
    imgret_error problem = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_check(in->catalog, in->stored_bytes, keep_problem, &problem, error);
    return problem.code ? ir_fail(error, IMGRET_CORRUPT, IR_EXPORT_IMAGES ": %s", problem.message)
                        : status;
}

static int32_t check_identity(importer *in, imgret_error *error)
{
    static const char *const needed[] = {"model", "extractor_identity"};
    int32_t status = IMGRET_OK;
    for (int i = 0; i < 2 && !status; i++) {
        char *text;
        status = ir_catalog_get_setting(in->catalog, needed[i], &text, error);
        if (!status && (!text || !text[0]))
            status = ir_fail(error, IMGRET_CORRUPT,
                             IR_EXPORT_MANIFEST ": setting \"%s\" is missing", needed[i]);
        ir_free(text);
    }
    return status;
}

static int32_t fill(importer *in, const char *partial, imgret_error *error)
{
    ir_catalog_options options = {.fresh = true};
    int32_t status = ir_catalog_open(&in->catalog, partial, &options, NULL, error);
    if (!status)
        status = ir_import_open(&in->import, in->catalog, next_vector, in, error);
    if (!status)
        status = read_manifest(in, error);
    if (!status)
        status = check_identity(in, error);
    if (!status)
        status = open_vectors(in, error);
    if (!status)
        status = store_images(in, error);
    if (!status)
        status = store_verdicts(in, error);
    if (!status)
        status = check(in, error);
    if (!status)
        status = ir_copy_if_there(in->folder, partial, IR_EXPORT_PCA, error);
    ir_import_close(in->import);
    ir_catalog_close(in->catalog); /* empties the log */
    if (in->images.file)
        fclose(in->images.file);
    if (in->verdicts.file)
        fclose(in->verdicts.file);
    if (in->vectors)
        fclose(in->vectors);
    ir_delta_free(in->codec);
    ir_free(in->row);
    ir_free(in->stored);
    ir_free(in->values);
    ir_free(in->line);
    return status;
}

int32_t ir_import_folder(const char *path, const char *folder,
                         const imgret_transfer_options *options, imgret_error *error)
{
    ir_staging staging;
    importer in = {.folder = folder, .options = options};
    int32_t status = ir_staging_begin(&staging, path, error);
    if (status)
        return status;
    status = fill(&in, staging.partial, error);
    if (!status)
        return ir_staging_finish(&staging, error);
    ir_staging_drop(&staging);
    return status;
}
