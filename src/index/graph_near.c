/* graph_near.c: compares all rows of a cell with one another by blocks of products.
 *
 * A cell's rows are copied side by side, so that products run at the speed of the processor's
 * arithmetic instead of its memory. In one round a row is in one cell: only that cell's thread
 * touches its list.
 */
#include "index/graph_near.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/graph_cells.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <stdatomic.h>

enum {
    CELL_ROWS = 512,
    CELL_BYTES = 1 << 20,
    CELL_ROWS_MIN = 256,
    ROUND_NEAR = 32,
    MANY_CELLS = 32, /* from so many on, six rounds differ so much that half as many do */
    LEFT_ROWS = 16,
    RIGHT_ROWS = 64
};

/* One thread's room for a cell. */
typedef struct cell_scratch {
    uint8_t *packed;      /* rows_max rows of packed_stride bytes */
    ir_graph_tail *tails; /* RIGHT_ROWS more than rows_max, so that blocks are whole */
    uint64_t *near;       /* rows_max x ROUND_NEAR keys, with places in the cell */
    float *farthest;      /* the last distance in each of these lists; RIGHT_ROWS more as well */
    uint32_t kept;        /* most keys of a list */
    atomic_uchar used;
} cell_scratch;

/* ir_graph_tail of RIGHT_ROWS rows, number by number. */
typedef struct tail_block {
    float norm_squared[RIGHT_ROWS], scale[RIGHT_ROWS], extra[RIGHT_ROWS];
    int32_t sum[RIGHT_ROWS]; /* times 128 */
} tail_block;

typedef struct finder {
    const ir_graph_spec *spec;
    ir_graph_near *out;
    ir_graph_cells cells;
    uint32_t rows_max;
    size_t packed_stride;
    cell_scratch *scratches;
    uint32_t scratch_count;
} finder;

static cell_scratch *take_scratch(finder *f)
{
    for (uint32_t i = 0;; i = (i + 1) % f->scratch_count) {
        unsigned char expected = 0;
        if (atomic_compare_exchange_strong(&f->scratches[i].used, &expected, 1))
            return &f->scratches[i];
    }
}

static void pack(const finder *f, cell_scratch *scratch, const uint32_t *members, uint32_t count)
{
    const ir_graph_rows *rows = f->spec->rows;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = scratch->packed + i * f->packed_stride;
        memcpy(to, rows->base + members[i] * rows->stride, rows->dimension);
        memset(to + rows->dimension, 128, f->packed_stride - rows->dimension);
        scratch->tails[i] = ir_graph_tail_of(rows, members[i]);
    }
    for (size_t i = 0; i < (size_t)count * ROUND_NEAR; i++)
        scratch->near[i] = IR_GRAPH_NO_KEY;
    for (uint32_t i = 0; i < count; i++)
        scratch->farthest[i] = INFINITY;
}

/* Offers a key to the sorted list of the row at `place`. */
static inline void insert_key(cell_scratch *scratch, uint32_t place, uint64_t key)
{
    uint64_t *list = scratch->near + (size_t)place * ROUND_NEAR;
    uint32_t last = scratch->kept - 1, at = last;
    if (list[at] <= key)
        return;
    for (; at > 0 && list[at - 1] > key; at--)
        list[at] = list[at - 1];
    list[at] = key;
    if (list[last] != IR_GRAPH_NO_KEY)
        scratch->farthest[place] = ir_graph_key_distance(list[last]);
}

static void fill_tails(tail_block *out, const ir_graph_tail *tails)
{
    for (uint32_t j = 0; j < RIGHT_ROWS; j++) {
        out->norm_squared[j] = tails[j].norm_squared;
        out->scale[j] = tails[j].scale;
        out->extra[j] = tails[j].extra;
        out->sum[j] = 128 * tails[j].sum;
    }
}

/* Offers row `left` and each of the rows first + from to first + to - 1, which have these distances to
 * it, to one another. Few are near enough to either: those are picked out first, many at a time. */
