/* graph_cells.c: cuts rows into cells by randomized ball carving.
 *
 * Rubel et al., "PiPNN: Ultra-Scalable Graph-Based Nearest Neighbor Indexing", arXiv 2602.21247
 * (2026). All ranges of one level are cut together, so that all threads have work.
 */
#include "index/graph_cells.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "index/graph_parts.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEADERS_MAX = 32, BLOCK_ROWS = 32, LEVELS_MAX = 24 };

#define DISSOLVED 0xFFFFFFFFu

/* Members first to first + count - 1 are still too many. */
typedef struct range {
    uint32_t first, count;
    uint32_t leader_first, leader_count;
    uint32_t block_first; /* its first block in this level's work */
} range;

typedef struct cutter {
    const ir_graph_rows *rows;
    uint32_t rows_max;
    uint64_t seed;
    uint32_t *members, *sorted;
    uint16_t *leader_of; /* of each place among the members, within its range */
    range *ranges, *next;
    uint32_t range_count, next_count;
    uint32_t *leaders, *sizes;
    uint32_t leader_count;
    bool again; /* only what joined a leader that was dissolved */
    ir_graph_cells *out;
} cutter;

/* Every range but one of a level has more than rows_max members. */
static uint32_t most_ranges(const cutter *c)
{
    return c->rows->count / c->rows_max + 2;
}

static uint32_t leaders_for(const cutter *c, uint32_t count)
{
    uint32_t wanted = 2 * (count / c->rows_max) + 2;
    return wanted < LEADERS_MAX ? wanted : LEADERS_MAX;
}

static void choose_leaders(cutter *c)
{
    uint32_t block = 0;
    c->leader_count = 0;
    for (uint32_t r = 0; r < c->range_count; r++) {
        range *now = &c->ranges[r];
        now->leader_first = c->leader_count;
        now->leader_count = leaders_for(c, now->count);
        now->block_first = block;
        block += (now->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
        for (uint32_t i = 0; i < now->leader_count; i++)
            c->leaders[c->leader_count++] =
                c->members[now->first + ir_random_below(&c->seed, now->count)];
    }
}

static const range *range_of_block(const cutter *c, uint32_t block)
{
    uint32_t low = 0, high = c->range_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (c->ranges[middle].block_first <= block)
            low = middle;
        else
            high = middle;
    }
    return &c->ranges[low];
}

/* The nearest of a range's leaders that were not dissolved; equally near: the first. */
static uint16_t nearest_leader(const cutter *c, const range *now, uint32_t slot,
                               const int32_t *products)
{
    ir_graph_tail mine = ir_graph_tail_of(c->rows, slot);
    float best = INFINITY;
    uint16_t nearest = 0;
    for (uint32_t i = 0; i < now->leader_count; i++) {
        if (c->sizes[now->leader_first + i] == DISSOLVED)
            continue;
        ir_graph_tail tail = ir_graph_tail_of(c->rows, c->leaders[now->leader_first + i]);
        float distance = ir_graph_distance(&mine, &tail, products[i]);
        if (distance < best) {
            best = distance;
            nearest = (uint16_t)i;
        }
    }
    return nearest;
}

static void assign_part(void *context, uint32_t part)
{
    cutter *c = context;
    const range *now = range_of_block(c, part);
    uint32_t first = (part - now->block_first) * BLOCK_ROWS, count = 0;
    uint32_t slots[BLOCK_ROWS], places[BLOCK_ROWS];
    int32_t products[BLOCK_ROWS * LEADERS_MAX];
    for (uint32_t i = first; i < first + BLOCK_ROWS && i < now->count; i++) {
        uint32_t place = now->first + i;
        if (c->again && c->sizes[now->leader_first + c->leader_of[place]] != DISSOLVED)
            continue;
        places[count] = place;
        slots[count++] = c->members[place];
    }
    if (count == 0)
        return;
    ir_code_rows left = {c->rows->base, c->rows->stride, slots, count};
    ir_code_rows right = {c->rows->base, c->rows->stride, c->leaders + now->leader_first,
                          now->leader_count};
    ir_code_kernels_get()->bytes_gram(&left, &right, c->rows->dimension, products);
    for (uint32_t i = 0; i < count; i++)
        c->leader_of[places[i]] = nearest_leader(c, now, slots[i],
                                                 products + (size_t)i * now->leader_count);
}

static void count_sizes(cutter *c)
{
    memset(c->sizes, 0, c->leader_count * sizeof c->sizes[0]);
    for (uint32_t r = 0; r < c->range_count; r++) {
        const range *now = &c->ranges[r];
        for (uint32_t i = 0; i < now->count; i++)
            c->sizes[now->leader_first + c->leader_of[now->first + i]]++;
    }
}

