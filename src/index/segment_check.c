/* segment_check.c: reads a whole segment file and reports everything that is wrong with it. */
#include "base/alloc.h"
#include "base/error.h"
#include "index/segment_pages.h"
#include "index/segment_state.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct checker {
    bool (*problem)(void *context, const char *message);
    void *context;
    uint64_t count;
    bool stopped;
} checker;

static void report(checker *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void report(checker *check, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    check->count++;
    if (check->problem && check->problem(check->context, message))
        check->stopped = true;
}

/* Every page of vectors against its check, every vector for numbers that are none. */
static int32_t check_vectors(checker *check, ir_segment *segment, imgret_error *error)
{
    const ir_segment_header *header = &segment->header;
    size_t bytes = ir_space_stored_bytes(&segment->space);
    uint8_t *stored = ir_malloc(bytes);
    float *values = ir_malloc_array(header->dimension, sizeof values[0]);
    int32_t status = IMGRET_OK;
    if (!stored || !values)
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to check it", segment->path);
    for (uint32_t slot = 0; !status && !check->stopped && slot < header->vector_count; slot++) {
        imgret_error found = IMGRET_ERROR_INIT;
        int64_t id = ir_segment_id(segment, slot);
        if (slot > 0 && id <= ir_segment_id(segment, slot - 1))
            report(check, "%s: id %lld of slot %u does not ascend", segment->path, (long long)id,
                   slot);
        status = ir_segment_read_slot(segment, slot, stored, &found);
        if (status == IMGRET_CORRUPT || status == IMGRET_IO) {
            report(check, "%s (vector of id %lld)", found.message, (long long)id);
            status = IMGRET_OK;
        } else if (!status && !isfinite(ir_space_load(&segment->space, stored, values))) {
            report(check, "%s: the vector of id %lld is not finite", segment->path, (long long)id);
        } else if (status) {
            status = ir_fail(error, status, "%s", found.message);
        }
    }
    ir_free(stored);
    ir_free(values);
    return status;
}

static void check_graph(checker *check, const ir_segment *segment)
{
    uint32_t neighbors[128];
    for (uint32_t slot = 0; slot < segment->header.vector_count && !check->stopped; slot++) {
        bool damaged = false;
        ir_segment_neighbors(segment, ir_segment_row(segment, slot), slot, neighbors, &damaged);
        if (damaged)
            report(check, "%s: the graph of slot %u leads outside", segment->path, slot);
    }
}

int32_t ir_segment_check(const char *path, bool (*problem)(void *context, const char *message),
                         void *context, uint64_t *problem_count, imgret_error *error)
{
    checker check = {.problem = problem, .context = context};
    ir_segment *segment;
    imgret_error found = IMGRET_ERROR_INIT;
    /* Opening reads and checks every section but the vectors. */
    int32_t status = ir_segment_open(&segment, path, NULL, &found);
    if (status == IMGRET_CORRUPT || status == IMGRET_VERSION_TOO_NEW) {
        report(&check, "%s", found.message);
        status = IMGRET_OK;
    } else if (status) {
        ir_fail(error, status, "%s", found.message);
    } else {
        check_graph(&check, segment);
        status = check_vectors(&check, segment, error);
        ir_segment_close(segment);
    }
    if (problem_count)
        *problem_count = check.count;
    return status;
}
