/* rerank.h: candidates looked at in another way: by their colours, or by what lies where in them. */
#ifndef IR_ENGINE_RERANK_H
#define IR_ENGINE_RERANK_H

#include "engine/database.h"
#include "engine/results.h"

/* Refuses what options->rerank_by does not go with; `has_input`: there is an input. */
int32_t ir_rerank_check(const imgret_query_options *options, bool has_input, imgret_error *error);

/* Mixes options->rerank_by into the scores and sorts. `input` is what was asked with. Candidates whose
 * file cannot be read score 0 there. When the call is stopped: IMGRET_INTERRUPTED or, with
 * IMGRET_QUERY_ALLOW_PARTIAL, results as they were, marked as partial. */
int32_t ir_rerank(imgret_results *results, ir_database *database, const imgret_input *input,
                  const imgret_query_options *options, ir_call *call, imgret_error *error);

#endif
