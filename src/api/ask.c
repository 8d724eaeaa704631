/* ask.c: the calls that only read a database. */
#include "api/handle.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/color_text.h"
#include "engine/compose.h"
#include "engine/likeness.h"
#include "engine/look.h"
#include "engine/query.h"
#include "engine/regions_query.h"
#include "engine/source.h"
#include "engine/where.h"

#include <math.h>
#include <stddef.h>

#define KINDS_TO_ASK                                                                  \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS | \
     1u << IMGRET_INPUT_VECTOR | 1u << IMGRET_INPUT_ID)

enum { K_MAX = 1000000 };

#define BATCH_MAX ((uint64_t)1 << 24)

/* The first versions of the structs, without a filter. */
#define QUERY_LEAST_BYTES ((uint32_t)offsetof(imgret_query_options, where))
#define LIST_LEAST_BYTES ((uint32_t)offsetof(imgret_list_options, where))

static int32_t check_query(imgret_query_options *options, imgret_error *error)
{
    const uint32_t known = IMGRET_QUERY_MIN_SCORE | IMGRET_QUERY_INCLUDE_SELF |
                           IMGRET_QUERY_ALLOW_PARTIAL | IMGRET_QUERY_ESTIMATED |
                           IMGRET_QUERY_GROUP | IMGRET_QUERY_MAIN_OBJECT | IMGRET_QUERY_IDS_ONLY;
    if (options->flags & ~known)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.flags is 0x%x",
                       options->flags);
    if ((options->flags & IMGRET_QUERY_MIN_SCORE) && isnan(options->min_score))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.min_score is NaN");
    if (options->k > K_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.k is %u, at most %d is possible", options->k, K_MAX);
    if (options->effort > K_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.effort is %u, at most %d is possible", options->effort,
                       K_MAX);
    float target = options->target_recall;
    if (target != 0 && !(target >= 0.5f && target <= 0.9999f))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.target_recall is %g, 0.5 to 0.9999 is possible",
                       (double)target);
    if (target != 0 && options->effort != 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: effort and target_recall do not go together");
    if (options->k == 0)
        options->k = 10;
    return IMGRET_OK;
}

/* Sets min_score to what was calibrated for min_likeness. */
static int32_t resolve_likeness(imgret_query_options *options, ir_database *database,
                                imgret_error *error)
{
    if (options->min_likeness > IMGRET_LIKENESS_SAME)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.min_likeness is %u",
                       options->min_likeness);
    if (options->min_likeness == 0)
        return IMGRET_OK;
    if ((options->flags & IMGRET_QUERY_MIN_SCORE) || options->color_count > 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: min_likeness does not go with %s",
                       options->color_count ? "colors" : "IMGRET_QUERY_MIN_SCORE");
    imgret_calibration calibration = {.size = sizeof calibration};
    ir_call call;
    ir_call_begin(&call, &database->interrupts);
    int32_t status = ir_likeness_read(database, &calibration, error);
    ir_call_end(&call);
    options->flags |= IMGRET_QUERY_MIN_SCORE;
    options->min_score = ir_likeness_score(&calibration, options->min_likeness);
    return status;
}

/* Whether a part of this input can be asked with, as the options say. */
static int32_t check_part(const imgret_query_options *options, const imgret_input *input,
                          imgret_error *error)
{
    bool main_object = (options->flags & IMGRET_QUERY_MAIN_OBJECT) != 0;
    bool is_id = input->kind == IMGRET_INPUT_ID, is_vector = input->kind == IMGRET_INPUT_VECTOR;
    if ((options->region > 0 && !is_id) || (options->box && (is_id || is_vector)) ||
        (main_object && is_vector) || (options->rerank_by && is_vector))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: %s does not go with an input of kind %u",
                       options->region ? "region"
                       : options->box  ? "box"
                       : main_object   ? "MAIN_OBJECT"
                                       : "rerank_by",
                       input->kind);
    return IMGRET_OK;
}

