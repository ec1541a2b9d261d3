/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_OPS_REF_DWCONV_H
#define TESTS_OPS_REF_DWCONV_H

#include <stdint.h>

/** Depthwise: x and y (c,h,w), weight (c,1,kernel,kernel), bias (c), zeros of kernel/2 around x. */
void ref_dwconv(const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t kernel, const float *weight, const float *bias, float *y);

#endif
