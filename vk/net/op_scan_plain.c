/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selective scan without cooperative matrices, and where no way on them takes the map. The first pass makes z for all directions:
 *
 *   scan_project  z = W x: (B, C, low rank of dt) of the four directions, in planes      (4 ranks4, pixels) quads
 *
 * A small map, on a GPU: everything else is one pass, scan_whole. A large one is cut into chunks of SIDE pixels:
 *
 *   scan_local    every chunk from zero: product of a, last state                        (chunks, quads, 2)
 *   scan_carry    the states that the chunks start with, in place of the last ones; two passes for very long sequences
 *   scan_output   every chunk again from its state, D u, the sum of the directions
 *
 * z is kept in the precision of tensors, states in float32. dt is computed twice rather than stored: it would be four
 * times as large as x. Where a depthwise convolution makes x (node->front), scan_project does that too and keeps x in the
 * scratch.
 */
#include "op_scan.h"
#include "shaders/iface.h"

/* What the shaders are written for. */
#define SIDE       8  /* pixels a chunk of a tile: scan.glsl */
#define PLANE_ROOM 64 /* places that a plane of z may have more than the map has pixels: SCAN_RUN times the longest chunk */

#define WHOLE_CHUNK   4     /* longest chunk of scan_whole: longer ones do not fit the registers */
#define WHOLE_WIDE    80    /* quads of channels from which one pair a workgroup makes too many of them */
#define FULL_GPU      256   /* workgroups */
#define PORTABLE_POOL 16384 /* bytes of shared memory that every device has */

/* The sizes of a scan in tiles. */
static struct scan in_tiles(const struct node *node)
{
    struct scan s = op_scan_sizes(node);
    s.rows = node->h * div_up(node->w, SIDE);
    s.columns = node->w * div_up(node->h, SIDE);
    return s;
}

static uint64_t z_size(const struct scan *s, bool f16)
{
    return align_up((uint64_t)(s->h * s->w + PLANE_ROOM) * 4 * s->ranks4 * (f16 ? 8 : 16), 256);
}

uint64_t op_scan_plain_scratch(const struct node *node, bool f16)
{
    const struct scan s = in_tiles(node);
    return align_up(z_size(&s, f16) + op_scan_states_size(&s) + (node->front ? op_scan_tensor_size(&s, f16) : 0), 256);
}

/* scan_whole's shape; lines is 0 where the map does not fit a workgroup. */
struct whole {
    uint32_t lines, chunk, pairs; /* chunks of one orientation, their pixels, pairs of channels a workgroup */
    uint32_t pool;                /* pairs of shared memory */
};

static struct whole choose_whole(const struct gpu_caps *caps, const struct scan *s)
{
    struct whole t = {.chunk = 2, .pairs = s->quads >= WHOLE_WIDE ? 2 : 1};
    uint32_t pixels = s->h * s->w, limit = min_u32(caps->max_invocations, 1024 / t.pairs);
    if (caps->cpu || pixels > WHOLE_CHUNK * limit / 2)
        return t;
    while (2 * align_up(div_up(pixels, t.chunk), SCAN_RUN) > limit && t.chunk < WHOLE_CHUNK)
        t.chunk *= 2;
    uint32_t lines = (uint32_t)align_up(div_up(pixels, t.chunk), SCAN_RUN), weights = 4 * s->ranks4 * 2 * t.pairs * 16;
    t.pool = t.pairs * max_u32(4 * lines / SCAN_RUN * (2 * SCAN_RUN + 4), pixels + pixels / 4 + s->h / 4 + 1);
    if (2 * lines <= limit && t.pool * 8 + weights <= caps->shared_memory)
        t.lines = lines;
    return t;
}

