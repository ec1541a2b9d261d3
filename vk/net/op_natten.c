/* SPDX-License-Identifier: Apache-2.0 */
/* Neighborhood attention: one pass; the tile of a workgroup depends on how many queries there are. */
#include <string.h>

#include "op_common.h"
#include "shaders/iface.h"

/* Bytes of shared memory a workgroup may take; every Vulkan device has them. */
enum { NATTEN_POOL = 16384 };

struct natten_tile {
    uint32_t nq;     /* queries an invocation, one below the other */
    uint32_t tx, ty; /* invocations of one part; the tile has tx by ty * nq queries */
    uint32_t split;  /* parts: invocations that share the keys of their queries */
    uint32_t band;   /* rows of keys staged at a time; 0: none, read from the tensor */
    uint32_t pool;   /* quads of shared memory */
    uint32_t chunk;  /* keys of a row between two looks at the maximum: unrolled, so long rows go in pieces */
};

/* What needs no shared memory; natten_cpu's tile too. */
static const struct natten_tile simple = {4, 8, 2, 1, 0, 1, 1};

static uint32_t natten_groups(const struct natten_tile *t, const struct node *node)
{
    return div_up(node->w, t->tx) * div_up(node->h, t->ty * t->nq);
}

/* Rows of keys that fit the pool with d/4 quads a head; false where the sums of the parts do not. */
static bool natten_band(struct natten_tile *t, const struct node *node, uint32_t d4, uint32_t quad_bytes)
{
    uint32_t width = t->tx + node->window - 1, rows = t->ty * t->nq + node->window - 1;
    uint32_t merge = t->split > 1 ? t->tx * t->ty * (t->split / 2) * (d4 + 1) * (16 / quad_bytes) : 0;
    uint32_t room = NATTEN_POOL / quad_bytes / (2 * d4); /* pixels, with one of each plane lost to alignment */
    t->band = room > 0 ? (room - 1) / width : 0;
    if (t->band > rows)
        t->band = rows;
    t->pool = t->band ? 2 * d4 * ((t->band * width) | 1) : 1;
    if (t->pool < merge)
        t->pool = merge;
    return t->pool * quad_bytes <= NATTEN_POOL;
}

/*
 * The largest tile that still makes enough workgroups to fill a GPU: large tiles read fewer keys twice; where there are
 * few queries the keys of each are shared by several invocations.
 */
static struct natten_tile natten_choose(const struct node *node, uint32_t d4, uint32_t quad_bytes)
{
    static const struct natten_tile wide[] = {
        {2, 16, 8, 1, 0, 0, 0}, {2, 16, 4, 2, 0, 0, 0}, {2, 16, 2, 4, 0, 0, 0}, {1, 16, 2, 4, 0, 0, 0}, {1, 16, 1, 8, 0, 0, 0},
    };
    struct natten_tile t = simple;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        t = wide[i];
        if (natten_groups(&t, node) * node->heads >= 256)
            break;
    }
    if (!natten_band(&t, node, d4, quad_bytes))
        return simple;
    t.chunk = node->window <= 11 ? node->window : 8;
    return t;
}

/* The bias (heads, 2w-1, 2w-1) with nq - 1 rows of zeros above and below each head's. */
static struct gpu_range natten_bias(struct lower *l, const struct node *node, uint32_t nq)
{
    uint32_t side = 2 * node->window - 1, rows = side + 2 * (nq - 1);
    uint64_t shape[3] = {node->heads, side, side};
    size_t bytes = (size_t)node->heads * rows * side * sizeof(float);
    const float *bias = lower_read(l, node->scope, NULL, 3, shape);
    float *padded = bias ? lower_alloc(l, bytes) : NULL;
    if (!padded)
        return (struct gpu_range){0};
    for (uint32_t h = 0; h < node->heads; h++)
        memcpy(padded + ((size_t)h * rows + nq - 1) * side, bias + (size_t)h * side * side, sizeof(float) * side * side);
    return lower_upload(l, padded, bytes);
}

bool op_natten_lower(struct lower *l, const struct node *node)
{
    if (op_natten_coop_fits(l, node))
        return op_natten_coop_lower(l, node);
    struct net_memory in = lower_input(l, 0), out = lower_output(l);
    uint32_t d4 = node->c / node->heads / 4;
    bool cpu = lower_caps(l)->cpu;
    struct natten_tile t = cpu ? simple : natten_choose(node, d4, in.f16 ? 8 : 16);
    struct gpu_range bias = natten_bias(l, node, t.nq);
    if (!bias.size)
        return false;

    struct natten_push push = {
        .qkv_stride = in.stride4,
        .qkv_offset = in.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .height = node->h,
        .width = node->w,
        .quads = node->c / 4,
        .pad = out.pad4,
        .window = node->window,
    };
    double pixels = (double)node->h * node->w;
    struct lower_pass pass = {
        .binding = {{in.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}},
        .n_bindings = 3,
        .push = &push,
        .push_size = sizeof push,
        .flops = 4.0 * pixels * node->c * node->window * node->window,
        .bytes = 4.0 * pixels * node->c * (out.f16 ? 2 : 4),
    };
    const uint32_t groups[3] = {natten_groups(&t, node), node->heads, 1};
    const uint32_t few[] = {t.tx * t.ty, d4, t.nq, t.tx, t.ty};
    const uint32_t spec[] = {t.tx * t.ty * t.split, d4, node->window, t.nq, t.tx, t.ty, t.split, t.band, t.pool, t.chunk};
    if (cpu)
        op_set_shader(&pass, "natten_cpu", few, sizeof(few) / sizeof(few[0]), groups);
    else
        op_set_shader(&pass, "natten", spec, sizeof(spec) / sizeof(spec[0]), groups);
    return lower_pass(l, &pass);
}
