/* cmd_database.c: create, optimize, stats, check and backup: commands about a database as a whole. */
#include "commands.h"
#include "json.h"
#include "likeness.h"
#include "message.h"
#include "output.h"
#include "session.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *metric_name(uint32_t metric)
{
    switch (metric) {
    case IMGRET_METRIC_COSINE:
        return "cosine";
    case IMGRET_METRIC_INNER_PRODUCT:
        return "ip";
    case IMGRET_METRIC_L2:
        return "l2";
    default:
        return "?";
    }
}

static const char *vector_type_name(uint32_t type)
{
    return type == IMGRET_VECTOR_F16 ? "f16" : type == IMGRET_VECTOR_F32 ? "f32" : "?";
}

static void print_stats_json(imgret *db, const char *path, const imgret_stats *stats)
{
    cli_json_begin();
    cli_json_path("database", path);
    cli_json_count("image_count", stats->image_count);
    cli_json_count("failed_count", stats->failed_count);
    cli_json_count("vector_count", stats->vector_count);
    cli_json_count("dimension", stats->dimension);
    cli_json_text("metric", metric_name(stats->metric));
    cli_json_text("vector_type", vector_type_name(stats->vector_type));
    cli_json_path("model", stats->model);
    cli_json_text("model_identity", stats->model_identity);
    cli_json_text("regions", stats->regions);
    cli_json_count("catalog_bytes", stats->catalog_bytes);
    cli_json_count("delta_vector_count", stats->delta_vector_count);
    cli_json_count("delta_ram_bytes", stats->delta_ram_bytes);
    cli_json_count("segment_count", stats->segment_count);
    cli_json_count("segment_vector_count", stats->segment_vector_count);
    cli_json_count("segment_bytes", stats->segment_bytes);
    cli_json_count("segment_ram_bytes", stats->segment_ram_bytes);
    cli_json_count("code_ram_bytes", stats->code_ram_bytes);
    cli_json_count("graph_ram_bytes", stats->graph_ram_bytes);
    cli_json_count("graph_disk_bytes", stats->graph_disk_bytes);
    cli_json_count("id_ram_bytes", stats->id_ram_bytes);
    cli_json_count("check_ram_bytes", stats->check_ram_bytes);
    cli_json_count("other_ram_bytes", stats->other_ram_bytes);
    cli_json_text("kernels", stats->kernels);
    cli_json_text("io_kind", stats->io_kind);
    cli_json_text("io_reason", stats->io_reason);
    cli_likeness_print(db, CLI_FORM_JSON);
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

static void print_count_line(cli_form form, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    print_line(form, name, text);
}

static void print_stats(imgret *db, cli_form form, const char *path, const imgret_stats *stats)
{
    print_line(form, "database", path);
    print_count_line(form, "image_count", stats->image_count);
    print_count_line(form, "failed_count", stats->failed_count);
    print_count_line(form, "vector_count", stats->vector_count);
    print_count_line(form, "dimension", stats->dimension);
    print_line(form, "metric", metric_name(stats->metric));
    print_line(form, "vector_type", vector_type_name(stats->vector_type));
    print_line(form, "model", stats->model);
    print_line(form, "model_identity", stats->model_identity);
    print_line(form, "regions", stats->regions);
    print_count_line(form, "catalog_bytes", stats->catalog_bytes);
    print_count_line(form, "delta_vector_count", stats->delta_vector_count);
    print_count_line(form, "delta_ram_bytes", stats->delta_ram_bytes);
    print_count_line(form, "segment_count", stats->segment_count);
    print_count_line(form, "segment_vector_count", stats->segment_vector_count);
    print_count_line(form, "segment_bytes", stats->segment_bytes);
    print_count_line(form, "segment_ram_bytes", stats->segment_ram_bytes);
    print_count_line(form, "code_ram_bytes", stats->code_ram_bytes);
    print_count_line(form, "graph_ram_bytes", stats->graph_ram_bytes);
    print_count_line(form, "graph_disk_bytes", stats->graph_disk_bytes);
    print_count_line(form, "id_ram_bytes", stats->id_ram_bytes);
    print_count_line(form, "check_ram_bytes", stats->check_ram_bytes);
    print_count_line(form, "other_ram_bytes", stats->other_ram_bytes);
    print_line(form, "kernels", stats->kernels);
    print_line(form, "io_kind", stats->io_kind);
    print_line(form, "io_reason", stats->io_reason);
    cli_likeness_print(db, form);
}

int cli_create(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_NEW);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    int status = CLI_EXIT_FOUND;
    if (imgret_get_stats(db, &stats, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else if (options->json)
        print_stats_json(db, options->db, &stats);
    else
        cli_note("made %s: model %s, %u dimensions, metric %s, stored as %s", options->db,
                 stats.model, stats.dimension, metric_name(stats.metric),
                 vector_type_name(stats.vector_type));
    cli_session_close(db);
    return status;
}

static int32_t stop_if_interrupted(void *user, double done)
{
    (void)user, (void)done;
    return cli_session_is_interrupted();
}

int cli_optimize(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_EXISTING);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    imgret_optimize_options wanted = {.size = sizeof wanted,
                                      .flags = options->force ? IMGRET_OPTIMIZE_FORCE : 0,
                                      .memory_bytes_max = (uint64_t)options->memory_mib << 20,
                                      .on_progress = stop_if_interrupted};
    int status = CLI_EXIT_FOUND;
    if (imgret_optimize(db, &wanted, &error) != IMGRET_OK ||
        imgret_get_stats(db, &stats, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else if (options->json)
        print_stats_json(db, options->db, &stats);
    else
        cli_note("%s: %" PRIu64 " vectors in %" PRIu64 " segments, %" PRIu64 " in memory",
                 options->db, stats.segment_vector_count, stats.segment_count,
                 stats.delta_vector_count);
    cli_session_close(db);
    return status;
}

int cli_stats(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    int status = CLI_EXIT_FOUND;
    if (imgret_get_stats(db, &stats, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else if (options->json)
        print_stats_json(db, options->db, &stats);
    else
        print_stats(db, cli_output_form(options), options->db, &stats);
    cli_session_close(db);
    return status;
}

static int32_t on_problem(void *user, const char *message)
{
    bool good;
    if (*(const cli_form *)user == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_text("event", "problem");
        cli_json_text("message", message);
        good = cli_json_end();
    } else {
        good = cli_output_path_line(*(const cli_form *)user, message);
    }
    return !good || cli_session_is_interrupted();
}

static void print_check_summary(const cli_options *options, uint64_t problem_count)
{
    if (options->json) {
        cli_json_begin();
        cli_json_text("event", "summary");
        cli_json_count("problem_count", problem_count);
        cli_json_end();
    } else if (problem_count) {
        cli_error("%s: problems found: %" PRIu64, options->db, problem_count);
    } else {
        cli_note("%s: no problem found", options->db);
    }
}

/* An image whose vector was lost: on stdout, one line each, as a problem is. */
static int32_t on_lost(void *user, const imgret_ingest_item *item)
{
    const char *what = item->outcome == IMGRET_STORED ? "restored" : "lost";
    if (*(const cli_form *)user == CLI_FORM_JSON) {
        cli_json_begin();
        cli_json_text("event", what);
        cli_json_int("id", item->id);
        cli_json_path("uri", item->uri);
        cli_json_text("message", item->message);
        return !cli_json_end() || cli_session_is_interrupted();
    }
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, item->id);
    printf("%s\t%s\t", what, id);
    return !cli_output_path_line(*(const cli_form *)user, item->uri[0] ? item->uri : "-") ||
           cli_session_is_interrupted();
}

/* A damaged catalogue is made anew before the database is opened. CLI_EXIT_SOME_FAILED when something of it
 * is lost that a repair cannot bring back. */
static int salvage(const cli_options *options, cli_form form)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_salvage_options wanted = {.size = sizeof wanted, .on_loss = on_problem, .user = &form};
    imgret_salvage_report report = {.size = sizeof report};
    if (imgret_salvage(options->db, &wanted, &report, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    if (!report.salvaged)
        return CLI_EXIT_FOUND;
    cli_note("%s: the catalogue was made anew: images kept: %" PRIu64 ", of these without their "
             "record: %" PRIu64 "; lost: %" PRIu64 "; the damaged one is %s in that folder",
             options->db, report.image_count, report.images_without_record, report.images_lost,
             report.original);
    return report.images_without_record ? CLI_EXIT_SOME_FAILED : CLI_EXIT_FOUND;
}

/* Exit status; CLI_EXIT_SOME_FAILED when a vector is lost for good. */
static int repair(const cli_options *options, imgret *db, cli_form form)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_repair_options wanted = {.size = sizeof wanted, .on_item = on_lost, .user = &form};
    imgret_repair_report report = {.size = sizeof report};
    if (imgret_repair(db, &wanted, &report, &error) != IMGRET_OK)
        return cli_session_fail(&error);
    cli_note("%s: segments made anew: %u; vectors kept: %" PRIu64 ", extracted again: %" PRIu64
             ", lost: %" PRIu64,
             options->db, report.segments_rebuilt, report.vectors_kept, report.images_extracted,
             report.images_lost);
    return report.images_lost ? CLI_EXIT_SOME_FAILED : CLI_EXIT_FOUND;
}

int cli_check(const cli_options *options)
{
    cli_form form = cli_output_form(options);
    int salvaged = options->repair ? salvage(options, form) : CLI_EXIT_FOUND;
    if (salvaged == CLI_EXIT_ERROR || salvaged == CLI_EXIT_INTERRUPTED)
        return salvaged;
    imgret *db = cli_session_open(options,
                                  options->repair ? IMGRET_OPEN_EXISTING : IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t problem_count = 0;
    int status = options->repair ? repair(options, db, form) : CLI_EXIT_FOUND;
    if (status == CLI_EXIT_ERROR || status == CLI_EXIT_INTERRUPTED) {
        cli_session_close(db);
        return status;
    }
    if (imgret_check(db, on_problem, &form, &problem_count, &error) != IMGRET_OK)
        status = cli_session_fail(&error);
    else
        print_check_summary(options, problem_count);
    if (problem_count && status != CLI_EXIT_INTERRUPTED)
        status = CLI_EXIT_ERROR;
    if (status == CLI_EXIT_FOUND)
        status = salvaged;
    cli_session_close(db);
    return status;
}

static int32_t on_copied(void *user, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)total_bytes;
    *(uint64_t *)user = done_bytes;
    return cli_session_is_interrupted();
}

int cli_backup(const cli_options *options)
{
    imgret *db = cli_session_open(options, IMGRET_OPEN_READ_ONLY);
    if (!db)
        return CLI_EXIT_ERROR;
    imgret_error error = IMGRET_ERROR_INIT;
    uint64_t bytes = 0;
    imgret_backup_options wanted = {
        .size = sizeof wanted, .on_progress = on_copied, .user = &bytes};
    int status = CLI_EXIT_FOUND;
    if (imgret_backup(db, options->words[0], &wanted, &error) != IMGRET_OK) {
        status = cli_session_fail(&error);
    } else if (options->json) {
        cli_json_begin();
        cli_json_text("event", "backup");
        cli_json_path("path", options->words[0]);
        cli_json_count("bytes", bytes);
        cli_json_end();
    } else {
        cli_note("copied %s to %s: %" PRIu64 " bytes", options->db, options->words[0], bytes);
    }
    cli_session_close(db);
    return status;
}
