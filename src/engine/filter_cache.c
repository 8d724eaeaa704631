/* filter_cache.c: what filters let through, remembered until something is committed.
 *
 * Hosts ask the same filter again and again, with every query of a user's session, and listing half
 * of a million ids takes SQLite longer than the search itself. An entry holds as long as SQLite's data
 * version is the one that was read before the filter was evaluated. Where the ids lie in a segment is
 * found at the first search of that segment, and kept with them.
 */
#include "engine/filter_cache.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/regions_query.h"

#include <pthread.h>
#include <string.h>

enum { ENTRIES_MAX = 32 };

#define BYTES_MAX ((uint64_t)64 << 20) /* of ids and rows, in all entries */

/* The rows of one segment. */
typedef struct part {
    struct part *next;
    int64_t id; /* of the segment */
    uint64_t identity;
    ir_segment_rows *rows;
} part;

/* Freed with the last of those that use it and the cache itself. */
typedef struct entry {
    ir_filter_regions regions; /* first: it is what users hold */
    part *parts;
    uint64_t bytes; /* of ids and rows */
    uint32_t users;
    char *key; /* the expression and its parameters */
    size_t key_bytes;
    int64_t version;
    uint64_t used; /* greater is later */
} entry;

struct ir_filter_cache {
    pthread_mutex_t lock;
    entry *entries[ENTRIES_MAX]; /* NULL: none */
    uint64_t clock;
};

int32_t ir_filter_cache_create(ir_filter_cache **out, imgret_error *error)
{
    *out = ir_calloc(1, sizeof **out);
    if (!*out)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to remember filters");
    pthread_mutex_init(&(*out)->lock, NULL);
    return IMGRET_OK;
}

static void let_go(entry *one)
{
    if (!one || --one->users > 0)
        return;
    while (one->parts) {
        part *next = one->parts->next;
        ir_segment_rows_free(one->parts->rows);
        ir_free(one->parts);
        one->parts = next;
    }
    ir_free(one->regions.ids);
    ir_free(one->key);
    ir_free(one);
}

void ir_filter_cache_free(ir_filter_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < ENTRIES_MAX; i++)
        let_go(cache->entries[i]);
    pthread_mutex_destroy(&cache->lock);
    ir_free(cache);
}

void ir_filter_cache_release(ir_filter_cache *cache, const ir_filter_regions *regions)
{
    if (!regions)
        return;
    pthread_mutex_lock(&cache->lock);
    let_go((entry *)(void *)regions);
    pthread_mutex_unlock(&cache->lock);
}

/* Whether a filter gives the same as long as the database does. */
static bool is_lasting(const ir_catalog_filter *filter)
{
    if (filter->excluded_count > 0)
        return false;
    for (const char *at = filter->where; *at; at++)
        if ((at[0] | 0x20) == 'n' && (at[1] | 0x20) == 'o' && (at[2] | 0x20) == 'w')
            return false;
    for (uint32_t i = 0; i < filter->param_count; i++)
        if (filter->params[i].kind == IMGRET_PARAM_TEXT &&
            strcasestr(filter->params[i].text, "now"))
            return false;
    return true;
}

static size_t put(char *to, size_t at, const void *data, size_t bytes)
{
    if (to)
        memcpy(to + at, data, bytes);
    return at + bytes;
}

/* Writes the key, or, with `to` NULL, tells how long it is. Texts keep their NUL: no two filters have
 * the same. */
static size_t write_key(char *to, const ir_catalog_filter *filter, uint32_t kinds)
{
    size_t at = put(to, 0, &kinds, sizeof kinds);
    at = put(to, at, filter->where, strlen(filter->where) + 1);
    for (uint32_t i = 0; i < filter->param_count; i++) {
        const imgret_param *param = &filter->params[i];
        at = put(to, at, param->name, strlen(param->name) + 1);
        at = put(to, at, &param->kind, sizeof param->kind);
        if (param->kind == IMGRET_PARAM_INTEGER)
            at = put(to, at, &param->integer, sizeof param->integer);
        if (param->kind == IMGRET_PARAM_REAL)
            at = put(to, at, &param->real, sizeof param->real);
        if (param->kind == IMGRET_PARAM_TEXT)
            at = put(to, at, param->text, strlen(param->text) + 1);
    }
    return at;
}

/* Under the lock. */
static entry *find(ir_filter_cache *cache, const entry *like)
{
    for (int i = 0; i < ENTRIES_MAX; i++) {
        entry *one = cache->entries[i];
        if (!one || one->version != like->version || one->key_bytes != like->key_bytes ||
            memcmp(one->key, like->key, one->key_bytes) != 0)
            continue;
        one->users++;
        one->used = ++cache->clock;
        return one;
    }
    return NULL;
}

/* Under the lock: entries of the past go, and of others than `fresh` the one longest unused, until
 * `fresh` has its place in the cache; where it is alone and too large, it goes as well. */
