/* salvage_graft.c: a copy of a damaged catalogue; to one that lost its first page another is grafted.
 *
 * The first page holds SQLite's header and, of ours, all of the schema: which table begins on which page.
 * Where the file vacuums itself (docs/catalog.md) SQLite keeps the tables' first pages together at the
 * front, in the order in which the tables were made, and the second page, the first of its pointer
 * maps, says which pages these are. So a new catalogue of the same version has them where this one has.
 */
#include "catalog/salvage_inside.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE = IR_CATALOG_PAGE_BYTES,
    CHUNK_BYTES = 128 * PAGE,
    /* Offsets in SQLite's header; numbers are big-endian. */
    READ_VERSION = 19, /* 2: there may be a log; the byte before is the same for writing */
    CHANGE_COUNT = 24,
    PAGE_COUNT = 28,
    FREE_PAGES = 32, /* the first, then how many */
    LARGEST_ROOT = 52,
    VALID_FOR = 92,
    MAP_ENTRY_BYTES = 5,
    MAP_ROOT = 1 /* type of an entry: the page is a table's or an index's first */
};

static uint32_t get_number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_number(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A file that is read through SQLite: a descriptor of our own, once closed, would drop the locks of other
 * handles in this process. */
typedef struct raw_file {
    sqlite3_file *file;
    char *name; /* with the second NUL that SQLite wants */
    sqlite3_int64 bytes;
} raw_file;

static void close_raw(raw_file *raw)
{
    if (raw->file && raw->file->pMethods)
        raw->file->pMethods->xClose(raw->file);
    ir_free(raw->file);
    ir_free(raw->name);
}

static int32_t open_raw(raw_file *raw, const char *path, imgret_error *error)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    size_t length = strlen(path);
    *raw = (raw_file){0};
    raw->file = system ? ir_calloc(1, (size_t)system->szOsFile) : NULL;
    raw->name = ir_calloc(1, length + 2);
    if (!raw->file || !raw->name)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to read %s", path);
    memcpy(raw->name, path, length);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    int code = system->xOpen(system, raw->name, raw->file, flags, &flags);
    if (code == SQLITE_OK)
        code = raw->file->pMethods->xFileSize(raw->file, &raw->bytes);
    return code == SQLITE_OK
               ? IMGRET_OK
               : ir_fail(error, IMGRET_IO, "%s: cannot be read (%s)", path, sqlite3_errstr(code));
}

static int32_t read_raw(raw_file *raw, void *out, int bytes, sqlite3_int64 at, imgret_error *error)
{
    int code = raw->file->pMethods->xRead(raw->file, out, bytes, at);
    return code == SQLITE_OK ? IMGRET_OK
                             : ir_fail(error, IMGRET_IO, "%s: cannot be read (%s)", raw->name,
                                       sqlite3_errstr(code));
}

static int32_t write_all(int fd, const char *path, const uint8_t *data, size_t bytes, off_t at,
                         imgret_error *error)
{
    while (bytes > 0) {
        errno = 0;
        ssize_t done = pwrite(fd, data, bytes, at);
        if (done <= 0 && errno != EINTR)
            return ir_fail_errno(error, errno ? errno : ENOSPC, "write", path);
        if (done > 0) {
            data += done;
            bytes -= (size_t)done;
            at += done;
        }
    }
    return IMGRET_OK;
}

/* Copies from `from` on to the same place of `path`. */
static int32_t copy_rest(raw_file *raw, int fd, const char *path, sqlite3_int64 from,
                         imgret_error *error)
{
    uint8_t *chunk = ir_malloc(CHUNK_BYTES);
    int32_t status = chunk ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory to copy");
    while (!status && from < raw->bytes) {
        int bytes = raw->bytes - from < CHUNK_BYTES ? (int)(raw->bytes - from) : CHUNK_BYTES;
        status = read_raw(raw, chunk, bytes, from, error);
        if (!status)
            status = write_all(fd, path, chunk, (size_t)bytes, from, error);
        from += bytes;
    }
    ir_free(chunk);
    return status;
}

/* Whether the pointer map marks just the pages up to `largest` as first pages; behind those of the
 * version's own tables may stand up to `further` of indexes that a host asked for. */
static bool fits(const uint8_t *map, uint32_t largest, uint32_t further)
{
    uint32_t page = 3;
    while (page <= largest + further + 1 && map[(page - 3) * MAP_ENTRY_BYTES] == MAP_ROOT)
        page++;
    return page > largest && page <= largest + further + 1;
}

