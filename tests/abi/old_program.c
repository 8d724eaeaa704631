/* old_program.c: a host compiled against imgret-0.h, the first header that had users, and run with
 * the library of today: every function of that header is called, with its structs of that day.
 *
 * Usage: old_program DATABASE FOLDER PICTURE. Exit status 0 when all is as that header promised.
 */
#include "imgret-0.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static imgret_error error = IMGRET_ERROR_INIT;
static int failures;

#define GOOD(call) expect((call) == IMGRET_OK, #call)
#define TRUE(condition) expect((condition) != 0, #condition)

static void expect(int good, const char *what)
{
    if (good)
        return;
    failures++;
    fprintf(stderr, "old_program: not so: %s (%s)\n", what, error.message);
}

/* Behind a struct that the library fills: it must not write past the end that `size` says. */
#define CANARY UINT64_C(0x0123456789abcdef)

static void *on_alloc(void *user, uint64_t bytes)
{
    ++*(uint64_t *)user;
    return malloc(bytes);
}

static void *on_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    return realloc(pointer, bytes);
}

static void on_free(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

static void on_log(void *user, int32_t level, const char *message)
{
    (void)message;
    *(int32_t *)user = level;
}

static int32_t on_item(void *user, const imgret_ingest_item *item)
{
    TRUE(item->size >= sizeof *item && item->uri && item->format && item->message);
    *(uint64_t *)user += item->outcome == IMGRET_STORED;
    return 0;
}

static int32_t on_progress(void *user, const imgret_ingest_progress *progress)
{
    (void)user;
    TRUE(progress->size >= sizeof *progress && progress->done_count <= progress->file_count);
    return 0;
}

static void ingest(imgret *db, const char *folder)
{
    uint64_t stored = 0;
    struct {
        imgret_ingest_progress report;
        uint64_t canary;
    } out = {.report = {.size = sizeof out.report}, .canary = CANARY};
    imgret_ingest_options options = {.size = sizeof options, .paths = &folder, .path_count = 1};
    options.on_item = on_item;
    options.on_progress = on_progress;
    options.user = &stored;
    options.commit_count = 8;
    GOOD(imgret_ingest(db, &options, &out.report, &error));
    TRUE(out.report.stored_count == stored && stored > 0 && out.canary == CANARY);
}

static void add_and_change(imgret *db, const char *picture)
{
    uint8_t pixels[16 * 16 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_PIXELS, .data = pixels};
    input.width = input.height = 16;
    input.data_bytes = sizeof pixels;
    imgret_add_options options = {.size = sizeof options, .uri = "drawn"};
    options.metadata = "{\"by\": \"hand\"}";
    struct {
        imgret_add_result result;
        uint64_t canary;
    } out = {.result = {.size = sizeof out.result}, .canary = CANARY};
    GOOD(imgret_add(db, &input, &options, &out.result, &error));
    TRUE(out.result.outcome == IMGRET_STORED && out.result.id > 0 && out.canary == CANARY);
    GOOD(imgret_set_metadata(db, out.result.id, "{\"by\": \"nobody\"}", &error));

    imgret_records *records = NULL;
    GOOD(imgret_get(&records, db, out.result.id, &error));
    TRUE(imgret_records_count(records) == 1);
    const imgret_record *record = imgret_records_at(records, 0);
    TRUE(record->size >= sizeof *record && record->state == IMGRET_STATE_STORED);
    TRUE(!strcmp(record->uri, "drawn") && strstr(record->metadata, "nobody") &&
         record->width == 16);
    imgret_records_free(records);
    GOOD(imgret_remove(db, out.result.id, &error));
    TRUE(imgret_remove(db, out.result.id, &error) == IMGRET_NOT_FOUND);

    input = (imgret_input){.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = picture};
    GOOD(imgret_add(db, &input, NULL, NULL, &error));
}

static void query(imgret *db, const char *picture)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = picture};
    imgret_query_options options = {.size = sizeof options, .k = 3};
    options.flags = IMGRET_QUERY_MIN_SCORE;
    options.min_score = -1;
    imgret_results *results = NULL;
    GOOD(imgret_query(&results, db, &input, &options, &error));
    TRUE(imgret_results_count(results) == 3 && !imgret_results_at(results, 3));
    double before = 2;
    int64_t best = 0;
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        TRUE(hit->size >= sizeof *hit && hit->uri && hit->score <= before && hit->id > 0);
        before = hit->score;
        best = best ? best : hit->id;
    }
    TRUE(imgret_results_at(results, 0)->score > 0.999);
    imgret_results_free(results);
    input = (imgret_input){.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = best};
    GOOD(imgret_query(&results, db, &input, NULL, &error));
    TRUE(imgret_results_count(results) > 0 && imgret_results_at(results, 0)->id != best);
    imgret_results_free(results);
}

