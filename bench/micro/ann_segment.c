/* ann_segment.c: measures the segment index: recall, reads and speed for given efforts. */
#include "ann_data.h"

#include "base/half.h"
#include "index/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct settings {
    const char *base, *queries, *index, *cache;
    ann_recipe recipe;
    uint32_t base_max, query_max, k, threads, bits, degree, beam, centroids, merge;
    float alpha, certainty;
    uint64_t ram, build_memory;
    uint32_t efforts[16];
    uint32_t effort_count;
    int cosine, estimated, single, f32, rebuild, calibrate;
} settings;

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Time on processors, of all threads: what remains true on a busy machine. */
static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static const char *usage =
    "ann_segment (--base FILE --queries FILE | --gen N,DIM,MANIFOLD,CLUSTERS,SPREAD,NOISE)\n"
    "  [--index PATH] [--keep] [--n N] [--nq N] [--k K] [--threads T] [--bits B] [--degree R]\n"
    "  [--beam L] [--alpha A] [--centroids K] [--ram BYTES_A_VECTOR] [--efforts 20,40,...]\n"
    "  [--cache FILE] (vectors and truth are kept there) [--build-memory BYTES]\n"
    "  [--merge PERCENT] (half is built, the others join it in steps of as much)\n"
    "  [--certainty G] [--estimated] [--single] [--cosine] [--f32]\n"
    "  [--calibrate] (tells the curves of recall by effort, and what they cost)\n";

