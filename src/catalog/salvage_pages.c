/* salvage_pages.c: inner pages of tables, made anew in a copy of a damaged catalogue.
 *
 * An inner page of a table's tree only says where its rows' pages are and which keys these hold. Both can
 * be told without it: in a file that vacuums itself SQLite notes the parent of each page in its pointer
 * maps, and the greatest key is in each child. So one that is damaged is written again, and what is below
 * it can be read. Of an index, whose inner pages hold keys of their own, that would lose some; an index is
 * not needed to read rows, and is left as it is. (https://www.sqlite.org/fileformat.html, 1.6 and 1.8)
 */
#include "catalog/salvage_inside.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE = IR_CATALOG_PAGE_BYTES,
    MAP_ENTRY_BYTES = 5,
    MAP_SPAN = PAGE / MAP_ENTRY_BYTES + 1, /* pages from one map to the next */
    MAP_CHILD = 5,                         /* the entry's page has a parent in its tree */
    LOCK_PAGE = (1 << 30) / PAGE + 1,      /* never used: SQLite's locks lie there */
    INNER = 5,                             /* types of pages: of a table's tree */
    LEAF = 13,
    INNER_HEAD_BYTES = 12,
    LEAF_HEAD_BYTES = 8,
    CELL_BYTES_MAX = 4 + 9,
    DEPTH_MAX = 20
};

typedef struct child {
    uint32_t parent, page;
    int64_t last_key;
} child;

typedef struct mender {
    int fd;
    const char *path;
    uint32_t page_count;
    child *children; /* of all inner pages, by parent once sorted */
    uint64_t count, capacity;
    uint8_t page[PAGE], other[PAGE];
    uint32_t mended;
} mender;