/* Makes an empty catalogue of one version at `path` and gives its first page. */
static int32_t make_first_page(const char *path, int32_t version, uint8_t page[PAGE],
                               imgret_error *error)
{
    const ir_schema schema = {ir_schema_current.steps, version, version, 0};
    const ir_catalog_options options = {0};
    ir_connection made;
    unlink(path);
    int32_t status = ir_connection_open(&made, path, IR_CONNECTION_TARGET, &options, error);
    if (!status) /* as open.c does */
        status = ir_connection_exec(&made,
                                    "PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL; BEGIN",
                                    "making a first page", error);
    if (!status)
        status = ir_schema_upgrade(&made, &schema, 0, error);
    if (!status)
        status = ir_connection_exec(&made, "COMMIT", "making a first page", error);
    ir_connection_close(&made);
    size_t bytes = 0;
    if (!status)
        status = ir_file_read_head(path, page, PAGE, &bytes, error);
    if (!status && bytes != PAGE)
        status = ir_fail(error, IMGRET_IO, "%s: is too short", path);
    return status;
}

static int32_t find_first_page(ir_salvage *salvage, raw_file *raw, uint8_t page[PAGE],
                               imgret_error *error)
{
    uint8_t *map = ir_malloc(PAGE);
    bool found = false;
    int32_t status = !map ? ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage")
                     : raw->bytes >= 3 * PAGE ? read_raw(raw, map, PAGE, PAGE, error)
                                              : IMGRET_OK;
    for (int32_t version = IR_CATALOG_FORMAT;
         !status && !found && raw->bytes >= 3 * PAGE && version > 0; version--) {
        status = make_first_page(salvage->grafted, version, page, error);
        uint32_t largest = status ? 0 : get_number(page + LARGEST_ROOT);
        uint32_t further = version > IR_CATALOG_FORMAT_MADE ? IMGRET_INDEX_COUNT_MAX : 0;
        found = largest > 2 && largest + further < PAGE / MAP_ENTRY_BYTES &&
                fits(map, largest, further);
    }
    ir_free(map);
    if (!status && !found)
        status = ir_fail(error, IMGRET_CORRUPT,
                         "%s: its first page is damaged, and the second does not tell where the "
                         "tables are",
                         salvage->path);
    return status;
}

/* A log of what was committed last is read over the copy, if it is whole. */
static int32_t copy_log(const ir_salvage *salvage, bool *there, imgret_error *error)
{
    char *from = ir_asprintf("%s-wal", salvage->path);
    char *to = ir_asprintf("%s-wal", salvage->grafted);
    raw_file raw = {0};
    int fd = -1;
    *there = false;
    int32_t status = from && to ? IMGRET_OK
                                : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status && access(from, F_OK) == 0) {
        status = open_raw(&raw, from, error);
        if (!status && (fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
            status = ir_fail_errno(error, errno, "make", to);
        if (!status)
            status = copy_rest(&raw, fd, to, 0, error);
        *there = !status && raw.bytes > 0;
        close_raw(&raw);
    }
    if (fd >= 0)
        close(fd);
    ir_free(from);
    ir_free(to);
    return status;
}

/* What a new catalogue's first page says of other pages is true of this file, too. */
static void fit_first_page(const raw_file *raw, uint8_t page[PAGE], bool has_log)
{
    page[READ_VERSION - 1] = page[READ_VERSION] = has_log ? 2 : 1;
    put_number(page + CHANGE_COUNT, 1);
    put_number(page + VALID_FOR, 1);
    put_number(page + PAGE_COUNT, (uint32_t)(raw->bytes / PAGE));
    memset(page + FREE_PAGES, 0, 8);
}

/* With a log the maps in the file may be older than the pages in the log: then nothing is mended. */
static int32_t write_copy(ir_salvage *salvage, raw_file *raw, const uint8_t page[PAGE],
                          bool has_log, imgret_error *error)
{
    uint32_t mended = 0;
    int fd = open(salvage->grafted, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ir_fail_errno(error, errno, "make", salvage->grafted);
    int32_t status = write_all(fd, salvage->grafted, page, PAGE, 0, error);
    if (!status)
        status = copy_rest(raw, fd, salvage->grafted, PAGE, error);
    if (!status && !has_log && raw->bytes / PAGE <= UINT32_MAX)
        status = ir_salvage_mend_pages(fd, salvage->grafted, (uint32_t)(raw->bytes / PAGE), &mended,
                                       error);
    close(fd);
    return status;
}

int32_t ir_salvage_graft(ir_salvage *salvage, imgret_error *error)
{
    raw_file raw = {0};
    bool has_log = false;
    uint8_t *page = ir_calloc(1, PAGE);
    salvage->grafted = ir_path_join(salvage->partial, "grafted.db");
    int32_t status = page && salvage->grafted
                         ? open_raw(&raw, salvage->path, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
    if (!status && salvage->headless) {
        status = find_first_page(salvage, &raw, page, error);
        if (!status)
            status = copy_log(salvage, &has_log, error);
        fit_first_page(&raw, page, has_log);
    } else if (!status) {
        status = read_raw(&raw, page, raw.bytes < PAGE ? (int)raw.bytes : PAGE, 0, error);
    }
    if (!status)
        status = write_copy(salvage, &raw, page, has_log, error);
    close_raw(&raw);
    ir_free(page);
    return status;
}
