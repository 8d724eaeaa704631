/* search.c: one query's way through a segment: the walk over codes.
 *
 * The walk keeps a beam of the nearest nodes by the codes in RAM. A neighbour's coarse key (1 bit a
 * dimension) decides whether its full key is worth computing: only if, within its error, it could
 * enter the beam. In many dimensions coarse keys are sharp and full ones cost much traffic with
 * memory: then the walk goes by coarse keys alone. What follows the walk: search_settle.c.
 *
 * The walk ends when no open node is left in the beam, or when the nearest open one is much farther
 * than the k-th nearest found: Al-Jazzazi et al., "Distance Adaptive Beam Search for Provably
 * Accurate Graph-Based Nearest Neighbor Search" (arXiv 2505.15636). The wider the beam, the farther
 * it may be, so that more effort goes on finding more.
 *
 * Nodes lie anywhere in memory, so that each step would wait for it. A walk therefore goes by short
 * stages: each fetches what the next one needs and returns, and the thread lets other queries step
 * meanwhile. What one query does does not depend on the others.
 */
#include "index/search.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

enum { EFFORT_DEFAULT = 64, STOP_EVERY_HOPS = 64, ENTRIES_MAX = 3 };

/* Standard deviations of the coarse key that a neighbour is given before it is passed over. */
static const float coarse_slack = 0.5f;

/* An open node is too far at this many times the k-th's squared distance, with a beam of
 * FAR_WIDTH; for each doubling of the beam far_more is added. */
static const float far_least = 1.25f;
static const float far_more = 0.15f;
enum { FAR_WIDTH = 64 };

/* From so many dimensions on, coarse keys are good enough to walk by, and full ones cost more memory
 * traffic than they save: measured at 256 (full keys win), 512 (neither), 784 and 2,048. A
 * beam of coarse keys is so much wider: where it is narrow, their noise would cost recall. */
enum { COARSE_DIMENSION_MIN = 640, COARSE_WIDTH_MORE = 8 };

int32_t ir_walk_tools_create(ir_walk_tools *out, const ir_segment *segment, imgret_error *error)
{
    uint32_t room = segment->header.degree + segment->header.entry_count;
    memset(out, 0, sizeof *out);
    out->neighbors = ir_malloc_array(room, sizeof out->neighbors[0]);
    out->fresh = ir_malloc_array(room, sizeof out->fresh[0]);
    out->passed = ir_malloc_array(room, sizeof out->passed[0]);
    out->keys = ir_malloc_array(room, sizeof out->keys[0]);
    out->errors = ir_malloc_array(room, sizeof out->errors[0]);
    out->centroid_squares = ir_malloc_array(IR_CENTROIDS_MAX, sizeof out->centroid_squares[0]);
    if (!out->neighbors || !out->fresh || !out->passed || !out->keys || !out->errors ||
        !out->centroid_squares)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to search");
    ir_code_squares(segment->centroids, segment->shape.dimension, segment->header.centroid_count,
                    out->centroid_squares);
    return IMGRET_OK;
}

void ir_walk_tools_free(ir_walk_tools *tools)
{
    ir_free(tools->neighbors);
    ir_free(tools->fresh);
    ir_free(tools->passed);
    ir_free(tools->keys);
    ir_free(tools->errors);
    ir_free(tools->centroid_squares);
}

int32_t ir_query_create(ir_query *out, const ir_segment *segment, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    out->code_memory = ir_malloc_aligned(64, ir_code_query_bytes(&segment->shape));
    out->loaded = ir_malloc_array(segment->header.dimension, sizeof out->loaded[0]);
    out->rotated = ir_malloc_array(segment->shape.dimension, sizeof out->rotated[0]);
    uint32_t room = segment->header.degree + segment->header.entry_count;
    out->fresh = ir_malloc_array(room, sizeof out->fresh[0]);
    out->passed = ir_malloc_array(room, sizeof out->passed[0]);
    if (!out->code_memory || !out->loaded || !out->rotated || !out->fresh || !out->passed ||
        !ir_visited_reserve(&out->visited, 512))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to search");
    return IMGRET_OK;
}

