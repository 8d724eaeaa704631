/* scan.c: exact search of the delta against the speed at which memory can be read.
 *
 * Reads and searches the same bytes with the same threads, in turn, and prints the median of each
 * and their ratio. The number to reach is a search within 1.5 times a plain read.
 */
#include "base/alloc.h"
#include "base/pool.h"
#include "index/delta.h"
#include "kernels/kernels.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define RUNS_MAX 101u

/* The sums of a read belong in registers. */
#if defined(__clang__)
#define UNROLL_FOR _Pragma("unroll") for
#else
#define UNROLL_FOR _Pragma("GCC unroll 8") for
#endif

typedef struct bench_settings {
    uint64_t count;
    uint32_t dimension;
    uint32_t threads_max;
    uint32_t runs;
    uint32_t k;
    bool json;
} bench_settings;

/* ---- Plain reading: every byte once, with the widest loads there are ---- */

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static uint64_t read_512(const char *from, size_t bytes)
{
    __m512i sums[8];
    UNROLL_FOR (size_t j = 0; j < 8; j++)
        sums[j] = _mm512_setzero_si512();
    for (size_t at = 0; at + 512 <= bytes; at += 512)
        UNROLL_FOR (size_t j = 0; j < 8; j++) {
            _mm_prefetch(from + at + j * 64 + 4096, _MM_HINT_T0);
            sums[j] = _mm512_or_si512(sums[j], _mm512_loadu_si512(from + at + j * 64));
        }
    UNROLL_FOR (size_t j = 1; j < 8; j++)
        sums[0] = _mm512_or_si512(sums[0], sums[j]);
    return (uint64_t)_mm512_reduce_or_epi64(sums[0]);
}

__attribute__((target("avx2"))) static uint64_t read_256(const char *from, size_t bytes)
{
    __m256i sums[8];
    UNROLL_FOR (size_t j = 0; j < 8; j++)
        sums[j] = _mm256_setzero_si256();
    for (size_t at = 0; at + 256 <= bytes; at += 256)
        UNROLL_FOR (size_t j = 0; j < 8; j++) {
            _mm_prefetch(from + at + j * 32 + 4096, _MM_HINT_T0);
            sums[j] = _mm256_or_si256(
                sums[j], _mm256_loadu_si256((const __m256i *)(const void *)(from + at + j * 32)));
        }
    UNROLL_FOR (size_t j = 1; j < 8; j++)
        sums[0] = _mm256_or_si256(sums[0], sums[j]);
    return (uint64_t)_mm256_extract_epi64(sums[0], 0);
}
#elif defined(__aarch64__)
static uint64_t read_128(const char *from, size_t bytes)
{
    uint64x2_t sums[8];
    UNROLL_FOR (size_t j = 0; j < 8; j++)
        sums[j] = vdupq_n_u64(0);
    for (size_t at = 0; at + 128 <= bytes; at += 128)
        UNROLL_FOR (size_t j = 0; j < 8; j++)
            sums[j] = vorrq_u64(sums[j],
                                vld1q_u64((const uint64_t *)(const void *)(from + at) + 2 * j));
    UNROLL_FOR (size_t j = 1; j < 8; j++)
        sums[0] = vorrq_u64(sums[0], sums[j]);
    return vgetq_lane_u64(sums[0], 0);
}
#endif

static uint64_t read_plain(const char *from, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t at = 0; at + 8 <= bytes; at += 8) {
        uint64_t word;
        memcpy(&word, from + at, sizeof word);
        sum |= word;
    }
    return sum;
}

typedef uint64_t (*read_fn)(const char *from, size_t bytes);

static read_fn best_read(void)
{
#if defined(__x86_64__)
    if (ir_kernels_named("avx512"))
        return read_512;
    if (ir_kernels_named("avx2"))
        return read_256;
#elif defined(__aarch64__)
    return read_128;
#endif
    return read_plain;
}

/* ---- The bytes: runs of rows that lie together ---- */

typedef struct span {
    const char *from;
    size_t bytes;
} span;

typedef struct reading {
    span *spans;
    uint32_t span_count;
    read_fn read;
    _Atomic uint64_t sum;
} reading;

static void read_span(void *context, uint32_t part)
{
    reading *reading_now = context;
    const span *piece = &reading_now->spans[part];
    atomic_fetch_or(&reading_now->sum, reading_now->read(piece->from, piece->bytes));
}

/* The spans of ids 1..count; their memory is the caller's (free). */
static bool find_spans(const ir_delta *delta, uint64_t count, size_t row_bytes, reading *out)
{
    out->spans = calloc(count, sizeof out->spans[0]);
    if (!out->spans)
        return false;
    for (uint64_t id = 1; id <= count; id++) {
        const char *row = ir_delta_get(delta, (int64_t)id);
        span *last = out->span_count > 0 ? &out->spans[out->span_count - 1] : NULL;
        if (last && row == last->from + last->bytes)
            last->bytes += row_bytes;
        else
            out->spans[out->span_count++] = (span){row, row_bytes};
    }
    return true;
}

static ir_delta *make_delta(const bench_settings *settings, uint32_t metric)
{
    ir_delta *delta;
    float *vector = malloc(settings->dimension * sizeof *vector);
    uint16_t *stored = malloc(settings->dimension * sizeof *stored);
    bool fine = vector && stored &&
                ir_delta_create(&delta, settings->dimension, metric, IMGRET_VECTOR_F16, NULL) == 0;
    uint64_t seed = 1;
    for (uint64_t id = 1; fine && id <= settings->count; id++) {
        for (uint32_t i = 0; i < settings->dimension; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            vector[i] = (float)(int32_t)(seed >> 32) * 0x1p-31f;
        }
        fine = ir_delta_encode(delta, vector, stored, NULL) == 0 &&
               ir_delta_append(delta, (int64_t)id, stored, NULL) == 0;
    }
    free(vector);
    free(stored);
    return fine ? delta : NULL;
}

