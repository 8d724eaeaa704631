/* segments_check.c: reads a segment that the catalogue lists and tells what is wrong with it. */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/segments.h"

#include <stdio.h>

typedef struct {
    bool (*problem)(void *context, const char *message);
    void *context;
    uint64_t count;
} reporter;

static bool report(reporter *to, const char *message)
{
    to->count++;
    return to->problem && to->problem(to->context, message);
}

/* A sound file may still be another one than the catalogue means. */
static void check_listed(reporter *to, const char *path, const ir_catalog_segment *listed)
{
    const ir_segment_open_options options = {.vectors_only = true};
    ir_segment *file;
    char message[512];
    if (ir_segment_open(&file, path, &options, NULL) != IMGRET_OK)
        return;
    ir_segment_info info;
    ir_segment_get_info(file, &info);
    ir_segment_close(file);
    if (info.identity == listed->identity && info.vector_count == listed->vector_count)
        return;
    snprintf(message, sizeof message, "%s: is another segment than the catalogue lists", path);
    report(to, message);
}

int32_t ir_segments_check_one(const ir_catalog *catalog, const ir_catalog_segment *listed,
                              bool (*problem)(void *context, const char *message), void *context,
                              uint64_t *problem_count, imgret_error *error)
{
    reporter to = {problem, context, 0};
    imgret_error reason = IMGRET_ERROR_INIT;
    char *path = ir_segments_path(catalog, listed->id);
    *problem_count = 0;
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    uint64_t found = 0;
    int32_t status = ir_segment_check(path, problem, context, &found, &reason);
    if (status == IMGRET_NOT_FOUND) {
        report(&to, reason.message);
        status = IMGRET_OK;
    } else if (status) {
        ir_fail(error, status, "%s", reason.message);
    } else if (found == 0) {
        check_listed(&to, path, listed);
    }
    *problem_count = found + to.count;
    ir_free(path);
    return status;
}
