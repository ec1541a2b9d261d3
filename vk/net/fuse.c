/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fusing: a table of patterns (consumer, producer). The fused op takes the consumer's place in the order, so all its
 * inputs exist; the producer vanishes. Only a producer with one reader that nobody taps may vanish.
 */
#include "graph.h"

#include <stdlib.h>

#define FRONT_PIXELS       4096 /* take_front: measured on an H100 */
#define SMALL_FRONT_PIXELS 2048 /* take_small_front */

static bool is_conv(const struct node *p)
{
    return (p->op == OP_CONV && !p->rope) || p->op == OP_DWCONV;
}

/* The epilogue runs norm, rope, act, scale, residual in this order: a step may be added only before later ones are set. */
static bool take_norm(struct node *p, struct node *c)
{
    if (!is_conv(p) || p->norm || p->act || p->scale || p->residual)
        return false;
    p->norm = c->scope;
    c->scope = NULL;
    return true;
}

static bool take_act(struct node *p, struct node *c)
{
    if (!is_conv(p) || p->act || p->scale || p->residual)
        return false;
    p->act = c->act;
    return true;
}

static bool take_scale(struct node *p, struct node *c)
{
    if ((p->op != OP_CONV && !p->proj) || p->rope || p->scale || p->residual)
        return false;
    p->scale = c->scope;
    c->scope = NULL;
    return true;
}

static bool take_residual(struct node *p, struct node *c)
{
    bool normed = p->op == OP_LAYER_NORM || (p->op == OP_SCAN && p->layer_norm);
    if ((!is_conv(p) && !normed && p->op != OP_ATTENTION) || p->residual)
        return false;
    p->residual = c->in[0];
    return true;
}

/* The rotating pairs of channels lie within a quad of the epilogue. */
static bool take_rope(struct node *p, struct node *c)
{
    if (p->op != OP_CONV || p->kernel != 1 || p->rope || p->act || p->scale || p->residual)
        return false;
    p->rope = true;
    p->heads = c->heads;
    return true;
}

static bool take_unshuffle(struct node *p, struct node *c)
{
    if (c->kernel != 1 || c->unshuffle || c->linear || p->op != OP_UNSHUFFLE)
        return false;
    struct node conv = *c;
    conv.in[0] = p->in[0];
    conv.unshuffle = conv.kernel = conv.stride = p->stride;
    conv.pad = 0;
    free(p->scope);
    c->scope = NULL;
    *p = conv;
    return true;
}

/* The scan's first pass makes its own input, and keeps it for the others; a large map fills the machine better in a pass of its own. */
static bool take_front_up_to(struct node *p, struct node *c, uint32_t pixels)
{
    if (p->op != OP_DWCONV || p->scale || p->residual || c->front || p->h * p->w > pixels)
        return false;
    p->op = OP_SCAN;
    p->front = p->scope;
    p->scope = c->scope;
    c->scope = NULL;
    return true;
}

static bool take_front(struct node *p, struct node *c)
{
    return take_front_up_to(p, c, FRONT_PIXELS);
}

/* Larger maps are scanned in chunks, whose first pass takes its input as it is. */
static bool take_small_front(struct node *p, struct node *c)
{
    return take_front_up_to(p, c, SMALL_FRONT_PIXELS);
}

/* The pass that sums up a scan's directions has all channels of its pixels. */
static bool take_layer_norm(struct node *p, struct node *c)
{
    if (p->op != OP_SCAN || p->layer_norm || c->residual)
        return false;
    p->layer_norm = c->scope;
    c->scope = NULL;
    return true;
}

/* The norm's residual makes room for the convolution's: what is added to either comes after it. */
static bool take_proj(struct node *p, struct node *c)
{
    if (p->op != OP_SCAN || !p->layer_norm || p->proj || c->kernel != 1 || c->stride != 1 || c->pad || c->c != p->c || c->linear ||
        c->unshuffle)
        return false;
    p->in[p->n_in] = p->residual;
    p->n_in += p->residual != 0;
    p->residual = 0;
    p->bias = c->bias;
    p->proj = c->scope;
    c->scope = NULL;
    return true;
}

