/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_attention.h"

#include <math.h>
#include <stdlib.h>

/* Keys' cubic convolution kernel, A = -0.75. */
static double cubic(double t)
{
    const double a = -0.75;
    t = fabs(t);
    if (t <= 1)
        return (a + 2) * t * t * t - (a + 3) * t * t + 1;
    if (t < 2)
        return a * (t * t * t - 5 * t * t + 8 * t - 4);
    return 0;
}

static uint32_t clamp(double i, uint32_t n)
{
    return i < 0 ? 0 : i > n - 1 ? n - 1 : (uint32_t)i;
}

double ref_bicubic(const float *table, uint32_t from, uint32_t to, uint32_t y, uint32_t x)
{
    double sy = (y + 0.5) * from / to - 0.5, sx = (x + 0.5) * from / to - 0.5, sum = 0, weight[4];
    for (int i = 0; i < 4; i++)
        weight[i] = cubic(sx - (floor(sx) - 1 + i));
    for (int j = 0; j < 4; j++) {
        double row = 0, at = floor(sy) - 1 + j;
        for (int i = 0; i < 4; i++)
            row += weight[i] * table[clamp(at, from) * from + clamp(floor(sx) - 1 + i, from)];
        sum += cubic(sy - at) * row;
    }
    return sum;
}

/* Query i of one head; q, k, v, out: the head's first planes, d of them. */
static void one_query(float *out, const float *q, const float *k, const float *v, const float *bias, uint32_t d, uint32_t n, uint32_t side2,
                      uint32_t i, double *p)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t j = 0; j < n; j++) {
        p[j] = n == side2 ? (double)bias[i * n + j] : ref_bicubic(bias, side2, n, i, j);
        for (uint32_t c = 0; c < d; c++)
            p[j] += (double)q[c * n + i] * k[c * n + j];
        top = fmax(top, p[j]);
    }
    for (uint32_t j = 0; j < n; j++)
        sum += p[j] = exp(p[j] - top);
    for (uint32_t c = 0; c < d; c++) {
        double r = 0;
        for (uint32_t j = 0; j < n; j++)
            r += p[j] * v[c * n + j];
        out[c * n + i] = (float)(r / sum);
    }
}

void ref_attention(float *out, const float *qkv, const float *v, const float *bias, uint32_t c, uint32_t h, uint32_t w, uint32_t heads,
                   uint32_t side)
{
    uint32_t d = c / heads, n = h * w, side2 = side * side;
    double *p = malloc(sizeof(*p) * n);
    for (uint32_t head = 0; p && head < heads; head++)
        for (uint32_t i = 0; i < n; i++)
            one_query(out + head * d * n, qkv + head * d * n, qkv + (c + head * d) * n, v + head * d * n,
                      bias + (size_t)head * side2 * side2, d, n, side2, i, p);
    free(p);
}
