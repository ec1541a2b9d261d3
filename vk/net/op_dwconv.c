/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of odd size with batch norm, activation and residual (shaders/dwconv.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

/* Pixels of an invocation: more share more loads, fewer fill the machine on small maps. */
struct block {
    uint32_t strip, rows;
};

#define FULL_GPU 65536 /* invocations */

static struct block choose(const struct gpu_caps *caps, const struct net_memory *y)
{
    static const struct block blocks[] = {{4, 2}, {4, 1}, {2, 1}};
    if (caps->cpu) /* loads are dear, registers are memory */
        return y->w > 8 ? (struct block){8, 2} : blocks[0];
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        uint64_t n = (uint64_t)div_up(y->w, blocks[i].strip) * div_up(y->h, blocks[i].rows) * y->stride4;
        if (n >= FULL_GPU)
            return blocks[i];
    }
    return (struct block){1, 1};
}

struct gpu_range op_dwconv_weights(struct lower *l, const struct node *node, uint32_t cq)
{
    bool f16 = lower_f16(l);
    uint32_t taps = node->kernel * node->kernel;
    const uint64_t shape[] = {node->c, 1, node->kernel, node->kernel};
    size_t matrix = (size_t)taps * cq * (f16 ? 8 : 16), size = matrix + (size_t)cq * 16;
    struct epilogue e;
    char *blob = lower_alloc(l, size);
    const float *w = lower_read(l, node->scope, "weight", 4, shape);
    if (!blob || !w || !op_fold_epilogue(l, node, true, &e))
        return (struct gpu_range){0};
    for (uint32_t c = 0; c < node->c; c++) {
        for (uint32_t t = 0; t < taps; t++)
            op_store(blob, (size_t)t * cq * 4 + c, w[(size_t)c * taps + t] * e.mul[c], f16);
        ((float *)(blob + matrix))[c] = (float)e.add[c];
    }
    return lower_upload(l, blob, size);
}

bool op_dwconv_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : x;
    struct block b = choose(lower_caps(l), &y);
    uint32_t cq = div_up(y.c, 4), taps = node->kernel * node->kernel, wg = 128;
    uint32_t tiles = div_up(y.w, b.strip);
    struct gpu_range weights = op_dwconv_weights(l, node, cq);
    if (!weights.size)
        return false;
    const struct dwconv_push push = {.w = y.w,
                                     .h = y.h,
                                     .x_stride = x.stride4,
                                     .x_offset = x.offset4,
                                     .y_stride = y.stride4,
                                     .y_offset = y.offset4,
                                     .r_stride = r.stride4,
                                     .r_offset = r.offset4,
                                     .cq = cq,
                                     .nq = lower_quads(&y),
                                     .tiles = tiles,
                                     .total = tiles * div_up(y.h, b.rows) * lower_quads(&y),
                                     .params = taps * cq};
    struct lower_pass pass = {.shader = "dwconv",
                              .binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .spec = {wg, node->kernel, b.strip, b.rows, node->act, node->residual != 0},
                              .n_spec = 6,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = 2.0 * y.c * y.h * y.w * taps,
                              .bytes =
                                  op_tensor_bytes(&x) + op_tensor_bytes(&y) * (node->residual && node->residual != node->in[0] ? 2 : 1)};
    op_flat_groups(push.total, wg, pass.groups);
    return lower_pass(l, &pass);
}
