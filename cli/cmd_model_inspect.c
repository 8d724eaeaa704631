/* cmd_model_inspect.c: model inspect: what a file of weights is, also one that cannot be used. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "model_commands.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One model, from both sides: its file, and what loading it gives (NULL when it cannot be loaded). */
typedef struct subject {
    const char *model;
    const imgret_model_report *report;
    const imgret_extractor_info *info;
    cli_form form;
} subject;

static void print_text(const subject *of, const char *name, const char *value)
{
    if (of->form == CLI_FORM_JSON) {
        cli_json_text(name, value);
        return;
    }
    if (!value[0])
        return;
    if (of->form == CLI_FORM_TABLE)
        printf("%-16s ", name);
    else
        printf("%s\t", name);
    cli_output_path_line(of->form, value);
}

static void print_count(const subject *of, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    if (of->form == CLI_FORM_JSON)
        cli_json_count(name, value);
    else
        print_text(of, name, text);
}

/* A list with an entry a line: lines of their own, or a JSON array. */
static void print_list(const subject *of, const char *name, const char *entries)
{
    if (of->form == CLI_FORM_JSON) {
        cli_json_list(name, entries);
        return;
    }
    char line[512];
    while (*entries) {
        size_t bytes = strcspn(entries, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(bytes < sizeof line ? bytes : sizeof line),
                 entries);
        print_text(of, name, line);
        entries += bytes + (entries[bytes] == '\n');
    }
}

static void print_file(const subject *of)
{
    const imgret_model_report *report = of->report;
    print_count(of, "parameter_count", report->parameter_count);
    print_count(of, "tensor_count", report->tensor_count);
    print_count(of, "tensor_bytes", report->tensor_bytes);
    if (report->anchor_count) {
        print_count(of, "anchor_count", report->anchor_count);
        print_count(of, "box_class_count", report->box_class_count);
    }
    print_list(of, "missing", report->missing);
    print_list(of, "left_over", report->left_over);
    print_list(of, "misshapen", report->misshapen);
    print_list(of, "note", report->notes);
}

static void print(const subject *of)
{
    const imgret_model_report *report = of->report;
    if (of->form == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_path("model", of->model);
        cli_json_bool("usable", report->status == IMGRET_OK && (of->info || report->anchor_count));
    } else {
        print_text(of, "model", of->model);
    }
    print_text(of, "backend", report->backend);
    print_text(of, "backend_version", report->backend_version);
    print_text(of, "family", report->family);
    print_text(of, "naming", report->naming);
    print_text(of, "architecture", report->architecture);
    print_count(of, "dimension", of->info ? of->info->dimension : report->dimension);
    print_count(of, "input_width", report->input_width);
    print_count(of, "input_height", report->input_height);
    print_count(of, "class_count", report->class_count);
    if (of->info)
        print_count(of, "batch_max", of->info->batch_max);
    if (report->tensor_count)
        print_file(of);
    print_text(of, "problem", report->reason);
    print_text(of, "identity", of->info ? of->info->identity : report->identity);
    if (of->form == CLI_FORM_JSON)
        cli_json_end();
}

/* A detector makes no vectors: it is well when its file is. */
static int print_usable(subject *of, const cli_options *options)
{
    imgret_extractor_info info;
    imgret_extractor *extractor = NULL;
    bool wanted = of->report->status == IMGRET_OK && !of->report->anchor_count;
    if (wanted) {
        extractor = cli_model_open(options, of->model, &info);
        of->info = extractor ? &info : NULL;
    } else if (of->report->status != IMGRET_OK) {
        cli_error("%s", of->report->reason);
    }
    print(of);
    imgret_extractor_close(extractor);
    return of->report->status == IMGRET_OK && (extractor || !wanted) ? CLI_EXIT_FOUND
                                                                     : CLI_EXIT_ERROR;
}

int cli_model_inspect(const cli_options *options, const char *model)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_inspection *inspection;
    if (imgret_inspect_model(&inspection, model, options->plugin_path, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    subject of = {.model = model,
                  .report = imgret_inspection_report(inspection),
                  .form = cli_output_form(options)};
    int status = print_usable(&of, options);
    imgret_inspection_free(inspection);
    return status;
}
