/* fuzz_import.c: fuzz target: the readers of an import take any bytes, or say what is wrong.
 *
 * The first byte chooses: 'n' the head of vectors.npy, 'm' manifest.json, anything else images.ndjson,
 * of which each line goes into one transaction of an empty catalogue, which is rolled back. A line that
 * begins with 'v' is one of verdicts.ndjson.
 */
#include "base/alloc.h"
#include "catalog/transfer.h"
#include "engine/npy.h"
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

static ir_catalog *catalog;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void close_catalog(void)
{
    ir_catalog_close(catalog);
}

static void make_catalog(void)
{
    scratch_make(close_catalog);
    ir_catalog_options options = {0};
    if (ir_catalog_open(&catalog, scratch_folder, &options, NULL, NULL) != IMGRET_OK)
        abort();
}

static int32_t next_vector(void *context, const void **stored, size_t *bytes, imgret_error *error)
{
    (void)context, (void)error;
    *stored = "abcdefgh";
    *bytes = 8;
    return IMGRET_OK;
}

static void read_head(const uint8_t *data, size_t bytes)
{
    ir_npy_head head;
    imgret_error error = IMGRET_ERROR_INIT;
    if (bytes > IR_NPY_HEAD_BYTES_MAX)
        bytes = IR_NPY_HEAD_BYTES_MAX;
    int32_t status = ir_npy_read_head(&head, data, bytes, &error);
    if (status ? error.message[0] == '\0' : head.head_bytes > bytes || head.columns > 65536)
        abort();
    if (status)
        return;
    char again[IR_NPY_HEAD_BYTES]; /* what was read can be written, and reads the same */
    ir_npy_head second;
    ir_npy_write_head(again, &head);
    if (ir_npy_read_head(&second, again, sizeof again, NULL) != IMGRET_OK ||
        second.rows != head.rows || second.columns != head.columns)
        abort();
}

static int ignore(void *context, const char *message)
{
    (void)context, (void)message;
    return 0;
}

/* What was taken must be sound wherever the tables alone do not see to it. */
static void import(bool manifest, char *text, size_t bytes)
{
    ir_import *import;
    ir_transfer_counts counts;
    if (ir_import_open(&import, catalog, next_vector, NULL, NULL) != IMGRET_OK ||
        ir_catalog_begin(catalog, NULL) != IMGRET_OK)
        abort();
    int32_t status = IMGRET_OK;
    for (char *line = text, *end = text; line < text + bytes && !status; line = end + 1) {
        end = manifest ? text + bytes : memchr(line, '\n', (size_t)(text + bytes - line));
        end = end ? end : text + bytes;
        *end = '\0';
        imgret_error error = IMGRET_ERROR_INIT;
        status = manifest ? ir_import_manifest(import, line, (size_t)(end - line), &counts, &error)
                 : *line == 'v'
                     ? ir_import_verdict(import, line + 1, (size_t)(end - line) - 1, &error)
                     : ir_import_line(import, line, (size_t)(end - line), &error);
        if (status && !error.message[0])
            abort();
    }
    ir_import_close(import);
    ir_catalog_rollback(catalog);
    ir_catalog_counts left;
    if (ir_catalog_get_counts(catalog, &left, NULL) != IMGRET_OK || left.image_count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!catalog)
        make_catalog();
    if (bytes == 0)
        return 0;
    if (data[0] == 'n') {
        read_head(data + 1, bytes - 1);
        return 0;
    }
    char *text = malloc(bytes);
    if (!text)
        return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = '\0';
    import(data[0] == 'm', text, bytes - 1);
    free(text);
    if (ir_catalog_check(catalog, 8, ignore, NULL, NULL) != IMGRET_OK)
        abort();
    return 0;
}
