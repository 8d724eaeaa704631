/* connection.c: one SQLite connection: opened safely, stoppable, its failures told as ours. */
#include "catalog/connection.h"

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/statement.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define BUSY_TIMEOUT_MS_DEFAULT 5000
#define PROGRESS_STEPS 4000 /* of SQLite's machine between two looks at `stop`: some 0.1 ms */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SQLite's busy handler: 1 tries again, 0 gives up. */
static int wait_for_lock(void *context, int tries)
{
    ir_connection *connection = context;
    if (connection->stop && connection->stop(connection->stop_context)) {
        connection->stopped_waiting = true;
        return 0;
    }
    int64_t now = now_ms();
    if (tries == 0)
        connection->waiting_since_ms = now;
    if (now - connection->waiting_since_ms >= connection->busy_timeout_ms)
        return 0;
    struct timespec pause = {0, tries < 10 ? 1000000L : 5000000L};
    nanosleep(&pause, NULL);
    return 1;
}

static int stop_statement(void *context)
{
    ir_connection *connection = context;
    return !connection->unstoppable && connection->stop(connection->stop_context);
}

int32_t ir_connection_status(int sqlite_code, int errno_value)
{
    bool no_space = errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
    switch (sqlite_code & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return IMGRET_OK;
    case SQLITE_FULL:
        return IMGRET_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* lost the race for a WAL lock too often */
        return IMGRET_BUSY;
    case SQLITE_READONLY:
        return IMGRET_READ_ONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_CONSTRAINT: /* expected ones are handled where they occur */
        return IMGRET_CORRUPT;
    case SQLITE_NOMEM:
        return IMGRET_NO_MEMORY;
    case SQLITE_INTERRUPT:
        return IMGRET_INTERRUPTED;
    case SQLITE_TOOBIG:
        return IMGRET_LIMIT;
    case SQLITE_IOERR:
        if (sqlite_code == SQLITE_IOERR_NOMEM)
            return IMGRET_NO_MEMORY;
        return no_space ? IMGRET_FULL : IMGRET_IO;
    case SQLITE_CANTOPEN:
        if (errno_value == ENOENT || errno_value == ENOTDIR)
            return IMGRET_NOT_FOUND;
        return no_space ? IMGRET_FULL : IMGRET_IO;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOLFS:
        return IMGRET_IO;
    default:
        return IMGRET_INTERNAL;
    }
}

int32_t ir_connection_fail(const ir_connection *connection, int sqlite_code, const char *doing,
                           imgret_error *error)
{
    /* SQLite does not pass on every cause, as of a log that met a file size limit. */
    int last = errno, known = connection->db ? sqlite3_system_errno(connection->db) : 0;
    int cause = known ? known : last;
    int32_t status = ir_connection_status(sqlite_code, cause);
    if (connection->stopped_waiting && status == IMGRET_BUSY)
        status = IMGRET_INTERRUPTED;
    /* The message of another failure than this one would mislead. */
    bool own = connection->db && sqlite3_extended_errcode(connection->db) == sqlite_code;
    const char *text = own ? sqlite3_errmsg(connection->db) : sqlite3_errstr(sqlite_code);
    /* A schema format that SQLite does not know comes as SQLITE_ERROR, as our own mistakes would. */
    if (status == IMGRET_INTERNAL && strcmp(text, "unsupported file format") == 0)
        status = IMGRET_CORRUPT;
    bool system = status == IMGRET_IO && cause != 0;
    return ir_fail(error, status, "%s: %s: %s%s%s%s", connection->path, doing, text,
                   system ? " (" : "", system ? strerror(cause) : "", system ? ")" : "");
}

int32_t ir_connection_exec(ir_connection *connection, const char *sql, const char *doing,
                           imgret_error *error)
{
    connection->stopped_waiting = false;
    errno = 0;
    int code = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? IMGRET_OK : ir_connection_fail(connection, code, doing, error);
}

int32_t ir_connection_int(ir_connection *connection, const char *sql, const char *doing,
                          int64_t *out, imgret_error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    int32_t status = IMGRET_OK;
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        status = ir_connection_fail(connection, code == SQLITE_DONE ? SQLITE_CORRUPT : code, doing,
                                    error);
    sqlite3_finalize(statement);
    return status;
}

int32_t ir_connection_control(ir_connection *connection, ir_sql sql, imgret_error *error)
{
    const char *doing = sql == IR_SQL_COMMIT     ? "committing"
                        : sql == IR_SQL_ROLLBACK ? "rolling back"
                                                 : "starting a transaction";
    ir_statement statement;
    connection->unstoppable = true;
    ir_statement_start(&statement, connection, sql, doing);
    int32_t status = ir_statement_run(&statement, error);
    connection->unstoppable = false;
    return status;
}

bool ir_connection_in_transaction(const ir_connection *connection)
{
    return !sqlite3_get_autocommit(connection->db);
}

static pthread_once_t json_asked = PTHREAD_ONCE_INIT;
static int json_is_unsafe; /* in indexes of a file that is not trusted; written once */

/* Some versions of SQLite (3.40 is one) call JSON functions unsafe there. */
static void ask_about_json(void)
{
    sqlite3 *db = NULL;
    bool safe = sqlite3_open(":memory:", &db) == SQLITE_OK &&
                sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
                sqlite3_exec(db, "CREATE TABLE t (a); CREATE INDEX i ON t (a ->> 'b')", NULL, NULL,
                             NULL) == SQLITE_OK;
    json_is_unsafe = !safe;
    sqlite3_close(db);
}

