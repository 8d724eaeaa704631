/* cmd_index.c: index: lists, makes and drops indexes for filters. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

static bool print_one(cli_form form, const char *expression)
{
    if (form != CLI_FORM_JSON) {
        printf("%s\n", expression);
        return cli_output_line();
    }
    cli_json_begin();
    cli_json_text("index", expression);
    return cli_json_end();
}

static int list(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_indexes *indexes;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t code = imgret_list_indexes(&indexes, db, &error);
    int status = code == IMGRET_OK ? CLI_EXIT_FOUND : cli_session_fail(&error);
    cli_form form = cli_output_form(options);
    bool good = code == IMGRET_OK;
    for (uint64_t i = 0; good && i < imgret_indexes_count(indexes); i++)
        good = print_one(form, imgret_indexes_at(indexes, i));
    if (code == IMGRET_OK && imgret_indexes_count(indexes) == 0)
        status = CLI_EXIT_NOTHING;
    imgret_indexes_free(indexes);
    cli_session_close(db);
    return cli_output_finish(status);
}

static int change(const cli_options *options, bool add)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    const char *expression = options->words[1];
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t code = add ? imgret_create_index(db, expression, &error)
                       : imgret_drop_index(db, expression, &error);
    int status = CLI_EXIT_FOUND;
    if (code != IMGRET_OK) {
        status = cli_session_fail(&error);
    } else if (options->json) {
        cli_json_begin();
        cli_json_text("event", add ? "index_added" : "index_dropped");
        cli_json_text("index", expression);
        cli_json_end();
    } else {
        cli_note("%s the index %s", add ? "added" : "dropped", expression);
    }
    cli_session_close(db);
    return cli_output_finish(status);
}

int cli_index(const cli_options *options)
{
    if (options->word_count == 0)
        return list(options);
    bool add = strcmp(options->words[0], "add") == 0;
    if (options->word_count == 2 && (add || strcmp(options->words[0], "drop") == 0))
        return change(options, add);
    cli_error("usage: imgret index DB [add|drop EXPR]");
    return CLI_EXIT_ERROR;
}