static const struct pattern {
    enum net_op consumer;
    int operand; /* which input of the consumer the producer makes; -1: either */
    /* Turns *producer into the fused node; what it takes over from *consumer it clears there. False: does not fit. */
    bool (*merge)(struct node *producer, struct node *consumer);
    int matrices; /* 1: only for passes on cooperative matrices, -1: only without them */
    bool (*fits)(const struct net_target *target, const struct node *consumer); /* NULL: always */
} patterns[] = {
    {OP_BATCH_NORM, 0, take_norm},       {OP_ACT, 0, take_act},
    {OP_SCALE, 0, take_scale},           {OP_ADD, -1, take_residual},
    {OP_CONV, 0, take_unshuffle},        {OP_ROPE, 0, take_rope},
    {OP_SCAN, 0, take_front, -1},        {OP_SCAN, 0, take_small_front, 1},
    {OP_LAYER_NORM, 0, take_layer_norm}, {OP_CONV, 0, take_proj, 1, op_scan_proj_fits},
};

static void count_uses(const struct net *n, const bool *pinned, uint32_t *uses)
{
    for (int32_t i = 0; i < n->count; i++)
        uses[i] = pinned[i] ? 2 : 0; /* a second reader: never alone */
    for (int32_t i = 1; i < n->count; i++)
        FOR_EACH_INPUT(&n->node[i], id)
    uses[id]++;
}

static bool try_operand(struct net *n, const uint32_t *uses, const struct pattern *p, int32_t c, uint32_t operand)
{
    struct node *consumer = &n->node[c];
    int32_t producer = consumer->in[operand];
    if (uses[producer] != 1)
        return false;
    if (consumer->op == OP_ADD && operand == 0) { /* commutes: the merge expects the producer second */
        consumer->in[0] = consumer->in[1];
        consumer->in[1] = producer;
    }
    struct node *made = &n->node[producer];
    if (!p->merge(made, consumer))
        return false;
    free(consumer->scope);
    *consumer = *made;
    *made = (struct node){0};
    return true;
}

static bool try_pattern(struct net *n, const uint32_t *uses, const struct pattern *p, const struct net_target *target, int32_t c)
{
    if (n->node[c].op != p->consumer || p->matrices == (target->matrices ? -1 : 1) || (p->fits && !p->fits(target, &n->node[c])))
        return false;
    if (p->operand >= 0)
        return try_operand(n, uses, p, c, (uint32_t)p->operand);
    return try_operand(n, uses, p, c, 1) || try_operand(n, uses, p, c, 0);
}

/* Whether nothing reads the tensor before node c. */
static bool unread_before(const struct net *n, int32_t t, int32_t c)
{
    for (int32_t i = 1; i < c; i++)
        FOR_EACH_INPUT(&n->node[i], id)
    if (id == t)
        return false;
    return true;
}

/*
 * x + dwconv(x), and the layer norm of the sum: one op with two outputs, since the sum is the residual stream and has
 * other readers. It takes the norm's place; the sum's node stays as the name of the second output.
 */
static void pair_norm(struct net *n, int32_t c)
{
    struct node *norm = &n->node[c], *sum = norm->op == OP_LAYER_NORM ? &n->node[norm->in[0]] : NULL;
    if (!sum || sum->op != OP_DWCONV || sum->residual != sum->in[0] || sum->norm || sum->act || norm->residual)
        return;
    int32_t id = norm->in[0];
    if (!unread_before(n, id, c))
        return;
    struct node pair = *sum;
    pair.op = OP_DWNORM;
    pair.layer_norm = norm->scope;
    pair.residual = 0;
    pair.also = id;
    *sum = (struct node){.op = OP_ALSO, .maker = c, .c = pair.c, .h = pair.h, .w = pair.w};
    *norm = pair;
}

void graph_fuse(struct net *n, const bool *pinned, const struct net_target *target)
{
    uint32_t *uses = calloc((size_t)n->count, sizeof(*uses));
    if (!uses)
        return; /* unfused is correct too */
    for (int32_t c = 1; c < n->count; c++)
        for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
            count_uses(n, pinned, uses);
            if (try_pattern(n, uses, &patterns[p], target, c))
                p = (size_t)-1; /* the new node may fit again */
        }
    free(uses);
    for (int32_t c = 1; c < n->count; c++)
        pair_norm(n, c);
}
