/* batcher.c: pictures from many threads, gathered into batches for the instances of one model.
 *
 *   request (on its caller's stack) -> queue -> batch of one leader -> instance -> rows
 *
 * Invariants, under `lock`:
 *  1. The queue holds the requests with pictures that no batch has taken, those of the foreground
 *     before those of the background, each class in order of arrival. Pictures are taken in that
 *     order, so answers are given in that order as far as one instance goes.
 *  2. While an instance is free and the queue is not empty, one thread is about to lead: the
 *     caller of the first request, who was woken for it. At most one leader gathers at a time.
 *  3. A request is left by its caller only when none of its pictures is in a batch: batches read
 *     and write the caller's memory.
 *
 * How long a leader waits for more pictures. A caller who is alone must not wait at all; several
 * callers in a loop come back at about the same time after each batch. `crowd` is how many requests
 * were seen at once lately: a leader waits while fewer are there, and lowers it when they do not
 * come. Without a delay chosen by the host a quarter of a usual run is what it may cost.
 */
#include "extract/batcher.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
    DELAY_US_MAX = 5000, /* of IR_DELAY_BY_RUN: longer is felt by whoever waits for an answer */
    STOP_POLL_US = 20000 /* how long an interrupt may go unnoticed */
};

typedef struct request {
    struct request *next; /* in the queue */
    const ir_extract_job *job;
    uint32_t taken;     /* pictures that batches took; `count` ends them */
    uint32_t in_flight; /* of these, not answered yet */
    bool queued;
    int32_t status; /* the first failure */
    imgret_error failure;
    pthread_cond_t wake;
} request;

/* Pictures of one request within a batch. */
typedef struct piece {
    request *owner;
    uint32_t first;
    uint32_t count;
    int32_t status;
    imgret_error failure;
} piece;

typedef struct instance {
    bool busy;
    uint8_t *pixels; /* batch_max pictures; made when a batch first needs it */
    float *raw;      /* batch_max rows */
    float *logits;   /* the same; made when a request first wants them */
    piece *pieces;   /* batch_max */
} instance;

struct ir_batcher {
    ir_batch_model model;
    pthread_mutex_t lock;
    pthread_condattr_t clock; /* monotonic */
    request *first;
    request *last_foreground; /* NULL: none is queued */
    request *last;
    uint32_t queued_count; /* requests, of both classes */
    uint32_t foreground_count;
    uint32_t queued_pictures;
    uint32_t present_count; /* requests whose callers are inside */
    uint32_t crowd;
    uint32_t free_count;
    request *gathering; /* the leader's own request while he waits for more; NULL: nobody does */
    uint64_t run_us;    /* a usual run: a moving mean */
    ir_extract_counts counts;
    instance instances[];
};

/* ---- the queue; all under the lock ---- */

static uint32_t untaken(const request *waiting)
{
    return waiting->job->count - waiting->taken;
}

static void enqueue(ir_batcher *batcher, request *arrived)
{
    request **link;
    if (arrived->job->background)
        link = batcher->last ? &batcher->last->next : &batcher->first;
    else
        link = batcher->last_foreground ? &batcher->last_foreground->next : &batcher->first;
    arrived->next = *link;
    *link = arrived;
    if (!arrived->next)
        batcher->last = arrived;
    if (!arrived->job->background) {
        batcher->last_foreground = arrived;
        batcher->foreground_count++;
    }
    arrived->queued = true;
    batcher->queued_count++;
    batcher->queued_pictures += untaken(arrived);
}

static void dequeue(ir_batcher *batcher, request *leaving)
{
    request *before = NULL;
    for (request *at = batcher->first; at != leaving; at = at->next)
        before = at;
    if (before)
        before->next = leaving->next;
    else
        batcher->first = leaving->next;
    if (batcher->last == leaving)
        batcher->last = before;
    if (batcher->last_foreground == leaving)
        batcher->last_foreground = before;
    if (!leaving->job->background)
        batcher->foreground_count--;
    leaving->queued = false;
    batcher->queued_count--;
    batcher->queued_pictures -= untaken(leaving);
}

static bool is_done(const request *waiting)
{
    return !waiting->queued && waiting->in_flight == 0;
}

static bool is_stopped(const request *waiting)
{
    return waiting->job->stop && waiting->job->stop(waiting->job->stop_context);
}

