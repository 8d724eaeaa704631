/* evaluate.c: asks a database with its own pictures, and measures the answers by their classes. */
#include "evaluate.h"

#include "message.h"
#include "session.h"

#include <stdlib.h>

enum { BATCH = 64 };

/* Every picture's share of chance is its own, so that two databases choose the same file names alike. */
static uint64_t chance_of(const cli_judged *item, uint64_t seed)
{
    uint64_t hash = seed ^ 0xCBF29CE484222325u;
    for (const char *at = item->uri; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001B3u;
    hash = (hash ^ (item->uri[0] ? 0 : (uint64_t)item->id)) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

typedef struct {
    uint64_t chance;
    const cli_judged *item;
} drawn;

static int compare_drawn(const void *a, const void *b)
{
    uint64_t x = ((const drawn *)a)->chance, y = ((const drawn *)b)->chance;
    return (x > y) - (x < y);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = ((const cli_scored *)a)->query->id, y = ((const cli_scored *)b)->query->id;
    return (x > y) - (x < y);
}

static bool choose(cli_evaluation *out, const cli_truth *truth, uint32_t query_max, uint64_t seed)
{
    drawn *all = malloc((truth->count + 1) * sizeof *all);
    out->queries = calloc(truth->count + 1, sizeof *out->queries);
    if (!all || !out->queries) {
        free(all);
        cli_error("out of memory");
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < truth->count; i++) {
        const cli_judged *item = &truth->items[i];
        if (truth->class_sizes[item->class_index] > 1)
            all[count++] = (drawn){chance_of(item, seed), item};
    }
    out->lonely_count = truth->count - count;
    if (query_max && query_max < count) {
        qsort(all, count, sizeof *all, compare_drawn);
        count = query_max;
    }
    for (size_t i = 0; i < count; i++)
        out->queries[i].query = all[i].item;
    out->count = count;
    qsort(out->queries, count, sizeof *out->queries, compare_ids);
    free(all);
    return true;
}

static void score(cli_scored *scored, const cli_truth *truth, const imgret_results *results,
                  bool *relevant)
{
    uint64_t count = imgret_results_count(results);
    scored->predicted = UINT32_MAX;
    for (uint64_t i = 0; i < count; i++) {
        const cli_judged *found = cli_truth_find(truth, imgret_results_at(results, i)->id);
        relevant[i] = found && found->class_index == scored->query->class_index;
        if (found && scored->predicted == UINT32_MAX)
            scored->predicted = found->class_index;
    }
    cli_metrics_of(&scored->metrics, relevant, count,
                   truth->class_sizes[scored->query->class_index] - 1);
}

static bool ask(cli_evaluation *out, imgret *db, const cli_truth *truth, size_t first, size_t count,
                bool *relevant)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input inputs[BATCH] = {{.size = 0}}; /* those that are asked are filled in */
    imgret_results *results[BATCH];
    imgret_query_options options = {.size = sizeof options, .k = out->depth};
    for (size_t i = 0; i < count; i++)
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_ID,
                                   .id = out->queries[first + i].query->id};
    if (imgret_query_batch(results, db, inputs, count, &options, &error) != IMGRET_OK) {
        cli_session_fail(&error);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        score(&out->queries[first + i], truth, results[i], relevant);
        imgret_results_free(results[i]);
    }
    return !cli_session_is_interrupted();
}

bool cli_evaluate(cli_evaluation *out, imgret *db, const cli_truth *truth, uint32_t depth,
                  uint32_t query_max, uint64_t seed)
{
    *out = (cli_evaluation){.depth = depth};
    bool *relevant = malloc(depth * sizeof *relevant);
    bool good = relevant && choose(out, truth, query_max, seed);
    if (!relevant)
        cli_error("out of memory");
    for (size_t first = 0; good && first < out->count; first += BATCH)
        good = ask(out, db, truth, first, out->count - first < BATCH ? out->count - first : BATCH,
                   relevant);
    free(relevant);
    size_t right = 0;
    for (size_t i = 0; i < out->count && good; i++) {
        cli_metrics_add(&out->mean, &out->queries[i].metrics);
        right += out->queries[i].predicted == out->queries[i].query->class_index;
    }
    cli_metrics_divide(&out->mean, out->count);
    out->accuracy = out->count ? (double)right / (double)out->count : 0;
    return good;
}

void cli_evaluation_free(cli_evaluation *evaluation)
{
    free(evaluation->queries);
    *evaluation = (cli_evaluation){0};
}
