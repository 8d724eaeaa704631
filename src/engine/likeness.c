/* likeness.c: measures what scores mean in a collection, and keeps it among its settings.
 *
 * Three things are looked at: pictures drawn at random in pairs, which rarely have to do with each
 * other; every drawn picture and the one nearest to it; and copies that are made of drawn pictures, or,
 * where no file can be read, pairs that the perceptual hashes say are copies.
 *
 *   similar  the score that parts nearest pictures from random pairs best (Youden's index), and that
 *            at most 1 random pair in 100 reaches
 *   near     what 95% of the cut or lighter copies reach, and at most 1 random pair in 1,000
 *   same     what 95% of the copies that were encoded anew or made smaller reach, near or more
 *
 * Pairs that score as copies do are left out of the first two: a collection with duplicates in it would
 * else look as if strangers were the same.
 *
 * The setting "likeness" is one line: "1 IDENTITY VALUE VALUE ...", the identity a hash of the
 * extractor's, values as the 64 bits of a double in hexadecimal: no locale has a say in it.
 */
#include "engine/likeness.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "engine/query.h"
#include "engine/regions_query.h"
#include "engine/stages.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING "likeness"

enum {
    VALUES = 10, /* of a setting */
    TEXT_BYTES = 256,
    SAMPLE_LEAST = 10, /* pictures: fewer tell nothing */
    PAIRS_MAX = 200000,
    HASH_BITS = 4,     /* in which hashes of copies may differ */
    COPIES_LEAST = 20, /* that are believed */
    STOP_EVERY_PAIRS = 4096,
};

#define LOST 0.05           /* of the copies, that a level may leave out */
#define RANDOM_SIMILAR 0.01 /* of random pairs, that may reach a level */
#define RANDOM_NEAR 0.001
/* Of the way from a picture itself to an unrelated one, where no copies could be had. */
#define WAY_SAME 0.05
#define WAY_NEAR 0.15

/* ---- scores ---- */

int32_t ir_scores_add(ir_scores *scores, double value, imgret_error *error)
{
    if (scores->count == scores->room) {
        uint32_t room = scores->room ? 2 * scores->room : 256;
        double *more = ir_realloc(scores->values, (size_t)room * sizeof *more);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u scores", room);
        scores->values = more;
        scores->room = room;
    }
    scores->values[scores->count++] = value;
    return IMGRET_OK;
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ir_scores_quantile(ir_scores *scores, double share)
{
    qsort(scores->values, scores->count, sizeof *scores->values, compare_values);
    double at = share * (scores->count - 1);
    uint32_t below = (uint32_t)at, above = below + 1 < scores->count ? below + 1 : below;
    double rest = at - below;
    return (1 - rest) * scores->values[below] + rest * scores->values[above];
}

/* ---- what is measured ---- */

typedef struct picture {
    int64_t id; /* 0: removed meanwhile */
    char *path; /* NULL: no file */
    uint64_t hash;
    bool has_hash;
} picture;

typedef struct measuring {
    ir_database *database;
    const imgret_calibrate_options *options;
    imgret_calibration *out;
    ir_call *call;
    picture *pictures;
    float *vectors; /* a row for each */
    uint32_t count;
    ir_scores random, nearest, same, near, hashed;
} measuring;

static int32_t heed_stop(const measuring *m, imgret_error *error)
{
    return ir_call_stopped(m->call)
               ? ir_fail(error, IMGRET_INTERRUPTED, "calibrating was interrupted")
               : IMGRET_OK;
}

static int32_t note_picture(void *context, uint64_t position, const imgret_record *record,
                            imgret_error *error)
{
    picture *out = (picture *)context + position;
    out->id = record->id;
    if (record->attributes) {
        out->has_hash = record->attributes->perceptual_hash != 0;
        out->hash = record->attributes->perceptual_hash;
    }
    if (record->uri && record->uri[0] == '/' && record->modified_ns != 0) {
        out->path = ir_strdup(record->uri);
        if (!out->path)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to calibrate");
    }
    return IMGRET_OK;
}

/* The vectors of the pictures that were drawn; those that are gone by now are dropped. */
static int32_t fetch_vectors(measuring *m, uint32_t drawn, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < drawn; i++) { /* to the end: what is not kept is freed */
        imgret_error reason = IMGRET_ERROR_INIT;
        picture one = m->pictures[i];
        int32_t got = IMGRET_NOT_FOUND;
        m->pictures[i].path = NULL;
        if (one.id && !status)
            got = ir_get_vector(m->database, one.id,
                                m->vectors + (size_t)m->count * m->database->dimension, &reason);
        if (!got)
            m->pictures[m->count++] = one;
        else
            ir_free(one.path);
        if (got && got != IMGRET_NOT_FOUND)
            status = ir_fail(error, got, "%s", reason.message);
        if (!status)
            status = heed_stop(m, error);
    }
    return status;
}