void ir_query_free(ir_query *query)
{
    ir_free_aligned(query->code_memory);
    ir_free(query->loaded);
    ir_free(query->rotated);
    ir_free(query->fresh);
    ir_free(query->passed);
    ir_free(query->beam.entries);
    ir_free(query->visited.table);
    ir_free(query->candidates);
}

int32_t ir_query_start_beam(ir_query *query, uint32_t width, imgret_error *error)
{
    if (width > query->beam_room) {
        ir_beam_entry *grown = ir_realloc(query->beam.entries, width * sizeof grown[0]);
        if (!grown)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u candidates", width);
        query->beam.entries = grown;
        query->beam_room = width;
    }
    query->beam.capacity = width;
    query->beam.count = query->beam.first_open = 0;
    return IMGRET_OK;
}

/* Which of the nearest the walk measures by; 0: it goes through all of the beam. Where ids may be
 * refused that are not known yet, the k-th is another; keys of inner products are no distances. */
static uint32_t choose_border(const ir_query *query)
{
    const ir_search *search = query->search;
    if (!query->code.plain || search->rows || search->rare)
        return 0;
    uint64_t border = (uint64_t)search->k + (search->excluded_id != 0);
    if (search->allowed)
        border *= 2;
    return border < query->beam.capacity ? (uint32_t)border : 0;
}

static float far_factor(uint32_t width)
{
    float doublings = log2f((float)width / FAR_WIDTH);
    return far_least + far_more * (doublings > 0 ? doublings : 0);
}

/* Keys above it are too far, once half of the hops were made: before, the walk may not have come to
 * the right place yet. Keys are taken as they are: allowing for their errors found no more on four sets
 * and cost a fifth more hops. */
static float far_key(const ir_query *query)
{
    if (query->border == 0 || query->beam.count < query->border ||
        query->stats.hops < query->hops_least)
        return INFINITY;
    return query->far * fmaxf(query->beam.entries[query->border - 1].key, 0);
}

static bool is_far(const ir_query *query)
{
    const ir_beam_entry *next = ir_beam_peek(&query->beam);
    return next && next->key > far_key(query);
}

static bool uses_ranks(const ir_query *query, const ir_segment *segment)
{
    return segment->ranks && !(query->search->flags & IR_SEARCH_SIGNS_ONLY);
}

static void insert_all(ir_query *query, const ir_walk_tools *tools, const uint32_t *slots,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ir_beam_insert(&query->beam, tools->keys[i], tools->errors[i], slots[i]);
}

uint32_t ir_query_sieve(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                        const uint32_t *slots, uint32_t count, float slack, uint32_t *passed)
{
    ir_code_rows signs = {segment->signs, segment->shape.sign_stride, slots, count};
    ir_code_estimate_signs(&segment->shape, &query->code, &signs, tools->keys, tools->errors);
    query->stats.sign_estimates += count;
    if (query->coarse || !uses_ranks(query, segment)) {
        insert_all(query, tools, slots, count);
        return 0;
    }
    uint32_t passed_count = 0;
    float worst = fminf(ir_beam_worst(&query->beam), far_key(query));
    for (uint32_t i = 0; i < count; i++)
        if (tools->keys[i] - slack * tools->errors[i] < worst)
            passed[passed_count++] = slots[i];
    return passed_count;
}

void ir_query_rank(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                   const uint32_t *slots, uint32_t count)
{
    ir_code_rows signs = {segment->signs, segment->shape.sign_stride, slots, count};
    ir_code_rows ranks = {segment->ranks, segment->shape.rank_stride, slots, count};
    ir_code_estimate(&segment->shape, &query->code, &signs, &ranks, tools->keys, tools->errors);
    query->stats.rank_estimates += count;
    insert_all(query, tools, slots, count);
}

