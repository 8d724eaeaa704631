/* label.c: labels from a few examples. */
#include "engine/label.h"

#include "api/handle.h"
#include "base/alloc.h"
#include "base/error.h"
#include "engine/source.h"
#include "engine/where.h"

enum { EXAMPLES_MAX = 10000 };

#define KINDS                                                                         \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS | \
     1u << IMGRET_INPUT_VECTOR | 1u << IMGRET_INPUT_ID)

static int32_t check(imgret_label_options *options, imgret_error *error)
{
    if (options->flags & ~IMGRET_LABEL_ASSIGN)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_label_options.flags is 0x%x",
                       options->flags);
    if (!options->label)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_label_options.label is NULL");
    if (!(options->confidence_min >= 0 && options->confidence_min <= 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_label_options.confidence_min is %g, not between 0 and 1",
                       options->confidence_min);
    if (options->example_count == 0 || !options->examples)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_label_options: there are no examples");
    if (options->example_count > EXAMPLES_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_label_options.example_count is %llu, at most %d are possible",
                       (unsigned long long)options->example_count, EXAMPLES_MAX);
    if (options->confidence_min == 0)
        options->confidence_min = 0.8;
    return ir_catalog_check_label(options->label, 1, error);
}

static int32_t copy_examples(imgret_input *out, const imgret_label_options *options,
                             imgret_error *error)
{
    for (uint64_t i = 0; i < options->example_count; i++) {
        const char *at = (const char *)options->examples + (size_t)i * options->examples[0].size;
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ir_source_read_input(&out[i], (const imgret_input *)(const void *)at,
                                              KINDS, &reason);
        if (status)
            return ir_fail(error, status, "example %llu: %s", (unsigned long long)i,
                           reason.message);
    }
    return IMGRET_OK;
}

int32_t imgret_label_examples(imgret *db, const imgret_label_options *options,
                              imgret_label_report *report, imgret_error *error)
{
    imgret_label_options wanted;
    imgret_label_report found = {.size = sizeof found};
    int32_t status = ir_handle_check(db, error);
    if (!status)
        status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                 "imgret_label_options", error);
    if (!status)
        status = check(&wanted, error);
    if (!status && (wanted.flags & IMGRET_LABEL_ASSIGN) && db->database->read_only)
        status = ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only",
                         db->database->path);
    if (status)
        return status;
    imgret_input *examples = ir_malloc_array((size_t)wanted.example_count, sizeof *examples);
    ir_catalog_filter filter = {0};
    if (!examples)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for examples");
    if (!status)
        status = copy_examples(examples, &wanted, error);
    if (!status)
        status = ir_where_read(&filter, wanted.where, wanted.params, wanted.param_count,
                               wanted.where_ms_max, error);
    if (!status) {
        ir_call call;
        ir_call_begin(&call, &db->database->interrupts);
        wanted.examples = examples;
        status = ir_label_examples(db->database, &wanted, &filter, &found, &call, error);
        ir_call_end(&call);
    }
    ir_where_free(&filter);
    ir_free(examples);
    if (report) {
        int32_t written = ir_struct_write(report, &found, sizeof found, sizeof found,
                                          "imgret_label_report", status ? NULL : error);
        status = status ? status : written;
    }
    return status;
}
