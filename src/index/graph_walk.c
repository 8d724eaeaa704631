/* graph_walk.c: distances between rows, the search for a new node's neighbours, and pruning. */
#include "base/alloc.h"
#include "base/error.h"
#include "index/graph_parts.h"
#include "kernels/code_kernels.h"

#include <stdlib.h>
#include <string.h>

enum { PRUNE_BLOCK = 16, PRUNE_CHOSEN = 8 };

size_t ir_graph_row_bytes(uint32_t dimension)
{
    return dimension + sizeof(ir_graph_tail);
}

void ir_graph_row_encode(const float *vector, uint32_t dimension, float extra, uint8_t *row)
{
    int32_t sums[2];
    float largest = ir_code_kernels_get()->bytes_from_floats(vector, dimension, row, sums);
    ir_graph_tail tail = {.scale = largest / 127.0f, .extra = extra, .sum = sums[0]};
    tail.norm_squared = tail.scale * tail.scale * (float)sums[1];
    memcpy(row + dimension, &tail, sizeof tail);
}

int32_t ir_graph_scratch_create(ir_graph_scratch *out, const ir_graph_spec *spec,
                                imgret_error *error)
{
    memset(out, 0, sizeof *out);
    out->query = ir_calloc(spec->rows->dimension + IR_CODE_SLACK_BYTES, 1);
    out->beam.entries = ir_malloc_array(spec->beam, sizeof out->beam.entries[0]);
    out->candidates = ir_malloc_array(IR_GRAPH_CANDIDATES_MAX, sizeof out->candidates[0]);
    out->ids = ir_malloc_array(IR_GRAPH_CANDIDATES_MAX, sizeof out->ids[0]);
    out->products = ir_malloc_array(IR_GRAPH_CANDIDATES_MAX, sizeof out->products[0]);
    out->distances = ir_malloc_array(IR_GRAPH_CANDIDATES_MAX, sizeof out->distances[0]);
    if (!out->query || !out->beam.entries || !out->candidates || !out->ids || !out->products ||
        !out->distances || !ir_visited_reserve(&out->visited, 4096))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build a graph");
    return IMGRET_OK;
}

void ir_graph_scratch_free(ir_graph_scratch *scratch)
{
    ir_free(scratch->query);
    ir_free(scratch->beam.entries);
    ir_free(scratch->candidates);
    ir_free(scratch->ids);
    ir_free(scratch->products);
    ir_free(scratch->distances);
    ir_free(scratch->visited.table);
}

void ir_graph_measure_from(ir_graph_scratch *scratch, const ir_graph_rows *rows, uint32_t slot)
{
    const uint8_t *row = rows->base + slot * rows->stride;
    for (uint32_t j = 0; j < rows->dimension; j++)
        scratch->query[j] = (int8_t)(row[j] - 128);
    scratch->query_tail = ir_graph_tail_of(rows, slot);
}

void ir_graph_measure(ir_graph_scratch *scratch, const ir_graph_rows *rows, const uint32_t *ids,
                      uint32_t count)
{
    ir_code_rows codes = {rows->base, rows->stride, ids, count};
    ir_code_kernels_get()->bytes_dot(scratch->query, rows->dimension, &codes, scratch->products);
    for (uint32_t i = 0; i < count; i++) {
        ir_graph_tail tail = ir_graph_tail_of(rows, ids[i]);
        scratch->distances[i] = ir_graph_distance(&tail, &scratch->query_tail,
                                                  scratch->products[i]);
    }
}

/* Of equally near candidates the lower slot comes first, so that the order is settled. */
static int nearer_first(const void *left, const void *right)
{
    const ir_beam_entry *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

void ir_graph_sort_candidates(ir_graph_scratch *scratch)
{
    if (scratch->candidate_count > 1)
        qsort(scratch->candidates, scratch->candidate_count, sizeof scratch->candidates[0],
              nearer_first);
}

static void look_at(ir_graph_scratch *scratch, const ir_graph_draft *draft, const uint32_t *ids,
                    uint32_t count)
{
    if (!ir_visited_reserve(&scratch->visited, count)) {
        scratch->out_of_memory = true;
        return;
    }
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < count; i++)
        if (ir_visited_add(&scratch->visited, ids[i]))
            scratch->ids[fresh++] = ids[i];
    ir_graph_measure(scratch, draft->spec->rows, scratch->ids, fresh);
    for (uint32_t i = 0; i < fresh; i++)
        ir_beam_insert(&scratch->beam, scratch->distances[i], 0, scratch->ids[i]);
}

void ir_graph_walk(ir_graph_scratch *scratch, const ir_graph_draft *draft, uint32_t slot,
                   uint32_t start)
{
    ir_visited_clear(&scratch->visited);
    scratch->beam.count = scratch->beam.first_open = 0;
    scratch->beam.capacity = draft->spec->beam;
    scratch->candidate_count = 0;
    ir_graph_measure_from(scratch, draft->spec->rows, slot);
    ir_visited_add(&scratch->visited, slot);
    uint32_t starts[2] = {start, draft->entries[0]};
    look_at(scratch, draft, starts, 2);
    const ir_beam_entry *next;
    while (!scratch->out_of_memory && (next = ir_beam_next(&scratch->beam)) != NULL) {
        ir_beam_entry entry = {next->key, 0, next->slot & IR_BEAM_SLOT};
        if (scratch->candidate_count < IR_GRAPH_CANDIDATES_MAX)
            scratch->candidates[scratch->candidate_count++] = entry;
        look_at(scratch, draft, draft->edges + (size_t)entry.slot * draft->room,
                draft->degrees[entry.slot]);
    }
    ir_graph_sort_candidates(scratch);
}

