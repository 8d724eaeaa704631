/* cmd_add.c: add: takes in files and folders, shows how far it is, and reports each picture. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "paths.h"
#include "progress.h"
#include "session.h"
#include "watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct add_run {
    const cli_options *options;
    bool output_failed;
    bool named_missing; /* stderr has named a given path that is not there */
} add_run;

static const char *outcome_name(int32_t outcome)
{
    switch (outcome) {
    case IMGRET_STORED:
        return "stored";
    case IMGRET_REPLACED:
        return "replaced";
    case IMGRET_UNCHANGED:
        return "unchanged";
    case IMGRET_FAILED:
        return "failed";
    case IMGRET_KNOWN_BAD:
        return "known_bad";
    case IMGRET_SKIPPED:
        return "skipped";
    case IMGRET_MOVED:
        return "moved";
    case IMGRET_REMOVED:
        return "removed";
    default:
        return "unknown";
    }
}

static void count_or_null(const char *name, uint64_t value)
{
    if (value)
        cli_json_count(name, value);
    else
        cli_json_null(name);
}

static bool print_item_json(const imgret_ingest_item *item)
{
    cli_json_begin();
    cli_json_text("event", "item");
    cli_json_text("outcome", outcome_name(item->outcome));
    count_or_null("id", (uint64_t)item->id);
    cli_json_path("path", item->uri);
    cli_json_text("format", item->format && item->format[0] ? item->format : NULL);
    count_or_null("width", item->width);
    count_or_null("height", item->height);
    cli_json_text("code", item->code ? imgret_status_name(item->code) : NULL);
    cli_json_path("reason", item->message && item->message[0] ? item->message : NULL);
    return cli_json_end();
}

/* A path that was given and is not there fails the run, so that it is named in any case; a picture
 * that cannot be read is reported once, here or as JSON. */
static void say_failure(add_run *run, const imgret_ingest_item *item)
{
    bool is_missing = item->code == IMGRET_NOT_FOUND;
    bool is_named = strstr(item->message, item->uri) != NULL;
    const char *name = is_named ? "" : item->uri, *colon = is_named ? "" : ": ";
    if (is_missing)
        cli_error("%s%s%s", name, colon, item->message);
    else if (!run->options->json)
        cli_note("%s%s%s", name, colon, item->message);
    run->named_missing |= is_missing;
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    add_run *run = user;
    if (item->outcome == IMGRET_FAILED)
        say_failure(run, item);
    if (run->options->json)
        run->output_failed |= !print_item_json(item);
    return run->output_failed || cli_session_is_interrupted();
}

static int32_t on_progress(void *user, const imgret_ingest_progress *progress)
{
    add_run *run = user;
    cli_progress_show(progress);
    if (run->options->json) /* whoever reads along sees what is done, not what fills a buffer */
        run->output_failed |= !cli_output_flush();
    return run->output_failed || cli_session_is_interrupted();
}

static void print_summary_json(const cli_options *options, const imgret_ingest_progress *report,
                               bool complete)
{
    cli_json_begin();
    cli_json_text("event", "summary");
    cli_json_count("file_count", report->file_count);
    cli_json_count("done_count", report->done_count);
    cli_json_count("stored_count", report->stored_count);
    cli_json_count("replaced_count", report->replaced_count);
    cli_json_count("unchanged_count", report->unchanged_count);
    cli_json_count("failed_count", report->failed_count);
    cli_json_count("known_bad_count", report->known_bad_count);
    cli_json_count("skipped_count", report->skipped_count);
    if (options->sync || options->watch) {
        cli_json_count("moved_count", report->moved_count);
        cli_json_count("removed_count", report->removed_count);
    }
    cli_json_count("bytes_read", report->bytes_read);
    cli_json_count("elapsed_us", report->elapsed_us);
    cli_json_bool("complete", complete);
    cli_json_end();
    cli_output_flush(); /* --watch waits now */
}

static void append_count(char *text, size_t capacity, uint64_t count, const char *what)
{
    size_t used = strlen(text);
    if (count)
        snprintf(text + used, capacity - used, "%s%" PRIu64 " %s", used ? ", " : "", count, what);
}

static void print_summary(const cli_options *options, const imgret_ingest_progress *report)
{
    char text[256] = "";
    append_count(text, sizeof text, report->stored_count, "stored");
    append_count(text, sizeof text, report->replaced_count, "replaced");
    append_count(text, sizeof text, report->moved_count, "moved");
    append_count(text, sizeof text, report->removed_count, "removed");
    append_count(text, sizeof text, report->unchanged_count, "unchanged");
    append_count(text, sizeof text, report->failed_count, "failed");
    append_count(text, sizeof text, report->known_bad_count, "failed before and unchanged");
    append_count(text, sizeof text, report->skipped_count, "skipped: no pictures");
    cli_note("%s: %s in %.1f s", options->db, text[0] ? text : "nothing to add",
             (double)report->elapsed_us / 1e6);
}

