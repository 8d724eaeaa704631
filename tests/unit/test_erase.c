/* test_erase.c: after optimize, what was removed stands in no file of the database. */
#include "vectors_fixture.h"

#include "base/half.h"

#include <dirent.h>

enum { COUNT = 600, REMOVED = 37 };

static const char secret[] = "holiday/secret-picture-name.jpg";

/* How many files below `folder` hold these bytes. */
static int files_with(const char *folder, const void *bytes, size_t count)
{
    int found = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        char path[1024];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode)) {
            found += files_with(path, bytes, count);
            continue;
        }
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        char *data = malloc((size_t)info.st_size + 1);
        size_t got = fread(data, 1, (size_t)info.st_size, file);
        found += memmem(data, got, bytes, count) != NULL;
        free(data);
        fclose(file);
    }
    closedir(stream);
    return found;
}

static void fill(imgret *db)
{
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(try_add(db, i, i == REMOVED ? secret : NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_metadata(db, REMOVED + 1, "{\"who\":\"nobody-must-know\"}", NULL),
                     IMGRET_OK);
}

static void optimize(imgret *db)
{
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &options, NULL), IMGRET_OK);
}

/* The vector as it is stored: under this metric in half precision, as it was given. */
static void stored_vector(uint16_t out[DIMENSION], imgret *db, int64_t id)
{
    float vector[DIMENSION];
    assert_int_equal(imgret_get_vector(db, id, vector, DIMENSION, NULL), IMGRET_OK);
    for (int i = 0; i < DIMENSION; i++)
        out[i] = ir_half_from_float(vector[i]);
}

static void assert_erased(fixture *f, bool indexed_before)
{
    uint16_t vector[DIMENSION];
    fill(f->db);
    if (indexed_before)
        optimize(f->db);
    stored_vector(vector, f->db, REMOVED + 1);
    assert_true(files_with(f->path, vector, sizeof vector) > 0);
    assert_true(files_with(f->path, secret, strlen(secret)) > 0);
    assert_int_equal(imgret_remove(f->db, REMOVED + 1, NULL), IMGRET_OK);
    optimize(f->db);
    /* With the handle open: */
    assert_int_equal(files_with(f->path, vector, sizeof vector), 0);
    assert_int_equal(files_with(f->path, secret, strlen(secret)), 0);
    assert_int_equal(files_with(f->path, "nobody-must-know", 16), 0);
    assert_int_equal(count_images(f->db), COUNT - 1);
    assert_int_equal(count_problems(f->db), 0);
}

static void what_was_removed_from_memory_is_erased(void **state)
{
    assert_erased(*state, false);
}

static void what_was_removed_from_a_segment_is_erased(void **state)
{
    assert_erased(*state, true);
}

static void what_was_replaced_is_erased(void **state)
{
    fixture *f = *state;
    uint16_t vector[DIMENSION];
    fill(f->db);
    optimize(f->db);
    stored_vector(vector, f->db, REMOVED + 1);
    assert_int_equal(try_add(f->db, 7777, secret, NULL, NULL), IMGRET_OK);
    optimize(f->db);
    assert_int_equal(files_with(f->path, vector, sizeof vector), 0);
    assert_true(files_with(f->path, secret, strlen(secret)) > 0);
}

static void the_catalogue_shrinks(void **state)
{
    fixture *f = *state;
    imgret_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    for (int i = 0; i < 10; i++)
        fill(f->db);
    imgret_close(f->db);
    f->db = open_vectors(f->path, 0, 0);
    assert_int_equal(imgret_get_stats(f->db, &before, NULL), IMGRET_OK);
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    for (int64_t id = COUNT; id <= 9 * COUNT; id++)
        assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    optimize(f->db);
    assert_int_equal(imgret_get_stats(f->db, &after, NULL), IMGRET_OK);
    /* A fifth of the images is left; empty tables and indexes take a page each before and after. */
    assert_true(after.catalog_bytes * 5 < before.catalog_bytes * 2);
    assert_int_equal(count_problems(f->db), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_removed_from_memory_is_erased),
        TEST(what_was_removed_from_a_segment_is_erased),
        TEST(what_was_replaced_is_erased),
        TEST(the_catalogue_shrinks),
    };
    return cmocka_run_group_tests_name("erase", tests, NULL, NULL);
}
