/* index_text.c: which expressions can be indexed, and how each is written.
 *
 * SQLite uses an index on an expression for filters that hold the very same expression: what stands here
 * is what filter_text.c puts in the place of a column's name. Only what is deterministic in every SQLite
 * and needs no function of ours is allowed, so that other programs can work on the file, too.
 */
#include "catalog/index_text.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 200
#define SHOWN 80 /* bytes of what was given, in messages */

typedef struct column {
    const char *name;
    const char *sql;   /* NULL: the name itself */
    const char *table; /* NULL: images */
    bool always;       /* never NULL */
} column;

static const column columns[] = {
    {"format", NULL, NULL, true},
    {"width", NULL, NULL, true},
    {"height", NULL, NULL, true},
    {"aspect", "CAST(width AS REAL) / nullif(height, 0)", NULL, false},
    {"file_bytes", NULL, NULL, true},
    {"modified_ns", NULL, NULL, true},
    {"added_ms", NULL, NULL, true},
    {"content_hash", "lower(hex(content_hash))", NULL, false},
    {"failure_code", NULL, NULL, true},
    {"brightness", NULL, NULL, false},
    {"contrast", NULL, NULL, false},
    {"saturation", NULL, NULL, false},
    {"warmth", NULL, NULL, false},
    {"sharpness", NULL, NULL, false},
    {"tone",
     "CASE WHEN warmth IS NULL THEN NULL WHEN warmth > 0.2 THEN 'warm' "
     "WHEN warmth < -0.2 THEN 'cool' ELSE 'neutral' END",
     NULL, false},
    {"perceptual_hash", NULL, NULL, false},
    {"orientation", NULL, NULL, false},
    {"camera_make", NULL, NULL, false},
    {"longitude", NULL, NULL, false},
    {"label_score", NULL, NULL, false},
    {"region_score", "score", "regions", false},
};

static const char *const indexed[] = {"id",    "uri",      "label",        "region_label",
                                      "color", "taken_at", "camera_model", "latitude"};

static int32_t refuse(const char *given, const char *why, imgret_error *error)
{
    char shown[SHOWN + 1];
    snprintf(shown, sizeof shown, "%s", given);
    shown[ir_utf8_valid_bytes(shown, strlen(shown))] = '\0';
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "index '%s': %s", shown, why);
}

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n\f");
}

/* ---- paths ---- */

/* Bytes that no SQLite takes for anything but a part of a name. */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != 0x7F && !strchr("'\"\\.[]", byte);
}

static size_t plain_bytes(const char *at)
{
    size_t count = 0;
    while (at[count] && is_plain((unsigned char)at[count]))
        count++;
    return count;
}

/* Past one step of a path: .name, ."name" or [number]; NULL when it is none. */
static const char *skip_step(const char *at)
{
    if (*at == '[') {
        size_t digits = strspn(at + 1, "0123456789");
        return digits >= 1 && digits <= 9 && at[1 + digits] == ']' ? at + digits + 2 : NULL;
    }
    if (*at++ != '.')
        return NULL;
    if (*at != '"') {
        size_t count = plain_bytes(at);
        return count ? at + count : NULL;
    }
    for (at++; *at != '"'; at++)
        if (!*at || (!is_plain((unsigned char)*at) && !strchr(".[]", *at)))
            return NULL;
    return at + 1;
}

/* A key, which SQLite versions differ about when it begins with a digit, or a path from $ on. */
static bool is_path(const char *path)
{
    if (path[0] != '$')
        return path[0] && !(path[0] >= '0' && path[0] <= '9') && path[plain_bytes(path)] == '\0';
    const char *at = path + 1;
    while (at && *at)
        at = skip_step(at);
    return at && path[1];
}

/* ---- the whole ---- */

