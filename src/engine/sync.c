/* sync.c: brings a database in line with folders: what moved, what is new or changed, what is gone.
 *
 *   check the roots -> list what is gone -> find where it went (moves) -> ingest -> remove the rest
 *
 * Invariants:
 *  1. Nothing is changed before every root has been seen: one that is missing, or empty while the
 *     database has pictures below it (a disk that is not mounted), ends the call, unless it is forced.
 *  2. Gone is only what the system says does not exist: an entry that cannot be looked at stays.
 *  3. Removing comes last, and looks once more: a call that was stopped has removed nothing that is there.
 */
#include "engine/sync.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/add.h"
#include "engine/ingest.h"
#include "engine/walker.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE = 1000, GROUP = 256 };

typedef struct gone {
    int64_t id;
    char *uri;
    uint8_t content_hash[16];
    uint64_t file_bytes;
    bool moved;
} gone;

typedef struct syncer {
    ir_database *database;
    const imgret_ingest_options *options;
    imgret_ingest_progress *report;
    ir_call *call;
    char **roots; /* absolute */
    uint64_t root_count;
    uint64_t *known_counts; /* pictures of the database below each root */
    gone *gone;             /* by size */
    uint64_t gone_count, gone_room;
    int64_t last_id; /* of the listing */
    uint64_t page_count;
} syncer;

static int32_t check_stopped(const syncer *s, imgret_error *error)
{
    if (!ir_call_stopped(s->call))
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the synchronisation was interrupted");
}

static int32_t tell(syncer *s, int32_t outcome, int64_t id, const char *uri, imgret_error *error)
{
    imgret_ingest_item item = {
        .size = sizeof item, .outcome = outcome, .id = id, .uri = uri, .format = "", .message = ""};
    s->report->moved_count += outcome == IMGRET_MOVED;
    s->report->removed_count += outcome == IMGRET_REMOVED;
    if (s->options->on_item && s->options->on_item(s->options->user, &item) != 0)
        return ir_fail(error, IMGRET_INTERRUPTED, "stopped by the host");
    return IMGRET_OK;
}

/* ---- Roots ---- */

/* Whether `uri` is this root or lies below it, directly below when folders are not entered. */
static bool is_below(const syncer *s, const char *root, const char *uri)
{
    size_t bytes = strlen(root);
    if (bytes == 1) /* "/" */
        bytes = 0;
    if (strncmp(uri, root, bytes) != 0)
        return false;
    if (!uri[bytes])
        return true;
    return uri[bytes] == '/' &&
           (!(s->options->flags & IMGRET_INGEST_NO_RECURSION) || !strchr(uri + bytes + 1, '/'));
}

static int32_t read_roots(syncer *s, imgret_error *error)
{
    s->roots = ir_calloc((size_t)s->options->path_count + 1, sizeof *s->roots);
    s->known_counts = ir_calloc((size_t)s->options->path_count + 1, sizeof *s->known_counts);
    if (!s->roots || !s->known_counts)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for paths");
    int32_t status = IMGRET_OK;
    for (uint64_t i = 0; i < s->options->path_count && !status; i++) {
        struct stat info;
        status = ir_path_absolute(s->options->paths[i], &s->roots[i], error);
        if (status)
            break;
        s->root_count++;
        if (stat(s->roots[i], &info) != 0 && !(s->options->flags & IMGRET_INGEST_FORCE))
            return ir_fail_errno(error, errno, "synchronise with", s->roots[i]);
    }
    return status;
}

static bool is_empty_folder(const char *path)
{
    DIR *stream = opendir(path);
    bool empty = stream != NULL;
    for (struct dirent *item; stream && empty && (item = readdir(stream));)
        empty = !strcmp(item->d_name, ".") || !strcmp(item->d_name, "..");
    if (stream)
        closedir(stream);
    return empty;
}

static int32_t check_roots(const syncer *s, imgret_error *error)
{
    if (s->options->flags & IMGRET_INGEST_FORCE)
        return IMGRET_OK;
    for (uint64_t i = 0; i < s->root_count; i++)
        if (s->known_counts[i] > 0 && is_empty_folder(s->roots[i]))
            return ir_fail(error, IMGRET_NOT_FOUND,
                           "%s is empty, and %s has %llu pictures from it: is a disk missing? "
                           "Nothing was changed",
                           s->roots[i], s->database->path, (unsigned long long)s->known_counts[i]);
    return IMGRET_OK;
}

/* ---- What is gone ---- */