struct gpu_range op_scan_projection(struct lower *l, const struct node *node, const struct scan *s)
{
    uint32_t rows = s->rank + 2, width = 16 * s->ranks4;
    const float *from = lower_read(l, node->scope, "x_proj_weight", 3, (const uint64_t[]){4 * rows, s->c, 1});
    size_t bytes = (size_t)s->quads * 4 * width * (lower_f16(l) ? 2 : 4);
    void *to = lower_alloc(l, bytes);
    if (!from || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t c = 0; c < s->c; c++)
                op_store(to, (size_t)c * width + k * 4 * s->ranks4 + op_scan_place_in_z(s, i),
                         from[(k * rows + i) * s->c + c] * (i == s->rank ? LN_2 : 1), lower_f16(l));
    return lower_upload(l, to, bytes);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static struct gpu_range z_range(const struct lower *l, const struct scan *s)
{
    return lower_scratch(l, 0, z_size(s, lower_f16(l)));
}

static struct gpu_range states_range(const struct lower *l, const struct scan *s)
{
    return lower_scratch(l, z_size(s, lower_f16(l)), op_scan_states_size(s));
}

/* What the passes after the first scan: the node's input or what the first has made of it. */
static struct net_memory scanned(const struct lower *l, const struct node *node, const struct scan *s)
{
    struct net_memory x = lower_input(l, 0);
    bool f16 = lower_f16(l);
    if (node->front) {
        x.range = lower_scratch(l, z_size(s, f16) + op_scan_states_size(s), op_scan_tensor_size(s, f16));
        x.stride4 = s->quads;
        x.offset4 = 0;
    }
    return x;
}

/* How scan_project shares the work: see its constants. */
struct projection {
    uint32_t group, outputs, each, sets, split, pool;
};

static uint32_t projection_pool(const struct projection *p, uint32_t quads)
{
    return max_u32(p->each * p->sets * quads, p->each * p->sets * p->outputs * p->split);
}

/* Few pixels a workgroup where there are few; then as many parts of the channels as give it full warps. */
static struct projection choose_projection(const struct gpu_caps *caps, const struct scan *s)
{
    uint32_t limit = caps->cpu ? 64 : min_u32(caps->max_invocations, 512), total = 4 * s->ranks4, pixels = s->h * s->w;
    struct projection p = {.outputs = div_up(total, div_up(total, 64)), .each = caps->cpu ? 8 : 4, .sets = 1, .split = 1};
    while (p.each > 1 && !caps->cpu && div_up(pixels, p.each) * div_up(total, p.outputs) < FULL_GPU)
        p.each /= 2;
    while (p.each > 1 && projection_pool(&p, s->quads) * 16 > PORTABLE_POOL)
        p.each /= 2;
    uint32_t least = caps->cpu ? 8 : 64; /* items worth a workgroup */
    while (p.outputs * p.sets < least && div_up(pixels, p.each * p.sets * 2) >= FULL_GPU &&
           p.each * p.sets * 2 * s->quads * 16 <= PORTABLE_POOL)
        p.sets *= 2;
    uint32_t part = div_up(pixels, p.each * p.sets) >= 2 * FULL_GPU ? 9 : 4; /* quads of channels worth an invocation */
    while (!caps->cpu && p.split * 2 * part <= s->quads && p.outputs * p.sets * p.split * 2 <= limit) {
        p.split *= 2;
        if (projection_pool(&p, s->quads) * 16 > PORTABLE_POOL) {
            p.split /= 2;
            break;
        }
    }
    p.group = (uint32_t)align_up(p.outputs * p.sets * p.split, caps->cpu ? 8 : 32);
    p.pool = projection_pool(&p, s->quads);
    return p;
}

static bool project(struct lower *l, const struct node *node, const struct scan *s, uint32_t chunk, uint32_t plane)
{
    struct net_memory x = lower_input(l, 0);
    struct gpu_range weight = op_scan_projection(l, node, s), z = z_range(l, s), taps = weight, made = z;
    if (node->front) {
        struct node convolution = *node;
        convolution.scope = node->front;
        convolution.scale = NULL; /* of node->proj */
        taps = op_dwconv_weights(l, &convolution, s->quads);
        made = scanned(l, node, s).range;
    }
    const struct projection p = choose_projection(lower_caps(l), s);
    uint32_t pixels = s->h * s->w, outputs = 4 * s->ranks4;
    const struct scan_project_push push = {pixels, s->w, s->h, plane, outputs, x.stride4, x.offset4};
    const struct lower_pass pass = {
        .shader = "scan_project",
        .binding = {{x.range, GPU_READ}, {weight, GPU_READ}, {z, GPU_WRITE}, {taps, GPU_READ}, {made, GPU_WRITE}},
        .n_bindings = 5,
        .spec = {p.group, s->quads, p.outputs, p.each, p.sets, p.split, chunk, p.pool, node->front ? node->kernel : 0, node->act},
        .n_spec = 10,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(pixels, p.each * p.sets), div_up(outputs, p.outputs), 1},
        .flops = 2.0 * pixels * s->c * 4 * (s->rank + 2),
        .bytes = (double)x.range.size + (double)weight.size + (double)z.size,
    };
    return lower_pass(l, &pass);
}