/* Leaders that few joined are dissolved, unless that would leave less than two. */
static void dissolve_small(cutter *c)
{
    for (uint32_t r = 0; r < c->range_count; r++) {
        const range *now = &c->ranges[r];
        uint32_t *sizes = c->sizes + now->leader_first, large = 0;
        for (uint32_t i = 0; i < now->leader_count; i++)
            large += sizes[i] >= c->rows_max / 8;
        for (uint32_t i = 0; i < now->leader_count && large > 1; i++)
            if (sizes[i] < c->rows_max / 8)
                sizes[i] = DISSOLVED;
    }
}

static void assign_all(cutter *c, ir_pool *pool)
{
    const range *last = &c->ranges[c->range_count - 1];
    uint32_t blocks = last->block_first + (last->count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    memset(c->sizes, 0, c->leader_count * sizeof c->sizes[0]);
    c->again = false;
    ir_pool_run(pool, assign_part, c, blocks);
    count_sizes(c);
    dissolve_small(c);
    c->again = true;
    ir_pool_run(pool, assign_part, c, blocks);
    count_sizes(c);
}

/* A part of a range that is done becomes a cell, else a range of the next level. */
static void add_part(cutter *c, uint32_t first, uint32_t count)
{
    if (count > c->rows_max)
        c->next[c->next_count++] = (range){.first = first, .count = count};
    else if (count > 0)
        c->out->ends[c->out->count++] = first + count;
}

/* Rows that leaders do not tell apart, near duplicates, are cut as they come. */
static void chop(cutter *c, const range *now)
{
    for (uint32_t done = 0; done < now->count; done += c->rows_max)
        add_part(c, now->first + done,
                 now->count - done < c->rows_max ? now->count - done : c->rows_max);
}

static void sort_range(cutter *c, const range *now, bool last_level)
{
    const uint32_t *sizes = c->sizes + now->leader_first;
    uint32_t starts[LEADERS_MAX], largest = 0, at = now->first;
    for (uint32_t i = 0; i < now->leader_count; i++) {
        starts[i] = at;
        at += sizes[i];
        largest = sizes[i] > largest ? sizes[i] : largest;
    }
    if (last_level || largest == now->count) {
        chop(c, now);
        return;
    }
    for (uint32_t i = now->first; i < now->first + now->count; i++)
        c->sorted[starts[c->leader_of[i]]++] = c->members[i];
    memcpy(c->members + now->first, c->sorted + now->first, now->count * sizeof c->members[0]);
    for (uint32_t i = 0, first = now->first; i < now->leader_count; first += sizes[i++])
        add_part(c, first, sizes[i]);
}

static void cut_all(cutter *c, ir_pool *pool)
{
    for (uint32_t i = 0; i < c->rows->count; i++)
        c->members[i] = i;
    add_part(c, 0, c->rows->count);
    for (uint32_t level = 0; c->next_count > 0; level++) {
        range *swap = c->ranges;
        c->ranges = c->next;
        c->range_count = c->next_count;
        c->next = swap;
        c->next_count = 0;
        choose_leaders(c);
        assign_all(c, pool);
        for (uint32_t r = 0; r < c->range_count; r++)
            sort_range(c, &c->ranges[r], level + 1 >= LEVELS_MAX);
    }
}

static int compare_ends(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

int32_t ir_graph_cells_cut(ir_graph_cells *out, const ir_graph_rows *rows, uint32_t rows_max,
                           uint64_t seed, ir_pool *pool, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    cutter c = {.rows = rows, .rows_max = rows_max, .seed = seed, .out = out};
    uint32_t ranges = most_ranges(&c);
    size_t leaders = 4ull * ranges; /* 2 * count / rows_max + 2 of each */
    c.members = ir_malloc_array(rows->count, sizeof c.members[0]);
    c.sorted = ir_malloc_array(rows->count, sizeof c.sorted[0]);
    c.leader_of = ir_malloc_array(rows->count, sizeof c.leader_of[0]);
    c.ranges = ir_malloc_array(ranges, sizeof c.ranges[0]);
    c.next = ir_malloc_array(ranges, sizeof c.next[0]);
    c.leaders = ir_malloc_array(leaders, sizeof c.leaders[0]);
    c.sizes = ir_malloc_array(leaders, sizeof c.sizes[0]);
    out->members = c.members;
    out->ends = ir_malloc_array(rows->count, sizeof out->ends[0]);
    int32_t status = IMGRET_OK;
    if (c.members && c.sorted && c.leader_of && c.ranges && c.next && c.leaders && c.sizes &&
        out->ends) {
        cut_all(&c, pool);
        /* Cells were found level by level; places ascend. */
        qsort(out->ends, out->count, sizeof out->ends[0], compare_ends);
    } else {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph");
        ir_graph_cells_free(out);
    }
    ir_free(c.sorted);
    ir_free(c.leader_of);
    ir_free(c.ranges);
    ir_free(c.next);
    ir_free(c.leaders);
    ir_free(c.sizes);
    return status;
}

void ir_graph_cells_free(ir_graph_cells *cells)
{
    ir_free(cells->members);
    ir_free(cells->ends);
    memset(cells, 0, sizeof *cells);
}
