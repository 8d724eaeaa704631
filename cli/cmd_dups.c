/* cmd_dups.c: dups: groups of pictures that show the same, and what the user says of them. */
#include "commands.h"
#include "json.h"
#include "likeness.h"
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

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"keep", "identical", "near", "similar"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

static const char *reason_name(uint32_t reason)
{
    switch (reason) {
    case IMGRET_KEEP_RESOLUTION:
        return "more pixels";
    case IMGRET_KEEP_COLOR:
        return "in colour";
    case IMGRET_KEEP_FORMAT:
        return "without loss";
    case IMGRET_KEEP_BYTES:
        return "larger file";
    case IMGRET_KEEP_DATE:
        return "older file";
    default:
        return "added first";
    }
}

typedef struct {
    cli_form form;
    uint64_t groups;
    bool good; /* stdout takes more */
} printing;

static void print_turn(char *out, size_t bytes, uint32_t turn)
{
    snprintf(out, bytes, "%u%s", (turn & 3) * 90, turn & IMGRET_TURN_MIRRORED ? " mirrored" : "");
}

static bool print_json(const printing *print, const imgret_duplicate_group *group,
                       const imgret_duplicate *one)
{
    char turn[32];
    print_turn(turn, sizeof turn, one->turn);
    cli_json_begin();
    cli_json_count("group", print->groups);
    cli_json_count("group_size", group->count);
    cli_json_text("kind", kind_name(one->kind));
    cli_json_bool("keep", one->kind == 0);
    cli_json_text("why", one->kind == 0 ? reason_name(group->keep_reason) : NULL);
    cli_json_int("id", one->id);
    cli_json_path("path", one->uri);
    cli_json_number("score", one->score);
    if (one->hash_bits == IMGRET_HASH_UNKNOWN)
        cli_json_null("hash_bits");
    else
        cli_json_count("hash_bits", one->hash_bits);
    cli_json_text("turned", one->turn ? turn : NULL);
    cli_json_text("format", one->format);
    cli_json_count("width", one->width);
    cli_json_count("height", one->height);
    cli_json_count("file_bytes", one->file_bytes);
    return cli_json_end();
}

static bool print_row(const printing *print, const imgret_duplicate_group *group,
                      const imgret_duplicate *one)
{
    char size[32];
    snprintf(size, sizeof size, "%ux%u", one->width, one->height);
    if (print->form == CLI_FORM_TABLE)
        printf("%-9s  %6.3f  %8" PRId64 "  %-6s  %11s  %10" PRIu64 "  ", kind_name(one->kind),
               one->score, one->id, one->format, size, one->file_bytes);
    else
        printf("%" PRIu64 "\t%s\t%.6f\t%" PRId64 "\t%s\t%s\t", print->groups, kind_name(one->kind),
               one->score, one->id, size, one->kind ? "" : reason_name(group->keep_reason));
    return cli_output_path_line(print->form, one->uri);
}

static int32_t print_group(void *user, const imgret_duplicate_group *group)
{
    printing *print = user;
    print->groups++;
    if (print->form == CLI_FORM_TABLE)
        printf("%s%" PRIu64 " pictures, keep the first: %s\n", print->groups > 1 ? "\n" : "",
               group->count, reason_name(group->keep_reason));
    for (uint64_t i = 0; i < group->count && print->good; i++) {
        const imgret_duplicate *one =
            (const imgret_duplicate *)(const void *)((const char *)group->members +
                                                     i * group->members[0].size);
        if (print->form == CLI_FORM_PATHS)
            print->good = !one->kind || !one->uri || cli_output_path_line(print->form, one->uri);
        else
            print->good = print->form == CLI_FORM_JSON ? print_json(print, group, one)
                                                       : print_row(print, group, one);
    }
    return !print->good || cli_session_is_interrupted();
}

