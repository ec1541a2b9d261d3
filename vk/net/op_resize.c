/* SPDX-License-Identifier: Apache-2.0 */
/* Bilinear resize, of several maps summed and activated at once; a 1x1 map spreads by the same formula. */
#include "op_common.h"

#include "shaders/iface.h"

#include <string.h>

#define WG     128
#define GROUPS 2048 /* fill a machine: an invocation makes more rows rather than more of them be started */

static struct resize_push describe(const struct lower *l, const struct node *node, const struct net_memory *y)
{
    struct resize_push push = {.h = y->h, .w = y->w, .quads = div_up(node->c, 4), .y_stride = y->stride4, .y_offset = y->offset4};
    for (uint32_t i = 0; i < node->n_in; i++) {
        struct net_memory x = lower_input(l, i);
        push.in_h[i] = x.h;
        push.in_w[i] = x.w;
        push.x_stride[i] = x.stride4;
        push.x_offset[i] = x.offset4;
        push.scale_y[i] = (float)x.h / (float)y->h;
        push.scale_x[i] = (float)x.w / (float)y->w;
    }
    return push;
}

bool op_resize_lower(struct lower *l, const struct node *node)
{
    struct net_memory y = lower_output(l);
    const struct resize_push push = describe(l, node, &y);
    uint32_t pad = lower_quads(&y), columns = div_up(pad * y.w, WG), rows = max_u32(1, columns * y.h / GROUPS), same = 0;
    struct lower_pass pass = {
        .shader = "resize",
        .n_bindings = RESIZE_MAX_MAPS + 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {columns, div_up(y.h, rows), 1},
        .flops = 8.0 * node->n_in * node->c * y.h * y.w,
        .bytes = op_tensor_bytes(&y),
    };
    for (uint32_t i = 0; i < RESIZE_MAX_MAPS; i++) {
        struct net_memory x = lower_input(l, i < node->n_in ? i : 0);
        pass.binding[i].range = x.range;
        pass.binding[i].access = GPU_READ;
        same |= (uint32_t)(x.h == y.h && x.w == y.w) << i;
        pass.bytes += i < node->n_in ? op_tensor_bytes(&x) : 0;
    }
    pass.binding[RESIZE_MAX_MAPS].range = y.range;
    pass.binding[RESIZE_MAX_MAPS].access = GPU_WRITE;
    const uint32_t spec[] = {node->n_in, same, node->act, pad, rows};
    memcpy(pass.spec, spec, sizeof(spec));
    pass.n_spec = sizeof(spec) / sizeof(*spec);
    return lower_pass(l, &pass);
}
