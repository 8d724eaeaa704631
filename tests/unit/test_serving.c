/* test_serving.c: one model for many threads: gathering, order, bounds, instances, stopping. */
#include "testing.h"

#include "base/alloc.h"
#include "extract/extract.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { PICTURE_BYTES = 12, HELD = 200 };

static void (*set_gate)(int closed);
static int (*count_held)(void);

static int find_gate(void **state)
{
    (void)state;
    void *plugin = dlopen(IMGRET_TEST_PLUGINS "/imgret_fake.so", RTLD_NOW | RTLD_LOCAL);
    if (!plugin)
        return -1;
    void *set = dlsym(plugin, "fake_gate"), *count = dlsym(plugin, "fake_held");
    memcpy(&set_gate, &set, sizeof set_gate);
    memcpy(&count_held, &count, sizeof count_held);
    return set && count ? 0 : -1;
}

static ir_extractor *open_fake(const char *spec, ir_extractor_options options)
{
    ir_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    options.plugin_path = IMGRET_TEST_PLUGINS;
    options.threads = 1;
    if (ir_extractor_open_with(&extractor, spec, &options, &error))
        fail_msg("%s: %s", spec, error.message);
    return extractor;
}

/* A thread with one request of pictures of one shade. */
typedef struct client {
    pthread_t thread;
    ir_extractor *extractor;
    uint8_t pixels[8 * PICTURE_BYTES];
    float out[8 * 4];
    ir_extract_job job;
    atomic_int stop;
    int32_t status;
    imgret_error error;
} client;

static bool client_stops(void *context)
{
    return atomic_load((atomic_int *)context) != 0;
}

static void *client_main(void *argument)
{
    client *self = argument;
    self->status = ir_extractor_run_job(self->extractor, &self->job, &self->error);
    return NULL;
}

static client *make_client(ir_extractor *extractor, uint8_t shade, uint32_t count)
{
    client *self = calloc(1, sizeof *self);
    assert_non_null(self);
    memset(self->pixels, shade, sizeof self->pixels);
    self->extractor = extractor;
    self->error = (imgret_error)IMGRET_ERROR_INIT;
    self->job = (ir_extract_job){.prepared = self->pixels,
                                 .count = count,
                                 .out = self->out,
                                 .stop = client_stops,
                                 .stop_context = &self->stop};
    return self;
}

static void start(client *self)
{
    assert_int_equal(pthread_create(&self->thread, NULL, client_main, self), 0);
}

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 200000};
    nanosleep(&moment, NULL);
}

static void wait_for_held(int count)
{
    while (count_held() != count)
        pause_a_moment();
}

static void wait_for_queue(ir_extractor *extractor, uint64_t count)
{
    ir_extract_counts counts;
    do {
        pause_a_moment();
        ir_extractor_get_counts(extractor, &counts);
    } while (counts.waiting_count != count);
}

/* The size of the batch that picture `row` of a finished client was in. */
static int batch_of(const client *self, uint32_t row, uint8_t shade)
{
    const float *vector = self->out + 4 * row;
    return (int)(vector[1] / vector[0] * ((float)shade + 1.0f) + 0.5f);
}

static void finish(client *self, int32_t status)
{
    pthread_join(self->thread, NULL);
    if (self->status != status)
        fail_msg("%s: %s", imgret_status_name(self->status), self->error.message);
}

/* Starts a client whose batch is held at the gate: all that come after it have to wait. */
static client *hold(ir_extractor *extractor)
{
    set_gate(1);
    int held = count_held();
    client *self = make_client(extractor, HELD, 1);
    start(self);
    wait_for_held(held + 1);
    return self;
}

static void release(client *holder)
{
    set_gate(0);
    finish(holder, IMGRET_OK);
    free(holder);
}

