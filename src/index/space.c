/* space.c: from stored vectors and queries to the rotated space that codes and keys live in. */
#include "index/space.h"

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

size_t ir_space_stored_bytes(const ir_space *space)
{
    return (size_t)space->dimension * (space->vector_type == IMGRET_VECTOR_F32 ? 4 : 2);
}

static void decode(const ir_space *space, const void *stored, float *out)
{
    if (space->vector_type == IMGRET_VECTOR_F32)
        memcpy(out, stored, ir_space_stored_bytes(space));
    else
        ir_kernels_get()->f32_from_f16(out, stored, space->dimension);
}

static double normalise(const ir_space *space, float *values)
{
    double squared = (double)ir_kernels_get()->dot_f32(values, values, space->dimension);
    if (space->metric == IMGRET_METRIC_COSINE && squared > 0) {
        float inverse = (float)(1 / sqrt(squared));
        for (uint32_t j = 0; j < space->dimension; j++)
            values[j] *= inverse;
    }
    return squared;
}

double ir_space_load(const ir_space *space, const void *stored, float *out)
{
    decode(space, stored, out);
    return normalise(space, out);
}

double ir_space_load_query(const ir_space *space, const float *query, float *out)
{
    memcpy(out, query, space->dimension * sizeof out[0]);
    return normalise(space, out);
}

void ir_space_rotate(const ir_space *space, float *loaded, float *out)
{
    float inverse = 1.0f / space->unit;
    for (uint32_t j = 0; j < space->dimension; j++)
        loaded[j] = (loaded[j] - space->mean[j]) * inverse;
    ir_rotate(space->rotation, loaded, out);
}

float ir_space_key_offset(const ir_space *space, double length_squared)
{
    double unit_squared = (double)space->unit * (double)space->unit;
    if (space->metric == IMGRET_METRIC_INNER_PRODUCT)
        return (float)(-length_squared / unit_squared);
    if (space->metric == IMGRET_METRIC_COSINE && !(length_squared > 0))
        return (float)(1 / unit_squared);
    return 0;
}

double ir_space_score(const ir_space *space, double key, double query_squared)
{
    double value = key * (double)space->unit * (double)space->unit;
    if (space->metric == IMGRET_METRIC_INNER_PRODUCT)
        return (query_squared - value) / 2;
    if (space->metric == IMGRET_METRIC_COSINE)
        return query_squared > 0 ? fmax(-1, fmin(1, 1 - value / 2)) : 0;
    return value > 0 ? -sqrt(value) : 0;
}

double ir_space_key(const ir_space *space, double score, double query_squared)
{
    double unit_squared = (double)space->unit * (double)space->unit;
    if (space->metric == IMGRET_METRIC_INNER_PRODUCT)
        return (query_squared - 2 * score) / unit_squared;
    if (space->metric == IMGRET_METRIC_COSINE)
        return (2 - 2 * score) / unit_squared;
    return score * score / unit_squared;
}

double ir_space_exact_score(const ir_space *space, const float *query, double query_squared,
                            const void *stored, float *scratch)
{
    const ir_kernels *kernels = ir_kernels_get();
    uint32_t n = space->dimension;
    decode(space, stored, scratch);
    if (space->metric == IMGRET_METRIC_L2)
        return -sqrt((double)kernels->l2sq_f32(query, scratch, n));
    double product = (double)kernels->dot_f32(query, scratch, n);
    if (space->metric == IMGRET_METRIC_INNER_PRODUCT)
        return product;
    double squared = (double)kernels->dot_f32(scratch, scratch, n);
    if (!(squared > 0) || !(query_squared > 0))
        return 0;
    double cosine = product / sqrt(squared * query_squared);
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}
