/* SPDX-License-Identifier: Apache-2.0 */
/* Global attention: one pass. The bias table goes up as it is; the shader resizes it while it reads. */
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
    uint64_t shape[3] = {node->heads, side2, side2};
    const float *bias = lower_read(l, node->scope, NULL, 3, shape);
    if (!bias)
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
    struct gpu_range table = lower_upload(l, bias, (size_t)node->heads * side2 * side2 * sizeof(float));
    double tokens = push.tokens;
    struct lower_pass pass = {
        .shader = "attention",
        .binding = {{qkv.range, GPU_READ}, {v.range, GPU_READ}, {out.range, GPU_WRITE}, {table, GPU_READ}},
        .n_bindings = 4,
        .spec = {t.lanes * t.split, d4, t.nq, t.lanes, t.split, t.keys, t.chunk, attention_pool(&t, d4, out.f16 ? 8 : 16)},
        .n_spec = 8,
        .push = &push,
        .push_size = sizeof push,
        .groups = {attention_groups(&t, node), node->heads, 1},
        .flops = 4.0 * tokens * tokens * node->c,
        .bytes = 4.0 * tokens * node->c * (out.f16 ? 2 : 4),
    };
    return lower_pass(l, &pass);
}