static void requests_that_wait_share_batches(void **state)
{
    (void)state;
    enum { COUNT = 7 };
    ir_extractor *extractor = open_fake("fake",
                                        (ir_extractor_options){.batch_delay_us = IMGRET_NO_WAIT});
    client *holder = hold(extractor), *clients[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        clients[i] = make_client(extractor, (uint8_t)(10 * i), 1);
        start(clients[i]);
        wait_for_queue(extractor, i + 1);
    }
    release(holder);
    for (uint32_t i = 0; i < COUNT; i++) { /* in order of arrival: 3, 3, 1 */
        finish(clients[i], IMGRET_OK);
        assert_int_equal(batch_of(clients[i], 0, (uint8_t)(10 * i)), i < 6 ? 3 : 1);
        free(clients[i]);
    }
    ir_extract_counts counts;
    ir_extractor_get_counts(extractor, &counts);
    assert_int_equal(counts.batch_count, 4);
    assert_int_equal(counts.picture_count, COUNT + 1);
    assert_int_equal(counts.waiting_count, 0);
    ir_extractor_close(extractor);
}

static void batch_max_can_be_lowered(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake", (ir_extractor_options){.batch_max = 2});
    assert_int_equal(ir_extractor_get_info(extractor)->batch_max, 2);
    client *all = make_client(extractor, 5, 5);
    start(all);
    finish(all, IMGRET_OK);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(batch_of(all, i, 5), i < 4 ? 2 : 1);
    free(all);
    ir_extractor_close(extractor);
}

static void foreground_passes_background(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake",
                                        (ir_extractor_options){.batch_delay_us = IMGRET_NO_WAIT});
    client *holder = hold(extractor);
    client *slow = make_client(extractor, 20, 6), *quick = make_client(extractor, 30, 1);
    slow->job.background = true;
    start(slow);
    wait_for_queue(extractor, 1);
    start(quick);
    wait_for_queue(extractor, 2);
    release(holder);
    finish(quick, IMGRET_OK);
    finish(slow, IMGRET_OK);
    assert_int_equal(batch_of(quick, 0, 30), 3); /* with the first two of the others */
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(batch_of(slow, i, 20), i < 5 ? 3 : 1);
    free(slow);
    free(quick);
    ir_extractor_close(extractor);
}

static void a_full_queue_says_so(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake", (ir_extractor_options){.queue_max = 2});
    client *holder = hold(extractor), *waiting[3];
    for (uint32_t i = 0; i < 2; i++) {
        start(waiting[i] = make_client(extractor, 1, 1));
        wait_for_queue(extractor, i + 1);
    }
    client *refused = make_client(extractor, 2, 1);
    client_main(refused);
    assert_int_equal(refused->status, IMGRET_BUSY);
    assert_non_null(strstr(refused->error.message, "2 requests wait for the model already"));
    free(refused);
    waiting[2] = make_client(extractor, 3, 1); /* background work is never refused */
    waiting[2]->job.background = true;
    start(waiting[2]);
    wait_for_queue(extractor, 3);
    release(holder);
    for (uint32_t i = 0; i < 3; i++) {
        finish(waiting[i], IMGRET_OK);
        free(waiting[i]);
    }
    ir_extract_counts counts;
    ir_extractor_get_counts(extractor, &counts);
    assert_int_equal(counts.refused_count, 1);
    ir_extractor_close(extractor);
}

static void a_waiting_request_can_be_stopped(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake", (ir_extractor_options){0});
    client *holder = hold(extractor);
    client *first = make_client(extractor, 1, 1), *second = make_client(extractor, 2, 1);
    start(first);
    wait_for_queue(extractor, 1);
    start(second);
    wait_for_queue(extractor, 2);
    atomic_store(&first->stop, 1);
    finish(first, IMGRET_INTERRUPTED); /* though the model is still held */
    atomic_store(&holder->stop, 1);    /* too late: it is in its batch */
    release(holder);
    finish(second, IMGRET_OK);
    free(first);
    free(second);
    ir_extractor_close(extractor);
}

