/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm, activation, sum, layer scale: those that the fuser left alone (shaders/pointwise.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

static bool read_affine(struct lower *l, const struct node *node, double *mul, double *add)
{
    const uint64_t c = node->c, shape[] = {c, 1, 1, 1};
    for (uint32_t i = 0; i < c; i++)
        mul[i] = 1;
    if (node->op == OP_BATCH_NORM)
        return op_fold_norm(l, node->scope, node->c, mul, add);
    const float *weight = lower_read(l, node->scope, "weight", 4, shape), *bias = lower_read(l, node->scope, "bias", 1, &c);
    for (uint32_t i = 0; weight && bias && i < c; i++) {
        mul[i] = weight[i];
        add[i] = bias[i];
    }
    return weight && bias;
}

/* float32 scale and shift, each padded to whole quads. */
static struct gpu_range upload(struct lower *l, const struct node *node, uint32_t nq)
{
    float *blob = lower_alloc(l, (size_t)nq * 32);
    double *mul = lower_alloc(l, node->c * sizeof(double)), *add = lower_alloc(l, node->c * sizeof(double));
    if (!blob || !mul || !add || !read_affine(l, node, mul, add))
        return (struct gpu_range){0};
    for (uint32_t i = 0; i < node->c; i++) {
        blob[i] = (float)mul[i];
        blob[4 * nq + i] = (float)add[i];
    }
    return lower_upload(l, blob, (size_t)nq * 32);
}

bool op_pointwise_lower(struct lower *l, const struct node *node)
{
    bool affine = node->op == OP_BATCH_NORM || node->op == OP_SCALE, sum = node->op == OP_ADD;
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = sum ? lower_input(l, 1) : x;
    struct gpu_range parameters = affine ? upload(l, node, lower_quads(&y)) : x.range;
    if (!parameters.size)
        return false;
    const struct pointwise_push push = {.x_stride = x.stride4,
                                        .x_offset = x.offset4,
                                        .r_stride = r.stride4,
                                        .r_offset = r.offset4,
                                        .y_stride = y.stride4,
                                        .y_offset = y.offset4,
                                        .cq = div_up(y.c, 4),
                                        .nq = lower_quads(&y),
                                        .total = y.h * y.w * lower_quads(&y)};
    struct lower_pass pass = {.shader = "pointwise",
                              .binding = {{x.range, GPU_READ}, {parameters, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .spec = {128, affine, node->op == OP_ACT ? node->act : NET_ACT_NONE, sum},
                              .n_spec = 4,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = 2.0 * y.c * y.h * y.w,
                              .bytes = op_tensor_bytes(&y) * (sum ? 3 : 2)};
    op_flat_groups(push.total, pass.spec[0], pass.groups);
    return lower_pass(l, &pass);
}
