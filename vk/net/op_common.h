/* SPDX-License-Identifier: Apache-2.0 */
/** op_common.h: what several lowerings share: folded epilogues, blobs of parameters, flat grids. */
#ifndef NET_OP_COMMON_H
#define NET_OP_COMMON_H

#include "lower.h"

#define LAYER_NORM_EPS 1e-6f /* reference: LayerNorm2d */

/** Per channel [node->c]: y = act(mul * (W x) + add) * scale + shift. */
struct epilogue {
    double *mul, *add;    /**< batch norm and bias; the layer scale too where no activation comes between */
    float *scale, *shift; /**< NULL: none */
};
/** Reads the bias (where has_bias), batch norm and layer scale of a node and folds what can be folded; false after an error. */
bool op_fold_epilogue(struct lower *l, const struct node *node, bool has_bias, struct epilogue *epilogue);

/** scale and shift that a batch norm amounts to, multiplied into mul and add [c]; false after an error. */
bool op_fold_norm(struct lower *l, const char *scope, uint32_t c, double *mul, double *add);

/** A layer norm's weight and bias in float32, padded to nq quads each: padding channels come out zero. */
struct gpu_range op_layer_norm_parameters(struct lower *l, const struct node *node, const char *scope, uint32_t nq);
/** Adds the layer norm of x and the node's residual to its output. */
bool op_layer_norm_pass(struct lower *l, const struct node *node, const char *scope, const struct net_memory *x);

/** Weights of a depthwise convolution: (c, 1, k, k) -> [ky, kx][cq quads] in storage precision, then float32 bias. */
struct gpu_range op_dwconv_weights(struct lower *l, const struct node *node, uint32_t cq);

/** Element i of a matrix in storage precision. */
void op_store(void *blob, size_t i, double value, bool f16);

/**
 * Cosine and sine of every rotary angle, (positions, d / 4) pairs of float32 for maps up to h or w and heads of d channels; owned
 * by l like lower_alloc's. *bytes: their size, a multiple of 8.
 */
float *op_rope_turns(struct lower *l, uint32_t h, uint32_t w, uint32_t d, size_t *bytes);

/**
 * How the invocations of a workgroup share the channels of pixels (shaders/norm.glsl): `lanes` of them a pixel, `quads` quads each.
 * cluster: so many of them may add by shuffles; 1 where the device has no whole subgroups.
 */
struct op_lanes {
    uint32_t wg, lanes, quads, cluster;
};
/** For pixels of nq quads. */
struct op_lanes op_choose_lanes(const struct gpu_caps *caps, uint32_t nq);

/** Invocations of a workgroup of the shaders for CPU drivers, one whole subgroup; 0 where they cannot be had. */
uint32_t op_cpu_lanes(const struct gpu_caps *caps);

/** Which shader a pass runs, its constants [n_spec] and its workgroups. */
void op_set_shader(struct lower_pass *pass, const char *shader, const uint32_t *spec, uint32_t n_spec, const uint32_t groups[3]);

/** A grid of at least total / size workgroups that keeps within the limit of 65535 in each dimension. */
void op_flat_groups(uint32_t total, uint32_t size, uint32_t groups[3]);

/** Bytes of a tensor's own channels. */
double op_tensor_bytes(const struct net_memory *m);

#endif
