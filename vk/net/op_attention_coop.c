/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Global attention on cooperative matrices (shaders/attention_coop.comp): the tile of a workgroup, and the bias as the factors of
 * a product. Each key is a sum of four columns of the table; those of 16 keys lie in a window of it, at the same place for all
 * queries. Both factors are packed as a subgroup holds them.
 */
#include <string.h>

#include "../half.h"
#include "op_attention.h"
#include "shaders/iface.h"

enum { SIDE = 16 }; /* of a matrix */

struct coop_tile {
    uint32_t frags;  /* matrices of queries of a workgroup */
    uint32_t split;  /* its subgroups, sharing out the keys */
    uint32_t blocks; /* matrices of keys of a step */
    uint32_t enough; /* workgroups for it to be taken */
};

struct shape {
    const struct gpu_caps *caps;
    const struct node *node;
    uint32_t tokens, side, d4; /* side: of the table along the keys */
    uint32_t lanes;            /* of a subgroup */
    bool dealt;                /* it shares out matrices as the shader's head comment says */
    struct coop_tile tile;
    uint32_t query_blocks, steps; /* with those that only fill up a workgroup, a step */
    int32_t slope, start;         /* of the windows: iface.h */
    uint32_t windows;             /* matrices side by side that a window takes */
    uint32_t columns;             /* of the table, with zeros that the last windows reach */
};

static uint32_t workgroups(const struct shape *s, const struct coop_tile *t)
{
    return div_up(s->tokens, SIDE * t->frags) * s->node->heads;
}

/* As in the shader: the parts' sums, their largest logits and sums of weights, what matrices that are not dealt pass through. */
static uint32_t shared_bytes(const struct shape *s, const struct coop_tile *t)
{
    uint32_t lines = t->frags * 64 / s->lanes, items = lines * 2 * div_up(s->d4, 8);
    return t->split * (s->lanes * (16 * items + 8 * lines) + (s->dealt ? 0 : 2048)) + 8;
}

/*
 * More queries a workgroup only where there are many. Measured on a Hopper GPU, us with the code in the cache, 8 heads of 24 with 256,
 * 1024 and 2048 tokens: 5.3, 13.7, 43.5 with 32 queries, 4.8, 15.0, 47.9 with 16, which takes two thirds of the code.
 */
static bool choose_tile(struct shape *s)
{
    static const struct coop_tile tiles[] = {{2, 4, 2, 512}, {1, 4, 2, 1}, {1, 2, 1, 1}};
    for (size_t i = 0; i < sizeof(tiles) / sizeof(*tiles); i++) {
        s->tile = tiles[i];
        if (shared_bytes(s, &s->tile) <= s->caps->shared_memory && s->tile.split * s->lanes <= s->caps->max_invocations &&
            workgroups(s, &s->tile) >= s->tile.enough)
            return true;
    }
    return false;
}

/* The first column that matrix b of keys needs, or a few before it: quads are read. */
static uint32_t window_start(const struct shape *s, uint32_t b)
{
    int32_t at = (int32_t)b * s->slope + s->start;
    return at < 0 ? 0 : (uint32_t)at >> 18 << 2;
}

/*
 * Key i's first tap is at (i + 1/2) side / n - 3/2, rounded down, of which slope and start make never more; where the table is as it
 * is, key i's only one is at i.
 */
static void find_windows(struct shape *s)
{
    int64_t n = s->tokens, side = s->side, one = 65536;
    s->slope = (int32_t)(SIDE * side * one / n);
    s->start = n == side ? 0 : (int32_t)((side - 3 * n) * one / (2 * n) - 1);
    for (uint32_t i = 0; i < s->tokens; i++) {
        uint32_t at[4], first = window_start(s, i / SIDE);
        double weight[4];
        op_attention_taps(i, s->tokens, s->side, at, weight);
        for (uint32_t j = 0; j < 4; j++)
            if (weight[j] != 0)
                s->windows = max_u32(s->windows, (at[j] - first) / SIDE + 1);
    }
    s->columns = (uint32_t)align_up(max_u32(s->side, window_start(s, s->steps * s->tile.blocks - 1) + SIDE * s->windows), 4);
}

static struct shape shape_of(struct lower *l, const struct node *node)
{
    return (struct shape){.caps = lower_caps(l),
                          .node = node,
                          .tokens = node->h * node->w,
                          .side = node->side * node->side,
                          .d4 = node->c / node->heads / 4,
                          .lanes = lower_caps(l)->subgroup_size,
                          .dealt = gpu_deal_in_pairs(lower_caps(l))};
}

bool op_attention_coop_fits(struct lower *l, const struct node *node)
{
    const struct gpu_caps *caps = lower_caps(l);
    struct shape s = shape_of(l, node);
    if (!lower_target(l)->matrices || SIDE % caps->coop.m || SIDE % caps->coop.n || SIDE % caps->coop.k)
        return false;
    /* At least two rows of a matrix an invocation; windows, of up to 8 matrices beyond the keys, are in fixed point. */
    if (!caps->subgroup_shuffle || s.lanes < 4 || s.lanes > 32 || s.side + 128 * s.side / s.tokens > 32767 || s.d4 > 16)
        return false;
    return choose_tile(&s) && workgroups(&s, &s.tile) / node->heads <= 65535;
}

