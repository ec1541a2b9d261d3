/* SPDX-License-Identifier: Apache-2.0 */
/* Concatenation, a pass for every input that does not lie in its place already (plan.c), and pixel unshuffle. */
#include "lower.h"

#include "shaders/iface.h"

/* Copies x to the output's channels from `first` on; the last input also writes the zeros after them. */
static bool copy_input(struct lower *l, const struct net_memory *x, uint32_t first, bool last)
{
    struct net_memory y = lower_output(l);
    const struct copy_push push = {
        .h = x->h,
        .w = x->w,
        .channels = x->c,
        .shift = first % 4,
        .quads = last ? lower_quads(&y) - first / 4 : div_up(first % 4 + x->c, 4),
        .x_stride = x->stride4,
        .x_offset = x->offset4,
        .y_stride = y.stride4,
        .y_offset = y.offset4 + first / 4,
    };
    const struct lower_pass pass = {
        .shader = "copy",
        .binding = {{x->range, GPU_READ}, {y.range, first % 4 ? GPU_READ_WRITE : GPU_WRITE}},
        .n_bindings = 2,
        .spec = {first % 4 != 0},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(push.quads * x->w, 128), x->h, 1},
        .bytes = 2.0 * x->h * x->w * x->c * (lower_f16(l) ? 2 : 4),
    };
    return lower_pass(l, &pass);
}

/* Whether x is the output's channels from `first` on. */
static bool lies_in(const struct net_memory *x, const struct net_memory *y, uint32_t first)
{
    return first % 4 == 0 && x->range.offset == y->range.offset && x->stride4 == y->stride4 && x->offset4 == y->offset4 + first / 4;
}

bool op_copy_lower(struct lower *l, const struct node *node)
{
    struct net_memory y = lower_output(l);
    uint32_t first = 0;
    for (uint32_t i = 0; i < node->n_in; i++) {
        struct net_memory x = lower_input(l, i);
        if (!lies_in(&x, &y, first) && !copy_input(l, &x, first, i + 1 == node->n_in))
            return false;
        first += x.c;
    }
    return true;
}

bool op_unshuffle_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l);
    const struct unshuffle_push push = {
        .h = y.h,
        .w = y.w,
        .channels = x.c,
        .quads = lower_quads(&y),
        .x_stride = x.stride4,
        .x_offset = x.offset4,
        .y_stride = y.stride4,
        .y_offset = y.offset4,
    };
    const struct lower_pass pass = {
        .shader = "unshuffle",
        .binding = {{x.range, GPU_READ}, {y.range, GPU_WRITE}},
        .n_bindings = 2,
        .spec = {node->stride},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(push.quads * y.w, 128), y.h, 1},
        .bytes = (double)x.range.size + (double)y.range.size,
    };
    return lower_pass(l, &pass);
}