/* Takes the rest of a request out of the queue: it failed, or its caller was interrupted. */
static void give_up(ir_batcher *batcher, request *failed, int32_t status, const char *message)
{
    if (!failed->status) {
        failed->failure = (imgret_error)IMGRET_ERROR_INIT;
        failed->status = ir_fail(&failed->failure, status, "%s", message);
    }
    if (failed->queued)
        dequeue(batcher, failed);
}

/* Keeps invariant 2; also tells a gathering leader that there is more. */
static void wake_leader(ir_batcher *batcher)
{
    if (batcher->gathering)
        pthread_cond_signal(&batcher->gathering->wake);
    else if (batcher->first && batcher->free_count > 0)
        pthread_cond_signal(&batcher->first->wake);
}

static bool may_lead(const ir_batcher *batcher, const request *mine)
{
    return batcher->first == mine && batcher->free_count > 0 && !batcher->gathering;
}

/* ---- waiting ---- */

static struct timespec moment(uint64_t clock_us)
{
    return (struct timespec){.tv_sec = (time_t)(clock_us / 1000000),
                             .tv_nsec = (long)(clock_us % 1000000) * 1000};
}

static void wait_until(ir_batcher *batcher, request *mine, uint64_t until_us)
{
    struct timespec until = moment(until_us);
    pthread_cond_timedwait(&mine->wake, &batcher->lock, &until);
}

static void wait_for_turn(ir_batcher *batcher, request *mine)
{
    if (mine->job->stop && mine->queued)
        wait_until(batcher, mine, ir_clock_us() + STOP_POLL_US);
    else
        pthread_cond_wait(&mine->wake, &batcher->lock);
}

static uint64_t delay_us(const ir_batcher *batcher)
{
    if (batcher->model.delay_us != IR_DELAY_BY_RUN)
        return batcher->model.delay_us;
    uint64_t quarter = batcher->run_us / 4;
    return quarter < DELAY_US_MAX ? quarter : DELAY_US_MAX;
}

static bool is_crowd_here(const ir_batcher *batcher)
{
    return batcher->queued_pictures >= batcher->model.batch_max ||
           batcher->present_count >= batcher->crowd;
}

/* Waits for those who are likely to come. */
static void gather(ir_batcher *batcher, request *mine)
{
    if (batcher->crowd < 2 || is_crowd_here(batcher))
        return;
    uint64_t delay = delay_us(batcher), until_us = ir_clock_us() + delay;
    if (delay == 0)
        return;
    batcher->gathering = mine;
    while (!is_crowd_here(batcher) && ir_clock_us() < until_us && !is_stopped(mine))
        wait_until(batcher, mine, until_us);
    batcher->gathering = NULL;
    if (!is_crowd_here(batcher))
        batcher->crowd = (batcher->crowd + batcher->present_count) / 2;
}

/* ---- a batch ---- */

static instance *take_instance(ir_batcher *batcher, uint32_t *number)
{
    *number = 0;
    while (batcher->instances[*number].busy)
        (*number)++;
    batcher->instances[*number].busy = true;
    batcher->free_count--;
    return &batcher->instances[*number];
}

/* Takes pictures from the queue, in its order; returns the number of pieces. */
static uint32_t take_pictures(ir_batcher *batcher, piece *pieces, uint32_t *picture_count)
{
    uint32_t piece_count = 0, room = batcher->model.batch_max;
    while (batcher->first && room > 0) {
        request *owner = batcher->first;
        uint32_t count = untaken(owner) < room ? untaken(owner) : room;
        pieces[piece_count++] = (piece){.owner = owner, .first = owner->taken, .count = count};
        batcher->queued_pictures -= count;
        owner->taken += count;
        owner->in_flight += count;
        room -= count;
        if (untaken(owner) == 0)
            dequeue(batcher, owner);
    }
    *picture_count = batcher->model.batch_max - room;
    return piece_count;
}

static const uint8_t *picture_at(const ir_batcher *batcher, const ir_extract_job *job,
                                 uint32_t index)
{
    return job->pictures ? job->pictures[index]
                         : job->prepared + (size_t)index * batcher->model.input_bytes;
}

