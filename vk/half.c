/* SPDX-License-Identifier: Apache-2.0 */
#include "half.h"

#include <string.h>

uint16_t half_from_float(float f)
{
    uint32_t x;
    memcpy(&x, &f, 4);
    uint32_t sign = x >> 16 & 0x8000, a = x & 0x7fffffff;
    if (a >= 0x7f800000)
        return (uint16_t)(sign | 0x7c00 | (a > 0x7f800000 ? 0x200 : 0));
    if (a >= 0x477ff000) /* 65520 and more */
        return (uint16_t)(sign | 0x7c00);
    if (a <= 0x33000000) /* half of the smallest subnormal, a tie to even: zero */
        return (uint16_t)sign;
    uint32_t mantissa = (a & 0x7fffff) | 0x800000, exponent = a >> 23, shift = 13;
    if (exponent < 113) /* subnormal half */
        shift += 113 - exponent;
    else
        mantissa += (exponent - 113) << 23;
    uint32_t half = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
    half += rest > tie || (rest == tie && half & 1);
    return (uint16_t)(sign | half);
}

float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    uint32_t bits = sign | (exponent + 112) << 23 | mantissa << 13;
    float f;
    if (exponent == 31)
        bits = sign | 0x7f800000 | mantissa << 13;
    if (exponent == 0) {
        f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    memcpy(&f, &bits, sizeof(f));
    return f;
}
