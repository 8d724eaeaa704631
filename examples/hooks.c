/* hooks.c: a host that gives the library its memory, hears its log, and shows and stops its work.
 *
 *   hooks DATABASE FOLDER [STOP_AFTER]
 *
 * Takes in a folder; after STOP_AFTER pictures it stops, as a user's "cancel" would. What was
 * done by then is kept. At the end it tells how much memory the library held at most.
 */
#include <imgret/imgret.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* In front of each block, its length; as large as malloc aligns, so that blocks stay aligned. */
typedef union header {
    uint64_t bytes;
    max_align_t align;
} header;

typedef struct memory_meter {
    atomic_uint_fast64_t used_bytes; /* many threads allocate at once */
    atomic_uint_fast64_t peak_bytes;
} memory_meter;

static void count(memory_meter *meter, uint64_t more_bytes, uint64_t fewer_bytes)
{
    uint64_t used = atomic_fetch_add(&meter->used_bytes, more_bytes) + more_bytes;
    uint64_t peak = atomic_load(&meter->peak_bytes);
    while (used > peak && !atomic_compare_exchange_weak(&meter->peak_bytes, &peak, used))
        ;
    atomic_fetch_sub(&meter->used_bytes, fewer_bytes);
}

static void *reallocate(void *user, void *pointer, uint64_t bytes)
{
    header *old = pointer ? (header *)pointer - 1 : NULL;
    uint64_t old_bytes = old ? old->bytes : 0;
    if (bytes > SIZE_MAX - sizeof(header))
        return NULL;
    header *block = realloc(old, sizeof(header) + (size_t)bytes);
    if (!block)
        return NULL;
    block->bytes = bytes;
    count(user, bytes, old_bytes);
    return block + 1;
}

static void *allocate(void *user, uint64_t bytes)
{
    return reallocate(user, NULL, bytes);
}

static void release(void *user, void *pointer)
{
    if (!pointer)
        return;
    header *block = (header *)pointer - 1;
    count(user, 0, block->bytes);
    free(block);
}

/* May run on any thread, and must not call the library. */
static void on_log(void *user, int32_t level, const char *message)
{
    static const char *const names[] = {"", "error", "warning", "info", "debug"};
    fprintf(user, "log %s: %s\n", names[level], message);
}

static int32_t on_progress(void *user, const imgret_ingest_progress *progress)
{
    (void)user;
    fprintf(stderr, "%llu of %s%llu\n", (unsigned long long)progress->done_count,
            progress->listing_done ? "" : "at least ", (unsigned long long)progress->file_count);
    return 0;
}

/* Anything but 0 stops the run. */
static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    (void)item;
    uint64_t *left = user;
    return *left > 0 && --*left == 0;
}

static int32_t take_in(const char *database, const char *folder, uint64_t stop_after,
                       imgret_error *error)
{
    imgret *db;
    imgret_ingest_progress report = {.size = sizeof report};
    const imgret_ingest_options options = {.size = sizeof options,
                                           .paths = &folder,
                                           .path_count = 1,
                                           .on_item = on_item,
                                           .on_progress = on_progress,
                                           .user = &stop_after,
                                           .commit_count = 4};
    int32_t status = imgret_open(&db, database, NULL, error);
    if (!status)
        status = imgret_ingest(db, &options, &report, error);
    if (status == IMGRET_INTERRUPTED)
        printf("stopped\n");
    printf("stored %llu\n", (unsigned long long)report.stored_count);
    imgret_close(db);
    return status == IMGRET_INTERRUPTED ? IMGRET_OK : status;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        return fprintf(stderr, "usage: hooks DATABASE FOLDER [STOP_AFTER]\n"), 2;
    static memory_meter memory;
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_allocator allocator = {.size = sizeof allocator,
                                        .user = &memory,
                                        .alloc = allocate,
                                        .realloc = reallocate,
                                        .free = release};
    imgret_set_log(on_log, stderr, IMGRET_LOG_INFO);
    int32_t status = imgret_set_allocator(&allocator, &error);
    if (!status)
        status = take_in(argv[1], argv[2], argc == 4 ? strtoull(argv[3], NULL, 10) : 0, &error);
    if (status)
        fprintf(stderr, "hooks: %s: %s\n", imgret_status_name(status), error.message);
    printf("peak %llu bytes\nleft %llu bytes\n", (unsigned long long)memory.peak_bytes,
           (unsigned long long)memory.used_bytes);
    return status ? 1 : 0;
}
