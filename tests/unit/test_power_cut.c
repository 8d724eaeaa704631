/* test_power_cut.c: the power goes at any moment, and of what was not synced anything may be lost.
 *
 * A session is recorded: each write, truncation, sync, renaming and deletion of the catalogue's and the
 * segments' files, with marks where an operation begins and where it was told as done. For each moment the files are then made
 * as a disk may have them: what was synced is there; of what was written since, nothing, all, or a
 * random part in random order, torn at 512 bytes. The database opened on them must hold all that
 * was told as done, the operation in flight wholly or not at all, and be sound. The same for a salvage of
 * a damaged catalogue: once it is done again, all is there that it would have saved without the cut.
 */
#include "rounds.h"
#include "vectors.h"
#include "watched_vfs.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>

enum {
    KEYS = 24,
    OPERATIONS = 40,
    GROUP_MAX = 10,
    FILES = 256,
    RENAMES = 64,
    SECTOR_BYTES = 512,
    VARIANTS = 4, /* of the files at one moment; the first two are "nothing" and "all" */
    VARIANTS_LONG = 24,
    SESSIONS = 1,
    SESSIONS_LONG = 5
};

typedef struct model {
    uint32_t seed[KEYS]; /* 0: not there */
} model;

typedef struct session {
    char root[256];
    char path[300];
    model after[OPERATIONS + 1];        /* [0]: empty */
    uint32_t backup_of[OPERATIONS + 1]; /* 1: the operation is a backup */
} session;

/* ---- the session ---- */

