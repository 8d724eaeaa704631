/* gen.c: `imgret-bench gen`: makes a set of vectors like the features of a network, as hard as asked.
 *
 * Points of Gaussian clusters of different sizes on a manifold of few dimensions are carried into
 * the wanted dimension by a random layer with ReLU, get noise, and are L2-normalised. What makes a
 * set hard for a graph index is the number of dimensions in which neighbours really differ
 * (Houle's local intrinsic dimensionality; compare "The role of local intrinsic dimensionality in
 * benchmarking nearest neighbor search", Aumueller and Ceccarello, 2019): --hardness sets that, with
 * the spread of clusters and the noise. Every point has a seed of its own, so the set depends neither
 * on the number of threads nor, its first points, on --count.
 */
#include "commands.h"
#include "options.h"
#include "truth.h"
#include "vectors.h"

#include "../common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFOLD_MAX = 256, BLOCK_ROWS = 8192, THREADS_MAX = 64, HARDNESS_MAX = 5 };

typedef struct {
    uint32_t manifold; /* dimensions in which the points really vary */
    float spread;      /* of a cluster, against the distance between clusters */
    float noise;       /* in every output dimension, against the layer's outputs */
} recipe;

/* By hardness, from 1. The README of bench/ tells what hnswlib reaches on each. */
static const recipe recipes[HARDNESS_MAX + 1] = {
    {0, 0, 0},         {8, 0.3f, 0.01f},  {16, 0.5f, 0.02f},
    {24, 0.8f, 0.05f}, {64, 1.0f, 0.15f}, {128, 1.2f, 0.2f},
};

typedef struct {
    uint64_t seed, count;
    uint32_t query_count, dimension, clusters, threads;
    recipe recipe;
    float *centers; /* clusters x manifold */
    float *scales;  /* clusters: they differ in size */
    float *layer;   /* dimension x manifold */
    float *bias;    /* dimension */
} generator;

typedef struct {
    const generator *generator;
    uint64_t first; /* number of the block's first point */
    uint64_t count;
    float *rows;
    uint32_t thread;
} share;

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* Two at once: the method of Box and Muller. */
static void draw_normals(uint64_t *state, float *out, uint32_t count, float scale)
{
    for (uint32_t i = 0; i < count; i += 2) {
        double u = ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
        double angle = (double)(next_random(state) >> 11) * 0x1p-53 * 6.283185307179586;
        double radius = sqrt(-2 * log(u));
        out[i] = scale * (float)(radius * cos(angle));
        if (i + 1 < count)
            out[i + 1] = scale * (float)(radius * sin(angle));
    }
}

static void make_point(const generator *g, uint64_t number, float *out)
{
    const recipe *r = &g->recipe;
    uint64_t state = g->seed ^ (number + 1) * 0xD1342543DE82EF95ull;
    uint64_t cluster = next_random(&state) % g->clusters;
    float point[MANIFOLD_MAX];
    draw_normals(&state, point, r->manifold, r->spread * g->scales[cluster]);
    for (uint32_t j = 0; j < r->manifold; j++)
        point[j] += g->centers[cluster * r->manifold + j];
    draw_normals(&state, out, g->dimension, r->noise);
    double squares = 0;
    for (uint32_t i = 0; i < g->dimension; i++) {
        const float *weights = g->layer + (size_t)i * r->manifold;
        float sum = g->bias[i] + out[i];
        for (uint32_t j = 0; j < r->manifold; j++)
            sum += weights[j] * point[j];
        out[i] = sum > 0 ? sum : 0;
        squares += (double)out[i] * (double)out[i];
    }
    float inverse = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    for (uint32_t i = 0; i < g->dimension; i++)
        out[i] *= inverse;
}

static void *make_share(void *argument)
{
    const share *s = argument;
    const generator *g = s->generator;
    for (uint64_t i = s->thread; i < s->count; i += g->threads)
        make_point(g, s->first + i, s->rows + i * g->dimension);
    return NULL;
}

