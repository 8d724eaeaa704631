/* places.c: finds corners by FAST and describes what surrounds them by turned BRIEF.
 *
 * A picture is looked at in three sizes. In each, a pixel is a corner when 9 of the 16 pixels on a circle
 * around it, side by side, are all brighter or all darker (Rosten & Drummond, ECCV 2006). The
 * strongest of each part of the picture are kept. A corner points to where its surroundings are bright;
 * 256 pairs of pixels around it, turned that way, say which of the two is brighter (Calonder et al.,
 * BRIEF, ECCV 2010). All of it in whole numbers but for the turning.
 */
#include "analyze/places.h"

#include "analyze/places_inside.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEVELS = 3,
    BORDER = 16,   /* pixels at the edge where no place is described */
    CONTRAST = 12, /* of a corner's circle to its middle, of 255 */
    ARC = 9,
    CIRCLE = 16,
    REACH = 13,    /* pixels from a place to those that its bits compare */
    CENTROID = 9,  /* pixels from a place to those that it is turned by */
    PARTS = 8,     /* on a side */
    PART_MOST = 4, /* places of one part, of one size */
    BITS = 256,
};

static const int8_t circle[CIRCLE][2] = {{0, -3}, {1, -3},  {2, -2},  {3, -1}, {3, 0},  {3, 1},
                                         {2, 2},  {1, 3},   {0, 3},   {-1, 3}, {-2, 2}, {-3, 1},
                                         {-3, 0}, {-3, -1}, {-2, -2}, {-1, -3}};

/* One size of the picture: its lightness, as it is and blurred. */
typedef struct plane {
    uint32_t width, height;
    uint8_t *light;
    uint8_t *blurred;
} plane;

typedef struct {
    int8_t x, y, other_x, other_y;
} pair;

/* ---- the picture, smaller ---- */

/* Averages of the pixels under each cell, of red, green and blue as 77 : 150 : 29. */
static void shrink(const ir_picture *picture, plane *out)
{
    for (uint32_t y = 0; y < out->height; y++) {
        uint32_t top = (uint32_t)((uint64_t)y * picture->height / out->height);
        uint32_t bottom = (uint32_t)((uint64_t)(y + 1) * picture->height / out->height);
        bottom = bottom > top ? bottom : top + 1;
        for (uint32_t x = 0; x < out->width; x++) {
            uint32_t left = (uint32_t)((uint64_t)x * picture->width / out->width);
            uint32_t right = (uint32_t)((uint64_t)(x + 1) * picture->width / out->width);
            right = right > left ? right : left + 1;
            uint64_t sum = 0;
            for (uint32_t row = top; row < bottom; row++) {
                const uint8_t *rgb = picture->rgb + ((size_t)row * picture->width + left) * 3;
                for (uint32_t i = left; i < right; i++, rgb += 3)
                    sum += 77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2];
            }
            uint64_t area = (uint64_t)(bottom - top) * (right - left) * 256;
            out->light[(size_t)y * out->width + x] = (uint8_t)(sum / area);
        }
    }
}

/* Means of 5 x 5 pixels; fewer at the edges. */
static void blur(plane *out)
{
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            uint32_t left = x > 2 ? x - 2 : 0, top = y > 2 ? y - 2 : 0, sum = 0, count = 0;
            for (uint32_t row = top; row <= y + 2 && row < out->height; row++)
                for (uint32_t i = left; i <= x + 2 && i < out->width; i++, count++)
                    sum += out->light[(size_t)row * out->width + i];
            out->blurred[(size_t)y * out->width + x] = (uint8_t)(sum / count);
        }
}

