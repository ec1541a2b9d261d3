/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_conv.h"

#include <stddef.h>

static double sum_at(const struct ref_conv *s, const float *x, const float *weight, uint32_t oy, uint32_t ox)
{
    double sum = 0;
    for (uint32_t c = 0; c < s->c; c++)
        for (uint32_t ky = 0; ky < s->kernel; ky++)
            for (uint32_t kx = 0; kx < s->kernel; kx++) {
                int64_t y = (int64_t)oy * s->stride + ky - s->pad, xx = (int64_t)ox * s->stride + kx - s->pad;
                if (y >= 0 && y < s->h && xx >= 0 && xx < s->w)
                    sum += (double)x[((size_t)c * s->h + (size_t)y) * s->w + (size_t)xx] *
                           weight[((size_t)c * s->kernel + ky) * s->kernel + kx];
            }
    return sum;
}

void ref_conv(const struct ref_conv *s, const float *x, const float *weight, const float *bias, float *y)
{
    uint32_t oh = (s->h + 2 * s->pad - s->kernel) / s->stride + 1, ow = (s->w + 2 * s->pad - s->kernel) / s->stride + 1;
    for (uint32_t o = 0; o < s->out; o++)
        for (uint32_t oy = 0; oy < oh; oy++)
            for (uint32_t ox = 0; ox < ow; ox++) {
                double sum = sum_at(s, x, weight + (size_t)o * s->c * s->kernel * s->kernel, oy, ox);
                y[((size_t)o * oh + oy) * ow + ox] = (float)(sum + (bias ? bias[o] : 0));
            }
}

void ref_unshuffle(const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t r, float *y)
{
    uint32_t oh = h / r, ow = w / r;
    for (uint32_t i = 0; i < c; i++)
        for (uint32_t yy = 0; yy < oh * r; yy++)
            for (uint32_t xx = 0; xx < ow * r; xx++)
                y[(((size_t)i * r * r + yy % r * r + xx % r) * oh + yy / r) * ow + xx / r] = x[((size_t)i * h + yy) * w + xx];
}
