/* cmd_model.c: model inspect: what a file of weights is and what its vectors look like. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_json(const char *model, const imgret_extractor_info *info)
{
    cli_json_begin();
    cli_json_path("model", model);
    cli_json_text("backend", info->backend);
    cli_json_text("architecture", info->architecture);
    cli_json_count("dimension", info->dimension);
    cli_json_count("input_width", info->input_width);
    cli_json_count("input_height", info->input_height);
    cli_json_count("class_count", info->class_count);
    cli_json_count("batch_max", info->batch_max);
    cli_json_text("identity", info->identity);
    cli_json_end();
}

static void print_line(cli_form form, const char *name, const char *value)
{
    if (form == CLI_FORM_TABLE)
        printf("%-16s ", name);
    else
        printf("%s\t", name);
    cli_output_path_line(form, value);
}

static void print_count(cli_form form, const char *name, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof text, "%" PRIu32, value);
    print_line(form, name, text);
}

static void print_info(cli_form form, const char *model, const imgret_extractor_info *info)
{
    print_line(form, "model", model);
    print_line(form, "backend", info->backend);
    print_line(form, "architecture", info->architecture);
    print_count(form, "dimension", info->dimension);
    print_count(form, "input_width", info->input_width);
    print_count(form, "input_height", info->input_height);
    print_count(form, "class_count", info->class_count);
    print_count(form, "batch_max", info->batch_max);
    print_line(form, "identity", info->identity);
}

static int inspect(const cli_options *options, const char *model)
{
    imgret_extractor_options open = {.size = sizeof open,
                                     .threads = options->threads,
                                     .plugin_path = options->plugin_path};
    imgret_extractor_info info = {.size = sizeof info};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor *extractor;
    int status = CLI_EXIT_FOUND;
    if (imgret_extractor_open(&extractor, model, &open, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    if (imgret_extractor_get_info(extractor, &info, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else if (options->json)
        print_json(model, &info);
    else
        print_info(cli_output_form(options), model, &info);
    imgret_extractor_close(extractor);
    return status;
}

int cli_model(const cli_options *options)
{
    if (strcmp(options->db, "inspect") != 0) { /* the first word: there is no database here */
        cli_error("'%s' is nothing that 'imgret model' does; it knows 'inspect'", options->db);
        return CLI_EXIT_ERROR;
    }
    int worst = CLI_EXIT_FOUND;
    for (size_t i = 0; i < options->word_count; i++) {
        int status = inspect(options, options->words[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
