/* test_model.c: thousands of short random programs, held against a list in memory after each step.
 *
 * A program is a list of steps with plain numbers for arguments; what they mean depends on what is
 * there, so any part of a program is a program. One that fails is shortened step by step and shown
 * with its seed.
 */
#include "rounds.h"
#include "vectors.h"

#include "base/alloc.h"

#include <math.h>

enum { STEPS = 24, IMAGES_MAX = 40, URIS = 6, PROGRAMS = 1000, PROGRAMS_LONG = 20000 };

typedef enum action {
    ADD,
    ADD_NAMED,
    REMOVE,
    SET_METADATA,
    QUERY,
    QUERY_BY_ID,
    LIST,
    GET,
    BEGIN,
    COMMIT,
    ROLLBACK,
    REOPEN,
    OTHER_ADDS,
    OTHER_REMOVES,
    BACKUP,
    MISTAKE,
    ACTION_COUNT
} action;

static const char *const action_names[] = {
    "add",        "add named",     "remove", "set metadata", "query",    "query by id",
    "list",       "get",           "begin",  "commit",       "rollback", "reopen",
    "other adds", "other removes", "backup", "mistake"};

typedef struct step {
    action what;
    uint32_t a, b;
} step;

typedef struct entry {
    int64_t id;
    int uri; /* -1: none */
    uint32_t seed;
    uint32_t metadata; /* 0: none */
} entry;

typedef struct list {
    entry rows[IMAGES_MAX];
    uint32_t count;
} list;

typedef struct world {
    char folder[256];
    char path[300];
    imgret *db;
    imgret *other; /* a second handle, with no patience */
    list now;      /* committed */
    list work;     /* within the transaction */
    bool in_transaction;
    uint32_t backups;
    char why[640];
} world;

#define wrong(w, ...) (snprintf((w)->why, sizeof(w)->why, __VA_ARGS__), false)

static list *target(world *w)
{
    return w->in_transaction ? &w->work : &w->now;
}

static entry *find_uri(list *l, int uri)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (uri >= 0 && l->rows[i].uri == uri)
            return &l->rows[i];
    return NULL;
}

static entry *find_id(list *l, int64_t id)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->rows[i].id == id)
            return &l->rows[i];
    return NULL;
}

static const char *metadata_text(uint32_t metadata, char out[32])
{
    snprintf(out, 32, "{\"m\":%u}", metadata);
    return metadata ? out : NULL;
}

/* ---- steps ---- */

static bool do_add(world *w, imgret *db, list *l, int uri, uint32_t seed, uint32_t metadata)
{
    char name[16], text[32];
    float vector[DIMENSION];
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(name, sizeof name, "u%d", uri);
    imgret_input input = vector_input(vector, seed);
    imgret_add_options options = {.size = sizeof options,
                                  .uri = uri < 0 ? NULL : name,
                                  .metadata = metadata_text(metadata, text)};
    imgret_add_result result = {.size = sizeof result};
    entry *known = find_uri(l, uri);
    if (!known && l->count == IMAGES_MAX)
        return true;
    if (imgret_add(db, &input, &options, &result, &error) != IMGRET_OK)
        return wrong(w, "add: %s", error.message);
    int32_t wanted = !known                ? IMGRET_STORED
                     : known->seed == seed ? IMGRET_UNCHANGED
                                           : IMGRET_REPLACED;
    if (result.outcome != wanted)
        return wrong(w, "add: outcome %d, not %d", result.outcome, wanted);
    if (known && known->id != result.id)
        return wrong(w, "add: id %lld, not %lld", (long long)result.id, (long long)known->id);
    if (!known) {
        if (result.id < 1 || find_id(l, result.id) || find_id(&w->now, result.id))
            return wrong(w, "add: id %lld is in use", (long long)result.id);
        known = &l->rows[l->count++];
        *known = (entry){.id = result.id, .uri = uri};
    }
    known->seed = seed;
    if (metadata)
        known->metadata = metadata;
    return true;
}

