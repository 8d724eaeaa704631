/* connection.h: one SQLite connection: opened safely, stoppable, its failures told as ours. */
#ifndef IR_CATALOG_CONNECTION_H
#define IR_CATALOG_CONNECTION_H

#include "catalog/catalog.h"

#include <sqlite3.h>

#define IR_CATALOG_PAGE_BYTES 8192            /* measured: docs/catalog.md */
#define IR_CATALOG_VALUE_BYTES_MAX (16 << 20) /* of one row, text or blob */

/* The statements that are prepared once a connection; their text is in statement.c. */
typedef enum ir_sql {
    IR_SQL_BEGIN_WRITE,
    IR_SQL_BEGIN_READ,
    IR_SQL_COMMIT,
    IR_SQL_ROLLBACK,
    IR_SQL_USER_VERSION,
    IR_SQL_DATA_VERSION,
    IR_SQL_GET_SETTING,
    IR_SQL_SET_SETTING,
    IR_SQL_FIND,
    IR_SQL_METADATA_IS_OBJECT,
    IR_SQL_INSERT_IMAGE,
    IR_SQL_REPLACE_IMAGE,
    IR_SQL_INSERT_REGION,
    IR_SQL_INSERT_VECTOR,
    IR_SQL_NOTE_REMOVALS,
    IR_SQL_DELETE_REGIONS,
    IR_SQL_DELETE_IMAGE,
    IR_SQL_TOUCH,
    IR_SQL_SET_METADATA,
    IR_SQL_SET_LABEL,
    IR_SQL_REMOVALS,
    IR_SQL_LAST_REMOVAL,
    IR_SQL_VECTORS,
    IR_SQL_IMAGE_REGION,
    IR_SQL_RECORD_OF_REGION,
    IR_SQL_HIT_OF_REGION,
    IR_SQL_IMAGE_OF_REGION,
    IR_SQL_RECORD_OF_IMAGE,
    IR_SQL_ANY_IMAGE,
    IR_SQL_LIST,
    IR_SQL_LIST_STORED,
    IR_SQL_LIST_FAILED,
    IR_SQL_LIST_URI,
    IR_SQL_COUNTS,
    IR_SQL_SEGMENTS,
    IR_SQL_INSERT_SEGMENT,
    IR_SQL_DELETE_SEGMENT,
    IR_SQL_DELETE_PENDING,
    IR_SQL_DELETE_REMOVALS,
    IR_SQL_REGION_IDS,
    IR_SQL_INSERT_SPACED_REGION,
    IR_SQL_INSERT_OBJECT,
    IR_SQL_OBJECT_COUNT,
    IR_SQL_REGION,
    IR_SQL_REGIONS_OF_IMAGE,
    IR_SQL_MOVE,
    IR_SQL_SET_VERDICT,
    IR_SQL_DELETE_VERDICT,
    IR_SQL_VERDICTS,
    IR_SQL_COUNT_PAIR,
    IR_SQL_COUNT
} ir_sql;

/* Used by one thread at a time; who holds which lock is the catalogue's business. */
typedef struct ir_connection {
    sqlite3 *db;
    const char *path; /* of catalog.db, for messages; not owned */
    bool (*stop)(void *context);
    void *stop_context;
    uint32_t busy_timeout_ms;
    int64_t waiting_since_ms;
    bool stopped_waiting; /* `stop` ended a wait: the BUSY that follows is an interruption */
    bool unstoppable;     /* while a transaction begins or ends, see ir_connection_control */
    sqlite3_stmt *cache[IR_SQL_COUNT];
} ir_connection;

typedef enum ir_connection_mode {
    IR_CONNECTION_LOOK,      /* read-only, without pragmas: leaves a stranger's file alone */
    IR_CONNECTION_READ,      /* read-only */
    IR_CONNECTION_IMMUTABLE, /* read-only and sure that nobody writes: no locks, no -shm */
    IR_CONNECTION_WRITE,     /* must exist */
    IR_CONNECTION_CREATE,
    IR_CONNECTION_TARGET, /* a new file that a backup is written to */
} ir_connection_mode;

/* `path` is absolute and outlives the connection. Close it, also after a failure. */
int32_t ir_connection_open(ir_connection *connection, const char *path, ir_connection_mode mode,
                           const ir_catalog_options *options, imgret_error *error);
void ir_connection_close(ir_connection *connection);

/* Runs SQL text without results. `doing` for messages: "creating the tables". */
int32_t ir_connection_exec(ir_connection *connection, const char *sql, const char *doing,
                           imgret_error *error);

/* The number that SQL text of one row and one column gives; IMGRET_CORRUPT when it gives none. */
int32_t ir_connection_int(ir_connection *connection, const char *sql, const char *doing,
                          int64_t *out, imgret_error *error);

/* Runs one of the four statements that begin or end a transaction. `stop` may end the wait for a
 * lock, but not the statement: SQLite asks its progress handler once more after COMMIT is done,
 * and a commit reported as interrupted would be a lie. */
int32_t ir_connection_control(ir_connection *connection, ir_sql sql, imgret_error *error);

/* True between BEGIN and its end, also the end that SQLite brings about on its own. */
bool ir_connection_in_transaction(const ir_connection *connection);

/* Fills `error` with "path: doing: SQLite's message" for a SQLite result code; returns the status.
 * The two-argument form only maps; errno_value tells a full disk from other failures. */
int32_t ir_connection_fail(const ir_connection *connection, int sqlite_code, const char *doing,
                           imgret_error *error);
int32_t ir_connection_status(int sqlite_code, int errno_value);

#endif