/* Where the half of row i (of 16), column j (of 4) is among those of the rows' quads: [pair of rows][their invocation][8]. */
static uint32_t in_octs(const struct shape *s, uint32_t i, uint32_t j, uint32_t pitch)
{
    uint32_t next = s->lanes / 4, row = i / next;
    return (row / 2 * next * pitch + i % next * pitch) * 8 + row % 2 * 4 + j;
}

/* [head][matrix of queries][quad of columns][...] */
static void pack_table(const struct shape *s, uint16_t *to, const float *bias)
{
    uint32_t n = s->tokens;
    for (uint32_t c = 0; c < s->node->heads * s->side; c++) {
        uint32_t head = c / s->side, column = c % s->side;
        for (uint32_t i = 0; i < n; i++) {
            size_t quad = ((size_t)head * s->query_blocks + i / SIDE) * (s->columns / 4) + column / 4;
            to[quad * 64 + in_octs(s, i % SIDE, column % 4, 1)] = half_from_float(bias[(size_t)c * n + i]);
        }
    }
}

/* [matrix of keys][window][...] */
static void pack_weights(const struct shape *s, uint16_t *to)
{
    for (uint32_t i = 0; i < s->tokens; i++) {
        uint32_t at[4], first = window_start(s, i / SIDE);
        double weight[4];
        op_attention_taps(i, s->tokens, s->side, at, weight);
        for (uint32_t j = 0; j < 4; j++) {
            for (uint32_t k = 0; k < j; k++)
                if (at[k] == at[j]) { /* beyond the border */
                    weight[j] += weight[k];
                    weight[k] = 0;
                }
            uint32_t column = at[j] - first;
            size_t matrix = (size_t)(i / SIDE) * s->windows + column / SIDE;
            if (column / SIDE < s->windows)
                to[matrix * 256 + in_octs(s, i % SIDE, column % 4, 4) + column % SIDE / 4 * 8] = half_from_float((float)weight[j]);
        }
    }
}

static struct gpu_range upload_bias(struct lower *l, const struct shape *s, size_t table)
{
    size_t weights = (size_t)s->steps * s->tile.blocks * s->windows * SIDE * SIDE;
    uint16_t *halves = lower_alloc(l, sizeof(*halves) * (table + weights));
    const float *bias = halves ? op_attention_bias(l, s->node) : NULL;
    if (!bias)
        return (struct gpu_range){0};
    pack_table(s, halves, bias);
    pack_weights(s, halves + table);
    return lower_upload(l, halves, sizeof(*halves) * (table + weights));
}

/* Everything but the parameters. */
static bool plan(struct lower *l, const struct node *node, struct shape *s)
{
    *s = shape_of(l, node);
    if (!choose_tile(s))
        return false;
    const struct coop_tile *t = &s->tile;
    s->steps = div_up(s->tokens, SIDE * t->blocks);
    if (!s->dealt) /* subgroups wait for their own invocations, which some devices take for the workgroup's */
        s->steps = div_up(s->steps, t->split) * t->split;
    s->query_blocks = div_up(s->tokens, SIDE * t->frags) * t->frags;
    find_windows(s);
    return true;
}

bool op_attention_coop_lower(struct lower *l, const struct node *node)
{
    struct net_memory qkv = lower_input(l, 0), v = lower_input(l, 1), out = lower_output(l), r = node->residual ? lower_residual(l) : v;
    struct shape s;
    if (!plan(l, node, &s))
        return false;
    const struct coop_tile *t = &s.tile;
    const struct gpu_coop *coop = &s.caps->coop;
    size_t table = (size_t)node->heads * s.query_blocks * SIDE * s.columns;
    struct gpu_range bias = upload_bias(l, &s, table);
    if (!bias.size)
        return false;

    const struct attention_coop_push push = {
        .qkv_offset = qkv.offset4,
        .v_offset = v.offset4,
        .r_stride = r.stride4,
        .r_offset = r.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .tokens = s.tokens,
        .quads = node->c / 4,
        .pad = out.pad4,
        .steps = s.steps,
        .query_blocks = s.query_blocks,
        .columns = s.columns / 4,
        .weights = (uint32_t)(table / 8),
        .slope = s.slope,
        .start = s.start,
    };
    bool aligned = (qkv.offset4 | qkv.stride4 | push.quads | s.d4) % 2 == 0, ragged = s.tokens != SIDE * t->blocks * s.steps;
    double tokens = s.tokens;
    return lower_pass(
        l, &(struct lower_pass){
               .shader = "attention_coop",
               .binding = {{qkv.range, GPU_READ}, {v.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}, {r.range, GPU_READ}},
               .n_bindings = 5,
               .spec = {t->split * s.lanes, s.lanes, s.d4, t->frags, t->split, t->blocks, s.windows, aligned, ragged, node->residual != 0,
                        s.dealt, coop->m, coop->n, coop->k, qkv.stride4, v.stride4},
               .n_spec = 16,
               .subgroup_size = s.lanes,
               .push = &push,
               .push_size = sizeof(push),
               .groups = {workgroups(&s, t) / node->heads, node->heads, 1},
               .flops = 4.0 * tokens * tokens * node->c,
               .bytes = 4.0 * tokens * node->c * 2,
           });
}
