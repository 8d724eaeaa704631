/* terms.h: from the examples of a query to the vectors that are searched for. */
#ifndef IR_ENGINE_TERMS_H
#define IR_ENGINE_TERMS_H

#include "engine/database.h"

#define IR_TERMS_MAX 100

/* What is searched for, and what is not wanted. */
typedef struct ir_terms {
    float *vectors;    /* `count` rows of the database's dimension */
    uint32_t count;    /* 0: there is no example */
    int64_t *excluded; /* images, ascending, each once */
    uint64_t excluded_count;
} ir_terms;

/* The caller's terms, copied; each input checked. `out` has room for IR_TERMS_MAX, `inputs` too. */
int32_t ir_terms_check(imgret_term *out, imgret_input *inputs, const imgret_query_options *options,
                       imgret_error *error);

/* Fills `out` from `input` (NULL: none) and options->terms, both checked; ir_terms_free in any case.
 * Images that are examples are excluded unless IMGRET_QUERY_INCLUDE_SELF. */
int32_t ir_terms_read(ir_terms *out, ir_database *database, const imgret_input *input,
                      const imgret_query_options *options, ir_call *call, imgret_error *error);
void ir_terms_free(ir_terms *terms);

/* Whether an image is among the excluded. */
bool ir_terms_exclude(const ir_terms *terms, int64_t image);

#endif