/* query->fresh are what the next step looks at; their codes are on their way. */
static void take_up(ir_query *query, const ir_segment *segment, uint32_t count)
{
    query->fresh_count = count;
    query->stage = count > 0 ? IR_STAGE_SIGNS : IR_STAGE_NEXT;
    ir_fetch_rows(segment->signs, segment->shape.sign_stride, query->fresh, count);
}

/* The entries nearest by their centroid: a key for each is at hand before anything is computed. */
static uint32_t choose_entries(const ir_query *query, const ir_segment *segment, uint32_t *out)
{
    uint32_t count = 0;
    float keys[ENTRIES_MAX];
    for (uint32_t i = 0; i < segment->header.entry_count; i++) {
        uint32_t slot = segment->entries[i];
        uint32_t centroid = ir_code_centroid(&segment->shape,
                                             segment->signs + slot * segment->shape.sign_stride);
        float key = query->code.centroid_keys[centroid];
        uint32_t at = count < ENTRIES_MAX ? count++ : ENTRIES_MAX;
        for (; at > 0 && key < keys[at - 1]; at--)
            if (at < ENTRIES_MAX) {
                keys[at] = keys[at - 1];
                out[at] = out[at - 1];
            }
        if (at < ENTRIES_MAX) {
            keys[at] = key;
            out[at] = slot;
        }
    }
    return count;
}

int32_t ir_query_heed_stop(ir_query *query, imgret_error *error)
{
    const ir_search *search = query->search;
    if (query->cut || !search->stop || !search->stop(search->stop_context))
        return IMGRET_OK;
    if (!(search->flags & IR_SEARCH_PARTIAL))
        return ir_fail(error, IMGRET_INTERRUPTED, "the search was stopped");
    query->cut = true;
    return IMGRET_OK;
}

static int32_t expand(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                      uint32_t slot, const uint8_t *row, imgret_error *error)
{
    bool damaged = false;
    if (query->cut)
        return IMGRET_OK;
    if (query->stats.hops % STOP_EVERY_HOPS == 0) {
        int32_t status = ir_query_heed_stop(query, error);
        if (status || query->cut)
            return status;
    }
    query->stats.hops++;
    uint32_t near = ir_segment_neighbors(segment, row, slot, tools->neighbors, &damaged);
    if (damaged)
        return ir_fail(error, IMGRET_CORRUPT, "%s: page %llu: the graph of slot %u leads outside",
                       segment->path, (unsigned long long)ir_segment_graph_page(segment, slot),
                       slot);
    if (!ir_visited_reserve(&query->visited, near))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to search");
    uint32_t count = 0;
    for (uint32_t i = 0; i < near; i++)
        if (ir_visited_add(&query->visited, tools->neighbors[i]))
            query->fresh[count++] = tools->neighbors[i];
    take_up(query, segment, count);
    return IMGRET_OK;
}

/* One stage of what was taken up; false when nothing is. */
static bool step(ir_query *query, const ir_segment *segment, ir_walk_tools *tools)
{
    if (query->stage == IR_STAGE_SIGNS) {
        query->passed_count = ir_query_sieve(query, segment, tools, query->fresh,
                                             query->fresh_count, coarse_slack, query->passed);
        query->stage = query->passed_count > 0 ? IR_STAGE_RANKS : IR_STAGE_NEXT;
        if (query->passed_count > 0)
            ir_fetch_rows(segment->ranks, segment->shape.rank_stride, query->passed,
                          query->passed_count);
        return true;
    }
    if (query->stage == IR_STAGE_RANKS) {
        ir_query_rank(query, segment, tools, query->passed, query->passed_count);
        query->stage = IR_STAGE_NEXT;
        return true;
    }
    return false;
}

/* The row that is needed next is on its way while others step. */
static void fetch_next_row(const ir_query *query, const ir_segment *segment)
{
    const ir_beam_entry *next = ir_beam_peek(&query->beam);
    const uint8_t *row = next ? ir_segment_row(segment, next->slot & IR_BEAM_SLOT) : NULL;
    if (row) {
        __builtin_prefetch(row);
        __builtin_prefetch(row + segment->graph_stride - 1);
    }
}

