/* duplicates.c: groups of pictures that show the same: the best of each, and what is like it.
 *
 * Pictures are taken in the order of their worth. The first that belongs to no group yet is a keeper, and
 * every free picture that is like it joins its group. So each member is like what is kept: of a chain
 * a ~ b ~ c the group of a has b, but c only if it is like a. Who is like whom is found by content hash, by
 * perceptual hash (duplicates_hash.h) and by searching the index for each keeper, many keepers at once;
 * each pair that is found this way is then judged by hash and vector together.
 */
#include "engine/duplicates.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/duplicates_hash.h"
#include "engine/duplicates_images.h"
#include "engine/likeness.h"
#include "engine/query.h"
#include "engine/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 1024, /* keepers that are searched for together */
    K_FIRST = 16,
    K_LAST = 1000000,
    EFFORT_MAX = 1000000,
    BITS_ALIKE =
        IR_DUP_HASH_BITS, /* of two hashes: pictures that are alike, if the vectors agree */
    BITS_CLOSE = 16,      /* that may be alike, if the vectors are nearly the same */
};

#define SCORE_ALIKE 0.9 /* of the vectors, where the hashes are alike */
#define SCORE_GREY \
    0.6 /* where one of the two has no colour, which vectors notice and hashes do not */
/* Where one is turned, which networks notice: two of them gave 0.53 and more, and less than 0.35 to half
 * of the pictures at random. It is a guard; the hash alone has to know. */
#define SCORE_TURNED 0.45
#define SCORE_ALONE 0.995 /* where there is no hash to agree, and nothing was calibrated */

typedef struct member {
    uint32_t rank;
    uint32_t kind; /* IMGRET_DUPLICATE_* */
    uint32_t hash_bits;
    uint32_t turn;
    double score;
} member;

typedef struct finder {
    ir_database *database;
    const imgret_duplicates_options *options;
    const ir_catalog_filter *filter;
    imgret_duplicates_fn on_group;
    void *user;
    imgret_duplicates_report *report;
    ir_call *call;
    ir_dup_images images;
    ir_dup_hashes *hashes;
    double near_score,
        similar_score;  /* cosines; similar_score is the metric's where that is another */
    double alone_score; /* cosine of near ones, where there is no hash to agree */
    bool searches;      /* the index, by vector */
    double least;       /* score that a search asks for */
    uint32_t keeper;
    uint32_t turn; /* of the hash that is looked for */
    bool keeper_gone;
    bool keeper_read; /* its vector is in `kept` */
    float *kept, *other;
    member *members; /* of the keeper's group, without itself */
    uint32_t member_count, member_room;
} finder;

static double cosine(const float *a, const float *b, uint32_t dimension)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* *there is false when the picture was removed meanwhile. */
static int32_t read_vector(finder *f, uint32_t rank, float *out, bool *there, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_get_vector(f->database, f->images.rows[rank].id, out, &reason);
    *there = !status;
    return status && status != IMGRET_NOT_FOUND ? ir_fail(error, status, "%s", reason.message)
                                                : IMGRET_OK;
}

static int32_t score_of(finder *f, uint32_t rank, double *out, bool *there, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    *there = true;
    if (!f->keeper_read) {
        status = read_vector(f, f->keeper, f->kept, there, error);
        f->keeper_gone = !*there;
        f->keeper_read = !status && *there;
    }
    if (!status && *there)
        status = read_vector(f, rank, f->other, there, error);
    if (!status && *there)
        *out = cosine(f->kept, f->other, f->database->dimension);
    return status;
}

/* The kind of two pictures that differ in their bytes; 0: they are no duplicates. */
static uint32_t judge(const finder *f, const ir_dup_image *a, const ir_dup_image *b,
                      uint32_t hash_bits, double score, bool found_by_score)
{
    bool hashed = a->has_hash && b->has_hash;
    bool near;
    if (!hashed)
        near = score >= f->alone_score && score >= f->near_score;
    else
        near = (hash_bits <= BITS_ALIKE &&
                score >= (a->is_grey != b->is_grey ? SCORE_GREY : SCORE_ALIKE)) ||
               (hash_bits <= BITS_CLOSE && score >= f->near_score);
    if (near)
        return IMGRET_DUPLICATE_NEAR;
    bool similar = f->database->metric == IMGRET_METRIC_COSINE ? score >= f->similar_score
                                                               : found_by_score;
    return similar && f->options->kind_max >= IMGRET_DUPLICATE_SIMILAR ? IMGRET_DUPLICATE_SIMILAR
                                                                       : 0;
}

