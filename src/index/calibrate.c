/* calibrate.c: how much of the truth a segment's searches find, by effort: measured, then applied.
 *
 * Vectors of the segment are the queries, each hidden from its own walk, so that the graph leads to
 * its neighbours without leading through it. What a much wider search finds counts as the truth.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "index/segment_state.h"

#include <math.h>
#include <string.h>

enum {
    SAMPLE = 256,      /* queries for the ten nearest; for more neighbours each tells more */
    SAMPLE_WIDE = 128, /* for the hundred nearest */
    SAMPLE_SHARE = 8,  /* of a small segment no more than an eighth: there little is missed, and */
    SAMPLE_LEAST = 32, /* measuring would take longer than building */
    TRUTH_LEAST = 512,
    TRUTH_MOST = 2048,
    STEADY = 2
};

static const uint32_t ladder[IR_CURVE_POINTS_MAX] = {12,  16,  24,  32,  48,  64,  96,
                                                     128, 192, 256, 384, 512, 768, 1024};

/* Beyond it, more effort is not worth measuring. */
static const double enough = 0.9995;

/* A search counts as the truth when one of a quarter of its effort finds this much of it: four
 * times the effort leaves a fifth to a tenth of what is missed. */
static const double trusted = 0.995;

/* Queries and what is to be found. */
typedef struct trial {
    ir_segment *segment;
    const ir_calibration *how;
    uint32_t k, count;
    uint32_t truth_effort;
    float *vectors;
    uint32_t *slots;        /* of the queries */
    int64_t *truth;         /* ids, k of each query */
    uint32_t *truth_counts; /* 0 to k */
    uint32_t *hits;         /* of each query: by the last search that asked it */
    uint8_t *steady;        /* so many searches in a row have found all of it */
    ir_search *searches;
    uint32_t *asked; /* the query of each search */
    ir_search_result *results;
    ir_neighbor *neighbors; /* k of each */
} trial;

static void free_trial(trial *t)
{
    ir_free(t->vectors);
    ir_free(t->slots);
    ir_free(t->truth);
    ir_free(t->truth_counts);
    ir_free(t->hits);
    ir_free(t->steady);
    ir_free(t->searches);
    ir_free(t->asked);
    ir_free(t->results);
    ir_free(t->neighbors);
}

static int32_t read_queries(trial *t, imgret_error *error)
{
    const ir_segment_header *header = &t->segment->header;
    uint32_t n = header->dimension;
    void *stored = ir_malloc(ir_space_stored_bytes(&t->segment->space));
    if (!stored)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a vector");
    int32_t status = IMGRET_OK;
    uint64_t seed = header->rotation_seed;
    for (uint32_t i = 0; i < t->count && !status; i++) {
        /* One of each stretch of slots: no slot is drawn twice. */
        uint64_t first = header->vector_count * i / t->count;
        uint64_t end = header->vector_count * (i + 1) / t->count;
        uint32_t slot = (uint32_t)(first + ir_random_next(&seed) % (end - first));
        status = ir_segment_read_slot(t->segment, slot, stored, error);
        if (!status)
            ir_space_load(&t->segment->space, stored, t->vectors + (size_t)i * n);
        t->slots[i] = slot;
    }
    ir_free(stored);
    return status;
}

