/* fuzz_filter.c: fuzz target: any text as a filter gives matches or an error, and changes nothing; as an
 * index it is one that can be listed and dropped, or an error.
 *
 * Through the public API, on a database of a few vectors made at the first input. The text up to the
 * first NUL is the expression; what follows is the value of its parameter :x, when it has one.
 */
#include "base/alloc.h"
#include "scratch.h"

#include <imgret/imgret.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 12, DIMENSION = 4 };

static imgret *db;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void close_database(void)
{
    imgret_close(db);
}

static void make_database(void)
{
    imgret_open_options options = {.size = sizeof options, .model = "vectors:4", .threads = 1};
    db = scratch_open(&options, close_database);
    for (int i = 0; i < COUNT; i++) {
        float vector[DIMENSION] = {1, (float)i, (float)(i * i), -1};
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = vector,
                              .dimension = DIMENSION};
        imgret_add_options add = {.size = sizeof add,
                                  .metadata = i % 2 ? "{\"a\": [1, {\"b\": \"c\"}]}" : NULL};
        if (imgret_add(db, &input, &add, NULL, NULL) != IMGRET_OK)
            abort();
    }
}

static uint64_t count_all(void)
{
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(db, &stats, NULL) != IMGRET_OK)
        abort();
    return stats.image_count;
}

static void try_index(const char *text)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_create_index(db, text, &error) != IMGRET_OK) {
        if (!error.message[0])
            abort();
        return;
    }
    imgret_indexes *list;
    if (imgret_list_indexes(&list, db, NULL) != IMGRET_OK || imgret_indexes_count(list) != 1 ||
        imgret_drop_index(db, imgret_indexes_at(list, 0), NULL) != IMGRET_OK)
        abort();
    imgret_indexes_free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!db)
        make_database();
    char *text = calloc(bytes + 2, 1);
    memcpy(text, data, bytes);
    try_index(text);
    const char *value = text + strlen(text) + (strlen(text) < bytes ? 1 : 0);
    imgret_param param = {
        .size = sizeof param, .kind = IMGRET_PARAM_TEXT, .name = "x", .text = value};
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options,
                                    .flags = IMGRET_QUERY_INCLUDE_SELF,
                                    .k = COUNT,
                                    .where = text,
                                    .params = &param,
                                    .param_count = strstr(text, ":x") ? 1 : 0,
                                    .where_ms_max = 2000};
    imgret_list_options list = {.size = sizeof list,
                                .where = text,
                                .params = options.params,
                                .param_count = options.param_count,
                                .where_ms_max = 2000};
    imgret_results *results;
    imgret_records *records;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_query(&results, db, &input, &options, &error);
    int32_t listed = imgret_list(&records, db, &list, NULL);
    if (status ? results || !error.message[0] : imgret_results_count(results) > COUNT)
        abort();
    if (!status && !listed && imgret_results_count(results) != imgret_records_count(records))
        abort(); /* every image here has a vector, so both see the same matches */
    imgret_results_free(results);
    imgret_records_free(records);
    if (count_all() != COUNT)
        abort();
    free(text);
    return 0;
}
