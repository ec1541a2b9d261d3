/* SPDX-License-Identifier: Apache-2.0 */
/** Dense convolution and pixel unshuffling by their definitions, on planar tensors. */
#ifndef TESTS_OPS_REF_CONV_H
#define TESTS_OPS_REF_CONV_H

#include <stdint.h>

/** x (c,h,w), weight (out,c,kernel,kernel), bias (out) or NULL, y (out, (h+2 pad-kernel)/stride+1, ...); zeros around x. */
struct ref_conv {
    uint32_t c, h, w, out, kernel, stride, pad;
};
void ref_conv(const struct ref_conv *s, const float *x, const float *weight, const float *bias, float *y);

/** x (c,h,w) -> y (c r r, h/r, w/r): channel c r r + dy r + dx holds the pixels (dy, dx) of each r x r block. */
void ref_unshuffle(const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t r, float *y);

#endif
