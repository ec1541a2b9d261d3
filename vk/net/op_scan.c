/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four-direction selective scan: a linear recurrence for every channel and direction (shaders/scan_math.glsl). Its way depends on
 * the map and the device:
 *
 *   op_scan_planes.c  a small map where there are cooperative matrices: two passes
 *   op_scan_chunks.c  a larger one, up to a size: three passes over chunks
 *   op_scan_tiles.c   a still larger one on a GPU: three or four passes over tiles, of all channels each
 *   op_scan_plain.c   all others: two passes for a small map, four or five over tiles for a large one
 *
 * op_scan_proj.c is what follows: the layer norm, a residual and a convolution in one pass, where node->proj is set.
 *
 * All cut sequences into chunks, scan these from zero, and join them: a stretch of pixels takes a state h to product * h + state.
 * Here are the choice, and the parameters and the pass that several ways share.
 */
#include "op_scan.h"
#include "shaders/iface.h"

#include <math.h>

#define CARRY_BATCH   4    /* chunks that an invocation of scan_carry loads at a time */
#define LONG_SEQUENCE 4096 /* chunks: longer ones are cut into segments */
#define SEGMENT       512  /* chunks */

struct scan op_scan_sizes(const struct node *node)
{
    struct scan s = {.c = node->c, .h = node->h, .w = node->w, .rank = div_up(node->c, 16), .quads = div_up(node->c, 4)};
    s.ranks4 = div_up(s.rank + 2, 4);
    return s;
}

/* ---- the way --------------------------------------------------------------------------------- */

enum way { PLAIN, PLANES, CHUNKS, TILES };

static enum way choose_way(const struct net_target *target, const struct node *node, const struct net_memory *x)
{
    if (op_scan_planes_fits(target, node, x))
        return PLANES;
    if (op_scan_chunks_fits(target, node, x))
        return CHUNKS;
    return op_scan_tiles_fits(target, node) ? TILES : PLAIN;
}

/* Whether a layer norm behind it is left to a pass of its own. */
static bool norm_apart(const struct node *node, enum way way)
{
    return node->layer_norm && (way == PLAIN || way == PLANES);
}

/* Scratch of all passes but the layer norm after them. */
static uint64_t scan_scratch(const struct node *node, const struct net_memory *x, const struct net_target *target, enum way way)
{
    switch (way) {
    case PLANES:
        return op_scan_planes_scratch(target->caps, node);
    case CHUNKS:
        return op_scan_chunks_scratch(target, node, x);
    case TILES:
        return op_scan_tiles_scratch(node, target->f16);
    case PLAIN:
        break;
    }
    return op_scan_plain_scratch(node, target->f16);
}

/* Whole octs a pixel: op_scan_proj_lower reads them. */
static uint64_t result_size(const struct scan *s, bool f16)
{
    return (uint64_t)s->h * s->w * align_up(s->quads, 2) * (f16 ? 8 : 16);
}

uint64_t op_scan_scratch(const struct node *node, const struct net_memory *in, const struct net_target *target)
{
    const struct scan s = op_scan_sizes(node);
    enum way way = choose_way(target, node, &in[0]);
    return scan_scratch(node, &in[0], target, way) + (norm_apart(node, way) ? result_size(&s, target->f16) : 0);
}

/* Where the scan's own result goes: with a norm apart behind it, to the scratch. */
static struct net_memory scan_result(const struct lower *l, const struct node *node, enum way way)
{
    if (!norm_apart(node, way))
        return lower_output(l);
    const struct scan s = op_scan_sizes(node);
    const struct net_memory x = lower_input(l, 0);
    uint64_t at = scan_scratch(node, &x, lower_target(l), way);
    return (struct net_memory){.range = lower_scratch(l, at, result_size(&s, lower_f16(l))),
                               .c = s.c,
                               .h = s.h,
                               .w = s.w,
                               .stride4 = (uint32_t)align_up(s.quads, 2),
                               .pad4 = s.quads % 2,
                               .f16 = lower_f16(l)};
}

bool op_scan_lower(struct lower *l, const struct node *node)
{
    const struct net_memory x = lower_input(l, 0);
    enum way way = choose_way(lower_target(l), node, &x);
    if (way == CHUNKS)
        return op_scan_chunks_lower(l, node);
    if (way == TILES)
        return op_scan_tiles_lower(l, node);
    const struct net_memory y = scan_result(l, node, way);
    bool ok = way == PLANES ? op_scan_planes_lower(l, node, &y) : op_scan_plain_lower(l, node, &y);
    if (!ok || !norm_apart(node, way))
        return ok;
    if (node->proj)
        return op_scan_proj_lower(l, node, &(struct scan_result){.range = y.range, .stride4 = y.stride4});
    return op_layer_norm_pass(l, node, node->layer_norm, &y);
}

/* ---- parameters ------------------------------------------------------------------------------ */

