/* test_crash.c: a process is killed while it adds, replaces, removes, optimizes and backs up,
 * again and again.
 *
 * The child tells in a pipe what it is about to do, and that it is done. After each kill the parent
 * opens the database and holds it against a list of what must be there: all that was told as done,
 * and the one operation in flight wholly or not at all.
 */
#include "rounds.h"
#include "vectors.h"

#include "base/alloc.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { KEYS = 48, GROUP_MAX = 12, ROUNDS = 50, ROUNDS_LONG = 1000 };
enum { KILL_US_MAX = 80000, DONE_MAX = 6 };

typedef enum kind { CHANGE, BACKUP, REOPEN, OPTIMIZE } kind;

typedef struct change {
    uint32_t key;
    uint32_t seed; /* 0: removed */
} change;

/* One message, short enough to be written at once. */
typedef struct message {
    kind what;
    uint32_t done; /* 0: about to begin */
    uint32_t count;
    uint32_t backup; /* its number */
    change changes[GROUP_MAX];
} message;

typedef struct model {
    uint32_t seed[KEYS]; /* 0: not there */
} model;

typedef struct run {
    char folder[256];
    char path[300];
    model now;
    message flight; /* valid while in_flight */
    bool in_flight;
    uint32_t backup; /* the last that is done; 0: none */
    model backed_up;
    uint32_t backup_next;
    uint64_t done_count;
    uint32_t segments_seen;  /* rounds after which there were some */
    uint32_t optimize_kills; /* while one was going on */
} run;

static void backup_path(const run *r, uint32_t number, char out[360])
{
    snprintf(out, 360, "%s/backup-%u", r->folder, number);
}

static void apply(model *m, const message *what)
{
    for (uint32_t i = 0; what->what == CHANGE && i < what->count; i++)
        m->seed[what->changes[i].key] = what->changes[i].seed;
}

/* ---- the child ---- */

#define need(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "child: line %d: %s\n", __LINE__, #condition);     \
            _exit(1);                                                          \
        }                                                                      \
    } while (0)

static void tell(int pipe_end, message *what, uint32_t done)
{
    what->done = done;
    need(write(pipe_end, what, sizeof *what) == (ssize_t)sizeof *what);
}

static int64_t id_of(imgret *db, const char *uri)
{
    imgret_records *records;
    imgret_list_options options = {.size = sizeof options, .uri = uri};
    need(imgret_list(&records, db, &options, NULL) == IMGRET_OK);
    const imgret_record *record = imgret_records_at(records, 0);
    int64_t id = record ? record->id : 0;
    imgret_records_free(records);
    return id;
}

static void make_change(imgret *db, const change *wanted)
{
    char uri[16], metadata[32];
    snprintf(uri, sizeof uri, "k%u", wanted->key);
    if (wanted->seed == 0) {
        need(imgret_remove(db, id_of(db, uri), NULL) == IMGRET_OK);
        return;
    }
    float vector[DIMENSION];
    snprintf(metadata, sizeof metadata, "{\"seed\":%u}", wanted->seed);
    imgret_input input = vector_input(vector, wanted->seed);
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    need(imgret_add(db, &input, &options, NULL, NULL) == IMGRET_OK);
}

/* Keys within a group differ; only what is there is removed. */
static message draw_message(const run *r, uint64_t *state)
{
    message drawn = {.what = CHANGE, .count = 1};
    uint32_t dice = random_below(state, 20);
    if (dice == 0) {
        drawn.what = BACKUP;
        drawn.backup = r->backup_next;
    } else if (dice == 1) {
        drawn.what = REOPEN;
    } else if (dice < 4) {
        drawn.what = OPTIMIZE;
    } else if (dice < 10) {
        drawn.count = 2 + random_below(state, GROUP_MAX - 1);
    }
    uint32_t key = random_below(state, KEYS);
    for (uint32_t i = 0; i < drawn.count; i++, key = (key + 1) % KEYS) {
        bool remove = r->now.seed[key] && random_below(state, 3) == 0;
        drawn.changes[i] = (change){key, remove ? 0 : 1 + random_below(state, 4000000000u)};
    }
    return drawn;
}

