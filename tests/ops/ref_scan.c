/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_scan.h"

#include <math.h>
#include <stdlib.h>

/* Pixel at step i of direction k: rows, columns, both reversed. */
static uint32_t pixel_at(uint32_t k, uint32_t i, uint32_t h, uint32_t w)
{
    uint32_t step = k < 2 ? i : h * w - 1 - i;
    return k % 2 ? step % h * w + step / h : step;
}

static double softplus(double v)
{
    return v > 20 ? v : log1p(exp(v));
}

/* z (r + 2, n): the low rank of dt, B and C of direction k. */
static void project(double *z, const float *x, const float *weight, uint32_t c, uint32_t r, uint32_t n)
{
    for (uint32_t j = 0; j < r + 2; j++)
        for (uint32_t p = 0; p < n; p++) {
            double s = 0;
            for (uint32_t i = 0; i < c; i++)
                s += (double)weight[j * c + i] * (double)x[i * n + p];
            z[j * n + p] = s;
        }
}

/* Adds channel ch of direction k to sum (n). */
static void scan_channel(double *sum, const double *z, const float *x, const struct ref_scan_weights *weights, uint32_t k, uint32_t ch,
                         uint32_t c, uint32_t h, uint32_t w)
{
    uint32_t r = (c + 15) / 16, n = h * w;
    double a = -exp((double)weights->a_logs[k * c + ch]), state = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = pixel_at(k, i, h, w);
        double u = x[ch * n + p], dt = weights->dt_bias[k * c + ch];
        for (uint32_t j = 0; j < r; j++)
            dt += (double)weights->dt[(k * c + ch) * r + j] * z[j * n + p];
        dt = softplus(dt);
        state = exp(dt * a) * state + dt * z[r * n + p] * u;
        sum[p] += state * z[(r + 1) * n + p] + (double)weights->d[k * c + ch] * u;
    }
}

void ref_scan(float *out, const float *x, const struct ref_scan_weights *weights, uint32_t c, uint32_t h, uint32_t w)
{
    uint32_t r = (c + 15) / 16, n = h * w;
    double *z = calloc((size_t)(r + 2) * n, sizeof(*z)), *sum = calloc((size_t)c * n, sizeof(*sum));
    for (uint32_t k = 0; z && sum && k < 4; k++) {
        project(z, x, weights->x_proj + (size_t)k * (r + 2) * c, c, r, n);
        for (uint32_t ch = 0; ch < c; ch++)
            scan_channel(sum + (size_t)ch * n, z, x, weights, k, ch, c, h, w);
    }
    for (uint32_t i = 0; i < c * n; i++)
        out[i] = sum ? (float)sum[i] : NAN;
    free(z);
    free(sum);
}

void ref_pool(float *out, const float *x, uint32_t c, uint32_t h, uint32_t w)
{
    for (uint32_t ch = 0; ch < c; ch++) {
        double s = 0;
        for (uint32_t i = 0; i < h * w; i++)
            s += (double)x[ch * h * w + i];
        out[ch] = (float)(s / (h * w));
    }
}

/* The pair of source lines and the second one's weight for line i of `to`. */
static void source_lines(uint32_t i, uint32_t from, uint32_t to, uint32_t line[2], double *weight)
{
    double at = (i + 0.5) * from / to - 0.5;
    at = at < 0 ? 0 : at;
    line[0] = (uint32_t)at < from - 1 ? (uint32_t)at : from - 1;
    line[1] = line[0] + 1 < from ? line[0] + 1 : line[0];
    *weight = at - line[0];
}

void ref_resize(float *out, const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t to_h, uint32_t to_w)
{
    for (uint32_t i = 0; i < c * to_h * to_w; i++) {
        uint32_t r[2], q[2];
        double fy, fx;
        source_lines(i / to_w % to_h, h, to_h, r, &fy);
        source_lines(i % to_w, w, to_w, q, &fx);
        const float *map = x + (size_t)(i / to_w / to_h) * h * w;
        double upper = (1 - fx) * (double)map[r[0] * w + q[0]] + fx * (double)map[r[0] * w + q[1]];
        double lower = (1 - fx) * (double)map[r[1] * w + q[0]] + fx * (double)map[r[1] * w + q[1]];
        out[i] = (float)((1 - fy) * upper + fy * lower);
    }
}
