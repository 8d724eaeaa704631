/* test_soak.c: threads and processes do everything at once, and every answer is checked.
 *
 * Each writer owns a range of uris and knows what it made of them; everybody else knows only what
 * must hold at any moment: a hit's score is that of the vector its own metadata names, the hits are
 * in order, and the images of one group, which are replaced in one transaction, are of one
 * generation. Runs for IMGRET_TEST_SECONDS, else 2 seconds, or 600 in the long form.
 */
#include "rounds.h"
#include "vectors.h"

#include "base/alloc.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { QUERIERS = 4, WRITERS = 2, READERS = 2, KEYS = 40, GROUP = 8 };

/* What processes share. */
typedef struct board {
    atomic_int over;
    atomic_uint_fast64_t answers;
    atomic_uint_fast64_t changes;
    atomic_uint_fast64_t merges;
    atomic_uint_fast64_t violations;
} board;

typedef struct soak {
    board *b;
    imgret *db;
    uint32_t number;     /* of the thread */
    uint32_t seed[KEYS]; /* a writer's own model; 0: not there */
    char folder[256];
} soak;

static void violation(board *b, const char *what, const imgret_error *error)
{
    if (atomic_fetch_add(&b->violations, 1) < 10)
        fprintf(stderr, "violation: %s%s%s\n", what, error ? ": " : "",
                error ? error->message : "");
}

static double cosine(uint32_t seed_a, uint32_t seed_b)
{
    float a[DIMENSION], b[DIMENSION];
    double ab = 0, aa = 0, bb = 0;
    fill_vector(a, seed_a);
    fill_vector(b, seed_b);
    for (uint32_t i = 0; i < DIMENSION; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* ---- who asks ---- */

static void check_answer(board *b, const imgret_results *results, uint32_t seed)
{
    double last = 2;
    uint32_t generation = 0, in_group = 0;
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        unsigned named = 0, key = 0, found = 0;
        if (!hit->metadata || sscanf(hit->metadata, "{\"seed\":%u", &named) != 1)
            violation(b, "a hit without its metadata", NULL);
        else if (fabs(hit->score - cosine(seed, named)) > 2e-3)
            violation(b, "a hit with the score of another vector", NULL);
        if (hit->score > last)
            violation(b, "hits out of order", NULL);
        last = hit->score;
        if (hit->uri && sscanf(hit->uri, "group-%u", &key) == 1 &&
            sscanf(hit->metadata, "{\"seed\":%*u,\"generation\":%u", &found) == 1) {
            if (in_group++ > 0 && found != generation)
                violation(b, "two generations in one answer", NULL);
            generation = found;
        }
    }
    if (in_group != 0 && in_group != GROUP)
        violation(b, "a part of a group in an answer", NULL);
    atomic_fetch_add(&b->answers, 1);
}

static void ask_once(board *b, imgret *db, uint64_t *state)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    uint32_t seed = random_below(state, 1000000);
    int32_t status = try_query(&results, db, seed, 1000, &error);
    if (status)
        violation(b, "query", &error);
    else
        check_answer(b, results, seed);
    imgret_results_free(results);
}

static void *query_all_the_time(void *context)
{
    soak *s = context;
    uint64_t state = 100 + s->number;
    while (!atomic_load(&s->b->over)) {
        ask_once(s->b, s->db, &state);
        if (random_below(&state, 50) == 0 && count_problems(s->db) != 0)
            violation(s->b, "check", NULL);
    }
    return NULL;
}

static int read_in_process(const char *path, board *b, uint64_t seed)
{
    open_threads = 1;
    imgret *db = open_vectors(path, IMGRET_OPEN_READ_ONLY, 60000);
    uint64_t state = seed;
    if (!db)
        return 1;
    while (!atomic_load(&b->over))
        ask_once(b, db, &state);
    imgret_close(db);
    return 0;
}

/* ---- who changes ---- */

static int32_t store(imgret *db, const char *uri, uint32_t seed, uint32_t generation,
                     imgret_error *error)
{
    char metadata[64];
    float vector[DIMENSION];
    snprintf(metadata, sizeof metadata, "{\"seed\":%u,\"generation\":%u}", seed, generation);
    imgret_input input = vector_input(vector, seed);
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    return imgret_add(db, &input, &options, NULL, error);
}

static int64_t id_of(imgret *db, const char *uri)
{
    imgret_records *records;
    imgret_list_options options = {.size = sizeof options, .uri = uri};
    if (imgret_list(&records, db, &options, NULL) != IMGRET_OK)
        return -1;
    const imgret_record *record = imgret_records_at(records, 0);
    int64_t id = record ? record->id : 0;
    imgret_records_free(records);
    return id;
}

static void *change_own_keys(void *context)
{
    soak *s = context;
    uint64_t state = 200 + s->number;
    while (!atomic_load(&s->b->over)) {
        char uri[32];
        imgret_error error = IMGRET_ERROR_INIT;
        uint32_t key = random_below(&state, KEYS);
        snprintf(uri, sizeof uri, "own-%u-%u", s->number, key);
        bool remove = s->seed[key] && random_below(&state, 3) == 0;
        uint32_t seed = remove ? 0 : 1 + random_below(&state, 1000000);
        int32_t status = remove ? imgret_remove(s->db, id_of(s->db, uri), &error)
                                : store(s->db, uri, seed, 0, &error);
        if (status)
            violation(s->b, remove ? "remove" : "add", &error);
        s->seed[key] = seed;
        int64_t id = id_of(s->db, uri); /* at once, by who changed it */
        if ((id > 0) != (seed != 0))
            violation(s->b, "a change does not show", NULL);
        atomic_fetch_add(&s->b->changes, 1);
    }
    return NULL;
}

