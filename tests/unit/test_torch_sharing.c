/* test_torch_sharing.c: whether threads share a picture follows the times that both ways took. */
#include "testing.h"

#include "torch/sharing.h"

typedef struct machine {
    double alone_us, shared_us;
} machine;

static const machine idle = {17000, 10000}, busy = {34000, 240000}, even = {1000, 990};

/* Runs `count` pictures; how many of them were shared. */
static int run(ir_torch_sharing *sharing, machine now, int count)
{
    int shared_count = 0;
    for (int i = 0; i < count; i++) {
        bool shared = ir_torch_sharing_next(sharing);
        shared_count += shared;
        ir_torch_sharing_took(sharing, shared, shared ? now.shared_us : now.alone_us);
    }
    return shared_count;
}

static void begins_as_told(void **state)
{
    (void)state;
    ir_torch_sharing sharing = {.shares = true};
    assert_true(ir_torch_sharing_next(&sharing));
    sharing = (ir_torch_sharing){.shares = false};
    assert_int_equal(run(&sharing, idle, 4), 0); /* one question is answered without preparations */
}

static void the_quicker_way_is_found(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        ir_torch_sharing sharing = {.shares = first};
        run(&sharing, idle, 10);
        assert_true(sharing.shares);
        assert_true(run(&sharing, idle, 1000) >= 980);
        sharing = (ir_torch_sharing){.shares = first};
        run(&sharing, busy, 10);
        assert_false(sharing.shares);
        assert_true(run(&sharing, busy, 1000) <= 3);
        sharing = (ir_torch_sharing){.shares = first};
        run(&sharing, even, 10);
        assert_false(sharing.shares); /* all cores for nothing */
    }
}

static void preparations_do_not_count(void **state)
{
    (void)state;
    ir_torch_sharing sharing = {.shares = false};
    run(&sharing, idle, 4);
    assert_true(ir_torch_sharing_next(&sharing));
    ir_torch_sharing_took(&sharing, true, 1e6);
    assert_true(ir_torch_sharing_next(&sharing));
    ir_torch_sharing_took(&sharing, true, idle.shared_us);
    assert_true(sharing.shares);
}

static void it_follows_the_load(void **state)
{
    (void)state;
    ir_torch_sharing sharing = {.shares = true};
    run(&sharing, idle, 500);
    assert_true(sharing.shares);
    assert_true(run(&sharing, busy, 1000) <= 20);
    assert_false(sharing.shares);
    run(&sharing, idle, 4096 + 10);
    assert_true(sharing.shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_as_told),
        cmocka_unit_test(the_quicker_way_is_found),
        cmocka_unit_test(preparations_do_not_count),
        cmocka_unit_test(it_follows_the_load),
    };
    return cmocka_run_group_tests_name("sharing a picture", tests, NULL, NULL);
}
