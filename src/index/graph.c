/* graph.c: links all rows at once, or inserts some into a graph of the others.
 *
 * A new graph needs no search: each node's near rows (graph_near.h) are pruned to its edges. Nodes
 * that join a graph come in batches that grow with it; those of a batch search the graph as it was
 * before the batch. Either way each node writes only its own edges; then the edges back are added,
 * each target by one thread, sources in a settled order. So the graph depends on the rows and the
 * seed, not on the threads.
 */
#include "index/graph.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "base/way.h"
#include "index/graph_near.h"
#include "index/graph_parts.h"

#include <stdatomic.h>
#include <string.h>

enum { PART_NODES = 16, BATCH_MAX = 16384, LINK_NODES = 65536, ROUNDS = 6, GROUPS_MAX = 256 };

#define NONE 0xFFFFFFFFu
#define NEAR_SHARE 0.6 /* of the time that a graph takes, until each node's near rows are known */

typedef struct builder {
    ir_graph_draft draft;
    uint32_t *order;        /* nodes in order of insertion */
    uint32_t *starts;       /* of each group: its first node, when inserted */
    uint32_t inserted;      /* of the nodes in `order` */
    uint32_t first_settled; /* the first node that was in the graph before */
    uint32_t linked;        /* of all nodes, while they are linked at once */
    ir_graph_scratch *scratches;
    atomic_uchar *scratch_used;
    uint32_t scratch_count;
    uint32_t batch_count;
    uint32_t *first_source; /* of each node: index of its first new edge back, or NONE */
    uint32_t *next_source;  /* batch x degree, room for source_room nodes */
    uint32_t source_room;
    const ir_graph_near *near;
    uint32_t *touched;
    uint32_t touched_count;
} builder;

void ir_graph_free(ir_graph *graph)
{
    ir_free(graph->edges);
    ir_free(graph->entries);
    memset(graph, 0, sizeof *graph);
}

static uint32_t room_for(uint32_t degree)
{
    return degree + degree / 2;
}

uint64_t ir_graph_build_bytes(const ir_graph_spec *spec, uint64_t count, uint32_t dimension)
{
    uint64_t threads = ir_pool_thread_count(spec->pool), degree = spec->degree;
    uint64_t node = ir_graph_row_bytes(dimension) + room_for(spec->degree) * 4ull + 1 + 3 * 4;
    uint64_t near = spec->beam * sizeof(uint64_t) + 4 * 4, sources = degree * 4;
    return count * (node + (near > sources ? near : sources)) +
           threads * (ir_graph_near_thread_bytes(dimension) + (1ull << 17));
}

/* A scratch of one's own for the length of a part. There are as many as threads. */
static ir_graph_scratch *take_scratch(builder *b)
{
    for (uint32_t i = 0;; i = (i + 1) % b->scratch_count) {
        unsigned char expected = 0;
        if (atomic_compare_exchange_strong(&b->scratch_used[i], &expected, 1))
            return &b->scratches[i];
    }
}

static void give_scratch(builder *b, ir_graph_scratch *scratch)
{
    atomic_store(&b->scratch_used[scratch - b->scratches], 0);
}

static uint32_t *edges_of(const builder *b, uint32_t slot)
{
    return b->draft.edges + (size_t)slot * b->draft.room;
}

static void search_part(void *context, uint32_t part)
{
    builder *b = context;
    ir_graph_scratch *scratch = take_scratch(b);
    const ir_graph_spec *spec = b->draft.spec;
    uint32_t first = b->inserted + part * PART_NODES;
    uint32_t end = b->inserted + b->batch_count;
    for (uint32_t i = first; i < first + PART_NODES && i < end; i++) {
        uint32_t slot = b->order[i];
        uint32_t start = b->starts[spec->group_of ? spec->group_of[slot] : 0];
        ir_graph_walk(scratch, &b->draft, slot, start != NONE ? start : b->draft.entries[0]);
        b->draft.degrees[slot] = (uint8_t)ir_graph_prune(scratch, spec, edges_of(b, slot));
        ir_give_way();
    }
    give_scratch(b, scratch);
}

