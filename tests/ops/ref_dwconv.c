/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_dwconv.h"

#include <stddef.h>

static double sum_at(const float *plane, uint32_t h, uint32_t w, uint32_t kernel, const float *weight, uint32_t oy, uint32_t ox)
{
    double sum = 0;
    for (uint32_t ky = 0; ky < kernel; ky++)
        for (uint32_t kx = 0; kx < kernel; kx++) {
            int64_t y = (int64_t)oy + ky - kernel / 2, x = (int64_t)ox + kx - kernel / 2;
            if (y >= 0 && y < h && x >= 0 && x < w)
                sum += (double)plane[(size_t)y * w + (size_t)x] * weight[ky * kernel + kx];
        }
    return sum;
}

void ref_dwconv(const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t kernel, const float *weight, const float *bias, float *y)
{
    for (uint32_t i = 0; i < c; i++)
        for (uint32_t oy = 0; oy < h; oy++)
            for (uint32_t ox = 0; ox < w; ox++)
                y[((size_t)i * h + oy) * w + ox] =
                    (float)(sum_at(x + (size_t)i * h * w, h, w, kernel, weight + (size_t)i * kernel * kernel, oy, ox) + bias[i]);
}
