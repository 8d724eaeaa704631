/* segment_pages.c: writing a segment file page by page, and the check of each page. */
#include "index/segment_pages.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/way.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_PAGES = 256, BEHIND_BYTES = 8 << 20, PART_BYTES = 1 << 18 };

struct ir_page_writer {
    char *path;
    char *temporary;
    int fd;
    bool committed;
    uint8_t *buffer;  /* BUFFER_PAGES pages */
    size_t filled;    /* bytes of it */
    uint64_t flushed; /* bytes of the file before it */
    uint64_t started; /* bytes of the file that are on their way to the disk, or there */
    uint32_t *checks; /* of the flushed pages */
    uint64_t check_room;
};

uint32_t ir_page_check(const void *page, uint64_t page_index)
{
    return (uint32_t)ir_hash64(page, IR_PAGE_BYTES, page_index);
}

int32_t ir_page_writer_create(ir_page_writer **out, const char *path, imgret_error *error)
{
    *out = NULL;
    ir_page_writer *writer = ir_calloc(1, sizeof *writer);
    if (!writer)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to write it", path);
    writer->fd = -1;
    writer->path = ir_strdup(path);
    writer->temporary = ir_asprintf("%s.tmp", path);
    writer->buffer = ir_malloc_aligned(IR_PAGE_BYTES, BUFFER_PAGES * IR_PAGE_BYTES);
    int32_t status = IMGRET_OK;
    if (!writer->path || !writer->temporary || !writer->buffer)
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to write it", path);
    if (!status) {
        writer->fd = open(writer->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (writer->fd < 0)
            status = ir_fail_errno(error, errno, "create", writer->temporary);
    }
    if (status) {
        ir_page_writer_free(writer);
        return status;
    }
    memset(writer->buffer, 0, IR_PAGE_BYTES);
    writer->filled = IR_PAGE_BYTES;
    *out = writer;
    return IMGRET_OK;
}

void ir_page_writer_free(ir_page_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0) {
        close(writer->fd);
        if (!writer->committed)
            unlink(writer->temporary);
    }
    ir_free(writer->path);
    ir_free(writer->temporary);
    ir_free_aligned(writer->buffer);
    ir_free(writer->checks);
    ir_free(writer);
}

static int32_t write_at(ir_page_writer *writer, const uint8_t *data, size_t bytes, uint64_t offset,
                        imgret_error *error)
{
    while (bytes > 0) {
        ssize_t done = pwrite(writer->fd, data, bytes, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return ir_fail_errno(error, done < 0 ? errno : ENOSPC, "write", writer->temporary);
        data += done, bytes -= (size_t)done, offset += (uint64_t)done;
    }
    return IMGRET_OK;
}

/* Lets the disk take what is written as it comes, and waits for what is older: gigabytes that wait for the
 * sync at the end would then keep the disk from all others, queries above all. (Not durable yet:
 * the sync makes it so. But it would not tell an error that is told here.) */
static int32_t write_behind(ir_page_writer *writer, imgret_error *error)
{
    bool aside = ir_way_is_asked(); /* then there is nothing on its way when others come to read */
    if (!aside && writer->flushed - writer->started < BEHIND_BYTES)
        return IMGRET_OK;
    off_t start = (off_t)writer->started, bytes = (off_t)(writer->flushed - writer->started);
    off_t older = aside ? 0 : start < BEHIND_BYTES ? start : BEHIND_BYTES;
    const unsigned whole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                           SYNC_FILE_RANGE_WAIT_AFTER;
    writer->started = writer->flushed;
    if (sync_file_range(writer->fd, start, bytes, aside ? whole : SYNC_FILE_RANGE_WRITE) == 0 &&
        (older == 0 || sync_file_range(writer->fd, start - older, older, whole) == 0))
        return IMGRET_OK;
    bool lost = errno == EIO || errno == ENOSPC || errno == EDQUOT; /* else there is no such call */
    return lost ? ir_fail_errno(error, errno, "write", writer->temporary) : IMGRET_OK;
}

/* Writes the buffer's whole pages and notes their checks. */
static int32_t flush(ir_page_writer *writer, imgret_error *error)
{
    uint64_t first = writer->flushed / IR_PAGE_BYTES, pages = writer->filled / IR_PAGE_BYTES;
    if (first + pages > writer->check_room) {
        uint64_t room = 2 * (first + pages);
        uint32_t *grown = ir_realloc(writer->checks, room * sizeof grown[0]);
        if (!grown)
            return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for checks", writer->path);
        writer->checks = grown;
        writer->check_room = room;
    }
    for (uint64_t i = 0; i < pages; i++)
        writer->checks[first + i] = ir_page_check(writer->buffer + i * IR_PAGE_BYTES, first + i);
    ir_give_way();
    size_t bytes = pages * IR_PAGE_BYTES;
    int32_t status = write_at(writer, writer->buffer, bytes, writer->flushed, error);
    writer->flushed += bytes;
    writer->filled -= bytes;
    memmove(writer->buffer, writer->buffer + bytes, writer->filled);
    ir_give_way();
    return status ? status : write_behind(writer, error);
}

int32_t ir_page_write(ir_page_writer *writer, const void *data, size_t bytes, imgret_error *error)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        size_t room = BUFFER_PAGES * IR_PAGE_BYTES - writer->filled;
        size_t part = bytes < room ? bytes : room;
        if (from) {
            memcpy(writer->buffer + writer->filled, from, part);
            from += part;
        } else {
            memset(writer->buffer + writer->filled, 0, part);
        }
        writer->filled += part;
        bytes -= part;
        if (writer->filled == BUFFER_PAGES * IR_PAGE_BYTES) {
            int32_t status = flush(writer, error);
            if (status)
                return status;
        }
    }
    return IMGRET_OK;
}

