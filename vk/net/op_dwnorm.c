/* SPDX-License-Identifier: Apache-2.0 */
/* Fused: x + depthwise(x) and its layer norm (shaders/dwnorm.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

#define FULL_GPU 32768 /* invocations */

/* How invocations share the work: lanes of a pixel, quads of an invocation, pixels of a strip. */
struct shape {
    uint32_t wg, lanes, quads, strip;
};

static struct shape choose(const struct gpu_caps *caps, const struct net_memory *y)
{
    struct shape s = {.wg = caps->cpu ? 8 : 128, .lanes = 8, .strip = 4};
    while (!caps->cpu && s.lanes < 32 && s.lanes * 2 < y->stride4)
        s.lanes *= 2;
    s.quads = div_up(y->stride4, s.lanes);
    while (s.strip > 1 && !caps->cpu && ((uint64_t)div_up(y->w, s.strip) * y->h * s.lanes < FULL_GPU || s.quads * s.strip > 8))
        s.strip /= 2;
    return s;
}

/* Taps in storage precision [tap][nq], then float32: bias, the norm's weight, the norm's bias [nq] each. */
static struct gpu_range upload(struct lower *l, const struct node *node, uint32_t nq)
{
    bool f16 = lower_f16(l);
    uint32_t taps = node->kernel * node->kernel;
    const uint64_t shape[] = {node->c, 1, node->kernel, node->kernel};
    size_t matrix = (size_t)taps * nq * (f16 ? 8 : 16), size = matrix + 3 * (size_t)nq * 16;
    char *blob = lower_alloc(l, size);
    const float *w = lower_read(l, node->scope, "weight", 4, shape);
    const float *part[3] = {lower_read(l, node->scope, "bias", 1, shape), lower_read(l, node->layer_norm, "weight", 1, shape),
                            lower_read(l, node->layer_norm, "bias", 1, shape)};
    if (!blob || !w || !part[0] || !part[1] || !part[2])
        return (struct gpu_range){0};
    for (uint32_t c = 0; c < node->c; c++) {
        for (uint32_t t = 0; t < taps; t++)
            op_store(blob, (size_t)t * nq * 4 + c, w[(size_t)c * taps + t], f16);
        for (uint32_t i = 0; i < 3; i++)
            ((float *)(blob + matrix))[(size_t)i * nq * 4 + c] = part[i][c];
    }
    return lower_upload(l, blob, size);
}

bool op_dwnorm_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), t = lower_also(l);
    struct shape s = choose(lower_caps(l), &y);
    struct gpu_range weights = upload(l, node, y.stride4);
    if (!weights.size)
        return false;
    const struct dwnorm_push push = {.w = y.w,
                                     .h = y.h,
                                     .x_stride = x.stride4,
                                     .x_offset = x.offset4,
                                     .c = y.c,
                                     .nq = y.stride4,
                                     .strips = div_up(y.w, s.strip),
                                     .params = node->kernel * node->kernel * y.stride4,
                                     .eps = LAYER_NORM_EPS};
    struct lower_pass pass = {.shader = "dwnorm",
                              .binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {t.range, GPU_WRITE}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .spec = {s.wg, s.lanes, s.quads, s.strip, node->kernel},
                              .n_spec = 5,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = (2.0 * node->kernel * node->kernel + 9) * y.c * y.h * y.w,
                              .bytes = op_tensor_bytes(&x) + 2 * op_tensor_bytes(&y)};
    op_flat_groups(push.strips * y.h, s.wg / s.lanes, pass.groups);
    return lower_pass(l, &pass);
}
