/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_attention.h"

#include <math.h>
#include <stdlib.h>

static uint32_t start(uint32_t i, uint32_t n, uint32_t window)
{
    if (i < window / 2)
        return 0;
    return i - window / 2 < n - window ? i - window / 2 : n - window;
}

/* One query (y, x) of one head; q, k, v, out: the head's first planes, d of them. */
static void one_query(float *out, const float *q, const float *k, const float *v, const float *rpb, uint32_t d, uint32_t h, uint32_t w,
                      uint32_t window, uint32_t y, uint32_t x, double *p)
{
    uint32_t ky = start(y, h, window), kx = start(x, w, window), n = h * w;
    double top = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < window * window; i++) {
        uint32_t row = ky + i / window, column = kx + i % window;
        p[i] = rpb[(row - y + window - 1) * (2 * window - 1) + column - x + window - 1];
        for (uint32_t c = 0; c < d; c++)
            p[i] += (double)q[c * n + y * w + x] * k[c * n + row * w + column];
        top = fmax(top, p[i]);
    }
    for (uint32_t i = 0; i < window * window; i++)
        sum += p[i] = exp(p[i] - top);
    for (uint32_t c = 0; c < d; c++) {
        double r = 0;
        for (uint32_t i = 0; i < window * window; i++)
            r += p[i] * v[c * n + (ky + i / window) * w + kx + i % window];
        out[c * n + y * w + x] = (float)(r / sum);
    }
}

void ref_natten(float *out, const float *qkv, const float *rpb, uint32_t c, uint32_t h, uint32_t w, uint32_t heads, uint32_t window)
{
    uint32_t d = c / heads, n = h * w, side = 2 * window - 1;
    double *p = malloc(sizeof(*p) * window * window);
    for (uint32_t head = 0; p && head < heads; head++)
        for (uint32_t i = 0; i < n; i++)
            one_query(out + head * d * n, qkv + head * d * n, qkv + (c + head * d) * n, qkv + (2 * c + head * d) * n,
                      rpb + head * side * side, d, h, w, window, i / w, i % w, p);
    free(p);
}
