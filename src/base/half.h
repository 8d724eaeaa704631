/* half.h: IEEE 754 half precision, one value at a time; arrays go through the kernels. */
#ifndef IR_BASE_HALF_H
#define IR_BASE_HALF_H

#include <stdint.h>
#include <string.h>

#define IR_HALF_MAX 65504.0f

static inline float ir_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = half & 0x7FFFu;
    float value;
    if (magnitude < 0x0400u) { /* zero or subnormal: exact in float arithmetic */
        value = (float)magnitude * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = magnitude >= 0x7C00u ? (magnitude << 13) + 0x70000000u
                                         : (magnitude << 13) + 0x38000000u;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Rounds to nearest, ties to even; beyond IR_HALF_MAX becomes infinity, NaN stays a quiet NaN. */
static inline uint16_t ir_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
    if (magnitude >= 0x477FF000u) /* rounds to 65,520 or more */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) { /* subnormal: let the float adder round at 2^-24 */
        float scaled, half_ulp = 0.5f;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled += half_ulp;
        memcpy(&bits, &scaled, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3F000000u));
    }
    uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xFFFu + odd) >> 13));
}

#endif