/* What the options say of regions; `box` receives a copy of the caller's. */
static int32_t check_regions(imgret_query_options *options, imgret_box *box, imgret_error *error)
{
    bool main_object = (options->flags & IMGRET_QUERY_MAIN_OBJECT) != 0;
    if (options->search > IMGRET_SEARCH_BOTH)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.search is %u",
                       options->search);
    if (options->region > IR_REGION_OBJECTS_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.region is %u, at most %u is possible", options->region,
                       IR_REGION_OBJECTS_MAX);
    if ((options->box != NULL) + (options->region > 0) + main_object > 1)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: of box, region and MAIN_OBJECT only one goes");
    if (!options->box)
        return IMGRET_OK;
    int32_t status = ir_options_read(box, sizeof *box, sizeof *box, options->box, "imgret_box",
                                     error);
    options->box = box;
    return status;
}

/* The queries one by one where they are of several parts; `inputs` NULL: one, without an input. */
static int32_t run(imgret_results **out, ir_database *database, const imgret_input *inputs,
                   uint64_t count, const imgret_query_options *wanted,
                   const ir_catalog_filter *filter, imgret_error *error)
{
    ir_call call;
    ir_call_begin(&call, &database->interrupts);
    int32_t status = IMGRET_OK;
    uint64_t done = 0;
    if (inputs && !ir_compose_needed(wanted)) {
        status = ir_query(out, database, inputs, count, wanted, filter, &call, error);
        for (; done < count && !status; done++)
            ir_compose_end_page(out[done], &inputs[done], wanted, filter);
    }
    for (; done < count && !status && (!inputs || ir_compose_needed(wanted)); done++)
        status = ir_compose(&out[done], database, inputs ? &inputs[done] : NULL, wanted, filter,
                            &call, error);
    ir_call_end(&call);
    for (uint64_t i = 0; i < count && status; i++) {
        imgret_results_free(out[i]);
        out[i] = NULL;
    }
    return status;
}

/* `inputs` are checked copies; NULL: one query without an input. */
static int32_t answer(imgret_results **out, imgret *db, const imgret_input *inputs, uint64_t count,
                      const imgret_query_options *options, imgret_error *error)
{
    imgret_query_options wanted;
    imgret_box box;
    int32_t status = ir_options_read(&wanted, sizeof wanted, QUERY_LEAST_BYTES, options,
                                     "imgret_query_options", error);
    if (!status)
        status = check_query(&wanted, error);
    if (!status)
        status = check_regions(&wanted, &box, error);
    if (!status)
        status = resolve_likeness(&wanted, db->database, error);
    for (uint64_t i = 0; inputs && i < count && !status; i++)
        status = check_part(&wanted, &inputs[i], error);
    if (status)
        return status;
    ir_catalog_filter filter;
    status = ir_where_read(&filter, wanted.where, wanted.params, wanted.param_count,
                           wanted.where_ms_max, error);
    ir_compose_parts *parts = ir_malloc(sizeof *parts);
    if (!status && !parts)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a query");
    if (!status)
        status = ir_compose_check(&wanted, inputs != NULL, parts, error);
    if (!status && wanted.cursor && count > 1)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "imgret_query_options.cursor does not go with a batch");
    if (!status)
        status = run(out, db->database, inputs, count, &wanted, &filter, error);
    ir_free(parts);
    ir_where_free(&filter);
    return status;
}

int32_t imgret_query(imgret_results **out, imgret *db, const imgret_input *input,
                     const imgret_query_options *options, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    imgret_input given;
    status = ir_handle_check(db, error);
    if (!status && input)
        status = ir_source_read_input(&given, input, KINDS_TO_ASK, error);
    return status ? status : answer(out, db, input ? &given : NULL, 1, options, error);
}

/* Copies the caller's array, whose stride is the size that its first entry tells. */
static int32_t read_inputs(imgret_input *out, const imgret_input *given, uint64_t count,
                           imgret_error *error)
{
    for (uint64_t i = 0; i < count; i++) {
        const char *at = (const char *)given + (size_t)i * given->size;
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ir_source_read_input(&out[i], (const imgret_input *)(const void *)at,
                                              KINDS_TO_ASK, &reason);
        if (status)
            return ir_fail(error, status, "input %llu: %s", (unsigned long long)i, reason.message);
    }
    return IMGRET_OK;
}

