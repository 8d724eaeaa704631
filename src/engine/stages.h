/* stages.h: what is done with the candidates of a search before they are results. */
#ifndef IR_ENGINE_STAGES_H
#define IR_ENGINE_STAGES_H

#include "engine/colors.h"
#include "engine/database.h"
#include "engine/results.h"

/* Results to order as the contract says: score descending, id ascending, region ascending. */
void ir_stages_sort(imgret_results *results);

/* Mixes the likeness of colours into the scores, and sorts. */
int32_t ir_stages_color(imgret_results *results, ir_database *database, const ir_colors *colors,
                        double weight, imgret_error *error);

/* Lets the host rank, under no lock. */
int32_t ir_stages_rerank(imgret_results *results, imgret_rerank_fn rerank, void *user,
                         imgret_error *error);

/* Brings the k results to the front that say most together (MMR). */
int32_t ir_stages_diversify(imgret_results *results, ir_database *database, double diversity,
                            uint32_t k, ir_call *call, imgret_error *error);

/* The score of one vector for another, as the database's metric says it. */
double ir_stages_score(const ir_database *database, const float *a, const float *b);

#endif