static void one_requests_failure_is_not_the_others(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake;act=alone", (ir_extractor_options){0});
    client *holder = hold(extractor);
    client *single[2] = {make_client(extractor, 1, 1), make_client(extractor, 2, 1)};
    client *pair = make_client(extractor, 3, 2);
    start(single[0]);
    wait_for_queue(extractor, 1);
    start(pair);
    wait_for_queue(extractor, 2);
    start(single[1]);
    wait_for_queue(extractor, 3);
    release(holder);
    finish(pair, IMGRET_NO_MEMORY);
    assert_non_null(strstr(pair->error.message, "no room for two"));
    for (int i = 0; i < 2; i++) {
        finish(single[i], IMGRET_OK);
        assert_int_equal(batch_of(single[i], 0, (uint8_t)(i + 1)), 1);
        free(single[i]);
    }
    free(pair);
    ir_extractor_close(extractor);

    extractor = open_fake("fake;act=nan", (ir_extractor_options){0});
    holder = hold(extractor);
    client *good = make_client(extractor, 8, 1), *bad = make_client(extractor, 9, 1);
    start(bad);
    wait_for_queue(extractor, 1);
    start(good);
    wait_for_queue(extractor, 2);
    release(holder);
    finish(bad, IMGRET_BAD_MODEL);
    finish(good, IMGRET_OK);
    assert_int_equal(batch_of(good, 0, 8), 2);
    free(good);
    free(bad);
    ir_extractor_close(extractor);
}

static void instances_run_at_once(void **state)
{
    (void)state;
    ir_extractor *extractor = open_fake("fake", (ir_extractor_options){.instances = 2});
    assert_int_equal(ir_extractor_get_info(extractor)->instance_count, 2);
    client *first = hold(extractor), *second = hold(extractor);
    assert_int_equal(count_held(), 2);
    client *third = make_client(extractor, 4, 1);
    start(third);
    wait_for_queue(extractor, 1);
    release(first);
    release(second);
    finish(third, IMGRET_OK);
    free(third);
    ir_extractor_close(extractor);

    imgret_error error = IMGRET_ERROR_INIT;
    ir_extractor_options options = {.plugin_path = IMGRET_TEST_PLUGINS, .instances = 65};
    assert_int_equal(ir_extractor_open_with(&extractor, "fake", &options, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "65 instances"));
}

static void the_last_user_unloads(void **state)
{
    (void)state;
    uint64_t before = ir_alloc_live_count();
    ir_extractor *extractor = open_fake("fake", (ir_extractor_options){0});
    client *holder = hold(ir_extractor_share(extractor));
    ir_extractor_close(extractor); /* the owner goes while a batch runs */
    release(holder);
    assert_true(ir_alloc_live_count() > before);
    ir_extractor_close(extractor);
    assert_int_equal(ir_alloc_live_count(), before);
}

/* Many threads, requests of changing sizes, several instances: every row is its own. */
static void *hammer(void *argument)
{
    client *self = argument;
    uint32_t seed = self->pixels[0];
    for (int round = 0; round < 400 && !self->status; round++) {
        seed = seed * 1664525u + 1013904223u;
        self->job.count = 1 + (seed >> 16) % 8;
        self->job.background = (seed >> 20) % 4 == 0;
        for (uint32_t i = 0; i < self->job.count; i++)
            self->pixels[i * PICTURE_BYTES] = (uint8_t)((seed >> 8) % 150 + i);
        self->status = ir_extractor_run_job(self->extractor, &self->job, &self->error);
        for (uint32_t i = 0; i < self->job.count && !self->status; i++) {
            int batch = batch_of(self, i, self->pixels[i * PICTURE_BYTES]);
            if (batch < 1 || batch > 3)
                self->status = IMGRET_INTERNAL;
        }
    }
    return NULL;
}

static void many_threads_get_their_own_rows(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    for (uint32_t instances = 1; instances <= 3; instances += 2) {
        ir_extractor *extractor = open_fake("fake", (ir_extractor_options){.instances = instances});
        client *clients[COUNT];
        for (int i = 0; i < COUNT; i++) {
            clients[i] = make_client(extractor, (uint8_t)i, 1);
            assert_int_equal(pthread_create(&clients[i]->thread, NULL, hammer, clients[i]), 0);
        }
        for (int i = 0; i < COUNT; i++) {
            finish(clients[i], IMGRET_OK);
            free(clients[i]);
        }
        ir_extractor_close(extractor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_wait_share_batches),
        cmocka_unit_test(batch_max_can_be_lowered),
        cmocka_unit_test(foreground_passes_background),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(a_waiting_request_can_be_stopped),
        cmocka_unit_test(one_requests_failure_is_not_the_others),
        cmocka_unit_test(instances_run_at_once),
        cmocka_unit_test(the_last_user_unloads),
        cmocka_unit_test(many_threads_get_their_own_rows),
    };
    return cmocka_run_group_tests_name("serving", tests, find_gate, NULL);
}
