/* SPDX-License-Identifier: Apache-2.0 */
/** Norms, activations and layer scale by their definitions, on planar tensors of `pixels` a channel; x may be y. */
#ifndef TESTS_OPS_REF_NORM_H
#define TESTS_OPS_REF_NORM_H

#include <stddef.h>
#include <stdint.h>

#include "vk/net/net.h"

/** Over the channels of each pixel, eps 1e-6. */
void ref_layer_norm(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, float *y);
/** By running statistics, eps 1e-5. */
void ref_batch_norm(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, const float *mean, const float *var,
                    float *y);
/** x * weight + bias per channel. */
void ref_scale(const float *x, uint32_t c, size_t pixels, const float *weight, const float *bias, float *y);
void ref_act(const float *x, size_t count, enum net_act act, float *y);
void ref_add(const float *a, const float *b, size_t count, float *y);

#endif
