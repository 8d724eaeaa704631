/* test_duplicates.c: groups of the same picture: what joins, what does not, who is kept, verdicts. */
#include "pictures.h"

#include "base/alloc.h"
#include "base/random.h"
#include "engine/duplicates_hash.h"

#include <imgret/imgret.h>
#include <math.h>

typedef struct fixture {
    char folder[256];
    imgret *db;
} fixture;

static int setup(void **state)
{
    char path[300];
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "duplicates");
    snprintf(path, sizeof path, "%s/db.imgret", f->folder);
    *state = f;
    return imgret_open(&f->db, path, NULL, NULL);
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

/* ---- A scene that can be drawn at any scale, cut and turned ---- */

typedef struct view {
    uint32_t scene, width, height;   /* pixels */
    double left, top, right, bottom; /* of the scene, 0..1 */
    bool grey, mirrored, quarter;
} view;

static const view whole = {1, 320, 240, 0, 0, 1, 1, false, false, false};

static void color_at(uint32_t scene, double x, double y, double rgb[3])
{
    uint64_t seed = scene;
    for (int c = 0; c < 3; c++)
        rgb[c] = 90 + 60 * sin(3 * x + 2 * y + c + scene);
    for (int blob = 0; blob < 40; blob++) {
        double bx = ir_random_unit(&seed), by = ir_random_unit(&seed);
        double radius = 0.03 + 0.1 * ir_random_unit(&seed);
        double away = ((x - bx) * (x - bx) + (y - by) * (y - by)) / (radius * radius);
        double near = away > 16 ? 0 : exp(-away); /* what is smaller changes no pixel */
        double light = 160 * ir_random_unit(&seed) - 80;
        for (int c = 0; c < 3; c++)
            rgb[c] += near * (light + 80 * ir_random_unit(&seed) - 40);
    }
}

static int64_t add(imgret *db, const view *v)
{
    uint8_t *pixels = malloc((size_t)3 * v->width * v->height), *pixel = pixels;
    for (uint32_t row = 0; row < v->height; row++)
        for (uint32_t column = 0; column < v->width; column++, pixel += 3) {
            double across = (column + 0.5) / v->width, down = (row + 0.5) / v->height, rgb[3];
            double x = v->quarter ? down : v->mirrored ? 1 - across : across;
            double y = v->quarter ? 1 - across : down;
            color_at(v->scene, v->left + x * (v->right - v->left),
                     v->top + y * (v->bottom - v->top), rgb);
            double light = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            for (int c = 0; c < 3; c++) {
                double value = v->grey ? light : rgb[c];
                pixel[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = pixels,
                          .data_bytes = (uint64_t)3 * v->width * v->height,
                          .width = v->width,
                          .height = v->height};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, NULL, &result, NULL), IMGRET_OK);
    free(pixels);
    return result.id;
}

/* ---- What was told ---- */

typedef struct told {
    uint32_t groups, members; /* members of the last group */
    int64_t ids[16];
    uint32_t kinds[16], turns[16];
    uint32_t kind, reason;
    int32_t answer;
} told;

static int32_t listen(void *user, const imgret_duplicate_group *group)
{
    told *t = user;
    t->groups++;
    t->members = (uint32_t)group->count;
    t->kind = group->kind;
    t->reason = group->keep_reason;
    for (uint64_t i = 0; i < group->count && i < 16; i++) {
        t->ids[i] = group->members[i].id;
        t->kinds[i] = group->members[i].kind;
        t->turns[i] = group->members[i].turn;
    }
    return t->answer;
}

