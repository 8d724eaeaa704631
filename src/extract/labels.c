/* labels.c: the names of a classification head's classes, and which of them a picture gets. */
#include "extract/labels.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Bytes of the UTF-8 character at `text` (`left` bytes are there), 0 when it is none or a control
 * character: overlong forms, surrogates and what lies above U+10FFFF are no characters. */
static size_t character_bytes(const uint8_t *text, size_t left)
{
    uint8_t lead = text[0];
    if (lead < 0x80)
        return lead >= 0x20 && lead != 0x7F ? 1 : 0;
    size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < bytes)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool bad = (lead == 0xC2 && text[1] < 0xA0) || (lead == 0xE0 && text[1] < 0xA0) ||
               (lead == 0xED && text[1] > 0x9F) || (lead == 0xF0 && text[1] < 0x90) ||
               (lead == 0xF4 && text[1] > 0x8F);
    return bad ? 0 : bytes;
}

static int32_t check_line(const char *name, uint32_t number, const char *line, size_t bytes,
                          imgret_error *error)
{
    if (bytes == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s, line %u: a class without a name", name,
                       number);
    if (bytes > IR_LABEL_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "%s, line %u: %zu bytes, a label has at most %u", name,
                       number, bytes, IR_LABEL_BYTES_MAX);
    for (size_t at = 0; at < bytes;) {
        size_t length = character_bytes((const uint8_t *)line + at, bytes - at);
        if (length == 0)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "%s, line %u: byte %zu is no printable UTF-8", name, number, at + 1);
        at += length;
    }
    return IMGRET_OK;
}

/* Cuts the block, whose last byte is a NUL after the text, into checked lines. */
static int32_t cut_lines(ir_labels *labels, const char *name, size_t bytes, imgret_error *error)
{
    char *at = labels->block, *end = at + bytes;
    while (at < end) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        size_t length = (size_t)(stop - at);
        if (length > 0 && at[length - 1] == '\r')
            length--;
        int32_t status = check_line(name, labels->count + 1, at, length, error);
        if (status)
            return status;
        at[length] = '\0';
        labels->texts[labels->count++] = at;
        at = stop + 1;
    }
    return IMGRET_OK;
}

static size_t count_lines(const uint8_t *data, size_t bytes)
{
    size_t count = bytes > 0 && data[bytes - 1] != '\n';
    for (size_t i = 0; i < bytes; i++)
        count += data[i] == '\n';
    return count;
}

int32_t ir_labels_parse(ir_labels **out, const char *name, const uint8_t *data, size_t bytes,
                        imgret_error *error)
{
    *out = NULL;
    if (bytes >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        data += 3;
        bytes -= 3;
    }
    if (bytes > IR_LABEL_FILE_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "%s: %zu bytes of labels", name, bytes);
    size_t count = count_lines(data, bytes);
    if (count == 0 || count > IR_LABEL_COUNT_MAX)
        return ir_fail(error, count ? IMGRET_LIMIT : IMGRET_INVALID_ARGUMENT,
                       "%s: %zu labels, one a line, 1 to %u are possible", name, count,
                       IR_LABEL_COUNT_MAX);
    ir_labels *labels = ir_calloc(1, sizeof *labels);
    if (labels) {
        labels->texts = ir_malloc_array(count, sizeof *labels->texts);
        labels->block = ir_malloc(bytes + 1);
    }
    int32_t status = IMGRET_OK;
    if (!labels || !labels->texts || !labels->block) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for %zu labels", name, count);
    } else {
        memcpy(labels->block, data, bytes);
        labels->block[bytes] = '\0';
        status = cut_lines(labels, name, bytes, error);
    }
    if (status) {
        ir_labels_free(labels);
        return status;
    }
    *out = labels;
    return IMGRET_OK;
}

int32_t ir_labels_load(ir_labels **out, const char *path, imgret_error *error)
{
    uint8_t *data;
    size_t bytes;
    *out = NULL;
    int32_t status = ir_file_read(path, IR_LABEL_FILE_BYTES_MAX, &data, &bytes, error);
    if (status)
        return status;
    status = ir_labels_parse(out, path, data, bytes, error);
    ir_free(data);
    return status;
}

void ir_labels_free(ir_labels *labels)
{
    if (!labels)
        return;
    ir_free(labels->texts);
    ir_free(labels->block);
    ir_free(labels);
}

int32_t ir_labels_choose(const float *logits, uint32_t count, uint32_t *index, float *score,
                         imgret_error *error)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(logits[i]))
            return ir_fail(error, IMGRET_BAD_MODEL, "the logit of class %u is not finite", i);
        if (logits[i] > logits[best])
            best = i;
    }
    double sum = 0.0; /* at least 1, the best one's own */
    for (uint32_t i = 0; i < count; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    *index = best;
    *score = (float)(1.0 / sum);
    return IMGRET_OK;
}