static int64_t id_of(imgret *db, const char *uri)
{
    imgret_records *records;
    imgret_list_options options = {.size = sizeof options, .uri = uri};
    assert_int_equal(imgret_list(&records, db, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 1);
    int64_t id = imgret_records_at(records, 0)->id;
    imgret_records_free(records);
    return id;
}

static void change_key(imgret *db, model *m, uint32_t key, uint32_t seed)
{
    char uri[16], metadata[32];
    snprintf(uri, sizeof uri, "k%u", key);
    m->seed[key] = seed;
    if (seed == 0) {
        assert_int_equal(imgret_remove(db, id_of(db, uri), NULL), IMGRET_OK);
        return;
    }
    float vector[DIMENSION];
    snprintf(metadata, sizeof metadata, "{\"seed\":%u}", seed);
    imgret_input input = vector_input(vector, seed);
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    assert_int_equal(imgret_add(db, &input, &options, NULL, NULL), IMGRET_OK);
}

static void change_some(imgret *db, model *m, uint64_t *state)
{
    uint32_t count = random_below(state, 2) ? 1 : 2 + random_below(state, GROUP_MAX - 1);
    uint32_t key = random_below(state, KEYS);
    if (count > 1)
        assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < count; i++, key = (key + 1) % KEYS) {
        bool remove = m->seed[key] && random_below(state, 3) == 0;
        change_key(db, m, key, remove ? 0 : 1 + random_below(state, 1000000));
    }
    if (count > 1)
        assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

static void record_session(session *s, uint64_t seed)
{
    uint64_t state = seed;
    *s = (session){0};
    make_folder(s->root, "power");
    snprintf(s->path, sizeof s->path, "%s/db.imgret", s->root);
    watched_vfs_record(true);
    imgret *db = open_vectors(s->path, 0, 0);
    assert_non_null(db);
    for (uint32_t i = 1; i <= OPERATIONS; i++) {
        uint32_t dice = random_below(&state, 16);
        s->after[i] = s->after[i - 1];
        if (i == OPERATIONS / 4) /* at least once: segments are there from now on */
            dice = 2;
        watched_vfs_mark(2 * i);
        if (dice == 0) {
            char to[320];
            snprintf(to, sizeof to, "%s/copy-%u", s->root, i);
            assert_int_equal(imgret_backup(db, to, NULL, NULL), IMGRET_OK);
            s->backup_of[i] = 1;
        } else if (dice == 1) { /* the log is copied into catalog.db */
            imgret_close(db);
            db = open_vectors(s->path, 0, 0);
            assert_non_null(db);
        } else if (dice <= 3) { /* a segment is made, or merged with what came since */
            imgret_optimize_options options = {.size = sizeof options,
                                               .flags = IMGRET_OPTIMIZE_FORCE};
            assert_int_equal(imgret_optimize(db, &options, NULL), IMGRET_OK);
        } else {
            change_some(db, &s->after[i], &state);
        }
        watched_vfs_mark(2 * i + 1);
    }
    imgret_close(db);
    watched_vfs_record(false);
}

/* ---- the disk ---- */

typedef struct image {
    bool exists;
    uint8_t *data;
    size_t bytes;
    size_t capacity;
} image;

typedef struct disk {
    const watched_vfs_event *events;
    image synced[FILES];
    size_t *pending[FILES]; /* events since the file's last sync */
    size_t pending_count[FILES];
    bool leaving[FILES]; /* renamed, and the folder not yet synced: the old name may be there too */
    bool unsynced_folder[FILES]; /* it was made: it may be lost with all that is in it */
    image moved[RENAMES];        /* what had reached the disk of a file when it was renamed, */
    size_t moved_at[RENAMES];    /* by the event's number */
    uint32_t moved_count;
} disk;

static void resize(image *file, size_t bytes)
{
    if (bytes > file->capacity) {
        file->capacity = 2 * bytes;
        file->data = realloc(file->data, file->capacity);
        assert_non_null(file->data);
    }
    if (bytes > file->bytes)
        memset(file->data + file->bytes, 0, bytes - file->bytes);
    file->bytes = bytes;
}

static void write_part(image *file, const watched_vfs_event *event, size_t from, size_t bytes)
{
    size_t end = (size_t)event->offset + from + bytes;
    if (end > file->bytes)
        resize(file, end);
    memcpy(file->data + event->offset + from, event->data + from, bytes);
    file->exists = true;
}

static void apply(image *file, const watched_vfs_event *event)
{
    if (event->kind == WATCHED_VFS_WRITE)
        write_part(file, event, 0, event->bytes);
    else if (event->kind == WATCHED_VFS_TRUNCATE)
        resize(file, (size_t)event->offset);
    else if (event->kind == WATCHED_VFS_DELETE)
        file->exists = false, file->bytes = 0;
}

/* Whole sectors of the disk arrive or do not. */
static void apply_torn(image *file, const watched_vfs_event *event, uint64_t *state)
{
    if (event->kind != WATCHED_VFS_WRITE) {
        if (random_below(state, 2))
            apply(file, event);
        return;
    }
    uint32_t luck = random_below(state, 3); /* of this write: no, all or some sectors */
    for (size_t from = 0; from < event->bytes;) {
        size_t sector_end = (((size_t)event->offset + from) / SECTOR_BYTES + 1) * SECTOR_BYTES;
        size_t bytes = sector_end - (size_t)event->offset - from;
        if (bytes > event->bytes - from)
            bytes = event->bytes - from;
        if (luck == 1 || (luck == 2 && random_below(state, 2)))
            write_part(file, event, from, bytes);
        from += bytes;
    }
}

static size_t folder_bytes(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static void copy_image(image *to, const image *from)
{
    to->exists = from->exists;
    resize(to, from->bytes);
    if (from->bytes)
        memcpy(to->data, from->data, from->bytes);
}

/* Whether an event is about the file's name: everything before it is of another file. */
static bool is_of_name(const watched_vfs_event *event)
{
    return event->kind == WATCHED_VFS_DELETE || event->kind == WATCHED_VFS_RENAME ||
           event->kind == WATCHED_VFS_LINK;
}

/* What the name stands for after event `at`, which is one of the above. */
static void take_name(const disk *d, size_t at, image *out)
{
    out->exists = false;
    out->bytes = 0;
    for (uint32_t i = 0; i < d->moved_count; i++)
        if (d->moved_at[i] == at)
            copy_image(out, &d->moved[i]);
}

/* Names that were made, moved and deleted in the folder of file `of` are for good. */
static void sync_folder(disk *d, uint32_t of)
{
    size_t length = folder_bytes(watched_vfs_file(of));
    for (uint32_t file = 0; file < FILES && watched_vfs_file(file); file++) {
        const char *path = watched_vfs_file(file);
        if (folder_bytes(path) != length || strncmp(path, watched_vfs_file(of), length) != 0)
            continue;
        d->unsynced_folder[file] = false;
        if (d->leaving[file]) {
            d->leaving[file] = d->synced[file].exists = false;
            d->synced[file].bytes = 0;
        }
        for (size_t i = d->pending_count[file]; i > 0; i--) {
            if (!is_of_name(&d->events[d->pending[file][i - 1]]))
                continue;
            take_name(d, d->pending[file][i - 1], &d->synced[file]);
            d->pending_count[file] -= i;
            memmove(d->pending[file], d->pending[file] + i,
                    d->pending_count[file] * sizeof(size_t));
            break;
        }
    }
}

/* Of the old name only what was synced counts: nothing else need ever be under the new one. */
static void move_file(disk *d, size_t at)
{
    uint32_t from = (uint32_t)d->events[at].offset, to = d->moved_count++;
    assert_true(from < FILES && to < RENAMES);
    copy_image(&d->moved[to], &d->synced[from]);
    d->moved_at[to] = at;
    if (d->events[at].kind == WATCHED_VFS_LINK)
        return;
    d->leaving[from] = true;
    d->pending_count[from] = 0;
}

static void take_event(disk *d, size_t at)
{
    const watched_vfs_event *event = &d->events[at];
    if (event->kind == WATCHED_VFS_MARK)
        return;
    uint32_t file = event->file;
    assert_true(file < FILES);
    if (event->kind == WATCHED_VFS_SYNC_FOLDER) {
        sync_folder(d, file);
        return;
    }
    if (event->kind == WATCHED_VFS_FOLDER) {
        d->unsynced_folder[file] = true;
        return;
    }
    if (event->kind == WATCHED_VFS_RENAME || event->kind == WATCHED_VFS_LINK)
        move_file(d, at);
    if (event->kind != WATCHED_VFS_SYNC) {
        size_t count = d->pending_count[file]++;
        d->pending[file] = realloc(d->pending[file], (count + 1) * sizeof(size_t));
        assert_non_null(d->pending[file]);
        d->pending[file][count] = at;
        return;
    }
    for (size_t i = 0; i < d->pending_count[file]; i++)
        apply(&d->synced[file], &d->events[d->pending[file][i]]);
    d->synced[file].exists = true;
    d->pending_count[file] = 0;
}

/* What a disk may hold of a file. A name that was deleted or given to another file means either the old
 * one or the new one, never a mixture. */
static void make_variant(const disk *d, uint32_t file, uint32_t variant, uint64_t *state,
                         image *out)
{
    size_t first = 0, last = d->pending_count[file];
    copy_image(out, &d->synced[file]);
    if (d->leaving[file] && (variant == 1 || (variant > 1 && random_below(state, 2))))
        out->exists = false;
    for (size_t i = 0; i < last; i++) {
        if (!is_of_name(&d->events[d->pending[file][i]]))
            continue;
        bool happened = variant == 1 || (variant > 1 && random_below(state, 2));
        if (!happened) {
            last = i;
        } else {
            take_name(d, d->pending[file][i], out);
            first = i + 1;
        }
    }
    if (variant == 0)
        return;
    size_t count = last - first;
    size_t *order = malloc((count + 1) * sizeof *order);
    assert_non_null(order);
    for (size_t i = 0; i < count; i++)
        order[i] = d->pending[file][first + i];
    for (size_t i = count; variant > 2 && i > 1; i--) { /* variant 2 keeps the order */
        size_t other = random_below(state, (uint32_t)i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    for (size_t i = 0; i < count; i++) {
        if (variant == 1)
            apply(out, &d->events[order[i]]);
        else
            apply_torn(out, &d->events[order[i]], state);
    }
    free(order);
}

/* Long after: all has reached the disk. */
static void settle_disk(disk *d)
{
    image settled = {0};
    uint64_t none = 0;
    for (uint32_t file = 0; file < FILES; file++) {
        make_variant(d, file, 1, &none, &settled);
        copy_image(&d->synced[file], &settled);
        d->pending_count[file] = 0;
        d->leaving[file] = d->unsynced_folder[file] = false;
    }
    free(settled.data);
}

/* ---- after the cut ---- */

static void write_file(const char *path, const image *from)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(from->data, 1, from->bytes, file), from->bytes);
    assert_int_equal(fclose(file), 0);
}

/* Whether a folder below `folder` that `path` lies in was lost; where it is not, it is made. */
static bool is_lost(const disk *d, const char *folder, const char *path, const char *to,
                    const bool lost[FILES])
{
    size_t length = strlen(folder), inside = folder_bytes(path);
    char target[400];
    if (inside == length)
        return false;
    for (uint32_t file = 0; file < FILES && watched_vfs_file(file); file++) {
        const char *made = watched_vfs_file(file);
        if (strlen(made) == inside && strncmp(made, path, inside) == 0 &&
            d->unsynced_folder[file] && lost[file])
            return true;
    }
    snprintf(target, sizeof target, "%s/%.*s", to, (int)(inside - length - 1), path + length + 1);
    assert_true(mkdir(target, 0700) == 0 || errno == EEXIST);
    return false;
}

/* Writes the files whose folder is `folder` into the new folder `to`; false when there are none. */
static bool materialise(const disk *d, const char *folder, const char *to, uint32_t variant,
                        uint64_t *state)
{
    bool any = false;
    size_t length = strlen(folder);
    image made = {0};
    bool lost[FILES]; /* of folders that are not synced */
    for (uint32_t i = 0; i < FILES; i++)
        lost[i] = variant == 0 || (variant > 1 && random_below(state, 2));
    assert_int_equal(mkdir(to, 0700), 0);
    for (uint32_t file = 0; file < FILES && watched_vfs_file(file); file++) {
        const char *path = watched_vfs_file(file);
        if (strncmp(path, folder, length) != 0 || path[length] != '/')
            continue;
        make_variant(d, file, variant, state, &made);
        if (!made.exists || is_lost(d, folder, path, to, lost))
            continue;
        char target[400];
        snprintf(target, sizeof target, "%s/%s", to, path + length + 1);
        write_file(target, &made);
        any = true;
    }
    free(made.data);
    return any;
}

static void read_model(imgret *db, model *out)
{
    *out = (model){0};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, NULL, NULL), IMGRET_OK);
    for (uint64_t i = 0; i < imgret_records_count(records); i++) {
        const imgret_record *record = imgret_records_at(records, i);
        unsigned key, seed;
        assert_int_equal(sscanf(record->uri, "k%u", &key), 1);
        assert_int_equal(sscanf(record->metadata, "{\"seed\":%u}", &seed), 1);
        assert_true(key < KEYS && out->seed[key] == 0);
        out->seed[key] = seed;
    }
    imgret_records_free(records);
}