static void offer_row(cell_scratch *scratch, uint32_t left, uint32_t first, uint32_t from,
                      uint32_t to, const float *distances)
{
    const float *theirs = scratch->farthest + first;
    float mine = scratch->farthest[left];
    uint8_t near[RIGHT_ROWS];
    for (uint32_t j = 0; j < RIGHT_ROWS; j++)
        near[j] = (distances[j] <= mine) | (distances[j] <= theirs[j]);
    for (uint32_t some = from / 8 * 8; some < to; some += 8) {
        uint64_t any;
        memcpy(&any, near + some, sizeof any);
        for (uint32_t j = some < from ? from : some; any && j < some + 8 && j < to; j++) {
            if (!near[j])
                continue;
            insert_key(scratch, left, ir_graph_key(distances[j], first + j));
            insert_key(scratch, first + j, ir_graph_key(distances[j], left));
        }
    }
}

/* The loops over distances have a constant length, for the compiler to make them wide. */
static void offer_block(cell_scratch *scratch, uint32_t first_left, uint32_t left_count,
                        uint32_t first_right, uint32_t right_count, const int32_t *products)
{
    tail_block right;
    float distances[RIGHT_ROWS];
    fill_tails(&right, scratch->tails + first_right);
    for (uint32_t i = 0; i < left_count; i++) {
        uint32_t left = first_left + i;
        uint32_t first = left >= first_right ? left - first_right + 1 : 0;
        ir_graph_tail tail = scratch->tails[left];
        int32_t row[RIGHT_ROWS] = {0};
        memcpy(row, products + (size_t)i * right_count, right_count * sizeof row[0]);
        for (uint32_t j = 0; j < RIGHT_ROWS; j++) {
            float product = (float)(row[j] - right.sum[j]), extra = tail.extra - right.extra[j];
            float distance = tail.norm_squared + right.norm_squared[j] -
                             2 * (tail.scale * right.scale[j]) * product + extra * extra;
            distances[j] = distance > 0 ? distance : 0;
        }
        offer_row(scratch, left, first_right, first, right_count, distances);
    }
}

static void compare_all(const finder *f, cell_scratch *scratch, uint32_t count)
{
    int32_t products[LEFT_ROWS * RIGHT_ROWS];
    const ir_code_kernels *kernels = ir_code_kernels_get();
    for (uint32_t i = 0; i < count; i += LEFT_ROWS) {
        ir_give_way();
        for (uint32_t j = i; j < count; j += RIGHT_ROWS) {
            ir_code_rows left = {scratch->packed + i * f->packed_stride, f->packed_stride, NULL,
                                 count - i < LEFT_ROWS ? count - i : LEFT_ROWS};
            ir_code_rows right = {scratch->packed + j * f->packed_stride, f->packed_stride, NULL,
                                  count - j < RIGHT_ROWS ? count - j : RIGHT_ROWS};
            kernels->bytes_gram(&left, &right, f->packed_stride, products);
            offer_block(scratch, i, left.count, j, right.count, products);
        }
    }
}

/* Merges what the cell has for a row into the row's list; what both have comes once. */
static void merge_near(uint64_t *list, uint32_t room, const uint64_t *found,
                       const uint32_t *members)
{
    uint64_t old[IR_GRAPH_CANDIDATES_MAX];
    uint32_t a = 0, b = 0;
    memcpy(old, list, room * sizeof old[0]);
    for (uint32_t at = 0; at < room; at++) {
        uint64_t mine = old[a], theirs = IR_GRAPH_NO_KEY;
        if (b < ROUND_NEAR && found[b] != IR_GRAPH_NO_KEY)
            theirs = (found[b] & ~0xFFFFFFFFull) | members[(uint32_t)found[b]];
        list[at] = mine < theirs ? mine : theirs;
        if (list[at] == IR_GRAPH_NO_KEY)
            return;
        a += mine <= theirs;
        b += theirs <= mine;
    }
}

