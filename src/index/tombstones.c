/* tombstones.c: ids that were removed but still stand in a segment: bits in pages of a tree.
 *
 * Two directories lead to a page of 2^15 bits: what was never removed costs nothing. A page or
 * directory is complete before its pointer is published (release), so readers need no lock.
 */
#include "index/tombstones.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdatomic.h>

enum { PAGE_BITS = 15, SHELF_BITS = 16, ROOT_BITS = 16 };

typedef struct page {
    _Atomic uint64_t words[(1u << PAGE_BITS) / 64];
} page;

typedef struct shelf {
    _Atomic(page *) pages[1u << SHELF_BITS];
} shelf;

struct ir_tombstones {
    _Atomic uint64_t count;
    _Atomic(shelf *) shelves[1u << ROOT_BITS];
};

int32_t ir_tombstones_create(ir_tombstones **out, imgret_error *error)
{
    *out = ir_calloc(1, sizeof **out);
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for removed ids");
}

void ir_tombstones_free(ir_tombstones *tombstones)
{
    if (!tombstones)
        return;
    for (uint32_t i = 0; i < 1u << ROOT_BITS; i++) {
        shelf *here = atomic_load(&tombstones->shelves[i]);
        for (uint32_t j = 0; here && j < 1u << SHELF_BITS; j++)
            ir_free(atomic_load(&here->pages[j]));
        ir_free(here);
    }
    ir_free(tombstones);
}

static page *reach_page(ir_tombstones *tombstones, uint64_t number)
{
    _Atomic(shelf *) *place = &tombstones->shelves[number >> SHELF_BITS];
    shelf *here = atomic_load(place);
    if (!here) {
        here = ir_calloc(1, sizeof *here);
        if (!here)
            return NULL;
        atomic_store_explicit(place, here, memory_order_release);
    }
    _Atomic(page *) *page_place = &here->pages[number & ((1u << SHELF_BITS) - 1)];
    page *found = atomic_load(page_place);
    if (!found) {
        found = ir_calloc(1, sizeof *found);
        if (found)
            atomic_store_explicit(page_place, found, memory_order_release);
    }
    return found;
}

int32_t ir_tombstones_add(ir_tombstones *tombstones, int64_t id, imgret_error *error)
{
    if (id < 1 || (uint64_t)id >> (PAGE_BITS + SHELF_BITS + ROOT_BITS) != 0)
        return ir_fail(error, IMGRET_LIMIT, "id %lld is beyond what can be removed", (long long)id);
    page *here = reach_page(tombstones, (uint64_t)id >> PAGE_BITS);
    if (!here)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a removed id");
    uint64_t bit = (uint64_t)id & ((1u << PAGE_BITS) - 1);
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (!(atomic_fetch_or(&here->words[bit / 64], mask) & mask))
        atomic_fetch_add(&tombstones->count, 1);
    return IMGRET_OK;
}

bool ir_tombstones_has(const ir_tombstones *tombstones, int64_t id)
{
    uint64_t number = (uint64_t)id >> PAGE_BITS;
    if (id < 1 || number >> (SHELF_BITS + ROOT_BITS) != 0)
        return false;
    const shelf *here = atomic_load_explicit(&tombstones->shelves[number >> SHELF_BITS],
                                             memory_order_acquire);
    const page *found = here ? atomic_load_explicit(&here->pages[number & ((1u << SHELF_BITS) - 1)],
                                                    memory_order_acquire)
                             : NULL;
    uint64_t bit = (uint64_t)id & ((1u << PAGE_BITS) - 1);
    return found &&
           (atomic_load_explicit(&found->words[bit / 64], memory_order_relaxed) >> (bit % 64) &
            1) != 0;
}

uint64_t ir_tombstones_count(const ir_tombstones *tombstones)
{
    return atomic_load(&tombstones->count);
}
