/* cursor.h: cursors: where in a ranking a page ended, as a text that a host hands back. */
#ifndef IR_ENGINE_CURSOR_H
#define IR_ENGINE_CURSOR_H

#include <imgret/imgret.h>

#define IR_CURSOR_BYTES 80 /* of a cursor, its NUL included */

/* Where a page ended: in the order of (score descending, id ascending, region ascending). */
typedef struct ir_cursor_end {
    uint64_t question; /* a hash of what was asked: a cursor continues that and nothing else */
    double score;
    int64_t id;
    uint32_t region; /* imgret_hit.region */
    uint64_t seen;   /* results up to here, of all pages */
} ir_cursor_end;

/* A hash of the input, the options that say what is asked, and the filter's parameters. Pictures
 * count by their kind only: they need not give the very same vector twice. */
uint64_t ir_cursor_question(const imgret_input *input, const imgret_query_options *options,
                            const imgret_param *params, uint32_t param_count);

void ir_cursor_write(const ir_cursor_end *end, char out[IR_CURSOR_BYTES]);

/* INVALID_ARGUMENT when `cursor` is not one that ir_cursor_write made for `question`. */
int32_t ir_cursor_read(ir_cursor_end *out, const char *cursor, uint64_t question,
                       imgret_error *error);

#endif
