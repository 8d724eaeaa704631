/* io.c: opening files for block reads, and choosing the way they are read. */
#include "io/io.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "io/io_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 1024 };

/* Some file systems take the flag at open and fail at the first read. */
static bool direct_reads_work(int fd)
{
    void *block = ir_malloc_aligned(IR_IO_BLOCK_BYTES, IR_IO_BLOCK_BYTES);
    bool works = block && pread(fd, block, IR_IO_BLOCK_BYTES, 0) >= 0;
    ir_free_aligned(block);
    return works;
}

int32_t ir_io_open_file(const char *path, int *out_fd, bool *out_direct, imgret_error *error)
{
    *out_fd = -1;
    *out_direct = true;
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags | O_DIRECT);
    if (fd >= 0 && !direct_reads_work(fd)) {
        close(fd);
        fd = -1;
        errno = EINVAL;
    }
    if (fd < 0 && errno == EINVAL) {
        *out_direct = false;
        fd = open(path, flags);
    }
    if (fd < 0)
        return ir_fail_errno(error, errno, "open", path);
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s: not a regular file", path);
    }
    *out_fd = fd;
    return IMGRET_OK;
}

int32_t ir_io_create(ir_io **out, const ir_io_options *options, imgret_error *error)
{
    *out = NULL;
    if (options->depth < 1 || options->depth > DEPTH_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "reads in flight: %u, 1 to %d are possible",
                       options->depth, DEPTH_MAX);
    int32_t status;
    switch (options->kind) {
    case IR_IO_ANY:
        status = ir_io_uring_create(out, options, NULL);
        if (!status)
            return status;
        ir_log(IMGRET_LOG_INFO, "io_uring is not available: reading with threads");
        return ir_io_threads_create(out, options, error);
    case IR_IO_URING:
        return ir_io_uring_create(out, options, error);
    case IR_IO_THREADS:
        return ir_io_threads_create(out, options, error);
    case IR_IO_FAULTY:
        return ir_io_faulty_create(out, options, error);
    default:
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "no kind of reads has number %u",
                       options->kind);
    }
}

void ir_io_free(ir_io *io)
{
    if (io)
        io->ops->free(io);
}

uint32_t ir_io_kind(const ir_io *io)
{
    return io->ops->kind;
}

uint32_t ir_io_probe(const char **reason)
{
    const char *obstacle = ir_io_uring_obstacle();
    *reason = obstacle ? obstacle : "";
    return obstacle ? IR_IO_THREADS : IR_IO_URING;
}

void ir_io_queue(ir_io *io, const ir_io_read *read)
{
    io->in_flight++;
    io->ops->queue(io, read);
}

int32_t ir_io_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                   uint32_t *out_count, imgret_error *error)
{
    *out_count = 0;
    if (wait_min > io->in_flight)
        wait_min = io->in_flight;
    if (wait_min > capacity)
        wait_min = capacity;
    int32_t status = io->ops->turn(io, out, capacity, wait_min, out_count, error);
    io->in_flight -= *out_count;
    return status;
}

uint32_t ir_io_in_flight(const ir_io *io)
{
    return io->in_flight;
}

int32_t ir_io_read_now(int fd, const ir_io_read *read)
{
    uint32_t done = 0;
    while (done < read->bytes) {
        ssize_t got = pread(fd, (char *)read->buffer + done, read->bytes - done,
                            (off_t)(read->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (uint32_t)got;
        if (done % IR_IO_BLOCK_BYTES != 0)
            break; /* the file's end: O_DIRECT could not go on from here anyway */
    }
    return (int32_t)done;
}
