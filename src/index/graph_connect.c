/* graph_connect.c: makes every node of a finished graph reachable from its entries. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/graph_parts.h"

#include <string.h>

enum { ROUNDS = 4 };

typedef struct reached {
    uint8_t *seen;
    uint32_t *queue;
    uint32_t seen_count;
} reached;

static void spread(const ir_graph *graph, reached *reach, uint32_t start)
{
    uint32_t head = 0, tail = 0;
    if (reach->seen[start])
        return;
    reach->seen[start] = 1;
    reach->queue[tail++] = start;
    while (head < tail) {
        const uint32_t *row = graph->edges + (size_t)reach->queue[head++] * graph->degree;
        for (uint32_t e = 0; e < graph->degree; e++)
            if (!reach->seen[row[e]]) {
                reach->seen[row[e]] = 1;
                reach->queue[tail++] = row[e];
            }
        ir_give_way();
    }
    reach->seen_count += tail;
}

static void spread_from_entries(const ir_graph *graph, reached *reach)
{
    memset(reach->seen, 0, graph->count);
    reach->seen_count = 0;
    for (uint32_t i = 0; i < graph->entry_count; i++)
        spread(graph, reach, graph->entries[i]);
}

/* Links `slot` from one of its own neighbours that can be reached: one with room, else the first
 * gives up its last edge, and a later round finds what that cut off. */
static bool link_from_neighbour(ir_graph *graph, const reached *reach, uint32_t slot)
{
    const uint32_t *row = graph->edges + (size_t)slot * graph->degree;
    uint32_t *place = NULL;
    for (uint32_t e = 0; e < graph->degree; e++) {
        if (row[e] == slot || !reach->seen[row[e]])
            continue;
        uint32_t *last = graph->edges + (size_t)row[e] * graph->degree + graph->degree - 1;
        if (!place)
            place = last;
        if (*last == row[e]) {
            place = last;
            break;
        }
    }
    if (!place)
        return false;
    *place = slot;
    return true;
}

static int32_t add_entry(ir_graph *graph, uint32_t slot, imgret_error *error)
{
    uint32_t *grown = ir_realloc(graph->entries,
                                 (graph->entry_count + 1ull) * sizeof graph->entries[0]);
    if (!grown)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for entry points");
    graph->entries = grown;
    graph->entries[graph->entry_count++] = slot;
    return IMGRET_OK;
}

/* `reach` is up to date at the start, and afterwards. */
static int32_t connect(ir_graph *graph, reached *reach, imgret_error *error)
{
    for (uint32_t round = 0; round < ROUNDS && reach->seen_count < graph->count; round++) {
        for (uint32_t slot = 0; slot < graph->count; slot++)
            if (!reach->seen[slot] && link_from_neighbour(graph, reach, slot))
                spread(graph, reach, slot);
        spread_from_entries(graph, reach);
    }
    int32_t status = IMGRET_OK;
    for (uint32_t slot = 0; !status && slot < graph->count; slot++)
        if (!reach->seen[slot]) {
            status = add_entry(graph, slot, error);
            spread(graph, reach, slot);
        }
    return status;
}

int32_t ir_graph_connect(ir_graph *graph, imgret_error *error)
{

    reached reach = {ir_malloc(graph->count), ir_malloc_array(graph->count, sizeof(uint32_t)), 0};
    int32_t status;
    if (reach.seen && reach.queue) {
        spread_from_entries(graph, &reach);
        status = connect(graph, &reach, error);
    } else {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to connect %u nodes", graph->count);
    }
    ir_free(reach.seen);
    ir_free(reach.queue);
    return status;
}
