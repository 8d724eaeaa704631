/* bridge.c: sets the stop word around each call, and leads callbacks into Go. */
#include "bridge.h"

#include <stddef.h>

/* ---- Callbacks: Go's side takes a number for `user` and no const ------------------------------- */

static int32_t tell_item(void *user, const imgret_ingest_item *item)
{
    return imgretGoItem((uintptr_t)user, (imgret_ingest_item *)item);
}

static int32_t tell_progress(void *user, const imgret_ingest_progress *progress)
{
    return imgretGoProgress((uintptr_t)user, (imgret_ingest_progress *)progress);
}

static int32_t tell_share(void *user, double done)
{
    return imgretGoShare((uintptr_t)user, done);
}

static int32_t tell_done(void *user, uint64_t done, uint64_t total)
{
    return imgretGoDone((uintptr_t)user, done, total);
}

static int32_t tell_problem(void *user, const char *message)
{
    return imgretGoProblem((uintptr_t)user, (char *)message);
}

static int32_t rerank(void *user, const imgret_hit *hits, uint64_t count, double *scores)
{
    return imgretGoRerank((uintptr_t)user, (imgret_hit *)hits, count, scores);
}

static int32_t tell_label(void *user, const imgret_label_item *item)
{
    return imgretGoLabel((uintptr_t)user, (imgret_label_item *)item);
}

static int32_t tell_group(void *user, const imgret_duplicate_group *group)
{
    return imgretGoGroup((uintptr_t)user, (imgret_duplicate_group *)group);
}

static void tell_log(void *user, int32_t level, const char *message)
{
    (void)user;
    imgretGoLog(level, (char *)message);
}

void imgret_go_set_log(int32_t level)
{
    imgret_set_log(level ? tell_log : NULL, NULL, level);
}

/* ---- Ask ---------------------------------------------------------------------------------------- */

/* The input with its one pointer; NULL for none. */
static const imgret_input *whole_input(imgret_input *out, const imgret_input *input,
                                       const void *data, const float *vector)
{
    if (!input)
        return NULL;
    *out = *input;
    out->size = sizeof *out;
    if (out->kind == IMGRET_INPUT_FILE)
        out->path = data;
    else if (out->kind == IMGRET_INPUT_VECTOR)
        out->vector = vector;
    else
        out->data = data;
    return out;
}

void imgret_go_look(imgret_go_answer *out, imgret_results *results)
{
    out->results = results;
    out->count = imgret_results_count(results);
    out->first = imgret_results_at(results, 0);
    out->stats = imgret_results_stats(results);
    out->cursor = imgret_results_cursor(results);
}

int32_t imgret_go_query(imgret_go_answer *out, imgret *db, const imgret_input *input,
                        const void *data, const float *vector, const imgret_query_options *options,
                        uintptr_t user, const uint32_t *stop, imgret_error *error)
{
    imgret_input given;
    imgret_query_options wanted = *options;
    imgret_results *results = NULL;
    if (user) {
        wanted.rerank = rerank;
        wanted.rerank_user = (void *)user;
    }
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_query(&results, db, whole_input(&given, input, data, vector), &wanted,
                                  error);
    imgret_set_stop(before);
    if (!status)
        imgret_go_look(out, results);
    return status;
}