static int32_t join(finder *f, const member *found, imgret_error *error)
{
    if (f->member_count == f->member_room) {
        uint32_t room = f->member_room ? 2 * f->member_room : 16;
        size_t bytes = 0;
        member *more = NULL;
        if (ir_mul_size(room, sizeof *more, &bytes))
            more = ir_realloc(f->members, bytes);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a group of %u pictures", room);
        f->members = more;
        f->member_room = room;
    }
    f->images.rows[found->rank].taken = true;
    f->members[f->member_count++] = *found;
    return IMGRET_OK;
}

static bool may_join(const finder *f, uint32_t rank)
{
    return rank != f->keeper && !f->images.rows[rank].taken && !f->keeper_gone &&
           !ir_dup_images_differ(&f->images, f->keeper, rank);
}

/* ---- The three ways to find what is like the keeper ---- */

static int32_t join_identical(finder *f, imgret_error *error)
{
    uint32_t first, count = ir_dup_images_same(&f->images, f->keeper, &first);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        member found = {.rank = f->images.by_content[first + i],
                        .kind = IMGRET_DUPLICATE_IDENTICAL,
                        .score = 1};
        if (may_join(f, found.rank))
            status = join(f, &found, error);
    }
    return status;
}

static int32_t on_hash(void *context, uint64_t hash, const uint32_t *ranks, uint32_t count,
                       imgret_error *error)
{
    finder *f = context;
    const ir_dup_image *keeper = &f->images.rows[f->keeper];
    uint64_t wanted = f->turn ? ir_dup_hash_turned(keeper->hash, f->turn) : keeper->hash;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        bool there;
        member found = {.rank = ranks[i],
                        .turn = f->turn,
                        .hash_bits = (uint32_t)__builtin_popcountll(hash ^ wanted)};
        if (!may_join(f, ranks[i]))
            continue;
        if (ir_call_stopped(f->call))
            return ir_fail(error, IMGRET_INTERRUPTED, "looking for duplicates was interrupted");
        status = score_of(f, ranks[i], &found.score, &there, error);
        if (status || !there)
            continue;
        const ir_dup_image *other = &f->images.rows[ranks[i]];
        found.kind = judge(f, keeper, other, found.hash_bits, found.score, false);
        if (f->turn && found.score >= SCORE_TURNED)
            found.kind = IMGRET_DUPLICATE_NEAR;
        if (found.kind)
            status = join(f, &found, error);
    }
    return status;
}

static int32_t join_by_hash(finder *f, imgret_error *error)
{
    const ir_dup_image *keeper = &f->images.rows[f->keeper];
    uint32_t turns = f->options->flags & IMGRET_DUPLICATES_TURNED ? 8 : 1;
    int32_t status = IMGRET_OK;
    if (!keeper->has_hash)
        return IMGRET_OK;
    for (f->turn = 0; f->turn < turns && !status; f->turn++)
        status = ir_dup_hashes_near(f->hashes, ir_dup_hash_turned(keeper->hash, f->turn), on_hash,
                                    f, error);
    f->turn = 0;
    return status;
}

static int32_t join_found(finder *f, const imgret_results *results, imgret_error *error)
{
    const ir_dup_image *keeper = &f->images.rows[f->keeper];
    int32_t status = IMGRET_OK;
    for (uint64_t i = 0; i < results->count && !status; i++) {
        bool there;
        member found = {.rank = ir_dup_images_find(&f->images, results->hits[i].id)};
        if (found.rank == UINT32_MAX || !may_join(f, found.rank))
            continue;
        const ir_dup_image *other = &f->images.rows[found.rank];
        status = score_of(f, found.rank, &found.score, &there, error);
        if (status || !there)
            continue;
        found.hash_bits = keeper->has_hash && other->has_hash
                              ? (uint32_t)__builtin_popcountll(keeper->hash ^ other->hash)
                              : IMGRET_HASH_UNKNOWN;
        found.kind = judge(f, keeper, other, found.hash_bits, found.score, true);
        if (found.kind)
            status = join(f, &found, error);
    }
    return status;
}

/* ---- Searching the index for many keepers at once ---- */

static int32_t ask(finder *f, const imgret_input *inputs, uint32_t count, uint32_t k,
                   imgret_results **out, imgret_error *error)
{
    /* What is so near is found with little effort; the default is for the tenth of far neighbours. */
    uint32_t effort = 5 * k < EFFORT_MAX ? 5 * k : EFFORT_MAX;
    imgret_query_options options = {.size = sizeof options,
                                    .flags = IMGRET_QUERY_MIN_SCORE,
                                    .min_score = f->least,
                                    .k = k,
                                    .effort = effort};
    return ir_query(out, f->database, inputs, count, &options, f->filter, f->call, error);
}