/* `level` 0 is the largest; *scale: pixels of level 0 in one of this. */
static int32_t make_plane(plane *out, const ir_picture *picture, int level, float *scale,
                          imgret_error *error)
{
    uint32_t longer = picture->width > picture->height ? picture->width : picture->height;
    double most = longer < IR_PLACES_PX ? longer : IR_PLACES_PX, step = 1;
    for (int i = 0; i < level; i++)
        step *= 1.5;
    double factor = most / step / longer;
    *scale = (float)step;
    out->width = (uint32_t)(picture->width * factor + 0.5);
    out->height = (uint32_t)(picture->height * factor + 0.5);
    out->width = out->width ? out->width : 1;
    out->height = out->height ? out->height : 1;
    size_t pixels = (size_t)out->width * out->height;
    out->light = ir_malloc(2 * pixels);
    if (!out->light)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu pixels", pixels);
    out->blurred = out->light + pixels;
    shrink(picture, out);
    blur(out);
    return IMGRET_OK;
}

/* ---- corners ---- */

/* Whether ARC neighbours on the circle, side by side, have their bit set. */
static bool has_arc(uint32_t bits)
{
    uint32_t twice = bits | bits << CIRCLE, run = twice;
    for (int i = 1; i < ARC; i++)
        run &= twice >> i;
    return run != 0;
}

/* 0: no corner. */
static uint32_t corner_strength(const uint8_t *at, size_t row)
{
    uint32_t brighter = 0, darker = 0, strength = 0;
    int middle = *at;
    for (int i = 0; i < CIRCLE; i++) {
        int apart = at[circle[i][1] * (ptrdiff_t)row + circle[i][0]] - middle;
        brighter |= (uint32_t)(apart > CONTRAST) << i;
        darker |= (uint32_t)(apart < -CONTRAST) << i;
        strength += (uint32_t)(apart < 0 ? -apart : apart);
    }
    return has_arc(brighter) || has_arc(darker) ? strength : 0;
}

static bool is_peak(const uint32_t *strengths, size_t at, size_t row)
{
    uint32_t here = strengths[at];
    const size_t before[] = {at - row - 1, at - row, at - row + 1, at - 1};
    const size_t after[] = {at + 1, at + row - 1, at + row, at + row + 1};
    for (int i = 0; i < 4; i++)
        if (strengths[before[i]] >= here || strengths[after[i]] > here)
            return false;
    return here > 0;
}

/* Keeps the PART_MOST strongest of a part, the strongest first. */
static void keep(ir_place *part, uint32_t *count, float x, float y, uint32_t strength)
{
    uint32_t at = *count;
    if (at == PART_MOST && part[at - 1].strength >= strength)
        return;
    if (at == PART_MOST)
        at--;
    else
        ++*count;
    for (; at > 0 && part[at - 1].strength < strength; at--)
        part[at] = part[at - 1];
    part[at] = (ir_place){.x = x, .y = y, .strength = strength};
}

/* The places of one plane, in its own pixels; `out` has room for those of all parts. */
static int32_t find_corners(const plane *from, ir_place *out, uint32_t *count, imgret_error *error)
{
    size_t row = from->width, pixels = row * from->height;
    *count = 0;
    if (from->width <= 2 * BORDER || from->height <= 2 * BORDER)
        return IMGRET_OK;
    uint32_t *strengths = ir_calloc(pixels, sizeof *strengths);
    ir_place(*parts)[PART_MOST] = ir_calloc(PARTS * PARTS, sizeof *parts);
    uint32_t counts[PARTS * PARTS] = {0};
    if (!strengths || !parts) {
        ir_free(strengths);
        ir_free(parts);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu pixels", pixels);
    }
    for (uint32_t y = BORDER; y < from->height - BORDER; y++)
        for (uint32_t x = BORDER; x < from->width - BORDER; x++)
            strengths[y * row + x] = corner_strength(from->light + y * row + x, row);
    for (uint32_t y = BORDER; y < from->height - BORDER; y++)
        for (uint32_t x = BORDER; x < from->width - BORDER; x++) {
            uint32_t part = y * PARTS / from->height * PARTS + x * PARTS / from->width;
            if (is_peak(strengths, y * row + x, row))
                keep(parts[part], &counts[part], (float)x, (float)y, strengths[y * row + x]);
        }
    for (uint32_t part = 0; part < PARTS * PARTS; part++)
        for (uint32_t i = 0; i < counts[part]; i++)
            out[(*count)++] = parts[part][i];
    ir_free(strengths);
    ir_free(parts);
    return IMGRET_OK;
}

