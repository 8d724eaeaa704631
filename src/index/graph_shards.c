/* graph_shards.c: a graph made of overlapping parts.
 *
 * Subramanya et al., "DiskANN", NeurIPS 2019, section 3.1: partitions that overlap, a graph of
 * each, and the union of their edges.
 */
#include "index/graph_shards.h"

#include "base/alloc.h"
#include "base/error.h"
#include "index/graph_parts.h"

enum { GROUPS_MAX = 256, READ_BYTES = 1 << 19 };

typedef struct sharder {
    const ir_graph_shards *in;
    uint32_t shard_of[GROUPS_MAX];
    uint32_t shard_count, shard; /* the one at work */
    uint32_t rows_max;           /* of a shard */
    uint32_t *members;           /* slots of its rows, ascending */
    uint32_t member_count;
    ir_graph_rows rows;
    uint32_t *edges; /* of all rows, count x degree */
} sharder;

static bool is_member(const sharder *s, uint32_t slot)
{
    return s->shard_of[s->in->spec->group_of[slot]] == s->shard ||
           s->shard_of[s->in->second_of[slot]] == s->shard;
}

/* Memory beside the shard's rows, and for each of them. */
static uint64_t fixed_bytes(const sharder *s)
{
    const ir_graph_spec *spec = s->in->spec;
    uint64_t edges = (uint64_t)spec->rows->count * spec->degree * sizeof(uint32_t);
    return edges + READ_BYTES + spec->rows->stride +
           ir_graph_build_bytes(spec, 0, spec->rows->dimension);
}

static uint64_t row_bytes(const sharder *s)
{
    const ir_graph_spec *spec = s->in->spec;
    return ir_graph_build_bytes(spec, 1, spec->rows->dimension) -
           ir_graph_build_bytes(spec, 0, spec->rows->dimension) + sizeof(uint32_t);
}

/* Groups become shards in their order, as many each as fit. */
static int32_t plan_shards(sharder *s, imgret_error *error)
{
    const ir_graph_spec *spec = s->in->spec;
    uint32_t sizes[GROUPS_MAX] = {0}, largest = 0, filled = 0;
    for (uint32_t slot = 0; slot < spec->rows->count; slot++) {
        sizes[spec->group_of[slot]]++;
        sizes[s->in->second_of[slot]] += s->in->second_of[slot] != spec->group_of[slot];
    }
    for (uint32_t g = 0; g < spec->group_count; g++)
        largest = sizes[g] > largest ? sizes[g] : largest;
    uint64_t budget = s->in->memory_bytes_max, fixed = fixed_bytes(s), each = row_bytes(s);
    if (budget < fixed || (budget - fixed) / each < largest)
        return ir_fail(error, IMGRET_LIMIT,
                       "indexing %u vectors takes at least %llu bytes of "
                       "memory, the limit is %llu",
                       spec->rows->count,
                       (unsigned long long)(s->in->held_bytes + fixed + largest * each),
                       (unsigned long long)(s->in->held_bytes + budget));
    uint64_t fit = (budget - fixed) / each;
    s->rows_max = fit < spec->rows->count ? (uint32_t)fit : spec->rows->count;
    for (uint32_t g = 0; g < spec->group_count; g++) {
        if (g == 0 || filled + sizes[g] > s->rows_max) {
            s->shard_count++;
            filled = 0;
        }
        filled += sizes[g];
        s->shard_of[g] = s->shard_count - 1;
    }
    return IMGRET_OK;
}

/* Reads all rows in order and keeps the shard's. */
static int32_t load_rows(sharder *s, uint8_t *buffer, imgret_error *error)
{
    const ir_graph_rows *all = s->in->spec->rows;
    uint32_t block = (uint32_t)(READ_BYTES / all->stride) + 1, at = 0;
    for (uint32_t first = 0; first < all->count; first += block) {
        uint32_t end = all->count - first < block ? all->count : first + block;
        uint32_t wanted = at;
        while (wanted < s->member_count && s->members[wanted] < end)
            wanted++;
        if (wanted == at)
            continue;
        int32_t status = ir_spill_read(s->in->rows, first * all->stride, buffer,
                                       (end - first) * all->stride, error);
        if (status)
            return status;
        for (; at < wanted; at++)
            memcpy(s->rows.base + at * all->stride, buffer + (s->members[at] - first) * all->stride,
                   all->stride);
    }
    return IMGRET_OK;
}

