/* plot.c: `imgret-bench plot`: recall against throughput and against reads, as SVG.
 *
 * Recall stands on the horizontal axis as -log10(1 - recall): what is hard lies to the right, and .99
 * is as far from .9 as .999 is from .99. Throughput and reads are logarithmic. Points of the same
 * engine, index, scores, threads and memory budget make one curve.
 */
#include "commands.h"
#include "point.h"

#include "../common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 860, HEIGHT = 520, LEFT = 70, RIGHT = 280, TOP = 40, BOTTOM = 50, CURVES_MAX = 24 };

static const char *const colors[] = {"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd",
                                     "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
enum { COLORS = sizeof colors / sizeof colors[0] };

typedef struct {
    FILE *file;
    const char *title;
    double x_min, x_max, y_min, y_max; /* after their transformations */
    int reads;                         /* the vertical axis: reads, else queries a second */
} chart;

static double x_of(const bench_point *p)
{
    double missed = 1 - p->recall;
    return -log10(missed > 1e-5 ? missed : 1e-5);
}

static double y_of(const chart *c, const bench_point *p)
{
    double value = c->reads ? p->reads_per_query : p->qps;
    return value > 0 ? log10(value) : NAN;
}

static double pixel_x(const chart *c, double x)
{
    return LEFT + (x - c->x_min) / (c->x_max - c->x_min) * (WIDTH - LEFT - RIGHT);
}

static double pixel_y(const chart *c, double y)
{
    return HEIGHT - BOTTOM - (y - c->y_min) / (c->y_max - c->y_min) * (HEIGHT - TOP - BOTTOM);
}

static void write_text(FILE *file, const char *text)
{
    for (; *text; text++)
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
            fprintf(file, "&#%d;", *text);
        else
            fputc(*text, file);
}

/* ---- Curves --------------------------------------------------------------------------------------- */

static int same_curve(const bench_point *a, const bench_point *b)
{
    int budgets = (isnan(a->memory_bytes) && isnan(b->memory_bytes)) ||
                  a->memory_bytes == b->memory_bytes;
    return strcmp(a->engine, b->engine) == 0 && strcmp(a->index, b->index) == 0 &&
           strcmp(a->scores, b->scores) == 0 && strcmp(a->set, b->set) == 0 &&
           a->threads == b->threads && a->k == b->k && budgets;
}

/* Sorts by curve, in order of the first appearance, and by recall within one. */
static uint64_t arrange(bench_point *points, uint64_t count, uint64_t *starts)
{
    uint64_t curves = 0;
    for (uint64_t at = 0; at < count;) {
        if (curves == CURVES_MAX)
            bench_die("plot: at most %d curves in one picture", CURVES_MAX);
        starts[curves++] = at;
        uint64_t end = at + 1;
        for (uint64_t i = at + 1; i < count; i++)
            if (same_curve(&points[at], &points[i])) {
                bench_point moved = points[i];
                memmove(&points[end + 1], &points[end], (i - end) * sizeof *points);
                points[end++] = moved;
            }
        for (uint64_t i = at + 1; i < end; i++)
            for (uint64_t j = i; j > at && points[j].recall < points[j - 1].recall; j--) {
                bench_point moved = points[j];
                points[j] = points[j - 1];
                points[j - 1] = moved;
            }
        at = end;
    }
    starts[curves] = count;
    return curves;
}

static void find_range(chart *c, const bench_point *points, uint64_t count)
{
    c->x_min = c->y_min = INFINITY;
    c->x_max = c->y_max = -INFINITY;
    for (uint64_t i = 0; i < count; i++) {
        double x = x_of(&points[i]), y = y_of(c, &points[i]);
        if (!isfinite(y))
            continue;
        c->x_min = fmin(c->x_min, x);
        c->x_max = fmax(c->x_max, x);
        c->y_min = fmin(c->y_min, y);
        c->y_max = fmax(c->y_max, y);
    }
    c->x_min = floor(c->x_min * 2) / 2;
    c->x_max = fmax(ceil(c->x_max * 2) / 2, c->x_min + 0.5);
    c->y_min = floor(c->y_min);
    c->y_max = fmax(ceil(c->y_max), c->y_min + 1);
}

static void write_name(const chart *c, const bench_point *p)
{
    char name[400];
    int length = snprintf(name, sizeof name, "%s %.60s", p->engine, p->index);
    if (strcmp(p->scores, "exact") != 0)
        length += snprintf(name + length, sizeof name - (size_t)length, ", %s", p->scores);
    length += snprintf(name + length, sizeof name - (size_t)length, ", %.0f threads", p->threads);
    if (isfinite(p->ram_bytes))
        snprintf(name + length, sizeof name - (size_t)length, ", %.0f B/vector",
                 p->ram_bytes / p->count);
    write_text(c->file, name);
}

static void draw_curve(const chart *c, const bench_point *points, uint64_t count, uint64_t number)
{
    const char *color = colors[number % COLORS];
    double drawn = 0;
    fprintf(c->file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", color);
    for (uint64_t i = 0; i < count; i++)
        if (isfinite(y_of(c, &points[i])))
            fprintf(c->file, "%.1f,%.1f ", pixel_x(c, x_of(&points[i])),
                    pixel_y(c, y_of(c, &points[i])));
    fputs("\"/>\n", c->file);
    for (uint64_t i = 0; i < count; i++)
        if (isfinite(y_of(c, &points[i]))) {
            fprintf(c->file,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>recall %.4f, ",
                    pixel_x(c, x_of(&points[i])), pixel_y(c, y_of(c, &points[i])), color,
                    points[i].recall);
            fprintf(c->file, "%.0f queries/s, %.2f reads</title></circle>\n", points[i].qps,
                    points[i].reads_per_query);
            drawn++;
        }
    if (drawn > 0) {
        fprintf(c->file, "<text x=\"%d\" y=\"%d\" fill=\"%s\" font-size=\"10\">",
                WIDTH - RIGHT + 12, TOP + 10 + 15 * (int)number, color);
        write_name(c, &points[0]);
        fputs("</text>\n", c->file);
    }
}

/* ---- Axes ------------------------------------------------------------------------------------------ */

static void draw_axes(const chart *c)
{
    static const double recalls[] = {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999};
    for (size_t i = 0; i < sizeof recalls / sizeof recalls[0]; i++) {
        double x = -log10(1 - recalls[i]);
        if (x < c->x_min - 1e-9 || x > c->x_max + 1e-9)
            continue;
        fprintf(c->file, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n",
                pixel_x(c, x), TOP, pixel_x(c, x), HEIGHT - BOTTOM);
        fprintf(c->file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                pixel_x(c, x), HEIGHT - BOTTOM + 16, recalls[i]);
    }
    for (int decade = (int)c->y_min; decade <= (int)c->y_max; decade++)
        for (int digit = 1; digit < 10; digit++) {
            double y = decade + log10(digit);
            if (y > c->y_max + 1e-9)
                continue;
            fprintf(c->file, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\"/>\n",
                    LEFT, pixel_y(c, y), WIDTH - RIGHT, pixel_y(c, y),
                    digit == 1 ? "#bbb" : "#eee");
            if (digit == 1 || digit == 2 || digit == 5)
                fprintf(c->file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                        LEFT - 6, pixel_y(c, y) + 4, pow(10, decade) * digit);
        }
}

static void draw_chart(chart *c, const char *path, const bench_point *points,
                       const uint64_t *starts, uint64_t curves)
{
    find_range(c, points, starts[curves]);
    if (!isfinite(c->x_min))
        return; /* nobody counted reads */
    c->file = fopen(path, "w");
    if (!c->file)
        bench_die("%s: cannot be written", path);
    fprintf(c->file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" "
            "fill=\"white\"/>\n",
            WIDTH, HEIGHT);
    fprintf(c->file, "<text x=\"%d\" y=\"22\" font-size=\"14\">", LEFT);
    write_text(c->file, points[0].set);
    fprintf(c->file, ": %.0f x %.0f, %s</text>\n", points[0].count, points[0].dimension, c->title);
    draw_axes(c);
    for (uint64_t i = 0; i < curves; i++)
        draw_curve(c, points + starts[i], starts[i + 1] - starts[i], i);
    fprintf(c->file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">recall@%.0f</text>\n</svg>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, points[0].k);
    if (fclose(c->file) != 0)
        bench_die("%s: cannot be written", path);
}

int bench_plot(int argc, char **argv)
{
    const char *out = bench_option(argc, argv, "--out", ".");
    bench_point *points = NULL;
    uint64_t count = 0, starts[CURVES_MAX + 1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--out") == 0)
            i++;
        else
            count = bench_points_read(&points, count, argv[i]);
    }
    if (count == 0)
        bench_die("plot: no files of points are given");
    uint64_t curves = arrange(points, count, starts);
    char path[4096];
    mkdir(out, 0777); /* where that fails, so do the files in it */
    chart speed = {.title = "queries per second"}, reads = {.title = "reads per query", .reads = 1};
    snprintf(path, sizeof path, "%s/recall-qps.svg", out);
    draw_chart(&speed, path, points, starts, curves);
    snprintf(path, sizeof path, "%s/recall-reads.svg", out);
    draw_chart(&reads, path, points, starts, curves);
    free(points);
    return 0;
}
