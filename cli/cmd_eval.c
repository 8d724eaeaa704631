/* cmd_eval.c: eval and compare: how good the answers of a database are, and of two which is better. */
#include "commands.h"
#include "eval_ann.h"
#include "evaluate.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 1000, ROUNDS = 10000 };

/* ---- What eval prints ---- */

static void print_values(const char *name, const double *values)
{
    char field[48];
    for (int c = 0; c < CLI_CUTOFFS; c++) {
        snprintf(field, sizeof field, "%s_%" PRIu32, name, cli_cutoffs[c]);
        cli_json_number(field, values[c]);
    }
}

static void print_json(const cli_evaluation *e, const cli_truth *truth)
{
    char field[32];
    cli_json_begin();
    cli_json_count("query_count", e->count);
    cli_json_count("left_out_count", e->lonely_count);
    cli_json_count("class_count", truth->class_count);
    cli_json_count("depth", e->depth);
    cli_json_number("map", e->mean.average_precision);
    cli_json_number("r_precision", e->mean.r_precision);
    cli_json_number("mrr", e->mean.reciprocal_rank);
    cli_json_number("accuracy_1nn", e->accuracy);
    print_values("precision", e->mean.precision);
    print_values("recall", e->mean.recall);
    print_values("ndcg", e->mean.ndcg);
    for (int level = 0; level < CLI_RECALL_LEVELS; level++) {
        snprintf(field, sizeof field, "precision_at_recall_%d", level * 10);
        cli_json_number(field, e->mean.curve[level]);
    }
    cli_json_end();
}

static void print_table(const cli_evaluation *e)
{
    printf("mAP\t%.4f\nR-precision\t%.4f\nMRR\t%.4f\naccuracy (1-NN)\t%.4f\n",
           e->mean.average_precision, e->mean.r_precision, e->mean.reciprocal_rank, e->accuracy);
    for (int c = 0; c < CLI_CUTOFFS; c++)
        printf("@%" PRIu32 "\tprecision %.4f\trecall %.4f\tNDCG %.4f\n", cli_cutoffs[c],
               e->mean.precision[c], e->mean.recall[c], e->mean.ndcg[c]);
    for (int level = 0; level < CLI_RECALL_LEVELS; level++)
        printf("recall %.1f\tprecision %.4f\n", level / 10.0, e->mean.curve[level]);
}

/* Cells that are not 0, by class: what was asked for, what came first, how often. */
static void print_confusion(const cli_evaluation *e, const cli_truth *truth, bool json)
{
    uint32_t *row = calloc((size_t)truth->class_count + 1, sizeof *row);
    for (uint32_t asked = 0; row && asked < truth->class_count; asked++) {
        memset(row, 0, ((size_t)truth->class_count + 1) * sizeof *row);
        for (size_t i = 0; i < e->count; i++)
            if (e->queries[i].query->class_index == asked)
                row[e->queries[i].predicted == UINT32_MAX ? truth->class_count
                                                          : e->queries[i].predicted]++;
        for (uint32_t found = 0; found <= truth->class_count; found++) {
            const char *name = found < truth->class_count ? truth->classes[found] : NULL;
            if (!row[found])
                continue;
            if (json) {
                cli_json_begin();
                cli_json_text("class", truth->classes[asked]);
                cli_json_text("nearest", name);
                cli_json_count("count", row[found]);
                cli_json_end();
            } else {
                printf("nearest\t%s\t%s\t%" PRIu32 "\n", truth->classes[asked], name ? name : "-",
                       row[found]);
            }
        }
    }
    free(row);
}

/* The precision-recall curve as a picture of its own. */
static bool write_svg(const char *name, const cli_evaluation *e)
{
    FILE *file = fopen(name, "wx");
    if (!file) {
        cli_error("%s: %s", name, strerror(errno));
        return false;
    }
    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"420\" height=\"360\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<rect width=\"420\" height=\"360\" fill=\"white\"/>\n");
    for (int i = 0; i <= 10; i += 2) {
        fprintf(file, "<path d=\"M60 %dH400M%d 20V320\" stroke=\"#ddd\"/>\n", 320 - 30 * i,
                60 + 34 * i);
        fprintf(file, "<text x=\"52\" y=\"%d\" text-anchor=\"end\">%.1f</text>\n", 324 - 30 * i,
                i / 10.0);
        fprintf(file, "<text x=\"%d\" y=\"336\" text-anchor=\"middle\">%.1f</text>\n", 60 + 34 * i,
                i / 10.0);
    }
    fputs("<polyline fill=\"none\" stroke=\"#1f6fb2\" stroke-width=\"2\" points=\"", file);
    for (int level = 0; level < CLI_RECALL_LEVELS; level++)
        fprintf(file, "%d,%.1f ", 60 + 34 * level, 320 - 300 * e->mean.curve[level]);
    fprintf(file,
            "\"/>\n<text x=\"230\" y=\"354\" text-anchor=\"middle\">recall (mAP %.4f, %zu "
            "queries)</text>\n<text x=\"14\" y=\"170\" text-anchor=\"middle\" "
            "transform=\"rotate(-90 14 170)\">precision</text>\n</svg>\n",
            e->mean.average_precision, e->count);
    bool good = !ferror(file);
    if (fclose(file) != 0 || !good) {
        cli_error("%s: %s", name, strerror(errno));
        return false;
    }
    return true;
}