static int parse_efforts(settings *s, const char *text)
{
    for (s->effort_count = 0; *text && s->effort_count < 16;) {
        char *end;
        s->efforts[s->effort_count++] = (uint32_t)strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return 0;
}

static int parse_recipe(settings *s, const char *text)
{
    ann_recipe *r = &s->recipe;
    r->query_count = 2000;
    r->seed = 7;
    return sscanf(text, "%u,%u,%u,%u,%f,%f", &r->count, &r->dimension, &r->manifold, &r->clusters,
                  &r->spread, &r->noise) == 6
               ? 0
               : -1;
}

static int parse(settings *s, int count, char **words)
{
    for (int i = 1; i < count; i++) {
        const char *name = words[i], *value = i + 1 < count ? words[i + 1] : "";
        int took = 1;
        if (!strcmp(name, "--base"))
            s->base = value;
        else if (!strcmp(name, "--queries"))
            s->queries = value;
        else if (!strcmp(name, "--index"))
            s->index = value;
        else if (!strcmp(name, "--cache"))
            s->cache = value;
        else if (!strcmp(name, "--gen")) {
            if (parse_recipe(s, value))
                return -1;
        } else if (!strcmp(name, "--n"))
            s->base_max = (uint32_t)atoi(value);
        else if (!strcmp(name, "--nq"))
            s->query_max = (uint32_t)atoi(value);
        else if (!strcmp(name, "--k"))
            s->k = (uint32_t)atoi(value);
        else if (!strcmp(name, "--threads"))
            s->threads = (uint32_t)atoi(value);
        else if (!strcmp(name, "--bits"))
            s->bits = (uint32_t)atoi(value);
        else if (!strcmp(name, "--degree"))
            s->degree = (uint32_t)atoi(value);
        else if (!strcmp(name, "--beam"))
            s->beam = (uint32_t)atoi(value);
        else if (!strcmp(name, "--alpha"))
            s->alpha = (float)atof(value);
        else if (!strcmp(name, "--centroids"))
            s->centroids = (uint32_t)atoi(value);
        else if (!strcmp(name, "--merge"))
            s->merge = (uint32_t)atoi(value);
        else if (!strcmp(name, "--build-memory"))
            s->build_memory = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--ram"))
            s->ram = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--efforts"))
            parse_efforts(s, value);
        else if (!strcmp(name, "--certainty"))
            s->certainty = (float)atof(value);
        else {
            took = 0;
            if (!strcmp(name, "--estimated"))
                s->estimated = 1;
            else if (!strcmp(name, "--single"))
                s->single = 1;
            else if (!strcmp(name, "--cosine"))
                s->cosine = 1;
            else if (!strcmp(name, "--f32"))
                s->f32 = 1;
            else if (!strcmp(name, "--keep"))
                s->rebuild = 0;
            else if (!strcmp(name, "--calibrate"))
                s->calibrate = 1;
            else
                return -1;
        }
        i += took;
    }
    return s->recipe.count || (s->base && s->queries) ? 0 : -1;
}

typedef struct feed {
    const ann_set *set;
    uint32_t next, end;
    int f32;
    uint16_t *half;
} feed;

static int32_t next_vector(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    (void)error;
    feed *f = context;
    if (f->next == f->end)
        return 0;
    const float *row = f->set->rows + (size_t)f->next * f->set->dimension;
    *stored = row;
    if (!f->f32) {
        for (uint32_t j = 0; j < f->set->dimension; j++)
            f->half[j] = ir_half_from_float(row[j]);
        *stored = f->half;
    }
    *id = ++f->next;
    return 1;
}

/* Vectors first to end - 1, joining the segment `onto` (NULL: none). */
static int build_part(const settings *s, const ann_set *base, uint32_t first, uint32_t end,
                      const char *onto, const char *path, ir_pool *pool)
{
    ir_segment_spec spec = {
        .dimension = base->dimension,
        .metric = s->cosine ? IMGRET_METRIC_COSINE : IMGRET_METRIC_L2,
        .vector_type = s->f32 ? IMGRET_VECTOR_F32 : IMGRET_VECTOR_F16,
        .code_bits = s->bits,
        .degree = s->degree,
        .beam = s->beam,
        .alpha = s->alpha,
        .centroid_count = s->centroids,
        .seed = 42,
        .pool = pool,
        .memory_bytes_max = s->build_memory,
    };
    feed f = {base, first, end, s->f32, malloc(base->dimension * sizeof(uint16_t))};
    ir_segment_report report;
    imgret_error error = IMGRET_ERROR_INIT;
    double cpu = cpu_seconds();
    int32_t status = onto ? ir_segment_open(&spec.base, onto, NULL, &error) : 0;
    if (!status)
        status = ir_segment_build(path, &spec, next_vector, &f, &report, &error);
    ir_segment_close(spec.base);
    free(f.half);
    if (status) {
        fprintf(stderr, "build: %s\n", error.message);
        return -1;
    }
    printf(
        "%s %.1f s (codes %.1f, graph %.1f; processors %.1f s), %.0f MiB of memory, file %.0f MiB, "
        "%llu taken over\n",
        onto ? "merge" : "build", (double)report.total_us * 1e-6, (double)report.encode_us * 1e-6,
        (double)report.graph_us * 1e-6, cpu_seconds() - cpu, (double)report.memory_bytes / 1048576,
        (double)report.file_bytes / 1048576, (unsigned long long)report.taken_count);
    return 0;
}

static int build(const settings *s, const ann_set *base, ir_pool *pool)
{
    if (s->merge == 0)
        return build_part(s, base, 0, base->count, NULL, s->index, pool);
    char part[2][512];
    uint32_t each = (uint32_t)((uint64_t)base->count * s->merge / 100), now = base->count % each;
    now = now + (base->count - now) / 2 / each * each; /* about half: the rest joins step by step */
    snprintf(part[0], sizeof part[0], "%s.0", s->index);
    snprintf(part[1], sizeof part[1], "%s.1", s->index);
    int status = build_part(s, base, 0, now, NULL, part[0], pool), turn = 0;
    for (; !status && now < base->count; now += each, turn = !turn)
        status = build_part(s, base, now, now + each, part[turn],
                            now + each == base->count ? s->index : part[!turn], pool);
    remove(part[0]);
    remove(part[1]);
    return status;
}

static double recall_of(const ir_search_result *results, const uint32_t *truth, uint32_t count,
                        uint32_t k)
{
    uint64_t hits = 0;
    for (uint32_t q = 0; q < count; q++)
        for (uint32_t i = 0; i < results[q].count; i++)
            for (uint32_t t = 0; t < k; t++)
                hits += (uint32_t)results[q].neighbors[i].id == truth[(size_t)q * k + t] + 1;
    return (double)hits / ((double)count * k);
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static int measure(const settings *s, ir_segment *segment, const ann_set *queries,
                   const uint32_t *truth, ir_pool *pool, uint32_t effort)
{
    uint32_t count = queries->count;
    ir_search *searches = calloc(count, sizeof *searches);
    ir_search_result *results = calloc(count, sizeof *results);
    ir_neighbor *neighbors = calloc((size_t)count * s->k, sizeof *neighbors);
    double *times = calloc(count, sizeof *times);
    for (uint32_t q = 0; q < count; q++) {
        searches[q] = (ir_search){.vector = queries->rows + (size_t)q * queries->dimension,
                                  .k = s->k,
                                  .effort = effort,
                                  .certainty = s->certainty,
                                  .flags = s->estimated ? IR_SEARCH_ESTIMATED : 0};
        results[q].neighbors = neighbors + (size_t)q * s->k;
    }
    ir_search_stats stats = {.reads = 0};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = IMGRET_OK;
    double start = seconds(), cpu = cpu_seconds();
    if (s->single)
        for (uint32_t q = 0; !status && q < count; q++) {
            double before = seconds();
            status = ir_segment_search(segment, &searches[q], results[q].neighbors,
                                       &results[q].count, &stats, &error);
            times[q] = seconds() - before;
        }
    else
        status = ir_segment_search_batch(segment, searches, count, results, pool, &stats, &error);
    double elapsed = seconds() - start, n = count;
    cpu = cpu_seconds() - cpu;
    if (status)
        fprintf(stderr, "search: %s\n", error.message);
    else
        printf("%6u  %.4f  %6.2f reads  %8.0f/s %6.1f us cpu  %5.0f hops %6.0f signs %5.0f ranks",
               effort, recall_of(results, truth, count, s->k), (double)stats.reads / n, n / elapsed,
               cpu / n * 1e6, (double)stats.hops / n, (double)stats.sign_estimates / n,
               (double)stats.rank_estimates / n);
    if (s->single) {
        qsort(times, count, sizeof times[0], by_value);
        printf("  p50 %.0f us p99 %.0f us", times[count / 2] * 1e6, times[count * 99 / 100] * 1e6);
    }
    printf("\n");
    free(searches);
    free(results);
    free(neighbors);
    free(times);
    return status ? -1 : 0;
}

static int calibrate(ir_segment *segment, ir_pool *pool)
{
    ir_effort_curves curves;
    ir_calibration how = {.pool = pool};
    imgret_error error = IMGRET_ERROR_INIT;
    double cpu = cpu_seconds();
    if (ir_segment_calibrate(segment, &how, &curves, &error)) {
        fprintf(stderr, "calibrate: %s\n", error.message);
        return -1;
    }
    printf("calibrated in %.2f s of the processor\n", cpu_seconds() - cpu);
    for (uint32_t i = 0; i < curves.count; i++) {
        const ir_effort_curve *curve = &curves.curves[i];
        printf("k %3u, %u bits:", curve->k, curve->code_bits);
        for (uint32_t j = 0; j < curve->count; j++)
            printf(" %u:%.4f", curve->points[j].effort, (double)curve->points[j].recall);
        printf("\n");
    }
    return 0;
}

static int load(settings *s, ann_set *base, ann_set *queries)
{
    if (s->recipe.count) {
        if (s->query_max)
            s->recipe.query_count = s->query_max;
        return ann_generate(base, queries, &s->recipe, s->threads);
    }
    return ann_read(base, s->base, s->base_max) || ann_read(queries, s->queries, s->query_max);
}

/* One set of a cache file: counts and rows. */
static int move_set(FILE *file, ann_set *set, int writing)
{
    uint32_t shape[2] = {set->count, set->dimension};
    if (writing)
        return fwrite(shape, sizeof shape, 1, file) == 1 &&
               fwrite(set->rows, sizeof(float) * shape[1], shape[0], file) == shape[0];
    if (fread(shape, sizeof shape, 1, file) != 1)
        return 0;
    *set = (ann_set){shape[0], shape[1], malloc((size_t)shape[0] * shape[1] * sizeof(float))};
    return set->rows && fread(set->rows, sizeof(float) * shape[1], shape[0], file) == shape[0];
}

/* Vectors and truth from the cache file, or found and written there. */
static uint32_t *load_all(settings *s, ann_set *base, ann_set *queries)
{
    uint32_t *truth = NULL;
    FILE *file = s->cache ? fopen(s->cache, "rb") : NULL;
    if (file) {
        if (move_set(file, base, 0) && move_set(file, queries, 0)) {
            truth = malloc((size_t)queries->count * s->k * sizeof truth[0]);
            if (truth &&
                fread(truth, sizeof truth[0] * s->k, queries->count, file) != queries->count)
                truth = NULL;
        }
        fclose(file);
        return truth;
    }
    truth = load(s, base, queries) ? NULL : ann_truth(base, queries, s->k, s->threads);
    if (truth && s->cache && (file = fopen(s->cache, "wb")) != NULL) {
        int whole = move_set(file, base, 1) && move_set(file, queries, 1) &&
                    fwrite(truth, sizeof truth[0] * s->k, queries->count, file) == queries->count;
        if (fclose(file) != 0 || !whole)
            remove(s->cache);
    }
    return truth;
}

int main(int count, char **words)
{
    settings s = {.k = 10, .threads = 2, .index = "/tmp/ann_segment.seg", .rebuild = 1};
    parse_efforts(&s, "16,24,32,48,64,100,160");
    ann_set base, queries;
    if (parse(&s, count, words)) {
        fputs(usage, stderr);
        return 2;
    }
    double start = seconds();
    uint32_t *truth = load_all(&s, &base, &queries);
    if (!truth)
        return 1;
    printf("%u x %u, %u queries, made and truth found in %.1f s\n", base.count, base.dimension,
           queries.count, seconds() - start);
    ir_pool *pool;
    if (ir_pool_create(&pool, s.threads, NULL) || (s.rebuild && build(&s, &base, pool)))
        return 1;
    ir_segment *segment;
    imgret_error error = IMGRET_ERROR_INIT;
    ir_segment_open_options options = {.ram_bytes_max = s.ram * base.count};
    if (ir_segment_open(&segment, s.index, &options, &error)) {
        fprintf(stderr, "open: %s\n", error.message);
        return 1;
    }
    ir_segment_info info;
    ir_segment_get_info(segment, &info);
    uint64_t ram = info.sign_bytes + info.rank_bytes + info.graph_bytes + info.id_bytes +
                   info.check_bytes + info.other_bytes;
    printf(
        "RAM %.1f B a vector: signs %.1f ranks %.1f graph %.1f checks %.1f other %.1f; %u bits\n",
        (double)ram / base.count, (double)info.sign_bytes / base.count,
        (double)info.rank_bytes / base.count, (double)info.graph_bytes / base.count,
        (double)info.check_bytes / base.count,
        (double)(info.other_bytes + info.id_bytes) / base.count, info.code_bits_in_ram);
    printf("effort  recall@%u\n", s.k);
    int status = s.calibrate ? calibrate(segment, pool) : 0;
    for (uint32_t i = 0; !status && i < s.effort_count; i++)
        status = measure(&s, segment, &queries, truth, pool, s.efforts[i]);
    ir_segment_close(segment);
    ir_pool_free(pool);
    free(base.rows);
    free(queries.rows);
    free(truth);
    return status ? 1 : 0;
}