/* Draws pictures at even distances of a random order: the same database gives the same ones. */
static int32_t draw_pictures(measuring *m, imgret_error *error)
{
    int64_t *regions;
    uint64_t there;
    int32_t status = ir_catalog_region_ids(m->database->catalog, 1, &regions, &there, error);
    if (status)
        return status;
    there = ir_regions_keep_kinds(regions, there,
                                  ir_regions_kinds(m->database->regions, IMGRET_SEARCH_WHOLE));
    m->out->image_count = there;
    uint32_t drawn = there < m->options->sample_count ? (uint32_t)there : m->options->sample_count;
    uint64_t random = 1;
    for (uint32_t i = 0; i < drawn; i++) {
        uint64_t other = i + ir_random_below(&random, there - i);
        int64_t region = regions[i];
        regions[i] = regions[other];
        regions[other] = region;
    }
    m->pictures = ir_calloc(drawn ? drawn : 1, sizeof *m->pictures);
    m->vectors = ir_malloc_array((size_t)(drawn ? drawn : 1) * m->database->dimension,
                                 sizeof *m->vectors);
    if (!m->pictures || !m->vectors)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u vectors", drawn);
    if (!status) {
        m->count = drawn; /* what there is to free, should the next fail */
        status = ir_catalog_records_of_regions(m->database->catalog, regions, drawn, note_picture,
                                               m->pictures, error);
    }
    if (!status) {
        m->count = 0;
        status = fetch_vectors(m, drawn, error);
    }
    ir_free(regions);
    if (!status && m->count < SAMPLE_LEAST)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "%s has %u pictures: at least %d are needed to tell what scores mean",
                         m->database->path, m->count, SAMPLE_LEAST);
    return status;
}

static const float *vector_of(const measuring *m, uint64_t index)
{
    return m->vectors + (size_t)index * m->database->dimension;
}

static int32_t compare_random(measuring *m, imgret_error *error)
{
    uint64_t all = (uint64_t)m->count * (m->count - 1) / 2, random = 2;
    uint64_t wanted = all < PAIRS_MAX ? all : PAIRS_MAX;
    int32_t status = IMGRET_OK;
    uint32_t first = 0, second = 0;
    for (uint64_t i = 0; i < wanted && !status; i++) {
        if (all > PAIRS_MAX) {
            first = (uint32_t)ir_random_below(&random, m->count);
            second = (uint32_t)ir_random_below(&random, m->count - 1);
            second += second >= first;
        } else if (++second >= m->count) {
            second = ++first + 1;
        }
        status = ir_scores_add(
            &m->random, ir_stages_score(m->database, vector_of(m, first), vector_of(m, second)),
            error);
        if (!status && i % STOP_EVERY_PAIRS == 0)
            status = heed_stop(m, error);
    }
    m->out->pair_count = m->random.count;
    return status;
}

typedef struct {
    measuring *m;
    const uint32_t *asked; /* the picture that hit i was found with */
    const double *scores;
} hash_context;

static int32_t compare_hashes(void *context, uint64_t position, const imgret_record *record,
                              imgret_error *error)
{
    const hash_context *compared = context;
    const picture *asked = &compared->m->pictures[compared->asked[position]];
    if (!asked->has_hash || !record->attributes || !record->attributes->perceptual_hash ||
        __builtin_popcountll(asked->hash ^ record->attributes->perceptual_hash) > HASH_BITS)
        return IMGRET_OK;
    return ir_scores_add(&compared->m->hashed, compared->scores[position], error);
}

/* Of the nearest picture of each: its score, and whether it is a copy by its hash. */
static int32_t take_nearest(measuring *m, imgret_results **found, imgret_error *error)
{
    int64_t *ids = ir_malloc_array(m->count, sizeof *ids);
    uint32_t *asked = ir_malloc_array(m->count, sizeof *asked);
    double *scores = ir_malloc_array(m->count, sizeof *scores);
    uint32_t count = 0;
    int32_t status = ids && asked && scores
                         ? IMGRET_OK
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u scores", m->count);
    for (uint32_t i = 0; i < m->count && !status; i++) {
        if (found[i]->count == 0)
            continue;
        ids[count] = found[i]->hits[0].id;
        scores[count] = found[i]->hits[0].score;
        asked[count++] = i;
        status = ir_scores_add(&m->nearest, found[i]->hits[0].score, error);
    }
    hash_context compared = {m, asked, scores};
    if (!status)
        status = ir_catalog_records_of_images(m->database->catalog, ids, count, compare_hashes,
                                              &compared, error);
    ir_free(ids);
    ir_free(asked);
    ir_free(scores);
    return status;
}

