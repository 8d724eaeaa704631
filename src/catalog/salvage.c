/* salvage.c: the life of a salvage: the lock, the new catalogue, the exchange.
 *
 * The lock: leaving WAL mode works only when nobody else has the file open, and copies the log into it; an
 * exclusive transaction then keeps everybody out. Who waits to open it meanwhile finds, when it is
 * released, a file that lost its name, and SQLite refuses to write to such a file. Since there is no log
 * any more, the exchange is one rename, and a stop at any moment leaves the old catalogue or the new.
 */
#include "catalog/salvage_inside.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASIDE_MAX = 100 };

int32_t ir_salvage_tell(ir_salvage *salvage, const char *message, imgret_error *error)
{
    const ir_salvage_options *options = &salvage->options;
    if (!options->on_loss || options->on_loss(options->context, message) == 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the salvage was stopped by its callback");
}

/* ---- the lock ---- */

static int32_t lock_folder(ir_salvage *salvage, imgret_error *error)
{
    salvage->folder_lock = open(salvage->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (salvage->folder_lock < 0)
        return ir_fail_errno(error, errno, "open folder", salvage->folder);
    if (flock(salvage->folder_lock, LOCK_EX | LOCK_NB) == 0)
        return IMGRET_OK;
    close(salvage->folder_lock);
    salvage->folder_lock = -1;
    return ir_fail(error, IMGRET_BUSY,
                   "%s: another process optimizes, backs up or salvages this database",
                   salvage->folder);
}

/* True when the file is in the mode that the exclusive transaction relies on. */
static bool has_no_log(ir_connection *lock)
{
    sqlite3_stmt *statement = NULL;
    bool none = sqlite3_prepare_v2(lock->db, "PRAGMA journal_mode", -1, &statement, NULL) ==
                    SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW &&
                strcmp((const char *)sqlite3_column_text(statement, 0), "delete") == 0;
    sqlite3_finalize(statement);
    return none;
}

static int32_t lock_file(ir_salvage *salvage, const ir_catalog_options *options,
                         imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    ir_connection *lock = &salvage->lock;
    int32_t status = ir_connection_open(lock, salvage->path, IR_CONNECTION_WRITE, options, &reason);
    if (!status)
        status = ir_connection_exec(lock, "PRAGMA journal_mode=DELETE", "locking", &reason);
    if (!status)
        status = ir_connection_exec(lock, "BEGIN EXCLUSIVE", "locking", &reason);
    if (!status && !has_no_log(lock))
        status = IMGRET_BUSY;
    if (status == IMGRET_BUSY)
        return ir_fail(error, status, "%s: is open elsewhere; close it everywhere to salvage it",
                       salvage->path);
    return status ? ir_fail(error, status, "%s", reason.message) : IMGRET_OK;
}

/* Whether the tables can be relied on. *foreign: they can be read, and are not ours. */
static int32_t look(ir_salvage *salvage, ir_connection *connection, bool *foreign,
                    imgret_error *error)
{
    ir_schema_state state;
    int32_t status = ir_schema_look(connection, &ir_schema_current, &state, error);
    *foreign = status == IMGRET_CORRUPT && strstr(error->message, "another program's");
    if (!status && state.blank) {
        *foreign = true;
        return ir_fail(error, IMGRET_CORRUPT, "%s: holds nothing", salvage->path);
    }
    salvage->version = state.version;
    return status ? status : ir_schema_verify(connection, &ir_schema_current, state.version, error);
}

/* ---- the new catalogue ---- */

static void remove_partial(const ir_salvage *salvage)
{
    static const char *const names[] = {"catalog.db",         "catalog.db-wal",    "catalog.db-shm",
                                        "grafted.db",         "grafted.db-wal",    "grafted.db-shm",
                                        "catalog.db-journal", "grafted.db-journal"};
    for (size_t i = 0; salvage->partial && i < sizeof names / sizeof names[0]; i++) {
        char *path = ir_path_join(salvage->partial, names[i]);
        if (path)
            unlink(path);
        ir_free(path);
    }
    if (salvage->partial)
        rmdir(salvage->partial);
}

static int32_t find_paths(ir_salvage *salvage, const char *folder, imgret_error *error)
{
    char *resolved = realpath(folder, NULL);
    if (!resolved)
        return ir_fail_errno(error, errno, "resolve", folder);
    salvage->folder = ir_strdup(resolved);
    free(resolved);
    salvage->path = salvage->folder ? ir_path_join(salvage->folder, "catalog.db") : NULL;
    salvage->partial = salvage->folder ? ir_path_join(salvage->folder, "salvage.imgret-partial")
                                       : NULL;
    if (!salvage->path || !salvage->partial)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    struct stat info;
    if (stat(salvage->path, &info) != 0 && errno == ENOENT)
        return ir_fail(error, IMGRET_NOT_FOUND, "%s: there is no database in this folder",
                       salvage->folder);
    return IMGRET_OK;
}

/* Nothing but the salvage uses it, so that references may stay open until all rows are there. */
static int32_t make_fresh(ir_salvage *salvage, imgret_error *error)
{
    const ir_catalog_options options = {.fresh = true};
    remove_partial(salvage); /* of one that was killed */
    int32_t status = ir_catalog_open(&salvage->fresh, salvage->partial, &options, NULL, error);
    return status ? status
                  : ir_connection_exec(&salvage->fresh->writer, "PRAGMA foreign_keys=OFF",
                                       "preparing a salvage", error);
}

/* Locks the file where that can be done, and opens a copy of it. */
static int32_t open_source(ir_salvage *salvage, const ir_catalog_options *options,
                           imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    bool foreign = false;
    int32_t status = lock_file(salvage, options, &reason);
    if (!status)
        status = look(salvage, &salvage->lock, &foreign, &reason);
    if (status && (status != IMGRET_CORRUPT || foreign))
        return ir_fail(error, status, "%s", reason.message);
    if (status) {
        salvage->headless = true;
        if (salvage->lock.db && ir_connection_in_transaction(&salvage->lock))
            ir_connection_exec(&salvage->lock, "ROLLBACK", "unlocking", NULL);
        ir_connection_close(&salvage->lock);
        status = ir_salvage_tell(salvage, reason.message, error);
    }
    if (!status)
        status = ir_salvage_graft(salvage, error);
    if (!status)
        status = ir_connection_open(&salvage->source, salvage->grafted, IR_CONNECTION_WRITE,
                                    options, error);
    return status ? status : look(salvage, &salvage->source, &foreign, error);
}

int32_t ir_salvage_open(ir_salvage **out, const char *folder, const ir_salvage_options *options,
                        imgret_error *error)
{
    *out = NULL;
    ir_salvage *salvage = ir_calloc(1, sizeof *salvage);
    if (!salvage)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
    salvage->options = *options;
    salvage->folder_lock = -1;
    const ir_catalog_options opening = {.existing = true,
                                        .busy_timeout_ms = options->busy_timeout_ms};
    int32_t status = find_paths(salvage, folder, error);
    if (!status)
        status = lock_folder(salvage, error);
    if (!status)
        status = make_fresh(salvage, error);
    if (!status)
        status = open_source(salvage, &opening, error);
    if (status) {
        ir_salvage_close(salvage);
        return status;
    }
    *out = salvage;
    return IMGRET_OK;
}

ir_catalog *ir_salvage_catalog(ir_salvage *salvage)
{
    return salvage->fresh;
}

const ir_salvage_counts *ir_salvage_get_counts(const ir_salvage *salvage)
{
    return &salvage->counts;
}

/* ---- the exchange ---- */

/* A second name for the old file, or, where the file system has none, another one. */
static int32_t set_aside(ir_salvage *salvage, imgret_error *error)
{
    for (int i = 1; i <= ASIDE_MAX; i++) {
        if (i == 1)
            strcpy(salvage->aside, "catalog.db.damaged");
        else
            snprintf(salvage->aside, sizeof salvage->aside, "catalog.db.damaged-%d", i);
        char *to = ir_path_join(salvage->folder, salvage->aside);
        if (!to)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
        int failed = link(salvage->path, to) != 0 ? errno : 0;
        bool no_links = failed == EPERM || failed == EOPNOTSUPP || failed == ENOSYS ||
                        failed == EMLINK;
        if (no_links)
            failed = access(to, F_OK) == 0 ? EEXIST : rename(salvage->path, to) != 0 ? errno : 0;
        int32_t status = failed && failed != EEXIST ? ir_fail_errno(error, failed, "make", to)
                                                    : IMGRET_OK;
        ir_free(to);
        if (failed != EEXIST)
            return status;
    }
    return ir_fail(error, IMGRET_EXISTS, "%s: holds %d damaged catalogues already", salvage->folder,
                   ASIDE_MAX);
}

/* The log of a file that could not be opened goes with it: to the new one it would be poison. */
static int32_t set_log_aside(const ir_salvage *salvage, imgret_error *error)
{
    char *from = ir_asprintf("%s-wal", salvage->path);
    char *index = ir_asprintf("%s-shm", salvage->path);
    char *to = ir_asprintf("%s/%s-wal", salvage->folder, salvage->aside);
    int32_t status = IMGRET_OK;
    if (!from || !index || !to)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    else if (rename(from, to) != 0 && errno != ENOENT)
        status = ir_fail_errno(error, errno, "rename", from);
    else
        unlink(index);
    ir_free(from);
    ir_free(index);
    ir_free(to);
    return status;
}

/* Closing copies the log of the new catalogue into it, and deletes it. */
static int32_t close_fresh(ir_salvage *salvage, const char *made, imgret_error *error)
{
    ir_catalog_close(salvage->fresh);
    salvage->fresh = NULL;
    char *log = ir_asprintf("%s-wal", made);
    if (!log)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    struct stat info;
    int32_t status = stat(log, &info) == 0 && info.st_size > 0
                         ? ir_fail(error, IMGRET_IO, "%s: the new catalogue could not be finished",
                                   log)
                         : IMGRET_OK;
    ir_free(log);
    return status;
}

int32_t ir_salvage_finish(ir_salvage *salvage, const char **aside, imgret_error *error)
{
    char *made = ir_path_join(salvage->partial, "catalog.db");
    if (!made)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    int32_t status = close_fresh(salvage, made, error);
    if (!status)
        status = set_aside(salvage, error);
    if (!status && salvage->headless)
        status = set_log_aside(salvage, error);
    if (!status)
        status = ir_folder_sync(salvage->folder, error);
    if (!status && rename(made, salvage->path) != 0)
        status = ir_fail_errno(error, errno, "rename", made);
    if (!status) {
        salvage->finished = true;
        status = ir_folder_sync(salvage->folder, error);
    }
    ir_free(made);
    *aside = salvage->aside;
    return status;
}

void ir_salvage_close(ir_salvage *salvage)
{
    if (!salvage)
        return;
    ir_catalog_close(salvage->fresh);
    ir_connection_close(&salvage->source);
    if (salvage->lock.db && ir_connection_in_transaction(&salvage->lock))
        ir_connection_exec(&salvage->lock, "ROLLBACK", "unlocking", NULL);
    ir_connection_close(&salvage->lock);
    if (salvage->folder_lock >= 0) {
        remove_partial(salvage);
        close(salvage->folder_lock);
    }
    ir_free(salvage->grafted);
    ir_free(salvage->partial);
    ir_free(salvage->path);
    ir_free(salvage->folder);
    ir_free(salvage);
}
