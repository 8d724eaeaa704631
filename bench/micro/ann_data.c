/* ann_data.c: sets of vectors for the measuring programs: files read, hard sets made, truth found. */
#include "ann_data.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Files -------------------------------------------------------------------------------------- */

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return -1;
}

static int ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);
    return length >= tail && strcmp(path + length - tail, end) == 0;
}

static int read_fvecs(ann_set *out, FILE *file, const char *path, uint32_t count_max)
{
    int32_t dimension;
    if (fread(&dimension, 4, 1, file) != 1 || dimension < 1 || dimension > 65536)
        return complain(path, "no fvecs file");
    fseek(file, 0, SEEK_END);
    uint64_t count = (uint64_t)ftell(file) / (4 + 4 * (uint64_t)dimension);
    rewind(file);
    out->count = count_max && count_max < count ? count_max : (uint32_t)count;
    out->dimension = (uint32_t)dimension;
    out->rows = malloc((size_t)out->count * out->dimension * sizeof out->rows[0]);
    for (uint32_t i = 0; out->rows && i < out->count; i++) {
        float *row = out->rows + (size_t)i * out->dimension;
        if (fread(&dimension, 4, 1, file) != 1 ||
            fread(row, sizeof row[0], out->dimension, file) != out->dimension)
            return complain(path, "cut short");
    }
    return out->rows ? 0 : complain(path, "no memory");
}

static int read_fbin(ann_set *out, FILE *file, const char *path, uint32_t count_max)
{
    uint32_t shape[2];
    if (fread(shape, 4, 2, file) != 2 || shape[1] < 1 || shape[1] > 65536)
        return complain(path, "no fbin file");
    out->count = count_max && count_max < shape[0] ? count_max : shape[0];
    out->dimension = shape[1];
    size_t floats = (size_t)out->count * out->dimension;
    out->rows = malloc(floats * sizeof out->rows[0]);
    if (!out->rows || fread(out->rows, sizeof out->rows[0], floats, file) != floats)
        return complain(path, "cut short");
    return 0;
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int read_idx(ann_set *out, FILE *file, const char *path, uint32_t count_max)
{
    unsigned char head[16];
    if (fread(head, 1, 16, file) != 16 || big_endian(head) != 0x803)
        return complain(path, "no idx file of pictures");
    uint32_t count = big_endian(head + 4);
    out->count = count_max && count_max < count ? count_max : count;
    out->dimension = big_endian(head + 8) * big_endian(head + 12);
    size_t total = (size_t)out->count * out->dimension;
    unsigned char *bytes = malloc(total);
    out->rows = malloc(total * sizeof out->rows[0]);
    int status = bytes && out->rows && fread(bytes, 1, total, file) == total
                     ? 0
                     : complain(path, "cut short");
    for (size_t i = 0; !status && i < total; i++)
        out->rows[i] = bytes[i];
    free(bytes);
    return status;
}

int ann_read(ann_set *out, const char *path, uint32_t count_max)
{
    memset(out, 0, sizeof *out);
    int packed = ends_with(path, ".gz");
    char command[4200];
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    FILE *file = packed ? popen(command, "r") : fopen(path, "rb");
    if (!file)
        return complain(path, "cannot be opened");
    int status;
    if (ends_with(path, ".fvecs"))
        status = read_fvecs(out, file, path, count_max);
    else if (ends_with(path, ".fbin"))
        status = read_fbin(out, file, path, count_max);
    else
        status = read_idx(out, file, path, count_max);
    if (packed)
        pclose(file);
    else
        fclose(file);
    return status;
}

/* ---- Generated sets ------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static float normal(uint64_t *state)
{
    double u = ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
    double v = (double)(next_random(state) >> 11) * 0x1p-53;
    return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

typedef struct maker {
    const ann_recipe *recipe;
    const float *centers; /* clusters x manifold */
    const float *scales;  /* clusters: they differ in size */
    const float *layer;   /* dimension x manifold */
    const float *bias;    /* dimension */
    ann_set *base, *queries;
    uint32_t thread, threads;
} maker;

/* Each point has a seed of its own: the set does not depend on the threads. */
static void make_point(const maker *m, uint64_t index, float *out)
{
    const ann_recipe *r = m->recipe;
    uint64_t state = r->seed ^ (index + 1) * 0xD1342543DE82EF95ull;
    float point[1024];
    uint32_t cluster = (uint32_t)(next_random(&state) % r->clusters);
    for (uint32_t j = 0; j < r->manifold; j++)
        point[j] = m->centers[cluster * r->manifold + j] +
                   r->spread * m->scales[cluster] * normal(&state);
    double squares = 0;
    for (uint32_t i = 0; i < r->dimension; i++) {
        const float *weights = m->layer + (size_t)i * r->manifold;
        float sum = m->bias[i];
        for (uint32_t j = 0; j < r->manifold; j++)
            sum += weights[j] * point[j];
        sum += r->noise * normal(&state);
        out[i] = sum > 0 ? sum : 0;
        squares += (double)out[i] * (double)out[i];
    }
    float inverse = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    for (uint32_t i = 0; i < r->dimension; i++)
        out[i] *= inverse;
}

