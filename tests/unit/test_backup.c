/* test_backup.c: a backup is a database of one state, appears whole, and gets in nobody's way. */
#include "vectors.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

typedef struct fixture {
    char folder[256];
    char path[300];
    char to[300];
    char partial[320];
    imgret *db;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "backup");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    snprintf(f->to, sizeof f->to, "%s/copy.imgret", f->folder);
    snprintf(f->partial, sizeof f->partial, "%s.imgret-partial", f->to);
    f->db = open_vectors(f->path, 0, 0);
    *state = f;
    return f->db ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void add_some(imgret *db, uint32_t first, uint32_t count)
{
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (uint32_t i = first; i < first + count; i++)
        assert_int_equal(try_add(db, i, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void a_backup_is_the_database_as_last_committed(void **state)
{
    fixture *f = *state;
    add_some(f->db, 0, 500);
    assert_int_equal(imgret_remove(f->db, 7, NULL), IMGRET_OK);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    assert_int_equal(try_add(f->db, 9000, NULL, NULL, NULL), IMGRET_OK);
    if (imgret_backup(f->db, f->to, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    assert_false(is_there(f->partial));
    imgret *copy = open_vectors(f->to, 0, 0);
    assert_int_equal(count_images(copy), 499);
    for (uint32_t i = 0; i < 500; i += 7)
        assert_int_equal(find_seed(copy, i), find_seed(f->db, i));
    assert_int_equal(find_seed(copy, 9000), 0);
    assert_int_equal(count_problems(copy), 0);
    int64_t id = 0;
    assert_int_equal(try_add(copy, 9001, NULL, &id, NULL), IMGRET_OK); /* and goes its own way */
    assert_true(id > 500);
    imgret_close(copy);
    assert_int_equal(find_seed(f->db, 9001), 0);
    assert_int_equal(imgret_backup(f->db, f->to, NULL, &error), IMGRET_EXISTS);
    assert_non_null(strstr(error.message, "copy.imgret"));
    char nowhere[320];
    snprintf(nowhere, sizeof nowhere, "%s/missing/copy", f->folder);
    assert_int_equal(imgret_backup(f->db, nowhere, NULL, &error), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_backup(f->db, "", NULL, &error), IMGRET_INVALID_ARGUMENT);
}

static void a_read_only_handle_backs_up_too(void **state)
{
    fixture *f = *state;
    add_some(f->db, 0, 10);
    imgret *reader = open_vectors(f->path, IMGRET_OPEN_READ_ONLY, 0);
    assert_int_equal(imgret_backup(reader, f->to, NULL, NULL), IMGRET_OK);
    imgret_close(reader);
    imgret *copy = open_vectors(f->to, IMGRET_OPEN_READ_ONLY, 0);
    assert_int_equal(count_images(copy), 10);
    imgret_close(copy);
}

typedef struct progress {
    imgret *db;
    uint64_t calls;
    uint64_t last;
    uint64_t total;
    int stop_at; /* call at which to return 1; 0: never */
    int interrupt_at;
} progress;

static int32_t on_progress(void *user, uint64_t done_bytes, uint64_t total_bytes)
{
    progress *p = user;
    p->calls++;
    if (done_bytes < p->last || done_bytes > total_bytes)
        return 1;
    p->last = done_bytes;
    p->total = total_bytes;
    if (p->interrupt_at && p->calls == (uint64_t)p->interrupt_at)
        imgret_interrupt(p->db);
    /* Under no lock of the library: */
    if (count_images(p->db) == UINT64_MAX || try_add(p->db, 77, NULL, NULL, NULL) != IMGRET_OK)
        return 1;
    return p->stop_at && p->calls == (uint64_t)p->stop_at;
}

static void it_tells_its_progress_and_can_be_stopped(void **state)
{
    fixture *f = *state;
    for (uint32_t i = 0; i < 20; i++)
        add_some(f->db, i * 5000, 5000); /* some 10 MB */
    progress p = {.db = f->db, .stop_at = 2};
    imgret_backup_options options = {
        .size = sizeof options, .on_progress = on_progress, .user = &p};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_backup(f->db, f->to, &options, &error), IMGRET_INTERRUPTED);
    p = (progress){.db = f->db, .interrupt_at = 2};
    assert_int_equal(imgret_backup(f->db, f->to, &options, &error), IMGRET_INTERRUPTED);
    assert_false(is_there(f->to));
    assert_false(is_there(f->partial));
    p = (progress){.db = f->db};
    assert_int_equal(imgret_backup(f->db, f->to, &options, &error), IMGRET_OK);
    assert_true(p.calls > 3 && p.last == p.total);
    imgret *copy = open_vectors(f->to, 0, 0);
    assert_in_range(count_images(copy), 100000, 100010);
    assert_int_equal(count_problems(copy), 0);
    imgret_close(copy);
}

typedef struct traffic {
    imgret *db;
    atomic_int over;
    atomic_int failed;
} traffic;

/* Pairs, each in a transaction: a copy with an odd number would be of no state that ever was. */
static void *add_pairs(void *context)
{
    traffic *t = context;
    for (uint32_t i = 0; !atomic_load(&t->over); i += 2) {
        int32_t status = imgret_begin(t->db, NULL);
        for (uint32_t j = 0; j < 2 && !status; j++)
            status = try_add(t->db, i + j, NULL, NULL, NULL);
        if (!status)
            status = imgret_commit(t->db, NULL);
        if (status)
            atomic_fetch_add(&t->failed, 1);
    }
    return NULL;
}

static void copies_made_beside_a_writer_are_of_one_state(void **state)
{
    fixture *f = *state;
    traffic t = {.db = f->db};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, add_pairs, &t), 0);
    uint64_t before = 0, odd = 0, problems = 0, shrunk = 0;
    int32_t status = IMGRET_OK;
    for (int i = 0; i < 8 && !status; i++) {
        char to[320];
        snprintf(to, sizeof to, "%s-%d", f->to, i);
        status = imgret_backup(f->db, to, NULL, NULL);
        imgret *copy = status ? NULL : open_vectors(to, 0, 0);
        uint64_t count = copy ? count_images(copy) : UINT64_MAX;
        odd += count % 2;
        shrunk += count < before;
        problems += copy ? count_problems(copy) : 1;
        before = count;
        imgret_close(copy);
        usleep(20000);
    }
    atomic_store(&t.over, 1);
    pthread_join(writer, NULL);
    assert_int_equal(status, IMGRET_OK);
    assert_int_equal(odd, 0);
    assert_int_equal(shrunk, 0);
    assert_int_equal(problems, 0);
    assert_int_equal(atomic_load(&t.failed), 0);
    assert_true(before > 0);
}

static void what_a_dead_backup_left_is_taken_over(void **state)
{
    fixture *f = *state;
    for (uint32_t i = 0; i < 10; i++)
        add_some(f->db, i * 5000, 5000);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        open_threads = 1;
        imgret *db = open_vectors(f->path, IMGRET_OPEN_READ_ONLY, 0);
        _exit(imgret_backup(db, f->to, NULL, NULL) == IMGRET_OK ? 0 : 1);
    }
    char file[360]; /* written to, so the lock is taken */
    snprintf(file, sizeof file, "%s/catalog.db", f->partial);
    while (!is_there(file) && !is_there(f->to))
        usleep(100);
    imgret_error error = IMGRET_ERROR_INIT;
    int stopped;
    kill(child, SIGSTOP); /* it holds its lock, if it is not done already */
    waitpid(child, &stopped, WUNTRACED);
    if (WIFSTOPPED(stopped) && !is_there(f->to))
        assert_int_equal(imgret_backup(f->db, f->to, NULL, &error), IMGRET_BUSY);
    if (WIFSTOPPED(stopped)) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    if (is_there(f->to))
        remove_folder(f->to);
    assert_int_equal(imgret_backup(f->db, f->to, NULL, &error), IMGRET_OK);
    assert_false(is_there(f->partial));
    imgret *copy = open_vectors(f->to, 0, 0);
    assert_int_equal(count_images(copy), 50000);
    imgret_close(copy);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    fixture *f = *state;
    char letter[400];
    add_some(f->db, 0, 10);
    assert_int_equal(mkdir(f->partial, 0700), 0);
    snprintf(letter, sizeof letter, "%s/letter.txt", f->partial);
    write_text(letter, "dear");
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_backup(f->db, f->to, NULL, &error), IMGRET_EXISTS);
    assert_non_null(strstr(error.message, "letter.txt"));
    assert_true(is_there(letter));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_backup_is_the_database_as_last_committed),
        TEST(a_read_only_handle_backs_up_too),
        TEST(it_tells_its_progress_and_can_be_stopped),
        TEST(copies_made_beside_a_writer_are_of_one_state),
        TEST(what_a_dead_backup_left_is_taken_over),
        TEST(what_is_not_ours_is_left_alone),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
