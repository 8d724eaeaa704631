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
    SAMPLE = 256,
    EFFORT_MAX = 1024,
    TRUTH_EFFORTS = 2, /* times the greatest effort that is tried */
};

static const uint32_t ladder[IR_CURVE_POINTS_MAX] = {12,  16,  24,  32,  48,  64,  96,
                                                     128, 192, 256, 384, 512, 768, 1024};

/* Beyond it, more effort is not worth measuring. */
static const double enough = 0.9995;

typedef struct trial {
    ir_segment *segment;
    ir_pool *pool;
    uint32_t count;
    float *vectors;
    ir_search *searches;
    ir_search_result *truth;
    ir_search_result *found;
    ir_neighbor *neighbors; /* of both, k each */
} trial;

static void free_trial(trial *t)
{
    ir_free(t->vectors);
    ir_free(t->searches);
    ir_free(t->truth);
    ir_free(t->found);
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
        float *vector = t->vectors + (size_t)i * n;
        status = ir_segment_read_slot(t->segment, slot, stored, error);
        if (!status)
            ir_space_load(&t->segment->space, stored, vector);
        t->searches[i] = (ir_search){.vector = vector, .hidden_slot = slot + 1};
    }
    ir_free(stored);
    return status;
}

static int32_t make_trial(trial *t, uint32_t k, imgret_error *error)
{
    uint64_t all = t->segment->header.vector_count;
    t->count = (uint32_t)(all < SAMPLE ? all : SAMPLE);
    t->vectors = ir_malloc_array((size_t)t->count * t->segment->header.dimension, sizeof(float));
    t->searches = ir_calloc(t->count, sizeof *t->searches);
    t->truth = ir_calloc(t->count, sizeof *t->truth);
    t->found = ir_calloc(t->count, sizeof *t->found);
    t->neighbors = ir_malloc_array(2ull * k * t->count, sizeof *t->neighbors);
    if (!t->vectors || !t->searches || !t->truth || !t->found || !t->neighbors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to measure recall");
    for (uint32_t i = 0; i < t->count; i++) {
        t->truth[i].neighbors = t->neighbors + (size_t)k * 2 * i;
        t->found[i].neighbors = t->truth[i].neighbors + k;
    }
    return read_queries(t, error);
}

static int32_t run(trial *t, const ir_effort_curve *curve, uint32_t effort, bool truth,
                   const ir_calibration *how, imgret_error *error)
{
    for (uint32_t i = 0; i < t->count; i++) {
        ir_search *search = &t->searches[i];
        search->k = curve->k;
        search->effort = effort;
        search->flags = IR_SEARCH_ESTIMATED;
        if (curve->code_bits == 1 && !truth)
            search->flags |= IR_SEARCH_SIGNS_ONLY;
        search->stop = how->stop;
        search->stop_context = how->context;
    }
    return ir_segment_search_batch(t->segment, t->searches, t->count, truth ? t->truth : t->found,
                                   how->pool, NULL, error);
}

static double recall_of(const trial *t)
{
    uint64_t right = 0, all = 0;
    for (uint32_t q = 0; q < t->count; q++) {
        all += t->truth[q].count;
        for (uint32_t i = 0; i < t->found[q].count; i++)
            for (uint32_t j = 0; j < t->truth[q].count; j++)
                right += t->found[q].neighbors[i].id == t->truth[q].neighbors[j].id;
    }
    return all ? (double)right / (double)all : 1;
}

/* One curve of several takes an equal share, and in it what counts as the truth half: it is the widest
 * search by far. */
static int32_t tell(const ir_calibration *how, uint32_t curve, double done_of_curve,
                    imgret_error *error)
{
    double done = (curve + done_of_curve) / IR_CURVES_MAX;
    if (how->report && how->report(how->context, done))
        return ir_fail(error, IMGRET_INTERRUPTED, "measuring recall was stopped");
    return IMGRET_OK;
}

/* Fills the curve's points up to where more effort changes little. */
static int32_t measure(trial *t, uint32_t index, ir_effort_curve *curve, const ir_calibration *how,
                       imgret_error *error)
{
    int32_t status = tell(how, index, 0, error);
    if (!status)
        status = run(t, curve, TRUTH_EFFORTS * EFFORT_MAX, true, how, error);
    double recall = 0;
    for (uint32_t i = 0; i < IR_CURVE_POINTS_MAX && !status && recall < enough; i++) {
        if (ladder[i] <= curve->k)
            continue;
        status = tell(how, index, 0.5 + 0.5 * i / IR_CURVE_POINTS_MAX, error);
        if (!status)
            status = run(t, curve, ladder[i], false, how, error);
        if (status)
            break;
        recall = recall_of(t);
        curve->points[curve->count++] = (ir_effort_point){ladder[i], (float)recall};
    }
    return status;
}

int32_t ir_segment_calibrate(ir_segment *segment, const ir_calibration *how, ir_effort_curves *out,
                             imgret_error *error)
{
    /* k and code bits of each curve. */
    const uint32_t kinds[IR_CURVES_MAX][2] = {
        {10, segment->shape.bits}, {100, segment->shape.bits}, {10, 1}};
    *out = (ir_effort_curves){0};
    if (segment->header.vector_count < 2)
        return IMGRET_OK;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < IR_CURVES_MAX && !status; i++) {
        if (i == IR_CURVES_MAX - 1 && segment->shape.bits == 1)
            break; /* the same as the first */
        trial t = {.segment = segment, .pool = how->pool};
        ir_effort_curve *curve = &out->curves[i];
        curve->k = kinds[i][0];
        curve->code_bits = kinds[i][1];
        status = make_trial(&t, curve->k, error);
        if (!status)
            status = measure(&t, i, curve, how, error);
        free_trial(&t);
        out->count = i + 1;
    }
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
