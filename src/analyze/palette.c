/* palette.c: the colours of a picture: a histogram, its k-means in CIELAB, names, warmth.
 *
 * Pixels are gathered in 16 x 16 x 16 cells of sRGB first; k-means (Lloyd 1982) runs on the cells,
 * weighted, from a fixed start: the greatest cell, then each time the one whose weight times squared
 * distance to the centres so far is greatest. No random number, so the same picture gives the same
 * colours.
 */
#include "analyze/inside.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { CELLS = IR_PALETTE_CELLS, ROUNDS = 8 };

#define ALIKE 8.0f       /* Delta E (CIE76) below which two clusters are one colour */
#define SHARE_MIN 0.015f /* of a swatch, but for the greatest */

/* Mean chroma at which warmth counts by half: paler pictures are neither warm nor cool. */
#define CHROMA_FAINT 4.0f
#define WARM_A 0.5735764f /* the hue 55 degrees, between red and yellow, opposite to sky blue */
#define WARM_B 0.8191520f

typedef ir_palette_cell cell;
typedef ir_palette_point point;

typedef struct cluster {
    ir_lab center;
    float weight;
    double red, green, blue; /* sums, of the cells */
} cluster;

static float distance_square(ir_lab x, ir_lab y)
{
    float light = x.light - y.light, a = x.a - y.a, b = x.b - y.b;
    return light * light + a * a + b * b;
}

static void gather(cell *cells, const ir_small *small)
{
    memset(cells, 0, CELLS * sizeof *cells);
    const uint8_t *pixel = small->rgb;
    for (uint32_t i = 0; i < small->width * small->height; i++, pixel += 3) {
        cell *at = &cells[(pixel[0] >> 4) << 8 | (pixel[1] >> 4) << 4 | pixel[2] >> 4];
        at->count++;
        at->red += pixel[0];
        at->green += pixel[1];
        at->blue += pixel[2];
    }
}

static uint32_t make_points(point *points, const cell *cells, uint32_t pixel_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CELLS; i++) {
        if (cells[i].count == 0)
            continue;
        uint32_t half = cells[i].count / 2;
        uint8_t rgb[3] = {(uint8_t)((cells[i].red + half) / cells[i].count),
                          (uint8_t)((cells[i].green + half) / cells[i].count),
                          (uint8_t)((cells[i].blue + half) / cells[i].count)};
        points[count++] = (point){ir_lab_of(rgb), (float)cells[i].count / (float)pixel_count, i, 0,
                                  1.0f};
    }
    return count;
}

static uint32_t start_centers(cluster *clusters, point *points, uint32_t count)
{
    uint32_t made = 0;
    while (made < IMGRET_SWATCH_MAX && made < count) {
        float greatest = 0.0f;
        uint32_t chosen = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (made > 0) {
                float square = distance_square(points[i].lab, clusters[made - 1].center);
                points[i].nearest = made > 1 && points[i].nearest < square ? points[i].nearest
                                                                           : square;
            }
            if (points[i].weight * points[i].nearest > greatest) {
                greatest = points[i].weight * points[i].nearest;
                chosen = i;
            }
        }
        if (greatest <= 0.0f)
            break;
        clusters[made++] = (cluster){.center = points[chosen].lab};
    }
    return made;
}

/* Whether any point went to another cluster. */
static bool assign(point *points, uint32_t count, const cluster *clusters, uint32_t cluster_count)
{
    bool moved = false;
    for (uint32_t i = 0; i < count; i++) {
        float least = INFINITY;
        uint32_t nearest = points[i].cluster;
        for (uint32_t c = 0; c < cluster_count; c++) {
            float square = distance_square(points[i].lab, clusters[c].center);
            nearest = square < least ? c : nearest;
            least = square < least ? square : least;
        }
        moved = moved || nearest != points[i].cluster;
        points[i].cluster = nearest;
    }
    return moved;
}