int32_t imgret_query_batch(imgret_results **out, imgret *db, const imgret_input *inputs,
                           uint64_t count, const imgret_query_options *options, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    if (count > BATCH_MAX)
        return ir_fail(error, IMGRET_LIMIT, "the batch has %llu inputs, at most %llu are possible",
                       (unsigned long long)count, (unsigned long long)BATCH_MAX);
    for (uint64_t i = 0; i < count; i++)
        out[i] = NULL;
    status = ir_handle_check(db, error);
    if (!status && count > 0)
        status = ir_handle_need(inputs, "inputs", error);
    if (status)
        return status;
    imgret_input *copies = ir_malloc_array(count ? (size_t)count : 1, sizeof *copies);
    if (!copies)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu inputs",
                       (unsigned long long)count);
    status = read_inputs(copies, inputs, count, error);
    if (!status)
        status = answer(out, db, copies, count, options, error);
    ir_free(copies);
    return status;
}

int32_t imgret_list(imgret_records **out, imgret *db, const imgret_list_options *options,
                    imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    imgret_list_options wanted;
    status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, LIST_LEAST_BYTES, options,
                                 "imgret_list_options", error);
    if (status)
        return status;
    ir_catalog_filter filter;
    status = ir_where_read(&filter, wanted.where, wanted.params, wanted.param_count,
                           wanted.where_ms_max, error);
    if (!status) {
        ir_call call;
        ir_call_begin(&call, &db->database->interrupts);
        status = ir_list(out, db->database, &wanted, &filter, error);
        ir_call_end(&call);
    }
    ir_where_free(&filter);
    return status;
}

int32_t imgret_count(uint64_t *out, imgret *db, const imgret_count_options *options,
                     imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = 0;
    imgret_count_options wanted;
    status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_count_options", error);
    if (!status && (wanted.state < 0 || wanted.state > IMGRET_STATE_FAILED))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_count_options.state is %d",
                         wanted.state);
    if (status)
        return status;
    ir_catalog_filter filter;
    status = ir_where_read(&filter, wanted.where, wanted.params, wanted.param_count,
                           wanted.where_ms_max, error);
    if (!status) {
        ir_call call;
        ir_call_begin(&call, &db->database->interrupts);
        status = ir_count(out, db->database, wanted.state, &filter, error);
        ir_call_end(&call);
    }
    ir_where_free(&filter);
    return status;
}

int32_t imgret_parse_colors(imgret_color_term *out, uint32_t capacity, uint32_t *count,
                            const char *text, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (!status)
        status = ir_handle_need(count, "count", error);
    if (!status)
        status = ir_handle_need(text, "text", error);
    return status ? status : ir_color_text_read(out, capacity, count, text, error);
}

int32_t imgret_get(imgret_records **out, imgret *db, int64_t id, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_get(out, db->database, id, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_get_regions(imgret_regions **out, imgret *db, int64_t id, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_regions_of(out, db->database, id, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_get_vector(imgret *db, int64_t id, float *out, uint32_t capacity,
                          imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (!status && capacity != db->database->dimension)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "capacity is %u, the dimension is %u",
                         capacity, db->database->dimension);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_get_vector(db->database, id, out, error);
    ir_call_end(&call);
    return status;
}

int32_t imgret_get_stats(imgret *db, imgret_stats *out, imgret_error *error)
{
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    imgret_stats stats = {.size = sizeof stats};
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_get_stats(db->database, &stats, error);
    ir_call_end(&call);
    return status
               ? status
               : ir_struct_write(out, &stats, sizeof stats,
                                 offsetof(imgret_stats, delta_vector_count), "imgret_stats", error);
}

int32_t imgret_check(imgret *db, imgret_check_fn on_problem, void *user, uint64_t *problem_count,
                     imgret_error *error)
{
    if (problem_count)
        *problem_count = 0;
    int32_t status = ir_handle_check(db, error);
    if (status)
        return status;
    ir_call call;
    ir_call_begin(&call, &db->database->interrupts);
    status = ir_check(db->database, on_problem, user, problem_count, error);
    ir_call_end(&call);
    return status;
}
