/* point.c: a measured point as JSON, read back, and as a line of text. */
#include "point.h"

#include "../common.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *name;
    size_t offset;
    size_t capacity; /* of a text; 0: a number */
    int decimals;
} field;

#define TEXT(name)                                                            \
    {                                                                         \
#name, offsetof(bench_point, name), sizeof((bench_point *)0)->name, 0 \
    }
#define NUMBER(name, decimals)                          \
    {                                                   \
#name, offsetof(bench_point, name), 0, decimals \
    }

static const field fields[] = {
    TEXT(engine),
    TEXT(index),
    TEXT(set),
    TEXT(metric),
    TEXT(scores),
    TEXT(mode),
    NUMBER(count, 0),
    NUMBER(dimension, 0),
    NUMBER(query_count, 0),
    NUMBER(k, 0),
    NUMBER(threads, 0),
    NUMBER(memory_bytes, 0),
    NUMBER(target_recall, 4),
    NUMBER(effort, 0),
    NUMBER(recall, 5),
    NUMBER(recall_tuned, 5),
    NUMBER(qps, 1),
    NUMBER(qps_single, 1),
    NUMBER(mean_us, 1),
    NUMBER(p50_us, 1),
    NUMBER(p95_us, 1),
    NUMBER(p99_us, 1),
    NUMBER(cpu_us, 1),
    NUMBER(reads_per_query, 2),
    NUMBER(bytes_per_query, 0),
    NUMBER(device_bytes_per_query, 0),
    NUMBER(ram_bytes, 0),
    NUMBER(rss_bytes, 0),
    NUMBER(build_s, 2),
    NUMBER(add_s, 2),
    NUMBER(build_cpu_s, 2),
    NUMBER(build_rss_bytes, 0),
    NUMBER(file_bytes, 0),
    NUMBER(load, 2),
    TEXT(machine),
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static char *text_of(bench_point *point, const field *f)
{
    return (char *)point + f->offset;
}

static double *number_of(bench_point *point, const field *f)
{
    return (double *)(void *)((char *)point + f->offset);
}

void bench_point_clear(bench_point *point)
{
    memset(point, 0, sizeof *point);
    for (int i = 0; i < FIELDS; i++)
        if (!fields[i].capacity)
            *number_of(point, &fields[i]) = NAN;
}

void bench_point_write(const bench_point *point, FILE *out)
{
    bench_point copy = *point;
    for (int i = 0; i < FIELDS; i++) {
        fprintf(out, "%s\"%s\":", i ? "," : "{", fields[i].name);
        if (!fields[i].capacity) {
            double value = *number_of(&copy, &fields[i]);
            if (isfinite(value))
                fprintf(out, "%.*f", fields[i].decimals, value);
            else
                fputs("null", out);
            continue;
        }
        fputc('"', out);
        for (const char *at = text_of(&copy, &fields[i]); *at; at++)
            if (*at == '"' || *at == '\\')
                fprintf(out, "\\%c", *at);
            else if ((unsigned char)*at >= 32)
                fputc(*at, out);
        fputc('"', out);
    }
    fputs("}\n", out);
    fflush(out);
}

/* ---- Reading back: flat objects of texts and numbers, as written here or by a script --------- */

static const char *skip_space(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* Copies the text that begins after the quote; what is too long is cut. NULL when it never ends. */
static const char *read_text(const char *at, char *out, size_t capacity)
{
    size_t length = 0;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (length + 1 < capacity)
            out[length++] = *at;
    }
    out[length] = 0;
    return *at ? at + 1 : NULL;
}

static const char *read_value(bench_point *point, const field *f, const char *at)
{
    char text[256];
    if (*at == '"') {
        at = read_text(at + 1, text, sizeof text);
        if (at && f && f->capacity)
            snprintf(text_of(point, f), f->capacity, "%s", text);
        return at;
    }
    char *end;
    double value = strtod(at, &end);
    if (end == at) { /* null, true, false */
        while (isalpha((unsigned char)*end))
            end++;
        value = NAN;
    }
    if (f && !f->capacity)
        *number_of(point, f) = value;
    return end == at ? NULL : end;
}

int bench_point_parse(bench_point *point, const char *line)
{
    bench_point_clear(point);
    const char *at = skip_space(line);
    if (*at++ != '{')
        return -1;
    for (at = skip_space(at); *at == '"'; at = skip_space(at)) {
        char name[64];
        at = read_text(at + 1, name, sizeof name);
        if (!at || *(at = skip_space(at)) != ':')
            return -1;
        const field *known = NULL;
        for (int i = 0; i < FIELDS; i++)
            if (strcmp(fields[i].name, name) == 0)
                known = &fields[i];
        at = read_value(point, known, skip_space(at + 1));
        if (!at)
            return -1;
        at = skip_space(at);
        if (*at == ',')
            at = skip_space(at + 1);
    }
    return *at == '}' && point->engine[0] && isfinite(point->recall) ? 0 : -1;
}

uint64_t bench_points_read(bench_point **points, uint64_t count, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!file)
        bench_die("%s: cannot be opened", path);
    char *line = NULL;
    size_t capacity = 0;
    uint64_t before = count, number = 1;
    for (; getline(&line, &capacity, file) > 0; number++) {
        if (!*skip_space(line))
            continue;
        *points = realloc(*points, (count + 1) * sizeof **points);
        if (!*points)
            bench_die("no memory");
        if (bench_point_parse(&(*points)[count], line) != 0)
            bench_die("%s:%llu: no measured point", path, (unsigned long long)number);
        count++;
    }
    free(line);
    if (file != stdin)
        fclose(file);
    if (count == before)
        bench_die("%s: holds no points", path);
    return count;
}

/* ---- For a reader ------------------------------------------------------------------------------ */

static void print_number(FILE *out, int width, int decimals, double value)
{
    if (isfinite(value))
        fprintf(out, " %*.*f", width, decimals, value);
    else
        fprintf(out, " %*s", width, "-");
}

void bench_point_print_head(FILE *out)
{
    fprintf(out, "%-12s %-9s %3s %7s %7s %7s %9s %9s %8s %8s %8s %8s %8s %8s\n", "engine", "scores",
            "thr", "target", "effort", "recall", "qps", "qps-one", "p50 us", "p99 us", "reads",
            "ram B/v", "rss MiB", "build s");
}

void bench_point_print(const bench_point *p, FILE *out)
{
    fprintf(out, "%-12s %-9s %3.0f", p->engine, p->scores, p->threads);
    print_number(out, 7, 4, p->target_recall);
    print_number(out, 7, 0, p->effort);
    print_number(out, 7, 4, p->recall);
    print_number(out, 9, 0, p->qps);
    print_number(out, 9, 0, p->qps_single);
    print_number(out, 8, 0, p->p50_us);
    print_number(out, 8, 0, p->p99_us);
    print_number(out, 8, 2, p->reads_per_query);
    print_number(out, 8, 1, p->ram_bytes / p->count);
    print_number(out, 8, 1, p->rss_bytes / 1048576);
    print_number(out, 8, 1, p->build_s);
    fputc('\n', out);
    fflush(out);
}

void bench_point_describe_machine(bench_point *point)
{
    char line[512], model[80] = "unknown processor";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, sizeof model, "%.79s", skip_space(strchr(line, ':') + 1));
            model[strcspn(model, "\n")] = 0;
            break;
        }
    if (file)
        fclose(file);
    snprintf(point->machine, sizeof point->machine, "%s, %ld CPUs", model,
             sysconf(_SC_NPROCESSORS_ONLN));
    double load[1];
    if (getloadavg(load, 1) == 1)
        point->load = load[0];
}
