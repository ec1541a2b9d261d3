/* SPDX-License-Identifier: Apache-2.0 */
/* Global attention: one pass. The bias table is resized along the queries here, along the keys by the shader. */
#include <math.h>

#include "op_attention.h"
#include "shaders/iface.h"

/* Bytes of shared memory a workgroup may take; every Vulkan device has them. */
enum { ATTENTION_SHARED = 16384 };

struct attention_tile {
    uint32_t nq;    /* queries an invocation */
    uint32_t lanes; /* invocations of one part; a workgroup has lanes * nq queries */
    uint32_t split; /* parts: invocations that share the keys of their queries */
    uint32_t chunk; /* keys between two looks at the maximum */
    uint32_t keys;  /* staged at a time: a multiple of split * chunk */
    uint32_t pool;  /* quads of shared memory */
};

static uint32_t attention_groups(const struct attention_tile *t, const struct node *node)
{
    return div_up(node->h * node->w, t->lanes * t->nq);
}

/*
 * As many keys as fit into shared memory beside their taps, which are 20 bytes a key. The pool holds keys and values, later
 * the parts' float32 sums on their way to part 0. False where not even the fewest keys fit.
 */
static bool attention_fit(struct attention_tile *t, uint32_t d4, uint32_t quad_bytes)
{
    uint32_t merge = t->lanes * (t->split / 2) * (d4 + 1) * (16 / quad_bytes);
    for (t->keys = 128; t->keys >= t->split * t->chunk; t->keys /= 2) {
        t->pool = t->keys * 2 * d4 > merge ? t->keys * 2 * d4 : merge;
        if (t->pool * quad_bytes + 20 * t->keys <= ATTENTION_SHARED)
            return true;
    }
    return false;
}

/* As natten's: the most queries a workgroup that still make enough workgroups; few, without parts, for a CPU driver. */
static bool attention_choose(struct attention_tile *t, const struct node *node, uint32_t d4, uint32_t quad_bytes, bool cpu)
{
    static const struct attention_tile tiles[] = {
        {2, 128, 1, 4, 0, 0}, {2, 64, 2, 4, 0, 0}, {2, 32, 4, 4, 0, 0}, {2, 16, 8, 4, 0, 0}, {1, 16, 8, 4, 0, 0}, {1, 8, 16, 2, 0, 0},
    };
    for (size_t i = 0; !cpu && i < sizeof tiles / sizeof *tiles; i++) {
        *t = tiles[i];
        if (attention_groups(t, node) * node->heads >= 256)
            break;
    }
    if (!cpu && attention_fit(t, d4, quad_bytes))
        return true;
    *t = (struct attention_tile){4, 8, 1, 1, 0, 0};
    return attention_fit(t, d4, quad_bytes);
}

void op_attention_taps(uint32_t i, uint32_t n, uint32_t side, uint32_t at[4], double weight[4])
{
    const double a = -0.75;
    double position = (i + 0.5) * side / n - 0.5, first = floor(position) - 1;
    for (int j = 0; j < 4; j++) {
        double t = fabs(position - first - j), index = first + j;
        weight[j] = t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
        at[j] = index < 0 ? 0 : index > side - 1 ? side - 1 : (uint32_t)index;
    }
}

float *op_attention_bias(struct lower *l, const struct node *node)
{
    uint32_t n = node->h * node->w, side2 = node->side * node->side;
    uint64_t shape[3] = {node->heads, side2, side2};
    const float *bias = lower_read(l, node->scope, NULL, 3, shape);
    float *table = bias ? lower_alloc(l, sizeof(float) * node->heads * side2 * n) : NULL;
    for (uint32_t i = 0; table && i < n; i++) {
        uint32_t at[4];
        double weight[4];
        op_attention_taps(i, n, side2, at, weight);
        for (uint32_t c = 0; c < node->heads * side2; c++) {
            const float *head = bias + (size_t)(c / side2) * side2 * side2 + c % side2;
            double sum = 0;
            for (int j = 0; j < 4; j++)
                sum += weight[j] * head[(size_t)at[j] * side2];
            table[(size_t)c * n + i] = (float)sum;
        }
    }
    return table;
}

bool op_attention_lower(struct lower *l, const struct node *node)
{
    if (op_attention_coop_fits(l, node))
        return op_attention_coop_lower(l, node);
    struct net_memory qkv = lower_input(l, 0), v = lower_input(l, 1), out = lower_output(l), r = node->residual ? lower_residual(l) : v;
    uint32_t d4 = node->c / node->heads / 4, side2 = node->side * node->side;
    struct attention_tile t;
    if (!attention_choose(&t, node, d4, out.f16 ? 8 : 16, lower_caps(l)->cpu))
        return false;
    struct gpu_range bias = lower_upload(l, op_attention_bias(l, node), sizeof(float) * node->heads * side2 * node->h * node->w);
    if (!bias.size)
        return false;

    struct attention_push push = {
        .qkv_stride = qkv.stride4,
        .qkv_offset = qkv.offset4,
        .v_stride = v.stride4,
        .v_offset = v.offset4,
        .r_stride = r.stride4,
        .r_offset = r.offset4,
        .out_stride = out.stride4,
        .out_offset = out.offset4,
        .tokens = node->h * node->w,
        .quads = node->c / 4,
        .pad = out.pad4,
        .side = side2,
    };
    double tokens = push.tokens;
    struct lower_pass pass = {
        .shader = "attention",
        .binding = {{qkv.range, GPU_READ}, {v.range, GPU_READ}, {out.range, GPU_WRITE}, {bias, GPU_READ}, {r.range, GPU_READ}},
        .n_bindings = 5,
        .spec = {t.lanes * t.split, d4, t.nq, t.lanes, t.split, t.keys, t.chunk, t.pool, push.tokens >= side2, node->residual != 0},
        .n_spec = 10,
        .push = &push,
        .push_size = sizeof push,
        .groups = {attention_groups(&t, node), node->heads, 1},
        .flops = 4.0 * tokens * tokens * node->c,
        .bytes = 4.0 * tokens * node->c * (out.f16 ? 2 : 4),
    };
    return lower_pass(l, &pass);
}