static bool same(const model *a, const model *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

typedef struct cut {
    size_t at; /* event */
    uint32_t variant;
    uint64_t mark; /* the last before it */
} cut;

static void check_folder(const char *path, const model *before, const model *after, const cut *here)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    if (try_open(&db, path, 0, 0, &error) != IMGRET_OK)
        fail_msg("event %zu, variant %u: %s", here->at, here->variant, error.message);
    model found;
    read_model(db, &found);
    uint64_t problems = count_problems(db);
    for (uint32_t key = 0; key < KEYS; key++)
        if (found.seed[key] && find_seed(db, found.seed[key]) <= 0)
            problems++;
    imgret_close(db);
    if (problems || !(same(&found, before) || same(&found, after)))
        fail_msg("event %zu, variant %u, operation %llu: %llu problems, %s", here->at,
                 here->variant, (unsigned long long)here->mark / 2, (unsigned long long)problems,
                 same(&found, before) || same(&found, after) ? "content is right"
                                                             : "content is wrong");
}

/* A backup that was told as done is whole, whatever came later. */
static void check_backup(const session *s, const disk *d, const cut *here, uint64_t *state)
{
    uint64_t done = here->mark % 2 ? here->mark / 2 : here->mark / 2 - 1;
    for (uint64_t i = done; here->mark >= 2 && i > 0; i--) {
        if (!s->backup_of[i])
            continue;
        char folder[400], to[400];
        snprintf(folder, sizeof folder, "%s/copy-%llu.imgret-partial", s->root,
                 (unsigned long long)i);
        snprintf(to, sizeof to, "%s/after-backup", s->root);
        assert_true(materialise(d, folder, to, here->variant, state));
        check_folder(to, &s->after[i], &s->after[i], here);
        remove_folder(to);
        return; /* the last one is enough at each cut */
    }
}

