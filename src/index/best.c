/* best.c: the k best neighbours of a stream, in a bounded heap with the worst at its root. */
#include "index/best.h"

/* Moves `neighbor` down from `at` until nothing below it is worse. */
static void sink(ir_neighbor *items, uint32_t count, uint32_t at, ir_neighbor neighbor)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && ir_best_is_after(items[child + 1], items[child]))
            child++;
        if (!ir_best_is_after(items[child], neighbor))
            break;
        items[at] = items[child];
        at = (uint32_t)child;
    }
    items[at] = neighbor;
}

static void rise(ir_neighbor *items, uint32_t at, ir_neighbor neighbor)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!ir_best_is_after(neighbor, items[parent]))
            break;
        items[at] = items[parent];
        at = parent;
    }
    items[at] = neighbor;
}

void ir_best_keep(ir_best *best, ir_neighbor neighbor)
{
    if (best->count < best->capacity)
        rise(best->items, best->count++, neighbor);
    else if (ir_best_is_after(best->items[0], neighbor))
        sink(best->items, best->count, 0, neighbor);
}

void ir_best_sort(ir_best *best)
{
    for (uint32_t left = best->count; left > 1; left--) {
        ir_neighbor worst = best->items[0];
        ir_neighbor last = best->items[left - 1];
        sink(best->items, left - 1, 0, last);
        best->items[left - 1] = worst;
    }
}
