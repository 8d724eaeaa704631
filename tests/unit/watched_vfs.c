/* watched_vfs.c: a layer under SQLite's file operations that lets them fail, or records them; counts
 * and record are shared with watched_files.c. */
#include "watched_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256 };

typedef struct watched_file {
    sqlite3_file base;  /* first: SQLite sees no more */
    sqlite3_file *real; /* lies behind this struct */
    uint32_t number;
    bool folder_unsynced; /* SQLite's own VFS syncs the folder with a new log's first sync */
} watched_file;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs watched;
static sqlite3_io_methods methods;

static struct {
    pthread_mutex_t lock;
    watched_vfs_fault fault;
    uint64_t fail_at; /* 0: never */
    uint64_t count;
    bool failed;
    atomic_uint_fast64_t failed_reads;
    bool recording;
    char *paths[FILES_MAX];
    watched_vfs_event *events;
    size_t event_count, event_capacity;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void die(const char *what)
{
    fprintf(stderr, "watched_vfs: %s\n", what);
    abort();
}

/* Whether operation `number` is to fail. A disk that syncs no more may still forget a name, which is worse
 * than one that refuses to: deletions fail alone, not among others. */
static bool is_hit(uint64_t number, watched_vfs_way way)
{
    if (!state.fail_at || number < state.fail_at)
        return false;
    if (state.fault == WATCHED_VFS_FULL || state.fault == WATCHED_VFS_NOTHING)
        return way == WATCHED_VFS_WRITES;
    if (state.fault == WATCHED_VFS_EIO_STUCK)
        return way != WATCHED_VFS_DELETES;
    return number == state.fail_at;
}

/* Counts an operation of SQLite's; the code it must fail with, or SQLITE_OK. */
static int count_operation(int eio, bool writes)
{
    int code = SQLITE_OK;
    pthread_mutex_lock(&state.lock);
    if (is_hit(++state.count, writes ? WATCHED_VFS_WRITES : WATCHED_VFS_READS) &&
        state.fault != WATCHED_VFS_SHORT) /* its own VFS hides those */
        code = state.fault == WATCHED_VFS_FULL || state.fault == WATCHED_VFS_NOTHING ? SQLITE_FULL
                                                                                     : eio;
    state.failed = state.failed || code != SQLITE_OK;
    pthread_mutex_unlock(&state.lock);
    return code;
}

/* Under the lock. */
static uint32_t number_of(const char *path)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (!state.paths[i] && !(state.paths[i] = strdup(path)))
            die("no memory");
        if (strcmp(state.paths[i], path) == 0)
            return i;
    }
    die("too many files");
    return 0;
}

static void record(watched_vfs_event_kind kind, uint32_t file, uint64_t offset, const void *data,
                   size_t bytes)
{
    pthread_mutex_lock(&state.lock);
    if (state.recording) {
        if (state.event_count == state.event_capacity) {
            state.event_capacity = state.event_capacity ? 2 * state.event_capacity : 256;
            state.events = realloc(state.events, state.event_capacity * sizeof *state.events);
            if (!state.events)
                die("no memory");
        }
        watched_vfs_event event = {kind, file, offset, bytes, NULL};
        if (bytes) {
            event.data = malloc(bytes);
            if (!event.data)
                die("no memory");
            memcpy(event.data, data, bytes);
        }
        state.events[state.event_count++] = event;
    }
    pthread_mutex_unlock(&state.lock);
}

/* ---- a file ---- */

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((watched_file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 offset)
{
    int code = count_operation(SQLITE_IOERR_READ, false);
    return code ? code : real_of(file)->pMethods->xRead(real_of(file), data, bytes, offset);
}

static int file_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 offset)
{
    int code = count_operation(SQLITE_IOERR_WRITE, true);
    if (code)
        return code;
    code = real_of(file)->pMethods->xWrite(real_of(file), data, bytes, offset);
    if (code == SQLITE_OK)
        record(WATCHED_VFS_WRITE, ((watched_file *)file)->number, (uint64_t)offset, data,
               (size_t)bytes);
    return code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = count_operation(SQLITE_IOERR_TRUNCATE, false);
    if (code)
        return code;
    code = real_of(file)->pMethods->xTruncate(real_of(file), size);
    if (code == SQLITE_OK)
        record(WATCHED_VFS_TRUNCATE, ((watched_file *)file)->number, (uint64_t)size, NULL, 0);
    return code;
}

