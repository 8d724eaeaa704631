/* test_catalog_regions.c: objects of a picture: stored, read back, replaced and checked. */
#include "test_catalog.h"

#include "base/region.h"

#include <math.h>

#define OBJECTS 3

static uint8_t vectors[(1 + OBJECTS) * VECTOR_BYTES];

static const ir_catalog_object objects[OBJECTS] = {
    {0, 0, 640, 480, "whole of it", 1.0},
    {10, 20, 30, 40, "cat", 0.25},
    {639, 479, 1, 1, NULL, 0.0},
};

static ir_catalog_image spaced_image(const char *uri, int fill, uint32_t object_count)
{
    ir_catalog_image image = image_of(uri, fill);
    memset(vectors, fill, sizeof vectors);
    image.vector = vectors;
    image.spaced = true;
    image.objects = objects;
    image.object_count = object_count;
    return image;
}

/* As a database with regions says; without it a check takes objects for damage. */
static void announce_regions(ir_catalog *catalog)
{
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_set_setting(catalog, "regions", "grid=1x3", NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
}

static int64_t store(ir_catalog *catalog, const ir_catalog_image *image, int64_t replaced,
                     int64_t *id)
{
    int64_t region, removed;
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_store(catalog, image, replaced, id, &region, &removed, NULL), 0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    return region;
}

typedef struct {
    uint64_t count;
    int64_t ids[1 + OBJECTS];
} seen_regions;

static int32_t see_region(void *context, uint64_t position, const ir_catalog_region *region,
                          imgret_error *error)
{
    (void)error;
    seen_regions *seen = context;
    assert_int_equal(position, seen->count);
    assert_int_equal(region->ordinal, ir_region_ordinal(region->id));
    if (region->ordinal > 0) {
        const ir_catalog_object *wanted = &objects[region->ordinal - 1];
        assert_int_equal(region->object.x, wanted->x);
        assert_int_equal(region->object.y, wanted->y);
        assert_int_equal(region->object.width, wanted->width);
        assert_int_equal(region->object.height, wanted->height);
        assert_true(fabs(region->object.score - wanted->score) < 1e-12);
        if (wanted->label)
            assert_string_equal(region->object.label, wanted->label);
        else
            assert_null(region->object.label);
    }
    seen->ids[seen->count++] = region->id;
    return 0;
}

static int32_t count_problem(void *context, const char *message)
{
    (void)message;
    ++*(int *)context;
    return 0;
}

static int problems_of(ir_catalog *catalog)
{
    int problems = 0;
    assert_int_equal(ir_catalog_check(catalog, VECTOR_BYTES, count_problem, &problems, NULL), 0);
    return problems;
}

static void objects_stand_beside_their_picture(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    announce_regions(catalog);
    int64_t first, second;
    ir_catalog_image image = spaced_image("/a", 1, OBJECTS);
    int64_t region = store(catalog, &image, 0, &first);
    image = spaced_image("/b", 2, 0);
    int64_t later = store(catalog, &image, 0, &second);
    assert_int_equal(ir_region_ordinal(region), 0);
    assert_int_equal(ir_region_turn(later), ir_region_turn(region) + 1);
    seen_regions seen = {0};
    assert_int_equal(ir_catalog_regions_of_image(catalog, first, see_region, &seen, NULL), 0);
    assert_int_equal(seen.count, 1 + OBJECTS);
    for (int i = 0; i <= OBJECTS; i++)
        assert_int_equal(seen.ids[i], region + i);
    ir_catalog_counts counts;
    assert_int_equal(ir_catalog_get_counts(catalog, &counts, NULL), 0);
    assert_int_equal(counts.image_count, 2);
    assert_int_equal(counts.region_count, 2 + OBJECTS);
    assert_int_equal(problems_of(catalog), 0);
    assert_int_equal(ir_catalog_regions_of_image(catalog, 99, see_region, &seen, NULL),
                     IMGRET_NOT_FOUND);
    ir_catalog_close(catalog);
}

static void replacing_takes_all_objects_along(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    announce_regions(catalog);
    int64_t id, again, removed, mark = 0;
    uint32_t count;
    ir_catalog_image image = spaced_image("/a", 1, OBJECTS);
    int64_t region = store(catalog, &image, 0, &id);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_object_count(catalog, id, &count, NULL), 0);
    assert_int_equal(count, OBJECTS);
    assert_int_equal(ir_catalog_object_count(catalog, 99, &count, NULL), 0);
    assert_int_equal(count, 0);
    ir_catalog_rollback(catalog);
    image = spaced_image("/a", 2, 1);
    assert_int_equal(store(catalog, &image, id, &again) / 256, region / 256 + 1);
    assert_int_equal(again, id);
    assert_int_equal(ir_catalog_last_removal(catalog, &mark, NULL), 0);
    assert_int_equal(mark, 1 + OBJECTS);
    seen_regions seen = {0};
    assert_int_equal(ir_catalog_regions_of_image(catalog, id, see_region, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(problems_of(catalog), 0);
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_remove(catalog, id, &removed, NULL), 0);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_regions_of_image(catalog, id, see_region, &seen, NULL),
                     IMGRET_NOT_FOUND);
    ir_catalog_close(catalog);
}

static void what_is_no_box_is_refused(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    const ir_catalog_object bad[] = {
        {0, 0, 641, 480, NULL, 1}, {0, 1, 640, 480, NULL, 1},       {4294967295u, 0, 2, 2, NULL, 1},
        {0, 0, 0, 1, NULL, 1},     {0, 0, 1, 0, NULL, 1},           {0, 0, 1, 1, NULL, 1.001},
        {0, 0, 1, 1, NULL, -0.1},  {0, 0, 1, 1, NULL, (double)NAN},
    };
    ir_catalog_image image = spaced_image("/a", 1, 1);
    int64_t id, region, removed;
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        image.objects = &bad[i];
        assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL),
                         IMGRET_INVALID_ARGUMENT);
    }
    image.object_count = 256;
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL),
                     IMGRET_LIMIT);
    image.object_count = 1;
    image.spaced = false;
    assert_int_equal(ir_catalog_store(catalog, &image, 0, &id, &region, &removed, NULL),
                     IMGRET_LIMIT);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    ir_catalog_counts counts;
    assert_int_equal(ir_catalog_get_counts(catalog, &counts, NULL), 0);
    assert_int_equal(counts.image_count + counts.region_count, 0);
    ir_catalog_close(catalog);
}

static void a_check_finds_objects_out_of_place(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    int64_t id;
    ir_catalog_image image = spaced_image("/a", 1, OBJECTS);
    store(catalog, &image, 0, &id);
    assert_true(problems_of(catalog) >= OBJECTS); /* nobody said that there are regions */
    announce_regions(catalog);
    assert_int_equal(problems_of(catalog), 0);
    ir_catalog_close(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(objects_stand_beside_their_picture),
        catalog_test(replacing_takes_all_objects_along),
        catalog_test(what_is_no_box_is_refused),
        catalog_test(a_check_finds_objects_out_of_place),
    };
    return cmocka_run_group_tests_name("catalog_regions", tests, NULL, NULL);
}
