/* collection.c: what looks at a whole collection: finding duplicates, labels from a few examples.
 *
 * `bench-collection [--count N] [--dimension D] [--examples E] [--memory MIB] [--db FOLDER]`: vectors in
 * clusters, generated; one in fifty is a near copy (cosine above 0.998) of one before it. Stores and
 * indexes them, then measures each: time, time of the processor, and what was found. With --db the
 * database is made there and stays: a later run with the same numbers takes it as it is.
 */
#include "common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { CLUSTERS = 1000, COPY_EVERY = 50, BATCH = 10000, EXAMPLES_MAX = 100 };

typedef struct {
    uint32_t count, dimension, examples, memory_mib;
    float *centers; /* CLUSTERS rows */
    float *vector;  /* the last that was drawn */
    uint64_t random;
    double started, started_cpu;
} bench;

static double chance(bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return (double)(b->random >> 11) / 9007199254740992.0;
}

static float normal(bench *b)
{
    return (float)(sqrt(-2 * log(chance(b) + 1e-300)) * cos(6.283185307179586 * chance(b)));
}

static void check(int32_t status, const imgret_error *error)
{
    if (status != IMGRET_OK)
        bench_die("%s", error->message);
}

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static void start(bench *b)
{
    b->started = bench_seconds();
    b->started_cpu = cpu_seconds();
}

static void tell(const bench *b, const char *what)
{
    printf("%-22s %9.1f s, %9.1f s of the processor\n", what, bench_seconds() - b->started,
           cpu_seconds() - b->started_cpu);
    fflush(stdout);
}

static bool is_copy(uint32_t i)
{
    return i % COPY_EVERY == COPY_EVERY - 1;
}

/* Vector `i`: of a cluster, or the one before with a little noise. */
static void draw(bench *b, uint32_t i)
{
    const float *center = b->centers + (size_t)(i % CLUSTERS) * b->dimension;
    for (uint32_t d = 0; d < b->dimension; d++) {
        if (is_copy(i))
            b->vector[d] += 0.05f * normal(b);
        else
            b->vector[d] = center[d] + 0.7f * normal(b);
    }
}

static void fill(bench *b, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    start(b);
    for (uint32_t i = 0; i < b->count; i++) {
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = b->vector,
                              .dimension = b->dimension};
        draw(b, i);
        if (i % BATCH == 0)
            check(imgret_begin(db, &error), &error);
        check(imgret_add(db, &input, NULL, NULL, &error), &error);
        if (i % BATCH == BATCH - 1 || i + 1 == b->count)
            check(imgret_commit(db, &error), &error);
    }
    tell(b, "generated and stored");
    start(b);
    imgret_optimize_options optimize = {.size = sizeof optimize,
                                        .flags = IMGRET_OPTIMIZE_FORCE,
                                        .memory_bytes_max = (uint64_t)b->memory_mib << 20};
    check(imgret_optimize(db, &optimize, &error), &error);
    tell(b, "indexed");
}

/* Counts the copies that stand in a group with what they are copies of. */
static int32_t on_group(void *user, const imgret_duplicate_group *group)
{
    uint64_t *right = user;
    for (uint64_t i = 0; i < group->count; i++)
        for (uint64_t j = 0; j < group->count; j++)
            *right += group->members[j].id == group->members[i].id + 1 &&
                      is_copy((uint32_t)group->members[j].id - 1);
    return 0;
}

static void find_duplicates(bench *b, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_duplicates_report report = {.size = sizeof report};
    uint64_t right = 0;
    start(b);
    check(imgret_duplicates(db, NULL, on_group, &right, &report, &error), &error);
    tell(b, "duplicates");
    printf("  %llu groups, %llu of %u copies found\n", (unsigned long long)report.group_count,
           (unsigned long long)right, b->count / COPY_EVERY);
}

/* Examples are pictures of the first cluster. */
static void find_label(bench *b, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_label_report report = {.size = sizeof report};
    imgret_input examples[EXAMPLES_MAX];
    for (uint32_t i = 0; i < b->examples; i++)
        examples[i] = (imgret_input){
            .size = sizeof examples[i], .kind = IMGRET_INPUT_ID, .id = 1 + (int64_t)i * CLUSTERS};
    imgret_label_options options = {.size = sizeof options,
                                    .label = "first",
                                    .examples = examples,
                                    .example_count = b->examples};
    start(b);
    check(imgret_label_examples(db, &options, &report, &error), &error);
    tell(b, "a label");
    printf("  %llu looked at, %llu fit, %u are of the cluster\n",
           (unsigned long long)report.examined_count, (unsigned long long)report.fitting_count,
           b->count / CLUSTERS);
}

static uint32_t number(int argc, char **argv, const char *name, const char *fallback)
{
    return (uint32_t)strtoul(bench_option(argc, argv, name, fallback), NULL, 10);
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (!memory)
        bench_die("out of memory");
    return memory;
}

int main(int argc, char **argv)
{
    bench b = {.count = number(argc, argv, "--count", "100000"),
               .dimension = number(argc, argv, "--dimension", "128"),
               .examples = number(argc, argv, "--examples", "6"),
               .memory_mib = number(argc, argv, "--memory", "0"),
               .random = 88172645463325252u};
    const char *kept = bench_option(argc, argv, "--db", NULL);
    char folder[256] = "", path[512], model[32];
    if (b.count < CLUSTERS || b.dimension < 2 || b.examples < 1 || b.examples > EXAMPLES_MAX ||
        b.examples > b.count / CLUSTERS)
        bench_die("--count from %d, --dimension from 2, --examples to %d", CLUSTERS, EXAMPLES_MAX);
    if (!kept)
        bench_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s", kept ? kept : folder);
    if (!kept)
        snprintf(path, sizeof path, "%s/collection.imgret", folder);
    snprintf(model, sizeof model, "vectors:%u", b.dimension);
    b.vector = allocate(b.dimension, sizeof *b.vector);
    b.centers = allocate((size_t)CLUSTERS * b.dimension, sizeof *b.centers);
    for (size_t i = 0; i < (size_t)CLUSTERS * b.dimension; i++)
        b.centers[i] = normal(&b);

    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    imgret_open_options options = {.size = sizeof options, .model = model};
    check(imgret_open(&db, path, &options, &error), &error);
    check(imgret_get_stats(db, &stats, &error), &error);
    printf("%u vectors of %u dimensions\n", b.count, b.dimension);
    if (stats.image_count == 0)
        fill(&b, db);
    else if (stats.image_count != b.count)
        bench_die("%s holds %llu vectors, not %u", path, (unsigned long long)stats.image_count,
                  b.count);
    find_duplicates(&b, db);
    find_label(&b, db);
    imgret_close(db);
    if (!kept)
        bench_remove_folder(folder);
    free(b.vector);
    free(b.centers);
    return 0;
}
