/* segment_fixture.h: small segments for tests: made, searched, compared with the plain truth. */
#ifndef IR_TESTS_SEGMENT_FIXTURE_H
#define IR_TESTS_SEGMENT_FIXTURE_H

#include "testing.h"

#include "base/alloc.h"
#include "base/random.h"
#include "index/segment.h"

#include <math.h>
#include <unistd.h>

/* A file's name in a fresh folder, which remove_segment_path removes with the file. */
static inline int make_segment_path(char *path, size_t bytes)
{
    char folder[] = "/tmp/imgret-segment-XXXXXX";
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, bytes, "%s/000001.seg", folder);
    return 0;
}

static inline int remove_segment_path(const char *path)
{
    char folder[80];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    unlink(path);
    return rmdir(folder);
}

typedef struct vectors {
    uint32_t count, dimension, metric;
    float *rows; /* vector i has id 10 + 3 i */
    uint32_t next;
    uint32_t fail_at; /* the source fails there; 0: never */
} vectors;

static inline int64_t id_of(uint32_t index)
{
    return 10 + 3 * (int64_t)index;
}

/* Clusters, so that a graph has something to find. */
static inline vectors make_vectors(uint32_t count, uint32_t dimension, uint32_t metric)
{
    vectors v = {.count = count, .dimension = dimension, .metric = metric};
    v.rows = malloc(((size_t)count * dimension + 1) * sizeof v.rows[0]);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t seed = 1000 + i, cluster = i % 7;
        for (uint32_t j = 0; j < dimension; j++)
            v.rows[(size_t)i * dimension + j] = (float)ir_random_unit(&seed) - 0.5f +
                                                (float)ir_random_unit(&cluster);
    }
    return v;
}

static inline int32_t next_vector(void *context, int64_t *id, const void **stored,
                                  imgret_error *error)
{
    (void)error;
    vectors *v = context;
    if (v->fail_at && v->next == v->fail_at)
        return IMGRET_BUSY;
    if (v->next == v->count)
        return 0;
    *stored = v->rows + (size_t)v->next * v->dimension;
    *id = id_of(v->next++);
    return 1;
}

static inline ir_segment_spec spec_of(const vectors *v, ir_pool *pool)
{
    return (ir_segment_spec){.dimension = v->dimension,
                             .metric = v->metric,
                             .vector_type = IMGRET_VECTOR_F32,
                             .seed = 5,
                             .pool = pool};
}

static inline int32_t build_segment(vectors *v, const char *path, uint32_t threads,
                                    imgret_error *error)
{
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, threads, NULL), 0);
    ir_segment_spec spec = spec_of(v, pool);
    v->next = 0;
    int32_t status = ir_segment_build(path, &spec, next_vector, v, NULL, error);
    ir_pool_free(pool);
    return status;
}

static inline double true_score(const vectors *v, const float *query, uint32_t index)
{
    const float *x = v->rows + (size_t)index * v->dimension;
    double product = 0, xx = 0, qq = 0, apart = 0;
    for (uint32_t j = 0; j < v->dimension; j++) {
        product += (double)x[j] * (double)query[j];
        xx += (double)x[j] * (double)x[j];
        qq += (double)query[j] * (double)query[j];
        apart += pow((double)x[j] - (double)query[j], 2);
    }
    if (v->metric == IMGRET_METRIC_L2)
        return -sqrt(apart);
    if (v->metric == IMGRET_METRIC_INNER_PRODUCT)
        return product;
    return xx > 0 && qq > 0 ? product / sqrt(xx * qq) : 0;
}

/* How many of the found are truly among the k best; scores are checked on the way. */
static inline uint32_t count_right(const vectors *v, const float *query, uint32_t k,
                                   const ir_neighbor *found, uint32_t count)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (uint32_t)((found[i].id - 10) / 3), better = 0;
        double score = true_score(v, query, index);
        assert_true(fabs(score - found[i].score) < 1e-4 * (1 + fabs(score)));
        for (uint32_t other = 0; other < v->count; other++)
            better += true_score(v, query, other) > score + 1e-9;
        right += better < k;
        if (i > 0)
            assert_true(found[i - 1].score > found[i].score ||
                        (found[i - 1].score == found[i].score && found[i - 1].id < found[i].id));
    }
    return right;
}

static inline void make_query(const vectors *v, uint32_t number, float *out)
{
    uint64_t seed = 77 + number, cluster = number % 7;
    for (uint32_t j = 0; j < v->dimension; j++)
        out[j] = (float)ir_random_unit(&seed) - 0.5f + (float)ir_random_unit(&cluster);
}

#endif