static int report(const cli_evaluation *e, const cli_truth *truth, const cli_options *options)
{
    if (e->count == 0) {
        cli_error("no two pictures of %s have the same class", options->db);
        return CLI_EXIT_NOTHING;
    }
    if (options->json)
        print_json(e, truth);
    else
        print_table(e);
    print_confusion(e, truth, options->json);
    cli_note("%zu queries of %" PRIu32 " classes, each against its first %" PRIu32
             " results; %zu pictures are alone in their class and were left out",
             e->count, truth->class_count, e->depth, e->lonely_count);
    if (options->svg && !write_svg(options->svg, e))
        return CLI_EXIT_ERROR;
    return CLI_EXIT_FOUND;
}

static int interrupted_or_error(void)
{
    return cli_session_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_ERROR;
}

int cli_eval(const cli_options *options)
{
    cli_truth truth = {0};
    cli_evaluation evaluation = {0};
    int status;
    if (options->ann && (options->truth || options->folders || options->svg)) {
        cli_error("--ann needs no classes and draws nothing");
        return CLI_EXIT_ERROR;
    }
    if (options->truth && options->folders) {
        cli_error("--truth and --folders do not go together");
        return CLI_EXIT_ERROR;
    }
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    if (options->ann)
        status = cli_eval_ann(db, options);
    else if (!cli_truth_read(&truth, db, options) ||
             !cli_evaluate(&evaluation, db, &truth, options->k ? options->k : DEPTH,
                           options->sample, options->seed ? options->seed : 1))
        status = interrupted_or_error();
    else
        status = report(&evaluation, &truth, options);
    cli_evaluation_free(&evaluation);
    cli_truth_free(&truth);
    cli_session_close(db);
    return status;
}

/* ---- Two databases ---- */

typedef struct {
    cli_truth truth;
    cli_evaluation evaluation;
} side;

static bool evaluate_side(side *out, const cli_options *options, const char *name)
{
    cli_options one = *options;
    one.db = name;
    imgret *db = cli_session_open(&one, IMGRET_OPEN_READ_ONLY);
    bool good = db && cli_truth_read(&out->truth, db, &one) &&
                cli_evaluate(&out->evaluation, db, &out->truth, one.k ? one.k : DEPTH, one.sample,
                             one.seed ? one.seed : 1);
    cli_session_close(db);
    return good;
}

static int compare_uris(const void *a, const void *b)
{
    const cli_scored *x = a, *y = b;
    return strcmp(x->query->uri, y->query->uri);
}

static double value_of(const cli_metrics *m, int measure)
{
    const double values[] = {m->average_precision, m->precision[2], m->ndcg[2], m->r_precision,
                             m->precision[0]};
    return values[measure];
}

static const char *const measures[] = {"map", "precision_10", "ndcg_10", "r_precision",
                                       "precision_1"};

enum { MEASURES = sizeof measures / sizeof measures[0] };

static void print_comparison(const char *measure, const cli_comparison *c, size_t count, bool json)
{
    if (!json) {
        printf("%s\t%.4f\t%.4f\t%+.4f\t[%+.4f, %+.4f]\tp %.4f\n", measure, c->mean_a, c->mean_b,
               c->mean_b - c->mean_a, c->low, c->high, c->p_value);
        return;
    }
    cli_json_begin();
    cli_json_text("measure", measure);
    cli_json_count("query_count", count);
    cli_json_number("a", c->mean_a);
    cli_json_number("b", c->mean_b);
    cli_json_number("difference", c->mean_b - c->mean_a);
    cli_json_number("difference_low", c->low);
    cli_json_number("difference_high", c->high);
    cli_json_number("p_value", c->p_value);
    cli_json_count("better_count", c->better);
    cli_json_count("worse_count", c->worse);
    cli_json_end();
}

static int compare_sides(side *a, side *b, const cli_options *options)
{
    cli_evaluation *x = &a->evaluation, *y = &b->evaluation;
    double *values = malloc((2 * x->count + 2) * sizeof *values);
    if (!values) {
        cli_error("out of memory");
        return CLI_EXIT_ERROR;
    }
    if (y->count > 1) /* an empty list may be no list at all */
        qsort(y->queries, y->count, sizeof *y->queries, compare_uris);
    int status = CLI_EXIT_FOUND;
    for (int measure = 0; measure < MEASURES && status == CLI_EXIT_FOUND; measure++) {
        size_t count = 0;
        for (size_t i = 0; i < x->count; i++) {
            const cli_scored *one = &x->queries[i];
            const cli_scored *other = one->query->uri[0] && y->count
                                          ? bsearch(one, y->queries, y->count, sizeof *one,
                                                    compare_uris)
                                          : NULL;
            if (!other)
                continue;
            values[count] = value_of(&one->metrics, measure);
            values[x->count + count++] = value_of(&other->metrics, measure);
        }
        cli_comparison c;
        if (count == 0) {
            cli_error("no picture that can be asked with is in both databases");
            status = CLI_EXIT_NOTHING;
        } else if (!cli_compare(&c, values, values + x->count, count, ROUNDS, 1)) {
            cli_error("out of memory");
            status = CLI_EXIT_ERROR;
        } else {
            print_comparison(measures[measure], &c, count, options->json);
            if (measure == 0)
                cli_note("%zu pictures in both; B is better for %zu, worse for %zu", count,
                         c.better, c.worse);
        }
    }
    free(values);
    return status;
}

int cli_compare_databases(const cli_options *options)
{
    side a = {0}, b = {0};
    int status = CLI_EXIT_ERROR;
    if (options->truth && options->folders)
        cli_error("--truth and --folders do not go together");
    else if (!evaluate_side(&a, options, options->db) ||
             !evaluate_side(&b, options, options->words[0]))
        status = interrupted_or_error();
    else
        status = compare_sides(&a, &b, options);
    cli_evaluation_free(&a.evaluation);
    cli_evaluation_free(&b.evaluation);
    cli_truth_free(&a.truth);
    cli_truth_free(&b.truth);
    return status;
}