static int file_sync(sqlite3_file *file, int flags)
{
    int code = count_operation(SQLITE_IOERR_FSYNC, false);
    if (code)
        return code;
    /* What a power cut leaves is decided from the record: the disk need not be waited for. */
    if (!state.recording)
        code = real_of(file)->pMethods->xSync(real_of(file), flags);
    watched_file *opened = (watched_file *)file;
    if (code == SQLITE_OK)
        record(WATCHED_VFS_SYNC, opened->number, 0, NULL, 0);
    if (code == SQLITE_OK && opened->folder_unsynced) {
        record(WATCHED_VFS_SYNC_FOLDER, opened->number, 0, NULL, 0);
        opened->folder_unsynced = false;
    }
    return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int file_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_character(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **out)
{
    int code = count_operation(SQLITE_IOERR_SHMMAP, true);
    return code ? code : real_of(file)->pMethods->xShmMap(real_of(file), page, bytes, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

/* ---- the layer ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *out_flags)
{
    (void)vfs;
    watched_file *opened = (watched_file *)file;
    opened->base.pMethods = NULL;
    opened->real = (sqlite3_file *)(opened + 1);
    opened->real->pMethods = NULL;
    opened->folder_unsynced = (flags & SQLITE_OPEN_CREATE) != 0 &&
                              (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    int code = count_operation(SQLITE_CANTOPEN, (flags & SQLITE_OPEN_CREATE) != 0);
    if (!code)
        code = real_vfs->xOpen(real_vfs, path, opened->real, flags, out_flags);
    if (opened->real->pMethods)
        opened->base.pMethods = &methods;
    pthread_mutex_lock(&state.lock);
    opened->number = state.recording && path ? number_of(path) : FILES_MAX;
    pthread_mutex_unlock(&state.lock);
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    int code = count_operation(SQLITE_IOERR_DELETE, false);
    if (!code)
        code = real_vfs->xDelete(real_vfs, path, sync_folder);
    if (!code && state.recording) {
        pthread_mutex_lock(&state.lock);
        uint32_t number = number_of(path);
        pthread_mutex_unlock(&state.lock);
        record(WATCHED_VFS_DELETE, number, 0, NULL, 0);
        if (sync_folder)
            record(WATCHED_VFS_SYNC_FOLDER, number, 0, NULL, 0);
    }
    return code;
}

void watched_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        die("SQLite has no VFS");
    watched = *real_vfs;
    watched.zName = "watched";
    watched.szOsFile = (int)sizeof(watched_file) + real_vfs->szOsFile;
    watched.xOpen = vfs_open;
    watched.xDelete = vfs_delete;
    methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector,
        .xDeviceCharacteristics = file_character,
        .xShmMap = file_shm_map,
        .xShmLock = file_shm_lock,
        .xShmBarrier = file_shm_barrier,
        .xShmUnmap = file_shm_unmap,
    };
    if (sqlite3_vfs_register(&watched, 1) != SQLITE_OK)
        die("cannot register");
}

void watched_vfs_fail(watched_vfs_fault fault, uint64_t n)
{
    pthread_mutex_lock(&state.lock);
    state.fault = fault;
    state.fail_at = n;
    state.count = 0;
    state.failed = false;
    pthread_mutex_unlock(&state.lock);
}

uint64_t watched_vfs_operation_count(void)
{
    pthread_mutex_lock(&state.lock);
    uint64_t count = state.count;
    pthread_mutex_unlock(&state.lock);
    return count;
}

bool watched_vfs_has_failed(void)
{
    pthread_mutex_lock(&state.lock);
    bool failed = state.failed;
    pthread_mutex_unlock(&state.lock);
    return failed;
}

int watched_vfs_count(watched_vfs_way way)
{
    int code = 0;
    pthread_mutex_lock(&state.lock);
    if (is_hit(++state.count, way))
        code = state.fault == WATCHED_VFS_FULL      ? ENOSPC
               : state.fault == WATCHED_VFS_NOTHING ? -1
               : state.fault == WATCHED_VFS_SHORT   ? (way == WATCHED_VFS_WRITES ? -2 : 0)
                                                    : EIO;
    state.failed = state.failed || code != 0;
    pthread_mutex_unlock(&state.lock);
    return code;
}

void watched_vfs_count_read(void)
{
    atomic_fetch_add(&state.failed_reads, 1);
}

uint64_t watched_vfs_failed_reads(void)
{
    return atomic_load(&state.failed_reads);
}

bool watched_vfs_is_failing(void)
{
    pthread_mutex_lock(&state.lock);
    bool failing = state.fail_at != 0;
    pthread_mutex_unlock(&state.lock);
    return failing;
}

bool watched_vfs_is_recording(void)
{
    return state.recording;
}

uint32_t watched_vfs_number(const char *path)
{
    pthread_mutex_lock(&state.lock);
    uint32_t number = number_of(path);
    pthread_mutex_unlock(&state.lock);
    return number;
}

void watched_vfs_note(watched_vfs_event_kind kind, const char *path, uint64_t offset,
                      const void *data, size_t bytes)
{
    record(kind, watched_vfs_number(path), offset, data, bytes);
}

void watched_vfs_record(bool on)
{
    state.recording = on;
}

void watched_vfs_mark(uint64_t number)
{
    record(WATCHED_VFS_MARK, FILES_MAX, number, NULL, 0);
}

const watched_vfs_event *watched_vfs_events(size_t *count)
{
    *count = state.event_count;
    return state.events;
}

const char *watched_vfs_file(uint32_t file)
{
    return file < FILES_MAX ? state.paths[file] : NULL;
}

void watched_vfs_forget(void)
{
    for (size_t i = 0; i < state.event_count; i++)
        free(state.events[i].data);
    free(state.events);
    state.events = NULL;
    state.event_count = state.event_capacity = 0;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        free(state.paths[i]);
        state.paths[i] = NULL;
    }
}