static void move_centers(cluster *clusters, uint32_t cluster_count, const point *points,
                         uint32_t count)
{
    ir_lab sums[IMGRET_SWATCH_MAX] = {{0}};
    float weights[IMGRET_SWATCH_MAX] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = points[i].cluster;
        sums[c].light += points[i].weight * points[i].lab.light;
        sums[c].a += points[i].weight * points[i].lab.a;
        sums[c].b += points[i].weight * points[i].lab.b;
        weights[c] += points[i].weight;
    }
    for (uint32_t c = 0; c < cluster_count; c++) {
        clusters[c].weight = weights[c];
        if (weights[c] > 0.0f)
            clusters[c].center = (ir_lab){sums[c].light / weights[c], sums[c].a / weights[c],
                                          sums[c].b / weights[c]};
    }
}

/* Joins the two clusters that are nearest while they look alike; returns how many are left. */
static uint32_t merge_alike(cluster *clusters, uint32_t count)
{
    for (;;) {
        float least = ALIKE * ALIKE;
        uint32_t first = 0, second = 0;
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = i + 1; j < count; j++) {
                float square = distance_square(clusters[i].center, clusters[j].center);
                if (square < least) {
                    least = square;
                    first = i;
                    second = j;
                }
            }
        if (first == second)
            return count;
        cluster *into = &clusters[first], *from = &clusters[second];
        float weight = into->weight + from->weight;
        float part = weight > 0.0f ? from->weight / weight : 0.0f;
        into->center.light += part * (from->center.light - into->center.light);
        into->center.a += part * (from->center.a - into->center.a);
        into->center.b += part * (from->center.b - into->center.b);
        into->weight = weight;
        *from = clusters[--count];
    }
}

/* Mean sRGB of each cluster, greatest share first. */
static void write_swatches(cluster *clusters, uint32_t cluster_count, point *points, uint32_t count,
                           const cell *cells, imgret_attributes *out)
{
    assign(points, count, clusters, cluster_count);
    uint64_t pixels[IMGRET_SWATCH_MAX] = {0};
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        const cell *from = &cells[points[i].cell];
        cluster *to = &clusters[points[i].cluster];
        to->red += from->red;
        to->green += from->green;
        to->blue += from->blue;
        pixels[points[i].cluster] += from->count;
        total += from->count;
    }
    for (uint32_t rank = 0; rank < cluster_count; rank++) {
        uint32_t best = 0;
        for (uint32_t c = 1; c < cluster_count; c++)
            if (pixels[c] > pixels[best])
                best = c;
        float share = (float)pixels[best] / (float)total;
        if (pixels[best] == 0 || (rank > 0 && share < SHARE_MIN))
            break;
        double scale = 1.0 / (double)pixels[best];
        uint8_t rgb[3] = {(uint8_t)(clusters[best].red * scale + 0.5),
                          (uint8_t)(clusters[best].green * scale + 0.5),
                          (uint8_t)(clusters[best].blue * scale + 0.5)};
        out->swatches[out->swatch_count++] = (imgret_swatch){
            rgb[0], rgb[1], rgb[2], (uint8_t)ir_lab_name(ir_lab_of(rgb)), share};
        pixels[best] = 0;
    }
}

static void measure_colour(const point *points, uint32_t count, imgret_attributes *out)
{
    float chroma_sum = 0.0f, warm_sum = 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        ir_lab lab = points[i].lab;
        out->color_shares[ir_lab_cell_name(points[i].cell)] += points[i].weight;
        chroma_sum += points[i].weight * sqrtf(lab.a * lab.a + lab.b * lab.b);
        warm_sum += points[i].weight * (WARM_A * lab.a + WARM_B * lab.b);
    }
    out->saturation = (double)chroma_sum;
    out->warmth = (double)(warm_sum / (chroma_sum + CHROMA_FAINT));
}

void ir_palette_fill(const ir_small *small, ir_palette_work *work, imgret_attributes *out)
{
    cluster clusters[IMGRET_SWATCH_MAX];
    gather(work->cells, small);
    uint32_t count = make_points(work->points, work->cells, small->width * small->height);
    measure_colour(work->points, count, out);
    uint32_t cluster_count = start_centers(clusters, work->points, count);
    for (int round = 0; round < ROUNDS; round++) {
        bool moved = assign(work->points, count, clusters, cluster_count);
        if (!moved && round > 0) /* the centres stay where they are */
            break;
        move_centers(clusters, cluster_count, work->points, count);
    }
    cluster_count = merge_alike(clusters, cluster_count);
    write_swatches(clusters, cluster_count, work->points, count, work->cells, out);
}