static void *make_points(void *argument)
{
    maker *m = argument;
    uint64_t total = (uint64_t)m->recipe->count + m->recipe->query_count;
    for (uint64_t i = m->thread; i < total; i += m->threads) {
        ann_set *set = i < m->recipe->count ? m->base : m->queries;
        uint64_t at = i < m->recipe->count ? i : i - m->recipe->count;
        make_point(m, i, set->rows + at * m->recipe->dimension);
    }
    return NULL;
}

static float *random_floats(uint64_t count, float scale, uint64_t seed)
{
    float *out = malloc(count * sizeof out[0]);
    for (uint64_t i = 0; out && i < count; i++)
        out[i] = scale * normal(&seed);
    return out;
}

int ann_generate(ann_set *base, ann_set *queries, const ann_recipe *r, uint32_t threads)
{
    if (r->manifold < 1 || r->manifold > 1024 || r->clusters < 1 || threads < 1 || threads > 64)
        return complain("generator", "manifold 1-1024, clusters from 1, threads 1-64");
    float *centers = random_floats((uint64_t)r->clusters * r->manifold, 1, r->seed ^ 1);
    float *scales = random_floats(r->clusters, 0.4f, r->seed ^ 2);
    float *layer = random_floats((uint64_t)r->dimension * r->manifold,
                                 1 / sqrtf((float)r->manifold), r->seed ^ 3);
    float *bias = random_floats(r->dimension, 0.3f, r->seed ^ 4);
    *base = (ann_set){r->count, r->dimension, NULL};
    *queries = (ann_set){r->query_count, r->dimension, NULL};
    base->rows = malloc((size_t)r->count * r->dimension * sizeof(float));
    queries->rows = malloc((size_t)r->query_count * r->dimension * sizeof(float));
    int status = centers && scales && layer && bias && base->rows && queries->rows
                     ? 0
                     : complain("generator", "no memory");
    for (uint32_t c = 0; !status && c < r->clusters; c++)
        scales[c] = expf(scales[c]);
    maker makers[64];
    pthread_t ids[64];
    for (uint32_t t = 0; !status && t < threads; t++) {
        makers[t] = (maker){r, centers, scales, layer, bias, base, queries, t, threads};
        pthread_create(&ids[t], NULL, make_points, &makers[t]);
    }
    for (uint32_t t = 0; !status && t < threads; t++)
        pthread_join(ids[t], NULL);
    free(centers);
    free(scales);
    free(layer);
    free(bias);
    return status;
}

/* ---- Truth ---------------------------------------------------------------------------------------- */

typedef struct truth_work {
    const ann_set *base, *queries;
    uint32_t k, thread, threads;
    uint32_t *out;
} truth_work;

typedef float lanes __attribute__((vector_size(32)));

static float distance_squared(const float *a, const float *b, uint32_t n)
{
    lanes sum = {0};
    uint32_t j = 0;
    for (; j + 8 <= n; j += 8) {
        lanes x, y;
        memcpy(&x, a + j, sizeof x);
        memcpy(&y, b + j, sizeof y);
        x -= y;
        sum += x * x;
    }
    float total = 0;
    for (int i = 0; i < 8; i++)
        total += sum[i];
    for (; j < n; j++)
        total += (a[j] - b[j]) * (a[j] - b[j]);
    return total;
}

static void offer_neighbor(float *distances, uint32_t *ids, uint32_t *count, uint32_t k,
                           float distance, uint32_t id)
{
    if (*count == k && distance >= distances[k - 1])
        return;
    uint32_t at = *count < k ? (*count)++ : k - 1;
    for (; at > 0 && distances[at - 1] > distance; at--) {
        distances[at] = distances[at - 1];
        ids[at] = ids[at - 1];
    }
    distances[at] = distance;
    ids[at] = id;
}

/* Blocks of queries share each vector while it is in the cache. */
static void *find_truth(void *argument)
{
    enum { BLOCK = 16, K_MAX = 128 };
    truth_work *work = argument;
    uint32_t n = work->base->dimension;
    for (uint32_t first = work->thread * BLOCK; first < work->queries->count;
         first += work->threads * BLOCK) {
        float distances[BLOCK][K_MAX];
        uint32_t counts[BLOCK] = {0};
        uint32_t end = first + BLOCK < work->queries->count ? first + BLOCK : work->queries->count;
        for (uint32_t i = 0; i < work->base->count; i++)
            for (uint32_t q = first; q < end; q++)
                offer_neighbor(distances[q - first], work->out + (size_t)q * work->k,
                               &counts[q - first], work->k,
                               distance_squared(work->base->rows + (size_t)i * n,
                                                work->queries->rows + (size_t)q * n, n),
                               i);
    }
    return NULL;
}

uint32_t *ann_truth(const ann_set *base, const ann_set *queries, uint32_t k, uint32_t threads)
{
    if (k > 128 || k > base->count || threads < 1 || threads > 64)
        return NULL;
    uint32_t *out = malloc((size_t)queries->count * k * sizeof out[0]);
    truth_work works[64];
    pthread_t ids[64];
    for (uint32_t t = 0; out && t < threads; t++) {
        works[t] = (truth_work){base, queries, k, t, threads, out};
        pthread_create(&ids[t], NULL, find_truth, &works[t]);
    }
    for (uint32_t t = 0; out && t < threads; t++)
        pthread_join(ids[t], NULL);
    return out;
}