/* ---- what surrounds them ---- */

/* The sum of four even numbers is normal enough; the same pairs for every picture, forever. */
static int8_t draw_offset(uint64_t *random)
{
    int sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (int)ir_random_below(random, 2 * REACH + 1) - REACH;
    sum /= 2;
    return (int8_t)(sum < -REACH ? -REACH : sum > REACH ? REACH : sum);
}

static void draw_pairs(pair *out)
{
    uint64_t random = 20110600;
    for (int i = 0; i < BITS;) {
        pair one = {draw_offset(&random), draw_offset(&random), draw_offset(&random),
                    draw_offset(&random)};
        bool inside = one.x * one.x + one.y * one.y <= REACH * REACH &&
                      one.other_x * one.other_x + one.other_y * one.other_y <= REACH * REACH;
        if (inside && (one.x != one.other_x || one.y != one.other_y))
            out[i++] = one;
    }
}

static void describe(const plane *from, const pair *pairs, ir_place *place)
{
    ptrdiff_t row = (ptrdiff_t)from->width;
    const uint8_t *middle = from->blurred + (ptrdiff_t)place->y * row + (ptrdiff_t)place->x;
    int right = 0, down = 0;
    for (int y = -CENTROID; y <= CENTROID; y++)
        for (int x = -CENTROID; x <= CENTROID; x++)
            if (x * x + y * y <= CENTROID * CENTROID) {
                int light = middle[y * row + x];
                right += x * light;
                down += y * light;
            }
    float length = sqrtf((float)right * (float)right + (float)down * (float)down);
    float cosine = length > 0 ? (float)right / length : 1,
          sine = length > 0 ? (float)down / length : 0;
    for (int i = 0; i < BITS; i++) {
        const pair *p = &pairs[i];
        long x = lrintf(cosine * p->x - sine * p->y), y = lrintf(sine * p->x + cosine * p->y);
        long u = lrintf(cosine * p->other_x - sine * p->other_y);
        long v = lrintf(sine * p->other_x + cosine * p->other_y);
        place->bits[i / 64] |= (uint64_t)(middle[y * row + x] < middle[v * row + u]) << (i % 64);
    }
}

int32_t ir_places_find(ir_places **out, const ir_picture *picture, imgret_error *error)
{
    pair pairs[BITS];
    *out = NULL;
    ir_places *places = ir_calloc(1, sizeof *places);
    if (places)
        places->rows = ir_malloc_array(LEVELS * PARTS * PARTS * PART_MOST, sizeof *places->rows);
    int32_t status = places && places->rows ? IMGRET_OK
                                            : ir_fail(error, IMGRET_NO_MEMORY,
                                                      "no memory for the places of a picture");
    draw_pairs(pairs);
    for (int level = 0; level < LEVELS && !status; level++) {
        plane here = {0};
        float scale = 1;
        uint32_t found = 0;
        ir_place *rows = places->rows + places->count;
        status = make_plane(&here, picture, level, &scale, error);
        if (!status)
            status = find_corners(&here, rows, &found, error);
        for (uint32_t i = 0; i < found && !status; i++) {
            describe(&here, pairs, &rows[i]);
            rows[i].x *= scale;
            rows[i].y *= scale;
        }
        places->count += found;
        ir_free(here.light);
    }
    if (status)
        ir_places_free(places);
    else
        *out = places;
    return status;
}

void ir_places_free(ir_places *places)
{
    if (!places)
        return;
    ir_free(places->rows);
    ir_free(places);
}

uint32_t ir_places_count(const ir_places *places)
{
    return places->count;
}
