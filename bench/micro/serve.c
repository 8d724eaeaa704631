/* serve.c: one model for many client threads, with and without gathering into batches.
 *
 * `bench/micro/serve --model SPEC [--seconds S] [--runs N] [--threads N] [--json]`: the model's own
 * throughput on full batches, then clients in a loop of one prepared picture each: one by one, gathered
 * by what comes while another batch runs, and gathered with waiting for more, as is the default. Every
 * figure is the best of `runs`, taken in turn: other load only ever slows one down. Plugins are found
 * by IMGRET_PLUGIN_PATH.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "extract/extract.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MAX = 8, CASE_COUNT = 9, KIND_COUNT = 3, BATCH = 32 };

/* How requests come together. */
enum { ALONE, NO_WAIT, GATHERED }; /* batches of one picture; batch_delay_us none; its default */

typedef struct bench_case {
    const char *name;
    uint32_t clients;
    uint32_t pictures; /* a request */
    int kind;
    double best_per_s;
    double best_ms; /* a request */
} bench_case;

typedef struct client {
    pthread_t thread;
    ir_extractor *extractor;
    uint32_t pictures;
    uint64_t until_us;
    uint64_t request_count;
} client;

static void die(const char *message)
{
    fprintf(stderr, "serve: %s\n", message);
    exit(2);
}

static void *client_main(void *argument)
{
    client *self = argument;
    const ir_extractor_info *info = ir_extractor_get_info(self->extractor);
    size_t bytes = self->pictures * ir_extractor_input_bytes(self->extractor);
    uint8_t *pixels = malloc(bytes);
    float *out = malloc((size_t)self->pictures * info->dimension * sizeof *out);
    imgret_error error = IMGRET_ERROR_INIT;
    if (!pixels || !out)
        die("no memory");
    memset(pixels, 100, bytes);
    while (ir_clock_us() < self->until_us) {
        if (ir_extractor_run(self->extractor, pixels, self->pictures, out, &error))
            die(error.message);
        self->request_count++;
    }
    free(pixels);
    free(out);
    return NULL;
}

static void run_case(bench_case *given, ir_extractor *extractor, double seconds)
{
    client clients[CLIENTS_MAX];
    uint64_t started_us = ir_clock_us(), request_count = 0;
    for (uint32_t i = 0; i < given->clients; i++) {
        clients[i] = (client){.extractor = extractor,
                              .pictures = given->pictures,
                              .until_us = started_us + (uint64_t)(seconds * 1e6)};
        if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]))
            die("cannot start a thread");
    }
    for (uint32_t i = 0; i < given->clients; i++) {
        pthread_join(clients[i].thread, NULL);
        request_count += clients[i].request_count;
    }
    double took = (double)(ir_clock_us() - started_us) / 1e6;
    double per_s = (double)request_count * given->pictures / took;
    if (per_s > given->best_per_s) {
        given->best_per_s = per_s;
        given->best_ms = 1e3 * took * given->clients / (double)request_count;
    }
}

static ir_extractor *open_model(const char *model, uint32_t threads, int kind)
{
    ir_extractor_options options = {.threads = threads,
                                    .batch_max = kind == ALONE ? 1 : 0,
                                    .batch_delay_us = kind == NO_WAIT ? IMGRET_NO_WAIT : 0};
    imgret_error error = IMGRET_ERROR_INIT;
    ir_extractor *extractor;
    if (ir_extractor_open_with(&extractor, model, &options, &error))
        die(error.message);
    return extractor;
}

static void print_case(const bench_case *done, bool json)
{
    if (json)
        printf("{\"bench\":\"serve\",\"case\":\"%s\",\"clients\":%u,\"images_per_s\":%.1f,"
               "\"request_ms\":%.2f}\n",
               done->name, done->clients, done->best_per_s, done->best_ms);
    else
        printf("%-24s %7u %10.1f/s %10.2f ms\n", done->name, done->clients, done->best_per_s,
               done->best_ms);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"model", required_argument, NULL, 'm'},   {"seconds", required_argument, NULL, 's'},
        {"threads", required_argument, NULL, 't'}, {"runs", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0}};
    bench_case cases[CASE_COUNT] = {
        {"full batches", 1, BATCH, GATHERED, 0, 0}, {"one by one", 1, 1, ALONE, 0, 0},
        {"one by one", 2, 1, ALONE, 0, 0},          {"one by one", 8, 1, ALONE, 0, 0},
        {"gathered, no wait", 2, 1, NO_WAIT, 0, 0}, {"gathered, no wait", 8, 1, NO_WAIT, 0, 0},
        {"gathered", 1, 1, GATHERED, 0, 0},         {"gathered", 2, 1, GATHERED, 0, 0},
        {"gathered", 8, 1, GATHERED, 0, 0},
    };
    const char *model = "classic";
    double seconds = 1;
    uint32_t threads = 0, runs = 3;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "m:s:t:r:j", names, NULL)) != -1) {
        if (option == 'm')
            model = optarg;
        else if (option == 's')
            seconds = atof(optarg);
        else if (option == 't')
            threads = (uint32_t)atoi(optarg);
        else if (option == 'r')
            runs = (uint32_t)atoi(optarg);
        else if (option == 'j')
            json = true;
        else
            die("usage: serve [--model SPEC] [--seconds S] [--threads N] [--runs N] [--json]");
    }
    ir_extractor *extractors[KIND_COUNT];
    for (int kind = 0; kind < KIND_COUNT; kind++)
        extractors[kind] = open_model(model, threads, kind);
    for (uint32_t run = 0; run < runs; run++)
        for (int i = 0; i < CASE_COUNT; i++)
            run_case(&cases[i], extractors[cases[i].kind], seconds);
    for (int i = 0; i < CASE_COUNT; i++)
        print_case(&cases[i], json);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        ir_extractor_close(extractors[kind]);
    return 0;
}
