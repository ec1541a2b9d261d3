/* SPDX-License-Identifier: Apache-2.0 */
/* Bilinear resize; a 1x1 map spreads by the same formula. */
#include "lower.h"

#include "shaders/iface.h"

bool op_resize_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l);
    const struct resize_push push = {
        .in_h = x.h,
        .in_w = x.w,
        .h = y.h,
        .w = y.w,
        .quads = div_up(node->c, 4),
        .pad = lower_quads(&y),
        .x_stride = x.stride4,
        .x_offset = x.offset4,
        .y_stride = y.stride4,
        .y_offset = y.offset4,
        .scale_y = (float)x.h / (float)y.h,
        .scale_x = (float)x.w / (float)y.w,
    };
    const struct lower_pass pass = {
        .shader = "resize",
        .binding = {{x.range, GPU_READ}, {y.range, GPU_WRITE}},
        .n_bindings = 2,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(push.pad * y.w, 128), y.h, 1},
        .flops = 8.0 * node->c * y.h * y.w,
        .bytes = (double)x.range.size + (double)y.range.size,
    };
    return lower_pass(l, &pass);
}