static int32_t make_trial(trial *t, ir_segment *segment, uint32_t k, uint32_t sample,
                          const ir_calibration *how, imgret_error *error)
{
    uint64_t all = segment->header.vector_count;
    *t = (trial){.segment = segment, .how = how, .k = k};
    uint64_t fair = all / SAMPLE_SHARE > SAMPLE_LEAST ? all / SAMPLE_SHARE : SAMPLE_LEAST;
    fair = all < fair ? all : fair;
    t->count = (uint32_t)(fair < sample ? fair : sample);
    t->vectors = ir_malloc_array((size_t)t->count * segment->header.dimension, sizeof(float));
    t->slots = ir_malloc_array(t->count, sizeof t->slots[0]);
    t->truth = ir_malloc_array((size_t)k * t->count, sizeof t->truth[0]);
    t->truth_counts = ir_malloc_array(t->count, sizeof t->truth_counts[0]);
    t->hits = ir_malloc_array(t->count, sizeof t->hits[0]);
    t->steady = ir_malloc(t->count);
    t->searches = ir_malloc_array(t->count, sizeof t->searches[0]);
    t->asked = ir_malloc_array(t->count, sizeof t->asked[0]);
    t->results = ir_malloc_array(t->count, sizeof t->results[0]);
    t->neighbors = ir_malloc_array((size_t)k * t->count, sizeof t->neighbors[0]);
    if (!t->vectors || !t->slots || !t->truth || !t->truth_counts || !t->hits || !t->steady ||
        !t->searches || !t->asked || !t->results || !t->neighbors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to measure recall");
    return read_queries(t, error);
}

/* Asks the queries that are not steady; *asked becomes how many those are. */
static int32_t ask(trial *t, uint32_t effort, bool signs, uint32_t *asked, imgret_error *error)
{
    uint32_t count = 0, n = t->segment->header.dimension;
    for (uint32_t q = 0; q < t->count; q++) {
        if (t->steady[q] >= STEADY)
            continue;
        t->searches[count] = (ir_search){
            .vector = t->vectors + (size_t)q * n,
            .k = t->k,
            .effort = effort,
            .flags = IR_SEARCH_ESTIMATED | (signs ? IR_SEARCH_SIGNS_ONLY : 0),
            .stop = t->how->stop,
            .stop_context = t->how->context,
            .hidden_slot = t->slots[q] + 1,
        };
        t->results[count] = (ir_search_result){.neighbors = t->neighbors + (size_t)count * t->k};
        t->asked[count++] = q;
    }
    *asked = count;
    return ir_segment_search_batch(t->segment, t->searches, count, t->results, t->how->pool, NULL,
                                   error);
}

/* What counts as the truth from now on; nothing is steady. */
static int32_t find_truth(trial *t, uint32_t effort, imgret_error *error)
{
    uint32_t asked;
    memset(t->steady, 0, t->count);
    int32_t status = ask(t, effort, false, &asked, error);
    for (uint32_t q = 0; !status && q < t->count; q++) {
        t->truth_counts[q] = t->results[q].count;
        for (uint32_t i = 0; i < t->results[q].count; i++)
            t->truth[(size_t)q * t->k + i] = t->results[q].neighbors[i].id;
    }
    t->truth_effort = effort;
    return status;
}

static uint32_t hits_of(const trial *t, uint32_t q, const ir_search_result *found)
{
    uint32_t hits = 0;
    const int64_t *truth = t->truth + (size_t)q * t->k;
    for (uint32_t i = 0; i < found->count; i++)
        for (uint32_t j = 0; j < t->truth_counts[q]; j++)
            hits += found->neighbors[i].id == truth[j];
    return hits;
}

/* The recall at one effort. Queries of which smaller efforts have found all are not asked again: most
 * are soon, and the great efforts go to the others. */
static int32_t measure_at(trial *t, uint32_t effort, bool signs, double *recall,
                          imgret_error *error)
{
    uint32_t asked;
    int32_t status = ask(t, effort, signs, &asked, error);
    if (status)
        return status;
    for (uint32_t i = 0; i < asked; i++) {
        uint32_t q = t->asked[i];
        t->hits[q] = hits_of(t, q, &t->results[i]);
        t->steady[q] = t->hits[q] == t->truth_counts[q] ? t->steady[q] + 1 : 0;
    }
    uint64_t right = 0, all = 0;
    for (uint32_t q = 0; q < t->count; q++) {
        right += t->hits[q];
        all += t->truth_counts[q];
    }
    *recall = all ? (double)right / (double)all : 1;
    return IMGRET_OK;
}

static int32_t tell(const trial *t, double done, imgret_error *error)
{
    if (t->how->report && t->how->report(t->how->context, done))
        return ir_fail(error, IMGRET_INTERRUPTED, "measuring recall was stopped");
    return IMGRET_OK;
}

/* Fills the curve's points up to where more effort changes little or comes near that of the truth.
 * *doubtful (may be NULL) becomes whether the truth is not to be trusted; then it ends there. */
static int32_t climb(trial *t, ir_effort_curve *curve, double done, bool *doubtful,
                     imgret_error *error)
{
    int32_t status = IMGRET_OK;
    double recall = 0;
    bool signs = curve->code_bits == 1 && t->segment->shape.bits > 1;
    curve->count = 0;
    memset(t->steady, 0, t->count);
    for (uint32_t i = 0; i < IR_CURVE_POINTS_MAX && recall < enough; i++) {
        if (ladder[i] <= curve->k)
            continue;
        if (ladder[i] > t->truth_effort / 4 * 3)
            break;
        if (doubtful && ladder[i] > t->truth_effort / 4 && recall < trusted) {
            *doubtful = true;
            break;
        }
        status = tell(t, done, error);
        if (!status)
            status = measure_at(t, ladder[i], signs, &recall, error);
        if (status)
            break;
        curve->points[curve->count++] = (ir_effort_point){ladder[i], (float)recall};
    }
    return status;
}

/* One curve by what is found with all bits, and the truth on the way: no wider than it need be. */
static int32_t measure(trial *t, ir_effort_curve *curve, double done, imgret_error *error)
{
    uint32_t least = t->k > 10 ? 2 * TRUTH_LEAST : TRUTH_LEAST;
    for (uint32_t effort = least;; effort = TRUTH_MOST) {
        bool doubtful = false;
        int32_t status = tell(t, done, error);
        if (!status)
            status = find_truth(t, effort, error);
        if (!status)
            status = climb(t, curve, done, effort < TRUTH_MOST ? &doubtful : NULL, error);
        if (status || !doubtful)
            return status;
    }
}

int32_t ir_segment_calibrate(ir_segment *segment, const ir_calibration *how, ir_effort_curves *out,
                             imgret_error *error)
{
    *out = (ir_effort_curves){0};
    if (segment->header.vector_count < 2)
        return IMGRET_OK;
    ir_effort_curve *ten = &out->curves[0], *hundred = &out->curves[1], *signs = &out->curves[2];
    *ten = (ir_effort_curve){.k = 10, .code_bits = segment->shape.bits};
    *hundred = (ir_effort_curve){.k = 100, .code_bits = segment->shape.bits};
    trial t;
    int32_t status = make_trial(&t, segment, 10, SAMPLE, how, error);
    if (!status)
        status = measure(&t, ten, 0, error);
    out->count = 2;
    if (!status && segment->shape.bits > 1) { /* else the same as the first */
        *signs = (ir_effort_curve){.k = 10, .code_bits = 1};
        status = climb(&t, signs, 0.5, NULL, error);
        out->count = 3;
    }
    free_trial(&t);
    if (status)
        return status;
    status = make_trial(&t, segment, 100, SAMPLE_WIDE, how, error);
    if (!status)
        status = measure(&t, hundred, 0.7, error);
    free_trial(&t);
    return status;
}

/* ---- Confirming ------------------------------------------------------------------------------- */

/* The first point that finds most, and so tells most about what is missed. */
static const ir_effort_point *point_to_check(const ir_effort_curve *curve)
{
    uint32_t i = 0;
    while (i + 1 < curve->count && (double)curve->points[i].recall < 0.98)
        i++;
    return &curve->points[i];
}

/* Asks again at one effort of the curve. It holds while no more is missed than was by more than two
 * measurements differ anyway: a query's misses come together, some three at a time. */
static int32_t check_curve(trial *t, const ir_effort_curve *curve, bool *holds, imgret_error *error)
{
    const ir_effort_point *point = point_to_check(curve);
    double recall = 0, missed = 1 - (double)point->recall;
    memset(t->steady, 0, t->count);
    int32_t status = measure_at(
        t, point->effort, curve->code_bits == 1 && t->segment->shape.bits > 1, &recall, error);
    double noise = sqrt(3 * fmax(missed, 0.002) * 2 / (10.0 * t->count));
    *holds = *holds && 1 - recall <= missed + noise;
    return status;
}

static int32_t check_curves(ir_segment *segment, const ir_calibration *how, uint32_t k,
                            uint32_t sample, const ir_effort_curves *curves, bool *holds,
                            imgret_error *error)
{
    trial t;
    uint32_t effort = 0;
    for (uint32_t i = 0; i < curves->count; i++)
        if (curves->curves[i].k == k && point_to_check(&curves->curves[i])->effort > effort)
            effort = point_to_check(&curves->curves[i])->effort;
    effort = 4 * effort > TRUTH_LEAST / 4 ? 4 * effort : TRUTH_LEAST / 4;
    int32_t status = make_trial(&t, segment, k, sample, how, error);
    if (!status)
        status = find_truth(&t, effort < TRUTH_MOST ? effort : TRUTH_MOST, error);
    for (uint32_t i = 0; !status && *holds && i < curves->count; i++)
        if (curves->curves[i].k == k)
            status = check_curve(&t, &curves->curves[i], holds, error);
    free_trial(&t);
    return status;
}

int32_t ir_segment_confirm(ir_segment *segment, const ir_effort_curves *curves,
                           const ir_calibration *how, bool *holds, imgret_error *error)
{
    uint32_t bits = segment->shape.bits;
    *holds = curves->count == (bits > 1 ? 3 : 2) && segment->header.vector_count > SAMPLE;
    for (uint32_t i = 0; i < curves->count && *holds; i++)
        *holds = curves->curves[i].count > 0 &&
                 (curves->curves[i].code_bits == bits || curves->curves[i].code_bits == 1);
    int32_t status = IMGRET_OK;
    if (*holds)
        status = check_curves(segment, how, 10, SAMPLE, curves, holds, error);
    if (!status && *holds)
        status = check_curves(segment, how, 100, SAMPLE_WIDE / 4, curves, holds, error);
    return status;
}

/* ---- Choosing --------------------------------------------------------------------------------- */

/* The effort that gives the recall, between measured points by the logarithm of the share missed. */
static double effort_on(const ir_effort_curve *curve, double recall)
{
    const ir_effort_point *points = curve->points;
    for (uint32_t i = 0; i < curve->count; i++) {
        if ((double)points[i].recall < recall)
            continue;
        if (i == 0)
            return points[0].effort;
        double before = log(1 - (double)points[i - 1].recall);
        double here = log(fmax(1 - (double)points[i].recall, 1e-5));
        double share = (log(1 - recall) - before) / (here - before);
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        double low = points[i - 1].effort, high = points[i].effort;
        return low + (high - low) * share;
    }
    return points[curve->count - 1].effort;
}

static const ir_effort_curve *curve_of(const ir_effort_curves *curves, uint32_t k, bool signs)
{
    const ir_effort_curve *best = NULL;
    for (uint32_t i = 0; i < curves->count; i++) {
        const ir_effort_curve *curve = &curves->curves[i];
        if (curve->count > 0 && curve->k == k && (curve->code_bits == 1) == signs)
            best = curve;
    }
    return best;
}

/* A quarter fewer misses than allowed: the sample is small. */
static double aim_at(double recall)
{
    return recall + (1 - recall) / 4;
}

/* What the effort for `recall` grows by when fewer bits are in RAM than were when it was measured,
 * to find `wanted`: by equal factors for each bit. */
static double factor_of_bits(const ir_effort_curves *curves, double recall, double wanted,
                             uint32_t bits)
{
    const ir_effort_curve *full = curve_of(curves, 10, false), *signs = curve_of(curves, 10, true);
    if (!full || !signs || bits >= full->code_bits || full->code_bits < 2)
        return 1;
    double all = effort_on(signs, wanted) / effort_on(full, recall);
    double missing = (double)(full->code_bits - bits) / (double)(full->code_bits - 1);
    return all > 1 ? pow(all, missing) : 1;
}

/* The recall measured for an effort, between points by the logarithm of the share missed. */
static double recall_on(const ir_effort_curve *curve, double effort)
{
    const ir_effort_point *points = curve->points;
    if (effort <= points[0].effort)
        return (double)points[0].recall;
    for (uint32_t i = 1; i < curve->count; i++) {
        if (effort > points[i].effort)
            continue;
        double low = points[i - 1].effort, high = points[i].effort;
        double before = log(fmax(1 - (double)points[i - 1].recall, 1e-5));
        double here = log(fmax(1 - (double)points[i].recall, 1e-5));
        return 1 - exp(before + (here - before) * (effort - low) / (high - low));
    }
    return (double)points[curve->count - 1].recall;
}

uint32_t ir_effort_with_bits(const ir_effort_curves *curves, uint32_t code_bits, uint32_t k,
                             uint32_t effort)
{
    const ir_effort_curve *ten = curve_of(curves, 10, false),
                          *hundred = curve_of(curves, 100, false);
    if (!ten || code_bits >= ten->code_bits)
        return effort;
    double recall;
    if (k > 10 && hundred)
        recall = recall_on(hundred, effort * 100.0 / k);
    else
        recall = recall_on(ten, k > 10 ? effort * 10.0 / k : effort);
    double grown = effort * factor_of_bits(curves, recall, aim_at(recall), code_bits);
    return grown < 1e6 ? (uint32_t)ceil(grown) : 1000000;
}

uint32_t ir_effort_for(const ir_effort_curves *curves, uint32_t code_bits, uint32_t k, float target,
                       float *expected)
{
    *expected = 0;
    const ir_effort_curve *ten = curve_of(curves, 10, false);
    if (!ten)
        ten = curve_of(curves, 10, true); /* the segment has no more bits */
    const ir_effort_curve *hundred = curve_of(curves, 100, ten && ten->code_bits == 1);
    if (!ten)
        return 0;
    double recall = aim_at((double)target);
    double effort = effort_on(ten, recall);
    double reached = ten->points[ten->count - 1].recall;
    if (k > 10 && hundred) {
        double wide = effort_on(hundred, recall);
        effort = k <= 100 ? effort + (wide - effort) * (k - 10) / 90.0 : wide * k / 100.0;
        reached = fmin(reached, (double)hundred->points[hundred->count - 1].recall);
    } else if (k > 10) {
        effort *= k / 10.0;
    }
    effort *= factor_of_bits(curves, recall, recall, code_bits);
    *expected = (float)fmin(recall, reached);
    return effort < 1e6 ? (uint32_t)ceil(effort) : 1000000;
}
