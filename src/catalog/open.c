/* open.c: a catalogue's life: its folder, creation, versions, opening and closing.
 *
 * A creation goes: folder, empty catalog.db, switch to WAL, then tables and both version numbers
 * in one transaction. Until that commits the file is "blank", and whoever opens it next, be it
 * after a crash or at the same time, goes on from there under SQLite's write lock.
 *
 * catalog.db is only ever opened through SQLite: a descriptor of our own, once closed, would drop
 * the file locks of every other handle in this process.
 */
#include "catalog/internal.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "catalog.db"
#define SQLITE_VERSION_MIN 3037000 /* STRICT tables */
#define FOLDER_MODE 0777           /* less the umask */

/* Makes sure that the folder is there, and finds its absolute path. */
static int32_t find_folder(ir_catalog *catalog, const char *path, bool may_create,
                           imgret_error *error)
{
    if (may_create && mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
        return ir_fail_errno(error, errno, "make the database's folder", path);
    ir_file_info info;
    int32_t status = ir_file_stat(path, &info, error);
    if (status)
        return status;
    if (!info.is_folder)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s: is a file, but a database is a folder",
                       path);
    char *resolved = realpath(path, NULL);
    if (!resolved)
        return ir_fail_errno(error, errno, "resolve", path);
    catalog->folder = ir_strdup(resolved);
    free(resolved);
    catalog->path = catalog->folder ? ir_path_join(catalog->folder, FILE_NAME) : NULL;
    if (!catalog->path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (system && strlen(catalog->path) + sizeof "-journal" > (size_t)system->mxPathname)
        return ir_fail(error, IMGRET_LIMIT, "%s: the path is longer than SQLite's limit of %d",
                       catalog->path, system->mxPathname);
    return IMGRET_OK;
}

/* *found is whether catalog.db is there and has any bytes. */
static int32_t find_file(const ir_catalog *catalog, bool *exists, bool *has_bytes,
                         imgret_error *error)
{
    struct stat info;
    *exists = *has_bytes = false;
    if (stat(catalog->path, &info) != 0)
        return errno == ENOENT ? IMGRET_OK : ir_fail_errno(error, errno, "stat", catalog->path);
    if (!S_ISREG(info.st_mode))
        return ir_fail(error, IMGRET_CORRUPT, "%s: is not a regular file", catalog->path);
    if (info.st_size == 1) /* SQLite takes it for empty, and would overwrite it */
        return ir_fail(error, IMGRET_CORRUPT, "%s: file is not a database", catalog->path);
    *exists = true;
    *has_bytes = info.st_size > 0;
    return IMGRET_OK;
}

/* A folder with other things in it is somebody's, and no place for a database. */
static int32_t refuse_foreign_folder(const ir_catalog *catalog, imgret_error *error)
{
    DIR *folder = opendir(catalog->folder);
    if (!folder)
        return ir_fail_errno(error, errno, "open", catalog->folder);
    int32_t status = IMGRET_OK;
    const struct dirent *entry;
    while (!status && (entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        /* Of a creation that a power cut ended before the folder had catalog.db's name for good. A
         * log is another matter: it may hold images. */
        if (strcmp(entry->d_name, FILE_NAME "-journal") == 0)
            continue;
        bool exists, has_bytes;
        status = find_file(catalog, &exists, &has_bytes, error);
        if (!status && exists) /* made by another process since we looked */
            break;
        if (!status)
            status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                             "%s: is no database, and holds other files such as %s",
                             catalog->folder, entry->d_name);
    }
    closedir(folder);
    return status;
}

static int32_t fail_not_found(const ir_catalog *catalog, imgret_error *error)
{
    return ir_fail(error, IMGRET_NOT_FOUND, "%s: there is no database in this folder",
                   catalog->folder);
}

/* What a connection sees, in one snapshot. */
static int32_t look(ir_connection *connection, ir_schema_state *state, imgret_error *error)
{
    int32_t status = ir_connection_control(connection, IR_SQL_BEGIN_READ, error);
    if (status)
        return status;
    status = ir_schema_look(connection, &ir_schema_current, state, error);
    if (ir_connection_in_transaction(connection))
        ir_connection_control(connection, IR_SQL_ROLLBACK, NULL);
    return status;
}

/* Before a file is opened for writing, sees that it is ours, so that nothing of a stranger's is
 * ever changed. Where reading alone is not possible (a journal must be rolled back first) the
 * writer decides, which looks again. */
static int32_t look_first(const ir_catalog *catalog, const ir_catalog_options *options,
                          imgret_error *error)
{
    ir_connection connection;
    ir_schema_state state;
    int32_t status = ir_connection_open(&connection, catalog->path, IR_CONNECTION_LOOK, options,
                                        error);
    if (!status)
        status = look(&connection, &state, error);
    ir_connection_close(&connection);
    if (!status && options->fresh && !state.blank)
        return ir_fail(error, IMGRET_EXISTS, "%s: is a database already", catalog->folder);
    if (!status && options->existing && state.blank)
        return fail_not_found(catalog, error);
    bool undecided = status == IMGRET_IO || status == IMGRET_READ_ONLY;
    return undecided ? IMGRET_OK : status;
}

/* SQLite's busy handler is not asked everywhere on this path, so two creators may collide. */
static int32_t switch_to_wal(ir_connection *writer, imgret_error *error)
{
    static const char sql[] = "PRAGMA journal_mode=WAL";
    uint32_t waited_ms = 0;
    for (;;) {
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        bool is_wal = code == SQLITE_ROW &&
                      strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
        sqlite3_finalize(statement);
        if (is_wal)
            return IMGRET_OK;
        if (code == SQLITE_ROW)
            return ir_fail(error, IMGRET_IO, "%s: this file system cannot hold a write-ahead log",
                           writer->path);
        bool busy = ir_connection_status(code, 0) == IMGRET_BUSY;
        if (!busy || waited_ms >= writer->busy_timeout_ms)
            return ir_connection_fail(writer, code, "switching to a write-ahead log", error);
        if (writer->stop && writer->stop(writer->stop_context))
            return ir_fail(error, IMGRET_INTERRUPTED, "%s: opening was stopped", writer->path);
        struct timespec pause = {0, 5000000L};
        nanosleep(&pause, NULL);
        waited_ms += 5;
    }
}

/* Makes or upgrades the tables under SQLite's write lock; two processes may both be here. */
static int32_t settle_schema(ir_catalog *catalog, const ir_catalog_options *options, bool *created,
                             imgret_error *error)
{
    ir_connection *writer = &catalog->writer;
    ir_schema_state state;
    int32_t status = ir_connection_control(writer, IR_SQL_BEGIN_WRITE, error);
    if (status)
        return status;
    status = ir_schema_look(writer, &ir_schema_current, &state, error);
    if (!status && options->fresh && !state.blank)
        status = ir_fail(error, IMGRET_EXISTS, "%s: is a database already", catalog->folder);
    if (!status && options->existing && state.blank)
        status = fail_not_found(catalog, error);
    bool changes = !status && state.version < ir_schema_made(&ir_schema_current);
    if (changes && !state.blank)
        status = ir_schema_verify(writer, &ir_schema_current, state.version, error);
    if (changes && !status)
        status = ir_schema_upgrade(writer, &ir_schema_current, state.version, error);
    if (changes && !status)
        status = ir_connection_control(writer, IR_SQL_COMMIT, error);
    if (ir_connection_in_transaction(writer))
        ir_connection_control(writer, IR_SQL_ROLLBACK, NULL);
    if (!status)
        *created = state.blank;
    return status;
}

static int32_t open_writer(ir_catalog *catalog, const ir_catalog_options *options, bool *created,
                           imgret_error *error)
{
    ir_connection *writer = &catalog->writer;
    ir_connection_mode mode = options->existing ? IR_CONNECTION_WRITE : IR_CONNECTION_CREATE;
    ir_schema_state state;
    int32_t status = ir_connection_open(writer, catalog->path, mode, options, error);
    if (!status)
        status = look(writer, &state, error);
    if (!status && state.blank && !options->existing) {
        char sql[96];
        snprintf(sql, sizeof sql, "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL",
                 IR_CATALOG_PAGE_BYTES);
        status = ir_connection_exec(writer, sql, "creating", error);
    }
    if (!status)
        status = switch_to_wal(writer, error);
    if (!status &&
        (state.blank || state.version < ir_schema_made(&ir_schema_current) || options->fresh))
        status = settle_schema(catalog, options, created, error);
    if (!status)
        status = ir_schema_verify(writer, &ir_schema_current, ir_schema_current.version, error);
    if (!status && *created)
        status = ir_folder_sync(catalog->folder, error);
    if (!status && *created)
        status = ir_folder_sync_parent(catalog->folder, error);
    return status;
}

/* Whether the file can be read without taking part in SQLite's locking: nobody can write in a
 * folder that may not be written (as far as this process can see), and no log waits to be read. */
static bool may_be_immutable(const ir_catalog *catalog)
{
    char *log = ir_asprintf("%s-wal", catalog->path);
    struct stat info;
    bool no_log = log && (stat(log, &info) != 0 ? errno == ENOENT : info.st_size == 0);
    ir_free(log);
    return no_log && access(catalog->folder, W_OK) != 0;
}

static int32_t open_read_only(ir_catalog *catalog, const ir_catalog_options *options,
                              imgret_error *error)
{
    ir_connection *reader = &catalog->reader;
    ir_schema_state state;
    ir_connection_mode mode = may_be_immutable(catalog) ? IR_CONNECTION_IMMUTABLE
                                                        : IR_CONNECTION_READ;
    catalog->reader_mode = mode;
    int32_t status = ir_connection_open(reader, catalog->path, mode, options, error);
    if (!status)
        status = look(reader, &state, error);
    bool no_access = status == IMGRET_IO || status == IMGRET_READ_ONLY ||
                     status == IMGRET_NOT_FOUND; /* of the log's index, which cannot be made */
    if (no_access && access(catalog->path, R_OK) == 0 && access(catalog->folder, W_OK) != 0)
        return ir_fail(error, IMGRET_IO,
                       "%s: its write-ahead log cannot be used where nothing may be written; open "
                       "and close the database once where it may",
                       catalog->path);
    if (status)
        return status;
    if (state.blank)
        return fail_not_found(catalog, error);
    if (state.version < ir_schema_current.oldest_readable)
        return ir_fail(error, IMGRET_READ_ONLY,
                       "%s: catalogue version %d must be brought up to date: open it once for "
                       "writing",
                       catalog->path, state.version);
    return ir_schema_verify(reader, &ir_schema_current, state.version, error);
}

static int32_t open_catalog(ir_catalog *catalog, const char *path,
                            const ir_catalog_options *options, bool *created, imgret_error *error)
{
    bool may_create = !options->existing && !options->read_only;
    bool exists, has_bytes;
    int32_t status = find_folder(catalog, path, may_create, error);
    if (!status)
        status = find_file(catalog, &exists, &has_bytes, error);
    if (status)
        return status;
    if (!has_bytes && !may_create)
        return fail_not_found(catalog, error);
    if (!exists)
        status = refuse_foreign_folder(catalog, error);
    if (status)
        return status;
    if (options->read_only)
        return open_read_only(catalog, options, error);
    if (has_bytes)
        status = look_first(catalog, options, error);
    if (!status)
        status = open_writer(catalog, options, created, error);
    catalog->reader_mode = IR_CONNECTION_READ;
    if (!status)
        status = ir_connection_open(&catalog->reader, catalog->path, catalog->reader_mode, options,
                                    error);
    return status;
}

static int32_t make_handle(ir_catalog **out, imgret_error *error)
{
    if (sqlite3_libversion_number() < SQLITE_VERSION_MIN || !sqlite3_threadsafe())
        return ir_fail(error, IMGRET_UNSUPPORTED,
                       "SQLite %s: at least 3.37, built for threads, is needed",
                       sqlite3_libversion());
    ir_catalog *catalog = ir_calloc(1, sizeof *catalog);
    if (!catalog)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a catalogue");
    if (ir_gate_init(&catalog->gate) != 0) {
        ir_free(catalog);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a lock");
    }
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&catalog->reader_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&catalog->filter_lock, NULL);
    pthread_mutex_init(&catalog->count_lock, NULL);
    *out = catalog;
    return IMGRET_OK;
}

