/* label.c: labels from a few examples: gathers what to learn from, then goes through the pictures.
 *
 * Pictures are read in pages, so that no state of the catalogue is held for long; labels are
 * committed page by page. Pictures labelled with a score of 1 are examples that a user gave.
 */
#include "engine/label.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/add.h"
#include "engine/classifier.h"
#include "engine/look.h"
#include "engine/query.h"
#include "engine/query_inside.h"
#include "engine/results.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000, SAMPLE = 1000, EXAMPLES_MAX = 10000, VECTORS_AT_ONCE = 64 };

#define CONFIDENCE_MAX 0.999 /* 1 is a user's own word */

/* Vectors under construction. */
typedef struct {
    float *rows;
    uint64_t count, room;
} vector_list;

typedef struct {
    ir_database *database;
    const imgret_label_options *options;
    const ir_catalog_filter *filter;
    imgret_label_report *report;
    ir_call *call;
    vector_list yes;
    vector_list others; /* examples of other labels */
    vector_list sample; /* of the collection: a few of them may be of the label after all */
    int64_t *given;     /* images that are examples, ascending */
    size_t given_count;
    float *vector; /* one, to work with */
    ir_classifier classifier;
} labelling;

static int32_t append(vector_list *list, const float *vector, uint32_t dimension,
                      imgret_error *error)
{
    if (list->count == list->room) {
        uint64_t room = list->room ? 2 * list->room : 64;
        size_t values = 0, bytes = 0;
        float *more = NULL;
        if (ir_mul_size((size_t)room, dimension, &values) &&
            ir_mul_size(values, sizeof *more, &bytes))
            more = ir_realloc(list->rows, bytes);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu examples",
                           (unsigned long long)room);
        list->rows = more;
        list->room = room;
    }
    memcpy(list->rows + list->count++ * dimension, vector, dimension * sizeof *vector);
    return IMGRET_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_given_example(const labelling *l, int64_t id)
{
    return l->given_count > 0 &&
           bsearch(&id, l->given, l->given_count, sizeof id, compare_ids) != NULL;
}

static int32_t list_given(labelling *l, imgret_error *error)
{
    l->given = ir_malloc_array((size_t)l->options->example_count, sizeof *l->given);
    if (!l->given)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for examples");
    for (uint64_t i = 0; i < l->options->example_count; i++)
        if (l->options->examples[i].kind == IMGRET_INPUT_ID)
            l->given[l->given_count++] = l->options->examples[i].id;
    if (l->given_count > 1)
        qsort(l->given, l->given_count, sizeof *l->given, compare_ids);
    return IMGRET_OK;
}

static bool is_confirmed(const imgret_record *record)
{
    return record->label && record->label_score >= 1;
}

/* Goes through the stored images that match `filter`, page by page. */
typedef int32_t (*record_fn)(labelling *l, const imgret_record *record, void *context,
                             imgret_error *error);

static int32_t for_each(labelling *l, const ir_catalog_filter *filter, record_fn on_record,
                        int32_t (*on_page)(labelling *l, void *context, imgret_error *error),
                        void *context, imgret_error *error)
{
    imgret_list_options list = {.size = sizeof list, .state = IMGRET_STATE_STORED, .limit = PAGE};
    for (;;) {
        imgret_records *records;
        if (ir_call_stopped(l->call))
            return ir_fail(error, IMGRET_INTERRUPTED, "labelling was interrupted");
        int32_t status = ir_list(&records, l->database, &list, filter, error);
        if (status)
            return status;
        uint64_t count = records->count;
        for (uint64_t i = 0; i < count && !status; i++) {
            list.after_id = records->rows[i].id;
            status = on_record(l, &records->rows[i], context, error);
        }
        imgret_records_free(records);
        if (!status && on_page)
            status = on_page(l, context, error);
        if (status || count < PAGE)
            return status;
    }
}

/* The vector of an image that is there, into l->vector; *there false when it went meanwhile. */
static int32_t vector_of(labelling *l, int64_t id, bool *there, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_get_vector(l->database, id, l->vector, &reason);
    *there = !status;
    return status && status != IMGRET_NOT_FOUND ? ir_fail(error, status, "%s", reason.message)
                                                : IMGRET_OK;
}

/* ---- What to learn from ---- */