/* The file is data, never code: nothing in it may run, and no value may be huge. The schema is trusted
 * where an index on metadata could not be read otherwise. It may then name functions that SQLite calls
 * unsafe, but before anything of it is used schema.c has compared it, every word, with what we make. */
static int distrust(sqlite3 *db)
{
    pthread_once(&json_asked, ask_about_json);
    const struct {
        int option, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, json_is_unsafe},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, IR_CATALOG_VALUE_BYTES_MAX},
        {SQLITE_LIMIT_SQL_LENGTH, 1 << 16},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 64},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_VDBE_OP, 25000},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 64},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 8},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        int code = sqlite3_db_config(db, switches[i].option, switches[i].value, NULL);
        if (code != SQLITE_OK)
            return code;
    }
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].limit, limits[i].value);
    return SQLITE_OK;
}

/* "file:/path?immutable=1" with every byte that could mean something in a URI escaped. */
static char *immutable_uri(const char *path)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char head[] = "file:", tail[] = "?immutable=1";
    size_t length = strlen(path);
    char *uri = ir_malloc_array(length + sizeof head + sizeof tail, 3);
    if (!uri)
        return NULL;
    char *to = stpcpy(uri, head);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)path[i];
        if (byte == '/' || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= 'a' && byte <= 'z')) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = hex[byte >> 4];
            *to++ = hex[byte & 15];
        }
    }
    memcpy(to, tail, strlen(tail) + 1);
    return uri;
}

static int32_t open_file(ir_connection *connection, ir_connection_mode mode, imgret_error *error)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    char *uri = NULL;
    if (mode == IR_CONNECTION_WRITE)
        flags |= SQLITE_OPEN_READWRITE;
    else if (mode == IR_CONNECTION_CREATE || mode == IR_CONNECTION_TARGET)
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    else
        flags |= SQLITE_OPEN_READONLY;
    if (mode == IR_CONNECTION_IMMUTABLE) {
        flags |= SQLITE_OPEN_URI;
        uri = immutable_uri(connection->path);
        if (!uri)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    }
    errno = 0;
    int code = sqlite3_open_v2(uri ? uri : connection->path, &connection->db, flags, NULL);
    ir_free(uri);
    if (code != SQLITE_OK)
        return ir_connection_fail(connection, code, "opening", error);
    if (flags & SQLITE_OPEN_READWRITE && sqlite3_db_readonly(connection->db, "main") == 1)
        return ir_fail(error, IMGRET_READ_ONLY, "%s: the file may not be written",
                       connection->path);
    return IMGRET_OK;
}

/* WAL lets readers and the writer work at once; FULL makes a commit durable when it returns. The
 * write-ahead log is checkpointed every 16 MiB and cut back to that when it grew beyond. mmap stays
 * off: a file cut short by somebody else would kill the process instead of giving an error. */
static const char *pragmas_of(ir_connection_mode mode)
{
    static const char read[] = "PRAGMA mmap_size=0;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA cell_size_check=ON;"
                               "PRAGMA cache_size=-4096";
    static const char write[] = "PRAGMA mmap_size=0;"
                                "PRAGMA temp_store=MEMORY;"
                                "PRAGMA cell_size_check=ON;"
                                "PRAGMA cache_size=-8192;"
                                "PRAGMA secure_delete=ON;"
                                "PRAGMA synchronous=FULL;"
                                "PRAGMA wal_autocheckpoint=2048;"
                                "PRAGMA journal_size_limit=16777216";
    bool writes = mode == IR_CONNECTION_WRITE || mode == IR_CONNECTION_CREATE;
    bool none = mode == IR_CONNECTION_LOOK || mode == IR_CONNECTION_TARGET;
    return none ? NULL : writes ? write : read;
}

int32_t ir_connection_open(ir_connection *connection, const char *path, ir_connection_mode mode,
                           const ir_catalog_options *options, imgret_error *error)
{
    *connection = (ir_connection){
        .path = path,
        .stop = options->stop,
        .stop_context = options->stop_context,
        .busy_timeout_ms = options->busy_timeout_ms == IMGRET_NO_WAIT ? 0
                           : options->busy_timeout_ms                 ? options->busy_timeout_ms
                                                                      : BUSY_TIMEOUT_MS_DEFAULT,
    };
    int32_t status = open_file(connection, mode, error);
    if (status)
        return status;
    sqlite3_extended_result_codes(connection->db, 1);
    sqlite3_busy_handler(connection->db, wait_for_lock, connection);
    if (connection->stop)
        sqlite3_progress_handler(connection->db, PROGRESS_STEPS, stop_statement, connection);
    int code = distrust(connection->db);
    if (code != SQLITE_OK)
        return ir_connection_fail(connection, code, "configuring SQLite", error);
    const char *pragmas = pragmas_of(mode);
    return pragmas ? ir_connection_exec(connection, pragmas, "opening", error) : IMGRET_OK;
}

void ir_connection_close(ir_connection *connection)
{
    for (int i = 0; i < IR_SQL_COUNT; i++)
        sqlite3_finalize(connection->cache[i]);
    memset(connection->cache, 0, sizeof connection->cache);
    if (connection->db)
        sqlite3_close(connection->db);
    connection->db = NULL;
}