static void check_cut(const session *s, const disk *d, const cut *here, uint64_t *state)
{
    char to[400];
    uint64_t operation = here->mark / 2;
    snprintf(to, sizeof to, "%s/after", s->root);
    materialise(d, s->path, to, here->variant, state);
    check_folder(to, &s->after[operation ? operation - (here->mark % 2 ? 0 : 1) : 0],
                 &s->after[operation], here);
    remove_folder(to);
    if (here->at % 8 == 0)
        check_backup(s, d, here, state);
}

static void free_disk(disk *d)
{
    for (uint32_t i = 0; i < FILES; i++) {
        free(d->synced[i].data);
        free(d->pending[i]);
    }
    for (uint32_t i = 0; i < d->moved_count; i++)
        free(d->moved[i].data);
}

static uint64_t cut_everywhere(uint64_t seed)
{
    session *s = malloc(sizeof *s);
    assert_non_null(s);
    record_session(s, seed);
    size_t count;
    static disk d;
    d = (disk){.events = watched_vfs_events(&count)};
    uint64_t cuts = 0, state = seed + 1;
    cut here = {0};
    size_t stride = round_count(SANITIZED(1, 3), 1);
    for (here.at = 0; here.at < count; here.at++) {
        take_event(&d, here.at);
        if (d.events[here.at].kind == WATCHED_VFS_MARK)
            here.mark = d.events[here.at].offset;
        if (here.at % stride != 0)
            continue;
        uint32_t variants = round_count(VARIANTS, VARIANTS_LONG);
        for (here.variant = 0; here.variant < variants; here.variant++, cuts++)
            check_cut(s, &d, &here, &state);
    }
    free_disk(&d);
    watched_vfs_forget();
    remove_folder(s->root);
    free(s);
    return cuts;
}

