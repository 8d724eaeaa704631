/* options.c: the arguments of imgret-bench: numbers, sizes and lists of them, each checked. */
#include "options.h"

#include "../common.h"

#include <errno.h>
#include <imgret/imgret.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 64 };

static int is_listed(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return 1;
    return 0;
}

void bench_check_options(int argc, char **argv, const char *const *valued, const char *const *more,
                         const char *const *flags)
{
    for (int i = 2; i < argc; i++) {
        if (is_listed(argv[i], flags))
            continue;
        if (!is_listed(argv[i], valued) && !is_listed(argv[i], more))
            bench_die("%s: no such option; see imgret-bench help", argv[i]);
        if (++i == argc)
            bench_die("%s needs a value", argv[i - 1]);
    }
}

static double real_of(const char *name, const char *text, double min, double max)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= min && value <= max))
        bench_die("%s %s: wants a number from %g to %g", name, text, min, max);
    return value;
}

static uint64_t number_of(const char *name, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || text[0] == '-' || errno || value < min || value > max)
        bench_die("%s %s: wants a whole number from %llu to %llu", name, text,
                  (unsigned long long)min, (unsigned long long)max);
    return value;
}

uint64_t bench_number(int argc, char **argv, const char *name, uint64_t fallback, uint64_t min,
                      uint64_t max)
{
    const char *text = bench_option(argc, argv, name, NULL);
    return text ? number_of(name, text, min, max) : fallback;
}

double bench_real(int argc, char **argv, const char *name, double fallback, double min, double max)
{
    const char *text = bench_option(argc, argv, name, NULL);
    return text ? real_of(name, text, min, max) : fallback;
}

uint32_t bench_texts(int argc, char **argv, const char *name, const char *fallback, char **out,
                     uint32_t capacity)
{
    const char *at = bench_option(argc, argv, name, fallback);
    uint32_t count = 0;
    while (*(at += strspn(at, ","))) {
        size_t length = strcspn(at, ",");
        if (count == capacity)
            bench_die("%s: at most %u values", name, capacity);
        out[count] = strndup(at, length);
        if (!out[count++])
            bench_die("no memory");
        at += length;
    }
    return count;
}

uint32_t bench_numbers(int argc, char **argv, const char *name, const char *fallback, uint32_t *out,
                       uint32_t capacity)
{
    char *words[LIST_MAX];
    uint32_t count = bench_texts(argc, argv, name, fallback, words,
                                 capacity < LIST_MAX ? capacity : LIST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (uint32_t)number_of(name, words[i], 1, 1000000);
        free(words[i]);
    }
    return count;
}

uint32_t bench_reals(int argc, char **argv, const char *name, const char *fallback, double *out,
                     uint32_t capacity)
{
    char *words[LIST_MAX];
    uint32_t count = bench_texts(argc, argv, name, fallback, words,
                                 capacity < LIST_MAX ? capacity : LIST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = real_of(name, words[i], 0, 1);
        free(words[i]);
    }
    return count;
}

uint64_t bench_size(const char *name, const char *text, uint64_t count)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    double unit = strcmp(end, "") == 0          ? 1
                  : strcmp(end, "K") == 0       ? 1024.0
                  : strcmp(end, "M") == 0       ? 1048576.0
                  : strcmp(end, "G") == 0       ? 1073741824.0
                  : strcmp(end, "/vector") == 0 ? (double)count
                                                : -1;
    if (end == text || errno || !(value >= 0 && value * unit >= 0 && value * unit < 1e15))
        bench_die("%s %s: wants bytes, as 4096, 300M, 2G or 600/vector", name, text);
    return (uint64_t)(value * unit);
}

uint32_t bench_metric(int argc, char **argv)
{
    const char *text = bench_option(argc, argv, "--metric", "l2");
    for (uint32_t metric = IMGRET_METRIC_COSINE; metric <= IMGRET_METRIC_L2; metric++)
        if (strcmp(text, bench_metric_name(metric)) == 0)
            return metric;
    bench_die("--metric %s: wants l2, cosine or ip", text);
}

const char *bench_metric_name(uint32_t metric)
{
    return metric == IMGRET_METRIC_COSINE ? "cosine" : metric == IMGRET_METRIC_L2 ? "l2" : "ip";
}
