/* test_features.c: the cache of vectors, and models exchanged under running queries. */
#include "pictures.h"

#include "base/alloc.h"
#include "engine/feature_cache.h"

#include <imgret/imgret.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- the cache alone ---- */

enum { DIMENSION = 100 };

static ir_feature_key key_of(uint32_t number)
{
    ir_feature_key key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    return key;
}

static void keep(ir_feature_cache *cache, uint32_t number)
{
    float vector[DIMENSION];
    for (uint32_t i = 0; i < DIMENSION; i++)
        vector[i] = (float)(number + i);
    ir_feature_key key = key_of(number);
    ir_feature_picture picture = {.width = number, .height = 2 * number, .format = "png"};
    ir_feature_cache_keep(cache, &key, vector, DIMENSION, &picture);
}

static bool knows(ir_feature_cache *cache, uint32_t number)
{
    float vector[DIMENSION];
    ir_feature_key key = key_of(number);
    ir_feature_picture picture;
    if (!ir_feature_cache_find(cache, &key, vector, DIMENSION, &picture))
        return false;
    assert_float_equal(vector[7], (float)(number + 7), 0);
    assert_int_equal(picture.width, number);
    assert_int_equal(picture.height, 2 * number);
    assert_string_equal(picture.format, "png");
    return true;
}

static void the_oldest_go_first(void **state)
{
    (void)state;
    ir_feature_cache *cache;
    ir_feature_counts counts;
    assert_int_equal(ir_feature_cache_create(&cache, 20000, NULL), 0);
    for (uint32_t i = 0; i < 10; i++)
        keep(cache, i);
    assert_true(knows(cache, 0));      /* asked for: now the youngest */
    for (uint32_t i = 10; i < 45; i++) /* about 40 have room */
        keep(cache, i);
    assert_true(knows(cache, 0));
    assert_false(knows(cache, 1));
    ir_feature_cache_get_counts(cache, &counts);
    assert_true(counts.bytes <= 20000 && counts.bytes > 15000);
    for (uint32_t i = 0; i < 5000; i++)
        keep(cache, i * 64); /* all in one bucket */
    assert_true(knows(cache, 4999 * 64));
    ir_feature_cache_get_counts(cache, &counts);
    assert_true(counts.bytes <= 20000);
    float vector[DIMENSION];
    ir_feature_picture picture;
    ir_feature_key key = key_of(4999 * 64);
    assert_false(ir_feature_cache_find(cache, &key, vector, DIMENSION - 1, &picture));
    ir_feature_cache_free(cache);
    ir_feature_cache_free(NULL);
    assert_int_equal(ir_alloc_live_count(), 0);
}

static void what_is_too_large_is_not_kept(void **state)
{
    (void)state;
    ir_feature_cache *cache;
    assert_int_equal(ir_feature_cache_create(&cache, 700, NULL), 0);
    keep(cache, 1);
    assert_false(knows(cache, 1));
    ir_feature_cache_free(cache);
    keep(NULL, 1);
    assert_false(knows(NULL, 1));
}

static void *use_cache(void *argument)
{
    ir_feature_cache *cache = argument;
    for (uint32_t i = 0; i < 2000; i++)
        if (!knows(cache, i * 7 % 97))
            keep(cache, i * 7 % 97);
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    (void)state;
    ir_feature_cache *cache;
    pthread_t threads[4];
    assert_int_equal(ir_feature_cache_create(&cache, 30000, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, cache), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ir_feature_cache_free(cache);
}

/* ---- a database with the counting plugin ---- */

typedef struct fixture {
    char folder[256];
    char path[300];
    char picture[300];
    imgret *db;
} fixture;

static imgret *open_fake(const fixture *f, uint64_t cache_bytes)
{
    imgret_open_options options = {.size = sizeof options,
                                   .model = "fake",
                                   .plugin_path = IMGRET_TEST_PLUGINS,
                                   .feature_cache_bytes = cache_bytes};
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&db, f->path, &options, &error))
        fail_msg("%s", error.message);
    return db;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "features");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->picture, sizeof f->picture, "%s/p.ppm", f->folder);
    write_stripes(f->picture, 32, 3);
    f->db = open_fake(f, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static int32_t query(imgret *db, const imgret_input *input)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_query(&results, db, input, NULL, &error);
    if (status)
        print_message("query: %s\n", error.message);
    imgret_results_free(results);
    return status;
}

static imgret_stats stats_of(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    return stats;
}