static bool do_remove(world *w, imgret *db, list *l, uint32_t a)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (l->count == 0)
        return imgret_remove(db, 1000000, &error) == IMGRET_NOT_FOUND ||
               wrong(w, "remove of nothing");
    uint32_t at = a % l->count;
    if (imgret_remove(db, l->rows[at].id, &error) != IMGRET_OK)
        return wrong(w, "remove: %s", error.message);
    memmove(&l->rows[at], &l->rows[at + 1], (l->count - at - 1) * sizeof(entry));
    l->count--;
    return true;
}

static bool do_set_metadata(world *w, uint32_t a, uint32_t b)
{
    list *l = target(w);
    char text[32];
    imgret_error error = IMGRET_ERROR_INIT;
    if (l->count == 0)
        return true;
    entry *row = &l->rows[a % l->count];
    row->metadata = b % 4;
    if (imgret_set_metadata(w->db, row->id, metadata_text(row->metadata, text), &error))
        return wrong(w, "set_metadata: %s", error.message);
    return true;
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

/* Vectors are stored in half precision. */
static const double SCORE_SLACK = 2e-3;

static bool check_hits(world *w, const imgret_results *results, uint32_t k, uint32_t seed,
                       int64_t excluded)
{
    uint64_t there = w->now.count - (excluded ? 1 : 0), count = imgret_results_count(results);
    if (count != (k < there ? k : there))
        return wrong(w, "query: %llu results of %llu", (unsigned long long)count,
                     (unsigned long long)there);
    double last = 2;
    bool returned[IMAGES_MAX] = {false};
    for (uint64_t i = 0; i < count; i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        const entry *row = find_id(&w->now, hit->id);
        if (!row || hit->id == excluded || returned[row - w->now.rows])
            return wrong(w, "query: id %lld is no answer", (long long)hit->id);
        returned[row - w->now.rows] = true;
        if (hit->score > last || fabs(hit->score - cosine(seed, row->seed)) > SCORE_SLACK)
            return wrong(w, "query: id %lld has score %g", (long long)hit->id, hit->score);
        last = hit->score;
    }
    for (uint32_t i = 0; i < w->now.count; i++)
        if (!returned[i] && w->now.rows[i].id != excluded && count > 0 && count == k &&
            cosine(seed, w->now.rows[i].seed) > last + SCORE_SLACK)
            return wrong(w, "query: id %lld is missing", (long long)w->now.rows[i].id);
    return true;
}

static bool do_query(world *w, imgret *db, uint32_t a, uint32_t b, bool by_id)
{
    float vector[DIMENSION];
    uint32_t k = 1 + b % 6, seed = a % 9;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_query_options options = {.size = sizeof options, .k = k};
    imgret_input input = vector_input(vector, seed);
    int64_t excluded = 0;
    if (by_id && w->now.count == 0)
        return true;
    if (by_id) {
        const entry *row = &w->now.rows[a % w->now.count];
        input = (imgret_input){.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = row->id};
        seed = row->seed;
        excluded = row->id;
    }
    imgret_results *results;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        return wrong(w, "query: %s", error.message);
    bool good = check_hits(w, results, k, seed, excluded);
    imgret_results_free(results);
    return good;
}

static bool same_record(const imgret_record *record, const entry *row)
{
    char name[16], text[32];
    snprintf(name, sizeof name, "u%d", row->uri);
    const char *metadata = metadata_text(row->metadata, text);
    bool uri_good = row->uri < 0 ? !record->uri : record->uri && !strcmp(record->uri, name);
    bool metadata_good = metadata ? record->metadata && !strcmp(record->metadata, metadata)
                                  : !record->metadata;
    return record->id == row->id && uri_good && metadata_good &&
           record->state == IMGRET_STATE_STORED;
}

static bool do_list(world *w, imgret *db, const list *l)
{
    imgret_records *records;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_list(&records, db, NULL, &error) != IMGRET_OK)
        return wrong(w, "list: %s", error.message);
    bool good = imgret_records_count(records) == l->count;
    int64_t last = 0;
    for (uint64_t i = 0; good && i < l->count; i++) {
        const imgret_record *record = imgret_records_at(records, i);
        list copy = *l;
        const entry *row = find_id(&copy, record->id);
        good = row && record->id > last && same_record(record, row);
        last = record->id;
    }
    imgret_records_free(records);
    return good || wrong(w, "list is not the model's");
}

