/* analyze.c: one picture's attributes: scaled down once, then light, colours and hash. */
#include "analyze/analyze.h"

#include "analyze/inside.h"
#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

static void measure_light(const ir_small *small, imgret_attributes *out)
{
    uint32_t count = small->width * small->height;
    double sum = 0.0, squares = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        double light = (double)small->light[i];
        sum += light;
        squares += light * light;
    }
    double mean = sum / count, variance = squares / count - mean * mean;
    out->brightness = mean;
    out->contrast = variance > 1e-9 ? sqrt(variance) : 0.0;
}

/* The standard deviation of the Laplacian, the usual measure of focus (Pech-Pacheco et al. 2000). */
static double sharpness_of(const ir_small *small)
{
    uint32_t width = small->width, height = small->height;
    if (width < 3 || height < 3)
        return 0.0;
    double sum = 0.0, squares = 0.0;
    for (uint32_t y = 1; y + 1 < height; y++) {
        const float *row = small->light + (size_t)y * width;
        const float *above = row - width, *below = row + width;
        float row_sum = 0.0f, row_squares = 0.0f;
        for (uint32_t x = 1; x + 1 < width; x++) {
            float edge = row[x - 1] + row[x + 1] + above[x] + below[x] - 4.0f * row[x];
            row_sum += edge;
            row_squares += edge * edge;
        }
        sum += (double)row_sum;
        squares += (double)row_squares;
    }
    double count = (double)(width - 2) * (height - 2);
    double mean = sum / count, variance = squares / count - mean * mean;
    return variance > 1e-9 ? sqrt(variance) : 0.0;
}

struct ir_analyzer {
    ir_small small;
    ir_palette_work palette;
    float *sums; /* of a row, 3 * sums_width */
    uint32_t sums_width;
};

void ir_analyzer_free(ir_analyzer *analyzer)
{
    if (analyzer)
        ir_free(analyzer->sums);
    ir_free(analyzer);
}

/* An analyzer with room for rows of this width. */
static int32_t make_ready(ir_analyzer **analyzer, uint32_t width, imgret_error *error)
{
    if (!*analyzer) {
        *analyzer = ir_malloc(sizeof **analyzer);
        if (*analyzer) {
            (*analyzer)->sums = NULL;
            (*analyzer)->sums_width = 0;
        }
    }
    if (*analyzer && width > (*analyzer)->sums_width) {
        float *sums = ir_malloc_array((size_t)width * 3, sizeof *sums);
        ir_free((*analyzer)->sums);
        (*analyzer)->sums = sums;
        (*analyzer)->sums_width = sums ? width : 0;
    }
    if (!*analyzer || !(*analyzer)->sums)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to measure a picture");
    return IMGRET_OK;
}

int32_t ir_analyze(ir_analyzer **analyzer, const ir_picture *picture, imgret_attributes *out,
                   imgret_error *error)
{
    *out = (imgret_attributes){.size = sizeof *out, .latitude = NAN, .longitude = NAN};
    int32_t status = make_ready(analyzer, picture->width, error);
    if (status)
        return status;
    ir_small *small = &(*analyzer)->small;
    ir_small_fill(small, (*analyzer)->sums, picture->rgb, picture->width, picture->height);
    ir_lab_lights(small->rgb, small->width * small->height, small->light);
    measure_light(small, out);
    out->sharpness = sharpness_of(small);
    out->perceptual_hash = ir_perceptual_hash(small->light, small->width, small->height);
    ir_palette_fill(small, &(*analyzer)->palette, out);
    return IMGRET_OK;
}