static int32_t find_nearest(measuring *m, imgret_error *error)
{
    imgret_input *inputs = ir_calloc(m->count, sizeof *inputs);
    imgret_results **found = ir_calloc(m->count, sizeof *found);
    const imgret_query_options options = {.size = sizeof options, .k = 2};
    const ir_catalog_filter all = {0};
    int32_t status = inputs && found
                         ? IMGRET_OK
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u queries", m->count);
    /* By vector, so that a picture that is removed meanwhile fails nothing; each finds itself first. */
    for (uint32_t i = 0; i < m->count && !status; i++)
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_VECTOR,
                                   .vector = vector_of(m, i),
                                   .dimension = m->database->dimension};
    if (!status)
        status = ir_query(found, m->database, inputs, m->count, &options, &all, m->call, error);
    for (uint32_t i = 0; i < m->count && !status; i++) {
        imgret_results *one = found[i];
        if (one->count > 0 && one->hits[0].id == m->pictures[i].id)
            one->hits[0] = one->hits[--one->count];
    }
    if (!status)
        status = take_nearest(m, found, error);
    for (uint32_t i = 0; found && i < m->count; i++)
        imgret_results_free(found[i]);
    ir_free(found);
    ir_free(inputs);
    return status;
}

static int32_t make_copies(measuring *m, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    uint32_t used_count = 0;
    bool has_model = strncmp(m->database->model, "vectors:", 8) != 0;
    if (m->options->flags & IMGRET_CALIBRATE_NO_COPIES)
        return IMGRET_OK;
    for (uint32_t i = 0; i < m->count && has_model && used_count < m->options->copy_max && !status;
         i++) {
        bool used = false;
        status = heed_stop(m, error);
        if (!status && m->pictures[i].path)
            status = ir_likeness_copies(m->database, m->pictures[i].path, &m->same, &m->near, &used,
                                        error);
        used_count += used;
    }
    m->out->copy_count = m->same.count + m->near.count;
    return status;
}

/* ---- what follows from it ---- */

/* The share of sorted scores that are at least `least`. */
static double share_from(const ir_scores *scores, double least)
{
    uint32_t low = 0, high = scores->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (scores->values[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return (double)(scores->count - low) / scores->count;
}

/* The score of a nearest picture at which most of them are told from random pairs. */
static double parting_score(const measuring *m)
{
    double best = -1, at = 0;
    for (uint32_t i = 0; i < m->nearest.count; i++) {
        double score = m->nearest.values[i];
        double gain = share_from(&m->nearest, score) - share_from(&m->random, score);
        if (gain > best) {
            best = gain;
            at = score;
        }
    }
    return at;
}

/* The score of a picture for itself. */
static double own_score(const measuring *m)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->count; i++)
        sum += ir_stages_score(m->database, vector_of(m, i), vector_of(m, i));
    return sum / m->count;
}

/* Drops the scores from `same` on, unless that is most of them: they are of copies that lie in the
 * collection, and tell nothing of strangers. */
static void drop_copies(ir_scores *scores, double same)
{
    double lowest = scores->count ? ir_scores_quantile(scores, 0) : 0; /* sorts */
    uint32_t count = scores->count;
    while (lowest < same && count > 0 && scores->values[count - 1] >= same)
        count--;
    if (count >= scores->count / 2)
        scores->count = count;
}

static void conclude(measuring *m)
{
    imgret_calibration *out = m->out;
    double own = own_score(m), similar_least, near_least;
    out->random_median = ir_scores_quantile(&m->random, 0.5);
    out->nearest_median = m->nearest.count ? ir_scores_quantile(&m->nearest, 0.5) : 0;
    out->hash_pair_count = m->hashed.count;
    double way = own - out->random_median;
    out->same_score = own - WAY_SAME * way;
    out->near_score = own - WAY_NEAR * way;
    if (m->hashed.count >= COPIES_LEAST) {
        out->same_score = ir_scores_quantile(&m->hashed, 0.5);
        out->near_score = ir_scores_quantile(&m->hashed, LOST);
    }
    if (m->same.count >= COPIES_LEAST)
        out->same_score = ir_scores_quantile(&m->same, LOST);
    if (m->near.count >= COPIES_LEAST)
        out->near_score = ir_scores_quantile(&m->near, LOST);
    drop_copies(&m->random, out->same_score);
    drop_copies(&m->nearest, out->same_score);
    similar_least = ir_scores_quantile(&m->random, 1 - RANDOM_SIMILAR);
    near_least = ir_scores_quantile(&m->random, 1 - RANDOM_NEAR);
    out->random_high = similar_least;
    out->near_score = fmin(fmax(out->near_score, near_least), own);
    out->same_score = fmin(fmax(out->same_score, out->near_score), own);
    out->similar_score = m->nearest.count ? fmax(parting_score(m), similar_least) : similar_least;
    out->similar_score = fmin(out->similar_score, out->near_score);
}

