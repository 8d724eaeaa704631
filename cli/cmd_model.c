/* cmd_model.c: model: opening one, and the way to what is asked of it. */
#include "commands.h"
#include "message.h"
#include "model_commands.h"
#include "session.h"

#include <string.h>

imgret_extractor *cli_model_open(const cli_options *options, const char *model,
                                 imgret_extractor_info *info)
{
    imgret_extractor_options open = {
        .size = sizeof open, .threads = options->threads, .plugin_path = options->plugin_path};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor *extractor;
    *info = (imgret_extractor_info){.size = sizeof *info};
    if (imgret_extractor_open(&extractor, model, &open, &error) == IMGRET_OK &&
        imgret_extractor_get_info(extractor, info, &error) == IMGRET_OK)
        return extractor;
    imgret_extractor_close(extractor);
    cli_session_fail(&error);
    return NULL;
}

/* Each model by itself; the worst outcome is the command's. */
static int for_each(const cli_options *options,
                    int (*what)(const cli_options *options, const char *model))
{
    int worst = CLI_EXIT_FOUND;
    for (size_t i = 0; i < options->word_count && !cli_session_is_interrupted(); i++) {
        int status = what(options, options->words[i]);
        worst = status > worst ? status : worst;
    }
    return cli_session_is_interrupted() ? CLI_EXIT_INTERRUPTED : worst;
}

int cli_model(const cli_options *options)
{
    const char *what = options->db; /* the first word: there is no database here */
    if (strcmp(what, "inspect") == 0)
        return for_each(options, cli_model_inspect);
    if (strcmp(what, "bench") == 0)
        return for_each(options, cli_model_bench);
    if (strcmp(what, "compare") != 0)
        cli_error("'%s' is nothing that 'imgret model' does; it knows 'inspect', 'bench' and "
                  "'compare'",
                  what);
    else if (options->word_count != 2)
        cli_error("usage: imgret model compare SPEC REFERENCE.safetensors");
    else
        return cli_model_compare(options, options->words[0], options->words[1]);
    return CLI_EXIT_ERROR;
}