/* ---- salvaging a damaged catalogue ---- */

/* In the file's head SQLite notes that it has no log any more. */
enum { PAGE_BYTES = 8192, PAGES_MAX = 64, HEAD_BYTES = 100 };

typedef struct rescue {
    char root[256], path[300];
    uint8_t damaged[PAGES_MAX * PAGE_BYTES]; /* the catalogue before it was salvaged */
    size_t damaged_bytes;
    char left[8192]; /* what is in it after, as describe() tells it */
} rescue;

static size_t read_whole(const char *path, uint8_t *out, size_t most)
{
    FILE *file = fopen(path, "rb");
    size_t bytes = file ? fread(out, 1, most, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}

/* Overwrites a page, as something did that is no part of the library, and for good. */
static void spoil_page(const char *path, long page)
{
    uint8_t noise[PAGE_BYTES];
    memset(noise, 0xA5, sizeof noise);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof noise, page * PAGE_BYTES), PAGE_BYTES);
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static void describe(imgret *db, char *out, size_t room)
{
    imgret_records *records;
    imgret_list_options all = {.size = sizeof all, .limit = 1000};
    size_t used = 0;
    assert_int_equal(imgret_list(&records, db, &all, NULL), IMGRET_OK);
    for (uint64_t i = 0; i < imgret_records_count(records); i++) {
        const imgret_record *record = imgret_records_at(records, i);
        used += (size_t)snprintf(out + used, room - used, "%lld %d %s %s\n", (long long)record->id,
                                 (int)record->state, record->uri ? record->uri : "-",
                                 record->metadata ? record->metadata : "-");
        assert_true(used < room);
    }
    imgret_records_free(records);
}

/* False: nothing was in this page, or without it nobody can tell what the database is. */
static bool record_salvage(rescue *r, long page)
{
    model made = {0};
    char catalog[340];
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    make_folder(r->root, "salvaged");
    snprintf(r->path, sizeof r->path, "%s/db.imgret", r->root);
    snprintf(catalog, sizeof catalog, "%s/catalog.db", r->path);
    watched_vfs_record(true);
    imgret *db = open_vectors(r->path, 0, 0);
    for (uint32_t key = 0; key < KEYS; key++) {
        change_key(db, &made, key, key + 1);
        if (key == KEYS / 2)
            assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
    }
    imgret_close(db);
    spoil_page(catalog, page);
    r->damaged_bytes = read_whole(catalog, r->damaged, sizeof r->damaged);
    watched_vfs_mark(1);
    imgret_salvage_report report = {.size = sizeof report};
    int32_t status = imgret_salvage(r->path, NULL, &report, NULL);
    watched_vfs_record(false);
    if (status || !report.salvaged)
        return false;
    db = open_vectors(r->path, 0, 0);
    describe(db, r->left, sizeof r->left);
    imgret_close(db);
    return true;
}

