/* colors.c: pictures by their dominant colours: every stored palette is compared. */
#include "engine/colors.h"

#include "analyze/analyze.h"
#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Difference in CIELAB at which a colour counts exp(-1/2): two reds that people call alike are some
 * 10 apart, red and orange some 40. */
static const double near_enough = 15.0;

int32_t ir_colors_read(ir_colors *out, const imgret_color_term *given, uint32_t count,
                       imgret_error *error)
{
    *out = (ir_colors){.count = count};
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        double weight = given[i].weight;
        if (!(weight >= 0) || weight > 1e9)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "imgret_color_term.weight of colour %u is %g", i, weight);
        const uint8_t rgb[3] = {given[i].red, given[i].green, given[i].blue};
        ir_analyze_lab(rgb, out->lab[i]);
        out->shares[i] = weight > 0 ? weight : 1;
        sum += out->shares[i];
    }
    for (uint32_t i = 0; i < count; i++)
        out->shares[i] /= sum;
    return IMGRET_OK;
}

double ir_colors_score(const ir_colors *colors, const imgret_swatch *swatches, uint32_t count)
{
    float lab[IMGRET_SWATCH_MAX][3];
    double score = 0;
    for (uint32_t j = 0; j < count; j++) {
        const uint8_t rgb[3] = {swatches[j].red, swatches[j].green, swatches[j].blue};
        ir_analyze_lab(rgb, lab[j]);
    }
    for (uint32_t i = 0; i < colors->count; i++) {
        double there = 0;
        for (uint32_t j = 0; j < count; j++) {
            double square = 0;
            for (int axis = 0; axis < 3; axis++) {
                double apart = (double)colors->lab[i][axis] - (double)lab[j][axis];
                square += apart * apart;
            }
            there += (double)swatches[j].share * exp(-square / (2 * near_enough * near_enough));
        }
        score += there < colors->shares[i] ? there : colors->shares[i];
    }
    return score < 1 ? score : 1;
}

/* The best so far: a heap whose root is the worst of them. */
typedef struct {
    int64_t id;
    double score;
} found_image;

typedef struct {
    const ir_colors *colors;
    double score_min;
    found_image *heap;
    uint64_t count;
    uint64_t room;
    uint64_t most;
} color_scan;

static bool is_better(const found_image *a, const found_image *b)
{
    return a->score != b->score ? a->score > b->score : a->id < b->id;
}

static void sink(color_scan *scan, found_image image)
{
    uint64_t at = 0;
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= scan->count)
            break;
        if (child + 1 < scan->count && is_better(&scan->heap[child], &scan->heap[child + 1]))
            child++;
        if (!is_better(&image, &scan->heap[child]))
            break;
        scan->heap[at] = scan->heap[child];
        at = child;
    }
    scan->heap[at] = image;
}

static int32_t climb(color_scan *scan, found_image image, imgret_error *error)
{
    if (scan->count == scan->room) {
        uint64_t room = scan->room ? 2 * scan->room : 256;
        found_image *more = ir_realloc(scan->heap, (size_t)room * sizeof *more);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu results",
                           (unsigned long long)room);
        scan->heap = more;
        scan->room = room;
    }
    uint64_t at = scan->count++;
    while (at > 0 && is_better(&scan->heap[(at - 1) / 2], &image)) {
        scan->heap[at] = scan->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    scan->heap[at] = image;
    return IMGRET_OK;
}

static int32_t take_palette(void *context, int64_t id, const imgret_swatch *swatches,
                            uint32_t count, imgret_error *error)
{
    color_scan *scan = context;
    found_image image = {id, ir_colors_score(scan->colors, swatches, count)};
    if (image.score < scan->score_min)
        return IMGRET_OK;
    if (scan->count < scan->most)
        return climb(scan, image, error);
    if (is_better(&image, &scan->heap[0]))
        sink(scan, image);
    return IMGRET_OK;
}

static int best_first(const void *a, const void *b)
{
    return is_better(a, b) ? -1 : is_better(b, a);
}

typedef struct {
    imgret_results *results;
    const found_image *images;
} gather_context;

static int32_t add_hit(void *context, uint64_t position, const imgret_record *record,
                       imgret_error *error)
{
    gather_context *gather = context;
    return ir_results_add(gather->results, record, gather->images[position].score, error);
}

static int32_t gather(imgret_results **out, ir_database *database, const color_scan *scan,
                      imgret_error *error)
{
    size_t count = (size_t)scan->count;
    int64_t *ids = ir_malloc_array(count ? count : 1, sizeof *ids);
    if (!ids)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu results", count);
    for (size_t i = 0; i < count; i++)
        ids[i] = scan->heap[i].id;
    gather_context context = {.images = scan->heap};
    int32_t status = ir_results_create(&context.results, scan->count, error);
    if (!status)
        status = ir_catalog_records_of_images(database->catalog, ids, scan->count, add_hit,
                                              &context, error);
    ir_free(ids);
    if (status) {
        imgret_results_free(context.results);
        return status;
    }
    *out = context.results;
    return IMGRET_OK;
}

int32_t ir_colors_search(imgret_results **out, ir_database *database, const ir_colors *colors,
                         uint32_t k, double score_min, const ir_catalog_filter *filter,
                         imgret_error *error)
{
    color_scan scan = {.colors = colors, .score_min = score_min, .most = k};
    *out = NULL;
    int32_t status = ir_catalog_filter_palettes(database->catalog, filter, take_palette, &scan,
                                                error);
    if (!status && scan.count > 1)
        qsort(scan.heap, (size_t)scan.count, sizeof *scan.heap, best_first);
    if (!status)
        status = gather(out, database, &scan, error);
    ir_free(scan.heap);
    return status;
}