/* The pictures side by side: where they lie already, or copied to the instance's own memory. */
static const uint8_t *join_pictures(ir_batcher *batcher, instance *here, const piece *pieces,
                                    uint32_t piece_count, uint32_t picture_count)
{
    const ir_extract_job *job = pieces[0].owner->job;
    if (piece_count == 1 && (picture_count == 1 || !job->pictures))
        return picture_at(batcher, job, pieces[0].first);
    size_t bytes = batcher->model.input_bytes;
    if (!here->pixels)
        here->pixels = ir_malloc_array(batcher->model.batch_max, bytes);
    uint8_t *to = here->pixels;
    for (uint32_t i = 0; to && i < piece_count; i++)
        for (uint32_t j = 0; j < pieces[i].count; j++, to += bytes)
            memcpy(to, picture_at(batcher, pieces[i].owner->job, pieces[i].first + j), bytes);
    return here->pixels;
}

static void finish_piece(const ir_batcher *batcher, piece *done, float *raw, const float *logits)
{
    const ir_batch_model *model = &batcher->model;
    const ir_extract_job *job = done->owner->job;
    for (uint32_t i = 0; i < done->count && !done->status; i++) {
        done->failure = (imgret_error)IMGRET_ERROR_INIT;
        done->status = model->finish(model->extractor, raw + (size_t)i * model->raw_dimension,
                                     logits ? logits + (size_t)i * model->class_count : NULL, job,
                                     done->first + i, &done->failure);
        if (done->status)
            ir_fail_within(&done->failure, done->status, "picture %u of %u", done->first + i + 1,
                           job->count);
    }
}

/* *out is where the batch's logits go, NULL when nobody wants them. False: out of memory. */
static bool find_logits(const ir_batcher *batcher, instance *here, const piece *pieces,
                        uint32_t piece_count, float **out)
{
    bool wanted = false;
    for (uint32_t i = 0; i < piece_count; i++)
        wanted = wanted || pieces[i].owner->job->logits || pieces[i].owner->job->labels;
    size_t count = (size_t)batcher->model.batch_max * batcher->model.class_count;
    if (wanted && !here->logits)
        here->logits = ir_malloc_array(count, sizeof *here->logits);
    *out = wanted ? here->logits : NULL;
    return !wanted || here->logits;
}

/* Runs pieces as one batch; when the model refuses them together, each request's alone, so that one
 * caller's trouble does not become the others'. */
static void run_pieces(ir_batcher *batcher, uint32_t number, piece *pieces, uint32_t piece_count)
{
    const ir_batch_model *model = &batcher->model;
    instance *here = &batcher->instances[number];
    uint32_t picture_count = 0;
    for (uint32_t i = 0; i < piece_count; i++)
        picture_count += pieces[i].count;
    imgret_error failure = IMGRET_ERROR_INIT;
    const uint8_t *pixels = join_pictures(batcher, here, pieces, piece_count, picture_count);
    int32_t status;
    float *logits = NULL;
    if (pixels && find_logits(batcher, here, pieces, piece_count, &logits))
        status = model->run(model->extractor, number, pixels, picture_count, here->raw, logits,
                            &failure);
    else
        status = ir_fail(&failure, IMGRET_NO_MEMORY, "no memory for a batch of %u pictures",
                         picture_count);
    if (status && piece_count > 1) {
        for (uint32_t i = 0; i < piece_count; i++)
            run_pieces(batcher, number, &pieces[i], 1);
        return;
    }
    float *raw = here->raw;
    for (uint32_t i = 0; i < piece_count; i++) {
        pieces[i].status = status;
        pieces[i].failure = failure;
        if (!status) {
            finish_piece(batcher, &pieces[i], raw, logits);
            if (logits)
                logits += (size_t)pieces[i].count * model->class_count;
        }
        raw += (size_t)pieces[i].count * model->raw_dimension;
    }
}

/* Under the lock. */
static void settle_piece(ir_batcher *batcher, const piece *done)
{
    request *owner = done->owner;
    owner->in_flight -= done->count;
    if (done->status)
        give_up(batcher, owner, done->status, done->failure.message);
    if (is_done(owner))
        pthread_cond_signal(&owner->wake);
}

