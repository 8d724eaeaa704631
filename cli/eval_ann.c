/* eval_ann.c: the index of a database against exact search: recall, reads and time by effort.
 *
 * Exact search is the command's own: it fetches every vector once and compares it with all that are asked
 * with. A result counts as found when its score reaches the k-th exact one, so that ties are no errors.
 */
#include "eval_ann.h"

#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000, SAMPLE = 200, K = 10 };

#define TIE 1e-5 /* scores nearer than this differ by rounding alone */

typedef struct {
    int64_t id;
    float *vector;
    double *best; /* its k best exact scores, descending */
    uint32_t found;
    uint64_t chance;
} asked;

typedef struct {
    imgret *db;
    imgret_stats stats;
    uint32_t k, count, room;
    asked *queries;
    float *vector;
    uint64_t vectors; /* compared with */
} bench;

static double score_of(const bench *b, const float *x, const float *y)
{
    double xy = 0, xx = 0, yy = 0, square = 0;
    for (uint32_t i = 0; i < b->stats.dimension; i++) {
        double p = (double)x[i], q = (double)y[i];
        xy += p * q;
        xx += p * p;
        yy += q * q;
        square += (p - q) * (p - q);
    }
    if (b->stats.metric == IMGRET_METRIC_L2)
        return -sqrt(square);
    if (b->stats.metric == IMGRET_METRIC_INNER_PRODUCT)
        return xy;
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void offer(const bench *b, asked *q, double score)
{
    uint32_t at = q->found < b->k ? q->found++ : b->k;
    if (at == b->k && !(score > q->best[--at]))
        return;
    for (; at > 0 && q->best[at - 1] < score; at--)
        q->best[at] = q->best[at - 1];
    q->best[at] = score;
}

/* Keeps the pictures with the least chances. */
static int32_t draw(void *context, int64_t id)
{
    bench *b = context;
    uint64_t chance = (uint64_t)id * 0x9E3779B97F4A7C15u;
    chance ^= chance >> 29;
    uint32_t at = b->count;
    if (b->count == b->room) {
        at = 0;
        for (uint32_t i = 1; i < b->count; i++)
            if (b->queries[i].chance > b->queries[at].chance)
                at = i;
        if (b->queries[at].chance < chance)
            return IMGRET_OK;
    } else {
        b->count++;
    }
    b->queries[at].id = id;
    b->queries[at].chance = chance;
    return IMGRET_OK;
}

static int32_t compare_all(void *context, int64_t id)
{
    bench *b = context;
    int32_t code = imgret_get_vector(b->db, id, b->vector, b->stats.dimension, NULL);
    if (code != IMGRET_OK)
        return code == IMGRET_NOT_FOUND ? IMGRET_OK : code;
    b->vectors++;
    for (uint32_t i = 0; i < b->count; i++)
        if (b->queries[i].id != id)
            offer(b, &b->queries[i], score_of(b, b->queries[i].vector, b->vector));
    return IMGRET_OK;
}

static int32_t for_each_image(bench *b, int32_t (*on_image)(void *context, int64_t id),
                              imgret_error *error)
{
    imgret_list_options page = {.size = sizeof page, .state = IMGRET_STATE_STORED, .limit = PAGE};
    for (;;) {
        imgret_records *records;
        int32_t code = imgret_list(&records, b->db, &page, error);
        if (code != IMGRET_OK)
            return code;
        uint64_t count = imgret_records_count(records);
        for (uint64_t i = 0; i < count && code == IMGRET_OK; i++) {
            page.after_id = imgret_records_at(records, i)->id;
            code = on_image(b, page.after_id);
        }
        imgret_records_free(records);
        if (code == IMGRET_OK && cli_session_is_interrupted())
            code = IMGRET_INTERRUPTED;
        if (code != IMGRET_OK || count < PAGE) {
            error->code = code;
            if (code != IMGRET_OK && !error->message[0])
                snprintf(error->message, sizeof error->message, "stopped: %s",
                         imgret_status_name(code));
            return code;
        }
    }
}

/* Fetches what is asked with, and finds the exact answers. */
static int32_t prepare(bench *b, imgret_error *error)
{
    int32_t code = for_each_image(b, draw, error);
    for (uint32_t i = 0; i < b->count && code == IMGRET_OK; i++)
        code = imgret_get_vector(b->db, b->queries[i].id, b->queries[i].vector, b->stats.dimension,
                                 error);
    return code == IMGRET_OK ? for_each_image(b, compare_all, error) : code;
}

typedef struct {
    double recall, reads, exact, us, us_max;
} row;

static int32_t measure(bench *b, uint32_t effort, row *out, imgret_error *error)
{
    uint64_t right = 0, wanted = 0;
    *out = (row){0};
    for (uint32_t i = 0; i < b->count; i++) {
        asked *q = &b->queries[i];
        imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = q->id};
        imgret_query_options options = {.size = sizeof options, .k = b->k, .effort = effort};
        imgret_results *results;
        int32_t code = imgret_query(&results, b->db, &input, &options, error);
        if (code != IMGRET_OK)
            return code;
        uint64_t count = imgret_results_count(results), found = 0;
        for (uint64_t r = 0; r < count && q->found > 0; r++)
            found += imgret_results_at(results, r)->score >= q->best[q->found - 1] - TIE;
        right += found < q->found ? found : q->found;
        wanted += q->found;
        const imgret_query_stats *stats = imgret_results_stats(results);
        out->reads += (double)stats->reads / b->count;
        out->exact += (double)stats->exact_distances / b->count;
        out->us += (double)stats->elapsed_us / b->count;
        out->us_max = fmax(out->us_max, (double)stats->elapsed_us);
        imgret_results_free(results);
    }
    out->recall = wanted ? (double)right / (double)wanted : 1;
    return IMGRET_OK;
}

