/* io.h: asynchronous block reads: submit many, take completions in any order. */
#ifndef IR_IO_IO_H
#define IR_IO_IO_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* Offsets, lengths and buffers of reads are multiples of this, so that O_DIRECT takes them. */
#define IR_IO_BLOCK_BYTES 4096u

/* How reads are done. URING needs the kernel's leave: containers often forbid it. */
#define IR_IO_ANY 0     /* URING, else THREADS */
#define IR_IO_URING 1   /* io_uring with registered file and buffers */
#define IR_IO_THREADS 2 /* pread by a few threads */
#define IR_IO_FAULTY 3  /* tests only: each read passes through `fault` */

/* Used by one thread at a time. */
typedef struct ir_io ir_io;

typedef struct ir_io_read {
    uint64_t offset; /* in the file */
    uint32_t bytes;
    uint32_t tag; /* handed back with the completion */
    void *buffer; /* inside the registered memory */
} ir_io_read;

typedef struct ir_io_done {
    uint32_t tag;
    int32_t result; /* bytes read, fewer than asked only at the file's end, or -errno */
} ir_io_done;

/* Tests only: may change what was read and returns the new result (bytes or -errno). */
typedef int32_t (*ir_io_fault_fn)(void *context, const ir_io_read *read, int32_t result);

typedef struct ir_io_options {
    uint32_t kind;  /* IR_IO_* */
    uint32_t depth; /* reads in flight at most, 1 to 1,024 */
    int fd;         /* stays the caller's, who closes it after ir_io_free */
    void *memory;   /* holds every read's buffer; aligned to IR_IO_BLOCK_BYTES */
    size_t memory_bytes;
    ir_io_fault_fn fault; /* with IR_IO_FAULTY */
    void *fault_context;
} ir_io_options;

/* Opens a regular file for reading past the page cache; where the file system refuses that, through
 * it: *out_direct says which. The caller closes *out_fd. */
int32_t ir_io_open_file(const char *path, int *out_fd, bool *out_direct, imgret_error *error);

int32_t ir_io_create(ir_io **out, const ir_io_options *options, imgret_error *error);

/* Waits for the reads in flight, whose completions are lost. */
void ir_io_free(ir_io *io);

/* IR_IO_URING, IR_IO_THREADS or IR_IO_FAULTY: what IR_IO_ANY became. */
uint32_t ir_io_kind(const ir_io *io);

/* What IR_IO_ANY would become here; *reason tells why it is not IR_IO_URING, else "". Static text.
 * Any thread. */
uint32_t ir_io_probe(const char **reason);

/* Queues a read; at most `depth` reads may be queued or in flight. */
void ir_io_queue(ir_io *io, const ir_io_read *read);

/* Hands what is queued to the kernel and stores up to `capacity` completions; waits until there
 * are at least `wait_min` (at most the reads in flight). One system call where possible. */
int32_t ir_io_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                   uint32_t *out_count, imgret_error *error);

uint32_t ir_io_in_flight(const ir_io *io); /* queued ones included */

#endif
