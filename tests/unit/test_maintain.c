/* test_maintain.c: a handle that optimizes on its own: it does, gives way, and ends with the handle. */
#include "place.h"
#include "vectors.h"

enum { WORTH = 4200 }; /* vectors that make an optimize pay */

static int setup(void **state)
{
    return make_place(state, "maintain");
}

static void fill(imgret *db, uint32_t first)
{
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < WORTH; i++)
        assert_int_equal(try_add(db, first + i, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

static uint64_t segment_vectors(imgret *db)
{
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    return stats.segment_vector_count;
}

static bool wait_for_segments(imgret *db, uint64_t wanted)
{
    for (int i = 0; i < 18000 && segment_vectors(db) < wanted; i++) {
        assert_int_equal(find_seed(db, 42), 43); /* meanwhile, too */
        usleep(100000);
    }
    return segment_vectors(db) >= wanted;
}

static void it_optimizes_and_gives_way(void **state)
{
    fixture *f = *state;
    imgret *db = open_vectors(f->path, IMGRET_OPEN_MAINTAIN, 0);
    fill(db, 0);
    assert_true(wait_for_segments(db, WORTH));
    fill(db, WORTH);
    for (int i = 0; i < 20; i++) { /* whatever it does right now, the host goes first */
        char to[320];
        snprintf(to, sizeof to, "%s/copy-%d", f->folder, i);
        assert_int_equal(imgret_backup(db, to, NULL, NULL), IMGRET_OK);
        remove_folder(to);
        usleep(50000);
    }
    imgret_interrupt(db); /* not its concern */
    assert_true(wait_for_segments(db, 2 * WORTH));
    assert_int_equal(count_problems(db), 0);
    imgret_close(db);
}

static void closing_ends_it_at_any_time(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        imgret *db = open_vectors(f->path, IMGRET_OPEN_MAINTAIN, 0);
        if (i < 2)
            fill(db, (uint32_t)i * WORTH);
        usleep((useconds_t)i * 400000); /* asleep, or in the middle of a build */
        imgret_close(db);
    }
    imgret *db = open_vectors(f->path, 0, 0);
    assert_int_equal(count_images(db), 2 * WORTH);
    assert_int_equal(count_problems(db), 0);
    imgret_close(db);
}

static void it_needs_to_write(void **state)
{
    fixture *f = *state;
    imgret_close(open_vectors(f->path, 0, 0));
    imgret *db;
    assert_int_equal(try_open(&db, f->path, IMGRET_OPEN_MAINTAIN | IMGRET_OPEN_READ_ONLY, 0, NULL),
                     IMGRET_INVALID_ARGUMENT);
    db = open_vectors(f->path, 0, 0); /* opt-in: nobody else optimizes */
    fill(db, 0);
    usleep(1500000);
    assert_int_equal(segment_vectors(db), 0);
    imgret_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, leave_place)
    const struct CMUnitTest tests[] = {
        TEST(it_optimizes_and_gives_way),
        TEST(closing_ends_it_at_any_time),
        TEST(it_needs_to_write),
    };
    return cmocka_run_group_tests_name("maintain", tests, NULL, NULL);
}
