/* pipe_inside.h: what the files of the pipe share; nobody else includes it.
 *
 * Invariants, under `lock`:
 *  - Paths are numbered in listing order by `paths_taken` as workers take them from the queue; path
 *    number n is worked on in slot n % slot_count.
 *  - next_out <= n < paths_taken are in the ring; a worker takes a path only while
 *    paths_taken - next_out < slot_count, so a slot has one owner at a time, told by its state.
 *  - `prepared_count` is the number of slots in state IR_SLOT_PREPARED.
 *  - `status` is the first failure that ends the run; once set, threads finish what they have and
 *    leave.
 */
#ifndef IR_ENGINE_PIPE_INSIDE_H
#define IR_ENGINE_PIPE_INSIDE_H

#include "engine/pipe.h"
#include "engine/walker.h"

#include <time.h>

enum { IR_PIPE_BATCH_MAX = 32 }; /* pictures: more gains nothing on a CPU and costs memory */

typedef struct queued_path {
    struct queued_path *next;
    ir_walker_entry entry;
} queued_path;

typedef enum ir_slot_state {
    IR_SLOT_WORKED_ON, /* its worker's */
    IR_SLOT_PREPARED,  /* nobody's: waits for the model */
    IR_SLOT_EXTRACTED, /* an extracting thread's */
    IR_SLOT_READY      /* the caller's */
} ir_slot_state;

typedef struct ir_pipe_slot {
    ir_pipe_file file;
    uint8_t *prepared;    /* allocated at first use */
    float *vector;        /* the same */
    uint32_t vector_room; /* vectors that fit into it */
    ir_slot_state state;
} ir_pipe_slot;

struct ir_pipe {
    ir_database *database;
    ir_call *call;
    ir_walker *walker;
    bool retry_failed;
    pthread_mutex_t lock;
    pthread_cond_t work;     /* for workers and the walker: a path, a free slot, room, the end */
    pthread_cond_t prepared; /* for extracting threads: a prepared picture, the end */
    pthread_cond_t done;     /* for the caller: a slot is ready, the end */
    queued_path *first;
    queued_path *last;
    uint64_t queue_length;
    uint64_t paths_found;
    bool listing_done;
    uint64_t paths_taken;
    uint64_t next_out;
    bool handed_out; /* the caller holds slot next_out - 1 */
    uint64_t bytes_read;
    bool stop;
    int32_t status;
    imgret_error failure;
    uint32_t prepared_count;
    uint32_t extracting_count; /* extracting threads that have an instance */
    uint32_t slot_count;
    ir_pipe_slot *slots;
    uint32_t thread_count; /* started: the walker's, the workers', the extracting ones */
    uint32_t worker_count;
    uint32_t extract_thread_count;
    pthread_t threads[];
};

static inline ir_pipe_slot *ir_pipe_slot_at(ir_pipe *pipe, uint64_t number)
{
    return &pipe->slots[number % pipe->slot_count];
}

/* Both under the lock. */
void ir_pipe_fail(ir_pipe *pipe, int32_t status, const imgret_error *failure);
bool ir_pipe_is_stopped(ir_pipe *pipe);

/* A moment of the monotonic clock. */
struct timespec ir_pipe_time_after(uint32_t wait_ms);

/* A thread that runs the model; `argument` is the pipe. */
void *ir_pipe_extract_main(void *argument);

#endif