/* What is NULL need not be found. Where nothing can be, SQLite would not see that a filter implies it. */
static void write_sql(ir_index_text *out, const char *table, const char *expression, bool always)
{
    sqlite3_snprintf(sizeof out->sql, out->sql,
                     "CREATE INDEX \"" IR_INDEX_PREFIX "%w\" ON %s (%s)%s%s%s", out->expression,
                     table, expression, always ? "" : " WHERE (", always ? "" : expression,
                     always ? "" : ") IS NOT NULL");
}

static int32_t read_path(ir_index_text *out, const char *given, const char *at, imgret_error *error)
{
    char path[PATH_BYTES_MAX + 1], expression[PATH_BYTES_MAX + 32];
    at = skip_space(at);
    if (strncmp(at, "->>", 3) != 0)
        return refuse(given, "of metadata a value is indexed: meta->>'key'", error);
    at = skip_space(at + 3);
    const char *end = *at == '\'' ? strchr(at + 1, '\'') : NULL;
    if (!end || *skip_space(end + 1))
        return refuse(given, "behind ->> stands one text: meta->>'key' or meta->>'$.a.b'", error);
    size_t bytes = (size_t)(end - at - 1);
    if (bytes > PATH_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "index: a path of more than %d bytes", PATH_BYTES_MAX);
    memcpy(path, at + 1, bytes);
    path[bytes] = '\0';
    if (!is_path(path) || ir_utf8_valid_bytes(path, bytes) != bytes)
        return refuse(given, "the path is neither a key nor like $.a.b, $.a[0], $.\"a b\"", error);
    snprintf(out->expression, sizeof out->expression, "meta->>'%s'", path);
    snprintf(expression, sizeof expression, "metadata ->> '%s'", path);
    write_sql(out, "images", expression, false);
    return IMGRET_OK;
}

int32_t ir_index_text_read(ir_index_text *out, const char *given, imgret_error *error)
{
    char name[32];
    const char *at = skip_space(given);
    size_t bytes = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");
    snprintf(name, sizeof name, "%.*s", bytes < sizeof name ? (int)bytes : 0, at);
    if (sqlite3_stricmp(name, "meta") == 0 || sqlite3_stricmp(name, "metadata") == 0)
        return read_path(out, given, at + bytes, error);
    bool alone = bytes > 0 && !*skip_space(at + bytes);
    for (size_t i = 0; alone && i < sizeof indexed / sizeof indexed[0]; i++)
        if (sqlite3_stricmp(name, indexed[i]) == 0)
            return ir_fail(error, IMGRET_EXISTS, "index '%s': this column always has one",
                           indexed[i]);
    for (size_t i = 0; alone && i < sizeof columns / sizeof columns[0]; i++) {
        const column *found = &columns[i];
        if (sqlite3_stricmp(name, found->name) != 0)
            continue;
        snprintf(out->expression, sizeof out->expression, "%s", found->name);
        write_sql(out, found->table ? found->table : "images",
                  found->sql ? found->sql : found->name, found->always);
        return IMGRET_OK;
    }
    return refuse(given, "is neither a column that can be indexed nor meta->>'key'", error);
}

bool ir_index_text_is(const char *name, const char *table, const char *sql)
{
    size_t prefix = strlen(IR_INDEX_PREFIX);
    ir_index_text made;
    if (!name || !table || !sql || strncmp(name, IR_INDEX_PREFIX, prefix) != 0 ||
        ir_index_text_read(&made, name + prefix, NULL) != IMGRET_OK)
        return false;
    const char *on = strcmp(made.expression, "region_score") == 0 ? "regions" : "images";
    return strcmp(made.expression, name + prefix) == 0 && strcmp(table, on) == 0 &&
           strcmp(made.sql, sql) == 0;
}

char *ir_index_text_drop(const ir_index_text *index)
{
    char name[2 * IR_INDEX_EXPRESSION_BYTES + 32];
    sqlite3_snprintf(sizeof name, name, "\"" IR_INDEX_PREFIX "%w\"", index->expression);
    return ir_asprintf("DROP INDEX %s", name);
}
