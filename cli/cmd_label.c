/* cmd_label.c: label: learns a label from examples and gives it to the pictures that it fits, or takes
 * labels away. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "params.h"
#include "paths.h"
#include "session.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a word names: a picture of the database, by id or path, or a file of its own. */
static int32_t read_example(imgret_input *out, imgret *db, const char *word, imgret_error *error)
{
    *out = (imgret_input){.size = sizeof *out, .kind = IMGRET_INPUT_FILE, .path = word};
    errno = 0;
    long long id = word[strspn(word, "0123456789")] ? 0 : strtoll(word, NULL, 10);
    if (id && !errno) {
        out->kind = IMGRET_INPUT_ID;
        out->id = id;
        return IMGRET_OK;
    }
    char *path = cli_path_absolute(word);
    imgret_list_options list = {
        .size = sizeof list, .uri = path, .limit = 1, .state = IMGRET_STATE_STORED};
    imgret_records *records = NULL;
    int32_t code = path ? imgret_list(&records, db, &list, error) : IMGRET_OK;
    if (code == IMGRET_OK && imgret_records_count(records)) {
        out->kind = IMGRET_INPUT_ID;
        out->id = imgret_records_at(records, 0)->id;
    }
    imgret_records_free(records);
    free(path);
    return code;
}

typedef struct {
    cli_form form;
    bool assign;
    bool good; /* stdout takes more */
} printing;

static int32_t print_item(void *user, const imgret_label_item *item)
{
    printing *print = user;
    if (print->form == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_int("id", item->id);
        cli_json_number("confidence", item->confidence);
        cli_json_path("path", item->uri);
        cli_json_text("label_before", item->label_before);
        print->good = cli_json_end();
    } else {
        if (print->form == CLI_FORM_TABLE)
            printf("%10.3f  %8" PRId64 "  ", item->confidence, item->id);
        else if (print->form == CLI_FORM_FIELDS)
            printf("%.6f\t%" PRId64 "\t", item->confidence, item->id);
        print->good = cli_output_path_line(print->form, item->uri);
    }
    return !print->good || cli_session_is_interrupted();
}

static int report_end(const cli_options *options, const imgret_label_report *report)
{
    if (options->assign)
        cli_note("%s: %" PRIu64 " of %" PRIu64 " pictures fit, %" PRIu64 " labels stored",
                 options->words[0], report->fitting_count, report->examined_count,
                 report->assigned_count);
    else
        cli_note("%s: %" PRIu64 " of %" PRIu64 " pictures fit; nothing is stored without --assign",
                 options->words[0], report->fitting_count, report->examined_count);
    return report->fitting_count || report->assigned_count ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
}

static int label(imgret *db, const imgret_input *examples, uint64_t count,
                 const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_label_report report = {.size = sizeof report};
    printing print = {cli_output_form(options), options->assign, true};
    imgret_param *params;
    imgret_label_options wanted = {
        .size = sizeof wanted,
        .flags = options->assign ? IMGRET_LABEL_ASSIGN : 0,
        .label = options->words[0],
        .examples = examples,
        .example_count = count,
        .confidence_min = isnan(options->confidence) ? 0 : options->confidence,
        .where = options->where,
        .on_item = print_item,
        .user = &print,
    };
    if (!cli_params_read(&params, &wanted.param_count, options))
        return CLI_EXIT_ERROR;
    wanted.params = params;
    int32_t code = imgret_label_examples(db, &wanted, &report, &error);
    cli_params_free(params, wanted.param_count);
    if (code == IMGRET_INTERRUPTED && !print.good)
        return CLI_EXIT_FOUND; /* the reader of the list had enough */
    return code == IMGRET_OK ? report_end(options, &report) : cli_session_fail(&error);
}

/* ---- --clear ---- */

enum { PAGE = 1000 };

static int32_t clear_one(imgret *db, int64_t id, uint64_t *cleared, imgret_error *error)
{
    int32_t code = imgret_set_label(db, id, NULL, 0, error);
    *cleared += code == IMGRET_OK;
    return code == IMGRET_NOT_FOUND ? IMGRET_OK : code; /* removed meanwhile */
}

