/* bridge.h: libimgret as Go calls it: each call in one crossing.
 *
 * Go memory that holds pointers into Go memory must not be handed to C. So inputs come as a struct
 * without pointers and, beside it, the one pointer that it needs: `data` (a path with its NUL, bytes,
 * pixels) or `vector`. `stop` is the word of imgret_set_stop, set for the call and put back: a
 * goroutine has no thread of its own. `user` is a cgo.Handle of what the exported callbacks call.
 */
#ifndef IMGRET_GO_BRIDGE_H
#define IMGRET_GO_BRIDGE_H

#include <imgret/imgret.h>

/* Results with what is asked of them, so that reading them crosses no more. */
typedef struct imgret_go_answer {
    imgret_results *results;
    const imgret_hit *first;
    const imgret_query_stats *stats;
    const char *cursor;
    uint64_t count;
} imgret_go_answer;

void imgret_go_look(imgret_go_answer *out, imgret_results *results);
int32_t imgret_go_query(imgret_go_answer *out, imgret *db, const imgret_input *input,
                        const void *data, const float *vector, const imgret_query_options *options,
                        uintptr_t user, const uint32_t *stop, imgret_error *error);
int32_t imgret_go_query_batch(imgret_results **out, imgret *db, const imgret_input *inputs,
                              uint64_t count, const imgret_query_options *options,
                              const uint32_t *stop, imgret_error *error);
int32_t imgret_go_count(uint64_t *out, imgret *db, const imgret_count_options *options,
                        const uint32_t *stop, imgret_error *error);
int32_t imgret_go_list(imgret_records **out, imgret *db, const imgret_list_options *options,
                       const uint32_t *stop, imgret_error *error);
int32_t imgret_go_get(imgret_records **out, imgret *db, int64_t id, const uint32_t *stop,
                      imgret_error *error);
int32_t imgret_go_get_vector(imgret *db, int64_t id, float *out, uint32_t capacity,
                             const uint32_t *stop, imgret_error *error);
int32_t imgret_go_get_regions(imgret_regions **out, imgret *db, int64_t id, const uint32_t *stop,
                              imgret_error *error);
int32_t imgret_go_list_indexes(imgret_indexes **out, imgret *db, const uint32_t *stop,
                               imgret_error *error);

int32_t imgret_go_create_index(imgret *db, const char *expression, const uint32_t *stop,
                               imgret_error *error);
int32_t imgret_go_drop_index(imgret *db, const char *expression, const uint32_t *stop,
                             imgret_error *error);
int32_t imgret_go_add(imgret *db, const imgret_input *input, const void *data, const float *vector,
                      const imgret_add_options *options, const uint32_t *stop,
                      imgret_add_result *result, imgret_error *error);
int32_t imgret_go_remove(imgret *db, int64_t id, const uint32_t *stop, imgret_error *error);
int32_t imgret_go_set_metadata(imgret *db, int64_t id, const char *metadata, const uint32_t *stop,
                               imgret_error *error);
int32_t imgret_go_set_label(imgret *db, int64_t id, const char *label, double score,
                            const uint32_t *stop, imgret_error *error);
int32_t imgret_go_label_examples(imgret *db, const imgret_label_options *options, uintptr_t user,
                                 const uint32_t *stop, imgret_label_report *report,
                                 imgret_error *error);
int32_t imgret_go_set_verdict(imgret *db, int64_t id, int64_t other_id, int32_t verdict,
                              const uint32_t *stop, imgret_error *error);
int32_t imgret_go_calibrate(imgret *db, const imgret_calibrate_options *options,
                            const uint32_t *stop, imgret_calibration *out, imgret_error *error);
int32_t imgret_go_get_calibration(imgret *db, const uint32_t *stop, imgret_calibration *out,
                                  imgret_error *error);
int32_t imgret_go_duplicates(imgret *db, const imgret_duplicates_options *options, uintptr_t user,
                             const uint32_t *stop, imgret_duplicates_report *report,
                             imgret_error *error);
int32_t imgret_go_begin(imgret *db, const uint32_t *stop, imgret_error *error);

/* With callbacks; `user` is where to find them. */
int32_t imgret_go_ingest(imgret *db, const imgret_ingest_options *options, uintptr_t user,
                         const uint32_t *stop, imgret_ingest_progress *report, imgret_error *error);
int32_t imgret_go_optimize(imgret *db, const imgret_optimize_options *options, uintptr_t user,
                           const uint32_t *stop, imgret_error *error);
int32_t imgret_go_check(imgret *db, uintptr_t user, const uint32_t *stop, uint64_t *problem_count,
                        imgret_error *error);
int32_t imgret_go_salvage(const char *path, uint32_t busy_timeout_ms, uintptr_t user,
                          imgret_salvage_report *report, imgret_error *error);
int32_t imgret_go_repair(imgret *db, const imgret_repair_options *options, uintptr_t user,
                         const uint32_t *stop, imgret_repair_report *report, imgret_error *error);
int32_t imgret_go_reembed(imgret *db, const imgret_reembed_options *options, uintptr_t user,
                          const uint32_t *stop, imgret_reembed_report *report, imgret_error *error);
int32_t imgret_go_backup(imgret *db, const char *folder, uintptr_t user, const uint32_t *stop,
                         imgret_error *error);
int32_t imgret_go_export(imgret *db, const char *folder, uintptr_t user, const uint32_t *stop,
                         imgret_error *error);
int32_t imgret_go_import(const char *path, const char *folder, uintptr_t user, imgret_error *error);
void imgret_go_set_log(int32_t level);

/* Go's side of the callbacks (callback.go): numbers for `user`, and no const. */
int32_t imgretGoItem(uintptr_t user, imgret_ingest_item *item);
int32_t imgretGoProgress(uintptr_t user, imgret_ingest_progress *progress);
int32_t imgretGoShare(uintptr_t user, double done);
int32_t imgretGoDone(uintptr_t user, uint64_t done, uint64_t total);
int32_t imgretGoProblem(uintptr_t user, char *message);
int32_t imgretGoRerank(uintptr_t user, imgret_hit *hits, uint64_t count, double *scores);
int32_t imgretGoLabel(uintptr_t user, imgret_label_item *item);
int32_t imgretGoGroup(uintptr_t user, imgret_duplicate_group *group);
void imgretGoLog(int32_t level, char *message);

#endif