static bool do_get(world *w, uint32_t a)
{
    float out[DIMENSION], vector[DIMENSION];
    imgret_records *records;
    if (w->now.count == 0)
        return imgret_get(&records, w->db, 1000000, NULL) == IMGRET_NOT_FOUND ||
               wrong(w, "get of nothing");
    const entry *row = &w->now.rows[a % w->now.count];
    if (imgret_get(&records, w->db, row->id, NULL) != IMGRET_OK)
        return wrong(w, "get");
    bool good = same_record(imgret_records_at(records, 0), row);
    imgret_records_free(records);
    if (imgret_get_vector(w->db, row->id, out, DIMENSION, NULL) != IMGRET_OK)
        return wrong(w, "get_vector");
    fill_vector(vector, row->seed);
    for (uint32_t i = 0; i < DIMENSION; i++)
        good = good && fabsf(out[i] - vector[i]) <= 1e-3f;
    return good || wrong(w, "get is not the model's");
}

static bool open_both(world *w)
{
    w->db = open_vectors(w->path, 0, 0);
    w->other = open_vectors(w->path, 0, IMGRET_NO_WAIT);
    return (w->db && w->other) || wrong(w, "open");
}

static bool do_reopen(world *w)
{
    imgret_close(w->db);
    imgret_close(w->other);
    w->in_transaction = false; /* rolled back */
    return open_both(w);
}

static bool end_transaction(world *w, bool commit)
{
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = commit ? imgret_commit(w->db, &error) : imgret_rollback(w->db, &error);
    if (status != (w->in_transaction ? IMGRET_OK : IMGRET_INVALID_ARGUMENT))
        return wrong(w, "%s: %s", commit ? "commit" : "rollback", error.message);
    if (commit && w->in_transaction)
        w->now = w->work;
    w->in_transaction = false;
    return true;
}

static bool do_begin(world *w)
{
    int32_t status = imgret_begin(w->db, NULL);
    if (status != (w->in_transaction ? IMGRET_INVALID_ARGUMENT : IMGRET_OK))
        return wrong(w, "begin: %d", status);
    if (!w->in_transaction)
        w->work = w->now;
    w->in_transaction = true;
    return true;
}

/* The other handle finds a transaction in its way, or does it. */
static bool do_other(world *w, const step *s)
{
    if (w->in_transaction)
        return try_add(w->other, s->a, NULL, NULL, NULL) == IMGRET_BUSY ||
               wrong(w, "the other handle is not told busy");
    if (s->what == OTHER_REMOVES)
        return do_remove(w, w->other, &w->now, s->a);
    return do_add(w, w->other, &w->now, (int)(s->b % (URIS + 2)) - 2 < 0 ? -1 : (int)(s->b % URIS),
                  s->a % 9, 0);
}

static bool do_backup(world *w)
{
    char to[330];
    snprintf(to, sizeof to, "%s/copy-%u", w->folder, w->backups++);
    if (imgret_backup(w->db, to, NULL, NULL) != IMGRET_OK)
        return wrong(w, "backup");
    imgret *copy = open_vectors(to, IMGRET_OPEN_EXISTING, 0);
    bool good = copy && do_list(w, copy, &w->now) && do_query(w, copy, 3, 3, false) &&
                count_problems(copy) == 0;
    imgret_close(copy);
    return good;
}

static bool do_mistake(world *w, uint32_t a)
{
    float vector[DIMENSION];
    imgret_input input = vector_input(vector, a);
    imgret_add_options options = {.size = sizeof options, .uri = "u0", .metadata = "not JSON"};
    if (a % 2)
        input.dimension = 3;
    int32_t status = imgret_add(w->db, &input, &options, NULL, NULL);
    return status == IMGRET_INVALID_ARGUMENT || wrong(w, "a mistake got %d", status);
}