static void cell_part(void *context, uint32_t part)
{
    finder *f = context;
    cell_scratch *scratch = take_scratch(f);
    uint32_t first = part ? f->cells.ends[part - 1] : 0, count = f->cells.ends[part] - first;
    const uint32_t *members = f->cells.members + first;
    pack(f, scratch, members, count);
    compare_all(f, scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        merge_near(f->out->keys + (size_t)members[i] * f->out->room, f->out->room,
                   scratch->near + (size_t)i * ROUND_NEAR, members);
        ir_give_way();
    }
    atomic_store(&scratch->used, 0);
}

/* A cell's rows fit the processor's second cache. */
static uint32_t cell_rows(size_t packed_stride)
{
    size_t fit = CELL_BYTES / packed_stride;
    return fit > CELL_ROWS ? CELL_ROWS : fit < CELL_ROWS_MIN ? CELL_ROWS_MIN : (uint32_t)fit;
}

uint64_t ir_graph_near_thread_bytes(uint32_t dimension)
{
    size_t stride = (dimension + 63) / 64 * 64;
    return (uint64_t)cell_rows(stride) *
           (stride + ROUND_NEAR * sizeof(uint64_t) + sizeof(ir_graph_tail) + sizeof(float));
}

static int32_t create(finder *f, imgret_error *error)
{
    uint32_t count = f->spec->rows->count;
    bool made = true;
    f->packed_stride = (f->spec->rows->dimension + 63) / 64 * 64;
    f->rows_max = cell_rows(f->packed_stride);
    f->scratch_count = ir_pool_thread_count(f->spec->pool);
    f->scratches = ir_calloc(f->scratch_count, sizeof f->scratches[0]);
    for (uint32_t i = 0; f->scratches && i < f->scratch_count; i++) {
        cell_scratch *scratch = &f->scratches[i];
        scratch->kept = count / f->rows_max >= MANY_CELLS ? ROUND_NEAR / 2 : ROUND_NEAR;
        scratch->packed = ir_malloc_aligned(64, f->rows_max * f->packed_stride);
        scratch->tails = ir_calloc(f->rows_max + RIGHT_ROWS, sizeof scratch->tails[0]);
        scratch->near = ir_malloc_array((size_t)f->rows_max * ROUND_NEAR, sizeof(uint64_t));
        scratch->farthest = ir_calloc(f->rows_max + RIGHT_ROWS, sizeof scratch->farthest[0]);
        made = made && scratch->packed && scratch->tails && scratch->near && scratch->farthest;
    }
    size_t keys = (size_t)count * f->out->room;
    f->out->keys = ir_malloc_array(keys, sizeof f->out->keys[0]);
    if (!f->scratches || !made || !f->out->keys)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph");
    memset(f->out->keys, 0xFF, keys * sizeof f->out->keys[0]);
    return IMGRET_OK;
}

static void release(finder *f)
{
    for (uint32_t i = 0; f->scratches && i < f->scratch_count; i++) {
        ir_free_aligned(f->scratches[i].packed);
        ir_free(f->scratches[i].tails);
        ir_free(f->scratches[i].near);
        ir_free(f->scratches[i].farthest);
    }
    ir_free(f->scratches);
}

int32_t ir_graph_near_find(ir_graph_near *out, const ir_graph_spec *spec, uint32_t room,
                           uint32_t rounds, imgret_error *error)
{
    finder f = {.spec = spec, .out = out};
    out->room = room;
    int32_t status = create(&f, error);
    for (uint32_t round = 0; !status && round < rounds; round++) {
        if (spec->stop && spec->stop(spec->context, (double)round / rounds))
            status = ir_fail(error, IMGRET_INTERRUPTED, "building the graph was stopped");
        else
            status = ir_graph_cells_cut(&f.cells, spec->rows, f.rows_max,
                                        spec->seed * 1000003 + round, spec->pool, error);
        if (!status) {
            ir_pool_run(spec->pool, cell_part, &f, f.cells.count);
            memcpy(out->order, f.cells.members, spec->rows->count * sizeof out->order[0]);
            ir_graph_cells_free(&f.cells);
        }
    }
    release(&f);
    return status;
}
