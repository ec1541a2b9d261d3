/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selective scan of a small map where there are cooperative matrices: two passes.
 *
 *   scan_steps   u along rows and columns, dt of every channel, B and C of every direction, in planes of halves
 *   scan_planes  the rest: a workgroup scans some channels over the whole map
 *
 * dt is four times as large as x, but each of its values is made once, by matrices, and read once.
 */
#include "../half.h"
#include "op_scan.h"
#include "shaders/iface.h"

#define SUBGROUPS      16   /* of scan_steps */
#define CHUNK          8    /* places of an invocation of scan_planes */
#define FULL_GPU       100  /* workgroups of scan_steps */
#define FEW            64   /* workgroups of scan_planes: fewer are not worth more channels in each */
#define MOST           1024 /* invocations of scan_planes: larger maps were no faster than in tiles */
#define MOST_SUBGROUPS 32   /* that a workgroup of scan_planes may have on every device known */

/* Sizes of both passes. */
struct planes {
    const struct gpu_caps *caps;
    uint32_t c, h, w, rank, quads;
    uint32_t rows, plane;                                /* channels with zeros; places of a plane */
    uint32_t subgroups, directions, tiles, parts, strip; /* scan_steps */
    uint32_t rows1, columns1, rows2, columns2;           /* matrices of both products' weights, a direction */
    uint32_t shared;                                     /* bytes */
    uint32_t lines, channels;                            /* scan_planes */
};

/* As in the shader. */
static uint32_t steps_shared(const struct planes *p, uint32_t tiles, uint32_t parts)
{
    const struct gpu_coop *coop = &p->caps->coop;
    uint32_t px = tiles * coop->n;
    uint32_t patches = p->subgroups * coop->m * (coop->n / 8 + 1);
    return 16 * (max_u32(px * (p->rows / 8 + 1), patches) +
                 p->directions * (parts * p->rows1 * coop->m * (px / 4 + 1) + p->columns2 * coop->k * (px / 8 + 1)));
}

/* Places a workgroup: few where there are few; then parts of the channels until every subgroup has a share of the first product. */
static void choose_steps(struct planes *p, const struct node *node)
{
    const struct gpu_caps *caps = p->caps;
    p->directions = 2 * div_up(p->h * p->w, caps->coop.n) < FULL_GPU ? 1 : 2;
    p->subgroups = min_u32(SUBGROUPS, caps->max_invocations / caps->subgroup_size);
    p->tiles = 4;
    while (p->tiles > 1 && 4 / p->directions * div_up(p->h * p->w, p->tiles * caps->coop.n) < FULL_GPU)
        p->tiles /= 2;
    while (p->tiles > 1 && steps_shared(p, p->tiles, 1) > caps->shared_memory)
        p->tiles /= 2;
    p->parts = max_u32(1, min_u32(p->columns1, p->subgroups / (p->directions * p->rows1 * p->tiles)));
    while (p->parts > 1 && steps_shared(p, p->tiles, p->parts) > caps->shared_memory)
        p->parts--;
    p->shared = steps_shared(p, p->tiles, p->parts);
    uint32_t items = p->tiles * caps->coop.n * div_up(p->quads, 2), wg = p->subgroups * caps->subgroup_size;
    p->strip = 1;
    while (node->front && p->strip < 4 && p->h % (2 * p->strip) == 0 && p->w % (2 * p->strip) == 0 && items / p->strip > wg)
        p->strip *= 2;
}

static uint32_t most_invocations(const struct gpu_caps *caps)
{
    return min_u32(MOST, min_u32(caps->max_invocations, MOST_SUBGROUPS * caps->subgroup_size));
}

/* As many channels a workgroup as it holds, but enough workgroups. */
static void choose_planes(struct planes *p)
{
    p->lines = (uint32_t)align_up(div_up(p->h * p->w, CHUNK), p->caps->subgroup_size);
    p->channels = p->quads >= FEW && 8 * p->lines <= most_invocations(p->caps) ? 4 : 2;
}