static int32_t take_given(labelling *l, imgret_error *error)
{
    const imgret_query_options none = {.size = sizeof none};
    uint32_t dimension = l->database->dimension;
    float *rows = ir_malloc_array((size_t)VECTORS_AT_ONCE * dimension, sizeof *rows);
    if (!rows)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for examples");
    int32_t status = IMGRET_OK;
    for (uint64_t first = 0; first < l->options->example_count && !status;
         first += VECTORS_AT_ONCE) {
        uint64_t left = l->options->example_count - first;
        ir_asked asked[VECTORS_AT_ONCE];
        ir_query_work work = {.database = l->database,
                              .options = &none,
                              .call = l->call,
                              .asked = asked,
                              .first = first,
                              .count = (uint32_t)(left < VECTORS_AT_ONCE ? left : VECTORS_AT_ONCE),
                              .alone = l->options->example_count == 1};
        for (uint32_t i = 0; i < work.count; i++)
            asked[i] = (ir_asked){.input = &l->options->examples[first + i],
                                  .vector = rows + (size_t)i * dimension};
        status = ir_query_vectors(&work, error);
        for (uint32_t i = 0; i < work.count && !status; i++) {
            if (asked[i].input->kind == IMGRET_INPUT_ID)
                status = ir_get_vector(l->database, asked[i].input->id, asked[i].vector, error);
            if (!status)
                status = append(&l->yes, asked[i].vector, dimension, error);
        }
    }
    ir_free(rows);
    return status;
}

/* Every image's share of chance is its own: the same database gives the same sample. */
static bool is_sampled(int64_t id, uint64_t image_count)
{
    uint64_t chance = ((uint64_t)id * 0x9E3779B97F4A7C15u) >> 32;
    return image_count <= SAMPLE || chance < ((uint64_t)SAMPLE << 32) / image_count;
}

static int32_t learn_from(labelling *l, const imgret_record *record, void *context,
                          imgret_error *error)
{
    const uint64_t *image_count = context;
    bool confirmed = is_confirmed(record), there;
    bool same = confirmed && strcmp(record->label, l->options->label) == 0;
    bool fitting = record->label && strcmp(record->label, l->options->label) == 0;
    if (is_given_example(l, record->id) || (fitting && !same))
        return IMGRET_OK;
    vector_list *list = !confirmed ? &l->sample : same ? &l->yes : &l->others;
    if (confirmed ? list->count >= EXAMPLES_MAX : !is_sampled(record->id, *image_count))
        return IMGRET_OK;
    int32_t status = vector_of(l, record->id, &there, error);
    if (!status && there)
        status = append(list, l->vector, l->database->dimension, error);
    return status;
}

static int32_t learn_once(labelling *l, imgret_error *error)
{
    uint32_t dimension = l->database->dimension;
    uint64_t no_count = l->others.count + l->sample.count;
    float *no = ir_malloc_array((size_t)no_count * dimension, sizeof *no);
    if (!no)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu examples",
                       (unsigned long long)no_count);
    size_t others = (size_t)l->others.count * dimension;
    if (others)
        memcpy(no, l->others.rows, others * sizeof *no);
    if (l->sample.count)
        memcpy(no + others, l->sample.rows, (size_t)l->sample.count * dimension * sizeof *no);
    l->report->example_count = l->yes.count;
    l->report->counter_count = no_count;
    int32_t status = ir_classifier_learn(&l->classifier, dimension, l->yes.rows, l->yes.count, no,
                                         no_count, ir_call_stopped, l->call, error);
    ir_free(no);
    return status;
}

/* Pictures of the sample that look as if they were of the label are nothing to tell it from (Liu et
 * al., "Building Text Classifiers Using Positive and Unlabeled Examples", ICDM 2003). False: none
 * were, or nearly all, which says that the examples are no kind of their own. */
static bool drop_likely(labelling *l)
{
    uint32_t dimension = l->database->dimension;
    uint64_t kept = 0, likely = 0;
    for (uint64_t i = 0; i < l->sample.count; i++)
        likely += ir_classifier_confidence(&l->classifier, l->sample.rows + i * dimension) > 0.5;
    if (likely == 0 || 2 * likely > l->sample.count)
        return false;
    for (uint64_t i = 0; i < l->sample.count; i++) {
        const float *row = l->sample.rows + i * dimension;
        if (ir_classifier_confidence(&l->classifier, row) <= 0.5)
            memmove(l->sample.rows + kept++ * dimension, row, dimension * sizeof *row);
    }
    l->sample.count = kept;
    return kept + l->others.count > 0;
}

