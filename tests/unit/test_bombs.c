/* test_bombs.c: small files that announce enormous pictures cost an ingest no memory. */
#include "decode_pictures.h"
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <malloc.h>
#include <stdatomic.h>

enum { FILES = 24 };

#define LIMIT_BYTES ((uint64_t)16 << 20) /* of all pictures in hand: none is decoded */

static atomic_int_fast64_t bytes_now, bytes_most;

static void count(int64_t bytes)
{
    int64_t now = atomic_fetch_add(&bytes_now, bytes) + bytes;
    int64_t most = atomic_load(&bytes_most);
    while (now > most && !atomic_compare_exchange_weak(&bytes_most, &most, now))
        continue;
}

static void *count_alloc(void *user, uint64_t bytes)
{
    (void)user;
    void *made = malloc(bytes);
    count((int64_t)malloc_usable_size(made));
    return made;
}

static void *count_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    int64_t before = (int64_t)malloc_usable_size(pointer);
    void *made = realloc(pointer, bytes);
    if (made)
        count((int64_t)malloc_usable_size(made) - before);
    return made;
}

static void count_free(void *user, void *pointer)
{
    (void)user;
    count(-(int64_t)malloc_usable_size(pointer));
    free(pointer);
}

/* A file of some hundred bytes whose header says 60,000 x 60,000 pixels. */
static void make_bomb(file_bytes *file, int kind)
{
    static const uint8_t side_be[4] = {0, 0, 0xEA, 0x60}, side_le[4] = {0x60, 0xEA, 0, 0};
    if (kind == 0) {
        uint8_t header[13] = {0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60, 16, 6};
        make_png(file);
        file->count = 8;
        put_png_chunk(file, "IHDR", header, sizeof header);
        put_png_chunk(file, "IDAT", "x\x9c\x63\0", 4);
        put_png_chunk(file, "IEND", "", 0);
    } else if (kind == 1) {
        file->count = 0;
        put_text(file, "P6 60000 60000 255\nabc");
    } else if (kind == 2) {
        make_bmp(file);
        memcpy(file->data + 18, side_le, 4);
        memcpy(file->data + 22, side_le, 4);
    } else if (kind == 3) {
        make_psd(file);
        memcpy(file->data + 14, side_be, 4);
        memcpy(file->data + 18, side_be, 4);
    } else if (kind == 4) {
        make_gif(file);
        memcpy(file->data + 6, side_le, 2);
        memcpy(file->data + 8, side_le, 2);
    } else {
        make_tga(file);
        memcpy(file->data + 12, side_le, 2);
        memcpy(file->data + 14, side_le, 2);
    }
}

static void bombs_cost_no_memory(void **state)
{
    (void)state;
    char folder[256], path[400], pictures[300];
    static file_bytes file;
    make_folder(folder, "bombs");
    snprintf(pictures, sizeof pictures, "%s/pictures", folder);
    assert_int_equal(mkdir(pictures, 0700), 0);
    for (int i = 0; i < FILES; i++) {
        make_bomb(&file, i % 6);
        snprintf(path, sizeof path, "%s/%d.%s", pictures, i, i % 6 == 5 ? "tga" : "bin");
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file.data, 1, file.count, out), file.count);
        fputc(i, out); /* another content each */
        fclose(out);
    }
    snprintf(path, sizeof path, "%s/good.ppm", pictures);
    write_stripes(path, 64, 1);
    const imgret_allocator counting = {.size = sizeof counting,
                                       .alloc = count_alloc,
                                       .realloc = count_realloc,
                                       .free = count_free};
    assert_int_equal(imgret_set_allocator(&counting, NULL), IMGRET_OK);
    imgret_limits limits = {.size = sizeof limits, .pixel_count_max = 1 << 20};
    imgret_open_options options = {.size = sizeof options, .threads = 2, .limits = &limits};
    imgret *db;
    snprintf(path, sizeof path, "%s/db", folder);
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_OK);
    int64_t before = atomic_load(&bytes_now);
    atomic_store(&bytes_most, before);
    const char *paths[] = {pictures};
    imgret_ingest_options ingest = {.size = sizeof ingest, .paths = paths, .path_count = 1};
    imgret_ingest_progress report = {.size = sizeof report};
    assert_int_equal(imgret_ingest(db, &ingest, &report, NULL), IMGRET_OK);
    assert_int_equal(report.stored_count, 1);
    assert_int_equal(report.failed_count, FILES);
    int64_t cost = atomic_load(&bytes_most) - before;
    printf("# %lld bytes at most\n", (long long)cost);
    assert_true(cost < (int64_t)LIMIT_BYTES);
    imgret_close(db);
    assert_int_equal(imgret_set_allocator(NULL, NULL), IMGRET_OK);
    assert_int_equal(atomic_load(&bytes_now), 0);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bombs_cost_no_memory)};
    return cmocka_run_group_tests_name("bombs", tests, NULL, NULL);
}
