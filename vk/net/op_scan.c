/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four-direction selective scan: a linear recurrence for every channel and direction.
 *
 *   scan_project  z = W x: (B, C, low rank of dt) of the four directions, in planes      (4 ranks4, pixels) quads
 *
 * A small map with cooperative matrices takes two passes of its own: op_scan_planes.c. A larger one is cut into chunks of CHUNK
 * places, without planes of z:
 *
 *   scan_chunks   every chunk from zero: its product of a and last state; of every pixel what it adds to y from zero, and what
 *                 the state that its chunk starts with is multiplied by
 *   scan_carry    as below
 *   scan_sum      y, the layer norm of it (node->layer_norm) and a residual; all other ways leave these to a pass of their own
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
#include "op_common.h"
#include "../half.h"

#include <math.h>
#include <stdlib.h>

#include "shaders/iface.h"

/* What the shaders are written for. */
#define SIDE        8   /* pixels a chunk of a tile: scan.glsl */
#define RUN         16  /* scan_join.glsl */
#define CARRY_BATCH 4   /* chunks that an invocation of scan_carry loads at a time */
#define SUM_WG      256 /* invocations of scan_sum, about */
#define PLANE_ROOM  64  /* places that a plane of z may have more than the map has pixels: RUN times the longest chunk */

#define CHUNK         16    /* places of scan_chunks */
#define CHUNKS_PIXELS 16384 /* larger maps are as fast in tiles, or faster */
#define CHUNKS_WIDE   24    /* quads of channels from which larger workgroups are worth it */

#define LONG_SEQUENCE 4096 /* chunks: longer ones are cut into segments */
#define LEAST_SEGMENT (128 * CARRY_BATCH)

#define WHOLE_CHUNK   4     /* longest chunk of scan_whole: longer ones do not fit the registers */
#define WHOLE_WIDE    80    /* quads of channels from which one pair a workgroup makes too many of them */
#define FULL_GPU      256   /* workgroups */
#define PORTABLE_POOL 16384 /* bytes of shared memory that every device has */

