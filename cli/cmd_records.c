/* cmd_records.c: show and remove: the commands about single pictures, by id or path. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "params.h"
#include "paths.h"
#include "regions.h"
#include "session.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *state_name(const imgret_record *record)
{
    return record->state == IMGRET_STATE_FAILED ? "failed" : "stored";
}

static const char *text_or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static void format_hash(char out[33], const imgret_record *record)
{
    for (size_t i = 0; i < sizeof record->content_hash; i++)
        snprintf(out + 2 * i, 3, "%02x", record->content_hash[i]);
}

static void print_json_number(const char *name, double value)
{
    if (isnan(value))
        cli_json_null(name);
    else
        cli_json_number(name, value);
}

/* Flat, under the names that filters use; colours as one text, "#c03020 0.43, ...". */
static void print_json_attributes(const imgret_attributes *seen)
{
    char text[IMGRET_SWATCH_MAX * 24] = "";
    cli_json_number("brightness", seen->brightness);
    cli_json_number("contrast", seen->contrast);
    cli_json_number("saturation", seen->saturation);
    cli_json_number("warmth", seen->warmth);
    cli_json_number("sharpness", seen->sharpness);
    for (uint32_t i = 0; i < IMGRET_COLOR_COUNT; i++)
        cli_json_number(imgret_color_name(i), (double)seen->color_shares[i]);
    for (uint32_t i = 0; i < seen->swatch_count; i++) {
        const imgret_swatch *swatch = &seen->swatches[i];
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s#%02x%02x%02x %.2f", i ? ", " : "", swatch->red,
                 swatch->green, swatch->blue, (double)swatch->share);
    }
    cli_json_text("palette", text);
    snprintf(text, sizeof text, "%016" PRIx64, seen->perceptual_hash);
    cli_json_text("perceptual_hash", text);
    cli_json_count("orientation", seen->orientation);
    cli_json_text("taken_at", seen->taken_at);
    cli_json_text("camera_make", seen->camera_make);
    cli_json_text("camera_model", seen->camera_model);
    print_json_number("latitude", seen->latitude);
    print_json_number("longitude", seen->longitude);
}

/* `objects_in`: the database, when its pictures have objects; else NULL, here and below. */
static bool print_json(imgret *objects_in, const imgret_record *record)
{
    char hash[33];
    format_hash(hash, record);
    cli_json_begin();
    cli_json_int("id", record->id);
    cli_json_text("state", state_name(record));
    cli_json_path("path", record->uri);
    cli_json_text("format", text_or_null(record->format));
    cli_json_count("width", record->width);
    cli_json_count("height", record->height);
    cli_json_count("file_bytes", record->file_bytes);
    cli_json_int("modified_ns", record->modified_ns);
    cli_json_int("added_ms", record->added_ms);
    cli_json_text("content_hash", hash);
    cli_json_text("code", record->failure_code ? imgret_status_name(record->failure_code) : NULL);
    cli_json_path("reason", text_or_null(record->failure));
    cli_json_raw("metadata", record->metadata);
    cli_json_text("label", record->label);
    cli_json_number("label_score", record->label ? record->label_score : (double)NAN);
    if (record->attributes)
        print_json_attributes(record->attributes);
    if (objects_in)
        cli_regions_print_objects_json(objects_in, record->id);
    return cli_json_end();
}

static bool print_row(cli_form form, const imgret_record *record)
{
    const char *format = record->format[0] ? record->format : "-";
    char size[32] = "-";
    if (form == CLI_FORM_TABLE) {
        if (record->width)
            snprintf(size, sizeof size, "%ux%u", record->width, record->height);
        printf("%8" PRId64 "  %-6s  %-6s  %11s  %10" PRIu64 "  ", record->id, state_name(record),
               format, size, record->file_bytes);
        bool good = cli_output_path_line(form, record->uri);
        if (record->failure[0]) {
            printf("%10s", "");
            good = cli_output_path_line(form, record->failure);
        }
        return good;
    }
    if (form == CLI_FORM_FIELDS) {
        printf("%" PRId64 "\t%s\t%s\t%u\t%u\t%" PRIu64 "\t", record->id, state_name(record), format,
               record->width, record->height, record->file_bytes);
        cli_text_field(stdout, record->failure);
        putchar('\t');
    }
    return cli_output_path_line(form, record->uri);
}

