/* rotate.c: a random rotation from rounds of random signs and Walsh-Hadamard transforms.
 *
 * The transform needs a power of two. Any other length takes the largest power of two that fits,
 * at the front in even rounds and at the back in odd ones, and then mixes its two halves by one
 * butterfly, so that every coordinate reaches every other one. Each step is orthogonal.
 */
#include "index/rotate.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <string.h>

enum { ROUNDS_POWER_OF_TWO = 3, ROUNDS_OTHER = 4 };

static const float sqrt_half = 0.70710678f;

struct ir_rotation {
    uint32_t dimension;
    uint32_t padded; /* the rotated length */
    uint32_t block;  /* largest power of two not above it */
    uint32_t rounds;
    const ir_code_kernels *kernels;
    float factors[]; /* rounds x padded: random sign, and the transform's scale inside the block */
};

static uint32_t block_start(const ir_rotation *rotation, uint32_t round)
{
    return round % 2 ? rotation->padded - rotation->block : 0;
}

static void draw_factors(ir_rotation *rotation, uint64_t seed)
{
    float scale = 1.0f / sqrtf((float)rotation->block);
    for (uint32_t round = 0; round < rotation->rounds; round++) {
        float *factors = rotation->factors + (size_t)round * rotation->padded;
        uint32_t start = block_start(rotation, round);
        for (uint32_t i = 0; i < rotation->padded; i++) {
            float sign = ir_random_next(&seed) >> 63 ? 1.0f : -1.0f;
            factors[i] = i >= start && i < start + rotation->block ? sign * scale : sign;
        }
    }
}

int32_t ir_rotation_create(ir_rotation **out, uint32_t dimension, uint64_t seed,
                           imgret_error *error)
{
    *out = NULL;
    if (dimension < IR_DIMENSION_MIN || dimension > IR_DIMENSION_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "dimension %u: an index takes %d to %d",
                       dimension, IR_DIMENSION_MIN, IR_DIMENSION_MAX);
    uint32_t padded = (dimension + 7) / 8 * 8;
    uint32_t block = 8;
    while (block * 2 <= padded)
        block *= 2;
    uint32_t rounds = block == padded ? ROUNDS_POWER_OF_TWO : ROUNDS_OTHER;
    ir_rotation *rotation = ir_malloc(sizeof *rotation +
                                      (size_t)rounds * padded * sizeof rotation->factors[0]);
    if (!rotation)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a rotation of %u dimensions",
                       dimension);
    rotation->dimension = dimension;
    rotation->padded = padded;
    rotation->block = block;
    rotation->rounds = rounds;
    rotation->kernels = ir_code_kernels_get();
    draw_factors(rotation, seed);
    *out = rotation;
    return IMGRET_OK;
}

void ir_rotation_free(ir_rotation *rotation)
{
    ir_free(rotation);
}

uint32_t ir_rotation_dimension(const ir_rotation *rotation)
{
    return rotation->padded;
}

void ir_rotate(const ir_rotation *rotation, const float *in, float *out)
{
    uint32_t n = rotation->padded;
    memcpy(out, in, rotation->dimension * sizeof out[0]);
    memset(out + rotation->dimension, 0, (n - rotation->dimension) * sizeof out[0]);
    for (uint32_t round = 0; round < rotation->rounds; round++) {
        const float *factors = rotation->factors + (size_t)round * n;
        rotation->kernels->multiply(out, factors, n);
        rotation->kernels->fht(out + block_start(rotation, round), rotation->block);
        if (rotation->block != n)
            rotation->kernels->mix_halves(out, n, sqrt_half);
    }
}