static int32_t learn(labelling *l, imgret_error *error)
{
    const ir_catalog_filter all = {0};
    uint64_t image_count;
    int32_t status = list_given(l, error);
    if (!status)
        status = take_given(l, error);
    if (!status)
        status = ir_count(&image_count, l->database, IMGRET_STATE_STORED, &all, error);
    if (!status)
        status = for_each(l, &all, learn_from, NULL, &image_count, error);
    if (!status && l->others.count + l->sample.count == 0)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "there is no picture beside the examples to tell them from");
    if (status)
        return status;
    status = learn_once(l, error);
    if (!status && drop_likely(l)) {
        ir_classifier_free(&l->classifier);
        status = learn_once(l, error);
    }
    return status;
}

/* ---- What it fits ---- */

/* Labels to be stored at the end of a page. */
typedef struct {
    int64_t ids[PAGE];
    double scores[PAGE];
    uint32_t count;
} page_labels;

static int32_t store_page(labelling *l, void *context, imgret_error *error)
{
    page_labels *page = context;
    if (page->count == 0)
        return IMGRET_OK;
    int32_t status = ir_database_begin(l->database, error);
    if (status)
        return status;
    uint32_t stored = 0;
    for (uint32_t i = 0; i < page->count && !status; i++) {
        imgret_error reason = IMGRET_ERROR_INIT;
        status = ir_catalog_set_label(l->database->catalog, page->ids[i], l->options->label,
                                      page->scores[i], &reason);
        stored += !status;
        if (status == IMGRET_NOT_FOUND) /* removed meanwhile */
            status = IMGRET_OK;
        else if (status)
            ir_fail(error, status, "%s", reason.message);
    }
    if (status) {
        ir_database_rollback(l->database);
        return status;
    }
    status = ir_database_commit(l->database, NULL, 0, error);
    if (!status)
        l->report->assigned_count += stored;
    page->count = 0;
    return status;
}

static int32_t examine(labelling *l, const imgret_record *record, void *context,
                       imgret_error *error)
{
    page_labels *page = context;
    bool there;
    if (is_given_example(l, record->id))
        return IMGRET_OK;
    int32_t status = vector_of(l, record->id, &there, error);
    if (status || !there)
        return status;
    l->report->examined_count++;
    double confidence = ir_classifier_confidence(&l->classifier, l->vector);
    if (!(confidence >= l->options->confidence_min))
        return IMGRET_OK;
    l->report->fitting_count++;
    confidence = confidence < CONFIDENCE_MAX ? confidence : CONFIDENCE_MAX;
    imgret_label_item item = {.size = sizeof item,
                              .id = record->id,
                              .confidence = confidence,
                              .uri = record->uri,
                              .label_before = record->label};
    if (l->options->on_item && l->options->on_item(l->options->user, &item) != 0)
        return ir_fail(error, IMGRET_INTERRUPTED, "stopped by the label callback");
    bool same = record->label && strcmp(record->label, l->options->label) == 0;
    bool keeps = record->label && (same ? is_confirmed(record) : record->label_score > confidence);
    if ((l->options->flags & IMGRET_LABEL_ASSIGN) && !keeps) {
        page->ids[page->count] = record->id;
        page->scores[page->count++] = confidence;
    }
    return IMGRET_OK;
}

/* Examples of the database are of the label by the user's own word. */
static int32_t confirm_examples(labelling *l, page_labels *page, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (size_t i = 0; i < l->given_count && !status; i++) {
        page->ids[page->count] = l->given[i];
        page->scores[page->count++] = 1;
        if (page->count == PAGE)
            status = store_page(l, page, error);
    }
    return status ? status : store_page(l, page, error);
}

int32_t ir_label_examples(ir_database *database, const imgret_label_options *options,
                          const ir_catalog_filter *filter, imgret_label_report *report,
                          ir_call *call, imgret_error *error)
{
    labelling l = {
        .database = database, .options = options, .filter = filter, .report = report, .call = call};
    page_labels *page = ir_calloc(1, sizeof *page);
    l.vector = ir_malloc_array(database->dimension, sizeof *l.vector);
    int32_t status = page && l.vector ? IMGRET_OK
                                      : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a label");
    if (!status)
        status = learn(&l, error);
    if (!status && (options->flags & IMGRET_LABEL_ASSIGN))
        status = confirm_examples(&l, page, error);
    if (!status)
        status = for_each(&l, filter, examine, store_page, page, error);
    ir_classifier_free(&l.classifier);
    ir_free(l.yes.rows);
    ir_free(l.others.rows);
    ir_free(l.sample.rows);
    ir_free(l.vector);
    ir_free(l.given);
    ir_free(page);
    return status;
}
