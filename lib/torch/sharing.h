/* sharing.h: whether the threads of a model work on a single picture together: settled by the clock.
 *
 * On idle cores two threads take little more than half the time of one. With other work on the cores
 * each of a network's layers waits until all of them run again, and it can take ten times as long. So
 * both ways are timed, the quicker is kept, and the other is tried again from time to time, so rarely
 * that trying costs some 2% of the time. */
#ifndef IR_TORCH_SHARING_H
#define IR_TORCH_SHARING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One caller at a time. Begins as {.shares = the way to begin with}. */
typedef struct ir_torch_sharing {
    bool shares;        /* the quicker way, as far as is known */
    bool is_warm;       /* the other way has run before: its first picture pays for preparations */
    uint32_t run_count; /* pictures since the other way was tried */
    double took_us[2];  /* a picture alone, and shared; 0: not known */
} ir_torch_sharing;

/* Whether the next picture is to be shared. */
bool ir_torch_sharing_next(const ir_torch_sharing *sharing);

/* A picture took so long, shared or not. */
void ir_torch_sharing_took(ir_torch_sharing *sharing, bool shared, double took_us);

#ifdef __cplusplus
}
#endif

#endif