/* Takes up the nearest open node; those without a row in RAM are asked for, a few at a time. */
static int32_t follow(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                      imgret_error *error)
{
    const ir_beam_entry *next;
    while (!query->cut && query->stage == IR_STAGE_NEXT &&
           query->nodes_wanted_count + query->nodes_pending < IR_QUERY_NODES_MAX &&
           !is_far(query) && (next = ir_beam_next(&query->beam)) != NULL) {
        uint32_t slot = next->slot & IR_BEAM_SLOT;
        const uint8_t *row = ir_segment_row(segment, slot);
        if (!row) {
            query->nodes_wanted[query->nodes_wanted_count++] = slot;
            continue;
        }
        int32_t status = expand(query, segment, tools, slot, row, error);
        if (status)
            return status;
    }
    return IMGRET_OK;
}

static int32_t begin_walk(ir_query *query, const ir_segment *segment, imgret_error *error)
{
    uint64_t all = segment->header.vector_count;
    int32_t status = ir_query_start_beam(query, (uint32_t)(query->width < all ? query->width : all),
                                         error);
    if (status)
        return status;
    ir_visited_clear(&query->visited);
    query->others_offered = false;
    query->border = query->thorough ? 0 : choose_border(query);
    query->far = far_factor(query->beam.capacity);
    query->hops_least = query->stats.hops + query->beam.capacity / 2;
    uint32_t hidden = query->search->hidden_slot;
    if (hidden)
        ir_visited_add(&query->visited, hidden - 1);
    uint32_t chosen = choose_entries(query, segment, query->fresh), count = 0;
    for (uint32_t i = 0; i < chosen; i++)
        if (ir_visited_add(&query->visited, query->fresh[i]))
            query->fresh[count++] = query->fresh[i];
    take_up(query, segment, count);
    return IMGRET_OK;
}

/* What was reached does not fill the beam: the rest is reached from the other entries. */
static int32_t offer_other_entries(ir_query *query, const ir_segment *segment, imgret_error *error)
{
    query->others_offered = true;
    if (!ir_visited_reserve(&query->visited, segment->header.entry_count))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to search");
    uint32_t count = 0;
    for (uint32_t i = 0; i < segment->header.entry_count; i++)
        if (ir_visited_add(&query->visited, segment->entries[i]))
            query->fresh[count++] = segment->entries[i];
    take_up(query, segment, count);
    return IMGRET_OK;
}

/* The allowed vectors that a walk must have met: half of what it looks for, and more than k. */
static uint64_t candidates_needed(const ir_query *query)
{
    uint64_t effort = query->search->effort ? query->search->effort : EFFORT_DEFAULT;
    uint64_t wanted = query->search->rows || query->search->rare ? effort : query->width;
    return wanted / 2 > query->search->k ? wanted / 2 : query->search->k;
}

/* Whether the walk measured by too near a vector: of those nearest too many were refused. */
static bool was_hasty(const ir_query *query)
{
    uint32_t k = query->search->k;
    if (query->border == 0)
        return false;
    return query->candidate_count < k ||
           query->candidates[k - 1].key > query->beam.entries[query->border - 1].key;
}

static int32_t scan_rows(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                         imgret_error *error)
{
    int32_t status = ir_query_scan_rows(query, segment, tools, error);
    if (!status)
        status = ir_query_gather(query, segment, error);
    if (status)
        return status;
    ir_query_choose_reads(query);
    query->walking = false;
    return IMGRET_OK;
}

/* The walk came to its end: settles the candidates, or, where too many were not allowed, compares
 * the rows one by one, or begins a wider walk, in the end over everything. */
