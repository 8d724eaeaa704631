/* test_seccomp.c: where a filter forbids io_uring, as containers do, threads read, and all is found. */
#include "pictures.h"

#include <errno.h>
#include <imgret/imgret.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DIMENSION = 32, COUNT = 400, QUERY_COUNT = 20 };

/* Every call of io_uring is answered with EPERM, for the rest of this process. */
static int forbid_io_uring(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(SYS_io_uring_setup, 1, NULL) == -1 && errno == EPERM;
}

static void fill_vector(float *out, uint32_t seed)
{
    seed = seed * 2654435761u + 1;
    for (uint32_t i = 0; i < DIMENSION; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static void make_segment(imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    float vector[DIMENSION];
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .dimension = DIMENSION};
    input.vector = vector;
    assert_int_equal(imgret_begin(db, &error), IMGRET_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        fill_vector(vector, i);
        assert_int_equal(imgret_add(db, &input, NULL, NULL, &error), IMGRET_OK);
    }
    assert_int_equal(imgret_commit(db, &error), IMGRET_OK);
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &options, &error), IMGRET_OK);
}

static void queries_read_by_threads(void **state)
{
    (void)state;
    if (!forbid_io_uring())
        skip_because("this kernel does not let a process filter its own calls");
    char folder[256], path[300];
    make_folder(folder, "seccomp");
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .model = "vectors:32"};
    imgret *db = NULL;
    assert_int_equal(imgret_open(&db, path, &options, &error), IMGRET_OK);
    make_segment(db);

    float vectors[QUERY_COUNT][DIMENSION];
    imgret_input inputs[QUERY_COUNT] = {0};
    imgret_results *results[QUERY_COUNT];
    for (uint32_t i = 0; i < QUERY_COUNT; i++) {
        fill_vector(vectors[i], i * 7);
        inputs[i] = (imgret_input){
            .size = sizeof inputs[i], .kind = IMGRET_INPUT_VECTOR, .dimension = DIMENSION};
        inputs[i].vector = vectors[i];
    }
    assert_int_equal(imgret_query_batch(results, db, inputs, QUERY_COUNT, NULL, &error), IMGRET_OK);
    for (uint32_t i = 0; i < QUERY_COUNT; i++) {
        assert_int_equal(imgret_results_count(results[i]), 10);
        assert_int_equal(imgret_results_at(results[i], 0)->id, i * 7 + 1);
        imgret_results_free(results[i]);
    }
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, &error), IMGRET_OK);
    assert_int_equal(stats.segment_vector_count, COUNT);
    assert_true(stats.disk_read_count > 0);
    assert_string_equal(stats.io_kind, "threads");
    assert_true(stats.io_reason[0] != '\0');
    imgret_close(db);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queries_read_by_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