struct gpu_range op_scan_steps(struct lower *l, const struct node *node, const struct scan *s)
{
    const float *from = lower_read(l, node->scope, "dt_projs_weight", 3, (const uint64_t[]){4, s->c, s->rank});
    size_t width = 4 * (size_t)s->quads, count = 4 * s->ranks4 * width * 4;
    float *to = lower_alloc(l, count * sizeof(*to));
    if (!from || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t c = 0; c < s->c; c++)
            for (uint32_t i = 0; i < s->rank; i++)
                to[((k * s->ranks4 + (i + 2) / 4) * width + c) * 4 + (i + 2) % 4] = from[(k * s->c + c) * s->rank + i] * LOG2_E;
    return lower_upload(l, to, count * sizeof(*to));
}

struct gpu_range op_scan_vectors(struct lower *l, const struct node *node)
{
    const struct scan scan = op_scan_sizes(node), *s = &scan;
    const float *bias = lower_read(l, node->scope, "dt_projs_bias", 2, (const uint64_t[]){4, s->c});
    const float *a_logs = lower_read(l, node->scope, "A_logs", 2, (const uint64_t[]){4 * s->c, 1});
    const float *d = lower_read(l, node->scope, "Ds", 1, (const uint64_t[]){4 * s->c});
    uint32_t width = 4 * s->quads;
    float *to = lower_alloc(l, 9 * width * sizeof(*to));
    if (!bias || !a_logs || !d || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t c = 0; c < s->c; c++) {
            to[k * width + c] = bias[k * s->c + c] * LOG2_E;
            to[(4 + k) * width + c] = (float)-exp((double)a_logs[k * s->c + c]);
            to[8 * width + c] += d[k * s->c + c];
        }
    return lower_upload(l, to, 9 * width * sizeof(*to));
}

/* ---- the states of chunks --------------------------------------------------------------------- */

/* Quads of the chunks' products and states. */
static uint32_t states_quads(const struct scan *s)
{
    return 2 * (s->rows + s->columns) * s->quads * 2;
}

/* Those and the sums of segments. */
uint64_t op_scan_states_size(const struct scan *s)
{
    uint32_t longest = max_u32(s->rows, s->columns);
    uint32_t sums = longest > LONG_SEQUENCE ? div_up(longest, SEGMENT) * 4 * s->quads * 2 : 0;
    return align_up(((uint64_t)states_quads(s) + sums) * 16, 256);
}

/* Invocations that share a sequence: few chunks each, within what the device has. */
static uint32_t carry_lines(const struct gpu_caps *caps, uint32_t chunks)
{
    uint32_t lines = (uint32_t)align_up(div_up(chunks, CARRY_BATCH), SCAN_RUN);
    uint32_t most = min_u32(caps->max_invocations / SCAN_RUN, caps->shared_memory / (16 * (2 * SCAN_RUN + 4))) * SCAN_RUN;
    return caps->cpu ? SCAN_RUN : min_u32(lines, min_u32(most, 1024));
}

/* Quads of shared memory. */
static uint32_t carry_pool(uint32_t lines, uint32_t width)
{
    return lines / SCAN_RUN * (2 * SCAN_RUN + 4) * width;
}

enum carry_step { CARRY_WHOLE, CARRY_REDUCE, CARRY_APPLY };

static bool carry_pass(struct lower *l, const struct scan *s, struct gpu_range states, enum carry_step step, uint32_t lines, uint32_t width)
{
    const struct scan_carry_push push = {s->quads, s->rows, s->columns, states_quads(s)};
    uint32_t longest = max_u32(s->rows, s->columns);
    const struct lower_pass pass = {
        .shader = "scan_carry",
        .binding = {{states, GPU_READ_WRITE}},
        .n_bindings = 1,
        .spec = {lines * width, lines, carry_pool(lines, width), step, width},
        .n_spec = 5,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {s->quads / width, 4, step == CARRY_WHOLE ? 1 : div_up(longest, SEGMENT)},
        .flops = (double)op_scan_states_size(s) / 2,
        .bytes = (double)op_scan_states_size(s) * (step == CARRY_REDUCE ? 1 : 1.5),
    };
    return lower_pass(l, &pass);
}

bool op_scan_carry(struct lower *l, const struct scan *s, struct gpu_range states)
{
    const struct gpu_caps *caps = lower_caps(l);
    uint32_t longest = max_u32(s->rows, s->columns), lines = SEGMENT / CARRY_BATCH, width = 4;
    if (caps->cpu || longest <= LONG_SEQUENCE)
        return carry_pass(l, s, states, CARRY_WHOLE, carry_lines(caps, longest), 1);
    while (s->quads % width || lines * width > caps->max_invocations || carry_pool(lines, width) * 16 > caps->shared_memory)
        width /= 2;
    return carry_pass(l, s, states, CARRY_REDUCE, lines, width) && carry_pass(l, s, states, CARRY_APPLY, lines, width);
}