/* Gathers a batch, runs it with the lock released, and answers. */
static void lead(ir_batcher *batcher, request *mine)
{
    uint32_t number, picture_count;
    instance *here = take_instance(batcher, &number);
    gather(batcher, mine);
    uint32_t piece_count = take_pictures(batcher, here->pieces, &picture_count);
    wake_leader(batcher);
    pthread_mutex_unlock(&batcher->lock);
    uint64_t started_us = ir_clock_us();
    run_pieces(batcher, number, here->pieces, piece_count);
    uint64_t run_us = ir_clock_us() - started_us;
    pthread_mutex_lock(&batcher->lock);
    for (uint32_t i = 0; i < piece_count; i++)
        settle_piece(batcher, &here->pieces[i]);
    batcher->run_us = batcher->run_us ? (3 * batcher->run_us + run_us) / 4 : run_us;
    batcher->counts.batch_count++;
    batcher->counts.picture_count += picture_count;
    here->busy = false;
    batcher->free_count++;
    wake_leader(batcher);
}

/* ---- face ---- */

/* Under the lock. */
static int32_t admit(ir_batcher *batcher, request *arrived, imgret_error *error)
{
    if (!arrived->job->background && batcher->foreground_count >= batcher->model.queue_max) {
        batcher->counts.refused_count++;
        return ir_fail(error, IMGRET_BUSY,
                       "%u requests wait for the model already, the queue holds no more",
                       batcher->foreground_count);
    }
    enqueue(batcher, arrived);
    if (++batcher->present_count > batcher->crowd)
        batcher->crowd = batcher->present_count;
    if (batcher->gathering)
        wake_leader(batcher);
    return IMGRET_OK;
}

int32_t ir_batcher_run(ir_batcher *batcher, const ir_extract_job *job, imgret_error *error)
{
    if (job->count == 0)
        return IMGRET_OK;
    request mine = {.job = job};
    pthread_mutex_lock(&batcher->lock);
    int32_t status = admit(batcher, &mine, error);
    if (status) {
        pthread_mutex_unlock(&batcher->lock);
        return status;
    }
    pthread_cond_init(&mine.wake, &batcher->clock);
    while (!is_done(&mine)) {
        if (mine.queued && is_stopped(&mine)) {
            bool was_first = batcher->first == &mine;
            give_up(batcher, &mine, IMGRET_INTERRUPTED, "interrupted");
            if (was_first) /* the turn that may have been given to this thread is the next one's */
                wake_leader(batcher);
        } else if (may_lead(batcher, &mine)) {
            lead(batcher, &mine);
        } else {
            wait_for_turn(batcher, &mine);
        }
    }
    batcher->present_count--;
    pthread_mutex_unlock(&batcher->lock);
    pthread_cond_destroy(&mine.wake);
    return mine.status ? ir_fail(error, mine.status, "%s", mine.failure.message) : IMGRET_OK;
}

void ir_batcher_get_counts(ir_batcher *batcher, ir_extract_counts *out)
{
    pthread_mutex_lock(&batcher->lock);
    *out = batcher->counts;
    out->waiting_count = batcher->queued_count;
    pthread_mutex_unlock(&batcher->lock);
}

int32_t ir_batcher_create(ir_batcher **out, const ir_batch_model *model, imgret_error *error)
{
    *out = NULL;
    ir_batcher *batcher = ir_calloc(1, sizeof *batcher +
                                           model->instance_count * sizeof batcher->instances[0]);
    if (!batcher)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's queue");
    batcher->model = *model;
    batcher->free_count = model->instance_count;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_condattr_init(&batcher->clock);
    pthread_condattr_setclock(&batcher->clock, CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < model->instance_count; i++) {
        instance *made = &batcher->instances[i];
        made->raw = ir_malloc_array((size_t)model->batch_max * model->raw_dimension,
                                    sizeof *made->raw);
        made->pieces = ir_malloc_array(model->batch_max, sizeof *made->pieces);
        if (!made->raw || !made->pieces) {
            ir_batcher_free(batcher);
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for batches of %u pictures",
                           model->batch_max);
        }
    }
    *out = batcher;
    return IMGRET_OK;
}

void ir_batcher_free(ir_batcher *batcher)
{
    if (!batcher)
        return;
    for (uint32_t i = 0; i < batcher->model.instance_count; i++) {
        ir_free(batcher->instances[i].pixels);
        ir_free(batcher->instances[i].raw);
        ir_free(batcher->instances[i].logits);
        ir_free(batcher->instances[i].pieces);
    }
    pthread_condattr_destroy(&batcher->clock);
    pthread_mutex_destroy(&batcher->lock);
    ir_free(batcher);
}