/* Chains the sources of each target. Batch nodes are walked backwards, so that chains ascend. */
static void gather_sources(builder *b)
{
    uint32_t degree = b->draft.spec->degree;
    b->touched_count = 0;
    for (uint32_t i = b->batch_count; i-- > 0;) {
        uint32_t slot = b->order[b->inserted + i];
        for (uint32_t e = b->draft.degrees[slot]; e-- > 0;) {
            uint32_t target = edges_of(b, slot)[e];
            if (b->first_source[target] == NONE)
                b->touched[b->touched_count++] = target;
            b->next_source[i * degree + e] = b->first_source[target];
            b->first_source[target] = i * degree + e;
        }
        ir_give_way();
    }
}

static bool has_edge(const builder *b, uint32_t slot, uint32_t target)
{
    const uint32_t *edges = edges_of(b, slot);
    for (uint32_t i = 0; i < b->draft.degrees[slot]; i++)
        if (edges[i] == target)
            return true;
    return false;
}

/* The full list of `slot` and the sources that found no room, pruned to the degree. */
static void prune_full(builder *b, ir_graph_scratch *scratch, uint32_t slot, uint32_t source)
{
    const ir_graph_spec *spec = b->draft.spec;
    uint32_t *edges = edges_of(b, slot);
    uint32_t count = b->draft.degrees[slot];
    uint32_t all[IR_GRAPH_CANDIDATES_MAX];
    memcpy(all, edges, count * sizeof all[0]);
    for (; source != NONE && count < IR_GRAPH_CANDIDATES_MAX; source = b->next_source[source]) {
        uint32_t from = b->order[b->inserted + source / spec->degree];
        if (!has_edge(b, slot, from))
            all[count++] = from;
    }
    ir_graph_measure_from(scratch, spec->rows, slot);
    ir_graph_measure(scratch, spec->rows, all, count);
    for (uint32_t i = 0; i < count; i++)
        scratch->candidates[i] = (ir_beam_entry){scratch->distances[i], 0, all[i]};
    scratch->candidate_count = count;
    ir_graph_sort_candidates(scratch);
    b->draft.degrees[slot] = (uint8_t)ir_graph_prune(scratch, spec, edges);
}

static void back_part(void *context, uint32_t part)
{
    builder *b = context;
    ir_graph_scratch *scratch = take_scratch(b);
    uint32_t end = (part + 1) * PART_NODES;
    for (uint32_t i = part * PART_NODES; i < end && i < b->touched_count; i++) {
        uint32_t slot = b->touched[i];
        uint32_t source = b->first_source[slot];
        for (; source != NONE; source = b->next_source[source]) {
            uint32_t from = b->order[b->inserted + source / b->draft.spec->degree];
            if (has_edge(b, slot, from))
                continue;
            if (b->draft.degrees[slot] == b->draft.room) {
                prune_full(b, scratch, slot, source);
                break;
            }
            edges_of(b, slot)[b->draft.degrees[slot]++] = from;
        }
        b->first_source[slot] = NONE;
        ir_give_way();
    }
    give_scratch(b, scratch);
}

/* A seeded shuffle of the nodes that come. */
static void draw_order(builder *b, const uint32_t *fresh, uint32_t count)
{
    uint64_t seed = b->draft.spec->seed;
    memcpy(b->order, fresh, count * sizeof fresh[0]);
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint32_t other = i + (uint32_t)ir_random_below(&seed, count - i);
        uint32_t slot = b->order[other];
        b->order[other] = b->order[i];
        b->order[i] = slot;
    }
}

/* Nodes of a group one after the other, within the batch: their walks meet the same rows. */
static void sort_batch(builder *b)
{
    const uint32_t *group_of = b->draft.spec->group_of;
    uint32_t *batch = b->order + b->inserted, *sorted = b->touched, ends[GROUPS_MAX + 1] = {0};
    if (!group_of || b->draft.spec->group_count > GROUPS_MAX)
        return;
    for (uint32_t i = 0; i < b->batch_count; i++)
        ends[group_of[batch[i]] + 1]++;
    for (uint32_t g = 0; g < GROUPS_MAX; g++)
        ends[g + 1] += ends[g];
    for (uint32_t i = 0; i < b->batch_count; i++)
        sorted[ends[group_of[batch[i]]]++] = batch[i];
    memcpy(batch, sorted, b->batch_count * sizeof batch[0]);
}

