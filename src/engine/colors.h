/* colors.h: pictures by their dominant colours. */
#ifndef IR_ENGINE_COLORS_H
#define IR_ENGINE_COLORS_H

#include "engine/database.h"
#include "engine/results.h"

#define IR_COLORS_MAX 16

/* The colours that are asked for. */
typedef struct ir_colors {
    uint32_t count;
    double shares[IR_COLORS_MAX]; /* their sum is 1 */
    float lab[IR_COLORS_MAX][3];  /* CIELAB */
} ir_colors;

/* From a checked array of at most IR_COLORS_MAX; INVALID_ARGUMENT for weights that are negative or no number. */
int32_t ir_colors_read(ir_colors *out, const imgret_color_term *given, uint32_t count,
                       imgret_error *error);

/* How much a picture has the colours, 0..1: the sum over them of the share that was asked for, or
 * that it has where that is less, a swatch counting by how near its colour is. The intersection of
 * two histograms (Swain & Ballard, "Color Indexing", IJCV 1991) with soft bins. */
double ir_colors_score(const ir_colors *colors, const imgret_swatch *swatches, uint32_t count);

/* The best `k` images that match the filter (where NULL: all) by their colours alone, from score_min
 * on; to be freed. */
int32_t ir_colors_search(imgret_results **out, ir_database *database, const ir_colors *colors,
                         uint32_t k, double score_min, const ir_catalog_filter *filter,
                         imgret_error *error);

#endif
