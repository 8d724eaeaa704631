/* duplicates_hash.c: perceptual hashes within a few bits of another, without comparing all pairs.
 *
 * Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012: of four
 * chunks of 16 bits, hashes within 8 bits of each other differ in at most one bit of some chunk, or in
 * exactly two of every one. So one bit is tried in the chunks 1 to 3, and two in chunk 0. Equal hashes are
 * one entry: a thousand copies of a picture cost as much as one.
 */
#include "engine/duplicates_hash.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 4, VALUES = 1 << 16 };

struct ir_dup_hashes {
    uint64_t *values;          /* the different hashes, ascending */
    uint32_t *starts;          /* of each, in ranks; count + 1 */
    uint32_t *ranks;           /* of all images with a hash, by hash, then rank */
    uint32_t count;            /* of different hashes */
    uint32_t *members[CHUNKS]; /* places in `values`, by their chunk */
    uint32_t *buckets[CHUNKS]; /* where in `members` each chunk begins; VALUES + 1 */
};

typedef struct entry {
    uint64_t hash;
    uint32_t rank;
} entry;

static int compare_entries(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

static uint32_t chunk_of(uint64_t hash, int chunk)
{
    return (uint32_t)(hash >> (16 * chunk)) & (VALUES - 1);
}

/* A counting sort of the hashes by one chunk. */
static bool fill_chunk(ir_dup_hashes *hashes, int chunk)
{
    uint32_t *buckets = ir_calloc(VALUES + 1, sizeof *buckets);
    uint32_t *members = ir_malloc_array(hashes->count, sizeof *members);
    hashes->buckets[chunk] = buckets;
    hashes->members[chunk] = members;
    if (!buckets || !members)
        return false;
    for (uint32_t i = 0; i < hashes->count; i++)
        buckets[chunk_of(hashes->values[i], chunk) + 1]++;
    for (uint32_t value = 0; value < VALUES; value++)
        buckets[value + 1] += buckets[value];
    for (uint32_t i = hashes->count; i-- > 0;) /* from the back: the ends become the starts */
        members[--buckets[chunk_of(hashes->values[i], chunk) + 1]] = i;
    memmove(buckets, buckets + 1, VALUES * sizeof *buckets);
    buckets[VALUES] = hashes->count;
    return true;
}

/* The different hashes and who has them, from sorted entries. */
static void fill_values(ir_dup_hashes *hashes, const entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || entries[i].hash != entries[i - 1].hash) {
            hashes->values[hashes->count] = entries[i].hash;
            hashes->starts[hashes->count++] = i;
        }
        hashes->ranks[i] = entries[i].rank;
    }
    hashes->starts[hashes->count] = count;
}

ir_dup_hashes *ir_dup_hashes_create(const ir_dup_images *images)
{
    size_t most = images->count;
    ir_dup_hashes *hashes = ir_calloc(1, sizeof *hashes);
    entry *entries = ir_malloc_array(most, sizeof *entries);
    if (hashes) {
        hashes->values = ir_malloc_array(most, sizeof *hashes->values);
        hashes->starts = ir_malloc_array(most + 1, sizeof *hashes->starts);
        hashes->ranks = ir_malloc_array(most, sizeof *hashes->ranks);
    }
    bool good = entries && hashes && hashes->values && hashes->starts && hashes->ranks;
    uint32_t count = 0;
    for (uint32_t rank = 0; good && rank < images->count; rank++)
        if (images->rows[rank].has_hash)
            entries[count++] = (entry){images->rows[rank].hash, rank};
    if (good && count > 1)
        qsort(entries, count, sizeof *entries, compare_entries);
    if (good)
        fill_values(hashes, entries, count);
    for (int chunk = 0; chunk < CHUNKS && good; chunk++)
        good = fill_chunk(hashes, chunk);
    ir_free(entries);
    if (good)
        return hashes;
    ir_dup_hashes_free(hashes);
    return NULL;
}

void ir_dup_hashes_free(ir_dup_hashes *hashes)
{
    if (!hashes)
        return;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        ir_free(hashes->members[chunk]);
        ir_free(hashes->buckets[chunk]);
    }
    ir_free(hashes->values);
    ir_free(hashes->starts);
    ir_free(hashes->ranks);
    ir_free(hashes);
}

/* Whether this chunk is the first by which the pair is met: so that it is told once. */
static bool is_first_meeting(uint64_t difference, int chunk)
{
    for (int earlier = 0; earlier < chunk; earlier++)
        if (__builtin_popcount(chunk_of(difference, earlier)) <= (earlier == 0 ? 2 : 1))
            return false;
    return true;
}

typedef struct probe {
    const ir_dup_hashes *hashes;
    uint64_t hash;
    int chunk;
    ir_dup_hash_fn on_hash;
    void *context;
    imgret_error *error;
} probe;

static int32_t look_in(const probe *p, uint32_t value)
{
    const ir_dup_hashes *hashes = p->hashes;
    const uint32_t *buckets = hashes->buckets[p->chunk];
    for (uint32_t at = buckets[value]; at < buckets[value + 1]; at++) {
        uint32_t place = hashes->members[p->chunk][at];
        uint64_t difference = hashes->values[place] ^ p->hash;
        if (__builtin_popcountll(difference) > IR_DUP_HASH_BITS ||
            !is_first_meeting(difference, p->chunk))
            continue;
        uint32_t start = hashes->starts[place];
        int32_t status = p->on_hash(p->context, hashes->values[place], hashes->ranks + start,
                                    hashes->starts[place + 1] - start, p->error);
        if (status)
            return status;
    }
    return IMGRET_OK;
}

int32_t ir_dup_hashes_near(const ir_dup_hashes *hashes, uint64_t hash, ir_dup_hash_fn on_hash,
                           void *context, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (int chunk = 0; chunk < CHUNKS && !status; chunk++) {
        probe p = {hashes, hash, chunk, on_hash, context, error};
        uint32_t value = chunk_of(hash, chunk);
        status = look_in(&p, value);
        for (int one = 0; one < 16 && !status; one++) {
            status = look_in(&p, value ^ 1u << one);
            for (int two = one + 1; two < 16 && chunk == 0 && !status; two++)
                status = look_in(&p, value ^ 1u << one ^ 1u << two);
        }
    }
    return status;
}

/* Bit 8 (v - 1) + u - 1 is the sign of frequency (u, v), u and v from 1 to 8, against a median near 0.
 * Mirroring from left to right changes the sign of every odd u, and turning by a quarter exchanges u
 * and v and then does the same. */
uint64_t ir_dup_hash_turned(uint64_t hash, uint32_t turn)
{
    const uint64_t odd_u = 0x5555555555555555u;
    for (uint32_t quarter = 0; quarter < (turn & 3); quarter++) {
        uint64_t exchanged = 0;
        for (int bit = 0; bit < 64; bit++)
            exchanged |= (hash >> bit & 1) << (bit % 8 * 8 + bit / 8);
        hash = exchanged ^ odd_u;
    }
    return turn & IMGRET_TURN_MIRRORED ? hash ^ odd_u : hash;
}
