/* SPDX-License-Identifier: Apache-2.0 */
/**
 * References of the attention ops: straight loops on planar (C, H, W) float tensors, double inside. qkv has q, k and v
 * of c channels each; a head is c / heads of them.
 */
#ifndef REF_ATTENTION_H
#define REF_ATTENTION_H

#include <stdint.h>

/** out: (3c, h, w). */
void ref_rope(float *out, const float *qkv, uint32_t c, uint32_t h, uint32_t w, uint32_t heads);
/** Angle of pair j of the d/4 that follow the row (or the column). */
float ref_rope_angle(uint32_t j, uint32_t pairs);
/** rpb: (heads, 2 window - 1, 2 window - 1); out: (c, h, w). */
void ref_natten(float *out, const float *qkv, const float *rpb, uint32_t c, uint32_t h, uint32_t w, uint32_t heads, uint32_t window);
/** v: (c, h, w); bias: (heads, side^2, side^2); out: (c, h, w). */
void ref_attention(float *out, const float *qkv, const float *v, const float *bias, uint32_t c, uint32_t h, uint32_t w, uint32_t heads,
                   uint32_t side);
/** Value (y, x) of a square table of `from` numbers a side resized to `to` a side as torch's bicubic interpolation does. */
double ref_bicubic(const float *table, uint32_t from, uint32_t to, uint32_t y, uint32_t x);

#endif