/* The exit status of a run, after saying what the caller must know. */
static int finish(const add_run *run, int32_t code, const imgret_error *error,
                  const imgret_ingest_progress *report)
{
    if (run->options->json)
        print_summary_json(run->options, report, code == IMGRET_OK);
    else
        print_summary(run->options, report);
    if (code == IMGRET_INTERRUPTED && run->output_failed)
        return CLI_EXIT_ERROR; /* cli_output_finish tells why */
    if (code == IMGRET_INTERRUPTED) {
        cli_error("interrupted; what is done is kept, the same command goes on from there");
        return CLI_EXIT_INTERRUPTED;
    }
    if (code == IMGRET_NOT_FOUND && run->named_missing)
        return CLI_EXIT_ERROR;
    if (code != IMGRET_OK)
        return cli_session_fail(error);
    return report->failed_count + report->known_bad_count ? CLI_EXIT_SOME_FAILED : CLI_EXIT_FOUND;
}

static int ingest(imgret *db, const cli_options *options, const cli_paths *paths)
{
    add_run run = {.options = options};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_ingest_progress report = {.size = sizeof report};
    imgret_ingest_options ingest_options = {
        .size = sizeof ingest_options,
        .flags = (options->no_recurse ? IMGRET_INGEST_NO_RECURSION : 0) |
                 (options->retry_failed ? IMGRET_INGEST_RETRY_FAILED : 0) |
                 (options->sync || options->watch ? IMGRET_INGEST_SYNC : 0) |
                 (options->force ? IMGRET_INGEST_FORCE : 0),
        .paths = paths->items,
        .path_count = paths->count,
        .on_item = on_item,
        .on_progress = on_progress,
        .user = &run,
    };
    int32_t code = IMGRET_OK;
    cli_progress_start(options->quiet);
    if (cli_session_is_interrupted()) /* before the run that could hear of it */
        code = IMGRET_INTERRUPTED;
    else if (paths->count)
        code = imgret_ingest(db, &ingest_options, &report, &error);
    cli_progress_stop();
    return finish(&run, code, &error, &report);
}

/* The paths on the command line and in --files-from; false: said on stderr. */
static bool gather_paths(cli_paths *paths, const cli_options *options)
{
    if (options->null && !options->files_from) {
        cli_error("--null says how paths end in --files-from, which is missing");
        return false;
    }
    if (options->force && !options->sync && !options->watch) {
        cli_error("--force goes with --sync");
        return false;
    }
    if (options->sync && options->files_from) {
        cli_error("--sync wants folders, not --files-from");
        return false;
    }
    if (!options->word_count && !options->files_from) {
        cli_error("nothing to add: give a PATH or --files-from FILE");
        return false;
    }
    for (size_t i = 0; i < options->word_count; i++) {
        if (!options->words[i][0]) {
            cli_error("an empty PATH");
            return false;
        }
        if (!cli_paths_add(paths, options->words[i]))
            return false;
    }
    return !options->files_from || cli_paths_read(paths, options->files_from, options->null);
}

/* Synchronises, waits for a change, and again; only a signal or an error ends it. */
static int watch(imgret *db, const cli_options *options, const cli_paths *paths)
{
    cli_watch *changes = cli_watch_open();
    int status = CLI_EXIT_FOUND;
    bool told = false;
    while (status == CLI_EXIT_FOUND || status == CLI_EXIT_SOME_FAILED) {
        /* Before looking: what changes from now on wakes the wait that follows. */
        bool all = cli_watch_folders(changes, paths->items, paths->count, !options->no_recurse);
        if (!all && !told)
            cli_note("not every folder can be watched; looking again every minute");
        told = told || !all;
        status = ingest(db, options, paths);
        if ((status == CLI_EXIT_FOUND || status == CLI_EXIT_SOME_FAILED) &&
            !cli_watch_wait(changes))
            status = CLI_EXIT_INTERRUPTED;
    }
    cli_watch_close(changes);
    return status;
}

int cli_add(const cli_options *options)
{
    cli_paths paths = {0};
    int status = CLI_EXIT_ERROR;
    if (gather_paths(&paths, options)) {
        imgret *db = cli_session_open(options, 0);
        if (db)
            status = options->watch ? watch(db, options, &paths) : ingest(db, options, &paths);
        cli_session_close(db);
    } else if (cli_session_is_interrupted()) {
        status = CLI_EXIT_INTERRUPTED;
    }
    cli_paths_free(&paths);
    return status;
}
