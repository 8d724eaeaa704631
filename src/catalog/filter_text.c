/* filter_text.c: what a filter may say: its text, its columns, its functions.
 *
 * A filter is an expression that somebody else wrote. Three walls, each enough alone, keep it one:
 *  1. its brackets are balanced and its quotes closed, so that it stays inside the brackets it is
 *     put in, and no word in it begins a query;
 *  2. the authorizer lets SQLite compile nothing but reads of two tables and plain functions, and
 *     only the two SELECTs of the frame: no sub-query, no other statement;
 *  3. the connection is opened for reading only.
 */
#include "catalog/filter_text.h"

#include "base/alloc.h"
#include "base/error.h"

#include <inttypes.h>
#include <string.h>

#define WHERE_BYTES_MAX (16 << 10)
#define FRAME_SELECTS 2

static int32_t refuse(imgret_error *error, const char *what)
{
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "where: %s", what);
}

static bool is_name_byte(unsigned char byte)
{
    return byte == '_' || byte == '$' || byte >= 0x80 || (byte >= '0' && byte <= '9') ||
           (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

/* Past the closing quote of what begins at `at`; NULL when there is none. */
static const char *skip_quoted(const char *at)
{
    char close = *at == '[' ? ']' : *at;
    for (at++; *at; at++) {
        if (*at != close)
            continue;
        if (close == ']' || at[1] != close)
            return at + 1;
        at++; /* doubled: the character itself */
    }
    return NULL;
}

/* Past a parameter; NULL for the forms of other languages, which may hold brackets and quotes. */
static const char *skip_parameter(const char *at)
{
    for (at++; is_name_byte((unsigned char)*at); at++)
        ;
    return *at == '(' || *at == ':' ? NULL : at;
}

/* Past a word or number; NULL for the words that begin a query. SQLite does not ask the authorizer
 * about every sub-query: "x IN (SELECT y FROM t)" may become a look into an index. */
static const char *skip_word(const char *at)
{
    static const char *const queries[] = {"SELECT", "VALUES", "WITH"};
    const char *start = at;
    while (is_name_byte((unsigned char)*at))
        at++;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if ((size_t)(at - start) == strlen(queries[i]) &&
            sqlite3_strnicmp(start, queries[i], (int)(at - start)) == 0)
            return NULL;
    return at;
}

int32_t ir_filter_check_text(const char *where, imgret_error *error)
{
    if (strnlen(where, WHERE_BYTES_MAX + 1) > WHERE_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "where: longer than %d bytes", WHERE_BYTES_MAX);
    if (where[strspn(where, " \t\r\n\f")] == '\0')
        return refuse(error, "the expression is empty");
    int depth = 0;
    for (const char *at = where; *at;) {
        if (strchr("'\"`[", *at)) {
            at = skip_quoted(at);
            if (!at)
                return refuse(error, "a quote is not closed");
            continue;
        }
        if (strchr(":@#$", *at)) {
            at = skip_parameter(at);
            if (!at)
                return refuse(error, "a parameter is written :name");
            continue;
        }
        if (is_name_byte((unsigned char)*at)) {
            at = skip_word(at);
            if (!at)
                return refuse(error, "a sub-query is not allowed");
            continue;
        }
        if (*at == ';')
            return refuse(error, "one expression only, there is a ';'");
        if ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'))
            return refuse(error, "comments are not allowed");
        depth += (*at == '(') - (*at == ')');
        if (depth < 0)
            return refuse(error, "there is a ')' too many");
        at++;
    }
    return depth ? refuse(error, "there is a '(' too many") : IMGRET_OK;
}

/* The columns of docs/filters.md, from those of the table. The planner sees through them, so that
 * indexes are used. */
#define COLUMNS                                                                                   \
    "images.id AS id, images.uri AS uri, images.state AS state, images.format AS format, "        \
    "images.width AS width, images.height AS height, "                                            \
    "CAST(images.width AS REAL) / nullif(images.height, 0) AS aspect, "                           \
    "images.file_bytes AS file_bytes, images.modified_ns AS modified_ns, "                        \
    "strftime('%%Y-%%m-%%d %%H:%%M:%%S', nullif(images.modified_ns, 0) / 1000000000, "            \
    "'unixepoch') AS modified_at, images.added_ms AS added_ms, "                                  \
    "strftime('%%Y-%%m-%%d %%H:%%M:%%S', images.added_ms / 1000, 'unixepoch') AS added_at, "      \
    "lower(hex(images.content_hash)) AS content_hash, images.failure AS failure, "                \
    "images.failure_code AS failure_code, images.metadata AS meta, images.metadata AS metadata, " \
    "images.brightness AS brightness, images.contrast AS contrast, "                              \
    "images.saturation AS saturation, images.warmth AS warmth, images.sharpness AS sharpness, "   \
    "CASE WHEN images.warmth IS NULL THEN NULL WHEN images.warmth > 0.2 THEN 'warm' "             \
    "WHEN images.warmth < -0.2 THEN 'cool' ELSE 'neutral' END AS tone, "                          \
    "images.perceptual_hash AS perceptual_hash, images.color AS color, "                          \
    "ir_share(images.color_shares, 0) AS black, ir_share(images.color_shares, 1) AS grey, "       \
    "ir_share(images.color_shares, 2) AS white, ir_share(images.color_shares, 3) AS red, "        \
    "ir_share(images.color_shares, 4) AS orange, ir_share(images.color_shares, 5) AS yellow, "    \
    "ir_share(images.color_shares, 6) AS green, ir_share(images.color_shares, 7) AS blue, "       \
    "ir_share(images.color_shares, 8) AS purple, ir_share(images.color_shares, 9) AS pink, "      \
    "ir_share(images.color_shares, 10) AS brown, "                                                \
    "images.orientation AS orientation, images.taken_at AS taken_at, "                            \
    "images.camera_make AS camera_make, images.camera_model AS camera_model, "                    \
    "images.latitude AS latitude, images.longitude AS longitude, images.label AS label, "         \
    "images.label_score AS label_score "

/* Behind COLUMNS: of an object what its detector said, and nothing where images are asked for. */
#define OF_REGION ", regions.label AS region_label, regions.score AS region_score "
#define OF_NO_REGION ", NULL AS region_label, NULL AS region_score "

char *ir_filter_sql(const char *where, const imgret_list_options *listing)
{
    if (!listing)
        return ir_asprintf("SELECT region, id FROM (SELECT regions.id AS region, " COLUMNS OF_REGION
                           "FROM images JOIN regions ON regions.image = images.id) AS picture "
                           "WHERE (%s\n)",
                           where);
    uint64_t limit = listing->limit < INT64_MAX ? listing->limit : INT64_MAX;
    return ir_asprintf("SELECT id FROM (SELECT " COLUMNS OF_NO_REGION "FROM images) AS picture "
                       "WHERE id > %" PRId64 " AND (%" PRId32 " = 0 OR state = %" PRId32
                       ") AND (%s\n) ORDER BY id LIMIT %" PRIu64,
                       listing->after_id, listing->state, listing->state, where, limit);
}

char *ir_filter_sql_palettes(const char *where)
{
    return ir_asprintf(
        "SELECT id, palette FROM (SELECT images.palette AS palette, " COLUMNS OF_NO_REGION
        "FROM images) AS picture WHERE state = 1 AND palette IS NOT NULL AND (%s\n)",
        where);
}

char *ir_filter_sql_state(const char *where, int32_t state)
{
    return ir_asprintf("SELECT id FROM (SELECT " COLUMNS OF_NO_REGION "FROM images) AS picture "
                       "WHERE (%" PRId32 " = 0 OR state = %" PRId32 ") AND (%s\n)",
                       state, state, where);
}

/* ---- functions ---- */

/* ir_share(color_shares, n): the n-th share, 0..1. */
static void share(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    int n = sqlite3_value_int(values[1]);
    const uint8_t *shares = sqlite3_value_blob(values[0]);
    if (shares && n >= 0 && n < sqlite3_value_bytes(values[0]))
        sqlite3_result_double(context, shares[n] / 255.0);
}

/* hamming(a, b): how many of 64 bits differ; NULL when either is no integer. */
static void hamming(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) != SQLITE_INTEGER ||
        sqlite3_value_type(values[1]) != SQLITE_INTEGER)
        return;
    uint64_t differing = (uint64_t)sqlite3_value_int64(values[0]) ^
                         (uint64_t)sqlite3_value_int64(values[1]);
    sqlite3_result_int(context, __builtin_popcountll(differing));
}

