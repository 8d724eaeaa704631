/* feature_cache.c: a hash table of vectors, chained, with a list from the latest used to the oldest.
 *
 * Invariants, under `lock`: every entry is in one chain and in the list; `bytes` is the sum of
 * their sizes, with the table's own, and at most `bytes_max`.
 */
#include "engine/feature_cache.h"

#include "base/alloc.h"
#include "base/error.h"

#include <pthread.h>
#include <string.h>

#define BYTES_DEFAULT ((uint64_t)8 << 20)
#define BUCKETS_MIN 64u
#define BUCKETS_MAX 65536u
#define BYTES_A_BUCKET 4096u /* about one vector a bucket */

typedef struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    ir_feature_key key;
    ir_feature_picture picture;
    uint32_t dimension;
    float vector[];
} entry;

struct ir_feature_cache {
    pthread_mutex_t lock;
    entry *newest, *oldest;
    uint64_t bytes_max;
    ir_feature_counts counts;
    uint32_t bucket_count; /* a power of two */
    entry *buckets[];
};

static size_t entry_bytes(uint32_t dimension)
{
    return sizeof(entry) + dimension * sizeof(float);
}

/* The key is a hash already. */
static entry **bucket_of(ir_feature_cache *cache, const ir_feature_key *key)
{
    uint32_t place;
    memcpy(&place, key->bytes, sizeof place);
    return &cache->buckets[place & (cache->bucket_count - 1)];
}

static void unlist(ir_feature_cache *cache, entry *leaving)
{
    *(leaving->newer ? &leaving->newer->older : &cache->newest) = leaving->older;
    *(leaving->older ? &leaving->older->newer : &cache->oldest) = leaving->newer;
}

static void list_as_newest(ir_feature_cache *cache, entry *used)
{
    used->newer = NULL;
    used->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = used;
    cache->newest = used;
}

static entry *find(ir_feature_cache *cache, const ir_feature_key *key)
{
    entry *at = *bucket_of(cache, key);
    while (at && memcmp(at->key.bytes, key->bytes, sizeof key->bytes) != 0)
        at = at->chain;
    return at;
}

static void drop(ir_feature_cache *cache, entry *leaving)
{
    entry **link = bucket_of(cache, &leaving->key);
    while (*link != leaving)
        link = &(*link)->chain;
    *link = leaving->chain;
    unlist(cache, leaving);
    cache->counts.bytes -= entry_bytes(leaving->dimension);
    ir_free(leaving);
}

int32_t ir_feature_cache_create(ir_feature_cache **out, uint64_t bytes_max, imgret_error *error)
{
    *out = NULL;
    bytes_max = bytes_max ? bytes_max : BYTES_DEFAULT;
    uint32_t buckets = BUCKETS_MIN;
    while (buckets < BUCKETS_MAX && buckets < bytes_max / BYTES_A_BUCKET)
        buckets *= 2;
    ir_feature_cache *cache = ir_calloc(1, sizeof *cache + buckets * sizeof cache->buckets[0]);
    if (!cache)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a cache of vectors");
    pthread_mutex_init(&cache->lock, NULL);
    cache->bucket_count = buckets;
    cache->bytes_max = bytes_max;
    cache->counts.bytes = sizeof *cache + buckets * sizeof cache->buckets[0];
    *out = cache;
    return IMGRET_OK;
}

void ir_feature_cache_free(ir_feature_cache *cache)
{
    if (!cache)
        return;
    while (cache->newest)
        drop(cache, cache->newest);
    pthread_mutex_destroy(&cache->lock);
    ir_free(cache);
}

bool ir_feature_cache_find(ir_feature_cache *cache, const ir_feature_key *key, float *vector,
                           uint32_t dimension, ir_feature_picture *picture)
{
    if (!cache)
        return false;
    pthread_mutex_lock(&cache->lock);
    entry *found = find(cache, key);
    if (found && found->dimension == dimension) {
        memcpy(vector, found->vector, dimension * sizeof *vector);
        *picture = found->picture;
        unlist(cache, found);
        list_as_newest(cache, found);
        cache->counts.hit_count++;
    } else {
        found = NULL;
        cache->counts.miss_count++;
    }
    pthread_mutex_unlock(&cache->lock);
    return found != NULL;
}

void ir_feature_cache_keep(ir_feature_cache *cache, const ir_feature_key *key, const float *vector,
                           uint32_t dimension, const ir_feature_picture *picture)
{
    if (!cache)
        return;
    size_t bytes = entry_bytes(dimension);
    entry *kept = ir_malloc(bytes);
    if (!kept)
        return;
    kept->key = *key;
    kept->picture = *picture;
    kept->dimension = dimension;
    memcpy(kept->vector, vector, dimension * sizeof *vector);
    pthread_mutex_lock(&cache->lock);
    entry *known = find(cache, key); /* another thread may have been quicker */
    if (known)
        drop(cache, known);
    while (cache->oldest && cache->counts.bytes + bytes > cache->bytes_max)
        drop(cache, cache->oldest);
    if (cache->counts.bytes + bytes <= cache->bytes_max) {
        entry **bucket = bucket_of(cache, key);
        kept->chain = *bucket;
        *bucket = kept;
        list_as_newest(cache, kept);
        cache->counts.bytes += bytes;
        kept = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
    ir_free(kept);
}

void ir_feature_cache_get_counts(ir_feature_cache *cache, ir_feature_counts *out)
{
    *out = (ir_feature_counts){0};
    if (!cache)
        return;
    pthread_mutex_lock(&cache->lock);
    *out = cache->counts;
    pthread_mutex_unlock(&cache->lock);
}