uint64_t ir_page_writer_offset(const ir_page_writer *writer)
{
    return writer->flushed + writer->filled;
}

int32_t ir_page_write_end(ir_page_writer *writer, imgret_error *error)
{
    size_t over = writer->filled % IR_PAGE_BYTES;
    if (over) {
        memset(writer->buffer + writer->filled, 0, IR_PAGE_BYTES - over);
        writer->filled += IR_PAGE_BYTES - over;
    }
    return flush(writer, error);
}

int32_t ir_page_read_back(ir_page_writer *writer, uint64_t offset, void *out, size_t bytes,
                          imgret_error *error)
{
    uint8_t *to = out;
    while (bytes > 0) {
        size_t part = bytes < PART_BYTES ? bytes : PART_BYTES;
        ssize_t got = pread(writer->fd, to, part, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ir_fail_errno(error, got < 0 ? errno : EIO, "read back", writer->temporary);
        to += got, bytes -= (size_t)got, offset += (uint64_t)got;
        ir_give_way();
    }
    return IMGRET_OK;
}

/* A rename is durable once its folder is. */
static int32_t sync_folder(const char *path, imgret_error *error)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? ir_strdup(".")
                          : ir_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int32_t status = IMGRET_OK;
    if (fd < 0 || fsync(fd) != 0)
        status = ir_fail_errno(error, errno, "sync", folder);
    if (fd >= 0)
        close(fd);
    ir_free(folder);
    return status;
}

int32_t ir_page_writer_commit(ir_page_writer *writer, ir_segment_header *header,
                              imgret_error *error)
{
    int32_t status = ir_page_write_end(writer, error);
    if (status)
        return status;
    ir_segment_section *section = &header->sections[IR_SECTION_CHECKS];
    section->offset = writer->flushed;
    section->bytes = writer->flushed / IR_PAGE_BYTES * sizeof writer->checks[0];
    /* The header is checked by its own hash: its page's check is that of zeros. */
    header->checks_hash = ir_hash64(writer->checks, section->bytes, 0);
    header->page_count = section->offset / IR_PAGE_BYTES + ir_pages_of(section->bytes);
    header->header_hash = ir_hash64(header, offsetof(ir_segment_header, header_hash), 0);
    uint8_t page[IR_PAGE_BYTES] = {0};
    size_t padding = ir_pages_of(section->bytes) * IR_PAGE_BYTES - section->bytes;
    status = write_at(writer, (const uint8_t *)writer->checks, section->bytes, section->offset,
                      error);
    if (!status)
        status = write_at(writer, page, padding, section->offset + section->bytes, error);
    memcpy(page, header, sizeof *header);
    if (!status)
        status = write_at(writer, page, sizeof page, 0, error);
    if (!status && fsync(writer->fd) != 0)
        status = ir_fail_errno(error, errno, "sync", writer->temporary);
    if (!status && rename(writer->temporary, writer->path) != 0)
        status = ir_fail_errno(error, errno, "rename", writer->temporary);
    if (status)
        return status;
    writer->committed = true;
    return sync_folder(writer->path, error);
}