/* Replaces the whole group in a transaction, or rolls back half way. */
static void *change_group(void *context)
{
    soak *s = context;
    uint64_t state = 300;
    for (uint32_t generation = 1; !atomic_load(&s->b->over); generation++) {
        imgret_error error = IMGRET_ERROR_INIT;
        bool give_up = generation > 1 && random_below(&state, 4) == 0;
        int32_t status = imgret_begin(s->db, &error);
        for (uint32_t i = 0; i < (give_up ? GROUP / 2 : GROUP) && !status; i++) {
            char uri[32];
            snprintf(uri, sizeof uri, "group-%u", i);
            status = store(s->db, uri, 1 + random_below(&state, 1000000), generation, &error);
        }
        if (!status)
            status = give_up ? imgret_rollback(s->db, &error) : imgret_commit(s->db, &error);
        if (status)
            violation(s->b, "transaction", &error);
        atomic_fetch_add(&s->b->changes, 1);
    }
    return NULL;
}

static void *back_up_and_disturb(void *context)
{
    soak *s = context;
    for (uint32_t i = 0; !atomic_load(&s->b->over); i++) {
        char to[320];
        imgret_error error = IMGRET_ERROR_INIT;
        snprintf(to, sizeof to, "%s/copy-%u", s->folder, i);
        int32_t status = imgret_backup(s->db, to, NULL, &error);
        if (status == IMGRET_BUSY) { /* a merge is going on */
            usleep(20000);
            continue;
        }
        if (status) {
            violation(s->b, "backup", &error);
            break;
        }
        imgret *copy = open_vectors(to, IMGRET_OPEN_EXISTING, 0);
        if (!copy || count_problems(copy) != 0)
            violation(s->b, "a backup is not sound", NULL);
        uint64_t state = i;
        if (copy)
            ask_once(s->b, copy, &state);
        imgret_close(copy);
        remove_folder(to);
        usleep(20000);
    }
    return NULL;
}

/* Segments are made and merged all the time; the backup may be in the way. */
static void *merge_all_the_time(void *context)
{
    soak *s = context;
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    while (!atomic_load(&s->b->over)) {
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = imgret_optimize(s->db, &options, &error);
        if (status && status != IMGRET_BUSY)
            violation(s->b, "optimize", &error);
        if (!status)
            atomic_fetch_add(&s->b->merges, 1);
        usleep(30000);
    }
    return NULL;
}

/* ---- all of it ---- */

static uint32_t seconds_to_run(void)
{
    const char *wanted = getenv("IMGRET_TEST_SECONDS");
    return wanted && wanted[0] ? (uint32_t)atoi(wanted) : round_count(2, 600);
}

static void compare_own_keys(soak *s, imgret *db)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        char uri[32];
        snprintf(uri, sizeof uri, "own-%u-%u", s->number, key);
        int64_t id = id_of(db, uri);
        if ((id > 0) != (s->seed[key] != 0) ||
            (id > 0 && fabs((double)(find_seed(db, s->seed[key]) - id)) > 0))
            violation(s->b, "a writer's image is not what it made of it", NULL);
    }
}

static void everything_at_once(void **state)
{
    (void)state;
    char folder[256], path[300];
    make_folder(folder, "soak");
    snprintf(path, sizeof path, "%s/db.imgret", folder);
    board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(b != MAP_FAILED);
    imgret_close(open_vectors(path, 0, 0));
    pid_t children[READERS];
    fflush(NULL);
    for (uint32_t i = 0; i < READERS; i++)
        if ((children[i] = fork()) == 0)
            _exit(read_in_process(path, b, 400 + i));
    imgret *db = open_vectors(path, 0, 60000);
    assert_non_null(db);
    enum { THREADS = QUERIERS + WRITERS + 3 };
    static soak crew[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        crew[i] = (soak){.b = b, .db = db, .number = i};
        memcpy(crew[i].folder, folder, sizeof folder);
        void *(*what)(void *) = i < QUERIERS             ? query_all_the_time
                                : i < QUERIERS + WRITERS ? change_own_keys
                                : i == THREADS - 1       ? back_up_and_disturb
                                : i == THREADS - 2       ? merge_all_the_time
                                                         : change_group;
        assert_int_equal(pthread_create(&threads[i], NULL, what, &crew[i]), 0);
    }
    uint32_t seconds = seconds_to_run();
    for (uint32_t i = 0; i < seconds && atomic_load(&b->violations) == 0; i++)
        sleep(1);
    atomic_store(&b->over, 1);
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < READERS; i++) {
        int status = 1;
        waitpid(children[i], &status, 0);
        if (status != 0)
            violation(b, "a reading process failed", NULL);
    }
    for (uint32_t i = QUERIERS; i < QUERIERS + WRITERS; i++)
        compare_own_keys(&crew[i], db);
    if (count_problems(db) != 0)
        violation(b, "check at the end", NULL);
    imgret_close(db);
    printf("# %u s, %llu answers and %llu changes checked, %llu merges, violations: %llu\n",
           seconds, (unsigned long long)b->answers, (unsigned long long)b->changes,
           (unsigned long long)b->merges, (unsigned long long)b->violations);
    assert_int_equal(b->violations, 0);
    assert_true(b->answers > 0 && b->changes > 0 && b->merges > 0);
    munmap(b, sizeof *b);
    remove_folder(folder);
    assert_int_equal(ir_alloc_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};
    return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