/* All that is like one picture, however much; *out NULL when it was removed. */
static int32_t ask_alone(finder *f, const imgret_input *input, uint32_t k, imgret_results **out,
                         imgret_error *error)
{
    for (;;) {
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ask(f, input, 1, k, out, &reason);
        if (status == IMGRET_NOT_FOUND)
            return IMGRET_OK;
        if (status)
            return ir_fail(error, status, "%s", reason.message);
        if ((*out)->count < k || k >= K_LAST)
            return IMGRET_OK;
        imgret_results_free(*out);
        *out = NULL;
        k = k < K_LAST / 16 ? 16 * k : K_LAST;
    }
}

typedef struct block {
    uint32_t ranks[BLOCK];
    imgret_input inputs[BLOCK];
    imgret_results *found[BLOCK];
    uint32_t count;
} block;

static void release_block(block *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        imgret_results_free(b->found[i]);
        b->found[i] = NULL;
    }
}

static int32_t search_block(finder *f, block *b, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    for (uint32_t i = 0; i < b->count; i++)
        b->inputs[i] = (imgret_input){.size = sizeof b->inputs[i],
                                      .kind = IMGRET_INPUT_ID,
                                      .id = f->images.rows[b->ranks[i]].id};
    int32_t status = ask(f, b->inputs, b->count, K_FIRST, b->found, &reason);
    bool one_by_one = status == IMGRET_NOT_FOUND; /* some are removed */
    if (status && !one_by_one)
        return ir_fail(error, status, "%s", reason.message);
    status = IMGRET_OK;
    for (uint32_t i = 0; i < b->count && !status; i++) {
        if (!one_by_one && b->found[i]->count < K_FIRST)
            continue;
        imgret_results_free(b->found[i]);
        b->found[i] = NULL;
        status = ask_alone(f, &b->inputs[i], one_by_one ? K_FIRST : 16 * K_FIRST, &b->found[i],
                           error);
    }
    return status;
}

/* ---- Groups ---- */

