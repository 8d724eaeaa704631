/* test_segment_hot.c: vectors in RAM: what is left of the budget saves reads, and changes no answer. */
#include "segment_fixture.h"

#include <fcntl.h>
#include <string.h>

enum { QUERIES = 40, K = 10, COUNT = 2000, DIMENSION = 96, PAGE_BYTES = 4096 };

static char path[64];

/* What a search of all queries found, and read. */
typedef struct answers {
    ir_neighbor found[QUERIES * K];
    uint64_t reads;
    uint64_t reranks;
} answers;

static uint64_t ram_of(const ir_segment_info *info)
{
    return info->sign_bytes + info->rank_bytes + info->graph_bytes + info->id_bytes +
           info->check_bytes + info->other_bytes + info->vector_bytes;
}

static ir_segment *open_within(uint64_t bytes, bool keeps, ir_segment_info *info)
{
    ir_segment *segment;
    ir_segment_open_options options = {.ram_bytes_max = bytes, .keeps_vectors = keeps};
    assert_int_equal(ir_segment_open(&segment, path, &options, NULL), 0);
    ir_segment_get_info(segment, info);
    assert_true(bytes == 0 || ram_of(info) <= bytes);
    return segment;
}

static void ask_all(const vectors *v, ir_segment *segment, uint32_t flags, answers *out)
{
    float query[DIMENSION];
    ir_search_stats stats = {0};
    memset(out, 0, sizeof *out);
    for (uint32_t q = 0; q < QUERIES; q++) {
        uint32_t count;
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = K, .flags = flags, .effort = 64};
        assert_int_equal(
            ir_segment_search(segment, &search, out->found + q * K, &count, &stats, NULL), 0);
        assert_int_equal(count, K);
    }
    out->reads = stats.reads;
    out->reranks = stats.reranks;
}

static void what_is_left_of_the_budget_saves_reads(void **state)
{
    (void)state;
    vectors v = make_vectors(COUNT, DIMENSION, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment_info info;
    ir_segment *segment = open_within(0, true, &info);
    assert_int_equal(info.vector_bytes, 0); /* without a budget nothing is left of one */
    uint64_t codes = ram_of(&info), all = COUNT * (DIMENSION * 4 + 4);
    const uint32_t flags[] = {0, IR_SEARCH_ESTIMATED};
    answers *plain = malloc(2 * sizeof *plain), *now = malloc(sizeof *now);
    uint64_t before[2];
    for (uint32_t f = 0; f < 2; f++) {
        ask_all(&v, segment, flags[f], &plain[f]);
        assert_int_equal(plain[f].reads, plain[f].reranks);
        before[f] = plain[f].reads;
    }
    ir_segment_close(segment);
    for (uint32_t quarter = 1; quarter <= 4; quarter++) {
        segment = open_within(codes + all * quarter / 4, true, &info);
        assert_in_range(info.vector_bytes, all * quarter / 4 - 400, all * quarter / 4);
        for (uint32_t f = 0; f < 2; f++) {
            ask_all(&v, segment, flags[f], now);
            assert_memory_equal(now->found, plain[f].found, sizeof now->found);
            assert_int_equal(now->reranks, plain[f].reranks);
            assert_true(now->reads < before[f]);
            before[f] = now->reads;
            /* A quarter of the vectors is more than a quarter of what is read. */
            assert_true(quarter > 1 || now->reads < plain[f].reads * 7 / 10);
        }
        ir_segment_close(segment);
    }
    assert_int_equal(before[0], 0);
    assert_int_equal(before[1], 0);
    segment = open_within(codes + all, false, &info);
    assert_int_equal(info.vector_bytes, 0); /* only where it is asked for */
    ir_segment_close(segment);
    free(plain);
    free(now);
    free(v.rows);
}

/* Under a budget that leaves out bits of the codes, what is left goes to vectors as well; where it
 * leaves out rows of the graph nothing is. */
static void less_ram_has_fewer_of_them(void **state)
{
    (void)state;
    vectors v = make_vectors(COUNT, DIMENSION, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment_info info, less;
    ir_segment_close(open_within(0, true, &info));
    uint64_t codes = ram_of(&info);
    ir_segment_close(open_within(codes - 1, true, &less));
    assert_int_equal(less.code_bits_in_ram, info.code_bits_in_ram - 1);
    assert_in_range(less.vector_bytes, 1, info.rank_bytes - less.rank_bytes);
    ir_segment_close(open_within(codes - info.rank_bytes - info.graph_bytes / 2, true, &less));
    assert_true(less.graph_bytes_on_disk > 0);
    assert_int_equal(less.vector_bytes, 0);
    free(v.rows);
}

/* A damaged vector is not taken into RAM: the database opens, and the search that needs it says so. */
static void a_damaged_vector_is_left_to_the_search(void **state)
{
    (void)state;
    vectors v = make_vectors(COUNT, DIMENSION, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    off_t at = 7 * PAGE_BYTES + 50;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    ir_segment_info info;
    uint64_t all = COUNT * (DIMENSION * 4 + 4), per_page = PAGE_BYTES / (DIMENSION * 4);
    ir_segment *segment = open_within(1u << 30, true, &info);
    assert_int_equal(info.vector_bytes, all - per_page * (DIMENSION * 4 + 4));
    uint32_t failures = 0;
    for (uint32_t i = 0; i < 10 * per_page; i++) {
        ir_neighbor found;
        uint32_t count;
        imgret_error error = IMGRET_ERROR_INIT;
        ir_search search = {.vector = v.rows + (size_t)i * DIMENSION, .k = 1, .effort = 64};
        int32_t status = ir_segment_search(segment, &search, &found, &count, NULL, &error);
        bool there = i / per_page == 6; /* pages begin with the header */
        assert_true(there ? status == IMGRET_CORRUPT : !status || status == IMGRET_CORRUPT);
        assert_true(!status || strstr(error.message, "page 7") != NULL);
        assert_true(status || found.id == id_of(i));
        failures += status != 0;
    }
    assert_true(failures < 9 * per_page);
    ir_segment_close(segment);
    free(v.rows);
}

static int start(void **state)
{
    (void)state;
    return make_segment_path(path, sizeof path);
}

static int end(void **state)
{
    (void)state;
    return remove_segment_path(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_of_the_budget_saves_reads),
        cmocka_unit_test(less_ram_has_fewer_of_them),
        cmocka_unit_test(a_damaged_vector_is_left_to_the_search),
    };
    return cmocka_run_group_tests_name("segment_hot", tests, start, end);
}