static void make_room(ir_filter_cache *cache, entry *fresh)
{
    for (;;) {
        int oldest = -1, empty = -1, own = -1;
        uint64_t total = fresh->bytes;
        for (int i = 0; i < ENTRIES_MAX; i++) {
            entry *one = cache->entries[i];
            if (one && one != fresh && one->version != fresh->version) {
                let_go(one);
                cache->entries[i] = one = NULL;
            }
            if (one == fresh)
                own = i;
            else if (!one)
                empty = i;
            else {
                total += one->bytes;
                if (oldest < 0 || one->used < cache->entries[oldest]->used)
                    oldest = i;
            }
        }
        int place = own >= 0 ? own : empty;
        if (place >= 0 && total <= BYTES_MAX) {
            fresh->users += own < 0;
            fresh->used = ++cache->clock;
            cache->entries[place] = fresh;
            return;
        }
        if (oldest < 0) {
            if (own >= 0)
                cache->entries[own] = NULL;
            fresh->users -= own >= 0;
            return;
        }
        let_go(cache->entries[oldest]);
        cache->entries[oldest] = NULL;
    }
}

static int32_t evaluate(entry *fresh, ir_catalog *catalog, const ir_catalog_filter *filter,
                        uint32_t kinds, imgret_error *error)
{
    ir_filter_regions *regions = &fresh->regions;
    int32_t status = ir_catalog_filter_regions(catalog, filter, &regions->ids, &regions->count,
                                               error);
    if (!status)
        regions->count = ir_regions_keep_kinds(regions->ids, regions->count, kinds);
    fresh->bytes = regions->count * sizeof(int64_t);
    if (!status && !regions->ids) { /* no match is not no filter */
        regions->ids = ir_calloc(1, sizeof *regions->ids);
        if (!regions->ids)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    }
    return status;
}

int32_t ir_filter_cache_regions(ir_filter_cache *cache, ir_catalog *catalog,
                                const ir_catalog_filter *filter, uint32_t kinds,
                                const ir_filter_regions **out, imgret_error *error)
{
    bool lasting = is_lasting(filter);
    entry *fresh = ir_calloc(1, sizeof *fresh);
    *out = NULL;
    if (!fresh)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    fresh->users = 1;
    fresh->key_bytes = lasting ? write_key(NULL, filter, kinds) : 0;
    fresh->key = ir_malloc(fresh->key_bytes + 1);
    int32_t status = fresh->key ? IMGRET_OK
                                : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    if (!status && lasting) {
        write_key(fresh->key, filter, kinds);
        status = ir_catalog_data_version(catalog, &fresh->version, error);
    }
    entry *known = NULL;
    if (!status && lasting) {
        pthread_mutex_lock(&cache->lock);
        known = find(cache, fresh);
        pthread_mutex_unlock(&cache->lock);
    }
    if (!status && !known)
        status = evaluate(fresh, catalog, filter, kinds, error);
    pthread_mutex_lock(&cache->lock);
    if (!status && !known && lasting)
        make_room(cache, fresh);
    if (status || known)
        let_go(fresh);
    pthread_mutex_unlock(&cache->lock);
    if (!status)
        *out = known ? &known->regions : &fresh->regions;
    return status;
}

/* Under the lock. */
static const ir_segment_rows *find_part(const entry *one, const ir_catalog_segment *listed)
{
    for (const part *at = one->parts; at; at = at->next)
        if (at->id == listed->id && at->identity == listed->identity)
            return at->rows;
    return NULL;
}

/* Under the lock: of an entry that is remembered what it takes counts. */
static void add_part(ir_filter_cache *cache, entry *one, part *fresh)
{
    fresh->next = one->parts;
    one->parts = fresh;
    one->bytes += ir_segment_rows_bytes(fresh->rows);
    for (int i = 0; i < ENTRIES_MAX; i++)
        if (cache->entries[i] == one) {
            make_room(cache, one);
            return;
        }
}

int32_t ir_filter_cache_rows(ir_filter_cache *cache, const ir_filter_regions *regions,
                             const ir_segment *segment, const ir_catalog_segment *listed,
                             const ir_segment_rows **out, imgret_error *error)
{
    entry *one = (entry *)(void *)regions;
    pthread_mutex_lock(&cache->lock);
    *out = find_part(one, listed);
    pthread_mutex_unlock(&cache->lock);
    if (*out)
        return IMGRET_OK;
    part *fresh = ir_calloc(1, sizeof *fresh);
    if (!fresh)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    fresh->id = listed->id;
    fresh->identity = listed->identity;
    int32_t status = ir_segment_rows_create(&fresh->rows, segment, regions->ids, regions->count,
                                            error);
    pthread_mutex_lock(&cache->lock);
    *out = status ? NULL : find_part(one, listed); /* another thread may have been quicker */
    if (!status && !*out) {
        *out = fresh->rows;
        add_part(cache, one, fresh);
        fresh = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
    if (fresh)
        ir_segment_rows_free(fresh->rows);
    ir_free(fresh);
    return status;
}