static int32_t load_shard(sharder *s, imgret_error *error)
{
    const ir_graph_rows *all = s->in->spec->rows;
    s->member_count = 0;
    for (uint32_t slot = 0; slot < all->count; slot++)
        s->member_count += is_member(s, slot);
    s->rows = (ir_graph_rows){
        .stride = all->stride, .count = s->member_count, .dimension = all->dimension};
    s->rows.base = ir_malloc_array(s->member_count, all->stride);
    s->members = ir_malloc_array(s->member_count, sizeof s->members[0]);
    uint8_t *buffer = ir_malloc(READ_BYTES + all->stride);
    int32_t status = IMGRET_OK;
    if (s->rows.base && s->members && buffer) {
        uint32_t at = 0;
        for (uint32_t slot = 0; slot < all->count; slot++)
            if (is_member(s, slot))
                s->members[at++] = slot;
        status = load_rows(s, buffer, error);
    } else {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a part of a graph");
    }
    ir_free(buffer);
    return status;
}

static bool holds(const uint32_t *row, uint32_t count, uint32_t slot)
{
    for (uint32_t i = 0; i < count; i++)
        if (row[i] == slot)
            return true;
    return false;
}

/* Takes turns between a row's edges so far and those from the shard: both begin with the best. */
static void merge_row(const sharder *s, uint32_t slot, const uint32_t *from_shard)
{
    uint32_t degree = s->in->spec->degree, count = 0;
    uint32_t *row = s->edges + (size_t)slot * degree, old[128];
    memcpy(old, row, degree * sizeof old[0]);
    for (uint32_t e = 0; e < degree && count < degree; e++) {
        uint32_t next = s->members[from_shard[e]];
        if (old[e] != slot && !holds(row, count, old[e]))
            row[count++] = old[e];
        if (count < degree && next != slot && !holds(row, count, next))
            row[count++] = next;
    }
    while (count < degree)
        row[count++] = slot;
}

static bool shard_stop(void *context, double done)
{
    const sharder *s = context;
    const ir_graph_spec *spec = s->in->spec;
    return spec->stop && spec->stop(spec->context, (s->shard + done) / s->shard_count);
}

static int32_t link_shard(sharder *s, imgret_error *error)
{
    ir_graph_spec spec = *s->in->spec;
    ir_graph graph = {0};
    spec.rows = &s->rows;
    spec.group_of = NULL;
    spec.group_count = 1;
    spec.stop = shard_stop;
    spec.context = s;
    int32_t status = load_shard(s, error);
    if (!status)
        status = ir_graph_build(&graph, &spec, error);
    for (uint32_t i = 0; !status && i < s->member_count; i++)
        merge_row(s, s->members[i], graph.edges + (size_t)i * spec.degree);
    ir_graph_free(&graph);
    ir_free(s->rows.base);
    ir_free(s->members);
    s->rows.base = NULL;
    s->members = NULL;
    return status;
}

/* The first row of each group. */
static int32_t find_entries(const sharder *s, ir_graph *graph, imgret_error *error)
{
    const ir_graph_spec *spec = s->in->spec;
    bool seen[GROUPS_MAX] = {false};
    graph->entries = ir_malloc_array(spec->group_count, sizeof graph->entries[0]);
    if (!graph->entries)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for entry points");
    for (uint32_t slot = 0; slot < graph->count; slot++)
        if (!seen[spec->group_of[slot]]) {
            seen[spec->group_of[slot]] = true;
            graph->entries[graph->entry_count++] = slot;
        }
    return IMGRET_OK;
}

int32_t ir_graph_build_shards(ir_graph *out, const ir_graph_shards *shards, imgret_error *error)
{
    const ir_graph_spec *spec = shards->spec;
    uint32_t count = spec->rows->count;
    sharder s = {.in = shards};
    *out = (ir_graph){.count = count, .degree = spec->degree};
    int32_t status = plan_shards(&s, error);
    if (status)
        return status;
    out->edges = s.edges = ir_malloc_array((size_t)count * spec->degree, sizeof s.edges[0]);
    if (!s.edges)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a graph of %u nodes", count);
    for (uint32_t slot = 0; slot < count; slot++)
        for (uint32_t e = 0; e < spec->degree; e++)
            s.edges[(size_t)slot * spec->degree + e] = slot;
    for (; !status && s.shard < s.shard_count; s.shard++)
        status = link_shard(&s, error);
    if (!status)
        status = find_entries(&s, out, error);
    if (!status)
        status = ir_graph_connect(out, error);
    if (status)
        ir_graph_free(out);
    return status;
}