int32_t ir_catalog_open(ir_catalog **out, const char *path, const ir_catalog_options *options,
                        bool *created, imgret_error *error)
{
    *out = NULL;
    bool is_new = false;
    ir_catalog *catalog = NULL;
    int32_t status = make_handle(&catalog, error);
    if (status)
        return status;
    catalog->read_only = options->read_only;
    catalog->reader_mode = IR_CONNECTION_READ;
    catalog->options = *options;
    status = open_catalog(catalog, path, options, &is_new, error);
    if (status) {
        ir_catalog_close(catalog);
        return status;
    }
    *out = catalog;
    if (created)
        *created = is_new;
    return IMGRET_OK;
}

static void forget(ir_catalog *catalog)
{
    ir_free(catalog->path);
    ir_free(catalog->folder);
    ir_free(catalog);
}

void ir_catalog_close(ir_catalog *catalog)
{
    if (!catalog)
        return;
    ir_filter_close(catalog->filter);
    ir_connection_close(&catalog->counter.connection);
    ir_connection_close(&catalog->reader);
    if (catalog->writer.db) {
        if (ir_connection_in_transaction(&catalog->writer)) /* of any thread: no other call runs */
            ir_connection_control(&catalog->writer, IR_SQL_ROLLBACK, NULL);
        /* Empties the log, which still holds what was removed, also when other processes keep the
         * database open. When they are reading right now it stays for later. */
        sqlite3_busy_timeout(catalog->writer.db, 0);
        sqlite3_wal_checkpoint_v2(catalog->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    ir_connection_close(&catalog->writer);
    ir_gate_destroy(&catalog->gate);
    pthread_mutex_destroy(&catalog->reader_lock);
    pthread_mutex_destroy(&catalog->filter_lock);
    pthread_mutex_destroy(&catalog->count_lock);
    forget(catalog);
}

/* SQLite's connections and the locks are left as they are: closing them could write to the
 * parent's files, and another thread may have held the locks at the moment of fork. */
void ir_catalog_abandon(ir_catalog *catalog)
{
    if (catalog)
        forget(catalog);
}