/* The user tries again: all is saved that can be, and the damaged file is kept. */
static void check_salvage(const rescue *r, const char *path, const cut *here)
{
    static uint8_t kept[sizeof r->damaged];
    char left[sizeof r->left] = "", aside[460];
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_salvage(path, NULL, NULL, &error) != IMGRET_OK)
        fail_msg("event %zu, variant %u: %s", here->at, here->variant, error.message);
    imgret *db = open_vectors(path, 0, 0);
    assert_non_null(db);
    describe(db, left, sizeof left);
    uint64_t problems = count_problems(db);
    imgret_close(db);
    if (problems || strcmp(left, r->left) != 0)
        fail_msg("event %zu, variant %u: %llu problems, left is\n%s", here->at, here->variant,
                 (unsigned long long)problems, left);
    snprintf(aside, sizeof aside, "%s/catalog.db.damaged", path);
    if (read_whole(aside, kept, sizeof kept) != r->damaged_bytes ||
        memcmp(kept + HEAD_BYTES, r->damaged + HEAD_BYTES, r->damaged_bytes - HEAD_BYTES) != 0)
        fail_msg("event %zu, variant %u: the damaged file is not kept", here->at, here->variant);
}

static uint64_t cut_salvage(rescue *r, uint64_t seed)
{
    size_t count;
    static disk d;
    d = (disk){.events = watched_vfs_events(&count)};
    uint64_t cuts = 0;
    cut here = {0};
    char to[400];
    snprintf(to, sizeof to, "%s/after", r->root);
    for (here.at = 0; here.at < count; here.at++) {
        take_event(&d, here.at);
        if (d.events[here.at].kind == WATCHED_VFS_MARK) {
            settle_disk(&d); /* else the log might still be there, and cure the damage */
            here.mark = 1;
        }
        watched_vfs_event_kind kind = d.events[here.at].kind;
        bool decisive = kind == WATCHED_VFS_LINK ||
                        kind == WATCHED_VFS_RENAME; /* looked at closely */
        if (!here.mark || (!decisive && here.at % round_count(SANITIZED(11, 47), 1) != 0))
            continue;
        uint32_t variants = round_count(decisive ? 4 * VARIANTS : VARIANTS, VARIANTS_LONG);
        for (here.variant = 0; here.variant < variants; here.variant++) {
            assert_true(materialise(&d, r->path, to, here.variant, &seed));
            check_salvage(r, to, &here);
            remove_folder(to);
            cuts++;
        }
    }
    free_disk(&d);
    return cuts;
}

static void a_salvage_survives_every_power_cut(void **state)
{
    (void)state;
    rescue *r = malloc(sizeof *r);
    assert_non_null(r);
    uint64_t cuts = 0;
    uint32_t pages = 0;
    for (long page = 0; page < round_count(9, PAGES_MAX); page += round_count(4, 1)) {
        bool saved = record_salvage(r, page);
        bool there = (size_t)page * PAGE_BYTES < r->damaged_bytes - PAGE_BYTES;
        if (saved && there) {
            cuts += cut_salvage(r, first_seed() + (uint64_t)page);
            pages++;
            print_message("# page %ld: %llu power cuts so far\n", page, (unsigned long long)cuts);
        }
        watched_vfs_forget();
        remove_folder(r->root);
        if (!there)
            break;
    }
    free(r);
    printf("# %u pages, %llu power cuts, violations: 0\n", pages, (unsigned long long)cuts);
    assert_true(pages > 1 && cuts > 50);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void what_was_told_as_done_survives_every_power_cut(void **state)
{
    (void)state;
    uint64_t cuts = 0;
    uint32_t sessions = round_count(SESSIONS, SESSIONS_LONG);
    for (uint32_t i = 0; i < sessions; i++) {
        cuts += cut_everywhere(first_seed() + i);
        print_message("# session %u of %u: %llu power cuts so far\n", i + 1, sessions,
                      (unsigned long long)cuts);
    }
    printf("# %u sessions, %llu power cuts, violations: 0\n", sessions, (unsigned long long)cuts);
    assert_true(cuts > 500);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(void)
{
    watched_vfs_install();
    if (access("/dev/shm", W_OK) == 0) /* thousands of databases: no disk is needed for that */
        setenv("TMPDIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_told_as_done_survives_every_power_cut),
        cmocka_unit_test(a_salvage_survives_every_power_cut)};
    return cmocka_run_group_tests_name("power_cut", tests, NULL, NULL);
}