static int find_groups(imgret *db, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_duplicates_report report = {.size = sizeof report};
    printing print = {cli_output_form(options), 0, true};
    imgret_param *params;
    imgret_duplicates_options wanted = {
        .size = sizeof wanted,
        .flags = options->turned ? IMGRET_DUPLICATES_TURNED : 0,
        .kind_max = options->kind,
        .similar_score = isnan(options->min_score.number) ? 0 : options->min_score.number,
        .where = options->where,
    };
    bool bounded = !isnan(options->min_score.number) || options->min_score.level;
    if (bounded && options->kind != IMGRET_DUPLICATE_SIMILAR) {
        cli_error("--min-score goes with --kind similar");
        return CLI_EXIT_ERROR;
    }
    if (options->min_score.level &&
        !cli_likeness_score(db, options->min_score.level, &wanted.similar_score, &error))
        return cli_session_fail(&error);
    if (!cli_params_read(&params, &wanted.param_count, options))
        return CLI_EXIT_ERROR;
    wanted.params = params;
    int32_t code = imgret_duplicates(db, &wanted, print_group, &print, &report, &error);
    cli_params_free(params, wanted.param_count);
    if (code == IMGRET_INTERRUPTED && !print.good)
        return CLI_EXIT_FOUND; /* the reader of the list had enough */
    if (code != IMGRET_OK)
        return cli_session_fail(&error);
    cli_note("%" PRIu64 " groups among %" PRIu64 " pictures: %" PRIu64
             " duplicates; identical and near ones take %" PRIu64 " bytes",
             report.group_count, report.image_count, report.duplicate_count,
             report.duplicate_bytes);
    return report.group_count ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
}

/* The id of a picture that a word names, by id or path; 0: said on stderr. */
static int64_t id_of(imgret *db, const char *word)
{
    imgret_error error = IMGRET_ERROR_INIT;
    errno = 0;
    long long id = word[strspn(word, "0123456789")] ? 0 : strtoll(word, NULL, 10);
    if (id && !errno)
        return (int64_t)id;
    char *path = cli_path_absolute(word);
    imgret_list_options list = {.size = sizeof list, .uri = path, .limit = 1};
    imgret_records *records = NULL;
    id = 0;
    if (!path)
        cli_error("out of memory");
    else if (imgret_list(&records, db, &list, &error) != IMGRET_OK)
        cli_session_fail(&error);
    else if (imgret_records_count(records) == 0)
        cli_error("%s: not in the database", word);
    else
        id = imgret_records_at(records, 0)->id;
    imgret_records_free(records);
    free(path);
    return (int64_t)id;
}

static int store_verdict(imgret *db, const cli_options *options)
{
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t one = id_of(db, options->words[0]);
    int64_t other = one ? id_of(db, options->words[1]) : 0;
    if (!one || !other)
        return CLI_EXIT_NOTHING;
    int32_t verdict = options->different ? IMGRET_VERDICT_DIFFERENT : IMGRET_VERDICT_NONE;
    if (imgret_set_verdict(db, one, other, verdict, &error) != IMGRET_OK)
        return error.code == IMGRET_NOT_FOUND ? (cli_error("%s", error.message), CLI_EXIT_NOTHING)
                                              : cli_session_fail(&error);
    return CLI_EXIT_FOUND;
}

int cli_dups(const cli_options *options)
{
    bool says = options->different || options->forget;
    if (options->different && options->forget) {
        cli_error("--not and --forget do not go together");
        return CLI_EXIT_ERROR;
    }
    if (says != (options->word_count == 2) || options->word_count == 1) {
        if (says)
            cli_error("two pictures are wanted: imgret dups DB --not A B");
        else
            cli_error("'%s' is too much; did you mean --not?", options->words[0]);
        return CLI_EXIT_ERROR;
    }
    imgret *db = cli_session_open(options, says ? IMGRET_OPEN_EXISTING : IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    int status = says ? store_verdict(db, options) : find_groups(db, options);
    cli_session_close(db);
    return status;
}