static int compare_members(const void *x, const void *y)
{
    const member *a = x, *b = y;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

typedef struct telling {
    finder *f;
    ir_arena arena;
    imgret_duplicate *rows;
    uint64_t count;
} telling;

static int32_t add_row(void *context, uint64_t position, const imgret_record *record,
                       imgret_error *error)
{
    telling *t = context;
    imgret_duplicate *row = &t->rows[t->count];
    *row = (imgret_duplicate){.size = sizeof *row,
                              .id = record->id,
                              .width = record->width,
                              .height = record->height,
                              .file_bytes = record->file_bytes,
                              .modified_ns = record->modified_ns,
                              .score = 1};
    if (position > 0) {
        const member *from = &t->f->members[position - 1];
        row->kind = from->kind;
        row->score = from->score;
        row->hash_bits = from->hash_bits;
        row->turn = from->turn;
    }
    int failed = 0;
    row->format = ir_arena_strdup(&t->arena, record->format, &failed);
    row->uri = ir_arena_strdup(&t->arena, record->uri, &failed);
    if (failed)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a group");
    t->count++;
    return IMGRET_OK;
}

static int32_t call_host(finder *f, const telling *t, uint32_t runner_up, imgret_error *error)
{
    imgret_duplicate_group group = {.size = sizeof group, .count = t->count, .members = t->rows};
    for (uint64_t i = 1; i < t->count; i++) {
        group.kind = t->rows[i].kind > group.kind ? t->rows[i].kind : group.kind;
        f->report->duplicate_bytes += t->rows[i].kind < IMGRET_DUPLICATE_SIMILAR
                                          ? t->rows[i].file_bytes
                                          : 0;
    }
    group.keep_reason = ir_dup_images_reason(&f->images.rows[f->keeper],
                                             &f->images.rows[runner_up]);
    f->report->group_count++;
    f->report->duplicate_count += t->count - 1;
    if (f->on_group && f->on_group(f->user, &group) != 0)
        return ir_fail(error, IMGRET_INTERRUPTED, "stopped by the callback for duplicates");
    return IMGRET_OK;
}

/* Tells the host of the keeper's group, which is as the catalogue has it now. */
static int32_t tell(finder *f, imgret_error *error)
{
    telling t = {.f = f};
    if (f->member_count == 0 || f->keeper_gone)
        return IMGRET_OK;
    qsort(f->members, f->member_count, sizeof *f->members, compare_members);
    uint64_t count = 1 + (uint64_t)f->member_count;
    int64_t *ids = ir_malloc_array((size_t)count, sizeof *ids);
    t.rows = ir_malloc_array((size_t)count, sizeof *t.rows);
    int32_t status = ids && t.rows ? IMGRET_OK
                                   : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a group");
    for (uint64_t i = 0; i < count && !status; i++)
        ids[i] = f->images.rows[i ? f->members[i - 1].rank : f->keeper].id;
    if (!status)
        status = ir_catalog_records_of_images(f->database->catalog, ids, count, add_row, &t, error);
    if (!status && t.count > 1 && t.rows[0].id == ids[0])
        status = call_host(f, &t, f->members[0].rank, error);
    ir_arena_free(&t.arena);
    ir_free(t.rows);
    ir_free(ids);
    return status;
}

static int32_t make_group(finder *f, uint32_t keeper, const imgret_results *found,
                          imgret_error *error)
{
    f->keeper = keeper;
    f->keeper_gone = f->keeper_read = false;
    f->member_count = 0;
    f->images.rows[keeper].taken = true;
    if (ir_call_stopped(f->call))
        return ir_fail(error, IMGRET_INTERRUPTED, "looking for duplicates was interrupted");
    int32_t status = join_identical(f, error);
    if (!status && f->options->kind_max >= IMGRET_DUPLICATE_NEAR)
        status = join_by_hash(f, error);
    if (!status && found)
        status = join_found(f, found, error);
    return status ? status : tell(f, error);
}

static int32_t make_groups(finder *f, imgret_error *error)
{
    block *b = ir_calloc(1, sizeof *b);
    int32_t status = b ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for duplicates");
    for (uint32_t at = 0; at < f->images.count && !status;) {
        for (b->count = 0; at < f->images.count && b->count < BLOCK; at++)
            if (!f->images.rows[at].taken)
                b->ranks[b->count++] = at;
        if (f->searches && b->count)
            status = search_block(f, b, error);
        for (uint32_t i = 0; i < b->count && !status; i++)
            if (!f->images.rows[b->ranks[i]].taken)
                status = make_group(f, b->ranks[i], b->found[i], error);
        release_block(b);
    }
    ir_free(b);
    return status;
}

/* What the host says goes before what was calibrated, and that before the constants. */
static int32_t choose_scores(finder *f, imgret_error *error)
{
    const imgret_duplicates_options *options = f->options;
    bool is_cosine = f->database->metric == IMGRET_METRIC_COSINE, calibrated;
    bool similar = options->kind_max >= IMGRET_DUPLICATE_SIMILAR;
    imgret_calibration known = {.size = sizeof known};
    int32_t status = ir_likeness_find(f->database, &known, &calibrated, error);
    if (status)
        return status;
    f->near_score = calibrated && is_cosine ? known.near_score : IR_DUPLICATES_NEAR;
    f->alone_score = calibrated && is_cosine ? known.same_score : SCORE_ALONE;
    f->similar_score = calibrated ? known.similar_score : IR_DUPLICATES_SIMILAR;
    if (options->similar_score != 0)
        f->similar_score = options->similar_score;
    if (similar && options->similar_score == 0 && !calibrated && !is_cosine)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_duplicates_options.similar_score is not given, and %s is neither of "
                       "the cosine metric nor calibrated",
                       f->database->path);
    f->searches = similar || (is_cosine && options->kind_max == IMGRET_DUPLICATE_NEAR);
    f->least = similar ? f->similar_score : f->near_score;
    if (similar && is_cosine && f->near_score < f->least)
        f->least = f->near_score;
    return IMGRET_OK;
}

int32_t ir_duplicates(ir_database *database, const imgret_duplicates_options *options,
                      const ir_catalog_filter *filter, imgret_duplicates_fn on_group, void *user,
                      imgret_duplicates_report *report, ir_call *call, imgret_error *error)
{
    finder f = {.database = database,
                .options = options,
                .filter = filter,
                .on_group = on_group,
                .user = user,
                .report = report,
                .call = call};
    int32_t status = choose_scores(&f, error);
    if (status)
        return status;
    f.kept = ir_malloc_array(database->dimension, sizeof *f.kept);
    f.other = ir_malloc_array(database->dimension, sizeof *f.other);
    status = f.kept && f.other ? IMGRET_OK
                               : ir_fail(error, IMGRET_NO_MEMORY, "no memory for vectors");
    if (!status)
        status = ir_dup_images_read(&f.images, database, filter, call, error);
    report->image_count = f.images.count;
    if (!status && !(f.hashes = ir_dup_hashes_create(&f.images)))
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u hashes", f.images.count);
    if (!status)
        status = make_groups(&f, error);
    ir_dup_hashes_free(f.hashes);
    ir_dup_images_free(&f.images);
    ir_free(f.members);
    ir_free(f.kept);
    ir_free(f.other);
    return status;
}

int32_t ir_set_verdict(ir_database *database, int64_t one, int64_t other, int32_t verdict,
                       imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = ir_catalog_set_verdict(database->catalog, one, other, verdict, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_database_commit(database, NULL, 0, error);
}
