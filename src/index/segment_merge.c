/* segment_merge.c: takes over vectors and graph of an older segment. */
#include "index/segment_merge.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/segment_state.h"

#include <string.h>

enum { ASK = 2 };

int32_t ir_segment_merge_start(ir_segment_merge *out, const ir_segment_spec *spec,
                               ir_segment_next_fn next, void *next_context, imgret_error *error)
{
    *out = (ir_segment_merge){.spec = spec,
                              .next = next,
                              .next_context = next_context,
                              .base_state = ASK,
                              .next_state = ASK};
    uint64_t count = spec->base->header.vector_count;
    out->slot_of = ir_malloc_array(count, sizeof out->slot_of[0]);
    if (!out->slot_of)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to merge %llu vectors",
                       (unsigned long long)count);
    memset(out->slot_of, 0xFF, count * sizeof out->slot_of[0]);
    return ir_segment_scan_create(&out->scan, spec->base, error);
}

void ir_segment_merge_free(ir_segment_merge *merge)
{
    ir_segment_scan_free(merge->scan);
    ir_free(merge->slot_of);
    ir_free(merge->base_of);
    memset(merge, 0, sizeof *merge);
}

static int32_t ask_base(ir_segment_merge *merge, imgret_error *error)
{
    const ir_segment_spec *spec = merge->spec;
    while (merge->base_state == ASK) {
        int32_t status = ir_segment_scan_next(merge->scan, &merge->base_id, &merge->base_stored,
                                              error);
        if (status < 0)
            return status;
        merge->base_slot += status > 0;
        if (status == 0 || !spec->dropped || !spec->dropped(spec->dropped_context, merge->base_id))
            merge->base_state = status;
    }
    return IMGRET_OK;
}

static int32_t ask_next(ir_segment_merge *merge, imgret_error *error)
{
    if (merge->next_state != ASK)
        return IMGRET_OK;
    int32_t status = merge->next(merge->next_context, &merge->next_id, &merge->next_stored, error);
    if (status < 0)
        return status;
    merge->next_state = status;
    return IMGRET_OK;
}

static int32_t note_origin(ir_segment_merge *merge, bool from_base, imgret_error *error)
{
    if (merge->count == merge->room) {
        uint32_t room = merge->room ? 2 * merge->room : 1024;
        uint32_t *grown = ir_realloc(merge->base_of, room * sizeof grown[0]);
        if (!grown)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to merge %u vectors", room);
        merge->base_of = grown;
        merge->room = room;
    }
    merge->base_of[merge->count] = from_base ? merge->base_slot - 1 : IR_MERGE_NONE;
    if (from_base)
        merge->slot_of[merge->base_slot - 1] = merge->count;
    merge->taken_count += from_base;
    merge->count++;
    return 1;
}

int32_t ir_segment_merge_next(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    ir_segment_merge *merge = context;
    int32_t status = ask_base(merge, error);
    if (!status)
        status = ask_next(merge, error);
    if (status || (!merge->base_state && !merge->next_state))
        return status;
    if (merge->count == IR_SLOTS_MAX)
        return ir_fail(error, IMGRET_LIMIT, "a segment takes %u vectors", IR_SLOTS_MAX);
    bool from_base = merge->base_state && (!merge->next_state || merge->base_id <= merge->next_id);
    *id = from_base ? merge->base_id : merge->next_id;
    *stored = from_base ? merge->base_stored : merge->next_stored;
    *(from_base ? &merge->base_state : &merge->next_state) = ASK;
    return note_origin(merge, from_base, error);
}

/* What an edge to `old` leads to now. */
static uint32_t lead_on(const ir_segment_merge *merge, uint32_t old, uint32_t not_this)
{
    const ir_segment *base = merge->spec->base;
    if (merge->slot_of[old] != IR_MERGE_NONE)
        return merge->slot_of[old];
    uint32_t neighbors[128];
    bool damaged = false;
    uint32_t count = ir_segment_neighbors(base, ir_segment_row(base, old), old, neighbors,
                                          &damaged);
    for (uint32_t i = 0; i < count; i++)
        if (merge->slot_of[neighbors[i]] != IR_MERGE_NONE &&
            merge->slot_of[neighbors[i]] != not_this)
            return merge->slot_of[neighbors[i]];
    return not_this;
}

void ir_segment_merge_edges(const ir_segment_merge *merge, uint32_t *edges, uint32_t *fresh)
{
    const ir_segment *base = merge->spec->base;
    uint32_t degree = base->header.degree;
    for (uint32_t slot = 0; slot < merge->count; slot++) {
        uint32_t *row = edges + (size_t)slot * degree, old = merge->base_of[slot], count = 0;
        uint32_t neighbors[128];
        bool damaged = false;
        if (old == IR_MERGE_NONE)
            *fresh++ = slot;
        else
            count = ir_segment_neighbors(base, ir_segment_row(base, old), old, neighbors, &damaged);
        for (uint32_t e = 0; e < degree; e++)
            row[e] = e < count ? lead_on(merge, neighbors[e], slot) : slot;
        ir_give_way();
    }
}
