/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four-direction selective scan: a linear recurrence for every channel and direction, cut into chunks of SIDE pixels.
 *
 *   scan_project  z = W x: (B, C, low rank of dt) of the four directions       (pixels, 4, ranks4) quads
 *   scan_local    every chunk from zero: product of a, last state              (chunks, quads) each
 *   scan_reduce   sums of segments of chunks; only where there are many        (4, segments, 2, quads)
 *   scan_carry    the states that the chunks start with, in place of the last ones
 *   scan_output   every chunk again from its state, D u, the sum of the directions
 *
 * All but x and y is float32, in one scratch buffer. dt is computed twice rather than stored: it would be four times as
 * large as a float32 x.
 */
#include "lower.h"

#include <math.h>

#include "shaders/iface.h"

/* What the shaders are written for. */
#define SIDE        8   /* pixels a chunk: scan.glsl */
#define GROUP       128 /* invocations of every workgroup */
#define CARRY_LINES 16  /* segments a workgroup: scan_carry.glsl */
#define CARRY_LANES 8   /* quads a workgroup: scan_carry.glsl */

#define LONG_SEQUENCE 512 /* chunks: up to here one workgroup carries a whole sequence */

/* Sizes fixed by the shape; the parts of the scratch begin at the given quads (z at 0). */
struct scan {
    uint32_t c, h, w, rank;
    uint32_t quads;             /* of channels */
    uint32_t ranks4;            /* quads of z a direction: B, C, dt's ranks */
    uint32_t rows, columns;     /* chunks of a sequence along the rows, along the columns */
    uint32_t segment, segments; /* chunks a segment, segments a sequence */
    bool reduce;
    uint32_t products, states, sums, size;
};

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static struct scan scan_of(const struct node *node)
{
    struct scan s = {.c = node->c, .h = node->h, .w = node->w, .rank = div_up(node->c, 16), .quads = div_up(node->c, 4)};
    s.ranks4 = div_up(s.rank + 2, 4);
    s.rows = node->h * div_up(node->w, SIDE);
    s.columns = node->w * div_up(node->h, SIDE);
    uint32_t longest = max_u32(s.rows, s.columns);
    s.reduce = longest > LONG_SEQUENCE;
    s.segment = s.reduce ? (longest > 8 * LONG_SEQUENCE ? 32 : 16) : div_up(longest, CARRY_LINES);
    s.segments = div_up(longest, s.segment);
    s.products = node->h * node->w * 4 * s.ranks4;
    s.states = s.products + 2 * (s.rows + s.columns) * s.quads;
    s.sums = s.states + 2 * (s.rows + s.columns) * s.quads;
    s.size = s.sums + (s.reduce ? 4 * s.segments * 2 * s.quads : 0);
    return s;
}

uint64_t op_scan_scratch(const struct node *node, const struct net_memory *in, bool f16)
{
    (void)in;
    (void)f16;
    return (uint64_t)scan_of(node).size * 16;
}

/* ---- parameters ------------------------------------------------------------------------------ */

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
                to[c * width + k * 4 * s->ranks4 + place_in_z(s, i)] = from[(k * rows + i) * s->c + c];
    if (!lower_f16(l))
        return lower_upload(l, to, count * sizeof(*to));
    uint16_t *half = lower_alloc(l, count * sizeof(*half));
    for (size_t i = 0; half && i < count; i++)
        half[i] = lower_half(to[i]);
    return lower_upload(l, half, count * sizeof(*half));
}

/* dt_projs_weight (4, c, rank) as (4, 4 ranks4 - 2, 4 quads), zeros past the rank. */
static void put_steps(const struct scan *s, const float *from, float *to)
{
    uint32_t width = 4 * s->quads;
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t c = 0; c < s->c; c++)
            for (uint32_t i = 0; i < s->rank; i++)
                to[(k * (4 * s->ranks4 - 2) + i) * width + c] = from[(k * s->c + c) * s->rank + i];
}

/* Vectors of the channels: dt's bias (4), A log2(e) (4), and the sum of D over the directions. */
static void put_vectors(const struct scan *s, const float *bias, const float *a_logs, const float *d, float *to)
{
    uint32_t width = 4 * s->quads;
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t c = 0; c < s->c; c++) {
            to[k * width + c] = bias[k * s->c + c];
            to[(4 + k) * width + c] = (float)(-exp((double)a_logs[k * s->c + c]) * 1.4426950408889634);
            to[8 * width + c] += d[k * s->c + c];
        }
}

static struct gpu_range upload_parameters(struct lower *l, const struct node *node, const struct scan *s)
{
    const float *steps = lower_read(l, node->scope, "dt_projs_weight", 3, (const uint64_t[]){4, s->c, s->rank});
    const float *bias = lower_read(l, node->scope, "dt_projs_bias", 2, (const uint64_t[]){4, s->c});
    const float *a_logs = lower_read(l, node->scope, "A_logs", 2, (const uint64_t[]){4 * s->c, 1});
    const float *d = lower_read(l, node->scope, "Ds", 1, (const uint64_t[]){4 * s->c});
    size_t width = 4 * s->quads, vectors = 4 * (4 * (size_t)s->ranks4 - 2) * width, count = vectors + 9 * width;
    float *to = lower_alloc(l, count * sizeof(*to));
    if (!steps || !bias || !a_logs || !d || !to)
        return lower_upload(l, NULL, 0);
    put_steps(s, steps, to);
    put_vectors(s, bias, a_logs, d, to + vectors);
    return lower_upload(l, to, count * sizeof(*to));
}