static void print_row(const bench *b, uint32_t effort, const row *r, bool json)
{
    if (!json) {
        printf("effort %" PRIu32 "\trecall@%" PRIu32 " %.4f\treads %.1f\texact distances %.1f\t"
               "mean %.0f us\tworst %.0f us\n",
               effort, b->k, r->recall, r->reads, r->exact, r->us, r->us_max);
        return;
    }
    cli_json_begin();
    cli_json_count("effort", effort);
    cli_json_count("k", b->k);
    cli_json_count("query_count", b->count);
    cli_json_number("recall", r->recall);
    cli_json_number("reads", r->reads);
    cli_json_number("exact_distances", r->exact);
    cli_json_number("mean_us", r->us);
    cli_json_number("worst_us", r->us_max);
    cli_json_end();
}

static bool make_room(bench *b)
{
    size_t dimension = b->stats.dimension;
    b->queries = calloc(b->room, sizeof *b->queries);
    b->vector = malloc(dimension * sizeof *b->vector);
    for (uint32_t i = 0; b->queries && i < b->room; i++) {
        b->queries[i].vector = malloc(dimension * sizeof(float));
        b->queries[i].best = malloc(b->k * sizeof(double));
        if (!b->queries[i].vector || !b->queries[i].best)
            return false;
    }
    return b->queries && b->vector;
}

static void free_room(bench *b)
{
    for (uint32_t i = 0; b->queries && i < b->room; i++) {
        free(b->queries[i].vector);
        free(b->queries[i].best);
    }
    free(b->queries);
    free(b->vector);
}

int cli_eval_ann(imgret *db, const cli_options *options)
{
    static const uint32_t efforts[] = {10, 16, 32, 64, 128, 256, 512};
    imgret_error error = IMGRET_ERROR_INIT;
    bench b = {.db = db,
               .stats = {.size = sizeof b.stats},
               .k = options->k ? options->k : K,
               .room = options->sample ? options->sample : SAMPLE};
    int status = CLI_EXIT_FOUND;
    int32_t code = imgret_get_stats(db, &b.stats, &error);
    bool memory = code != IMGRET_OK || make_room(&b);
    if (!memory)
        cli_error("out of memory");
    if (memory && code == IMGRET_OK)
        code = prepare(&b, &error);
    if (memory && code == IMGRET_OK && b.count == 0)
        status = CLI_EXIT_NOTHING;
    for (size_t i = 0; i < sizeof efforts / sizeof efforts[0] && memory && b.count > 0; i++) {
        row r;
        if (efforts[i] < b.k || code != IMGRET_OK)
            continue;
        code = measure(&b, efforts[i], &r, &error);
        if (code == IMGRET_OK)
            print_row(&b, efforts[i], &r, options->json);
    }
    if (code == IMGRET_OK)
        cli_note("%" PRIu32 " queries, %" PRIu64 " vectors, %" PRIu64 " of them in %" PRIu64
                 " segments; the others are always compared",
                 b.count, b.vectors, b.stats.segment_vector_count, b.stats.segment_count);
    free_room(&b);
    if (!memory)
        return CLI_EXIT_ERROR;
    return code == IMGRET_OK ? status : cli_session_fail(&error);
}
