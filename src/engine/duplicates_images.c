/* duplicates_images.c: reads what the search for duplicates compares, and puts the best pictures first. */
#include "engine/duplicates_images.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/look.h"
#include "engine/results.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

#define GREY_SATURATION 2.0 /* mean chroma below which a picture has no colour */
#define PLAIN_CONTRAST 1.0  /* of lightness: below it the perceptual hash is noise */

static bool is_lossless(const char *format)
{
    static const char *const names[] = {"png", "bmp", "tiff", "pnm", "ppm",
                                        "pgm", "pbm", "psd",  "tga", "hdr"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(format, names[i]))
            return true;
    return false;
}

static uint64_t pixels(const ir_dup_image *image)
{
    return (uint64_t)image->width * image->height;
}

uint32_t ir_dup_images_reason(const ir_dup_image *a, const ir_dup_image *b)
{
    if (pixels(a) != pixels(b))
        return IMGRET_KEEP_RESOLUTION;
    if (a->is_grey != b->is_grey)
        return IMGRET_KEEP_COLOR;
    if (a->is_lossless != b->is_lossless)
        return IMGRET_KEEP_FORMAT;
    if (a->file_bytes != b->file_bytes)
        return IMGRET_KEEP_BYTES;
    return a->modified_ns != b->modified_ns ? IMGRET_KEEP_DATE : IMGRET_KEEP_FIRST;
}

/* The best first: a total order, ids decide last. */
static int compare_worth(const void *x, const void *y)
{
    const ir_dup_image *a = x, *b = y;
    switch (ir_dup_images_reason(a, b)) {
    case IMGRET_KEEP_RESOLUTION:
        return pixels(a) > pixels(b) ? -1 : 1;
    case IMGRET_KEEP_COLOR:
        return b->is_grey ? -1 : 1;
    case IMGRET_KEEP_FORMAT:
        return a->is_lossless ? -1 : 1;
    case IMGRET_KEEP_BYTES:
        return a->file_bytes > b->file_bytes ? -1 : 1;
    case IMGRET_KEEP_DATE:
        return a->modified_ns < b->modified_ns ? -1 : 1;
    default:
        return a->id < b->id ? -1 : a->id > b->id;
    }
}

static int32_t add_row(ir_dup_images *images, const imgret_record *record, imgret_error *error)
{
    if (images->count == images->room) {
        uint32_t room = images->room ? 2 * images->room : 1024;
        size_t bytes = 0;
        ir_dup_image *more = NULL;
        if (room > INT32_MAX)
            return ir_fail(error, IMGRET_LIMIT, "more than %d pictures to compare", INT32_MAX / 2);
        if (ir_mul_size(room, sizeof *more, &bytes))
            more = ir_realloc(images->rows, bytes);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u pictures", room);
        images->rows = more;
        images->room = room;
    }
    const imgret_attributes *attributes = record->attributes;
    ir_dup_image *row = &images->rows[images->count++];
    *row = (ir_dup_image){
        .id = record->id,
        .file_bytes = record->file_bytes,
        .modified_ns = record->modified_ns ? record->modified_ns : INT64_MAX,
        .width = record->width,
        .height = record->height,
        .has_hash = attributes && attributes->contrast >= PLAIN_CONTRAST,
        .hash = attributes ? attributes->perceptual_hash : 0,
        .is_grey = attributes && attributes->saturation < GREY_SATURATION,
        .is_lossless = is_lossless(record->format),
    };
    memcpy(row->content_hash, record->content_hash, sizeof row->content_hash);
    return IMGRET_OK;
}

static int32_t read_rows(ir_dup_images *images, ir_database *database,
                         const ir_catalog_filter *filter, ir_call *call, imgret_error *error)
{
    imgret_list_options list = {.size = sizeof list, .state = IMGRET_STATE_STORED, .limit = PAGE};
    for (;;) {
        imgret_records *records;
        if (ir_call_stopped(call))
            return ir_fail(error, IMGRET_INTERRUPTED, "looking for duplicates was interrupted");
        int32_t status = ir_list(&records, database, &list, filter, error);
        if (status)
            return status;
        uint64_t count = records->count;
        for (uint64_t i = 0; i < count && !status; i++) {
            list.after_id = records->rows[i].id;
            status = add_row(images, &records->rows[i], error);
        }
        imgret_records_free(records);
        if (status || count < PAGE)
            return status;
    }
}

