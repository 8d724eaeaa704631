/* pipe.h: the first half of an ingest: files are found, read, decoded, prepared and extracted by
 * threads, and come out in listing order.
 *
 *   walker thread -> queue of paths -> worker threads -> ring of slots <-> extracting threads
 *                                                             |
 *                                                         the caller, who commits
 *
 * So the model runs while files are decoded and while the caller commits. Memory is bounded by the
 * queue's length, the ring's slots (one prepared picture each) and one decoding picture a worker.
 */
#ifndef IR_ENGINE_PIPE_H
#define IR_ENGINE_PIPE_H

#include "engine/database.h"
#include "engine/source.h"

/* What a worker found out about one file. */
typedef struct ir_pipe_file {
    char *uri;       /* absolute path; the receiver frees it with ir_free */
    int32_t outcome; /* IMGRET_STORED: extracted, to be stored; else settled */
    int32_t code;    /* of a failure */
    bool named;      /* given by the host, not met in a folder */
    bool recorded;   /* a failure that the catalogue shall remember */
    bool touched;    /* unchanged in content, but size or time must be noted */
    int64_t known_id;
    uint64_t bytes_read; /* 0 when the file was not opened */
    uint64_t file_bytes;
    int64_t modified_ns;
    uint8_t content_hash[16];
    uint32_t width;
    uint32_t height;
    const char *format;  /* static text */
    ir_look look;        /* of STORED */
    const float *vector; /* of STORED: dimension floats; until the next call on the pipe */
    ir_objects objects;  /* the same: their vectors follow; the receiver frees them */
    char message[sizeof((imgret_error *)0)->message];
} ir_pipe_file;

typedef struct ir_pipe_counts {
    uint64_t file_count;
    bool listing_done;
    uint64_t bytes_read;
} ir_pipe_counts;

typedef struct ir_pipe ir_pipe;

/* Starts the threads. `options->paths` must live until ir_pipe_free. */
int32_t ir_pipe_start(ir_pipe **out, ir_database *database, const imgret_ingest_options *options,
                      ir_call *call, imgret_error *error);

#define IR_PIPE_FILE 1    /* *out is filled */
#define IR_PIPE_END 2     /* nothing more will come */
#define IR_PIPE_TIMEOUT 3 /* nothing came until `wait_ms` were over */

/* The next file in listing order. A failure that ends the run (no memory, an extractor that cannot
 * be loaded, an interrupt) is returned as a negative status. */
int32_t ir_pipe_next(ir_pipe *pipe, uint32_t wait_ms, ir_pipe_file *out, imgret_error *error);

void ir_pipe_get_counts(ir_pipe *pipe, ir_pipe_counts *out);

/* Stops and joins the threads, drops what was not taken. NULL is allowed. */
void ir_pipe_free(ir_pipe *pipe);

#endif