static void make_block(const generator *g, uint64_t first, uint64_t count, float *rows)
{
    share shares[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    for (uint32_t t = 0; t < g->threads; t++) {
        shares[t] = (share){g, first, count, rows, t};
        if (pthread_create(&ids[t], NULL, make_share, &shares[t]) != 0)
            bench_die("cannot start a thread");
    }
    for (uint32_t t = 0; t < g->threads; t++)
        pthread_join(ids[t], NULL);
}

static float *draw_array(const generator *g, uint64_t count, float scale, uint64_t stream)
{
    uint64_t state = g->seed ^ stream * 0xA0761D6478BD642Full;
    float *out = malloc(count * sizeof *out);
    if (!out)
        bench_die("no memory");
    draw_normals(&state, out, (uint32_t)count, scale);
    return out;
}

static void draw_layer(generator *g)
{
    uint32_t manifold = g->recipe.manifold;
    g->centers = draw_array(g, (uint64_t)g->clusters * manifold, 1, 1);
    g->scales = draw_array(g, g->clusters, 0.4f, 2);
    g->layer = draw_array(g, (uint64_t)g->dimension * manifold, 1 / sqrtf((float)manifold), 3);
    g->bias = draw_array(g, g->dimension, 0.3f, 4);
    for (uint32_t c = 0; c < g->clusters; c++)
        g->scales[c] = expf(g->scales[c]);
}

/* Points from `first` on, count of them, as an fbin file. */
static void write_points(const generator *g, const char *path, uint64_t first, uint64_t count)
{
    uint32_t shape[2] = {(uint32_t)count, g->dimension};
    float *rows = malloc((size_t)BLOCK_ROWS * g->dimension * sizeof *rows);
    FILE *file = fopen(path, "wb");
    if (!rows || !file || fwrite(shape, sizeof shape, 1, file) != 1)
        bench_die("%s: cannot be written", path);
    for (uint64_t at = 0; at < count;) {
        uint64_t block = count - at < BLOCK_ROWS ? count - at : BLOCK_ROWS;
        make_block(g, first + at, block, rows);
        if (fwrite(rows, sizeof *rows * g->dimension, block, file) != block)
            bench_die("%s: cannot be written", path);
        at += block;
    }
    if (fclose(file) != 0)
        bench_die("%s: cannot be written", path);
    free(rows);
}

static void write_truth(const generator *g, const char *base, const char *queries, const char *path,
                        uint32_t depth)
{
    uint64_t count;
    uint32_t dimension;
    float *rows = bench_vectors_load(queries, 0, &count, &dimension);
    bench_truth truth = bench_truth_compute(base, 0, rows, (uint32_t)count, depth, IMGRET_METRIC_L2,
                                            g->threads);
    bench_truth_write(&truth, path);
    bench_truth_free(&truth);
    free(rows);
}

/* A hardness, or parts of one of its own. */
static void read_recipe(recipe *r, int argc, char **argv)
{
    *r = recipes[bench_number(argc, argv, "--hardness", 3, 1, HARDNESS_MAX)];
    r->manifold = (uint32_t)bench_number(argc, argv, "--manifold", r->manifold, 1, MANIFOLD_MAX);
    r->spread = (float)bench_real(argc, argv, "--spread", (double)r->spread, 0, 100);
    r->noise = (float)bench_real(argc, argv, "--noise", (double)r->noise, 0, 100);
}

int bench_gen(int argc, char **argv)
{
    static const char *const valued[] = {
        "--out",     "--dimension", "--count",    "--queries", "--hardness", "--seed", "--clusters",
        "--threads", "--depth",     "--manifold", "--spread",  "--noise",    NULL};
    static const char *const none[] = {NULL};
    bench_check_options(argc, argv, valued, none, none);
    const char *out = bench_option(argc, argv, "--out", NULL);
    if (!out)
        bench_die("gen: --out FOLDER is missing");
    generator g = {.seed = bench_number(argc, argv, "--seed", 1, 0, UINT64_MAX)};
    g.count = bench_number(argc, argv, "--count", 100000, 1, 1000000000);
    g.query_count = (uint32_t)bench_number(argc, argv, "--queries", 2000, 2, 1000000);
    g.dimension = (uint32_t)bench_number(argc, argv, "--dimension", 512, 2, 4096);
    g.clusters = (uint32_t)bench_number(argc, argv, "--clusters", 200, 1, 100000);
    read_recipe(&g.recipe, argc, argv);
    g.threads = (uint32_t)bench_number(argc, argv, "--threads", bench_cpu_count(), 1, THREADS_MAX);
    uint32_t depth = (uint32_t)bench_number(argc, argv, "--depth", 100, 1, 1000);
    char base[4096], queries[4096], truth[4096];
    snprintf(base, sizeof base, "%s/base.fbin", out);
    snprintf(queries, sizeof queries, "%s/queries.fbin", out);
    snprintf(truth, sizeof truth, "%s/truth.ibin", out);
    mkdir(out, 0777); /* where that fails, so does the file in it */
    draw_layer(&g);
    /* Queries first in number: they stay the same, and outside of the base, whatever its size. */
    write_points(&g, queries, 0, g.query_count);
    write_points(&g, base, g.query_count, g.count);
    write_truth(&g, base, queries, truth, depth);
    free(g.centers);
    free(g.scales);
    free(g.layer);
    free(g.bias);
    return 0;
}
