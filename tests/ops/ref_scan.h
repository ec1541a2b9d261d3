/* SPDX-License-Identifier: Apache-2.0 */
/**
 * References of the selective scan, pool and resize: straight loops on planar (C, H, W) float
 * tensors, double inside.
 */
#ifndef REF_SCAN_H
#define REF_SCAN_H

#include <stdint.h>

/** Weights with the checkpoint's names and shapes; r = ceil(c / 16). */
struct ref_scan_weights {
    const float *x_proj;  /**< x_proj_weight (4 (r + 2), c) */
    const float *dt;      /**< dt_projs_weight (4, c, r) */
    const float *dt_bias; /**< dt_projs_bias (4, c) */
    const float *a_logs;  /**< (4c) */
    const float *d;       /**< Ds (4c) */
};
void ref_scan(float *out, const float *x, const struct ref_scan_weights *weights, uint32_t c, uint32_t h, uint32_t w);

/** out: (c). */
void ref_pool(float *out, const float *x, uint32_t c, uint32_t h, uint32_t w);
/** out: (c, to_h, to_w). */
void ref_resize(float *out, const float *x, uint32_t c, uint32_t h, uint32_t w, uint32_t to_h, uint32_t to_w);

#endif
