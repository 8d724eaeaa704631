/* cmd_transfer.c: export and import. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "session.h"

#include <inttypes.h>

static int32_t on_progress(void *user, uint64_t done_count, uint64_t total_count)
{
    (void)total_count;
    *(uint64_t *)user = done_count;
    return cli_session_is_interrupted();
}

static void print_done(const cli_options *options, const char *event, const char *done,
                       uint64_t count)
{
    if (options->json) {
        cli_json_begin();
        cli_json_text("event", event);
        cli_json_path("path", options->words[0]);
        cli_json_count("image_count", count);
        cli_json_end();
    } else {
        cli_note("%s %s: %" PRIu64 " images", done, options->words[0], count);
    }
}

int cli_export(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t count = 0;
    imgret_transfer_options wanted = {
        .size = sizeof wanted, .on_progress = on_progress, .user = &count};
    int status = CLI_EXIT_FOUND;
    if (imgret_export(db, options->words[0], &wanted, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else
        print_done(options, "export", "exported to", count);
    cli_session_close(db);
    return status;
}

int cli_import(const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t count = 0;
    imgret_transfer_options wanted = {
        .size = sizeof wanted, .on_progress = on_progress, .user = &count};
    if (imgret_import(options->db, options->words[0], &wanted, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    print_done(options, "import", "imported", count);
    return CLI_EXIT_FOUND;
}