/* A group's searches start at the first of it that was inserted. */
static void note_starts(builder *b)
{
    const ir_graph_spec *spec = b->draft.spec;
    for (uint32_t i = 0; i < b->batch_count; i++) {
        uint32_t slot = b->order[b->inserted + i];
        uint32_t *start = &b->starts[spec->group_of ? spec->group_of[slot] : 0];
        if (*start == NONE)
            *start = slot;
    }
}

static void link_part(void *context, uint32_t part)
{
    builder *b = context;
    ir_graph_scratch *scratch = take_scratch(b);
    const ir_graph_near *near = b->near;
    uint32_t first = b->linked + part * PART_NODES, end = first + PART_NODES;
    for (uint32_t i = first; i < end && i < b->draft.spec->rows->count; i++) {
        uint32_t slot = near->order[i];
        const uint64_t *keys = near->keys + (size_t)slot * near->room;
        uint32_t count = 0;
        for (; count < near->room && keys[count] != IR_GRAPH_NO_KEY; count++)
            scratch->candidates[count] = (ir_beam_entry){ir_graph_key_distance(keys[count]), 0,
                                                         (uint32_t)keys[count]};
        scratch->candidate_count = count;
        b->draft.degrees[slot] = (uint8_t)ir_graph_prune(scratch, b->draft.spec, edges_of(b, slot));
    }
    give_scratch(b, scratch);
}

static int32_t reserve_sources(builder *b, uint32_t nodes, imgret_error *error)
{
    if (nodes <= b->source_room)
        return IMGRET_OK;
    ir_free(b->next_source);
    b->source_room = 0;
    b->next_source = ir_malloc_array((size_t)nodes * b->draft.spec->degree, sizeof(uint32_t));
    if (!b->next_source)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph");
    b->source_room = nodes;
    return IMGRET_OK;
}

static bool stopped(const ir_graph_spec *spec, double done, imgret_error *error)
{
    if (!spec->stop || !spec->stop(spec->context, done))
        return false;
    ir_fail(error, IMGRET_INTERRUPTED, "building the graph was stopped");
    return true;
}

/* The edges back from what the batch chose. */
static void link_back(builder *b)
{
    gather_sources(b);
    ir_pool_run(b->draft.spec->pool, back_part, b,
                (b->touched_count + PART_NODES - 1) / PART_NODES);
}

static int32_t prune_near(builder *b, imgret_error *error)
{
    const ir_graph_spec *spec = b->draft.spec;
    for (uint32_t count = spec->rows->count; b->linked < count;) {
        if (stopped(spec, NEAR_SHARE + (1 - NEAR_SHARE) * b->linked / count, error))
            return IMGRET_INTERRUPTED;
        uint32_t part = count - b->linked < LINK_NODES ? count - b->linked : LINK_NODES;
        ir_pool_run(spec->pool, link_part, b, (part + PART_NODES - 1) / PART_NODES);
        b->linked += part;
    }
    return IMGRET_OK;
}

static bool near_stop(void *context, double done)
{
    const ir_graph_spec *spec = context;
    return spec->stop && spec->stop(spec->context, NEAR_SHARE * done);
}

static int32_t link_all(builder *b, imgret_error *error)
{
    const ir_graph_spec *spec = b->draft.spec;
    ir_graph_spec near_spec = *spec;
    near_spec.stop = near_stop;
    near_spec.context = (void *)spec;
    /* Nodes that lie together have candidates in common, which then are at hand. */
    ir_graph_near near = {.order = b->order};
    b->near = &near;
    int32_t status = ir_graph_near_find(&near, &near_spec, spec->beam, ROUNDS, error);
    if (!status)
        status = prune_near(b, error);
    ir_free(near.keys);
    b->near = NULL;
    if (!status)
        status = reserve_sources(b, spec->rows->count, error);
    if (status)
        return status;
    for (uint32_t i = 0; i < spec->rows->count; i++)
        b->order[i] = i;
    b->batch_count = spec->rows->count;
    link_back(b);
    note_starts(b);
    return IMGRET_OK;
}