static struct planes planes_of(const struct gpu_caps *caps, const struct node *node)
{
    const struct scan s = op_scan_sizes(node);
    struct planes p = {.caps = caps, .c = s.c, .h = s.h, .w = s.w, .rank = s.rank, .quads = s.quads};
    const struct gpu_coop *coop = &caps->coop;
    p.rows = (uint32_t)align_up(4 * p.quads, max_u32(coop->m, coop->k));
    p.rows1 = div_up(p.rank + 2, coop->m);
    p.columns1 = p.rows / coop->k;
    p.rows2 = p.rows / coop->m;
    p.columns2 = div_up(p.rank + 2, coop->k);
    choose_steps(&p, node);
    choose_planes(&p);
    p.plane = (uint32_t)align_up(max_u32(p.lines * CHUNK, p.h * p.w), p.tiles * coop->n);
    return p;
}

static uint64_t planes_size(const struct planes *p)
{
    return align_up((uint64_t)(6 * p->rows + 8) * p->plane * 2, 256);
}

static uint32_t pool_of(const struct planes *p)
{
    return p->channels * (p->h * p->w + p->h);
}

bool op_scan_planes_fits(const struct net_target *target, const struct node *node, const struct net_memory *x)
{
    const struct gpu_caps *caps = target->caps;
    if (!target->matrices || !caps->subgroup_shuffle || (x->offset4 | x->stride4) % 2)
        return false;
    const struct planes p = planes_of(caps, node);
    uint32_t invocations = 2 * p.lines * p.channels;
    return p.shared <= caps->shared_memory && invocations <= most_invocations(caps) &&
           4 * pool_of(&p) + 16 * invocations / caps->subgroup_size <= caps->shared_memory;
}

