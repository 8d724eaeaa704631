/* switch.c: puts a segment that was built in the place of what it holds.
 *
 *   open it, copy the rest of the delta (no lock) -> commit the new list -> exchange, in an instant -> close the
 *   replaced ones (no lock)
 *
 * A query that synchronises between the commit and the exchange makes the exchange itself, of the same
 * parts.
 */
#include "engine/switch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/way.h"
#include "engine/effort.h"

static bool is_replaced(const ir_switch *to, int64_t id)
{
    bool found = false;
    for (uint32_t i = 0; i < to->replaced_count; i++)
        found = found || to->replaced[i] == id;
    return found;
}

/* Opens what the next list needs. */
static int32_t prepare(const ir_switch *to, ir_segments_bag *ready, imgret_error *error)
{
    ir_database *database = to->database;
    const ir_segments *segments = &database->segments;
    uint32_t count = 0;
    ir_catalog_segment *next = ir_calloc(segments->count + 1, sizeof *next);
    if (!next)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u segments", segments->count + 1);
    for (uint32_t i = 0; i < segments->count; i++)
        if (!is_replaced(to, segments->open[i].listed.id))
            next[count++] = segments->open[i].listed;
    next[count++] = *to->built;
    int32_t status = ir_segments_prepare(segments, database->catalog, database->delta, next, count,
                                         ready, error);
    ir_free(next);
    return status;
}

static void announce(ir_database *database, ir_segments_bag *ready)
{
    pthread_mutex_lock(&database->delta_lock);
    database->segments.ready = ready;
    ir_segments_bag gone = ir_segments_take_gone(&database->segments);
    pthread_mutex_unlock(&database->delta_lock);
    ir_segments_bag_free(&gone);
}

/* After the commit, under the writer's lock. When it fails here, the next synchronisation does it. */
static void exchange(void *context)
{
    ir_database *database = context;
    imgret_error error = IMGRET_ERROR_INIT;
    pthread_mutex_lock(&database->delta_lock);
    if (ir_segments_follow(&database->segments, database->catalog, database->delta, &error)) {
        ir_log(IMGRET_LOG_WARNING, "%s", error.message);
        ir_database_distrust(database);
    }
    pthread_mutex_unlock(&database->delta_lock);
}

/* Under locks that queries want: no time to give way. */
static int32_t list_segment(const ir_switch *to, imgret_error *error)
{
    ir_database *database = to->database;
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = ir_catalog_replace_segments(database->catalog, to->built, to->replaced,
                                         to->replaced_count, to->removal_mark, error);
    if (!status)
        status = ir_effort_store(database->catalog, to->built->identity, to->curves, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_catalog_commit(database->catalog, exchange, database, error);
}

int32_t ir_switch_to(const ir_switch *to, bool *refused, imgret_error *error)
{
    ir_segments_bag ready;
    *refused = false;
    int32_t status = prepare(to, &ready, error);
    if (status)
        return status;
    const ir_way *way = ir_way_set(NULL);
    announce(to->database, &ready);
    status = list_segment(to, error);
    *refused = status != IMGRET_OK;
    announce(to->database, NULL);
    ir_way_set(way);
    ir_segments_bag_free(&ready);
    return status;
}