/* Sizes fixed by the shape. */
struct scan {
    uint32_t c, h, w, rank;
    uint32_t quads;         /* of channels */
    uint32_t ranks4;        /* quads of z a direction: B, C, dt's ranks */
    uint32_t rows, columns; /* chunks of a sequence along the rows, along the columns */
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static struct scan scan_of(const struct node *node)
{
    struct scan s = {.c = node->c, .h = node->h, .w = node->w, .rank = div_up(node->c, 16), .quads = div_up(node->c, 4)};
    s.ranks4 = div_up(s.rank + 2, 4);
    s.rows = node->h * div_up(node->w, SIDE);
    s.columns = node->w * div_up(node->h, SIDE);
    return s;
}

static uint64_t z_size(const struct scan *s, bool f16)
{
    return align_up((uint64_t)(s->h * s->w + PLANE_ROOM) * 4 * s->ranks4 * (f16 ? 8 : 16), 256);
}

/* Quads of the chunks' products and states. */
static uint32_t states_quads(const struct scan *s)
{
    return 2 * (s->rows + s->columns) * s->quads * 2;
}

/* Those and the sums of segments of at least LEAST_SEGMENT chunks. */
static uint64_t states_size(const struct scan *s)
{
    uint32_t longest = max_u32(s->rows, s->columns);
    uint32_t sums = longest > LONG_SEQUENCE ? div_up(longest, LEAST_SEGMENT) * 4 * s->quads * 2 : 0;
    return align_up(((uint64_t)states_quads(s) + sums) * 16, 256);
}

static uint64_t made_size(const struct scan *s, bool f16)
{
    return (uint64_t)s->h * s->w * s->quads * (f16 ? 8 : 16);
}

/* How scan_chunks cuts the map; wg is 0 where it does not fit. */
struct chunks {
    uint32_t chunk, chunks;    /* places a chunk, chunks a workgroup */
    uint32_t wg;               /* invocations */
    uint32_t rows, w_channels; /* of the projection's weights, with zeros */
};

/* As in the shader. */
static uint32_t chunks_shared(const struct scan *s, const struct chunks *t)
{
    uint32_t places = t->chunk * t->chunks, pitch = t->w_channels / 8 + 1;
    return places * 4 + 16 * pitch * (places + t->rows) + 16 * places * (t->rows / 4 + 1) + 16 * places * s->quads;
}

static struct chunks choose_chunks(const struct net_target *target, const struct net_memory *x, const struct scan *s)
{
    const struct gpu_caps *caps = target->caps;
    struct chunks t = {.chunk = CHUNK, .chunks = 1};
    if (!target->matrices || s->h * s->w > CHUNKS_PIXELS || (x->offset4 | x->stride4) % 2)
        return t;
    t.rows = (uint32_t)align_up(8 * s->ranks4, caps->coop.m);
    t.w_channels = (uint32_t)align_up(4 * s->quads, caps->coop.k);
    while (t.chunk * t.chunks % caps->coop.n)
        t.chunks *= 2;
    const uint32_t least = s->quads < CHUNKS_WIDE ? 128 : 256, invocations = 4 * s->quads;
    struct chunks more = t;
    while (chunks_shared(s, &more) <= caps->shared_memory && more.chunks * invocations <= caps->max_invocations) {
        t = more;
        t.wg = (uint32_t)align_up(t.chunks * invocations, caps->subgroup_size);
        if (t.chunks * invocations >= least)
            break;
        more.chunks *= 2;
    }
    if (t.wg > caps->max_invocations)
        t.wg = 0;
    return t;
}

static uint64_t terms_size(const struct scan *s, bool f16)
{
    return align_up((uint64_t)s->h * s->w * 6 * s->quads * (f16 ? 8 : 16), 256);
}

/* The sizes of a scan in chunks: every sequence has as many. */
static struct scan in_chunks(struct scan s, const struct chunks *t)
{
    s.rows = s.columns = div_up(s.h * s.w, t->chunk);
    return s;
}

/* Scratch of all passes but the layer norm after them. */
static uint64_t scan_scratch(const struct node *node, const struct net_memory *x, const struct net_target *target)
{
    if (op_scan_planes_fits(target, node, x))
        return op_scan_planes_scratch(target->caps, node);
    struct scan s = scan_of(node);
    const struct chunks t = choose_chunks(target, x, &s);
    if (t.wg && !node->front) {
        s = in_chunks(s, &t);
        return terms_size(&s, target->f16) + states_size(&s);
    }
    return align_up(z_size(&s, target->f16) + states_size(&s) + (node->front ? made_size(&s, target->f16) : 0), 256);
}

uint64_t op_scan_scratch(const struct node *node, const struct net_memory *in, const struct net_target *target)
{
    const struct scan s = scan_of(node);
    return scan_scratch(node, &in[0], target) + (node->layer_norm ? made_size(&s, target->f16) : 0);
}

/* Where the scan's own result goes: with a layer norm behind it, to the scratch. */
static struct net_memory scan_result(const struct lower *l, const struct node *node)
{
    if (!node->layer_norm)
        return lower_output(l);
    const struct scan s = scan_of(node);
    const struct net_memory x = lower_input(l, 0);
    uint64_t at = scan_scratch(node, &x, lower_target(l));
    return (struct net_memory){
        .range = lower_scratch(l, at, made_size(&s, lower_f16(l))), .c = s.c, .h = s.h, .w = s.w, .stride4 = s.quads, .f16 = lower_f16(l)};
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
    while (2 * align_up(div_up(pixels, t.chunk), RUN) > limit && t.chunk < WHOLE_CHUNK)
        t.chunk *= 2;
    uint32_t lines = (uint32_t)align_up(div_up(pixels, t.chunk), RUN), weights = 4 * s->ranks4 * 2 * t.pairs * 16;
    t.pool = t.pairs * max_u32(4 * lines / RUN * (2 * RUN + 4), pixels + pixels / 4 + s->h / 4 + 1);
    if (2 * lines <= limit && t.pool * 8 + weights <= caps->shared_memory)
        t.lines = lines;
    return t;
}

/* ---- parameters ------------------------------------------------------------------------------ */

#define LN_2   0.69314718f
#define LOG2_E 1.44269504f /* exponents are to the base of 2: scan_math.glsl */

/* Place in z of row i of x_proj_weight (dt's ranks, B, C): B and C first, so that one quad holds both. */
static uint32_t place_in_z(const struct scan *s, uint32_t i)
{
    return i < s->rank ? 2 + i : i - s->rank;
}

/* x_proj_weight (4, rank + 2, c) as (4 quads, 4, ranks4) quads of the storage type. */
static struct gpu_range upload_projection(struct lower *l, const struct node *node, const struct scan *s)
{
    uint32_t rows = s->rank + 2, width = 16 * s->ranks4;
    const float *from = lower_read(l, node->scope, "x_proj_weight", 3, (const uint64_t[]){4 * rows, s->c, 1});
    size_t count = (size_t)s->quads * 4 * width;
    float *to = lower_alloc(l, count * sizeof(*to));
    if (!from || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t c = 0; c < s->c; c++)
                to[c * width + k * 4 * s->ranks4 + place_in_z(s, i)] = from[(k * rows + i) * s->c + c] * (i == s->rank ? LN_2 : 1);
    if (!lower_f16(l))
        return lower_upload(l, to, count * sizeof(*to));
    uint16_t *half = lower_alloc(l, count * sizeof(*half));
    for (size_t i = 0; half && i < count; i++)
        half[i] = half_from_float(to[i]);
    return lower_upload(l, half, count * sizeof(*half));
}

/* dt_projs_weight (4, c, rank) as (4, ranks4, 4 quads) quads that match z's: zeros for B and C and past the rank. */
static struct gpu_range upload_steps(struct lower *l, const struct node *node, const struct scan *s)
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

/* Vectors of the channels: dt's bias (4), A (4), and the sum of D over the directions. */
struct gpu_range op_scan_vectors(struct lower *l, const struct node *node)
{
    const struct scan scan = scan_of(node), *s = &scan;
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

/* ---- passes ---------------------------------------------------------------------------------- */

static struct gpu_range z_range(const struct lower *l, const struct scan *s)
{
    return lower_scratch(l, 0, z_size(s, lower_f16(l)));
}

static struct gpu_range states_range(const struct lower *l, const struct scan *s)
{
    return lower_scratch(l, z_size(s, lower_f16(l)), states_size(s));
}

/* What the passes after the first scan: the node's input or what the first has made of it. */
static struct net_memory scanned(const struct lower *l, const struct node *node, const struct scan *s)
{
    struct net_memory x = lower_input(l, 0);
    bool f16 = lower_f16(l);
    if (node->front) {
        x.range = lower_scratch(l, z_size(s, f16) + states_size(s), made_size(s, f16));
        x.stride4 = s->quads;
        x.offset4 = 0;
    }
    return x;
}

static double scan_flops(const struct scan *s)
{
    return 4.0 * s->h * s->w * s->c * (2.0 * s->rank + 24);
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
    struct gpu_range weight = upload_projection(l, node, s), z = z_range(l, s), taps = weight, made = z;
    if (node->front) {
        struct node convolution = *node;
        convolution.scope = node->front;
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

static bool whole(struct lower *l, const struct node *node, const struct scan *s, const struct whole *t)
{
    struct net_memory x = scanned(l, node, s), y = scan_result(l, node);
    struct gpu_range steps = upload_steps(l, node, s), vectors = op_scan_vectors(l, node), z = z_range(l, s);
    uint32_t pixels = s->h * s->w;
    const struct scan_whole_push push = {pixels, s->w, s->h, 2 * s->quads, t->chunk * t->lines, x.stride4, x.offset4, y.stride4, y.offset4};
    const struct lower_pass pass = {
        .shader = "scan_whole",
        .binding = {{x.range, GPU_READ}, {z, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {y.range, GPU_WRITE}},
        .n_bindings = 5,
        .spec = {2 * t->lines, t->lines, t->chunk, t->pairs, s->ranks4, t->pool},
        .n_spec = 6,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(2 * lower_quads(&y), t->pairs), 1, 1},
        .flops = scan_flops(s),
        .bytes = (double)x.range.size + (double)y.range.size + (double)z.size,
    };
    return lower_pass(l, &pass);
}

/* The two passes over the tiles; they bind x, z, steps, vectors, states first. */
static bool tiles(struct lower *l, const struct node *node, const struct scan *s, struct lower_pass *pass)
{
    struct net_memory x = scanned(l, node, s), y = scan_result(l, node);
    const struct scan_tile_push push = {s->h, s->w, s->quads, lower_quads(&y), s->h * s->w, x.stride4, x.offset4, y.stride4, y.offset4};
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
    pass->flops = scan_flops(s);
    for (uint32_t i = 0; i < pass->n_bindings; i++)
        pass->bytes += (double)pass->binding[i].range.size;
    return lower_pass(l, pass);
}

/* Invocations that share a sequence: few chunks each, within what the device has. */
static uint32_t carry_lines(const struct gpu_caps *caps, uint32_t chunks)
{
    uint32_t lines = (uint32_t)align_up(div_up(chunks, CARRY_BATCH), RUN);
    uint32_t most = min_u32(caps->max_invocations / RUN, caps->shared_memory / (16 * (2 * RUN + 4))) * RUN;
    return caps->cpu ? RUN : min_u32(lines, min_u32(most, 1024));
}

enum carry_step { CARRY_WHOLE, CARRY_REDUCE, CARRY_APPLY };

static bool carry_pass(struct lower *l, const struct scan *s, struct gpu_range states, enum carry_step step, uint32_t lines)
{
    const struct scan_carry_push push = {s->quads, s->rows, s->columns, states_quads(s)};
    uint32_t longest = max_u32(s->rows, s->columns);
    const struct lower_pass pass = {
        .shader = "scan_carry",
        .binding = {{states, GPU_READ_WRITE}},
        .n_bindings = 1,
        .spec = {lines, lines, lines / RUN * (2 * RUN + 4), step},
        .n_spec = 4,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {s->quads, 4, step == CARRY_WHOLE ? 1 : div_up(longest, lines * CARRY_BATCH)},
        .flops = (double)states_size(s) / 2,
        .bytes = (double)states_size(s) * (step == CARRY_REDUCE ? 1 : 1.5),
    };
    return lower_pass(l, &pass);
}

static bool carry(struct lower *l, const struct scan *s, struct gpu_range states)
{
    const struct gpu_caps *caps = lower_caps(l);
    uint32_t longest = max_u32(s->rows, s->columns), lines = min_u32(caps->max_invocations / RUN * RUN, 256);
    if (caps->cpu || longest <= LONG_SEQUENCE)
        return carry_pass(l, s, states, CARRY_WHOLE, carry_lines(caps, longest));
    return carry_pass(l, s, states, CARRY_REDUCE, lines) && carry_pass(l, s, states, CARRY_APPLY, lines);
}

static bool scan_tiles(struct lower *l, const struct node *node, const struct scan *s)
{
    struct gpu_range x = scanned(l, node, s).range, z = z_range(l, s), states = states_range(l, s);
    struct gpu_range steps = upload_steps(l, node, s), vectors = op_scan_vectors(l, node);
    struct lower_pass local = {
        .shader = "scan_local",
        .binding = {{x, GPU_READ}, {z, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {states, GPU_WRITE}},
        .n_bindings = 5,
    };
    struct lower_pass output = {
        .shader = "scan_output",
        .binding = {{x, GPU_READ},
                    {z, GPU_READ},
                    {steps, GPU_READ},
                    {vectors, GPU_READ},
                    {states, GPU_READ},
                    {scan_result(l, node).range, GPU_WRITE}},
        .n_bindings = 6,
    };
    return tiles(l, node, s, &local) && carry(l, s, states) && tiles(l, node, s, &output);
}

/* x_proj_weight (4, rank + 2, c) as (rows or columns, both ways of z's rows, channels) halves. */
static struct gpu_range upload_both_ways(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t)
{
    uint32_t rows = s->rank + 2;
    size_t count = (size_t)2 * t->rows * t->w_channels;
    const float *from = lower_read(l, node->scope, "x_proj_weight", 3, (const uint64_t[]){4 * rows, s->c, 1});
    uint16_t *to = lower_alloc(l, count * sizeof(*to));
    if (!from || !to)
        return lower_upload(l, NULL, 0);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t c = 0; c < s->c; c++)
                to[(k % 2 * t->rows + k / 2 * 4 * s->ranks4 + place_in_z(s, i)) * t->w_channels + c] =
                    half_from_float(from[(k * rows + i) * s->c + c] * (i == s->rank ? LN_2 : 1));
    return lower_upload(l, to, count * sizeof(*to));
}

static bool chunks(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t, struct gpu_range terms,
                   struct gpu_range states)
{
    struct net_memory x = lower_input(l, 0);
    struct gpu_range weight = upload_both_ways(l, node, s, t), steps = upload_steps(l, node, s), vectors = op_scan_vectors(l, node);
    const struct gpu_caps *caps = lower_caps(l);
    const struct scan_chunks_push push = {s->h * s->w, s->w, s->h, s->rows, x.stride4, x.offset4};
    return lower_pass(
        l,
        &(struct lower_pass){
            .shader = "scan_chunks",
            .binding =
                {{x.range, GPU_READ}, {weight, GPU_READ}, {steps, GPU_READ}, {vectors, GPU_READ}, {terms, GPU_WRITE}, {states, GPU_WRITE}},
            .n_bindings = 6,
            .spec = {t->wg, t->wg / caps->subgroup_size, s->quads, s->ranks4, t->chunk, t->chunks, caps->coop.m, caps->coop.n,
                     caps->coop.k},
            .n_spec = 9,
            .subgroup_size = caps->subgroup_size,
            .push = &push,
            .push_size = sizeof(push),
            .groups = {div_up(s->rows, t->chunks), 2, 1},
            .flops = scan_flops(s) + 8.0 * push.pixels * s->c * (s->rank + 2),
            .bytes = 2 * op_tensor_bytes(&x) + (double)terms.size + (double)states.size,
        });
}

/* The sum of the directions, the layer norm of it, a residual. */
static bool sum(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t, struct gpu_range terms,
                struct gpu_range states)
{
    struct net_memory y = lower_output(l), r = node->residual ? lower_residual(l) : y;
    uint32_t nq = lower_quads(&y), each = div_up(nq, 32), lanes = div_up(nq, each);
    struct gpu_range parameters = node->layer_norm ? op_layer_norm_parameters(l, node, node->layer_norm, nq) : states;
    const struct scan_sum_push push = {.pixels = s->h * s->w,
                                       .w = s->w,
                                       .h = s->h,
                                       .chunks = s->rows,
                                       .quads = s->quads,
                                       .c = s->c,
                                       .nq = nq,
                                       .y_stride = y.stride4,
                                       .y_offset = y.offset4,
                                       .r_stride = r.stride4,
                                       .r_offset = r.offset4,
                                       .eps = LAYER_NORM_EPS};
    struct lower_pass pass = {
        .shader = "scan_sum",
        .binding = {{terms, GPU_READ},
                    {states, GPU_READ},
                    {parameters, GPU_READ},
                    {node->residual ? r.range : terms, GPU_READ},
                    {y.range, GPU_WRITE}},
        .n_bindings = 5,
        .spec = {lanes * max_u32(1, SUM_WG / lanes), lanes, each, t->chunk, node->layer_norm != NULL, node->residual != 0},
        .n_spec = 6,
        .push = &push,
        .push_size = sizeof(push),
        .flops = 28.0 * push.pixels * s->c,
        .bytes = (double)terms.size + op_tensor_bytes(&y) * (node->residual ? 2 : 1),
    };
    op_flat_groups(push.pixels, pass.spec[0] / lanes, pass.groups);
    return lower_pass(l, &pass);
}

static bool scan_chunks(struct lower *l, const struct node *node, const struct scan *s, const struct chunks *t)
{
    uint64_t first = terms_size(s, lower_f16(l));
    struct gpu_range terms = lower_scratch(l, 0, first), states = lower_scratch(l, first, states_size(s));
    return chunks(l, node, s, t, terms, states) && carry(l, s, states) && sum(l, node, s, t, terms, states);
}

/* The passes that leave a layer norm to a pass of its own. */
static bool scan_alone(struct lower *l, const struct node *node, const struct scan *s)
{
    struct net_memory x = lower_input(l, 0), y = scan_result(l, node);
    if (op_scan_planes_fits(lower_target(l), node, &x))
        return op_scan_planes_lower(l, node, &y);
    const struct whole t = choose_whole(lower_caps(l), s);
    if (t.lines)
        return project(l, node, s, t.chunk, t.chunk * t.lines) && whole(l, node, s, &t);
    return project(l, node, s, 0, s->h * s->w) && scan_tiles(l, node, s);
}

bool op_scan_lower(struct lower *l, const struct node *node)
{
    struct scan s = scan_of(node);
    const struct net_memory x = lower_input(l, 0);
    const struct chunks t = choose_chunks(lower_target(l), &x, &s);
    if (t.wg && !node->front && !op_scan_planes_fits(lower_target(l), node, &x)) {
        s = in_chunks(s, &t);
        return scan_chunks(l, node, &s, &t);
    }
    const struct net_memory y = scan_result(l, node);
    return scan_alone(l, node, &s) && (!node->layer_norm || op_layer_norm_pass(l, node, node->layer_norm, &y));
}