/* A pruning under way. */
typedef struct pruning {
    const ir_graph_rows *rows;
    float alpha_squared;
    uint32_t *chosen;
    uint32_t chosen_count;
    ir_graph_tail tails[128];                /* of the chosen */
    const ir_beam_entry *block[PRUNE_BLOCK]; /* candidates that may yet be chosen */
    uint32_t block_count;
    int32_t *products;
} pruning;

/* Whether a chosen row is so much nearer to the candidate that the way leads over it. */
static inline bool hides(const pruning *p, const ir_graph_tail *chosen,
                         const ir_beam_entry *candidate, int32_t product)
{
    ir_graph_tail tail = ir_graph_tail_of(p->rows, candidate->slot);
    return p->alpha_squared * ir_graph_distance(&tail, chosen, product) <= candidate->key;
}

static void block_products(pruning *p, const uint32_t *others, uint32_t count)
{
    uint32_t ids[PRUNE_BLOCK];
    for (uint32_t i = 0; i < p->block_count; i++)
        ids[i] = p->block[i]->slot;
    ir_code_rows left = {p->rows->base, p->rows->stride, ids, p->block_count};
    ir_code_rows right = {p->rows->base, p->rows->stride, others ? others : ids,
                          others ? count : p->block_count};
    ir_code_kernels_get()->bytes_gram(&left, &right, p->rows->dimension, p->products);
}

/* Leaves of the block what none of the chosen hides. The nearest of them hide most: they are
 * compared first, a few at a time. */
static void drop_hidden(pruning *p)
{
    for (uint32_t first = 0; first < p->chosen_count && p->block_count > 0; first += PRUNE_CHOSEN) {
        uint32_t left = p->chosen_count - first, kept = 0;
        uint32_t count = left < PRUNE_CHOSEN ? left : PRUNE_CHOSEN;
        block_products(p, p->chosen + first, count);
        for (uint32_t i = 0; i < p->block_count; i++) {
            bool hidden = false;
            for (uint32_t c = 0; c < count && !hidden; c++)
                hidden = hides(p, &p->tails[first + c], p->block[i], p->products[i * count + c]);
            if (!hidden)
                p->block[kept++] = p->block[i];
        }
        p->block_count = kept;
    }
}

/* Chooses from the block, nearest first, what those chosen before from it do not hide. */
static void choose_from_block(pruning *p, uint32_t degree)
{
    uint32_t settled = p->chosen_count, place_of[PRUNE_BLOCK];
    if (p->block_count > 1)
        block_products(p, NULL, 0);
    for (uint32_t i = 0; i < p->block_count && p->chosen_count < degree; i++) {
        bool hidden = false;
        for (uint32_t c = settled; c < p->chosen_count && !hidden; c++)
            hidden = hides(p, &p->tails[c], p->block[i],
                           p->products[i * p->block_count + place_of[c - settled]]);
        if (hidden)
            continue;
        place_of[p->chosen_count - settled] = i;
        p->tails[p->chosen_count] = ir_graph_tail_of(p->rows, p->block[i]->slot);
        p->chosen[p->chosen_count++] = p->block[i]->slot;
    }
}

/* A node among near duplicates would be left with one neighbour: the nearest that were passed
 * over keep it connected. */
static void fill_half(const ir_graph_scratch *scratch, pruning *p, uint32_t degree)
{
    uint32_t settled = p->chosen_count, next = 0; /* chosen ones stand in the candidates' order */
    for (uint32_t i = 0; i < scratch->candidate_count && p->chosen_count < degree / 2; i++) {
        uint32_t slot = scratch->candidates[i].slot;
        if (next < settled && p->chosen[next] == slot)
            next++;
        else
            p->chosen[p->chosen_count++] = slot;
    }
}

uint32_t ir_graph_prune(ir_graph_scratch *scratch, const ir_graph_spec *spec, uint32_t *out)
{
    pruning p = {.rows = spec->rows,
                 .alpha_squared = spec->alpha * spec->alpha,
                 .chosen = out,
                 .products = scratch->products};
    for (uint32_t first = 0; first < scratch->candidate_count && p.chosen_count < spec->degree;
         first += PRUNE_BLOCK) {
        p.block_count = 0;
        for (uint32_t i = first; i < first + PRUNE_BLOCK && i < scratch->candidate_count; i++)
            p.block[p.block_count++] = &scratch->candidates[i];
        drop_hidden(&p);
        choose_from_block(&p, spec->degree);
    }
    fill_half(scratch, &p, spec->degree);
    return p.chosen_count;
}