static void work_for_ever(run *r, uint64_t state, int pipe_end)
{
    imgret *db = open_vectors(r->path, 0, 0);
    need(db);
    for (;;) {
        message next = draw_message(r, &state);
        tell(pipe_end, &next, 0);
        if (next.what == BACKUP) {
            char to[360];
            backup_path(r, r->backup_next++, to);
            need(imgret_backup(db, to, NULL, NULL) == IMGRET_OK);
        } else if (next.what == REOPEN) {
            imgret_close(db);
            db = open_vectors(r->path, 0, 0);
            need(db);
        } else if (next.what == OPTIMIZE) {
            imgret_optimize_options options = {.size = sizeof options,
                                               .flags = IMGRET_OPTIMIZE_FORCE};
            need(imgret_optimize(db, &options, NULL) == IMGRET_OK);
        } else {
            bool group = next.count > 1;
            need(!group || imgret_begin(db, NULL) == IMGRET_OK);
            for (uint32_t i = 0; i < next.count; i++)
                make_change(db, &next.changes[i]);
            need(!group || imgret_commit(db, NULL) == IMGRET_OK);
        }
        apply(&r->now, &next);
        tell(pipe_end, &next, 1);
    }
}

/* ---- the parent ---- */

static void take(run *r, const message *told)
{
    if (!told->done) {
        r->flight = *told;
        r->in_flight = true;
        return;
    }
    r->in_flight = false;
    r->done_count++;
    apply(&r->now, told);
    if (told->what == BACKUP) {
        char old[360];
        backup_path(r, r->backup, old);
        if (r->backup)
            remove_folder(old);
        r->backup = told->backup;
        r->backup_next = told->backup + 1;
        r->backed_up = r->now;
    }
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Follows the child, kills it `delay_us` after it did `operations` (0: after its start), and takes
 * what it still had said. */
static void follow_and_kill(run *r, pid_t child, int pipe_end, uint32_t operations,
                            int64_t delay_us)
{
    int64_t begin_us = now_us(), end_us = INT64_MAX;
    uint64_t wanted = r->done_count + operations;
    bool alive = true;
    for (;;) {
        if (end_us == INT64_MAX && r->done_count >= wanted)
            end_us = (operations ? now_us() : begin_us) + delay_us;
        struct pollfd wait = {.fd = pipe_end, .events = POLLIN};
        int64_t left_us = end_us - now_us();
        if (alive && left_us <= 0) {
            kill(child, SIGKILL);
            alive = false;
        }
        struct timespec timeout = {0, alive && left_us < 900000 ? left_us * 1000 : 900000000};
        if (ppoll(&wait, 1, &timeout, NULL) <= 0)
            continue;
        message told;
        ssize_t got = read(pipe_end, &told, sizeof told);
        if (got <= 0)
            break;
        assert_int_equal(got, sizeof told);
        take(r, &told);
    }
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not end on its own, which would be a failure */
}

/* What a database holds, as a model; and each image is found by its vector. */
static void read_model(imgret *db, model *out)
{
    *out = (model){0};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, NULL, NULL), IMGRET_OK);
    for (uint64_t i = 0; i < imgret_records_count(records); i++) {
        const imgret_record *record = imgret_records_at(records, i);
        unsigned key, seed;
        assert_int_equal(sscanf(record->uri, "k%u", &key), 1);
        assert_int_equal(sscanf(record->metadata, "{\"seed\":%u}", &seed), 1);
        assert_true(key < KEYS);
        assert_int_equal(out->seed[key], 0);
        out->seed[key] = seed;
        assert_int_equal(find_seed(db, seed), record->id);
    }
    imgret_records_free(records);
}

static bool same_model(const model *a, const model *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* A closed database is catalog.db, and as many segment files as it has segments. */
static void assert_no_leftovers(const char *path, uint64_t segment_count)
{
    char segments[400];
    snprintf(segments, sizeof segments, "%s/segments", path);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "catalog.db") != 0 &&
            strcmp(entry->d_name, "segments") != 0)
            fail_msg("%s is left over", entry->d_name);
    closedir(folder);
    folder = opendir(segments);
    uint64_t found = 0;
    while (folder && (entry = readdir(folder))) {
        size_t digits = strspn(entry->d_name, "0123456789");
        if (entry->d_name[0] != '.' && (!digits || strcmp(entry->d_name + digits, ".seg") != 0))
            fail_msg("segments/%s is left over", entry->d_name);
        found += digits > 0;
    }
    if (folder)
        closedir(folder);
    assert_int_equal(found, segment_count);
}