static int clear_named(imgret *db, const cli_options *options, uint64_t *cleared)
{
    imgret_error error = IMGRET_ERROR_INIT;
    int status = CLI_EXIT_FOUND;
    for (size_t i = 0; i < options->word_count; i++) {
        imgret_input named;
        if (read_example(&named, db, options->words[i], &error) != IMGRET_OK)
            return cli_session_fail(&error);
        uint64_t before = *cleared;
        if (named.kind == IMGRET_INPUT_ID && clear_one(db, named.id, cleared, &error) != IMGRET_OK)
            return cli_session_fail(&error);
        if (*cleared == before) {
            cli_error("%s: not in the database", options->words[i]);
            status = CLI_EXIT_NOTHING;
        }
    }
    return status;
}

/* Page by page: what has no label any more is passed over by its id. */
static int clear_matching(imgret *db, const cli_options *options, uint64_t *cleared)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_param *params;
    imgret_list_options list = {.size = sizeof list, .limit = PAGE, .where = options->where};
    if (!cli_params_read(&params, &list.param_count, options))
        return CLI_EXIT_ERROR;
    list.params = params;
    int32_t code = IMGRET_OK;
    uint64_t count = PAGE;
    while (code == IMGRET_OK && count == PAGE && !cli_session_is_interrupted()) {
        imgret_records *records;
        code = imgret_list(&records, db, &list, &error);
        count = imgret_records_count(records);
        int32_t began = code == IMGRET_OK ? imgret_begin(db, &error) : code;
        code = began;
        for (uint64_t i = 0; i < count && code == IMGRET_OK; i++) {
            const imgret_record *record = imgret_records_at(records, i);
            list.after_id = record->id;
            if (record->label)
                code = clear_one(db, record->id, cleared, &error);
        }
        if (code == IMGRET_OK)
            code = imgret_commit(db, &error);
        else if (began == IMGRET_OK)
            imgret_rollback(db, NULL);
        imgret_records_free(records);
    }
    cli_params_free(params, list.param_count);
    if (code != IMGRET_OK)
        return cli_session_fail(&error);
    if (cli_session_is_interrupted())
        return CLI_EXIT_INTERRUPTED;
    return *cleared ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
}

static int clear(const cli_options *options)
{
    if ((options->where != NULL) == (options->word_count > 0)) {
        cli_error("--clear wants pictures, by id or path, or --where");
        return CLI_EXIT_ERROR;
    }
    imgret *db = cli_session_open(options, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    uint64_t cleared = 0;
    int status = options->where ? clear_matching(db, options, &cleared)
                                : clear_named(db, options, &cleared);
    if (status == CLI_EXIT_FOUND || status == CLI_EXIT_NOTHING)
        cli_note("labels taken away: %" PRIu64, cleared);
    cli_session_close(db);
    return status;
}

int cli_label(const cli_options *options)
{
    if (options->clear)
        return clear(options);
    if (options->word_count < 2) {
        cli_error("no %s given; see 'imgret help label'",
                  options->word_count ? "example" : "label");
        return CLI_EXIT_ERROR;
    }
    imgret *db = cli_session_open(options,
                                  options->assign ? IMGRET_OPEN_EXISTING : IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    size_t count = options->word_count - 1;
    imgret_input *examples = calloc(count, sizeof *examples);
    imgret_error error = IMGRET_ERROR_INIT;
    int status = CLI_EXIT_ERROR;
    int32_t code = IMGRET_OK;
    for (size_t i = 0; examples && i < count && code == IMGRET_OK; i++)
        code = read_example(&examples[i], db, options->words[i + 1], &error);
    if (!examples)
        cli_error("out of memory");
    else
        status = code == IMGRET_OK ? label(db, examples, count, options) : cli_session_fail(&error);
    free(examples);
    cli_session_close(db);
    return status;
}