static int32_t add_verdict(void *context, int64_t first, int64_t second, int32_t verdict,
                           imgret_error *error)
{
    ir_dup_images *images = context;
    if (verdict != IMGRET_VERDICT_DIFFERENT)
        return IMGRET_OK;
    if (images->verdict_count == images->verdict_room) {
        uint64_t room = images->verdict_room ? 2 * images->verdict_room : 64;
        size_t bytes = 0;
        ir_dup_pair *more = NULL;
        if (ir_mul_size((size_t)room, sizeof *more, &bytes))
            more = ir_realloc(images->verdicts, bytes);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for verdicts");
        images->verdicts = more;
        images->verdict_room = room;
    }
    images->verdicts[images->verdict_count++] = (ir_dup_pair){first, second};
    return IMGRET_OK;
}

/* ---- Orders: sorted pairs of a key and a rank, of which the ranks are kept ---- */

typedef struct keyed {
    uint8_t key[16];
    uint32_t rank;
} keyed;

static int compare_keyed(const void *x, const void *y)
{
    const keyed *a = x, *b = y;
    int order = memcmp(a->key, b->key, sizeof a->key);
    return order ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

/* Ids are above 0, so that their big-endian bytes are in their order. */
static void key_of_id(uint8_t key[16], int64_t id)
{
    memset(key, 0, 16);
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)((uint64_t)id >> (56 - 8 * i));
}

static int32_t make_order(uint32_t **out, const ir_dup_images *images, bool by_id,
                          imgret_error *error)
{
    keyed *keys = ir_malloc_array(images->count, sizeof *keys);
    *out = ir_malloc_array(images->count, sizeof **out);
    if (!keys || !*out) {
        ir_free(keys);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to compare %u pictures", images->count);
    }
    for (uint32_t rank = 0; rank < images->count; rank++) {
        if (by_id)
            key_of_id(keys[rank].key, images->rows[rank].id);
        else
            memcpy(keys[rank].key, images->rows[rank].content_hash, 16);
        keys[rank].rank = rank;
    }
    if (images->count > 1)
        qsort(keys, images->count, sizeof *keys, compare_keyed);
    for (uint32_t i = 0; i < images->count; i++)
        (*out)[i] = keys[i].rank;
    ir_free(keys);
    return IMGRET_OK;
}

int32_t ir_dup_images_read(ir_dup_images *images, ir_database *database,
                           const ir_catalog_filter *filter, ir_call *call, imgret_error *error)
{
    *images = (ir_dup_images){0};
    int32_t status = read_rows(images, database, filter, call, error);
    if (!status)
        status = ir_catalog_verdicts(database->catalog, add_verdict, images, error);
    if (!status && images->count > 1)
        qsort(images->rows, images->count, sizeof *images->rows, compare_worth);
    if (!status)
        status = make_order(&images->by_id, images, true, error);
    if (!status)
        status = make_order(&images->by_content, images, false, error);
    return status;
}

void ir_dup_images_free(ir_dup_images *images)
{
    ir_free(images->rows);
    ir_free(images->by_id);
    ir_free(images->by_content);
    ir_free(images->verdicts);
    *images = (ir_dup_images){0};
}

uint32_t ir_dup_images_find(const ir_dup_images *images, int64_t id)
{
    uint32_t low = 0, high = images->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (images->rows[images->by_id[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < images->count && images->rows[images->by_id[low]].id == id;
    return found ? images->by_id[low] : UINT32_MAX;
}

uint32_t ir_dup_images_same(const ir_dup_images *images, uint32_t rank, uint32_t *first)
{
    const uint8_t *content = images->rows[rank].content_hash;
    uint32_t low = 0, high = images->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(images->rows[images->by_content[middle]].content_hash, content, 16) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (high < images->count &&
           !memcmp(images->rows[images->by_content[high]].content_hash, content, 16))
        high++;
    return high - low;
}

static int compare_pairs(const void *x, const void *y)
{
    const ir_dup_pair *a = x, *b = y;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->second > b->second) - (a->second < b->second);
}

bool ir_dup_images_differ(const ir_dup_images *images, uint32_t a, uint32_t b)
{
    int64_t x = images->rows[a].id, y = images->rows[b].id;
    ir_dup_pair pair = {x < y ? x : y, x < y ? y : x};
    return images->verdict_count > 0 &&
           bsearch(&pair, images->verdicts, images->verdict_count, sizeof pair, compare_pairs);
}
