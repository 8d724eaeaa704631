/* test_crash.c: a process is killed while it adds, replaces, removes, optimizes, backs up and exports,
 * again and again.
 *
 * The child tells in a pipe what it is about to do, and that it is done. After each kill the parent
 * opens the database and holds it against a list of what must be there: all that was told as done,
 * and the one operation in flight wholly or not at all.
 *
 * There are three aims of a kill, in turn: some time after the start; some operations later, which a
 * slow disk would else let none finish of; and in the midst of an operation of one kind, each kind in
 * turn. Each aim has its own floor of what must have happened.
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
enum { KILL_US_MAX = 80000, DONE_MAX = 6, WAIT_US_MAX = 60000000 };

typedef enum kind { ADD, REMOVE, GROUP, BACKUP, EXPORT, REOPEN, OPTIMIZE, KIND_COUNT } kind;

static const char *const kind_names[KIND_COUNT] = {
    "adding", "removing", "in a transaction", "backing up", "exporting", "opening", "optimizing"};

/* The latest moment of an aimed kill after its operation began: about what it takes here. */
static const int64_t kind_us_max[KIND_COUNT] = {4000, 4000, 12000, 30000, 30000, 12000, 40000};

/* When a child is to be killed. */
typedef struct aim {
    uint32_t operations; /* that are done first; 0: none need be */
    kind midst;          /* KIND_COUNT, or the kind that must have begun first */
    int64_t delay_us;    /* after that */
} aim;

typedef struct change {
    uint32_t key;
    uint32_t seed; /* 0: removed */
} change;

/* One message, short enough to be written at once. */
typedef struct message {
    kind what;
    uint32_t done; /* 0: about to begin */
    uint32_t count;
    uint32_t backup; /* its number; an export's, too */
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
    bool backup_is_export;
    model backed_up;
    uint32_t backup_next;
    uint64_t done_count;
    uint64_t promised;              /* operations that kills waited for */
    uint32_t segments_seen;         /* rounds after which there were some */
    uint32_t kills[KIND_COUNT + 1]; /* while one of the kind was going on; last: between two */
    uint32_t aimed[KIND_COUNT];     /* of those, kills that were aimed so */
} run;

static void backup_path(const run *r, uint32_t number, char out[360])
{
    snprintf(out, 360, "%s/backup-%u", r->folder, number);
}

static bool is_change(const message *what)
{
    return what->what == ADD || what->what == REMOVE || what->what == GROUP;
}

static void apply(model *m, const message *what)
{
    for (uint32_t i = 0; is_change(what) && i < what->count; i++)
        m->seed[what->changes[i].key] = what->changes[i].seed;
}

/* ---- the child ---- */

