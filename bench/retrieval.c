/* retrieval.c: how well a model finds pictures of the same class: leave one out, P@10 and mAP.
 *
 * `bench-retrieval FOLDER [--model SPEC] [--json]`: each folder inside FOLDER is a class. Every
 * picture is asked for once, by id; all others are ranked. P@10 is the share of its class among the
 * first ten; average precision is the mean, over the others of its class, of the precision at their
 * rank (Manning et al., Introduction to Information Retrieval, 8.4); both averaged over pictures.
 */
#include "common.h"

#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    imgret *db;
    uint64_t picture_count;
    double precision_at_10;
    double mean_average_precision;
    double ingest_seconds;
    double query_seconds;
} run;

/* The class of a picture: the name of the folder it lies in. */
static void class_of(const char *uri, char *out, size_t capacity)
{
    const char *end = strrchr(uri, '/');
    const char *start = end;
    while (start && start > uri && start[-1] != '/')
        start--;
    snprintf(out, capacity, "%.*s", start ? (int)(end - start) : 0, start ? start : "");
}

static int same_class(const char *a, const char *b)
{
    char class_a[256], class_b[256];
    class_of(a, class_a, sizeof class_a);
    class_of(b, class_b, sizeof class_b);
    return strcmp(class_a, class_b) == 0;
}

static void ingest(run *r, const char *folder)
{
    imgret_ingest_options options = {.size = sizeof options, .paths = &folder, .path_count = 1};
    imgret_ingest_progress report = {.size = sizeof report};
    imgret_error error = IMGRET_ERROR_INIT;
    double started = bench_seconds();
    if (imgret_ingest(r->db, &options, &report, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    r->ingest_seconds = bench_seconds() - started;
    r->picture_count = report.stored_count;
    if (r->picture_count < 2)
        bench_die("%s holds fewer than two pictures", folder);
}

/* Adds one picture's precision at 10 and average precision; 0 when it has no others. */
static int score_one(run *r, int64_t id, const char *uri, double *precision, double *average)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = id};
    imgret_query_options options = {.size = sizeof options, .k = (uint32_t)r->picture_count};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    if (imgret_query(&results, r->db, &input, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    uint64_t found = 0, in_ten = 0;
    double sum = 0;
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        if (!same_class(uri, imgret_results_at(results, i)->uri))
            continue;
        found++;
        in_ten += i < 10;
        sum += (double)found / (double)(i + 1);
    }
    imgret_results_free(results);
    *precision = (double)in_ten / 10;
    *average = found ? sum / (double)found : 0;
    return found > 0;
}

static void score_all(run *r)
{
    imgret_list_options page = {.size = sizeof page, .state = IMGRET_STATE_STORED};
    uint64_t scored = 0;
    double started = bench_seconds();
    for (;;) {
        imgret_records *records;
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_list(&records, r->db, &page, &error) != IMGRET_OK)
            bench_die("%s", error.message);
        uint64_t count = imgret_records_count(records);
        for (uint64_t i = 0; i < count; i++) {
            const imgret_record *record = imgret_records_at(records, i);
            double precision, average;
            page.after_id = record->id;
            if (!score_one(r, record->id, record->uri, &precision, &average))
                continue;
            r->precision_at_10 += precision;
            r->mean_average_precision += average;
            scored++;
        }
        imgret_records_free(records);
        if (count == 0)
            break;
    }
    r->query_seconds = bench_seconds() - started;
    if (scored > 0) {
        r->precision_at_10 /= (double)scored;
        r->mean_average_precision /= (double)scored;
    }
}

static void print(const run *r, const char *model, const char *folder, int json)
{
    imgret_stats stats = {.size = sizeof stats};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_get_stats(r->db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    double images_per_second = (double)r->picture_count / r->ingest_seconds;
    double query_ms = 1000 * r->query_seconds / (double)r->picture_count;
    if (json) {
        printf("{\"bench\":\"retrieval\",\"model\":\"%s\",\"dimension\":%u,\"pictures\":%llu,"
               "\"precision_at_10\":%.4f,\"map\":%.4f,\"ingest_images_per_s\":%.1f,"
               "\"query_ms\":%.3f}\n",
               model, stats.dimension, (unsigned long long)r->picture_count, r->precision_at_10,
               r->mean_average_precision, images_per_second, query_ms);
        return;
    }
    printf("%-44s %5s %9s %7s %7s %9s %9s\n", "model", "dims", "pictures", "P@10", "mAP",
           "ingest/s", "query ms");
    printf("%-44.44s %5u %9llu %7.4f %7.4f %9.1f %9.3f   %s\n", model, stats.dimension,
           (unsigned long long)r->picture_count, r->precision_at_10, r->mean_average_precision,
           images_per_second, query_ms, folder);
}

int main(int argc, char **argv)
{
    static const char *const valued[] = {"--model", NULL};
    const char *folder = bench_argument(argc, argv, valued);
    const char *model = bench_option(argc, argv, "--model", "classic");
    if (!folder)
        bench_die("usage: %s FOLDER [--model SPEC] [--json]", argv[0]);
    char scratch[256], path[300];
    bench_make_folder(scratch, sizeof scratch);
    snprintf(path, sizeof path, "%s/db.imgret", scratch);
    run r = {0};
    imgret_open_options options = {.size = sizeof options, .model = model};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_open(&r.db, path, &options, &error);
    if (status) {
        bench_remove_folder(scratch);
        bench_die("%s", error.message);
    }
    ingest(&r, folder);
    score_all(&r);
    print(&r, model, folder, bench_flag(argc, argv, "--json"));
    imgret_close(r.db);
    bench_remove_folder(scratch);
    return 0;
}