/* ---- the setting ---- */

static uint64_t identity_of(const ir_database *database)
{
    return ir_hash64(database->identity, strlen(database->identity), database->metric);
}

static void to_values(const imgret_calibration *from, double out[VALUES])
{
    const double values[VALUES] = {from->same_score,          from->near_score,
                                   from->similar_score,       from->random_median,
                                   from->random_high,         from->nearest_median,
                                   (double)from->image_count, (double)from->pair_count,
                                   (double)from->copy_count,  (double)from->hash_pair_count};
    memcpy(out, values, sizeof values);
}

static int32_t store(const measuring *m, imgret_error *error)
{
    char text[TEXT_BYTES];
    double values[VALUES];
    size_t at = (size_t)snprintf(text, sizeof text, "1 %016" PRIx64, identity_of(m->database));
    to_values(m->out, values);
    for (int i = 0; i < VALUES; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        at += (size_t)snprintf(text + at, sizeof text - at, " %016" PRIx64, bits);
    }
    int32_t status = ir_database_begin(m->database, error);
    if (status)
        return status;
    status = ir_catalog_set_setting(m->database->catalog, SETTING, text, error);
    if (status) {
        ir_database_rollback(m->database);
        return status;
    }
    return ir_database_commit(m->database, NULL, 0, error);
}

/* 16 hexadecimal digits after a blank, at *text, which is moved past them. */
static bool read_bits(const char **text, uint64_t *out)
{
    *out = 0;
    if (*(*text)++ != ' ')
        return false;
    for (int i = 0; i < 16; i++) {
        char c = *(*text)++;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    return true;
}

/* false: this is not what store writes. */
static bool read_text(const char *text, uint64_t *identity, imgret_calibration *out)
{
    double values[VALUES];
    if (*text++ != '1' || !read_bits(&text, identity))
        return false;
    for (int i = 0; i < VALUES; i++) {
        uint64_t bits;
        if (!read_bits(&text, &bits))
            return false;
        memcpy(&values[i], &bits, sizeof bits);
        if (!isfinite(values[i]) || (i >= 6 && !(values[i] >= 0 && values[i] <= 4294967295.0)))
            return false;
    }
    out->same_score = values[0];
    out->near_score = values[1];
    out->similar_score = values[2];
    out->random_median = values[3];
    out->random_high = values[4];
    out->nearest_median = values[5];
    out->image_count = (uint64_t)values[6];
    out->pair_count = (uint64_t)values[7];
    out->copy_count = (uint32_t)values[8];
    out->hash_pair_count = (uint32_t)values[9];
    return *text == '\0';
}

int32_t ir_likeness_find(ir_database *database, imgret_calibration *out, bool *there,
                         imgret_error *error)
{
    char *text;
    uint64_t identity;
    *there = false;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING, &text, error);
    if (status || !text)
        return status;
    if (!read_text(text, &identity, out))
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"" SETTING "\" is \"%.40s\"",
                         database->path, text);
    else
        *there = identity == identity_of(database);
    ir_free(text);
    return status;
}

int32_t ir_likeness_read(ir_database *database, imgret_calibration *out, imgret_error *error)
{
    bool there;
    int32_t status = ir_likeness_find(database, out, &there, error);
    if (!status && !there)
        status = ir_fail(error, IMGRET_NOT_FOUND,
                         "%s is not calibrated for its model: imgret_calibrate, or 'imgret "
                         "calibrate', tells what its scores mean",
                         database->path);
    return status;
}

double ir_likeness_score(const imgret_calibration *calibration, uint32_t level)
{
    return level == IMGRET_LIKENESS_SAME   ? calibration->same_score
           : level == IMGRET_LIKENESS_NEAR ? calibration->near_score
                                           : calibration->similar_score;
}

int32_t ir_likeness_calibrate(ir_database *database, const imgret_calibrate_options *options,
                              imgret_calibration *out, ir_call *call, imgret_error *error)
{
    measuring m = {.database = database, .options = options, .out = out, .call = call};
    int32_t status = draw_pictures(&m, error);
    if (!status)
        status = compare_random(&m, error);
    if (!status)
        status = find_nearest(&m, error);
    if (!status)
        status = make_copies(&m, error);
    if (!status) {
        conclude(&m);
        status = store(&m, error);
    }
    for (uint32_t i = 0; m.pictures && i < m.count; i++)
        ir_free(m.pictures[i].path);
    ir_free(m.pictures);
    ir_free(m.vectors);
    ir_free(m.random.values);
    ir_free(m.nearest.values);
    ir_free(m.same.values);
    ir_free(m.near.values);
    ir_free(m.hashed.values);
    return status;
}
