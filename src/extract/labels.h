/* labels.h: the names of a classification head's classes: a text file, read strictly. */
#ifndef IR_EXTRACT_LABELS_H
#define IR_EXTRACT_LABELS_H

#include "extract/extract.h"

#include <imgret/imgret.h>
#include <stddef.h>

#define IR_LABEL_COUNT_MAX 65536u
#define IR_LABEL_FILE_BYTES_MAX ((uint64_t)16 << 20)

typedef struct ir_labels {
    uint32_t count;
    char **texts; /* UTF-8 without control characters, 1..IR_LABEL_BYTES_MAX bytes */
    char *block;  /* what they point into */
} ir_labels;

/* One class a line, in the order of the head's logits; lines end in LF or CRLF, the last one's end
 * and a byte order mark at the start may be there or not. `name` is for messages, which name the
 * line. INVALID_ARGUMENT for what is no such text, LIMIT for too much of it. Any thread. */
int32_t ir_labels_parse(ir_labels **out, const char *name, const uint8_t *data, size_t bytes,
                        imgret_error *error);
int32_t ir_labels_load(ir_labels **out, const char *path, imgret_error *error);
void ir_labels_free(ir_labels *labels);

/* The class of the largest of `count` logits (the first of equal ones) and its softmax, 0..1.
 * BAD_MODEL when one is not finite. */
int32_t ir_labels_choose(const float *logits, uint32_t count, uint32_t *index, float *score,
                         imgret_error *error);

#endif