/* ---- passes ---------------------------------------------------------------------------------- */

static struct gpu_range scratch(const struct lower *l, const struct scan *s)
{
    return lower_scratch(l, 0, (uint64_t)s->size * 16);
}

static double z_bytes(const struct scan *s)
{
    return (double)s->products * 16;
}

static double state_bytes(const struct scan *s)
{
    return (double)(s->sums - s->products) * 16;
}

/* Pixels an invocation: as many as leave enough invocations to fill a device. */
static uint32_t pixels_of_invocation(const struct lower *l, uint64_t quads)
{
    if (lower_caps(l)->cpu || quads / 8 >= 65536)
        return 8;
    return quads / 4 >= 16384 ? 4 : 2;
}

static bool project(struct lower *l, const struct node *node, const struct scan *s)
{
    struct net_memory x = lower_input(l, 0);
    struct gpu_range weight = upload_projection(l, node, s);
    uint32_t pixels = s->h * s->w, outputs = 4 * s->ranks4, each = pixels_of_invocation(l, (uint64_t)pixels * outputs);
    const struct scan_project_push push = {pixels, s->quads, outputs, x.stride4, x.offset4};
    const struct lower_pass pass = {
        .shader = "scan_project",
        .binding = {{x.range, GPU_READ}, {weight, GPU_READ}, {scratch(l, s), GPU_WRITE}},
        .n_bindings = 3,
        .spec = {each},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(div_up(pixels, each) * outputs, GROUP), 1, 1},
        .flops = 2.0 * pixels * s->c * 4 * (s->rank + 2),
        .bytes = (double)x.range.size + (double)weight.size + z_bytes(s),
    };
    return lower_pass(l, &pass);
}

static struct scan_tile_push tile_push(const struct lower *l, const struct scan *s)
{
    struct net_memory x = lower_input(l, 0), y = lower_output(l);
    return (struct scan_tile_push){
        .h = s->h,
        .w = s->w,
        .quads = s->quads,
        .pad = lower_quads(&y),
        .x_stride = x.stride4,
        .x_offset = x.offset4,
        .y_stride = y.stride4,
        .y_offset = y.offset4,
        .ranks = s->ranks4,
        .products = s->products,
        .states = s->states,
    };
}

/* The two passes over the tiles: a workgroup takes `lanes` quads of one tile or of two side by side. */
static bool tiles(struct lower *l, const struct scan *s, struct lower_pass *pass)
{
    const struct scan_tile_push push = tile_push(l, s);
    uint32_t lanes = div_up(push.pad, 8) % 2 ? 8 : 16;
    double steps = 4.0 * s->h * s->w * s->c;
    pass->spec[0] = lanes;
    pass->n_spec = 1;
    pass->push = &push;
    pass->push_size = sizeof(push);
    pass->groups[0] = div_up(push.pad, lanes);
    pass->groups[1] = div_up(div_up(s->w, SIDE), GROUP / (SIDE * lanes));
    pass->groups[2] = div_up(s->h, SIDE);
    pass->flops = steps * (2.0 * s->rank + 24);
    pass->bytes = (double)pass->binding[0].range.size + z_bytes(s);
    return lower_pass(l, pass);
}

static bool local(struct lower *l, const struct scan *s, struct gpu_range parameters)
{
    struct lower_pass pass = {
        .shader = "scan_local",
        .binding = {{lower_input(l, 0).range, GPU_READ}, {scratch(l, s), GPU_READ_WRITE}, {parameters, GPU_READ}},
        .n_bindings = 3,
    };
    return tiles(l, s, &pass);
}

static bool output(struct lower *l, const struct scan *s, struct gpu_range parameters)
{
    struct lower_pass pass = {
        .shader = "scan_output",
        .binding = {{lower_input(l, 0).range, GPU_READ},
                    {scratch(l, s), GPU_READ},
                    {parameters, GPU_READ},
                    {lower_output(l).range, GPU_WRITE}},
        .n_bindings = 4,
    };
    return tiles(l, s, &pass);
}

static bool carry(struct lower *l, const struct scan *s, const char *shader)
{
    const struct scan_carry_push push = {s->quads, s->rows, s->columns, s->segment, s->segments, s->products, s->states, s->sums};
    const struct lower_pass pass = {
        .shader = shader,
        .binding = {{scratch(l, s), GPU_READ_WRITE}},
        .n_bindings = 1,
        .spec = {s->reduce},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {div_up(s->quads, CARRY_LANES), div_up(s->segments, CARRY_LINES), 4},
        .flops = state_bytes(s) / 2,
        .bytes = state_bytes(s) * 1.5,
    };
    return lower_pass(l, &pass);
}

bool op_scan_lower(struct lower *l, const struct node *node)
{
    const struct scan s = scan_of(node);
    struct gpu_range parameters = upload_parameters(l, node, &s);
    if (!project(l, node, &s) || !local(l, &s, parameters))
        return false;
    if (s.reduce && !carry(l, &s, "scan_reduce"))
        return false;
    return carry(l, &s, "scan_carry") && output(l, &s, parameters);
}