static bool does_not_exist(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static int32_t look_at(void *context, uint64_t position, const imgret_record *record,
                       imgret_error *error)
{
    syncer *s = context;
    (void)position;
    s->page_count++;
    s->last_id = record->id;
    bool below = false;
    for (uint64_t i = 0; i < s->root_count && record->uri; i++)
        if (is_below(s, s->roots[i], record->uri)) {
            s->known_counts[i]++;
            below = true;
        }
    if (!below || !does_not_exist(record->uri))
        return IMGRET_OK;
    if (s->gone_count == s->gone_room) {
        uint64_t room = s->gone_room ? 2 * s->gone_room : 64;
        size_t bytes = 0;
        gone *more = NULL;
        if (ir_mul_size((size_t)room, sizeof *more, &bytes))
            more = ir_realloc(s->gone, bytes);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for pictures that are gone");
        s->gone = more;
        s->gone_room = room;
    }
    gone *one = &s->gone[s->gone_count];
    *one = (gone){
        .id = record->id, .uri = ir_strdup(record->uri), .file_bytes = record->file_bytes};
    if (!one->uri)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    memcpy(one->content_hash, record->content_hash, sizeof one->content_hash);
    s->gone_count++;
    return IMGRET_OK;
}

static int compare_sizes(const void *a, const void *b)
{
    const gone *x = a, *y = b;
    if (x->file_bytes != y->file_bytes)
        return x->file_bytes < y->file_bytes ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int32_t list_gone(syncer *s, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    do {
        imgret_list_options page = {.size = sizeof page, .after_id = s->last_id, .limit = PAGE};
        s->page_count = 0;
        status = check_stopped(s, error);
        if (!status)
            status = ir_catalog_list(s->database->catalog, &page, look_at, s, error);
    } while (!status && s->page_count == PAGE);
    if (s->gone_count > 1)
        qsort(s->gone, s->gone_count, sizeof *s->gone, compare_sizes);
    return status;
}

/* ---- Where it went ---- */

/* The first of this size that is not found yet, or gone_count. */
static uint64_t first_of_size(const syncer *s, uint64_t bytes)
{
    uint64_t low = 0, high = s->gone_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (s->gone[middle].file_bytes < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < s->gone_count && s->gone[low].file_bytes == bytes && s->gone[low].moved)
        low++;
    return low < s->gone_count && s->gone[low].file_bytes == bytes ? low : s->gone_count;
}

static int32_t store_move(syncer *s, const gone *one, const char *path, const ir_file_info *info,
                          bool *done, imgret_error *error)
{
    ir_catalog_known there = {0}, before = {0};
    *done = false;
    int32_t status = ir_database_begin(s->database, error);
    if (status)
        return status;
    status = ir_catalog_find(s->database->catalog, path, true, &there, error);
    if (!status)
        status = ir_catalog_find(s->database->catalog, one->uri, true, &before, error);
    bool as_seen = !status && !there.id && before.id == one->id &&
                   !memcmp(before.content_hash, one->content_hash, sizeof one->content_hash);
    if (as_seen)
        status = ir_catalog_move(s->database->catalog, one->id, path, error);
    if (as_seen && !status)
        status = ir_catalog_touch(s->database->catalog, one->id, info->bytes, info->modified_ns,
                                  error);
    if (status || !as_seen) {
        ir_database_rollback(s->database);
        return status;
    }
    *done = true;
    return ir_database_commit(s->database, NULL, 0, error);
}

/* Whether this file, which the database does not know, is one that is gone under another name. */
static int32_t try_move(syncer *s, const char *path, imgret_error *error)
{
    ir_file_info info;
    ir_catalog_known known = {0};
    uint8_t *data, hash[16];
    size_t bytes;
    if (ir_file_stat(path, &info, NULL) != IMGRET_OK || !info.is_regular)
        return IMGRET_OK;
    uint64_t at = first_of_size(s, info.bytes);
    if (at == s->gone_count)
        return IMGRET_OK;
    int32_t status = ir_catalog_find(s->database->catalog, path, false, &known, error);
    if (status || known.id)
        return status;
    imgret_error reason = IMGRET_ERROR_INIT;
    status = ir_file_read(path, s->database->limits.file_bytes_max, &data, &bytes, &reason);
    if (status == IMGRET_NO_MEMORY) /* the picture would be taken for another, and its id be lost */
        return ir_fail(error, status, "%s", reason.message);
    if (status)
        return IMGRET_OK; /* the ingest will say why */
    ir_content_hash(data, bytes, hash);
    ir_free(data);
    for (; at < s->gone_count && s->gone[at].file_bytes == info.bytes && !status; at++) {
        gone *one = &s->gone[at];
        bool done = false;
        if (one->moved || memcmp(one->content_hash, hash, sizeof hash) != 0)
            continue;
        status = store_move(s, one, path, &info, &done, error);
        if (status || !done)
            continue;
        one->moved = true;
        return tell(s, IMGRET_MOVED, one->id, path, error);
    }
    return status;
}

static int32_t find_moves(syncer *s, imgret_error *error)
{
    ir_walker *walker;
    bool recurse = !(s->options->flags & IMGRET_INGEST_NO_RECURSION), found = true;
    if (s->gone_count == 0)
        return IMGRET_OK;
    int32_t status = ir_walker_create(&walker, s->options->paths, s->options->path_count, recurse,
                                      ir_catalog_folder(s->database->catalog), error);
    while (!status && found) {
        ir_walker_entry entry;
        status = check_stopped(s, error);
        if (!status)
            status = ir_walker_next(walker, &entry, &found, error);
        if (status || !found)
            break;
        if (!entry.failure)
            status = try_move(s, entry.path, error);
        ir_free(entry.path);
    }
    ir_walker_free(walker);
    return status;
}

/* ---- What is to be removed ---- */

static int32_t remove_group(syncer *s, gone *const *group, uint32_t count, imgret_error *error)
{
    ir_region_change changes[GROUP];
    bool removed[GROUP] = {false};
    int32_t status = ir_database_begin(s->database, error);
    if (status)
        return status;
    for (uint32_t i = 0; i < count && !status; i++) {
        ir_catalog_known known = {0};
        changes[i] = (ir_region_change){0};
        status = ir_catalog_find(s->database->catalog, group[i]->uri, true, &known, error);
        if (status || known.id != group[i]->id || !does_not_exist(group[i]->uri))
            continue; /* it came back, or somebody else was here */
        status = ir_add_count_objects(s->database, known.id, &changes[i], error);
        if (!status)
            status = ir_catalog_remove(s->database->catalog, known.id, &changes[i].removed, error);
        removed[i] = !status;
    }
    if (status) {
        ir_database_rollback(s->database);
        return status;
    }
    status = ir_database_commit(s->database, changes, count, error);
    for (uint32_t i = 0; i < count && !status; i++)
        if (removed[i])
            status = tell(s, IMGRET_REMOVED, group[i]->id, group[i]->uri, error);
    return status;
}

static int32_t remove_gone(syncer *s, imgret_error *error)
{
    gone *group[GROUP];
    uint32_t count = 0;
    int32_t status = IMGRET_OK;
    for (uint64_t i = 0; i <= s->gone_count && !status; i++) {
        if (i < s->gone_count && !s->gone[i].moved)
            group[count++] = &s->gone[i];
        if (count == 0 || (count < GROUP && i < s->gone_count))
            continue;
        status = check_stopped(s, error);
        if (!status)
            status = remove_group(s, group, count, error);
        count = 0;
    }
    return status;
}

static void free_all(syncer *s)
{
    for (uint64_t i = 0; i < s->gone_count; i++)
        ir_free(s->gone[i].uri);
    for (uint64_t i = 0; s->roots && i < s->options->path_count; i++)
        ir_free(s->roots[i]);
    ir_free(s->gone);
    ir_free(s->roots);
    ir_free(s->known_counts);
}

/* Whether the ingest failed for nothing but a root that is not there, which was asked for. */
static bool is_forgiven(const syncer *s, int32_t status)
{
    return status == IMGRET_NOT_FOUND && (s->options->flags & IMGRET_INGEST_FORCE);
}

int32_t ir_sync(ir_database *database, const imgret_ingest_options *options,
                imgret_ingest_progress *report, ir_call *call, imgret_error *error)
{
    syncer s = {.database = database, .options = options, .report = report, .call = call};
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (ir_database_is_joined(database))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s: a synchronisation commits on its own: end this thread's transaction "
                       "first",
                       database->path);
    int32_t status = read_roots(&s, error);
    if (!status)
        status = list_gone(&s, error);
    if (!status)
        status = check_roots(&s, error);
    if (!status)
        status = find_moves(&s, error);
    if (!status) {
        imgret_error reason = IMGRET_ERROR_INIT;
        status = ir_ingest(database, options, report, call, &reason);
        if (is_forgiven(&s, status))
            status = IMGRET_OK;
        else if (status)
            ir_fail(error, status, "%s", reason.message);
    }
    if (!status)
        status = remove_gone(&s, error);
    free_all(&s);
    return status;
}