static told find(imgret *db, uint32_t kind_max, uint32_t flags)
{
    told t = {0};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_duplicates_options options = {
        .size = sizeof options, .kind_max = kind_max, .flags = flags};
    if (imgret_duplicates(db, &options, listen, &t, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return t;
}

static uint32_t kind_of(const told *t, int64_t id)
{
    for (uint32_t i = 0; i < t->members; i++)
        if (t->ids[i] == id)
            return t->kinds[i];
    return UINT32_MAX;
}

static void the_same_picture_is_found_in_every_dress(void **state)
{
    fixture *f = *state;
    view v = whole;
    v.scene = 2;
    add(f->db, &v);
    v = whole;
    v.width = v.height = 100;
    int64_t squeezed = add(f->db, &v);
    v = whole;
    v.grey = true;
    int64_t grey = add(f->db, &v);
    int64_t original = add(f->db, &whole), twin = add(f->db, &whole);
    v = whole;
    v.left = v.top = 0.03;
    v.right = v.bottom = 0.97;
    v.width = 300, v.height = 225;
    int64_t cut = add(f->db, &v);
    told t = find(f->db, IMGRET_DUPLICATE_IDENTICAL, 0);
    assert_int_equal(t.groups, 1);
    assert_int_equal(t.members, 2);
    assert_int_equal(t.kind, IMGRET_DUPLICATE_IDENTICAL);
    assert_int_equal(kind_of(&t, twin), IMGRET_DUPLICATE_IDENTICAL);
    assert_int_equal(t.reason, IMGRET_KEEP_FIRST);
    t = find(f->db, 0, 0);
    assert_int_equal(t.groups, 1);
    assert_int_equal(t.members, 5);
    assert_int_equal(t.ids[0], original);
    assert_int_equal(t.kind, IMGRET_DUPLICATE_NEAR);
    assert_int_equal(kind_of(&t, squeezed), IMGRET_DUPLICATE_NEAR);
    assert_int_equal(kind_of(&t, grey), IMGRET_DUPLICATE_NEAR);
    assert_int_equal(kind_of(&t, cut), IMGRET_DUPLICATE_NEAR);
    assert_int_equal(imgret_remove(f->db, twin, NULL), IMGRET_OK);
    t = find(f->db, 0, 0);
    assert_int_equal(t.members, 4);
    assert_int_equal(t.reason, IMGRET_KEEP_COLOR);
}

static void turned_pictures_are_found_on_demand(void **state)
{
    fixture *f = *state;
    int64_t original = add(f->db, &whole);
    view v = whole;
    v.mirrored = true;
    v.width = 160, v.height = 120;
    int64_t mirrored = add(f->db, &v);
    v = whole;
    v.quarter = true;
    v.width = 120, v.height = 160;
    int64_t quarter = add(f->db, &v);
    assert_int_equal(find(f->db, 0, 0).groups, 0);
    told t = find(f->db, 0, IMGRET_DUPLICATES_TURNED);
    assert_int_equal(t.groups, 1);
    assert_int_equal(t.members, 3);
    assert_int_equal(t.ids[0], original);
    assert_int_equal(t.reason, IMGRET_KEEP_RESOLUTION);
    for (uint32_t i = 1; i < 3; i++) {
        assert_true(t.ids[i] == mirrored || t.ids[i] == quarter);
        assert_true(t.ids[i] == mirrored ? t.turns[i] == IMGRET_TURN_MIRRORED
                                         : t.turns[i] == 1 || t.turns[i] == 3);
    }
}

static void other_pictures_stay_apart(void **state)
{
    fixture *f = *state;
    view v = whole;
    for (v.scene = 1; v.scene <= 60; v.scene++)
        add(f->db, &v);
    assert_int_equal(find(f->db, 0, 0).groups, 0);
    assert_int_equal(find(f->db, 0, IMGRET_DUPLICATES_TURNED).groups, 0);
}

static void a_verdict_is_remembered_and_forgotten(void **state)
{
    fixture *f = *state;
    view v = whole;
    int64_t one = add(f->db, &whole);
    v.width = 200, v.height = 150;
    int64_t other = add(f->db, &v);
    assert_int_equal(find(f->db, 0, 0).groups, 1);
    assert_int_equal(imgret_set_verdict(f->db, other, one, IMGRET_VERDICT_DIFFERENT, NULL), 0);
    assert_int_equal(imgret_set_verdict(f->db, one, other, IMGRET_VERDICT_DIFFERENT, NULL), 0);
    assert_int_equal(find(f->db, 0, 0).groups, 0);
    int64_t third = add(f->db, &v); /* what it equals is nobody's duplicate of `one` */
    told t = find(f->db, 0, 0);
    assert_int_equal(t.groups, 1);
    assert_int_equal(t.members, 2);
    assert_int_equal(t.ids[0], one);
    assert_int_equal(t.ids[1], third);
    assert_int_equal(imgret_set_verdict(f->db, one, other, IMGRET_VERDICT_NONE, NULL), 0);
    assert_int_equal(find(f->db, 0, 0).members, 3);
    assert_int_equal(imgret_set_verdict(f->db, one, one, 1, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_set_verdict(f->db, one, other, 7, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_set_verdict(f->db, one, 99, 1, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_set_verdict(f->db, one, other, 1, NULL), 0);
    assert_int_equal(imgret_remove(f->db, other, NULL), IMGRET_OK); /* takes the verdict along */
    uint64_t problems = 1;
    assert_int_equal(imgret_check(f->db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void the_host_can_stop_and_filter(void **state)
{
    fixture *f = *state;
    add(f->db, &whole);
    int64_t last = add(f->db, &whole);
    told t = {.answer = 1};
    assert_int_equal(imgret_duplicates(f->db, NULL, listen, &t, NULL, NULL), IMGRET_INTERRUPTED);
    imgret_param param = {
        .size = sizeof param, .kind = IMGRET_PARAM_INTEGER, .name = "last", .integer = last};
    imgret_duplicates_options options = {
        .size = sizeof options, .where = "id < :last", .params = &param, .param_count = 1};
    imgret_duplicates_report report = {.size = sizeof report};
    assert_int_equal(imgret_duplicates(f->db, &options, NULL, NULL, &report, NULL), IMGRET_OK);
    assert_int_equal(report.image_count, 1);
    assert_int_equal(report.group_count, 0);
    options = (imgret_duplicates_options){.size = sizeof options, .kind_max = 4};
    assert_int_equal(imgret_duplicates(f->db, &options, NULL, NULL, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
    options = (imgret_duplicates_options){.size = sizeof options, .similar_score = (double)NAN};
    assert_int_equal(imgret_duplicates(f->db, &options, NULL, NULL, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
}

static void a_large_group_of_vectors_is_found_whole(void **state)
{
    enum { COUNT = 700, DIMENSION = 8 };
    fixture *f = *state;
    char path[300];
    imgret *db;
    snprintf(path, sizeof path, "%s/vectors.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:8"};
    assert_int_equal(imgret_open(&db, path, &options, NULL), IMGRET_OK);
    for (int i = 0; i < COUNT; i++) {
        float vector[DIMENSION] = {1, 0.01f * (float)(i % 7), 0.0001f * (float)i};
        if (i % 2)
            vector[0] = -1, vector[3] = 3;
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = vector,
                              .dimension = DIMENSION};
        assert_int_equal(imgret_add(db, &input, NULL, NULL, NULL), IMGRET_OK);
    }
    told t = {0};
    imgret_duplicates_report report = {.size = sizeof report};
    imgret_duplicates_options similar = {.size = sizeof similar,
                                         .kind_max = IMGRET_DUPLICATE_SIMILAR};
    assert_int_equal(imgret_duplicates(db, &similar, listen, &t, &report, NULL), IMGRET_OK);
    assert_int_equal(t.groups, 2);
    assert_int_equal(t.members, COUNT / 2);
    assert_int_equal(report.duplicate_count, COUNT - 2);
    imgret_close(db);
}

/* ---- Hashes ---- */

typedef struct counted {
    uint64_t hash;
    uint32_t calls, images;
} counted;

static int32_t count_hash(void *context, uint64_t hash, const uint32_t *ranks, uint32_t count,
                          imgret_error *error)
{
    counted *c = context;
    (void)ranks, (void)error;
    assert_true(__builtin_popcountll(hash ^ c->hash) <= IR_DUP_HASH_BITS);
    c->calls++;
    c->images += count;
    return IMGRET_OK;
}

static void all_hashes_within_reach_are_found_once(void **state)
{
    enum { COUNT = 1200 };
    (void)state;
    uint64_t seed = 5;
    ir_dup_images images = {.count = COUNT};
    images.rows = ir_calloc(COUNT, sizeof *images.rows);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t hash = i % 4 == 0 ? ir_random_next(&seed) : images.rows[i - 1].hash;
        for (uint64_t flips = ir_random_below(&seed, 6); i % 4 && flips > 0; flips--)
            hash ^= (uint64_t)1 << ir_random_below(&seed, 64);
        images.rows[i].hash = hash;
        images.rows[i].has_hash = true;
    }
    ir_dup_hashes *hashes = ir_dup_hashes_create(&images);
    assert_non_null(hashes);
    for (uint32_t i = 0; i < COUNT; i++) {
        counted c = {.hash = images.rows[i].hash};
        uint32_t expected = 0;
        for (uint32_t j = 0; j < COUNT; j++)
            expected += __builtin_popcountll(images.rows[j].hash ^ c.hash) <= IR_DUP_HASH_BITS;
        assert_int_equal(ir_dup_hashes_near(hashes, c.hash, count_hash, &c, NULL), IMGRET_OK);
        assert_int_equal(c.images, expected);
    }
    ir_dup_hashes_free(hashes);
    ir_free(images.rows);
}

static void four_quarters_and_two_mirrors_are_nothing(void **state)
{
    (void)state;
    uint64_t hash = 0x123456789ABCDEF0u;
    uint64_t half = ir_dup_hash_turned(hash, 2);
    assert_true(ir_dup_hash_turned(hash, 0) == hash);
    assert_true(ir_dup_hash_turned(ir_dup_hash_turned(hash, 1), 1) == half);
    assert_true(ir_dup_hash_turned(half, 2) == hash);
    assert_true(ir_dup_hash_turned(ir_dup_hash_turned(hash, IMGRET_TURN_MIRRORED),
                                   IMGRET_TURN_MIRRORED) == hash);
}

/* ---- Real pictures ---- */

static void neardup_tiny_comes_out_right(void **state)
{
    fixture *f = *state;
    char path[1024];
    if (!test_data(path, sizeof path, "neardup_tiny"))
        skip();
    const char *paths[] = {path};
    imgret_ingest_options options = {.size = sizeof options, .paths = paths, .path_count = 1};
    assert_int_equal(imgret_ingest(f->db, &options, NULL, NULL), IMGRET_OK);
    imgret_duplicates_report report = {.size = sizeof report};
    imgret_duplicates_options wanted = {.size = sizeof wanted,
                                        .kind_max = IMGRET_DUPLICATE_IDENTICAL};
    assert_int_equal(imgret_duplicates(f->db, &wanted, NULL, NULL, &report, NULL), IMGRET_OK);
    assert_int_equal(report.group_count, 6);
    assert_int_equal(report.duplicate_count, 11);
    wanted.kind_max = IMGRET_DUPLICATE_NEAR; /* and grey, resized, another format */
    assert_int_equal(imgret_duplicates(f->db, &wanted, NULL, NULL, &report, NULL), IMGRET_OK);
    assert_int_equal(report.group_count, 5);
    assert_int_equal(report.duplicate_count, 14);
    wanted.flags = IMGRET_DUPLICATES_TURNED; /* and mirrored */
    assert_int_equal(imgret_duplicates(f->db, &wanted, NULL, NULL, &report, NULL), IMGRET_OK);
    assert_int_equal(report.group_count, 4);
    assert_int_equal(report.duplicate_count, 15);
}

#define duplicates_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        duplicates_test(the_same_picture_is_found_in_every_dress),
        duplicates_test(turned_pictures_are_found_on_demand),
        duplicates_test(other_pictures_stay_apart),
        duplicates_test(a_verdict_is_remembered_and_forgotten),
        duplicates_test(the_host_can_stop_and_filter),
        duplicates_test(a_large_group_of_vectors_is_found_whole),
        cmocka_unit_test(all_hashes_within_reach_are_found_once),
        cmocka_unit_test(four_quarters_and_two_mirrors_are_nothing),
        duplicates_test(neardup_tiny_comes_out_right),
    };
    return cmocka_run_group_tests_name("duplicates", tests, NULL, NULL);
}
