/* SPDX-License-Identifier: Apache-2.0 */
/* Global mean: slices of the pixels are summed in parallel, then the slices. */
#include "lower.h"

#include "shaders/iface.h"

#define LANES      16  /* quads a workgroup: shaders/pool.glsl */
#define SLICE      256 /* pixels, unless there would be too many slices */
#define MAX_SLICES 256

static uint32_t slice_of(uint32_t pixels)
{
    uint32_t slice = div_up(pixels, MAX_SLICES);
    return slice > SLICE ? slice : SLICE;
}

uint64_t op_pool_scratch(const struct node *node, const struct net_memory *in, const struct net_target *target)
{
    (void)target;
    uint32_t pixels = in->h * in->w;
    return (uint64_t)div_up(pixels, slice_of(pixels)) * div_up(node->c, 4) * 16;
}

static bool sum_slices(struct lower *l, const struct net_memory *x, struct gpu_range sums)
{
    uint32_t pixels = x->h * x->w, quads = div_up(x->c, 4), slice = slice_of(pixels);
    const struct pool_push push = {pixels, quads, slice, x->stride4, x->offset4};
    const struct lower_pass pass = {
        .shader = "pool",
        .binding = {{x->range, GPU_READ}, {sums, GPU_WRITE}},
        .n_bindings = 2,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(quads, LANES), div_up(pixels, slice), 1},
        .flops = (double)pixels * x->c,
        .bytes = (double)x->range.size + (double)sums.size,
    };
    return lower_pass(l, &pass);
}

static bool sum_sums(struct lower *l, const struct net_memory *x, struct gpu_range sums)
{
    struct net_memory y = lower_output(l);
    uint32_t pixels = x->h * x->w, quads = div_up(x->c, 4);
    const struct pool_sum_push push = {div_up(pixels, slice_of(pixels)), quads, lower_quads(&y), y.offset4, 1.0f / (float)pixels};
    const struct lower_pass pass = {
        .shader = "pool_sum",
        .binding = {{sums, GPU_READ}, {y.range, GPU_WRITE}},
        .n_bindings = 2,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(push.pad, LANES), 1, 1},
        .flops = (double)push.slices * x->c,
        .bytes = (double)sums.size + (double)y.range.size,
    };
    return lower_pass(l, &pass);
}

bool op_pool_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0);
    struct gpu_range sums = lower_scratch(l, 0, op_pool_scratch(node, &x, lower_target(l)));
    return sum_slices(l, &x, sums) && sum_sums(l, &x, sums);
}
