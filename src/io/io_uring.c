/* io_uring.c: reads through io_uring, with a registered file and registered buffers. */
#include "base/alloc.h"
#include "base/error.h"
#include "io/io_kinds.h"

#if IR_WITH_URING

#include <errno.h>
#include <liburing.h>
#include <string.h>

/* A read and what of it is done: a short read is queued again for its rest. */
typedef struct uring_slot {
    ir_io_read read;
    uint32_t done_bytes;
    uint32_t next_free;
} uring_slot;

typedef struct uring_io {
    ir_io base;
    struct io_uring ring;
    bool fixed_file;
    bool fixed_buffers;
    uint32_t first_free;
    uint32_t unsubmitted;
    uring_slot slots[];
} uring_io;

/* liburing maps a ring by system calls of its own, which ThreadSanitizer does not see: where one ring was
 * unmapped by one thread another thread's next one may lie, and would look like the same memory. */
#ifdef __SANITIZE_THREAD__
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
static char mappings;
#define AFTER_UNMAPPINGS() __tsan_acquire(&mappings)
#define BEFORE_UNMAPPING() __tsan_release(&mappings)
#else
#define AFTER_UNMAPPINGS() ((void)0)
#define BEFORE_UNMAPPING() ((void)0)
#endif

static void uring_free(ir_io *io)
{
    uring_io *self = (uring_io *)io;
    ir_io_done done[16];
    uint32_t count = 1;
    while (io->in_flight > 0 && count > 0)
        if (ir_io_turn(io, done, 16, 1, &count, NULL))
            break;
    BEFORE_UNMAPPING();
    io_uring_queue_exit(&self->ring);
    ir_free(self);
}

static void push(uring_io *self, uint32_t index)
{
    uring_slot *slot = &self->slots[index];
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    int fd = self->fixed_file ? 0 : self->base.options.fd;
    char *buffer = (char *)slot->read.buffer + slot->done_bytes;
    uint32_t bytes = slot->read.bytes - slot->done_bytes;
    uint64_t offset = slot->read.offset + slot->done_bytes;
    if (self->fixed_buffers)
        io_uring_prep_read_fixed(sqe, fd, buffer, bytes, offset, 0);
    else
        io_uring_prep_read(sqe, fd, buffer, bytes, offset);
    if (self->fixed_file)
        sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = index;
    self->unsubmitted++;
}

static void uring_queue(ir_io *io, const ir_io_read *read)
{
    uring_io *self = (uring_io *)io;
    uint32_t index = self->first_free;
    uring_slot *slot = &self->slots[index];
    self->first_free = slot->next_free;
    slot->read = *read;
    slot->done_bytes = 0;
    push(self, index);
}

/* True when the read is finished and *out filled; false when its rest was queued again. */
static bool settle(uring_io *self, uint32_t index, int32_t result, ir_io_done *out)
{
    uring_slot *slot = &self->slots[index];
    if (result == -EINTR || result == -EAGAIN) {
        push(self, index);
        return false;
    }
    if (result > 0) {
        slot->done_bytes += (uint32_t)result;
        if (slot->done_bytes < slot->read.bytes && slot->done_bytes % IR_IO_BLOCK_BYTES == 0) {
            push(self, index);
            return false;
        }
    }
    out->tag = slot->read.tag;
    out->result = result < 0 ? result : (int32_t)slot->done_bytes;
    slot->next_free = self->first_free;
    self->first_free = index;
    return true;
}

static uint32_t take(uring_io *self, ir_io_done *out, uint32_t capacity)
{
    struct io_uring_cqe *cqe;
    uint32_t count = 0;
    while (count < capacity && io_uring_peek_cqe(&self->ring, &cqe) == 0) {
        uint32_t index = (uint32_t)cqe->user_data;
        int32_t result = cqe->res;
        io_uring_cqe_seen(&self->ring, cqe);
        count += settle(self, index, result, out + count);
    }
    return count;
}

static int32_t uring_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                          uint32_t *out_count, imgret_error *error)
{
    uring_io *self = (uring_io *)io;
    uint32_t count = self->unsubmitted > 0 ? 0 : take(self, out, capacity);
    while (self->unsubmitted > 0 || count < wait_min) {
        uint32_t wait = count < wait_min ? wait_min - count : 0;
        int code = io_uring_submit_and_wait(&self->ring, wait);
        if (code < 0 && code != -EINTR && code != -EAGAIN && code != -EBUSY) {
            *out_count = count;
            return ir_fail(error, IMGRET_IO, "io_uring: %s", strerror(-code));
        }
        if (code > 0)
            self->unsubmitted -= (uint32_t)code;
        count += take(self, out + count, capacity - count);
        if (count >= capacity)
            break;
    }
    *out_count = count;
    return IMGRET_OK;
}

static const ir_io_ops uring_ops = {
    .kind = IR_IO_URING,
    .free = uring_free,
    .queue = uring_queue,
    .turn = uring_turn,
};

const char *ir_io_uring_obstacle(void)
{
    struct io_uring ring;
    int code = io_uring_queue_init(1, &ring, 0);
    if (code == 0)
        io_uring_queue_exit(&ring);
    switch (code) {
    case 0:
        return NULL;
    case -EPERM:
    case -EACCES:
        return "io_uring is forbidden here: by the container's seccomp filter or by "
               "kernel.io_uring_disabled";
    case -ENOSYS:
        return "this kernel has no io_uring";
    case -ENOMEM:
        return "io_uring may not lock as much memory as it needs (RLIMIT_MEMLOCK)";
    case -EMFILE:
    case -ENFILE:
        return "io_uring needs a file descriptor, and none is left";
    default:
        return "io_uring could not be set up";
    }
}

int32_t ir_io_uring_create(ir_io **out, const ir_io_options *options, imgret_error *error)
{
    uring_io *self = ir_calloc(1, sizeof *self + options->depth * sizeof self->slots[0]);
    if (!self)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u reads", options->depth);
    /* Completions need not interrupt the thread: it asks. Older kernels lack the flag. */
    int code = io_uring_queue_init(options->depth, &self->ring, IORING_SETUP_COOP_TASKRUN);
    if (code == -EINVAL)
        code = io_uring_queue_init(options->depth, &self->ring, 0);
    if (code < 0) {
        ir_free(self);
        return ir_fail(error, IMGRET_UNSUPPORTED, "io_uring: %s", strerror(-code));
    }
    AFTER_UNMAPPINGS();
    self->base.ops = &uring_ops;
    self->base.options = *options;
    self->fixed_file = io_uring_register_files(&self->ring, &options->fd, 1) == 0;
    struct iovec memory = {options->memory, options->memory_bytes};
    /* Refused beyond RLIMIT_MEMLOCK: plain buffers work as well, a little slower. */
    self->fixed_buffers = options->memory_bytes > 0 &&
                          io_uring_register_buffers(&self->ring, &memory, 1) == 0;
    for (uint32_t i = 0; i < options->depth; i++)
        self->slots[i].next_free = i + 1;
    *out = &self->base;
    return IMGRET_OK;
}

#else

const char *ir_io_uring_obstacle(void)
{
    return "this build has no io_uring";
}

int32_t ir_io_uring_create(ir_io **out, const ir_io_options *options, imgret_error *error)
{
    (void)out;
    (void)options;
    return ir_fail(error, IMGRET_UNSUPPORTED, "this build has no io_uring");
}

#endif