static uint32_t get_four(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t get_two(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static void put_four(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_two(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* SQLite's numbers of one to nine bytes; 0 when there are not enough bytes. */
static uint32_t get_varint(const uint8_t *at, size_t bytes, uint64_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < 9 && i < bytes; i++) {
        *out = i == 8 ? *out << 8 | at[i] : *out << 7 | (at[i] & 0x7F);
        if (i == 8 || !(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

static uint32_t put_varint(uint8_t *at, uint64_t value)
{
    uint8_t digits[9];
    uint32_t count = 0;
    if (value >> 56) { /* nine bytes, the last one of eight bits */
        at[8] = (uint8_t)value;
        value >>= 8;
        for (int i = 7; i >= 0; i--, value >>= 7)
            at[i] = (uint8_t)(0x80 | (value & 0x7F));
        return 9;
    }
    do {
        digits[count++] = (uint8_t)(value & 0x7F);
    } while (value >>= 7);
    for (uint32_t i = 0; i < count; i++)
        at[i] = (uint8_t)(digits[count - 1 - i] | (i + 1 < count ? 0x80 : 0));
    return count;
}

/* False for a page that is not there; a disk that cannot read is noticed by SQLite. */
static bool read_page(const mender *m, uint32_t number, uint8_t *out)
{
    return number >= 1 && number <= m->page_count &&
           pread(m->fd, out, PAGE, (off_t)(number - 1) * PAGE) == PAGE;
}

/* The greatest key below a page of a table; false when it is none that can be read. */
static bool find_last_key(mender *m, uint32_t number, int64_t *out)
{
    uint64_t payload, key;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        uint8_t *page = m->other;
        if (number < 2 || !read_page(m, number, page))
            return false;
        if (page[0] == INNER) {
            number = get_four(page + 8);
            continue;
        }
        uint32_t cells = get_two(page + 3);
        if (page[0] != LEAF || cells == 0 || LEAF_HEAD_BYTES + 2 * cells > PAGE)
            return false;
        uint32_t at = get_two(page + LEAF_HEAD_BYTES + 2 * (cells - 1));
        if (at >= PAGE)
            return false;
        uint32_t read = get_varint(page + at, PAGE - at, &payload);
        if (read == 0 || get_varint(page + at + read, PAGE - at - read, &key) == 0)
            return false;
        *out = (int64_t)key;
        return true;
    }
    return false;
}

/* ---- whose child is what ---- */

static int32_t keep_child(mender *m, uint32_t parent, uint32_t page, imgret_error *error)
{
    if (m->count == m->capacity) {
        uint64_t capacity = m->capacity ? 2 * m->capacity : 256;
        size_t bytes;
        child *more = ir_mul_size((size_t)capacity, sizeof *more, &bytes)
                          ? ir_realloc(m->children, bytes)
                          : NULL;
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
        m->children = more;
        m->capacity = capacity;
    }
    m->children[m->count++] = (child){parent, page, 0};
    return IMGRET_OK;
}

static int32_t read_map(mender *m, uint32_t map, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    if (!read_page(m, map, m->page))
        return IMGRET_OK;
    for (uint32_t i = 0; i < MAP_SPAN - 1 && !status; i++) {
        const uint8_t *entry = m->page + (size_t)i * MAP_ENTRY_BYTES;
        uint32_t page = map + 1 + i, parent = get_four(entry + 1);
        if (page > m->page_count)
            break;
        if (entry[0] == MAP_CHILD && parent > 2 && parent <= m->page_count && parent != page)
            status = keep_child(m, parent, page, error);
    }
    return status;
}

static int32_t read_maps(mender *m, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint64_t map = 2; map <= m->page_count && !status; map += MAP_SPAN)
        status = read_map(m, (uint32_t)(map == LOCK_PAGE ? map + 1 : map), error);
    return status;
}

static int by_parent(const void *a, const void *b)
{
    const child *x = a, *y = b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return (x->page > y->page) - (x->page < y->page);
}

static int by_key(const void *a, const void *b)
{
    const child *x = a, *y = b;
    return (x->last_key > y->last_key) - (x->last_key < y->last_key);
}

static bool is_child(const child *children, uint32_t count, uint32_t page)
{
    const child wanted = {.parent = children->parent, .page = page};
    return bsearch(&wanted, children, count, sizeof wanted, by_parent) != NULL;
}

/* ---- one inner page ---- */

/* Whether `m->page` is an inner page that leads to just these children (by ascending pages). */
static bool is_sound(const mender *m, const child *children, uint32_t count)
{
    uint32_t cells = get_two(m->page + 3);
    if (m->page[0] != INNER || cells + 1 != count || INNER_HEAD_BYTES + 2 * cells > PAGE ||
        !is_child(children, count, get_four(m->page + 8)))
        return false;
    for (uint32_t i = 0; i < cells; i++) {
        uint32_t at = get_two(m->page + INNER_HEAD_BYTES + 2 * i);
        if (at + 5 > PAGE || !is_child(children, count, get_four(m->page + at)))
            return false;
    }
    return true;
}

/* Keeps those of a table, by ascending keys, with their keys; how many these are. */
static uint32_t keep_table_pages(mender *m, child *children, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (find_last_key(m, children[i].page, &children[i].last_key))
            children[kept++] = children[i];
    qsort(children, kept, sizeof *children, by_key);
    return kept;
}

/* Writes page `number` anew: each child but the last in a cell, the last one in the head. */
static int32_t write_inner(mender *m, uint32_t number, const child *children, uint32_t count,
                           imgret_error *error)
{
    uint32_t end = PAGE;
    memset(m->page, 0, PAGE);
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint8_t cell[CELL_BYTES_MAX];
        put_four(cell, children[i].page);
        uint32_t bytes = 4 + put_varint(cell + 4, (uint64_t)children[i].last_key);
        if (end < INNER_HEAD_BYTES + 2 * count + bytes)
            return IMGRET_OK; /* more than a page ever had: the maps are wrong */
        end -= bytes;
        memcpy(m->page + end, cell, bytes);
        put_two(m->page + INNER_HEAD_BYTES + 2 * i, end);
    }
    m->page[0] = INNER;
    put_two(m->page + 3, count - 1);
    put_two(m->page + 5, end);
    put_four(m->page + 8, children[count - 1].page);
    errno = 0;
    if (pwrite(m->fd, m->page, PAGE, (off_t)(number - 1) * PAGE) != PAGE)
        return ir_fail_errno(error, errno ? errno : ENOSPC, "write", m->path);
    m->mended++;
    return IMGRET_OK;
}

/* A page whose children cannot be read yet is looked at again in the next pass, when one was mended. */
static int32_t mend_pass(mender *m, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint64_t first = 0, end; first < m->count && !status; first = end) {
        uint32_t parent = m->children[first].parent;
        for (end = first; end < m->count && m->children[end].parent == parent;)
            end++;
        uint32_t count = (uint32_t)(end - first);
        if (!read_page(m, parent, m->page) || is_sound(m, m->children + first, count))
            continue;
        /* A root that is sound, of an index: its type says so. */
        if (m->page[0] == 2 || m->page[0] == 10)
            continue;
        child *own = ir_malloc_array(count, sizeof *own);
        if (!own)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
        memcpy(own, m->children + first, count * sizeof *own);
        uint32_t kept = keep_table_pages(m, own, count);
        if (kept > 0)
            status = write_inner(m, parent, own, kept, error);
        ir_free(own);
    }
    return status;
}

int32_t ir_salvage_mend_pages(int fd, const char *path, uint32_t page_count, uint32_t *mended,
                              imgret_error *error)
{
    *mended = 0;
    mender *m = ir_calloc(1, sizeof *m);
    if (!m)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
    m->fd = fd;
    m->path = path;
    m->page_count = page_count;
    int32_t status = read_maps(m, error);
    if (!status && m->count > 0)
        qsort(m->children, m->count, sizeof *m->children, by_parent);
    for (int pass = 0; pass < DEPTH_MAX && !status; pass++) {
        uint32_t before = m->mended;
        status = mend_pass(m, error);
        if (m->mended == before)
            break;
    }
    *mended = m->mended;
    ir_free(m->children);
    ir_free(m);
    return status;
}
