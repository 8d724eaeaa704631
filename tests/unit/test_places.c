/* test_places.c: places are found again in another view of the same, and nowhere else. */
#include "scenes.h"

#include "analyze/alter.h"
#include "analyze/places.h"
#include "base/alloc.h"

static const scene_view plain = {1, 320, 240, 0, 1, 0};

static ir_places *places_of(const scene_view *v)
{
    ir_places *places;
    uint8_t *rgb = draw_scene(v);
    const ir_picture picture = {v->width, v->height, v->width, v->height, "test", rgb};
    assert_int_equal(ir_places_find(&places, &picture, NULL), IMGRET_OK);
    free(rgb);
    return places;
}

static uint32_t agreeing(const scene_view *a, const scene_view *b)
{
    uint32_t count;
    ir_places *one = places_of(a), *two = places_of(b);
    assert_int_equal(ir_places_agree(one, two, &count, NULL), IMGRET_OK);
    ir_places_free(one);
    ir_places_free(two);
    return count;
}

static void they_are_found_again_turned_scaled_and_larger(void **state)
{
    (void)state;
    scene_view turned = plain, nearer = plain, larger = plain, upside = plain;
    turned.angle = 0.4;
    nearer.scale = 1.5;
    larger.width *= 3;
    larger.height *= 3;
    upside.angle = 3.14159265;
    assert_in_range(agreeing(&plain, &plain), 100, 768);
    assert_in_range(agreeing(&plain, &turned), 20, 768);
    assert_in_range(agreeing(&plain, &nearer), 20, 768);
    assert_in_range(agreeing(&plain, &larger), 40, 768);
    assert_in_range(agreeing(&plain, &upside), 20, 768);
}

static void other_scenes_agree_by_chance_alone(void **state)
{
    (void)state;
    for (uint32_t scene = 2; scene < 12; scene++) {
        scene_view other = plain;
        other.scene = scene;
        assert_in_range(agreeing(&plain, &other), 0, 6);
    }
}

static void plain_and_tiny_pictures_have_none(void **state)
{
    (void)state;
    static uint8_t grey[3 * 100 * 100];
    memset(grey, 128, sizeof grey);
    const uint32_t sides[] = {1, 2, 31, 33, 100};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const ir_picture picture = {sides[i], 100, sides[i], 100, "test", grey};
        ir_places *places;
        uint32_t count = 1;
        assert_int_equal(ir_places_find(&places, &picture, NULL), IMGRET_OK);
        assert_int_equal(ir_places_count(places), 0);
        assert_int_equal(ir_places_agree(places, places, &count, NULL), IMGRET_OK);
        assert_int_equal(count, 0);
        ir_places_free(places);
    }
    ir_places_free(NULL);
}

static void scores_rise_from_chance_to_one(void **state)
{
    (void)state;
    assert_true(ir_places_score(0) == 0 && ir_places_score(5) == 0);
    assert_true(ir_places_score(6) > 0 && ir_places_score(20) > ir_places_score(10));
    assert_true(ir_places_score(700) > 0.99 && ir_places_score(700) <= 1);
}

/* ---- altered copies ---- */

static void copies_are_altered_as_they_say(void **state)
{
    (void)state;
    uint8_t *rgb = draw_scene(&plain);
    const ir_picture picture = {320, 240, 320, 240, "test", rgb};
    ir_picture half, cut, lighter, same;
    assert_int_equal(ir_alter(&picture, IR_ALTER_HALF, &half, NULL), IMGRET_OK);
    assert_int_equal(ir_alter(&picture, IR_ALTER_CUT, &cut, NULL), IMGRET_OK);
    assert_int_equal(ir_alter(&picture, IR_ALTER_LIGHTER, &lighter, NULL), IMGRET_OK);
    assert_int_equal(ir_alter(&picture, IR_ALTER_NOTHING, &same, NULL), IMGRET_OK);
    assert_true(half.width == 160 && half.height == 120 && cut.width == 288 && cut.height == 216);
    for (int c = 0; c < 3; c++) { /* pixel (5, 7) of the half is of four */
        const uint8_t *from = rgb + 3 * (14 * 320 + 10) + c;
        int sum = from[0] + from[3] + from[960] + from[963];
        assert_int_equal(half.rgb[3 * (7 * 160 + 5) + c], (sum + 2) / 4);
    }
    assert_memory_equal(cut.rgb, rgb + 3 * (12 * 320 + 16), 3 * 288);
    assert_memory_equal(same.rgb, rgb, 3 * 320 * 240);
    for (size_t i = 0; i < 3 * 320 * 240; i++)
        assert_true(lighter.rgb[i] >= rgb[i]);
    ir_picture_free(&half);
    ir_picture_free(&cut);
    ir_picture_free(&lighter);
    ir_picture_free(&same);
    free(rgb);
}

static void tiny_pictures_are_copied(void **state)
{
    (void)state;
    uint8_t rgb[3 * 3 * 40] = {7, 8, 9};
    const ir_picture picture = {3, 40, 3, 40, "test", rgb};
    ir_picture out;
    assert_int_equal(ir_alter(&picture, IR_ALTER_HALF, &out, NULL), IMGRET_OK);
    assert_true(out.width == 3 && out.height == 40);
    assert_memory_equal(out.rgb, rgb, sizeof rgb);
    ir_picture_free(&out);
    assert_int_equal(ir_alter(&picture, IR_ALTER_CUT, &out, NULL), IMGRET_OK);
    assert_true(out.width == 3 && out.height == 36);
    ir_picture_free(&out);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

#define places_test(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        places_test(they_are_found_again_turned_scaled_and_larger),
        places_test(other_scenes_agree_by_chance_alone),
        places_test(plain_and_tiny_pictures_have_none),
        places_test(scores_rise_from_chance_to_one),
        places_test(copies_are_altered_as_they_say),
        places_test(tiny_pictures_are_copied),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
