/* compose.h: queries of several parts: examples, colours, pages, and what is done with what is found. */
#ifndef IR_ENGINE_COMPOSE_H
#define IR_ENGINE_COMPOSE_H

#include "engine/colors.h"
#include "engine/database.h"
#include "engine/results.h"
#include "engine/terms.h"

/* Checked copies of the arrays that options point to. */
typedef struct ir_compose_parts {
    imgret_term terms[IR_TERMS_MAX];
    imgret_input inputs[IR_TERMS_MAX];
    imgret_color_term colors[IR_COLORS_MAX];
} ir_compose_parts;

/* Whether the options ask for more than ir_query can. */
bool ir_compose_needed(const imgret_query_options *options);

/* Checks the fields that ir_compose reads, and makes them point into `parts`; `has_input`: there is
 * an input beside them. */
int32_t ir_compose_check(imgret_query_options *options, bool has_input, ir_compose_parts *parts,
                         imgret_error *error);

/* Notes in the results of a plain query where the next page begins. */
void ir_compose_end_page(imgret_results *results, const imgret_input *input,
                         const imgret_query_options *options, const ir_catalog_filter *filter);

/* One query. `input` has passed ir_source_read_input or is NULL; `options` are checked, with their
 * defaults; `filter` is theirs. */
int32_t ir_compose(imgret_results **out, ir_database *database, const imgret_input *input,
                   const imgret_query_options *options, const ir_catalog_filter *filter,
                   ir_call *call, imgret_error *error);

#endif
