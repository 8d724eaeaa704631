/* cmd_search.c: search and count: pictures most alike to others, and how many there are. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "params.h"
#include "question.h"
#include "regions.h"
#include "session.h"
#include "sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* `regions`: which part of the picture it is, too. */
static bool print_hit(cli_form form, bool regions, uint64_t rank, const imgret_hit *hit)
{
    char size[32] = "-";
    switch (form) {
    case CLI_FORM_JSON:
        cli_json_begin();
        cli_json_count("rank", rank);
        cli_json_int("id", hit->id);
        cli_json_number("score", hit->score);
        cli_json_path("path", hit->uri);
        cli_json_count("width", hit->width);
        cli_json_count("height", hit->height);
        cli_json_raw("metadata", hit->metadata);
        cli_json_text("label", hit->label);
        cli_json_number("label_score", hit->label ? hit->label_score : (double)NAN);
        if (regions)
            cli_regions_print_hit_json(hit);
        return cli_json_end();
    case CLI_FORM_TABLE:
        if (hit->width)
            snprintf(size, sizeof size, "%ux%u", hit->width, hit->height);
        printf("%5" PRIu64 "  %8.4f  %8" PRId64 "  %11s  ", rank, hit->score, hit->id, size);
        break;
    case CLI_FORM_FIELDS:
        printf("%" PRIu64 "\t%.6f\t%" PRId64 "\t%u\t%u\t", rank, hit->score, hit->id, hit->width,
               hit->height);
        break;
    case CLI_FORM_PATHS:
        break;
    }
    if (regions)
        cli_regions_print_hit(form, hit);
    return cli_output_path_line(form, hit->uri);
}

static void print_hits(cli_form form, bool regions, const imgret_results *results)
{
    uint64_t count = imgret_results_count(results);
    if (form == CLI_FORM_TABLE && count)
        printf("%5s  %8s  %8s  %11s  ", "rank", "score", "id", "size");
    if (regions && count)
        cli_regions_print_heading(form);
    if (form == CLI_FORM_TABLE && count)
        puts("path");
    for (uint64_t i = 0; i < count; i++)
        if (!print_hit(form, regions, i + 1, imgret_results_at(results, i)))
            return;
}

/* As the last object of --json, else on stderr. */
static void print_query_stats(cli_form form, const imgret_query_stats *stats)
{
    bool partial = (stats->flags & IMGRET_QUERY_PARTIAL) != 0;
    if (form != CLI_FORM_JSON) {
        cli_note("%.3f ms, %.3f ms of them waiting for %" PRIu64 " reads of %" PRIu64
                 " bytes; %" PRIu64 " hops, distances: %" PRIu64 " by signs, %" PRIu64
                 " by codes, %" PRIu64 " exact; effort %" PRIu32 ", expected recall %.4f",
                 (double)stats->elapsed_us / 1000, (double)stats->wait_us / 1000, stats->reads,
                 stats->read_bytes, stats->hops, stats->sign_distances, stats->code_distances,
                 stats->exact_distances, stats->effort, (double)stats->expected_recall);
        return;
    }
    cli_json_begin();
    cli_json_bool("stats", true);
    cli_json_bool("partial", partial);
    cli_json_count("elapsed_us", stats->elapsed_us);
    cli_json_count("wait_us", stats->wait_us);
    cli_json_count("reads", stats->reads);
    cli_json_count("read_bytes", stats->read_bytes);
    cli_json_count("cache_hits", stats->cache_hits);
    cli_json_count("hops", stats->hops);
    cli_json_count("sign_distances", stats->sign_distances);
    cli_json_count("code_distances", stats->code_distances);
    cli_json_count("exact_distances", stats->exact_distances);
    cli_json_count("scanned", stats->scanned);
    cli_json_count("reranks", stats->reranks);
    cli_json_count("effort", stats->effort);
    cli_json_number("expected_recall", (double)stats->expected_recall);
    cli_json_end();
}

/* Where the next page begins: for --cursor. */
static void print_cursor(cli_form form, const char *cursor)
{
    if (form == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_text("cursor", cursor);
        cli_json_end();
    } else if (cursor) {
        cli_note("next page: --cursor %s", cursor);
    } else {
        cli_note("this was the last page");
    }
}

