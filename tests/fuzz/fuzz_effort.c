/* fuzz_effort.c: fuzz target: any bytes as the measured efforts that a catalogue keeps.
 *
 * What makes sense of them chooses an effort within bounds, and expects a recall, for every question; the
 * rest is passed over. The segment asked for is the one whose identity is 1.
 */
#include "engine/effort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_curve(const ir_effort_curve *curve)
{
    if (curve->count < 1 || curve->count > IR_CURVE_POINTS_MAX || curve->k < 1 ||
        curve->code_bits < 1 || curve->code_bits > 8)
        abort();
    for (uint32_t i = 0; i < curve->count; i++)
        if (!(curve->points[i].recall >= 0 && curve->points[i].recall <= 1) ||
            curve->points[i].effort < 1 ||
            (i > 0 && curve->points[i].effort <= curve->points[i - 1].effort))
            abort();
}

static void ask(const ir_effort_curves *curves, uint32_t bits, uint32_t k)
{
    static const float targets[] = {0.5f, 0.9f, 0.99f, 0.9999f};
    static const uint32_t efforts[] = {1, 64, 100000, 1000000};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        float expected = NAN;
        uint32_t effort = ir_effort_for(curves, bits, k, targets[i], &expected);
        if (!(expected >= 0 && expected <= 1) || effort > 1000000 || (effort == 0 && expected != 0))
            abort();
        uint32_t grown = ir_effort_with_bits(curves, bits, k, efforts[i]);
        if (grown < efforts[i] || grown > 1000000)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    ir_effort_curves curves;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    ir_effort_find(text, 1, &curves);
    free(text);
    if (curves.count > IR_CURVES_MAX)
        abort();
    for (uint32_t i = 0; i < curves.count; i++)
        check_curve(&curves.curves[i]);
    for (uint32_t bits = 1; bits <= 8; bits++)
        for (uint32_t k = 1; k <= 1000; k *= 10)
            ask(&curves, bits, k);
    return 0;
}
