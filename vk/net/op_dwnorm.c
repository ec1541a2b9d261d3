/* SPDX-License-Identifier: Apache-2.0 */
/* Fused: x + depthwise(x) and its layer norm (shaders/dwnorm.comp, shaders/dwnorm_cpu.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

#define FULL_GPU  51200 /* invocations */
#define MAX_STRIP 4     /* pixels */
#define MAX_HELD  8     /* quads of all pixels of an invocation that holds several of each */

/* Neighbouring pixels of an invocation: they share weights and most of what is read, but the GPU must stay busy. */
static uint32_t choose_strip(const struct gpu_caps *caps, const struct op_lanes *s, const struct net_memory *y)
{
    if (caps->cpu)
        return MAX_STRIP;
    uint64_t invocations = (uint64_t)y->w * y->h * div_up(y->stride4, s->quads);
    uint32_t strip = 1;
    while (strip < MAX_STRIP && invocations / (2 * strip) >= FULL_GPU && (s->quads == 1 || s->quads * strip * 2 <= MAX_HELD))
        strip *= 2;
    return strip;
}

/* float32: taps [tap][nq], with the pixel itself in the centre's; bias, the norm's weight, the norm's bias [nq] each. */
static struct gpu_range upload(struct lower *l, const struct node *node, uint32_t nq)
{
    uint32_t taps = node->kernel * node->kernel;
    const uint64_t shape[] = {node->c, 1, node->kernel, node->kernel};
    size_t size = (taps + 3) * (size_t)nq * 16;
    float *blob = lower_alloc(l, size);
    const float *w = lower_read(l, node->scope, "weight", 4, shape);
    const float *part[3] = {lower_read(l, node->scope, "bias", 1, shape), lower_read(l, node->layer_norm, "weight", 1, shape),
                            lower_read(l, node->layer_norm, "bias", 1, shape)};
    if (!blob || !w || !part[0] || !part[1] || !part[2])
        return (struct gpu_range){0};
    for (uint32_t c = 0; c < node->c; c++) {
        for (uint32_t t = 0; t < taps; t++)
            blob[(size_t)t * nq * 4 + c] = w[(size_t)c * taps + t] + (t == taps / 2);
        for (uint32_t i = 0; i < 3; i++)
            blob[(size_t)(taps + i) * nq * 4 + c] = part[i][c];
    }
    return lower_upload(l, blob, size);
}

/* The shader for CPU drivers takes a subgroup a workgroup: op_cpu_lanes(). */
static void choose_shader(const struct gpu_caps *caps, const struct net_memory *y, uint32_t kernel, struct lower_pass *pass)
{
    if (op_cpu_lanes(caps)) {
        const uint32_t spec[] = {op_cpu_lanes(caps), MAX_STRIP, kernel};
        const uint32_t groups[3] = {div_up(div_up(y->w, MAX_STRIP) * y->h, op_cpu_lanes(caps)), 1, 1};
        op_set_shader(pass, "dwnorm_cpu", spec, sizeof(spec) / sizeof(spec[0]), groups);
        return;
    }
    struct op_lanes s = op_choose_lanes(caps, y->stride4);
    uint32_t strip = choose_strip(caps, &s, y);
    const uint32_t spec[] = {s.wg, s.lanes, s.quads, s.cluster, strip, y->stride4, y->c, kernel};
    const uint32_t groups[3] = {div_up(y->w, s.wg / s.lanes * strip), y->h, 1};
    op_set_shader(pass, s.cluster > 1 ? "dwnorm_shuffle" : "dwnorm", spec, sizeof(spec) / sizeof(spec[0]), groups);
    pass->subgroup_size = s.cluster > 1 ? caps->subgroup_size : 0;
}

bool op_dwnorm_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), t = lower_also(l);
    struct gpu_range weights = upload(l, node, y.stride4);
    if (!weights.size)
        return false;
    const struct dwnorm_push push = {.w = y.w,
                                     .h = y.h,
                                     .x_stride = x.stride4,
                                     .x_offset = x.offset4,
                                     .eps = LAYER_NORM_EPS,
                                     .c = y.c,
                                     .cq = div_up(y.c, 4),
                                     .nq = y.stride4,
                                     .inverse_c = 1 / (float)y.c};
    struct lower_pass pass = {.binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {t.range, GPU_WRITE}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = (2.0 * node->kernel * node->kernel + 9) * y.c * y.h * y.w,
                              .bytes = op_tensor_bytes(&x) + 2 * op_tensor_bytes(&y)};
    choose_shader(lower_caps(l), &y, node->kernel, &pass);
    return lower_pass(l, &pass);
}
