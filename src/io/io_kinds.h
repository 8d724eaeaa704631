/* io_kinds.h: what each way of reading provides to io.c. */
#ifndef IR_IO_KINDS_H
#define IR_IO_KINDS_H

#include "io/io.h"

typedef struct ir_io_ops {
    uint32_t kind;
    void (*free)(ir_io *io);
    void (*queue)(ir_io *io, const ir_io_read *read);
    int32_t (*turn)(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                    uint32_t *out_count, imgret_error *error);
} ir_io_ops;

/* Every kind's struct begins with this. */
struct ir_io {
    const ir_io_ops *ops;
    ir_io_options options;
    uint32_t in_flight;
};

/* Each stores a filled object or fails. IMGRET_UNSUPPORTED: not on this kernel or in this build. */
int32_t ir_io_uring_create(ir_io **out, const ir_io_options *options, imgret_error *error);
/* NULL when io_uring can be used, else why not: static text. */
const char *ir_io_uring_obstacle(void);
int32_t ir_io_threads_create(ir_io **out, const ir_io_options *options, imgret_error *error);
int32_t ir_io_faulty_create(ir_io **out, const ir_io_options *options, imgret_error *error);

/* pread until `read` is complete, the file ends or an error comes: bytes or -errno. */
int32_t ir_io_read_now(int fd, const ir_io_read *read);

#endif
