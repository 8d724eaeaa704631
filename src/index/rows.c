/* rows.c: finds the slots of the ids that a filter lets through: once, for many searches. */
#include "index/rows.h"

#include "base/alloc.h"
#include "base/error.h"
#include "index/segment_state.h"

int32_t ir_segment_rows_create(ir_segment_rows **out, const ir_segment *segment, const int64_t *ids,
                               uint64_t count, imgret_error *error)
{
    uint32_t all = segment->damage ? 0 : (uint32_t)segment->header.vector_count, slot = 0;
    uint64_t room = count < all ? count : all, words = all / 64ull + 1;
    ir_segment_rows *rows = ir_calloc(1, sizeof *rows);
    *out = rows;
    if (rows) {
        rows->slots = ir_malloc_array(room ? room : 1, sizeof rows->slots[0]);
        rows->bits = ir_calloc(words, sizeof rows->bits[0]);
        rows->bytes = sizeof *rows + room * sizeof rows->slots[0] + words * sizeof rows->bits[0];
    }
    if (!rows || !rows->slots || !rows->bits) {
        ir_segment_rows_free(rows);
        *out = NULL;
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the %llu matches of a filter",
                       (unsigned long long)count);
    }
    for (uint64_t i = 0; i < count && slot < all; i++) {
        slot = ir_segment_find_from(segment, slot, ids[i]);
        if (slot == all || ir_segment_id(segment, slot) != ids[i])
            continue;
        rows->slots[rows->count++] = slot;
        rows->bits[slot / 64] |= 1ull << slot % 64;
        slot++;
    }
    return IMGRET_OK;
}

void ir_segment_rows_free(ir_segment_rows *rows)
{
    if (!rows)
        return;
    ir_free(rows->slots);
    ir_free(rows->bits);
    ir_free(rows);
}

uint64_t ir_segment_rows_count(const ir_segment_rows *rows)
{
    return rows->count;
}

uint64_t ir_segment_rows_bytes(const ir_segment_rows *rows)
{
    return rows->bytes;
}