static void look(imgret *db)
{
    struct {
        imgret_stats stats;
        uint64_t canary;
    } out = {.stats = {.size = sizeof out.stats}, .canary = CANARY};
    GOOD(imgret_get_stats(db, &out.stats, &error));
    TRUE(out.stats.size == sizeof out.stats && out.canary == CANARY);
    TRUE(out.stats.image_count > 3 && out.stats.query_count == 2 && out.stats.kernels[0]);
    TRUE(out.stats.dimension > 0 && !strcmp(out.stats.model, "classic"));

    imgret_list_options options = {.size = sizeof options, .limit = 2};
    imgret_records *records = NULL;
    GOOD(imgret_list(&records, db, &options, &error));
    TRUE(imgret_records_count(records) == 2);
    float *vector = calloc(out.stats.dimension, sizeof *vector);
    if (!vector)
        exit(1);
    int64_t id = imgret_records_count(records) ? imgret_records_at(records, 0)->id : 0;
    GOOD(imgret_get_vector(db, id, vector, out.stats.dimension, &error));
    free(vector);
    imgret_records_free(records);
    uint64_t problem_count = 99;
    GOOD(imgret_check(db, NULL, NULL, &problem_count, &error));
    TRUE(problem_count == 0);
}

static void extract(const char *picture)
{
    imgret_extractor *extractor = NULL;
    imgret_extractor_options options = {.size = sizeof options, .threads = 1};
    struct {
        imgret_extractor_info info;
        uint64_t canary;
    } out = {.info = {.size = sizeof out.info}, .canary = CANARY};
    GOOD(imgret_extractor_open(&extractor, "classic", &options, &error));
    GOOD(imgret_extractor_get_info(extractor, &out.info, &error));
    TRUE(out.canary == CANARY && !strcmp(out.info.backend, "classic") && out.info.dimension > 0);
    imgret_input inputs[2] = {{.size = sizeof inputs[0], .kind = IMGRET_INPUT_FILE},
                              {.size = sizeof inputs[0], .kind = IMGRET_INPUT_BYTES}};
    inputs[0].path = picture;
    inputs[1].data = "no picture";
    inputs[1].data_bytes = 10;
    uint64_t floats = 2 * (uint64_t)out.info.dimension;
    float *vectors = calloc(floats, sizeof *vectors);
    int32_t statuses[2] = {1, 1};
    if (!vectors)
        exit(1);
    GOOD(imgret_extract(extractor, inputs, 2, vectors, floats, statuses, &error));
    TRUE(statuses[0] == IMGRET_OK && statuses[1] < 0);
    free(vectors);
    imgret_extractor_close(extractor);
}

int main(int argc, char **argv)
{
    static uint64_t alloc_count;
    static int32_t level;
    imgret_allocator allocator = {.size = sizeof allocator, .user = &alloc_count};
    imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_NEW};
    imgret *db = NULL;
    if (argc != 4)
        return 2;
    allocator.alloc = on_alloc;
    allocator.realloc = on_realloc;
    allocator.free = on_free;
    options.model = "classic";
    options.metric = IMGRET_METRIC_COSINE;
    options.vector_type = IMGRET_VECTOR_F32;
    GOOD(imgret_set_allocator(&allocator, &error));
    imgret_set_log(on_log, &level, IMGRET_LOG_DEBUG);
    TRUE(imgret_version() >= IMGRET_VERSION && imgret_version_string()[0]);
    TRUE(!strcmp(imgret_status_name(IMGRET_INTERNAL), "IMGRET_INTERNAL"));
    GOOD(imgret_open(&db, argv[1], &options, &error));
    if (db) {
        ingest(db, argv[2]);
        add_and_change(db, argv[3]);
        query(db, argv[3]);
        look(db);
        imgret_interrupt(db);
        imgret_close(db);
        db = NULL;
        TRUE(imgret_open(&db, argv[1], &options, &error) == IMGRET_EXISTS && error.message[0]);
    }
    extract(argv[3]);
    GOOD(imgret_set_allocator(NULL, &error));
    imgret_set_log(NULL, NULL, 0);
    TRUE(alloc_count > 0);
    return failures ? 1 : 0;
}
