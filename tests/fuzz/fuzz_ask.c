/* fuzz_ask.c: fuzz target: any text as colours or as a cursor is understood or refused, never more.
 *
 * Through the public API. The first byte tells which: an odd one makes the rest a list of colours,
 * an even one a cursor. A cursor that is taken must give results that come after the place it names.
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
        if (imgret_add(db, &input, NULL, NULL, NULL) != IMGRET_OK)
            abort();
    }
}

static void read_colors(const char *text)
{
    imgret_color_term terms[16];
    uint32_t count;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_parse_colors(terms, 16, &count, text, &error);
    if (status ? !error.message[0] : count < 1 || count > 16)
        abort();
    for (uint32_t i = 0; !status && i < count; i++)
        if (!(terms[i].weight > 0 && terms[i].weight < 1e13))
            abort();
}

static void turn_page(const char *cursor)
{
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options, .k = 3, .cursor = cursor};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    int32_t status = imgret_query(&results, db, &input, &options, &error);
    if (status ? results || !error.message[0] : imgret_results_count(results) > 3)
        abort();
    imgret_results_free(results);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!db)
        make_database();
    if (bytes == 0)
        return 0;
    char *text = calloc(bytes, 1);
    memcpy(text, data + 1, bytes - 1);
    if (data[0] & 1)
        read_colors(text);
    else
        turn_page(text);
    free(text);
    return 0;
}
