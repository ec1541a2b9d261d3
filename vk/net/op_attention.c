/* SPDX-License-Identifier: Apache-2.0 */
/* Global attention: one pass. The bias table is resized along the queries here, along the keys by the shader. */
#include <math.h>

#include "lower.h"
#include "shaders/iface.h"

struct attention_tile {
    uint32_t nq;    /* queries an invocation */
    uint32_t lanes; /* invocations of one part; a workgroup has lanes * nq queries */
    uint32_t split; /* parts: invocations that share the keys of their queries */
    uint32_t keys;  /* staged at a time */
    uint32_t chunk; /* keys between two looks at the maximum */
};

static uint32_t attention_groups(const struct attention_tile *t, const struct node *node)
{
    return div_up(node->h * node->w, t->lanes * t->nq);
}

/* As natten's: the most queries a workgroup that still make enough workgroups. */
static struct attention_tile attention_choose(const struct node *node, bool cpu)
{
    static const struct attention_tile tiles[] = {
        {2, 128, 1, 32, 4}, {2, 64, 2, 32, 4}, {2, 32, 4, 32, 4}, {2, 16, 8, 32, 4}, {1, 16, 8, 32, 4}, {1, 8, 16, 64, 4},
    };
    struct attention_tile t = {4, 8, 1, 16, 4};
    if (cpu)
        return t;
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        t = tiles[i];
        if (attention_groups(&t, node) * node->heads >= 256)
            break;
    }
    return t;
}

/* Quads of shared memory: a tile of keys and values, later the parts' sums, of float32, on their way to part 0. */
static uint32_t attention_pool(const struct attention_tile *t, uint32_t d4, uint32_t quad_bytes)
{
    uint32_t merge = t->lanes * (t->split / 2) * (d4 + 1) * (16 / quad_bytes), stage = t->keys * 2 * d4;
    return merge > stage ? merge : stage;
}

/* The four taps of position i of n on an axis of `side` numbers, as torch's bicubic interpolation (A = -0.75) has them. */
static void attention_taps(uint32_t i, uint32_t n, uint32_t side, uint32_t at[4], double weight[4])
{
    const double a = -0.75;
    double position = (i + 0.5) * side / n - 0.5, first = floor(position) - 1;
    for (int j = 0; j < 4; j++) {
        double t = fabs(position - first - j), index = first + j;
        weight[j] = t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
        at[j] = index < 0 ? 0 : index > side - 1 ? side - 1 : (uint32_t)index;
    }
}

/* The bias (heads, side2, side2) as (heads, side2 of the keys, n queries). */
static struct gpu_range attention_bias(struct lower *l, const struct node *node, uint32_t side2, uint32_t n)
{
    uint64_t shape[3] = {node->heads, side2, side2};
    size_t bytes = sizeof(float) * node->heads * side2 * n;
    const float *bias = lower_read(l, node->scope, NULL, 3, shape);
    float *table = bias ? lower_alloc(l, bytes) : NULL;
    if (!table)
        return (struct gpu_range){0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at[4];
        double weight[4];
        attention_taps(i, n, side2, at, weight);
        for (uint32_t c = 0; c < node->heads * side2; c++) {
            const float *head = bias + (size_t)(c / side2) * side2 * side2 + c % side2;
            double sum = 0;
            for (int j = 0; j < 4; j++)
                sum += weight[j] * head[(size_t)at[j] * side2];
            table[(size_t)c * n + i] = (float)sum;
        }
    }
    return lower_upload(l, table, bytes);
}

uint64_t op_attention_scratch(const struct node *node, const struct net_memory *in, bool f16)
{
    (void)node, (void)in, (void)f16;
    return 0;
}

bool op_attention_lower(struct lower *l, const struct node *node)
{
    struct net_memory qkv = lower_input(l, 0), v = lower_input(l, 1), out = lower_output(l);
    uint32_t d4 = node->c / node->heads / 4, side2 = node->side * node->side;
    struct attention_tile t = attention_choose(node, lower_caps(l)->cpu);
    struct gpu_range bias = attention_bias(l, node, side2, node->h * node->w);
    if (!bias.size)
        return false;

    struct attention_push push = {
        .qkv_stride = qkv.stride4,
        .qkv_offset = qkv.offset4,
        .v_stride = v.stride4,
        .v_offset = v.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .tokens = node->h * node->w,
        .quads = node->c / 4,
        .pad = lower_pad(&out),
        .side = side2,
    };
    double tokens = push.tokens;
    struct lower_pass pass = {
        .shader = "attention",
        .binding = {{qkv.range, GPU_READ}, {v.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}},
        .n_bindings = 4,
        .spec = {t.lanes * t.split, d4, t.nq, t.lanes, t.split, t.keys, t.chunk, attention_pool(&t, d4, out.f16 ? 8 : 16),
                 push.tokens >= side2},
        .n_spec = 9,
        .push = &push,
        .push_size = sizeof push,
        .groups = {attention_groups(&t, node), node->heads, 1},
        .flops = 4.0 * tokens * tokens * node->c,
        .bytes = 4.0 * tokens * node->c * (out.f16 ? 2 : 4),
    };
    return lower_pass(l, &pass);
}
