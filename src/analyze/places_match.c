/* places_match.c: which places of two pictures look alike, and how many of them lie alike. */
#include "analyze/places.h"

#include "analyze/places_inside.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>

enum {
    BITS_MOST = 72, /* of 256, in which places that look alike may differ */
    TRIES = 500,
    BY_CHANCE = 5, /* places that agree in pictures with nothing in common */
};

/* The next best may be at most this far from being as good (Lowe, "Distinctive Image Features", 2004). */
#define RATIO 0.85f
#define APART_PX 6.0f /* from where a place should be */
#define BASE_PX 12.0f /* the least distance of two places that tell turn and scale */
#define SCALE_MOST 4.0f

typedef struct match {
    const ir_place *a, *b;
} match;

static uint32_t bits_apart(const ir_place *a, const ir_place *b)
{
    uint32_t sum = 0;
    for (int i = 0; i < IR_PLACE_WORDS; i++)
        sum += (uint32_t)__builtin_popcountll(a->bits[i] ^ b->bits[i]);
    return sum;
}

/* The place of `among` that looks most like this one, by far; NULL: there is none. Corners found in two
 * sizes of the picture are one place: the second does not count as another. */
static const ir_place *find_like(const ir_place *place, const ir_places *among)
{
    const ir_place *best = NULL;
    uint32_t best_bits = BITS_MOST + 1, second = 256;
    for (uint32_t i = 0; i < among->count; i++) {
        const ir_place *other = &among->rows[i];
        uint32_t apart = bits_apart(place, other);
        bool near = best && fabsf(other->x - best->x) < APART_PX &&
                    fabsf(other->y - best->y) < APART_PX;
        if (apart < best_bits) {
            second = near || !best ? second : best_bits;
            best_bits = apart;
            best = other;
        } else if (apart < second && !near) {
            second = apart;
        }
    }
    return best && (float)best_bits <= RATIO * (float)second ? best : NULL;
}

static uint32_t find_matches(const ir_places *a, const ir_places *b, match *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        const ir_place *other = find_like(&a->rows[i], b);
        if (other && find_like(other, a) == &a->rows[i])
            out[count++] = (match){&a->rows[i], other};
    }
    return count;
}

/* x' = p x - q y + right, y' = q x + p y + down: a shift, a turn and a scale. */
typedef struct move {
    float p, q, right, down;
} move;

/* The one that takes two places to theirs; false: they lie too near to tell, or it is out of reason. */
static bool find_move(const match *one, const match *two, move *out)
{
    float ax = two->a->x - one->a->x, ay = two->a->y - one->a->y;
    float bx = two->b->x - one->b->x, by = two->b->y - one->b->y;
    float square = ax * ax + ay * ay, other = bx * bx + by * by;
    if (square < BASE_PX * BASE_PX || other < BASE_PX * BASE_PX ||
        other > SCALE_MOST * SCALE_MOST * square || square > SCALE_MOST * SCALE_MOST * other)
        return false;
    out->p = (ax * bx + ay * by) / square;
    out->q = (ax * by - ay * bx) / square;
    out->right = one->b->x - (out->p * one->a->x - out->q * one->a->y);
    out->down = one->b->y - (out->q * one->a->x + out->p * one->a->y);
    return true;
}

static uint32_t count_agreeing(const move *moved, const match *matches, uint32_t count)
{
    uint32_t agreeing = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ir_place *a = matches[i].a, *b = matches[i].b;
        float x = moved->p * a->x - moved->q * a->y + moved->right - b->x;
        float y = moved->q * a->x + moved->p * a->y + moved->down - b->y;
        agreeing += x * x + y * y <= APART_PX * APART_PX;
    }
    return agreeing;
}

int32_t ir_places_agree(const ir_places *a, const ir_places *b, uint32_t *out, imgret_error *error)
{
    *out = 0;
    match *matches = ir_malloc_array(a->count ? a->count : 1, sizeof *matches);
    if (!matches)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u places", a->count);
    uint32_t count = find_matches(a, b, matches);
    uint64_t random = 1;
    for (int i = 0; i < TRIES && count > BY_CHANCE; i++) {
        move moved;
        const match *one = &matches[ir_random_below(&random, count)];
        const match *two = &matches[ir_random_below(&random, count)];
        if (!find_move(one, two, &moved))
            continue;
        uint32_t agreeing = count_agreeing(&moved, matches, count);
        *out = agreeing > *out ? agreeing : *out;
    }
    ir_free(matches);
    return IMGRET_OK;
}

double ir_places_score(uint32_t agreeing)
{
    return agreeing <= BY_CHANCE ? 0 : 1 - exp(-(double)(agreeing - BY_CHANCE) / 15);
}