/* The contact sheet of the results; false: said on stderr. */
static bool write_sheet(imgret *db, const imgret_input *input, const cli_options *options,
                        const imgret_results *results)
{
    imgret_stats stats = {.size = sizeof stats};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_records *records = NULL;
    int32_t code = imgret_get_stats(db, &stats, &error);
    if (code == IMGRET_OK && input->kind == IMGRET_INPUT_ID)
        code = imgret_get(&records, db, input->id, &error);
    if (code != IMGRET_OK) {
        cli_session_fail(&error);
        return false;
    }
    cli_sheet sheet = {
        .database = options->db,
        .image_count = stats.image_count,
        .metric = stats.metric,
        .query_path = input->kind == IMGRET_INPUT_FILE ? input->path : NULL,
        .query_data = input->data,
        .query_bytes = (size_t)input->data_bytes,
        .query_id = input->id,
        .results = results,
    };
    if (imgret_records_count(records))
        sheet.query_path = imgret_records_at(records, 0)->uri;
    bool good = cli_sheet_write(options->html, &sheet);
    imgret_records_free(records);
    return good;
}

/* What the contact sheet shows as asked for: the first example. */
static const imgret_input *shown_input(const cli_question *question)
{
    static const imgret_input none = {.size = sizeof none};
    return question->count ? &question->inputs[0] : &none;
}

static int query(imgret *db, const cli_question *question, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_query_options query_options = {.size = sizeof query_options,
                                          .k = options->k,
                                          .where = options->where,
                                          .effort = options->effort,
                                          .deadline_ms = options->deadline_ms};
    imgret_param *params;
    if (!isnan(options->min_score.number)) {
        query_options.flags = IMGRET_QUERY_MIN_SCORE;
        query_options.min_score = options->min_score.number;
    }
    query_options.min_likeness = options->min_score.level;
    query_options.rerank_by = options->rerank;
    query_options.rerank_weight = isnan(options->rerank_weight) ? 0 : options->rerank_weight;
    imgret_box box;
    if (!cli_regions_read(&query_options, &box, options))
        return CLI_EXIT_ERROR;
    if (options->estimated)
        query_options.flags |= IMGRET_QUERY_ESTIMATED;
    if (options->deadline_ms)
        query_options.flags |= IMGRET_QUERY_ALLOW_PARTIAL;
    if (!isnan(options->target_recall))
        query_options.target_recall = (float)options->target_recall;
    if (cli_session_is_interrupted())
        return CLI_EXIT_INTERRUPTED;
    if (!cli_params_read(&params, &query_options.param_count, options))
        return CLI_EXIT_ERROR;
    query_options.params = params;
    const imgret_input *input = cli_question_ask(question, options, &query_options);
    imgret_results *results;
    int32_t code = imgret_query(&results, db, input, &query_options, &error);
    cli_params_free(params, query_options.param_count);
    if (code != IMGRET_OK)
        return cli_session_fail(&error);
    int status = imgret_results_count(results) ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
    print_hits(cli_output_form(options), cli_regions_are_searched(options), results);
    if (options->cursor)
        print_cursor(cli_output_form(options), imgret_results_cursor(results));
    if (status == CLI_EXIT_NOTHING)
        cli_note("nothing found");
    const imgret_query_stats *stats = imgret_results_stats(results);
    if (options->stats)
        print_query_stats(cli_output_form(options), stats);
    if (stats->flags & IMGRET_QUERY_PARTIAL) {
        cli_note("stopped before the end: there may be better ones");
        status = cli_session_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_SOME_FAILED;
    }
    if (options->html && !write_sheet(db, shown_input(question), options, results))
        status = CLI_EXIT_ERROR;
    imgret_results_free(results);
    return status;
}

int cli_search(const cli_options *options)
{
    cli_question *question = calloc(1, sizeof *question);
    int status = CLI_EXIT_ERROR;
    if (!question)
        cli_error("out of memory");
    else if (!cli_question_read(question, options))
        status = cli_session_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_ERROR;
    else {
        imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
        if (db)
            status = query(db, question, options);
        cli_session_close(db);
    }
    if (question)
        cli_question_free(question);
    free(question);
    return status;
}

int cli_count(const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_count_options count_options = {.size = sizeof count_options, .where = options->where};
    imgret_param *params;
    uint64_t count;
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    int status = CLI_EXIT_ERROR;
    if (cli_params_read(&params, &count_options.param_count, options)) {
        count_options.params = params;
        if (imgret_count(&count, db, &count_options, &error) != IMGRET_OK) {
            status = cli_session_fail(&error);
        } else {
            status = count ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
            if (options->json) {
                cli_json_begin();
                cli_json_count("count", count);
                cli_json_end();
            } else {
                printf("%" PRIu64 "\n", count);
                cli_output_line();
            }
        }
        cli_params_free(params, count_options.param_count);
    }
    cli_session_close(db);
    return status;
}
