/* reembed_store.c: new vectors gathered beside a database until it moves to another model.
 *
 *   head (64 bytes: magic, record length, hash of the purpose, check) | record | record | ...
 *   record: region (8 bytes) | check of region and vector (8 bytes) | vector
 *
 * Records are only appended. Each has its check, so that whatever a kill or a power cut left is told
 * from what is whole; a lost record costs one picture's extraction and nothing else.
 */
#include "engine/reembed_store.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct store_head {
    char magic[8];
    uint64_t record_bytes;
    uint8_t purpose[16];
    uint64_t check;
    uint8_t zeros[24];
} store_head;

_Static_assert(sizeof(store_head) == 64, "as described above");

enum { RECORD_HEAD_BYTES = 16 };

typedef struct place {
    int64_t region;
    uint64_t record;
} place;

struct ir_reembed_store {
    char *path;
    int fd;
    size_t record_bytes;
    uint8_t *record;
    place *places; /* by ascending regions */
    uint64_t count, capacity;
    uint64_t record_count; /* in the file */
};

/* The index of the first region that is not below. */
static uint64_t lower_bound(const ir_reembed_store *store, int64_t region)
{
    uint64_t low = 0, high = store->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (store->places[middle].region < region)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ir_reembed_store_has(const ir_reembed_store *store, int64_t region)
{
    uint64_t at = lower_bound(store, region);
    return at < store->count && store->places[at].region == region;
}

uint64_t ir_reembed_store_count(const ir_reembed_store *store)
{
    return store->count;
}

/* Regions come in ascending order but for pictures that were missing once, so this rarely moves. */
static int32_t note_place(ir_reembed_store *store, int64_t region, uint64_t record,
                          imgret_error *error)
{
    if (store->count == store->capacity) {
        uint64_t capacity = store->capacity ? store->capacity * 2 : 1024;
        size_t bytes;
        place *places = ir_mul_size((size_t)capacity, sizeof *places, &bytes)
                            ? ir_realloc(store->places, bytes)
                            : NULL;
        if (!places)
            return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory", store->path);
        store->places = places;
        store->capacity = capacity;
    }
    uint64_t at = lower_bound(store, region);
    if (at < store->count && store->places[at].region == region) {
        store->places[at].record = record;
        return IMGRET_OK;
    }
    memmove(store->places + at + 1, store->places + at,
            (size_t)(store->count - at) * sizeof *store->places);
    store->places[at] = (place){region, record};
    store->count++;
    return IMGRET_OK;
}

static uint64_t check_of(const ir_reembed_store *store, int64_t region)
{
    return ir_hash64(store->record + RECORD_HEAD_BYTES, store->record_bytes - RECORD_HEAD_BYTES,
                     (uint64_t)region);
}

static off_t offset_of(const ir_reembed_store *store, uint64_t record)
{
    return (off_t)(sizeof(store_head) + record * store->record_bytes);
}

/* Reads record `number` into `record`; false when it is not whole. */
static bool read_record(ir_reembed_store *store, uint64_t number, int64_t *region)
{
    uint64_t check;
    if (pread(store->fd, store->record, store->record_bytes, offset_of(store, number)) !=
        (ssize_t)store->record_bytes)
        return false;
    memcpy(region, store->record, sizeof *region);
    memcpy(&check, store->record + sizeof *region, sizeof check);
    return *region > 0 && check == check_of(store, *region);
}

static int32_t load(ir_reembed_store *store, const store_head *wanted, imgret_error *error)
{
    store_head found;
    int32_t status = IMGRET_OK;
    bool ours = pread(store->fd, &found, sizeof found, 0) == (ssize_t)sizeof found &&
                memcmp(&found, wanted, sizeof found) == 0;
    if (!ours && (ftruncate(store->fd, 0) != 0 ||
                  pwrite(store->fd, wanted, sizeof *wanted, 0) != (ssize_t)sizeof *wanted))
        return ir_fail_errno(error, errno, "begin", store->path);
    int64_t region;
    while (!status && read_record(store, store->record_count, &region))
        status = note_place(store, region, store->record_count++, error);
    if (!status && ftruncate(store->fd, offset_of(store, store->record_count)) != 0)
        status = ir_fail_errno(error, errno, "cut", store->path);
    return status;
}

int32_t ir_reembed_store_open(ir_reembed_store **out, const char *path, const char *purpose,
                              size_t vector_bytes, imgret_error *error)
{
    *out = NULL;
    ir_reembed_store *store = ir_calloc(1, sizeof *store);
    if (!store)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory", path);
    store_head head = {.magic = "IMGRREE", .record_bytes = RECORD_HEAD_BYTES + vector_bytes};
    ir_content_hash(purpose, strlen(purpose), head.purpose);
    head.check = ir_hash64(&head, offsetof(store_head, check), 0);
    store->record_bytes = head.record_bytes;
    store->path = ir_strdup(path);
    store->record = ir_malloc(store->record_bytes);
    store->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    int32_t status = IMGRET_OK;
    if (!store->path || !store->record)
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory", path);
    else if (store->fd < 0)
        status = ir_fail_errno(error, errno, "open", path);
    else if (flock(store->fd, LOCK_EX | LOCK_NB) != 0)
        status = ir_fail(error, IMGRET_BUSY,
                         "%s: another call moves this database to another model", path);
    if (!status)
        status = load(store, &head, error);
    if (status) {
        ir_reembed_store_close(store);
        return status;
    }
    *out = store;
    return IMGRET_OK;
}

void ir_reembed_store_close(ir_reembed_store *store)
{
    if (!store)
        return;
    if (store->fd >= 0)
        close(store->fd);
    ir_free(store->places);
    ir_free(store->record);
    ir_free(store->path);
    ir_free(store);
}

int32_t ir_reembed_store_add(ir_reembed_store *store, int64_t region, const void *vector,
                             imgret_error *error)
{
    memcpy(store->record + RECORD_HEAD_BYTES, vector, store->record_bytes - RECORD_HEAD_BYTES);
    uint64_t check = check_of(store, region);
    memcpy(store->record, &region, sizeof region);
    memcpy(store->record + sizeof region, &check, sizeof check);
    errno = 0;
    if (pwrite(store->fd, store->record, store->record_bytes,
               offset_of(store, store->record_count)) != (ssize_t)store->record_bytes)
        return ir_fail_errno(error, errno ? errno : ENOSPC, "write", store->path);
    return note_place(store, region, store->record_count++, error);
}

int32_t ir_reembed_store_get(ir_reembed_store *store, int64_t region, void *vector,
                             imgret_error *error)
{
    uint64_t at = lower_bound(store, region);
    int64_t found = 0;
    if (at == store->count || store->places[at].region != region)
        return ir_fail(error, IMGRET_NOT_FOUND, "%s: region %lld is not there", store->path,
                       (long long)region);
    if (!read_record(store, store->places[at].record, &found) || found != region)
        return ir_fail(error, IMGRET_CORRUPT, "%s: the vector of region %lld is damaged",
                       store->path, (long long)region);
    memcpy(vector, store->record + RECORD_HEAD_BYTES, store->record_bytes - RECORD_HEAD_BYTES);
    return IMGRET_OK;
}