#define need(condition)                                                    \
    do {                                                                   \
        if (!(condition)) {                                                \
            fprintf(stderr, "child: line %d: %s\n", __LINE__, #condition); \
            _exit(1);                                                      \
        }                                                                  \
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
    message drawn = {.what = ADD, .count = 1};
    uint32_t dice = random_below(state, 20);
    if (dice == 0) {
        drawn.what = random_below(state, 2) ? BACKUP : EXPORT;
        drawn.backup = r->backup_next;
    } else if (dice == 1) {
        drawn.what = REOPEN;
    } else if (dice < 4) {
        drawn.what = OPTIMIZE;
    } else if (dice < 10) {
        drawn.what = GROUP;
        drawn.count = 2 + random_below(state, GROUP_MAX - 1);
    }
    uint32_t key = random_below(state, KEYS);
    for (uint32_t i = 0; i < drawn.count; i++, key = (key + 1) % KEYS) {
        bool remove = r->now.seed[key] && random_below(state, 3) == 0;
        drawn.changes[i] = (change){key, remove ? 0 : 1 + random_below(state, 4000000000u)};
        if (drawn.what == ADD && remove)
            drawn.what = REMOVE;
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
        } else if (next.what == EXPORT) {
            char to[360];
            backup_path(r, r->backup_next++, to);
            need(imgret_export(db, to, NULL, NULL) == IMGRET_OK);
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
    if (told->what == BACKUP || told->what == EXPORT) {
        char old[360];
        backup_path(r, r->backup, old);
        if (r->backup)
            remove_folder(old);
        r->backup = told->backup;
        r->backup_is_export = told->what == EXPORT;
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

/* Whether what the aim waits for has come about. */
static bool is_due(const run *r, const aim *when, uint64_t done_before)
{
    if (r->done_count < done_before + when->operations)
        return false;
    return when->midst == KIND_COUNT || (r->in_flight && r->flight.what == when->midst);
}

/* Follows the child, kills it as aimed, and takes what it still had said. An aim that is not reached
 * in a minute becomes a kill at that moment. */
static void follow_and_kill(run *r, pid_t child, int pipe_end, const aim *when)
{
    int64_t end_us = now_us() + WAIT_US_MAX;
    uint64_t done_before = r->done_count;
    bool alive = true, aimed = false;
    for (;;) {
        if (!aimed && is_due(r, when, done_before)) {
            aimed = true;
            end_us = now_us() + when->delay_us;
        }
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
    kind midst = r->in_flight ? r->flight.what : KIND_COUNT;
    r->kills[midst]++;
    if (midst < KIND_COUNT && midst == when->midst)
        r->aimed[midst]++;
    if (aimed)
        r->promised += when->operations;
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

static void check_copy(const char *path, const model *wanted)
{
    model found;
    imgret *copy = open_vectors(path, IMGRET_OPEN_EXISTING, 0);
    assert_non_null(copy);
    read_model(copy, &found);
    assert_true(same_model(&found, wanted));
    assert_int_equal(count_problems(copy), 0);
    imgret_close(copy);
}

/* An export is what a database made of it holds. */
static void check_export(const run *r, const char *folder, const model *wanted)
{
    char path[360];
    snprintf(path, sizeof path, "%s/imported", r->folder);
    assert_int_equal(imgret_import(path, folder, NULL, NULL), IMGRET_OK);
    check_copy(path, wanted);
    remove_folder(path);
}

/* A backup or export is either what was told, or the one in flight: whole or not there. */
static void check_backups(run *r, imgret *db)
{
    char to[360], partial[400];
    if (r->backup) {
        backup_path(r, r->backup, to);
        if (r->backup_is_export)
            check_export(r, to, &r->backed_up);
        else
            check_copy(to, &r->backed_up);
    }
    bool export = r->in_flight && r->flight.what == EXPORT;
    if (!export && (!r->in_flight || r->flight.what != BACKUP))
        return;
    backup_path(r, r->flight.backup, to);
    snprintf(partial, sizeof partial, "%s.imgret-partial", to);
    if (access(to, F_OK) != 0) /* what it left behind is taken over */
        assert_int_equal(export ? imgret_export(db, to, NULL, NULL)
                                : imgret_backup(db, to, NULL, NULL),
                         IMGRET_OK);
    assert_int_not_equal(access(partial, F_OK), 0);
    if (export)
        check_export(r, to, &r->now);
    else
        check_copy(to, &r->now);
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
}

/* The aims take turns, and so do the kinds among those that are aimed at one. */
static aim draw_aim(uint64_t round, uint64_t *state)
{
    aim drawn = {.midst = KIND_COUNT};
    if (round % 3 == 0) {
        drawn.delay_us = random_below(state, KILL_US_MAX);
    } else if (round % 3 == 1) {
        drawn.operations = 1 + random_below(state, DONE_MAX);
        drawn.delay_us = random_below(state, KILL_US_MAX / 8);
    } else {
        drawn.midst = (kind)(round / 3 % KIND_COUNT);
        drawn.delay_us = random_below(state, (uint32_t)kind_us_max[drawn.midst]);
    }
    return drawn;
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
    aim when = draw_aim(seed, &state);
    follow_and_kill(r, child, ends[0], &when);
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

static void tell_kills(const run *r, uint32_t rounds)
{
    printf("# %u kills (%u with segments), %llu operations told as done, violations: 0\n", rounds,
           r->segments_seen, (unsigned long long)r->done_count);
    for (kind k = 0; k < KIND_COUNT; k++)
        printf("# %u kills while %s, %u of them aimed\n", r->kills[k], kind_names[k], r->aimed[k]);
    printf("# %u kills between operations\n", r->kills[KIND_COUNT]);
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
    tell_kills(&r, rounds);
    /* A third of the kills waited for operations; of the kinds, an aimed kill may come too late. */
    assert_true(r.promised >= rounds / 4 && r.done_count >= r.promised);
    assert_true(r.segments_seen > rounds / 4);
    for (kind k = 0; k < KIND_COUNT; k++)
        assert_true(r.kills[k] >= rounds / 200);
    remove_folder(r.folder);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_told_as_done_survives_every_kill, tell_seed)};
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
