/* SPDX-License-Identifier: Apache-2.0 */
/* Layer norm over the channels of each pixel, plus a residual (shaders/layer_norm.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

/* float32 weight and bias, each padded to whole quads; padding is zero, so padding channels come out zero. */
struct gpu_range op_layer_norm_parameters(struct lower *l, const struct node *node, const char *scope, uint32_t nq)
{
    const uint64_t shape[] = {node->c};
    float *blob = lower_alloc(l, (size_t)nq * 32);
    const float *weight = lower_read(l, scope, "weight", 1, shape), *bias = lower_read(l, scope, "bias", 1, shape);
    if (!blob || !weight || !bias)
        return (struct gpu_range){0};
    for (uint32_t i = 0; i < node->c; i++) {
        blob[i] = weight[i];
        blob[4 * nq + i] = bias[i];
    }
    return lower_upload(l, blob, (size_t)nq * 32);
}

bool op_layer_norm_pass(struct lower *l, const struct node *node, const char *scope, const struct net_memory *x)
{
    struct net_memory y = lower_output(l), r = node->residual ? lower_residual(l) : *x;
    const uint32_t nq = lower_quads(&y);
    struct op_lanes s = op_choose_lanes(lower_caps(l), nq);
    uint32_t strip = s.quads > 1 ? 1 : 2;
    struct gpu_range parameters = op_layer_norm_parameters(l, node, scope, nq);
    if (!parameters.size)
        return false;
    const struct layer_norm_push push = {.m = y.h * y.w,
                                         .x_stride = x->stride4,
                                         .x_offset = x->offset4,
                                         .y_stride = y.stride4,
                                         .y_offset = y.offset4,
                                         .r_stride = r.stride4,
                                         .r_offset = r.offset4,
                                         .eps = LAYER_NORM_EPS};
    struct lower_pass pass = {.shader = s.cluster > 1 ? "layer_norm_shuffle" : "layer_norm",
                              .binding = {{x->range, GPU_READ}, {parameters, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .spec = {s.wg, s.lanes, s.quads, s.cluster, strip, nq, y.c, node->residual != 0},
                              .n_spec = 8,
                              .subgroup_size = s.cluster > 1 ? lower_caps(l)->subgroup_size : 0,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = 8.0 * y.c * y.h * y.w,
                              .bytes = op_tensor_bytes(x) + op_tensor_bytes(&y) * (node->residual ? 2 : 1)};
    op_flat_groups(push.m, s.wg / s.lanes * strip, pass.groups);
    return lower_pass(l, &pass);
}

bool op_layer_norm_lower(struct lower *l, const struct node *node)
{
    const struct net_memory x = lower_input(l, 0);
    return op_layer_norm_pass(l, node, node->scope, &x);
}
