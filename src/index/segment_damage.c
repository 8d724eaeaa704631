/* segment_damage.c: the stand-in for a segment that cannot be opened.
 *
 * With it a database opens and all goes on that needs no vector of that segment; what does need one
 * fails, so that no answer is given that lacks a part.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "index/segment_state.h"

int32_t ir_segment_open_damaged(ir_segment **out, const char *path, const char *damage,
                                imgret_error *error)
{
    *out = NULL;
    ir_segment *segment = ir_calloc(1, sizeof *segment);
    if (!segment)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to open it", path);
    segment->fd = -1;
    pthread_mutex_init(&segment->lock, NULL);
    segment->path = ir_strdup(path);
    segment->damage = ir_strdup(damage);
    if (!segment->path || !segment->damage) {
        ir_segment_close(segment);
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to open it", path);
    }
    *out = segment;
    return IMGRET_OK;
}

int32_t ir_segment_refuse_damaged(const ir_segment *segment, imgret_error *error)
{
    return segment->damage
               ? ir_fail(error, IMGRET_CORRUPT, "%s (imgret_repair makes it anew)", segment->damage)
               : IMGRET_OK;
}