static int32_t end_walk(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                        imgret_error *error)
{
    if (!query->cut && !query->others_offered && query->beam.count < query->beam.capacity &&
        !is_far(query))
        return offer_other_entries(query, segment, error);
    int32_t status = ir_query_gather(query, segment, error);
    if (status)
        return status;
    if (!query->cut && is_far(query) && was_hasty(query)) {
        query->thorough = true;
        return begin_walk(query, segment, error);
    }
    bool short_of = !query->cut && query->candidate_count < candidates_needed(query);
    if (short_of && query->search->rows)
        return scan_rows(query, segment, tools, error);
    if (short_of && query->width < segment->header.vector_count &&
        query->beam.count == query->beam.capacity) {
        query->width *= 2;
        return begin_walk(query, segment, error);
    }
    if (query->coarse && !query->cut) {
        ir_query_begin_closer(query, segment);
        return IMGRET_OK;
    }
    ir_query_choose_reads(query);
    query->walking = false;
    return IMGRET_OK;
}

int32_t ir_query_advance(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                         imgret_error *error)
{
    query->blocked = false;
    if (query->stage == IR_STAGE_CLOSER) {
        ir_query_look_closer(query, segment);
        return IMGRET_OK;
    }
    if (!query->cut && step(query, segment, tools)) {
        if (query->stage == IR_STAGE_NEXT)
            fetch_next_row(query, segment);
        return IMGRET_OK;
    }
    if (query->cut)
        query->stage = IR_STAGE_NEXT;
    int32_t status = follow(query, segment, tools, error);
    if (status || query->stage != IR_STAGE_NEXT)
        return status;
    if (query->cut)
        query->nodes_wanted_count = 0;
    query->blocked = query->nodes_wanted_count + query->nodes_pending > 0;
    return query->blocked ? IMGRET_OK : end_walk(query, segment, tools, error);
}

int32_t ir_query_take_row(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                          uint32_t slot, const uint8_t *row, imgret_error *error)
{
    query->blocked = false;
    while (!query->cut && step(query, segment, tools)) { /* room for its neighbours */
    }
    return expand(query, segment, tools, slot, row, error);
}

int32_t ir_query_start(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                       imgret_error *error)
{
    const ir_search *search = query->search;
    query->candidate_count = query->next_wanted = query->pending = 0;
    query->nodes_wanted_count = query->nodes_pending = 0;
    query->walking = query->cut = query->blocked = query->thorough = false;
    query->stage = IR_STAGE_NEXT;
    query->coarse = uses_ranks(query, segment) && !search->rows &&
                    segment->header.dimension >= COARSE_DIMENSION_MIN;
    query->status = IMGRET_OK;
    memset(&query->stats, 0, sizeof query->stats);
    if (segment->header.vector_count == 0 || (search->rows && search->rows->count == 0))
        return IMGRET_OK;
    query->squared = ir_space_load_query(&segment->space, search->vector, query->loaded);
    ir_space_rotate(&segment->space, query->loaded, query->rotated);
    float length = ir_code_kernels_get()->dot(query->rotated, query->rotated,
                                              segment->shape.dimension);
    if (!isfinite(length))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s: the query vector is not finite, or too "
                       "long beside the vectors stored",
                       segment->path);
    query->code.plain = segment->header.metric != IMGRET_METRIC_INNER_PRODUCT;
    ir_code_centroids centroids = {segment->centroids, tools->centroid_squares,
                                   segment->header.centroid_count};
    ir_code_query_prepare(&query->code, &segment->shape, query->rotated, &centroids,
                          query->code_memory);
    query->width = search->effort ? search->effort : EFFORT_DEFAULT;
    if (query->width <= search->k)
        query->width = search->k + 1ull;
    if (query->coarse)
        query->width += COARSE_WIDTH_MORE;
    query->walking = true;
    if (search->rows && ir_query_prefers_rows(query, segment))
        return scan_rows(query, segment, tools, error);
    if (search->rows)
        query->width = ir_query_width_among_rows(query, segment);
    return begin_walk(query, segment, error);
}
