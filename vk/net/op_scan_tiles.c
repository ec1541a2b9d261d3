/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selective scan of a large map on a GPU. The map is cut into tiles of SIDE x SIDE pixels; row i of a tile is a chunk of the scans
 * along the rows, column j one of those along the columns. A workgroup has all channels of its tile:
 *
 *   scan_tile_states  z = W x, every chunk from zero: its product of a and last state  (4 ranks4, pixels) and (chunks, quads, 2) quads
 *   scan_carry        the states that the chunks start with, in place of the last ones; two passes for very long sequences
 *   scan_tile_sum     every chunk again from its state, D u, the sum of the directions, the layer norm of it and a residual
 */
#include "op_scan.h"
#include "shaders/iface.h"

#define LEAST_PIXELS 2049 /* smaller maps fit op_scan_plain's scan_whole */
#define SIDE         8    /* of a tile: scan_tile.glsl */

/* Quads of channels of a workgroup, those of the padding included. */
static uint32_t lanes(const struct scan *s)
{
    return (uint32_t)align_up(s->quads, 2);
}

/* Bytes of shared memory of the larger one of the passes, scan_tile_sum. */
static uint32_t tiles_shared(const struct scan *s, bool f16)
{
    uint32_t z = 4 * s->ranks4 * SIDE * (SIDE + 1), terms = 2 * SIDE * SIDE * (lanes(s) | 1);
    return (z + terms) * (f16 ? 8 : 16);
}

/* The sizes of a scan in tiles. */
static struct scan in_tiles(const struct node *node)
{
    struct scan s = op_scan_sizes(node);
    s.rows = s.h * div_up(s.w, SIDE);
    s.columns = s.w * div_up(s.h, SIDE);
    return s;
}

static uint64_t z_size(const struct scan *s, bool f16)
{
    return align_up((uint64_t)s->h * s->w * 4 * s->ranks4 * (f16 ? 8 : 16), 256);
}

bool op_scan_tiles_fits(const struct net_target *target, const struct node *node)
{
    const struct scan s = in_tiles(node);
    const struct gpu_caps *caps = target->caps;
    return !caps->cpu && !node->front && !node->proj && s.h * s.w >= LEAST_PIXELS && 2 * SIDE * lanes(&s) <= caps->max_invocations &&
           tiles_shared(&s, target->f16) <= caps->shared_memory;
}

uint64_t op_scan_tiles_scratch(const struct node *node, bool f16)
{
    const struct scan s = in_tiles(node);
    return z_size(&s, f16) + op_scan_states_size(&s);
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* One of the passes over the tiles; it binds x, z, steps, vectors, states first, and has constants behind the common ones. */
static bool over_tiles(struct lower *l, const struct node *node, const struct scan *s, struct lower_pass *pass)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l), r = node->residual ? lower_residual(l) : y;
    const struct scan_whole_tile_push push = {.h = s->h,
                                              .w = s->w,
                                              .quads = s->quads,
                                              .c = s->c,
                                              .pad = lower_quads(&y),
                                              .plane = s->h * s->w,
                                              .x_stride = x.stride4,
                                              .x_offset = x.offset4,
                                              .y_stride = y.stride4,
                                              .y_offset = y.offset4,
                                              .r_stride = r.stride4,
                                              .r_offset = r.offset4,
                                              .eps = LAYER_NORM_EPS};
    pass->spec[0] = 2 * SIDE * lanes(s);
    pass->spec[1] = lanes(s);
    pass->spec[2] = s->ranks4;
    pass->push = &push;
    pass->push_size = sizeof(push);
    pass->groups[0] = div_up(s->w, SIDE);
    pass->groups[1] = div_up(s->h, SIDE);
    pass->groups[2] = 1;
    pass->flops += op_scan_flops(s);
    pass->bytes = op_tensor_bytes(&x);
    for (uint32_t i = 1; i < pass->n_bindings; i++)
        pass->bytes += (double)pass->binding[i].range.size;
    return lower_pass(l, pass);
}

bool op_scan_tiles_lower(struct lower *l, const struct node *node)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l);
    const struct scan scan = in_tiles(node), *s = &scan;
    uint32_t each = 4; /* pixels of which an invocation makes a quad of z together */
    while (each > 1 && 2 * s->ranks4 * SIDE < each * lanes(s))
        each /= 2;
    uint64_t first = z_size(s, lower_f16(l));
    struct gpu_range z = lower_scratch(l, 0, first), states = lower_scratch(l, first, op_scan_states_size(s));
    struct gpu_range steps = op_scan_steps(l, node, s), vectors = op_scan_vectors(l, node), projection = op_scan_projection(l, node, s);
    struct gpu_range norm = node->layer_norm ? op_layer_norm_parameters(l, node, node->layer_norm, lower_quads(&y)) : vectors;
    struct lower_pass begin = {
        .shader = "scan_tile_states",
        .binding =
            {{x.range, GPU_READ}, {z, GPU_WRITE}, {steps, GPU_READ}, {vectors, GPU_READ}, {states, GPU_WRITE}, {projection, GPU_READ}},
        .n_bindings = 6,
        .spec = {[3] = each},
        .n_spec = 4,
        .flops = 8.0 * s->h * s->w * s->c * (s->rank + 2),
    };
    struct lower_pass sum = {
        .shader = "scan_tile_sum",
        .binding = {{x.range, GPU_READ},
                    {z, GPU_READ},
                    {steps, GPU_READ},
                    {vectors, GPU_READ},
                    {states, GPU_READ},
                    {norm, GPU_READ},
                    {node->residual ? lower_residual(l).range : x.range, GPU_READ},
                    {y.range, GPU_WRITE}},
        .n_bindings = 8,
        .spec = {[3] = node->layer_norm != NULL, [4] = node->residual != 0},
        .n_spec = 5,
    };
    return over_tiles(l, node, s, &begin) && op_scan_carry(l, s, states) && over_tiles(l, node, s, &sum);
}