static void print_detail(const char *name, const char *value)
{
    printf("%-13s ", name);
    cli_output_path_line(CLI_FORM_TABLE, value);
}

static void print_time(const char *name, int64_t seconds)
{
    time_t moment = (time_t)seconds;
    struct tm parts;
    char text[64] = "-";
    if (seconds && localtime_r(&moment, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    print_detail(name, text);
}

/* A picture asked for by name on a terminal: everything, one thing a line. */
static bool print_details(imgret *objects_in, const imgret_record *record)
{
    char hash[33], text[64];
    format_hash(hash, record);
    snprintf(text, sizeof text, "%" PRId64, record->id);
    print_detail("id", text);
    print_detail("path", record->uri);
    print_detail("state", state_name(record));
    if (record->failure[0])
        print_detail("reason", record->failure);
    print_detail("format", text_or_null(record->format));
    snprintf(text, sizeof text, "%ux%u", record->width, record->height);
    print_detail("size", record->width ? text : NULL);
    snprintf(text, sizeof text, "%" PRIu64, record->file_bytes);
    print_detail("file_bytes", text);
    print_time("modified", record->modified_ns / 1000000000);
    print_time("added", record->added_ms / 1000);
    print_detail("content_hash", hash);
    print_detail("metadata", record->metadata);
    print_detail("label", record->label);
    if (objects_in)
        cli_regions_print_objects(objects_in, record->id);
    putchar('\n');
    return cli_output_line();
}

static void print_heading(cli_form form)
{
    if (form == CLI_FORM_TABLE)
        printf("%8s  %-6s  %-6s  %11s  %10s  %s\n", "id", "state", "format", "size", "bytes",
               "path");
}

#define PAGE_COUNT 1000

/* Lists everything that `list` asks for, page by page. */
static int show_pages(imgret *db, imgret_list_options list, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    cli_form form = cli_output_form(options);
    imgret *objects_in = form == CLI_FORM_JSON && cli_regions_are_in(db) ? db : NULL;
    int status = CLI_EXIT_NOTHING;
    for (;;) {
        imgret_records *records;
        if (imgret_list(&records, db, &list, &error) != IMGRET_OK)
            return cli_session_fail(&error);
        uint64_t count = imgret_records_count(records);
        if (count && status == CLI_EXIT_NOTHING)
            print_heading(form);
        bool good = true;
        for (uint64_t i = 0; i < count && good; i++) {
            const imgret_record *record = imgret_records_at(records, i);
            good = form == CLI_FORM_JSON ? print_json(objects_in, record) : print_row(form, record);
            list.after_id = record->id;
        }
        imgret_records_free(records);
        if (count)
            status = CLI_EXIT_FOUND;
        if (cli_session_is_interrupted())
            return CLI_EXIT_INTERRUPTED;
        if (!good || count < PAGE_COUNT)
            return status;
    }
}

static int show_all(imgret *db, const cli_options *options)
{
    imgret_param *params;
    imgret_list_options list = {.size = sizeof list,
                                .state = options->failed ? IMGRET_STATE_FAILED : 0,
                                .limit = PAGE_COUNT,
                                .where = options->where};
    if (!cli_params_read(&params, &list.param_count, options))
        return CLI_EXIT_ERROR;
    list.params = params;
    int status = show_pages(db, list, options);
    cli_params_free(params, list.param_count);
    return status;
}

/* The id that a word of digits says, else 0. */
static int64_t word_id(const char *word)
{
    if (word[strspn(word, "0123456789")])
        return 0;
    errno = 0;
    long long id = strtoll(word, NULL, 10);
    return errno ? 0 : (int64_t)id;
}

static int32_t find_uri(imgret_records **out, imgret *db, const char *uri, imgret_error *error)
{
    imgret_list_options list = {.size = sizeof list, .uri = uri, .limit = 1};
    return imgret_list(out, db, &list, error);
}

/* The record that a word names: by id, by its very uri, or by the path of its file. No record is
 * no error: *out is NULL then. */
static int32_t find_word(imgret_records **out, imgret *db, const char *word, imgret_error *error)
{
    *out = NULL;
    int32_t code = IMGRET_OK;
    if (word_id(word)) {
        code = imgret_get(out, db, word_id(word), error);
        return code == IMGRET_NOT_FOUND ? IMGRET_OK : code;
    }
    code = find_uri(out, db, word, error);
    if (code == IMGRET_OK && !imgret_records_count(*out)) {
        imgret_records_free(*out);
        *out = NULL;
        char *path = cli_path_absolute(word);
        if (path)
            code = find_uri(out, db, path, error);
        free(path);
    }
    if (code == IMGRET_OK && !imgret_records_count(*out)) {
        imgret_records_free(*out);
        *out = NULL;
    }
    return code;
}

static int show_words(imgret *db, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    cli_form form = cli_output_form(options);
    imgret *objects_in = cli_regions_are_in(db) ? db : NULL;
    int status = CLI_EXIT_FOUND;
    bool good = true;
    for (size_t i = 0; i < options->word_count && good; i++) {
        imgret_records *records;
        if (find_word(&records, db, options->words[i], &error) != IMGRET_OK)
            return cli_session_fail(&error);
        const imgret_record *record = imgret_records_at(records, 0);
        if (!record || (options->failed && record->state != IMGRET_STATE_FAILED)) {
            cli_error("%s: %s", options->words[i],
                      record ? "has not failed" : "not in the database");
            status = CLI_EXIT_NOTHING;
        } else if (form == CLI_FORM_JSON) {
            good = print_json(objects_in, record);
        } else if (form == CLI_FORM_TABLE) {
            good = print_details(objects_in, record);
        } else {
            good = print_row(form, record);
        }
        imgret_records_free(records);
    }
    return status;
}

int cli_show(const cli_options *options)
{
    if (options->where && options->word_count) {
        cli_error("pictures by name or --where, not both");
        return CLI_EXIT_ERROR;
    }
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    int status = options->word_count ? show_words(db, options) : show_all(db, options);
    cli_session_close(db);
    return status;
}

static bool print_removed(const cli_options *options, const char *word, const imgret_record *record)
{
    if (!options->json) {
        if (!record)
            cli_error("%s: not in the database", word);
        else
            cli_note("removed %" PRId64 " %s", record->id, record->uri ? record->uri : "");
        return true;
    }
    cli_json_begin();
    cli_json_path("word", word);
    cli_json_bool("removed", record != NULL);
    if (record)
        cli_json_int("id", record->id);
    else
        cli_json_null("id");
    cli_json_path("path", record ? record->uri : NULL);
    return cli_json_end();
}

int cli_remove(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    int status = CLI_EXIT_FOUND;
    for (size_t i = 0; i < options->word_count; i++) {
        imgret_records *records;
        int32_t code = find_word(&records, db, options->words[i], &error);
        const imgret_record *record = imgret_records_at(records, 0);
        if (code == IMGRET_OK && record)
            code = imgret_remove(db, record->id, &error);
        bool good = code == IMGRET_OK && print_removed(options, options->words[i], record);
        if (code == IMGRET_OK && !record)
            status = CLI_EXIT_NOTHING;
        imgret_records_free(records);
        if (code != IMGRET_OK)
            status = cli_session_fail(&error);
        if (code != IMGRET_OK || !good)
            break;
        if (cli_session_is_interrupted()) {
            status = CLI_EXIT_INTERRUPTED;
            break;
        }
    }
    cli_session_close(db);
    return status;
}
