/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of odd size with batch norm, activation and residual (shaders/dwconv_tile.comp, shaders/dwconv.comp). */
#include "op_common.h"

#include "../../shaders/iface.h"

/*
 * Two shaders: tiles in shared memory, which run few instructions and are small; blocks straight from memory for CPU
 * drivers, for input that is not aligned to 16 bytes, and where they were measured to be faster: 3x3 on maps so large that
 * memory bounds them (NVIDIA H100, 16x16 to 256x512 pixels; 5x5 stayed faster in tiles).
 */
#define LARGE_MAP 1500000 /* quads */

/* A workgroup's tile, 8x8 pixels; an invocation makes 4 of them. */
enum { TILE_STRIP = 4, TILE_QUADS = 8, TILE_ROWS = 8, TILE_WIDTH = 8, TILE_WG = TILE_WIDTH / TILE_STRIP * TILE_QUADS * TILE_ROWS };

/* Pixels of an invocation: more share more loads. */
struct block {
    uint32_t strip, rows;
};

static struct block choose_block(const struct gpu_caps *caps, uint32_t w)
{
    if (!caps->cpu)
        return (struct block){4, 1};
    return w > 8 ? (struct block){8, 2} : (struct block){4, 2}; /* loads are dear, registers are memory */
}

static bool takes_tiles(struct lower *l, uint32_t kernel, const struct net_memory *x, const struct net_memory *y)
{
    const struct gpu_caps *caps = lower_caps(l);
    bool aligned = !lower_f16(l) || (x->stride4 % 2 == 0 && x->offset4 % 2 == 0);
    uint32_t border = kernel - 1, tile = (TILE_ROWS + border) * ((TILE_WIDTH + border) | 1);
    uint32_t shared = (tile + kernel * kernel) * TILE_QUADS * (lower_f16(l) ? 8 : 16);
    bool large = kernel == 3 && (uint64_t)y->w * y->h * lower_quads(y) >= LARGE_MAP;
    return !caps->cpu && aligned && !large && shared <= caps->shared_memory;
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

static uint32_t residual_kind(const struct node *node)
{
    if (!node->residual)
        return DWCONV_PLAIN;
    return node->residual == node->in[0] && !node->act ? DWCONV_SELF : DWCONV_OTHER;
}

bool op_dwconv_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : x;
    uint32_t cq = div_up(y.c, 4), nq = lower_quads(&y), taps = node->kernel * node->kernel, residual = residual_kind(node);
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
                                     .nq = nq,
                                     .params = taps * cq,
                                     .inverse = div_up(0x80000000u, nq),
                                     .kernel = node->kernel};
    struct lower_pass pass = {.binding = {{x.range, GPU_READ}, {weights, GPU_READ}, {r.range, GPU_READ}, {y.range, GPU_WRITE}},
                              .n_bindings = 4,
                              .push = &push,
                              .push_size = sizeof(push),
                              .flops = 2.0 * y.c * y.h * y.w * taps,
                              .bytes =
                                  op_tensor_bytes(&x) + op_tensor_bytes(&y) * (node->residual && node->residual != node->in[0] ? 2 : 1)};
    if (takes_tiles(l, node->kernel, &x, &y)) {
        const uint32_t spec[] = {TILE_WG, TILE_STRIP, TILE_QUADS, TILE_ROWS, node->kernel, node->act, residual};
        const uint32_t groups[3] = {div_up(nq, TILE_QUADS), div_up(y.w, TILE_WIDTH), div_up(y.h, TILE_ROWS)};
        op_set_shader(&pass, "dwconv_tile", spec, sizeof(spec) / sizeof(spec[0]), groups);
    } else {
        const struct gpu_caps *caps = lower_caps(l);
        struct block b = choose_block(caps, y.w);
        const uint32_t lanes = 32, lines = 4; /* of a workgroup */
        const uint32_t spec[] = {lanes, lines, b.strip, b.rows, caps->cpu, node->kernel, node->act, residual};
        const uint32_t groups[3] = {div_up(div_up(y.w, b.strip) * nq, lanes), div_up(div_up(y.h, b.rows), lines), 1};
        op_set_shader(&pass, "dwconv", spec, sizeof(spec) / sizeof(spec[0]), groups);
    }
    return lower_pass(l, &pass);
}