/* Inserts the nodes in `order`; the first b->inserted of it are in the graph already. */
static int32_t insert_all(builder *b, uint32_t count, uint32_t settled, imgret_error *error)
{
    const ir_graph_spec *spec = b->draft.spec;
    int32_t status = IMGRET_OK;
    while (!status && b->inserted < count) {
        if (stopped(spec, (double)b->inserted / count, error))
            return IMGRET_INTERRUPTED;
        /* A node does not see its own batch: a share so small that it hardly matters. */
        uint32_t batch = 1 + (settled + b->inserted) / 32;
        batch = batch < BATCH_MAX ? batch : BATCH_MAX;
        b->batch_count = batch < count - b->inserted ? batch : count - b->inserted;
        status = reserve_sources(b, b->batch_count, error);
        if (status)
            break;
        sort_batch(b);
        ir_pool_run(spec->pool, search_part, b, (b->batch_count + PART_NODES - 1) / PART_NODES);
        link_back(b);
        note_starts(b);
        b->inserted += b->batch_count;
    }
    for (uint32_t i = 0; i < b->scratch_count; i++)
        if (b->scratches[i].out_of_memory)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph");
    return status;
}

static void trim_part(void *context, uint32_t part)
{
    builder *b = context;
    ir_graph_scratch *scratch = take_scratch(b);
    uint32_t end = (part + 1) * PART_NODES;
    for (uint32_t slot = part * PART_NODES; slot < end && slot < b->draft.spec->rows->count; slot++)
        if (b->draft.degrees[slot] > b->draft.spec->degree)
            prune_full(b, scratch, slot, NONE);
    give_scratch(b, scratch);
}

/* Draft lists become rows of `degree` edges; entries are the groups' starts. */
static int32_t finish(builder *b, ir_graph *out, imgret_error *error)
{
    const ir_graph_spec *spec = b->draft.spec;
    uint32_t count = spec->rows->count;
    ir_pool_run(spec->pool, trim_part, b, (count + PART_NODES - 1) / PART_NODES);
    out->count = count;
    out->degree = spec->degree;
    out->entries = ir_malloc_array(spec->group_count, sizeof out->entries[0]);
    if (!out->entries)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for entry points");
    for (uint32_t g = 0; g < spec->group_count; g++)
        if (b->starts[g] != NONE)
            out->entries[out->entry_count++] = b->starts[g];
    /* In place: rows only move towards the front. */
    out->edges = b->draft.edges;
    b->draft.edges = NULL;
    for (uint32_t slot = 0; slot < count; slot++) {
        uint32_t *row = out->edges + (size_t)slot * spec->degree;
        memmove(row, out->edges + (size_t)slot * b->draft.room, spec->degree * sizeof row[0]);
        for (uint32_t e = b->draft.degrees[slot]; e < spec->degree; e++)
            row[e] = slot;
        ir_give_way();
    }
    return ir_graph_connect(out, error);
}

static int32_t allocate(builder *b, const ir_graph_spec *spec, imgret_error *error)
{
    uint32_t count = spec->rows->count;
    b->draft.spec = spec;
    b->draft.room = room_for(spec->degree);
    b->draft.edges = ir_malloc_array((size_t)count * b->draft.room, sizeof b->draft.edges[0]);
    ir_advise_random(b->draft.edges, (size_t)count * b->draft.room * sizeof b->draft.edges[0]);
    b->draft.degrees = ir_calloc(count, 1);
    b->order = ir_malloc_array(count, sizeof b->order[0]);
    b->starts = ir_malloc_array(spec->group_count, sizeof b->starts[0]);
    b->first_source = ir_malloc_array(count, sizeof b->first_source[0]);
    b->touched = ir_malloc_array(count, sizeof b->touched[0]);
    b->scratch_count = ir_pool_thread_count(spec->pool);
    b->scratches = ir_calloc(b->scratch_count, sizeof b->scratches[0]);
    b->scratch_used = ir_calloc(b->scratch_count, sizeof b->scratch_used[0]);
    if (!b->draft.edges || !b->draft.degrees || !b->order || !b->starts || !b->first_source ||
        !b->touched || !b->scratches || !b->scratch_used)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph of %u nodes", count);
    memset(b->first_source, 0xFF, count * sizeof b->first_source[0]);
    memset(b->starts, 0xFF, spec->group_count * sizeof b->starts[0]);
    for (uint32_t i = 0; i < b->scratch_count; i++) {
        int32_t status = ir_graph_scratch_create(&b->scratches[i], spec, error);
        if (status)
            return status;
    }
    return IMGRET_OK;
}