static void the_same_picture_is_extracted_once(void **state)
{
    fixture *f = *state;
    imgret_input file = {.size = sizeof file, .kind = IMGRET_INPUT_FILE, .path = f->picture};
    assert_int_equal(query(f->db, &file), IMGRET_OK);
    assert_int_equal(query(f->db, &file), IMGRET_OK);
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(f->db, &file, NULL, &result, NULL), IMGRET_OK);
    imgret_stats stats = stats_of(f->db);
    assert_int_equal(stats.feature_cache_misses, 1);
    assert_int_equal(stats.feature_cache_hits, 2);
    assert_int_equal(stats.batch_count, 1);
    assert_int_equal(stats.batch_image_count, 1);
    assert_true(stats.feature_cache_bytes > 0);
    imgret_records *records; /* what came from the cache is recorded as if it had been decoded */
    assert_int_equal(imgret_get(&records, f->db, result.id, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_at(records, 0)->width, 32);
    assert_string_equal(imgret_records_at(records, 0)->format, "pnm");
    imgret_records_free(records);
    imgret_close(f->db);
    f->db = open_fake(f, IMGRET_NO_CACHE);
    assert_int_equal(query(f->db, &file), IMGRET_OK);
    assert_int_equal(query(f->db, &file), IMGRET_OK);
    stats = stats_of(f->db);
    assert_int_equal(stats.batch_count, 2);
    assert_int_equal(stats.feature_cache_hits + stats.feature_cache_misses, 0);
    assert_int_equal(stats.feature_cache_bytes, 0);
}

static void the_same_bytes_in_another_shape_are_another_picture(void **state)
{
    fixture *f = *state;
    uint8_t pixels[48 * 12];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    imgret_input wide = {.size = sizeof wide,
                         .kind = IMGRET_INPUT_PIXELS,
                         .data = pixels,
                         .data_bytes = sizeof pixels,
                         .width = 16,
                         .height = 12};
    imgret_input tall = wide, bgr = wide;
    tall.width = 12;
    tall.height = 16;
    bgr.pixel_format = IMGRET_PIXELS_BGR8;
    assert_int_equal(query(f->db, &wide), IMGRET_OK);
    assert_int_equal(query(f->db, &tall), IMGRET_OK);
    assert_int_equal(query(f->db, &bgr), IMGRET_OK);
    assert_int_equal(query(f->db, &tall), IMGRET_OK);
    imgret_stats stats = stats_of(f->db);
    assert_int_equal(stats.feature_cache_misses, 3);
    assert_int_equal(stats.feature_cache_hits, 1);
}

typedef struct asker {
    imgret *db;
    const char *path;
    atomic_int stop;
    int32_t status;
} asker;

static void *ask(void *argument)
{
    asker *self = argument;
    imgret_input file = {.size = sizeof file, .kind = IMGRET_INPUT_FILE, .path = self->path};
    while (!atomic_load(&self->stop) && !self->status)
        self->status = query(self->db, &file);
    return NULL;
}

static void models_come_and_go_under_queries(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    f->db = open_fake(f, IMGRET_NO_CACHE);
    asker askers[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        askers[i] = (asker){.db = f->db, .path = f->picture};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    imgret_error error = IMGRET_ERROR_INIT;
    for (int round = 0; round < 40; round++) {
        if (imgret_load_model(f->db, round % 2 ? "fake" : NULL, &error))
            fail_msg("%s", error.message);
        if (round % 3 == 0)
            assert_int_equal(imgret_unload_model(f->db, NULL), IMGRET_OK);
    }
    assert_int_equal(imgret_load_model(f->db, "classic", &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "gives other vectors"));
    for (int i = 0; i < 3; i++) {
        atomic_store(&askers[i].stop, 1);
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].status, IMGRET_OK);
    }
}

static void *extract_on_and_on(void *argument)
{
    asker *self = argument;
    imgret_extractor *extractor = (imgret_extractor *)(void *)self->db;
    imgret_input file = {.size = sizeof file, .kind = IMGRET_INPUT_FILE, .path = self->path};
    float row[4];
    while (!atomic_load(&self->stop) && !self->status)
        self->status = imgret_extract(extractor, &file, 1, row, 4, NULL, NULL);
    return NULL;
}

static void an_extractor_goes_over_to_another_model(void **state)
{
    fixture *f = *state;
    imgret_extractor_options options = {
        .size = sizeof options, .plugin_path = IMGRET_TEST_PLUGINS, .instances = 2};
    imgret_extractor *extractor;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_extractor_open(&extractor, "fake", &options, NULL), IMGRET_OK);
    imgret_extractor_info info = {.size = sizeof info};
    assert_int_equal(imgret_extractor_get_info(extractor, &info, NULL), IMGRET_OK);
    assert_int_equal(info.instances, 2);
    asker asking = {.db = (imgret *)(void *)extractor, .path = f->picture};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, extract_on_and_on, &asking), 0);
    for (int round = 0; round < 20; round++)
        if (imgret_extractor_replace(extractor, "fake;act=zero", &error))
            fail_msg("%s", error.message);
    assert_int_equal(imgret_extractor_replace(extractor, "classic", &error), IMGRET_MISMATCH);
    assert_non_null(strstr(error.message, "492 dimensions, not 4"));
    atomic_store(&asking.stop, 1);
    pthread_join(thread, NULL);
    assert_int_equal(asking.status, IMGRET_OK);
    assert_string_equal(info.architecture, "fake_net"); /* of a model that is long gone */
    imgret_extractor_close(extractor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_first),
        cmocka_unit_test(what_is_too_large_is_not_kept),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test_setup_teardown(the_same_picture_is_extracted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_bytes_in_another_shape_are_another_picture, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(models_come_and_go_under_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(an_extractor_goes_over_to_another_model, setup, teardown),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
