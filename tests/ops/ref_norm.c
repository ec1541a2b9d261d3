/* SPDX-License-Identifier: Apache-2.0 */
#include "ref_norm.h"

#include <math.h>

void ref_layer_norm(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, float *y)
{
    for (size_t i = 0; i < pixels; i++) {
        double mean = 0, var = 0;
        for (uint32_t k = 0; k < c; k++)
            mean += x[k * pixels + i];
        mean /= c;
        for (uint32_t k = 0; k < c; k++)
            var += (x[k * pixels + i] - mean) * (x[k * pixels + i] - mean);
        var /= c;
        for (uint32_t k = 0; k < c; k++)
            y[k * pixels + i] = (float)((x[k * pixels + i] - mean) / sqrt(var + 1e-6) * weight[k] + bias[k]);
    }
}

void ref_batch_norm(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, const float *mean, const float *var,
                    float *y)
{
    for (uint32_t k = 0; k < c; k++)
        for (size_t i = 0; i < pixels; i++)
            y[k * pixels + i] = (float)(((double)x[k * pixels + i] - mean[k]) / sqrt(var[k] + 1e-5) * weight[k] + bias[k]);
}

void ref_scale(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, float *y)
{
    for (uint32_t k = 0; k < c; k++)
        for (size_t i = 0; i < pixels; i++)
            y[k * pixels + i] = (float)((double)x[k * pixels + i] * weight[k] + bias[k]);
}

void ref_act(const float *x, size_t count, enum net_act act, float *y)
{
    for (size_t i = 0; i < count; i++) {
        double v = x[i];
        if (act == NET_ACT_RELU)
            v = v > 0 ? v : 0;
        else if (act == NET_ACT_GELU)
            v = 0.5 * v * (1 + erf(v / sqrt(2.0)));
        else if (act == NET_ACT_SILU)
            v = v / (1 + exp(-v));
        y[i] = (float)v;
    }
}

void ref_add(const float *a, const float *b, size_t count, float *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] = a[i] + b[i];
}