static void release(builder *b)
{
    ir_free(b->draft.edges);
    ir_free(b->draft.degrees);
    ir_free(b->order);
    ir_free(b->starts);
    ir_free(b->first_source);
    ir_free(b->touched);
    ir_free(b->next_source);
    for (uint32_t i = 0; b->scratches && i < b->scratch_count; i++)
        ir_graph_scratch_free(&b->scratches[i]);
    ir_free(b->scratches);
    ir_free(b->scratch_used);
}

static int32_t check_spec(const ir_graph_spec *spec, imgret_error *error)
{
    if (spec->degree < 4 || spec->degree > 128 || spec->beam < 1 ||
        spec->beam > IR_GRAPH_CANDIDATES_MAX || !(spec->alpha >= 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "a graph of degree %u, beam %u, alpha %g",
                       spec->degree, spec->beam, (double)spec->alpha);
    if (spec->rows->count > IR_BEAM_SLOT)
        return ir_fail(error, IMGRET_LIMIT, "%u vectors: a segment takes %u", spec->rows->count,
                       IR_BEAM_SLOT);
    return IMGRET_OK;
}

int32_t ir_graph_build(ir_graph *out, const ir_graph_spec *spec, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    int32_t status = check_spec(spec, error);
    if (status)
        return status;
    out->degree = spec->degree;
    if (spec->rows->count == 0)
        return IMGRET_OK;
    builder b = {.batch_count = 0};
    status = allocate(&b, spec, error);
    if (!status)
        status = link_all(&b, error);
    if (!status)
        status = finish(&b, out, error);
    release(&b);
    if (status)
        ir_graph_free(out);
    return status;
}

/* The settled nodes' rows become draft lists; the first of each group is where searches start. */
static void take_settled(builder *b, const ir_graph *graph, const uint32_t *fresh, uint32_t count)
{
    const ir_graph_spec *spec = b->draft.spec;
    for (uint32_t slot = 0, at = 0; slot < graph->count; slot++) {
        if (at < count && fresh[at] == slot) {
            at++;
            continue;
        }
        const uint32_t *row = graph->edges + (size_t)slot * graph->degree;
        for (uint32_t e = 0; e < graph->degree; e++)
            if (row[e] != slot && !has_edge(b, slot, row[e]))
                edges_of(b, slot)[b->draft.degrees[slot]++] = row[e];
        uint32_t *start = &b->starts[spec->group_of ? spec->group_of[slot] : 0];
        if (*start == NONE)
            *start = slot;
        if (b->draft.entry_count == 0)
            b->first_settled = slot;
        b->draft.entry_count = 1;
        ir_give_way();
    }
    b->draft.entries = &b->first_settled;
}

int32_t ir_graph_insert(ir_graph *graph, const ir_graph_spec *spec, const uint32_t *fresh,
                        uint32_t fresh_count, imgret_error *error)
{
    int32_t status = check_spec(spec, error);
    if (status)
        return status;
    if (fresh_count == graph->count || graph->degree != spec->degree ||
        graph->count != spec->rows->count)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "a graph of degree %u with nothing in it",
                       graph->degree);
    builder b = {.batch_count = 0};
    status = allocate(&b, spec, error);
    if (!status) {
        take_settled(&b, graph, fresh, fresh_count);
        ir_graph_free(graph);
        draw_order(&b, fresh, fresh_count);
        status = insert_all(&b, fresh_count, spec->rows->count - fresh_count, error);
    }
    if (!status)
        status = finish(&b, graph, error);
    release(&b);
    if (status)
        ir_graph_free(graph);
    return status;
}
