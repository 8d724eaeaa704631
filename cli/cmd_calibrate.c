/* cmd_calibrate.c: calibrate: measures what scores mean in a collection. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <stdio.h>

static void print_level(cli_form form, const char *name, double score, const char *meaning)
{
    if (form == CLI_FORM_TABLE)
        printf("%-8s %8.4f  ", name, score);
    else
        printf("%s\t%.6f\t", name, score);
    cli_output_path_line(form, meaning);
}

static void print_calibration(const cli_options *options, const imgret_calibration *found)
{
    cli_form form = cli_output_form(options);
    if (form == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_number("same_score", found->same_score);
        cli_json_number("near_score", found->near_score);
        cli_json_number("similar_score", found->similar_score);
        cli_json_number("random_median", found->random_median);
        cli_json_number("random_high", found->random_high);
        cli_json_number("nearest_median", found->nearest_median);
        cli_json_count("image_count", found->image_count);
        cli_json_count("pair_count", found->pair_count);
        cli_json_count("copy_count", found->copy_count);
        cli_json_count("hash_pair_count", found->hash_pair_count);
        cli_json_end();
        return;
    }
    print_level(form, "same", found->same_score, "as a copy encoded anew or made smaller");
    print_level(form, "near", found->near_score, "as a copy cut a little or lightened");
    print_level(form, "similar", found->similar_score, "as few pictures at random");
    cli_note("from %" PRIu64 " pairs at random (median %.4f, one in a hundred from %.4f), nearest "
             "pictures (median %.4f), %" PRIu32 " copies and %" PRIu32 " pairs of equal hash",
             found->pair_count, found->random_median, found->random_high, found->nearest_median,
             found->copy_count, found->hash_pair_count);
    if (found->copy_count == 0)
        cli_note("no picture file could be read: same and near are estimates");
}

int cli_calibrate(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_calibration found = {.size = sizeof found};
    const imgret_calibrate_options wanted = {
        .size = sizeof wanted,
        .flags = options->no_copies ? IMGRET_CALIBRATE_NO_COPIES : 0,
        .sample_count = options->sample,
    };
    int status = CLI_EXIT_FOUND;
    if (imgret_calibrate(db, &wanted, &found, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else
        print_calibration(options, &found);
    cli_session_close(db);
    return status;
}