uint64_t op_scan_planes_scratch(const struct gpu_caps *caps, const struct node *node)
{
    const struct planes p = planes_of(caps, node);
    return planes_size(&p);
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* A matrix (rows, columns) of matrices m x k, one after the other. */
struct blocks {
    uint16_t *to;
    uint32_t m, k, columns;
};

static void put(const struct blocks *b, uint32_t row, uint32_t column, float v)
{
    size_t block = (size_t)(row / b->m) * b->columns + column / b->k;
    b->to[(block * b->m + row % b->m) * b->k + column % b->k] = half_from_float(v);
}

/* x_proj_weight (4, rank + 2, c), rows in the order B, C, dt's ranks. */
static struct gpu_range upload_projection(struct lower *l, const struct node *node, const struct planes *p)
{
    uint32_t rows = p->rank + 2, m = p->caps->coop.m, k = p->caps->coop.k;
    size_t each = (size_t)p->rows1 * p->columns1 * m * k;
    const float *from = lower_read(l, node->scope, "x_proj_weight", 3, (const uint64_t[]){4 * rows, p->c, 1});
    uint16_t *to = lower_alloc(l, 4 * each * sizeof(*to));
    if (!from || !to)
        return (struct gpu_range){0};
    for (uint32_t d = 0; d < 4; d++) {
        const struct blocks b = {to + d * each, m, k, p->columns1};
        for (uint32_t i = 0; i < rows; i++)
            for (uint32_t c = 0; c < p->c; c++)
                put(&b, (i + 2) % rows, c, from[(d * rows + i) * p->c + c] * (i == p->rank ? LN_2 : 1));
    }
    return lower_upload(l, to, 4 * each * sizeof(*to));
}

/* dt_projs_weight (4, c, rank), and the bias as two more columns: a half and what it leaves. */
static struct gpu_range upload_steps(struct lower *l, const struct node *node, const struct planes *p)
{
    uint32_t m = p->caps->coop.m, k = p->caps->coop.k;
    size_t each = (size_t)p->rows2 * p->columns2 * m * k;
    const float *from = lower_read(l, node->scope, "dt_projs_weight", 3, (const uint64_t[]){4, p->c, p->rank});
    const float *bias = lower_read(l, node->scope, "dt_projs_bias", 2, (const uint64_t[]){4, p->c});
    uint16_t *to = lower_alloc(l, 4 * each * sizeof(*to));
    if (!from || !bias || !to)
        return (struct gpu_range){0};
    for (uint32_t d = 0; d < 4; d++) {
        const struct blocks b = {to + d * each, m, k, p->columns2};
        for (uint32_t c = 0; c < p->c; c++) {
            float v = bias[d * p->c + c] * LOG2_E, coarse = half_to_float(half_from_float(v));
            for (uint32_t i = 0; i < p->rank; i++)
                put(&b, c, i, from[(d * p->c + c) * p->rank + i] * LOG2_E);
            put(&b, c, p->rank, coarse);
            put(&b, c, p->rank + 1, v - coarse);
        }
    }
    return lower_upload(l, to, 4 * each * sizeof(*to));
}

/* ---- passes ---------------------------------------------------------------------------------- */

static bool make_steps(struct lower *l, const struct node *node, const struct planes *p, struct gpu_range planes)
{
    const struct gpu_coop *coop = &p->caps->coop;
    struct net_memory x = lower_input(l, 0);
    struct gpu_range projection = upload_projection(l, node, p), steps = upload_steps(l, node, p), taps = steps;
    if (!projection.size || !steps.size)
        return false;
    if (node->front) {
        struct node convolution = *node;
        convolution.scope = node->front;
        convolution.scale = NULL; /* of node->proj */
        taps = op_dwconv_weights(l, &convolution, (uint32_t)align_up(p->quads, 2));
        if (!taps.size)
            return false;
    }
    uint32_t pixels = p->h * p->w;
    const struct scan_steps_push push = {pixels, p->w, p->h, x.stride4, x.offset4};
    return lower_pass(
        l, &(struct lower_pass){
               .shader = "scan_steps",
               .binding = {{x.range, GPU_READ}, {projection, GPU_READ}, {steps, GPU_READ}, {planes, GPU_WRITE}, {taps, GPU_READ}},
               .n_bindings = 5,
               .spec = {p->subgroups * p->caps->subgroup_size, p->subgroups, p->quads, p->rank, p->tiles, p->parts, coop->m, coop->n,
                        coop->k, node->front ? node->kernel : 0, node->act, p->strip, p->directions},
               .n_spec = 13,
               .subgroup_size = p->caps->subgroup_size,
               .push = &push,
               .push_size = sizeof(push),
               .groups = {div_up(pixels, p->tiles * coop->n), 4 / p->directions, 1},
               .flops = 2.0 * pixels * p->c * 4 * (2 * p->rank + 2),
               .bytes = (double)x.range.size + (double)projection.size + (double)steps.size + (double)planes.size,
           });
}

static bool scan(struct lower *l, const struct node *node, const struct planes *p, struct gpu_range planes, const struct net_memory *y)
{
    struct gpu_range vectors = op_scan_vectors(l, node);
    uint32_t pixels = p->h * p->w;
    const struct scan_planes_push push = {p->rows, 4 * p->quads, y->stride4, y->offset4};
    return lower_pass(l,
                      &(struct lower_pass){
                          .shader = "scan_planes",
                          .binding = {{planes, GPU_READ}, {vectors, GPU_READ}, {y->range, GPU_WRITE}},
                          .n_bindings = 3,
                          .spec = {2 * p->lines * p->channels, p->lines, p->channels, p->caps->subgroup_size, p->caps->coop.n, p->w, p->h},
                          .n_spec = 7,
                          .subgroup_size = p->caps->subgroup_size,
                          .push = &push,
                          .push_size = sizeof(push),
                          .groups = {div_up(4 * lower_quads(y), p->channels), 1, 1},
                          .flops = 4.0 * pixels * p->c * 10,
                          .bytes = (double)planes.size + (double)y->range.size,
                      });
}

bool op_scan_planes_lower(struct lower *l, const struct node *node, const struct net_memory *y)
{
    const struct planes p = planes_of(lower_caps(l), node);
    struct gpu_range planes = lower_scratch(l, 0, planes_size(&p));
    return make_steps(l, node, &p, planes) && scan(l, node, &p, planes, y);
}