static bool do_step(world *w, const step *s)
{
    switch (s->what) {
    case ADD:
        return do_add(w, w->db, target(w), -1, s->a % 9, s->b % 3);
    case ADD_NAMED:
        return do_add(w, w->db, target(w), (int)(s->b % URIS), s->a % 9, s->a % 3);
    case REMOVE:
        return do_remove(w, w->db, target(w), s->a);
    case SET_METADATA:
        return do_set_metadata(w, s->a, s->b);
    case QUERY:
        return do_query(w, s->a % 2 ? w->db : w->other, s->a, s->b, false);
    case QUERY_BY_ID:
        return do_query(w, s->b % 2 ? w->db : w->other, s->a, s->b, true);
    case LIST:
        return do_list(w, s->a % 2 ? w->db : w->other, &w->now);
    case GET:
        return do_get(w, s->a);
    case BEGIN:
        return do_begin(w);
    case COMMIT:
    case ROLLBACK:
        return end_transaction(w, s->what == COMMIT);
    case REOPEN:
        return do_reopen(w);
    case OTHER_ADDS:
    case OTHER_REMOVES:
        return do_other(w, s);
    case BACKUP:
        return do_backup(w);
    case MISTAKE:
        return do_mistake(w, s->a);
    case ACTION_COUNT:
        break;
    }
    return false;
}

/* ---- programs ---- */

static bool run_program(const step *steps, uint32_t count, char why[640])
{
    static world w;
    w = (world){0};
    make_folder(w.folder, "model");
    snprintf(w.path, sizeof w.path, "%s/db.imgret", w.folder);
    bool good = open_both(&w);
    for (uint32_t i = 0; good && i < count; i++)
        good = do_step(&w, &steps[i]);
    if (good && w.db)
        good = (count_problems(w.db) == 0 && count_problems(w.other) == 0) ||
               wrong(&w, "check finds problems");
    imgret_close(w.db);
    imgret_close(w.other);
    remove_folder(w.folder);
    if (good && ir_alloc_live_count() != 0)
        good = wrong(&w, "memory is left");
    memcpy(why, w.why, sizeof w.why);
    return good;
}

/* Takes out every step without which the program fails too. */
static uint32_t shorten(step *steps, uint32_t count)
{
    char why[640];
    for (uint32_t i = count; i-- > 0;) {
        step fewer[STEPS];
        memcpy(fewer, steps, i * sizeof *steps);
        memcpy(fewer + i, steps + i + 1, (count - i - 1) * sizeof *steps);
        if (run_program(fewer, count - 1, why))
            continue;
        count--;
        memcpy(steps, fewer, count * sizeof *steps);
    }
    return count;
}

static void random_programs_do_as_the_model(void **state)
{
    (void)state;
    uint32_t programs = round_count(SANITIZED(PROGRAMS, PROGRAMS / 5), PROGRAMS_LONG);
    for (uint64_t seed = first_seed(); seed < first_seed() + programs; seed++) {
        step steps[STEPS];
        char why[640];
        uint64_t random = seed;
        for (uint32_t i = 0; i < STEPS; i++)
            steps[i] = (step){(action)random_below(&random, ACTION_COUNT),
                              random_below(&random, 1000), random_below(&random, 1000)};
        if (run_program(steps, STEPS, why))
            continue;
        uint32_t count = shorten(steps, STEPS);
        run_program(steps, count, why);
        print_message("# IMGRET_TEST_SEED=%llu: %s\n", (unsigned long long)seed, why);
        for (uint32_t i = 0; i < count; i++)
            print_message("#   %s %u %u\n", action_names[steps[i].what], steps[i].a, steps[i].b);
        fail();
    }
    printf("# %u programs of %d steps, violations: 0\n", programs, STEPS);
}

int main(void)
{
    if (access("/dev/shm", W_OK) == 0) /* thousands of databases: no disk is needed for that */
        setenv("TMPDIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs_do_as_the_model)};
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
