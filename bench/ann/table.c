/* table.c: `imgret-bench table`: points of several engines as one Markdown table. */
#include "commands.h"
#include "point.h"

#include "../common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_cell(double value, int decimals)
{
    if (isfinite(value))
        printf(" %.*f |", decimals, value);
    else
        printf(" |");
}

static void print_row(const bench_point *p)
{
    printf("| %s | %s | %s | %.0f |", p->engine, p->index, p->scores, p->threads);
    print_cell(p->target_recall, 3);
    print_cell(p->effort, 0);
    print_cell(p->recall, 4);
    print_cell(p->qps, 0);
    print_cell(p->qps_single, 0);
    print_cell(p->p50_us, 0);
    print_cell(p->p99_us, 0);
    print_cell(p->cpu_us, 0);
    print_cell(p->reads_per_query, 2);
    print_cell(p->device_bytes_per_query / 1024, 1);
    print_cell(p->ram_bytes / p->count, 0);
    print_cell(p->rss_bytes / 1048576, 0);
    print_cell(p->build_s, 1);
    print_cell(p->build_cpu_s, 0);
    print_cell(p->build_rss_bytes / 1048576, 0);
    print_cell(p->file_bytes / 1048576, 0);
    print_cell(p->load, 1);
    putchar('\n');
}

static int same_set(const bench_point *a, const bench_point *b)
{
    return strcmp(a->set, b->set) == 0 && strcmp(a->metric, b->metric) == 0 &&
           a->count == b->count && a->dimension == b->dimension && a->k == b->k;
}

int bench_table(int argc, char **argv)
{
    bench_point *points = NULL;
    uint64_t count = 0;
    if (argc < 3)
        bench_die("table: no files of points are given");
    for (int i = 2; i < argc; i++)
        count = bench_points_read(&points, count, argv[i]);
    for (uint64_t i = 0; i < count; i++) {
        if (i == 0 || !same_set(&points[i - 1], &points[i])) {
            printf("%s%s: %.0f x %.0f, %s, k = %.0f, %.0f held-out queries; %s\n\n", i ? "\n" : "",
                   points[i].set, points[i].count, points[i].dimension, points[i].metric,
                   points[i].k, points[i].query_count, points[i].machine);
            puts("| engine | index | scores | threads | target | effort | recall | queries/s "
                 "| one by one/s | p50 us | p99 us | CPU us | reads | KiB from disk | RAM B/vector "
                 "| search RSS MiB | build s | build CPU s | build RSS MiB | files MiB | load |");
            puts("|---|---|---|---|---|---|---|---|---|---|"
                 "---|---|---|---|---|---|---|---|---|---|---|");
        }
        print_row(&points[i]);
    }
    free(points);
    return 0;
}
