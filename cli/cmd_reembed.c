/* cmd_reembed.c: moving a database to another model. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>

static int32_t on_progress(void *user, uint64_t done_count, uint64_t total_count)
{
    (void)user, (void)done_count, (void)total_count;
    return cli_session_is_interrupted();
}

static int32_t on_missing(void *user, const imgret_ingest_item *item)
{
    if (*(const cli_form *)user == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_text("event", "missing");
        cli_json_int("id", item->id);
        cli_json_path("uri", item->uri);
        cli_json_text("message", item->message);
        return !cli_json_end() || cli_session_is_interrupted();
    }
    printf("missing\t%" PRId64 "\t", item->id);
    return !cli_output_path_line(*(const cli_form *)user, item->uri) ||
           cli_session_is_interrupted();
}

static void print_done(const cli_options *options, const imgret_reembed_report *report)
{
    if (options->json) {
        cli_json_begin();
        cli_json_text("event", "reembed");
        cli_json_count("embedded_count", report->embedded_count);
        cli_json_count("resumed_count", report->resumed_count);
        cli_json_count("missing_count", report->missing_count);
        cli_json_end();
    } else {
        cli_note("%s: %" PRIu64 " pictures embedded, %" PRIu64 " were so already, %" PRIu64
                 " missing",
                 options->db, report->embedded_count, report->resumed_count, report->missing_count);
    }
}

/* What scores meant under the old model, they do not mean under the new one. */
static bool calibrate_again(const cli_options *options)
{
    cli_options opened = *options;
    opened.model = NULL;
    imgret *db = cli_session_open(&opened, IMGRET_OPEN_EXISTING);
    imgret_error error = IMGRET_ERROR_INIT;
    bool good = db && imgret_calibrate(db, NULL, NULL, &error) == IMGRET_OK;
    if (db && !good)
        cli_session_fail(&error);
    if (good)
        cli_note("%s: calibrated for its new model", options->db);
    cli_session_close(db);
    return good;
}

int cli_reembed(const cli_options *options)
{
    if (!options->model) {
        cli_error("reembed wants --model SPEC, the model to move to");
        return CLI_EXIT_ERROR;
    }
    cli_options opened = *options; /* with the model that it has */
    opened.model = NULL;
    imgret *db = cli_session_open(&opened, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    cli_form form = cli_output_form(options);
    imgret_reembed_report report = {.size = sizeof report};
    imgret_reembed_options wanted = {
        .size = sizeof wanted,
        .flags = options->drop_missing ? IMGRET_REEMBED_DROP_MISSING : 0,
        .model = options->model,
        .on_item = on_missing,
        .on_progress = on_progress,
        .user = &form,
    };
    imgret_calibration known = {.size = sizeof known};
    bool calibrated = imgret_get_calibration(db, &known, NULL) == IMGRET_OK;
    int status = CLI_EXIT_FOUND;
    if (imgret_reembed(db, &wanted, &report, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else
        print_done(options, &report);
    if (status == CLI_EXIT_FOUND && report.missing_count)
        status = CLI_EXIT_SOME_FAILED;
    cli_session_close(db);
    if (calibrated && (status == CLI_EXIT_FOUND || status == CLI_EXIT_SOME_FAILED) &&
        !calibrate_again(options))
        status = CLI_EXIT_ERROR;
    return status;
}