/* Functions that only look at their arguments and make nothing much larger of them. The first two
 * date functions take 'now', which is the same throughout a statement. */
static const char *const functions[] = {
    "abs",          "acos",      "asin",       "atan",      "atan2",     "ceil",
    "ceiling",      "coalesce",  "cos",        "date",      "datetime",  "degrees",
    "exp",          "floor",     "glob",       "hamming",   "hex",       "ifnull",
    "iif",          "instr",     "ir_share",   "json",      "julianday", "json_array_length",
    "json_extract", "json_type", "json_valid", "length",    "like",      "ln",
    "log",          "log10",     "log2",       "lower",     "ltrim",     "max",
    "min",          "mod",       "nullif",     "pi",        "pow",       "power",
    "radians",      "round",     "rtrim",      "sign",      "sin",       "sqrt",
    "strftime",     "substr",    "substring",  "tan",       "time",      "trim",
    "trunc",        "typeof",    "unicode",    "unixepoch", "upper",     "->",
    "->>",
};

static bool is_plain_function(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (sqlite3_stricmp(functions[i], name) == 0)
            return true;
    return false;
}

static int deny(ir_filter_guard *guard, const char *what, const char *name)
{
    if (!guard->refused[0])
        sqlite3_snprintf(sizeof guard->refused, guard->refused, "%s%s", what, name ? name : "");
    return SQLITE_DENY;
}

static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *inner)
{
    (void)database, (void)inner;
    ir_filter_guard *guard = context;
    if (!guard->on)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
        return ++guard->select_count <= FRAME_SELECTS ? SQLITE_OK
                                                      : deny(guard, "a sub-query", NULL);
    case SQLITE_READ:
        return first && (strcmp(first, "images") == 0 || strcmp(first, "regions") == 0)
                   ? SQLITE_OK
                   : deny(guard, "the table ", first);
    case SQLITE_FUNCTION:
        return second && is_plain_function(second) ? SQLITE_OK
                                                   : deny(guard, "the function ", second);
    default:
        return deny(guard, "anything but an expression", NULL);
    }
}

int ir_filter_confine(sqlite3 *db, ir_filter_guard *guard)
{
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 4 << 20}, /* metadata is at most 1 MiB */
        {SQLITE_LIMIT_EXPR_DEPTH, 200},          {SQLITE_LIMIT_COLUMN, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 1},       {SQLITE_LIMIT_VDBE_OP, 50000},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100}, {SQLITE_LIMIT_VARIABLE_NUMBER, 1000},
    };
    static const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].limit, limits[i].value);
    int code = sqlite3_create_function(db, "ir_share", 2, flags, NULL, share, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_function(db, "hamming", 2, flags, NULL, hamming, NULL, NULL);
    return code == SQLITE_OK ? sqlite3_set_authorizer(db, authorize, guard) : code;
}
