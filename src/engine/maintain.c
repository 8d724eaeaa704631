/* maintain.c: a thread that optimizes a database now and then, where the host asked for one.
 *
 * It does what imgret_optimize without flags does, by the same rules of when it pays, on one thread
 * and within MEMORY_BYTES. Searches go on meanwhile as they do beside any optimize; a host's own optimize,
 * backup, export or repair goes first.
 */
#include "engine/maintain.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/optimize.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define MEMORY_BYTES ((uint64_t)512 << 20)
enum { PAUSE_MS = 1000, PAUSE_MS_MAX = 60000 }; /* doubled after each failure */

struct ir_maintenance {
    ir_database *database;
    ir_pool *pool; /* of one thread: the host's queries keep theirs */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;            /* under lock */
    atomic_int yielding;  /* calls of the host that want the segments */
    atomic_bool over_now; /* as `over`, for the build */
    atomic_bool busy;
    atomic_uint_fast64_t never; /* its calls are not stopped by imgret_interrupt */
};

static _Thread_local bool is_maintaining; /* this thread is such a thread */

static int32_t stop_for_others(void *user, double done)
{
    (void)done;
    ir_maintenance *self = user;
    return atomic_load(&self->over_now) || atomic_load(&self->yielding) > 0;
}

static int32_t optimize_once(ir_maintenance *self)
{
    const imgret_optimize_options options = {.size = sizeof options,
                                             .memory_bytes_max = MEMORY_BYTES,
                                             .on_progress = stop_for_others,
                                             .user = self};
    imgret_error error = IMGRET_ERROR_INIT;
    ir_call call;
    ir_call_begin(&call, &self->never);
    atomic_store(&self->busy, true);
    int32_t status = stop_for_others(self, 0)
                         ? IMGRET_OK
                         : ir_optimize(self->database, &options, self->pool, &call, &error);
    atomic_store(&self->busy, false);
    ir_call_end(&call);
    if (status == IMGRET_BUSY || status == IMGRET_INTERRUPTED)
        return IMGRET_OK; /* somebody else is at it, or was let pass */
    if (status)
        ir_log(IMGRET_LOG_WARNING, "maintenance: %s", error.message);
    return status;
}

/* Waits; false when it is over. */
static bool wait_ms(ir_maintenance *self, uint32_t pause_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pause_ms / 1000;
    until.tv_nsec += (long)(pause_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&self->lock);
    while (!self->over && pthread_cond_timedwait(&self->changed, &self->lock, &until) != ETIMEDOUT)
        continue;
    bool goes_on = !self->over;
    pthread_mutex_unlock(&self->lock);
    return goes_on;
}

static void *maintain(void *context)
{
    ir_maintenance *self = context;
    uint32_t pause_ms = PAUSE_MS;
    is_maintaining = true;
    while (wait_ms(self, pause_ms)) {
        bool failed = optimize_once(self) != IMGRET_OK;
        pause_ms = !failed ? PAUSE_MS : pause_ms < PAUSE_MS_MAX / 2 ? pause_ms * 2 : PAUSE_MS_MAX;
    }
    return NULL;
}

/* Signals are the host's threads' business. */
static int start_thread(ir_maintenance *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, maintain, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void free_it(ir_maintenance *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    ir_pool_free(self->pool);
    ir_free(self);
}

int32_t ir_maintenance_start(ir_maintenance **out, ir_database *database, imgret_error *error)
{
    *out = NULL;
    ir_maintenance *self = ir_calloc(1, sizeof *self);
    if (!self)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for maintenance");
    self->database = database;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->lock, NULL);
    int32_t status = ir_pool_create(&self->pool, 1, error);
    *out = self; /* before the thread looks for it there */
    if (!status && start_thread(self) != 0)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no thread for maintenance");
    if (status) {
        *out = NULL;
        free_it(self);
    }
    return status;
}

void ir_maintenance_stop(ir_maintenance *maintenance)
{
    if (!maintenance)
        return;
    atomic_store(&maintenance->over_now, true);
    pthread_mutex_lock(&maintenance->lock);
    maintenance->over = true;
    pthread_cond_signal(&maintenance->changed);
    pthread_mutex_unlock(&maintenance->lock);
    pthread_join(maintenance->thread, NULL);
    free_it(maintenance);
}

void ir_maintenance_yield(ir_maintenance *maintenance, bool *was_busy)
{
    *was_busy = false;
    if (!maintenance || is_maintaining)
        return;
    atomic_fetch_add(&maintenance->yielding, 1);
    *was_busy = atomic_load(&maintenance->busy);
}

bool ir_maintenance_runs(void)
{
    return is_maintaining;
}

void ir_maintenance_resume(ir_maintenance *maintenance)
{
    if (maintenance && !is_maintaining)
        atomic_fetch_sub(&maintenance->yielding, 1);
}