/* ---- Timing ---- */

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof values[0], compare_doubles);
    return values[count / 2];
}

static bool search_once(const ir_delta *delta, const bench_settings *settings, const float *query,
                        ir_pool *pool, ir_neighbor *out)
{
    ir_delta_query ask = {.vector = query, .k = settings->k, .score_min = -INFINITY, .pool = pool};
    uint32_t count;
    return ir_delta_search(delta, &ask, out, &count, NULL, NULL) == IMGRET_OK;
}

static void print_line(const bench_settings *settings, const char *metric, uint32_t threads,
                       double bytes, double read_s, double search_s)
{
    if (settings->json)
        printf("{\"kernels\":\"%s\",\"metric\":\"%s\",\"count\":%" PRIu64 ",\"dimension\":%u,"
               "\"k\":%u,\"threads\":%u,\"read_gb_per_s\":%.3f,\"search_gb_per_s\":%.3f,"
               "\"search_ms\":%.4f,\"ratio\":%.3f}\n",
               ir_kernels_get()->name, metric, settings->count, settings->dimension, settings->k,
               threads, bytes / read_s * 1e-9, bytes / search_s * 1e-9, search_s * 1e3,
               search_s / read_s);
    else
        printf("%-8s %-7s %7u %11.2f %13.2f %11.3f %8.2f\n", ir_kernels_get()->name, metric,
               threads, bytes / read_s * 1e-9, bytes / search_s * 1e-9, search_s * 1e3,
               search_s / read_s);
    fflush(stdout);
}

/* One metric with one number of threads: reads and searches in turn, so that both meet the same
 * neighbours on the machine. */
static bool measure(const bench_settings *settings, const ir_delta *delta, const char *metric,
                    reading *spans, uint32_t threads)
{
    double read_s[RUNS_MAX], search_s[RUNS_MAX], bytes = 0;
    float *query = malloc(settings->dimension * sizeof *query);
    ir_neighbor *out = malloc(settings->k * sizeof *out);
    ir_pool *pool = NULL;
    bool fine = query && out && ir_pool_create(&pool, threads, NULL) == IMGRET_OK;
    if (fine)
        ir_delta_decode(delta, ir_delta_get(delta, 1), query);
    for (uint32_t i = 0; i < spans->span_count; i++)
        bytes += (double)spans->spans[i].bytes;
    for (uint32_t run = 0; fine && run < settings->runs; run++) {
        double start = now_s();
        ir_pool_run(pool, read_span, spans, spans->span_count);
        read_s[run] = now_s() - start;
        start = now_s();
        fine = search_once(delta, settings, query, pool, out);
        search_s[run] = now_s() - start;
    }
    if (fine)
        print_line(settings, metric, threads, bytes, median(read_s, settings->runs),
                   median(search_s, settings->runs));
    ir_pool_free(pool);
    free(out);
    free(query);
    return fine;
}

static bool measure_metric(const bench_settings *settings, uint32_t metric, const char *name)
{
    reading spans = {.read = best_read()};
    ir_delta *delta = make_delta(settings, metric);
    size_t row_bytes = (settings->dimension * sizeof(uint16_t) + 63) / 64 * 64;
    bool fine = delta && find_spans(delta, settings->count, row_bytes, &spans);
    for (uint32_t threads = 1; fine && threads <= settings->threads_max; threads++)
        fine = measure(settings, delta, name, &spans, threads);
    free(spans.spans);
    ir_delta_free(delta);
    return fine;
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *out >= least && *out <= most;
}

static bool read_settings(bench_settings *settings, int argc, char **argv)
{
    static const struct option options[] = {{"count", 1, NULL, 'n'},   {"dimension", 1, NULL, 'd'},
                                            {"threads", 1, NULL, 't'}, {"runs", 1, NULL, 'r'},
                                            {"k", 1, NULL, 'k'},       {"json", 0, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    *settings = (bench_settings){100000, 512, ir_cpu_count(), 15, 10, false};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t number = 0;
        if (option == 'j') {
            settings->json = true;
            continue;
        }
        if (option == '?' || !read_number(optarg, 1, option == 'n' ? UINT32_MAX : 65536, &number))
            return false;
        if (option == 'n')
            settings->count = number;
        else
            *(option == 'd'   ? &settings->dimension
              : option == 't' ? &settings->threads_max
              : option == 'r' ? &settings->runs
                              : &settings->k) = (uint32_t)number;
    }
    return optind == argc && settings->runs <= RUNS_MAX;
}

int main(int argc, char **argv)
{
    bench_settings settings;
    if (!read_settings(&settings, argc, argv)) {
        fprintf(stderr, "usage: scan [--count N] [--dimension D] [--threads T] [--runs R] "
                        "[--k K] [--json]\n");
        return 2;
    }
    if (!settings.json)
        printf("%" PRIu64 " x %u f16, k = %u, median of %u\n"
               "kernels  metric  threads   read GB/s   search GB/s   search ms    ratio\n",
               settings.count, settings.dimension, settings.k, settings.runs);
    if (!measure_metric(&settings, IMGRET_METRIC_COSINE, "cosine") ||
        !measure_metric(&settings, IMGRET_METRIC_L2, "l2")) {
        fprintf(stderr, "scan: out of memory\n");
        return 1;
    }
    return 0;
}
