/* io_faulty.c: reads that go wrong on demand and complete in reverse order, for tests. */
#include "base/alloc.h"
#include "base/error.h"
#include "io/io_kinds.h"

typedef struct faulty_io {
    ir_io base;
    uint32_t waiting_count;
    ir_io_read waiting[];
} faulty_io;

static void faulty_free(ir_io *io)
{
    ir_free(io);
}

static void faulty_queue(ir_io *io, const ir_io_read *read)
{
    faulty_io *self = (faulty_io *)io;
    self->waiting[self->waiting_count++] = *read;
}

static int32_t faulty_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                           uint32_t *out_count, imgret_error *error)
{
    (void)error;
    faulty_io *self = (faulty_io *)io;
    uint32_t count = 0;
    /* Only as many as are waited for: the others stay in flight as long as possible. */
    while (count < wait_min && count < capacity && self->waiting_count > 0) {
        const ir_io_read *read = &self->waiting[--self->waiting_count];
        int32_t result = ir_io_read_now(io->options.fd, read);
        if (io->options.fault)
            result = io->options.fault(io->options.fault_context, read, result);
        out[count++] = (ir_io_done){read->tag, result};
    }
    *out_count = count;
    return IMGRET_OK;
}

static const ir_io_ops faulty_ops = {
    .kind = IR_IO_FAULTY,
    .free = faulty_free,
    .queue = faulty_queue,
    .turn = faulty_turn,
};

int32_t ir_io_faulty_create(ir_io **out, const ir_io_options *options, imgret_error *error)
{
    faulty_io *self = ir_calloc(1, sizeof *self + options->depth * sizeof self->waiting[0]);
    if (!self)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u reads", options->depth);
    self->base.ops = &faulty_ops;
    self->base.options = *options;
    *out = &self->base;
    return IMGRET_OK;
}
