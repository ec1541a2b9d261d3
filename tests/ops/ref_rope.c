/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_attention.h"

#include <math.h>

float ref_rope_angle(uint32_t j, uint32_t pairs)
{
    float step = 1.0f / (float)(pairs - 1);
    float at = j < pairs / 2 ? step * (float)j : 1.0f - step * (float)(pairs - 1 - j); /* torch.linspace(0, 1, pairs)[j] */
    return pairs == 1 ? 1.0f : 1.0f / powf(10000.0f, at);
}

/* Turn of channel i of a head at (y, x); the angles and their products with positions are float32 by definition. */
static double turn_at(uint32_t i, uint32_t d, uint32_t y, uint32_t x)
{
    float angle = ref_rope_angle(i % (d / 2) / 2, d / 4);
    return (double)((float)(i < d / 2 ? y : x) * angle);
}

void ref_rope(float *out, const float *qkv, uint32_t c, uint32_t h, uint32_t w, uint32_t heads)
{
    uint32_t d = c / heads, n = h * w;
    for (uint32_t ch = 0; ch < 3 * c; ch++)
        for (uint32_t i = 0; i < n; i++) {
            if (ch >= 2 * c) {
                out[ch * n + i] = qkv[ch * n + i];
                continue;
            }
            /* rotate(): the partner of an even channel is minus the next one, of an odd channel the one before. */
            double a = turn_at(ch % c % d, d, i / w, i % w);
            double partner = ch % 2 ? qkv[(ch - 1) * n + i] : -qkv[(ch + 1) * n + i];
            double r = qkv[ch * n + i] * cos(a) + partner * sin(a);
            out[ch * n + i] = (float)(ch < c ? r / sqrt(d) : r);
        }
}