int32_t imgret_go_query_batch(imgret_results **out, imgret *db, const imgret_input *inputs,
                              uint64_t count, const imgret_query_options *options,
                              const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_query_batch(out, db, inputs, count, options, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_count(uint64_t *out, imgret *db, const imgret_count_options *options,
                        const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_count(out, db, options, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_list(imgret_records **out, imgret *db, const imgret_list_options *options,
                       const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_list(out, db, options, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_get(imgret_records **out, imgret *db, int64_t id, const uint32_t *stop,
                      imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_get(out, db, id, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_get_vector(imgret *db, int64_t id, float *out, uint32_t capacity,
                             const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_get_vector(db, id, out, capacity, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_get_regions(imgret_regions **out, imgret *db, int64_t id, const uint32_t *stop,
                              imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_get_regions(out, db, id, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_list_indexes(imgret_indexes **out, imgret *db, const uint32_t *stop,
                               imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_list_indexes(out, db, error);
    imgret_set_stop(before);
    return status;
}

/* ---- Put in ------------------------------------------------------------------------------------- */

int32_t imgret_go_create_index(imgret *db, const char *expression, const uint32_t *stop,
                               imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_create_index(db, expression, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_drop_index(imgret *db, const char *expression, const uint32_t *stop,
                             imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_drop_index(db, expression, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_add(imgret *db, const imgret_input *input, const void *data, const float *vector,
                      const imgret_add_options *options, const uint32_t *stop,
                      imgret_add_result *result, imgret_error *error)
{
    imgret_input given;
    result->size = sizeof *result;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_add(db, whole_input(&given, input, data, vector), options, result,
                                error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_remove(imgret *db, int64_t id, const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_remove(db, id, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_set_metadata(imgret *db, int64_t id, const char *metadata, const uint32_t *stop,
                               imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_set_metadata(db, id, metadata, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_set_label(imgret *db, int64_t id, const char *label, double score,
                            const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_set_label(db, id, label, score, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_label_examples(imgret *db, const imgret_label_options *options, uintptr_t user,
                                 const uint32_t *stop, imgret_label_report *report,
                                 imgret_error *error)
{
    imgret_label_options wanted = *options;
    wanted.on_item = tell_label;
    wanted.user = (void *)user;
    report->size = sizeof *report;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_label_examples(db, &wanted, report, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_set_verdict(imgret *db, int64_t id, int64_t other_id, int32_t verdict,
                              const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_set_verdict(db, id, other_id, verdict, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_calibrate(imgret *db, const imgret_calibrate_options *options,
                            const uint32_t *stop, imgret_calibration *out, imgret_error *error)
{
    out->size = sizeof *out;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_calibrate(db, options, out, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_get_calibration(imgret *db, const uint32_t *stop, imgret_calibration *out,
                                  imgret_error *error)
{
    out->size = sizeof *out;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_get_calibration(db, out, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_duplicates(imgret *db, const imgret_duplicates_options *options, uintptr_t user,
                             const uint32_t *stop, imgret_duplicates_report *report,
                             imgret_error *error)
{
    report->size = sizeof *report;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_duplicates(db, options, tell_group, (void *)user, report, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_begin(imgret *db, const uint32_t *stop, imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_begin(db, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_ingest(imgret *db, const imgret_ingest_options *options, uintptr_t user,
                         const uint32_t *stop, imgret_ingest_progress *report, imgret_error *error)
{
    imgret_ingest_options wanted = *options;
    wanted.on_item = tell_item;
    wanted.on_progress = tell_progress;
    wanted.user = (void *)user;
    report->size = sizeof *report;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_ingest(db, &wanted, report, error);
    imgret_set_stop(before);
    return status;
}

/* ---- Look after --------------------------------------------------------------------------------- */

int32_t imgret_go_optimize(imgret *db, const imgret_optimize_options *options, uintptr_t user,
                           const uint32_t *stop, imgret_error *error)
{
    imgret_optimize_options wanted = *options;
    wanted.on_progress = tell_share;
    wanted.user = (void *)user;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_optimize(db, &wanted, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_check(imgret *db, uintptr_t user, const uint32_t *stop, uint64_t *problem_count,
                        imgret_error *error)
{
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_check(db, tell_problem, (void *)user, problem_count, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_salvage(const char *path, uint32_t busy_timeout_ms, uintptr_t user,
                          imgret_salvage_report *report, imgret_error *error)
{
    imgret_salvage_options wanted = {.size = sizeof wanted,
                                     .busy_timeout_ms = busy_timeout_ms,
                                     .on_loss = tell_problem,
                                     .user = (void *)user};
    report->size = sizeof *report;
    return imgret_salvage(path, &wanted, report, error);
}

int32_t imgret_go_repair(imgret *db, const imgret_repair_options *options, uintptr_t user,
                         const uint32_t *stop, imgret_repair_report *report, imgret_error *error)
{
    imgret_repair_options wanted = *options;
    wanted.on_item = tell_item;
    wanted.user = (void *)user;
    report->size = sizeof *report;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_repair(db, &wanted, report, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_reembed(imgret *db, const imgret_reembed_options *options, uintptr_t user,
                          const uint32_t *stop, imgret_reembed_report *report, imgret_error *error)
{
    imgret_reembed_options wanted = *options;
    wanted.on_item = tell_item;
    wanted.on_progress = tell_done;
    wanted.user = (void *)user;
    report->size = sizeof *report;
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_reembed(db, &wanted, report, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_backup(imgret *db, const char *folder, uintptr_t user, const uint32_t *stop,
                         imgret_error *error)
{
    imgret_backup_options wanted = {
        .size = sizeof wanted, .on_progress = tell_done, .user = (void *)user};
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_backup(db, folder, &wanted, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_export(imgret *db, const char *folder, uintptr_t user, const uint32_t *stop,
                         imgret_error *error)
{
    imgret_transfer_options wanted = {
        .size = sizeof wanted, .on_progress = tell_done, .user = (void *)user};
    const uint32_t *before = imgret_set_stop(stop);
    int32_t status = imgret_export(db, folder, &wanted, error);
    imgret_set_stop(before);
    return status;
}

int32_t imgret_go_import(const char *path, const char *folder, uintptr_t user, imgret_error *error)
{
    imgret_transfer_options wanted = {
        .size = sizeof wanted, .on_progress = tell_done, .user = (void *)user};
    return imgret_import(path, folder, &wanted, error);
}