/* A backup is either what was told, or the one in flight: whole or not there. */
static void check_backups(run *r, imgret *db)
{
    char to[360], partial[400];
    model found;
    if (r->backup) {
        backup_path(r, r->backup, to);
        imgret *copy = open_vectors(to, IMGRET_OPEN_EXISTING, 0);
        assert_non_null(copy);
        read_model(copy, &found);
        assert_true(same_model(&found, &r->backed_up));
        assert_int_equal(count_problems(copy), 0);
        imgret_close(copy);
    }
    if (!r->in_flight || r->flight.what != BACKUP)
        return;
    backup_path(r, r->flight.backup, to);
    snprintf(partial, sizeof partial, "%s.imgret-partial", to);
    if (access(to, F_OK) != 0) /* what it left behind is taken over */
        assert_int_equal(imgret_backup(db, to, NULL, NULL), IMGRET_OK);
    assert_int_not_equal(access(partial, F_OK), 0);
    imgret *copy = open_vectors(to, IMGRET_OPEN_EXISTING, 0);
    assert_non_null(copy);
    read_model(copy, &found);
    assert_true(same_model(&found, &r->now));
    assert_int_equal(count_problems(copy), 0);
    imgret_close(copy);
    remove_folder(to);
}

static void reopen_and_compare(run *r)
{
    model found, after = r->now;
    imgret *db = open_vectors(r->path, 0, 0);
    assert_non_null(db);
    read_model(db, &found);
    if (r->in_flight)
        apply(&after, &r->flight);
    bool before_it = same_model(&found, &r->now), after_it = same_model(&found, &after);
    if (!before_it && !after_it)
        for (uint32_t key = 0; key < KEYS; key++)
            if (found.seed[key] != r->now.seed[key])
                print_message("k%u: %u, was %u, in flight %u\n", key, found.seed[key],
                              r->now.seed[key], after.seed[key]);
    assert_true(before_it || after_it);
    r->now = found;
    assert_int_equal(count_problems(db), 0);
    check_backups(r, db);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    imgret_close(db);
    assert_no_leftovers(r->path, stats.segment_count);
    r->segments_seen += stats.segment_count > 0;
    r->optimize_kills += r->in_flight && r->flight.what == OPTIMIZE;
}

static void one_round(run *r, uint64_t seed)
{
    int ends[2];
    uint64_t state = seed;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    r->in_flight = false;
    r->backup_next = (uint32_t)seed * 1000;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        open_threads = 1;
        work_for_ever(r, state, ends[1]);
    }
    close(ends[1]);
    next_random(&state);
    int64_t delay_us = (int64_t)random_below(&state, KILL_US_MAX);
    /* Half of the kills count operations: a slow disk would let none be done. */
    uint32_t operations = seed % 2 ? 1 + random_below(&state, DONE_MAX) : 0;
    follow_and_kill(r, child, ends[0], operations, operations ? delay_us / 8 : delay_us);
    close(ends[0]);
    reopen_and_compare(r);
}

static uint64_t seed_now; /* 0: no round is running */

static int tell_seed(void **state)
{
    (void)state;
    if (seed_now)
        print_message("# failed with IMGRET_TEST_SEED=%llu\n", (unsigned long long)seed_now);
    return 0;
}

static void what_was_told_as_done_survives_every_kill(void **state)
{
    (void)state;
    static run r;
    make_folder(r.folder, "crash");
    snprintf(r.path, sizeof r.path, "%s/db.imgret", r.folder);
    uint32_t rounds = round_count(ROUNDS, ROUNDS_LONG);
    uint64_t first = first_seed();
    for (uint32_t i = 0; i < rounds; i++) {
        seed_now = first + i;
        one_round(&r, seed_now);
    }
    seed_now = 0;
    printf("# %u kills (%u while optimizing, %u with segments), %llu operations told as done, "
           "violations: 0\n",
           rounds, r.optimize_kills, r.segments_seen, (unsigned long long)r.done_count);
    assert_true(r.done_count > rounds && r.segments_seen > rounds / 4);
    remove_folder(r.folder);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_told_as_done_survives_every_kill, tell_seed)};
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
