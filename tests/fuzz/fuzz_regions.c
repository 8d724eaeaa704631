/* fuzz_regions.c: fuzz target: any specification of regions and any box give an answer or an error.
 *
 * The first 20 bytes are a box and what to do with it, asked of a small database through the public
 * API; the rest is a specification, as imgret_open reads it (nothing is loaded for it).
 */
#include "base/alloc.h"
#include "engine/regions.h"
#include "scratch.h"

#include <imgret/imgret.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_PX = 24, COUNT = 3, REGIONS = 1 + 4, HEAD_BYTES = 20 };

static imgret *db;
static uint8_t pixels[3 * SIDE_PX * SIDE_PX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void close_database(void)
{
    imgret_close(db);
}

static imgret_input picture(void)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = pixels,
                          .data_bytes = sizeof pixels,
                          .width = SIDE_PX,
                          .height = SIDE_PX};
}

static void make_database(void)
{
    imgret_open_options options = {.size = sizeof options, .regions = "grid=2x2", .threads = 1};
    db = scratch_open(&options, close_database);
    for (uint32_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < sizeof pixels; j++)
            pixels[j] = (uint8_t)(j * (7 + 4 * i) + j / 97);
        imgret_input input = picture();
        if (imgret_add(db, &input, NULL, NULL, NULL) != IMGRET_OK)
            abort();
    }
}

static void ask_box(const uint8_t *data)
{
    imgret_box box = {.size = sizeof box};
    uint32_t words[4];
    memcpy(words, data, sizeof words);
    memcpy(&box.x, &words[0], sizeof box.x);
    memcpy(&box.y, &words[1], sizeof box.y);
    box.width = words[2];
    box.height = words[3];
    imgret_input input = picture();
    imgret_query_options options = {.size = sizeof options,
                                    .flags = data[16] & 1 ? IMGRET_QUERY_GROUP : 0,
                                    .k = 1 + data[17] % 20,
                                    .box = &box,
                                    .search = data[18] % 4};
    if (data[16] & 2) { /* by id, where a region may be asked for and a box may not */
        input = (imgret_input){
            .size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1 + data[19] % 4};
        options.region = words[0];
        options.box = data[16] & 4 ? &box : NULL;
    }
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_query(&results, db, &input, &options, &error);
    if (status ? results || !error.message[0] : imgret_results_count(results) > COUNT * REGIONS)
        abort();
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        if (hit->region >= REGIONS || hit->box_width == 0 || hit->box_height == 0 ||
            hit->box_x + hit->box_width > SIDE_PX || hit->box_y + hit->box_height > SIDE_PX)
            abort();
    }
    imgret_results_free(results);
}

static void read_spec(const uint8_t *data, size_t bytes)
{
    char *text = calloc(bytes + 1, 1);
    memcpy(text, data, bytes);
    uint64_t live = ir_alloc_live_count();
    ir_extractor_options options = {.threads = 1};
    ir_regions *regions = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_regions_create(&regions, text, &options, &error);
    if (status ? regions || !error.message[0] : !regions && strcmp(text, "none") != 0)
        abort();
    if (regions) { /* what was read and written down reads the same */
        ir_regions *again = NULL;
        if (ir_regions_create(&again, ir_regions_spec(regions), &options, NULL) ||
            strcmp(ir_regions_spec(regions), ir_regions_spec(again)) != 0)
            abort();
        ir_regions_free(again);
    }
    ir_regions_free(regions);
    if (ir_alloc_live_count() != live)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!db)
        make_database();
    if (bytes < HEAD_BYTES)
        return 0;
    ask_box(data);
    read_spec(data + HEAD_BYTES, bytes - HEAD_BYTES);
    return 0;
}
