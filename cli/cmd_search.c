/* cmd_search.c: search: prints the pictures most alike to a file, to stdin or to an id. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "params.h"
#include "paths.h"
#include "regions.h"
#include "session.h"
#include "sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

#define STDIN_BYTES_MAX ((size_t)256 << 20) /* as the library's own limit on a picture */

/* Fills `input` from the command line; *bytes, when stdin was read, is freed by the caller. */
static bool read_query(imgret_input *input, char **bytes, const cli_options *options)
{
    bool has_id = options->id != 0;
    if (has_id == (options->word_count > 0)) {
        cli_error(has_id ? "an IMAGE or --id, not both" : "search for what? Give an IMAGE or --id");
        return false;
    }
    *input = (imgret_input){.size = sizeof *input, .kind = IMGRET_INPUT_ID, .id = options->id};
    if (has_id)
        return true;
    input->kind = IMGRET_INPUT_FILE;
    input->path = options->words[0];
    if (strcmp(options->words[0], "-") != 0)
        return true;
    size_t count = 0;
    *bytes = cli_read_all(STDIN_FILENO, "stdin", STDIN_BYTES_MAX, &count);
    input->kind = IMGRET_INPUT_BYTES;
    input->data = *bytes;
    input->data_bytes = count;
    return *bytes != NULL;
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

static int query(imgret *db, const imgret_input *input, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_query_options query_options = {
        .size = sizeof query_options, .k = options->k, .where = options->where};
    imgret_param *params;
    if (!isnan(options->min_score)) {
        query_options.flags = IMGRET_QUERY_MIN_SCORE;
        query_options.min_score = options->min_score;
    }
    imgret_box box;
    if (!cli_regions_read(&query_options, &box, options))
        return CLI_EXIT_ERROR;
    if (cli_session_is_interrupted())
        return CLI_EXIT_INTERRUPTED;
    if (!cli_params_read(&params, &query_options.param_count, options))
        return CLI_EXIT_ERROR;
    query_options.params = params;
    imgret_results *results;
    int32_t code = imgret_query(&results, db, input, &query_options, &error);
    cli_params_free(params, query_options.param_count);
    if (code != IMGRET_OK)
        return cli_session_fail(&error);
    int status = imgret_results_count(results) ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
    print_hits(cli_output_form(options), cli_regions_are_searched(options), results);
    if (status == CLI_EXIT_NOTHING)
        cli_note("nothing found");
    if (options->html && !write_sheet(db, input, options, results))
        status = CLI_EXIT_ERROR;
    imgret_results_free(results);
    return status;
}

int cli_search(const cli_options *options)
{
    imgret_input input;
    char *bytes = NULL;
    if (!read_query(&input, &bytes, options))
        return cli_session_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_ERROR;
    int status = CLI_EXIT_ERROR;
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (db)
        status = query(db, &input, options);
    cli_session_close(db);
    free(bytes);
    return status;
}