static bool whole(struct lower *l, const struct node *node, const struct scan *s, const struct whole *t, const struct net_memory *y)
{
    struct net_memory x = scanned(l, node, s);
    struct gpu_range steps = op_scan_steps(l, node, s), vectors = op_scan_vectors(l, node), z = z_range(l, s);
    uint32_t pixels = s->h * s->w;
    const struct scan_whole_push push = {pixels,    s->w,      s->h,       2 * s->quads, t->chunk * t->lines,
                                         x.stride4, x.offset4, y->stride4, y->offset4};
    const struct lower_pass pass = {
        .shader = "scan_whole",
        .binding = {{x.range, GPU_READ}, {z, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {y->range, GPU_WRITE}},
        .n_bindings = 5,
        .spec = {2 * t->lines, t->lines, t->chunk, t->pairs, s->ranks4, t->pool},
        .n_spec = 6,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(2 * lower_quads(y), t->pairs), 1, 1},
        .flops = op_scan_flops(s),
        .bytes = (double)x.range.size + (double)y->range.size + (double)z.size,
    };
    return lower_pass(l, &pass);
}

/* The two passes over the tiles; they bind x, z, steps, vectors, states first. */
static bool tiles(struct lower *l, const struct node *node, const struct scan *s, const struct net_memory *y, struct lower_pass *pass)
{
    struct net_memory x = scanned(l, node, s);
    const struct scan_tile_push push = {s->h, s->w, s->quads, lower_quads(y), s->h * s->w, x.stride4, x.offset4, y->stride4, y->offset4};
    uint32_t lanes = 4;
    pass->spec[0] = 4 * SIDE * lanes;
    pass->spec[1] = lanes;
    pass->spec[2] = s->ranks4;
    pass->n_spec = 3;
    pass->push = &push;
    pass->push_size = sizeof(push);
    pass->groups[0] = div_up(push.pad, lanes);
    pass->groups[1] = div_up(s->w, SIDE);
    pass->groups[2] = div_up(s->h, SIDE);
    pass->flops = op_scan_flops(s);
    for (uint32_t i = 0; i < pass->n_bindings; i++)
        pass->bytes += (double)pass->binding[i].range.size;
    return lower_pass(l, pass);
}

static bool scan_tiles(struct lower *l, const struct node *node, const struct scan *s, const struct net_memory *y)
{
    struct gpu_range x = scanned(l, node, s).range, z = z_range(l, s), states = states_range(l, s);
    struct gpu_range steps = op_scan_steps(l, node, s), vectors = op_scan_vectors(l, node);
    struct lower_pass local = {
        .shader = "scan_local",
        .binding = {{x, GPU_READ}, {z, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {states, GPU_WRITE}},
        .n_bindings = 5,
    };
    struct lower_pass output = {
        .shader = "scan_output",
        .binding = {{x, GPU_READ}, {z, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {states, GPU_READ}, {y->range, GPU_WRITE}},
        .n_bindings = 6,
    };
    return tiles(l, node, s, y, &local) && op_scan_carry(l, s, states) && tiles(l, node, s, y, &output);
}

bool op_scan_plain_lower(struct lower *l, const struct node *node, const struct net_memory *y)
{
    const struct scan scan = in_tiles(node), *s = &scan;
    const struct whole t = choose_whole(lower_caps(l), s);
    if (t.lines)
        return project(l, node, s, t.chunk, t.chunk * t.lines) && whole(l, node, s, &t, y);
    return project(l, node, s, 0, s->h * s->w) && scan_tiles(l, node, s, y);
}
