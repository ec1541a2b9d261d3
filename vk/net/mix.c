/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixing maps where they are small. A 1x1 convolution does the same at every pixel and a bilinear resize the same to every
 * channel, and both are linear: they may change places, and a convolution over a concatenation falls apart into one a part.
 *
 *     y = act(W [up(a), b, up(P c)] + v) = act(up(Wa a) + up((Wc P) c) + Wb b + v)
 *
 * So each map is multiplied at its own size, and by one matrix where it was multiplied twice without an activation between
 * (the product is made here, in double). Maps of one size are added up by the convolutions' residuals, those of several sizes by
 * one resize; parts at the output's size that nobody else reads stay together in the last convolution.
 */
#include "graph.h"
#include "op_common.h"

#include <stdlib.h>
#include <string.h>

/* What a tensor is multiplied with: [rows][columns of the tensor], rows lie stride apart. */
struct matrix {
    const double *m;
    size_t stride;
};

struct term {
    int32_t id;
    double *m; /* [rows][channels] */
    bool last; /* in the last convolution */
};

struct mix {
    struct lower *l;
    struct net *n;
    const bool *pinned; /* [n_pinned]: of the nodes that were there before */
    int32_t n_pinned;
    uint32_t rows;
    struct term term[NODE_MAX_INPUTS];
    uint32_t count;
    double *bias; /* [rows]; NULL once a convolution adds it */
    bool resized; /* something is gained */
    bool full;    /* there are more terms than fit */
};

static bool is_pinned(const struct mix *x, int32_t id)
{
    return id < x->n_pinned && x->pinned[id];
}

static bool add_term(struct mix *x, int32_t id, struct matrix a)
{
    uint32_t i = 0, c = x->n->node[id].c;
    while (i < x->count && x->term[i].id != id)
        i++;
    if (i == NODE_MAX_INPUTS)
        return x->full = true;
    if (i == x->count)
        x->term[x->count++] = (struct term){.id = id, .m = lower_alloc(x->l, (size_t)x->rows * c * sizeof(double))};
    if (!x->term[i].m)
        return false;
    for (uint32_t r = 0; r < x->rows; r++)
        for (uint32_t k = 0; k < c; k++)
            x->term[i].m[(size_t)r * c + k] += a.m[r * a.stride + k];
    return true;
}

/* A matrix and nothing else, at every pixel. */
static bool is_product(const struct node *node)
{
    return node->op == OP_CONV && node->kernel == 1 && node->stride == 1 && !node->unshuffle && !node->rope && !node->norm && !node->act &&
           !node->scale && !node->residual && !node->made;
}

static const float *read_weight(struct mix *x, const struct node *node)
{
    const uint64_t shape[] = {node->c, x->n->node[node->in[0]].c, 1, 1};
    return lower_read(x->l, node->scope, "weight", node->linear ? 2 : 4, shape);
}

static bool expand(struct mix *x, int32_t id, struct matrix a, bool small);

/* a (P t + b) = (a P) t + a b */
static bool expand_product(struct mix *x, const struct node *node, struct matrix a, bool small)
{
    uint32_t inner = node->c, c = x->n->node[node->in[0]].c;
    const uint64_t shape[] = {inner};
    const float *p = read_weight(x, node), *b = node->bias ? lower_read(x->l, node->scope, "bias", 1, shape) : NULL;
    double *m = lower_alloc(x->l, (size_t)x->rows * c * sizeof(double));
    if (!p || !m || (node->bias && !b))
        return false;
    for (uint32_t r = 0; r < x->rows; r++)
        for (uint32_t i = 0; i < inner; i++) {
            double w = a.m[r * a.stride + i];
            for (uint32_t k = 0; k < c; k++)
                m[(size_t)r * c + k] += w * p[(size_t)i * c + k];
            x->bias[r] += b ? w * b[i] : 0;
        }
    return expand(x, node->in[0], (struct matrix){m, c}, small);
}

static bool grows(const struct net *n, const struct node *node)
{
    const struct node *from = &n->node[node->in[0]];
    return node->n_in == 1 && !node->act && from->h <= node->h && from->w <= node->w && from->h * from->w < node->h * node->w;
}

/* Adds a times the tensor to the terms: what it is made of, as far as that is linear. small: before a resize to the output's size. */
static bool expand(struct mix *x, int32_t id, struct matrix a, bool small)
{
    const struct node *node = &x->n->node[id];
    enum net_op op = is_pinned(x, id) ? OP_NONE : node->op;
    if (op == OP_ADD || op == OP_CONCAT) {
        for (uint32_t i = 0; i < node->n_in; i++) {
            if (!expand(x, node->in[i], a, small))
                return false;
            a.m += op == OP_CONCAT ? x->n->node[node->in[i]].c : 0;
        }
        return true;
    }
    if (op == OP_RESIZE && !small && grows(x->n, node))
        return x->resized = true, expand(x, node->in[0], a, true);
    if (op == OP_CONV && is_product(node))
        return expand_product(x, node, a, small);
    return add_term(x, id, a);
}

static uint32_t pixels(const struct mix *x, uint32_t term)
{
    const struct node *node = &x->n->node[x->term[term].id];
    return node->h * node->w;
}

/* How many sizes the terms have. */
static uint32_t count_sizes(const struct mix *x)
{
    uint32_t sizes = 0;
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t k = 0;
        while (k < i && pixels(x, k) != pixels(x, i))
            k++;
        sizes += k == i;
    }
    return sizes;
}

static int by_id(const void *a, const void *b)
{
    const struct term *s = a, *t = b;
    return (s->id > t->id) - (s->id < t->id);
}

/* The terms in the order in which they are made: of one size, a sum waits for the last only. */
static bool collect(struct mix *x, const struct node *node)
{
    struct epilogue e;
    uint32_t c = x->n->node[node->in[0]].c;
    const float *w = read_weight(x, node);
    double *m = lower_alloc(x->l, (size_t)x->rows * c * sizeof(double));
    if (!w || !m || !op_fold_epilogue(x->l, node, node->bias, &e))
        return false;
    for (uint32_t r = 0; r < x->rows; r++)
        for (uint32_t k = 0; k < c; k++)
            m[(size_t)r * c + k] = e.mul[r] * w[(size_t)r * c + k];
    x->bias = e.add;
    if (!expand(x, node->in[0], (struct matrix){m, c}, false))
        return false;
    qsort(x->term, x->count, sizeof(*x->term), by_id);
    return true;
}

/* ---- the new nodes ----------------------------------------------------------------------------- */

static bool is_term(const struct mix *x, int32_t id)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->term[i].id == id)
            return true;
    return false;
}

static void count_readers(const struct net *n, uint32_t *readers)
{
    memset(readers, 0, (size_t)n->count * sizeof(*readers));
    for (int32_t i = 1; i < n->count; i++) {
        FOR_EACH_INPUT(&n->node[i], id)
        readers[id]++;
        readers[n->node[i].maker]++;
    }
}

/* Nodes that nobody reads any more vanish; then it is known which terms have no other reader. */
static bool sweep(struct mix *x)
{
    struct net *n = x->n;
    uint32_t *readers = calloc((size_t)n->count, sizeof(*readers));
    if (!readers)
        return false;
    for (bool again = true; again;) {
        again = false;
        count_readers(n, readers);
        for (int32_t i = n->count - 1; i > 0; i--)
            if (!readers[i] && n->node[i].op != OP_NONE && n->node[i].op != OP_INPUT && !is_pinned(x, i) && !is_term(x, i) &&
                n->node[i].n_in) {
                graph_clear(&n->node[i]);
                again = true;
            }
    }
    for (uint32_t i = 0; i < x->count; i++)
        x->term[i].last = !readers[x->term[i].id];
    free(readers);
    return true;
}

static float *made(const struct mix *x, const double *m, uint32_t c, const double *bias)
{
    float *out = malloc(((size_t)x->rows * c + x->rows) * sizeof(*out));
    for (size_t i = 0; out && i < (size_t)x->rows * c; i++)
        out[i] = (float)m[i];
    for (uint32_t r = 0; out && r < x->rows; r++)
        out[(size_t)x->rows * c + r] = bias ? (float)bias[r] : 0;
    return out;
}

/* A node of the given op and inputs with `rows` channels, of the first input's size; 0: out of memory. */
static int32_t add_node(struct mix *x, struct node node, const char *scope)
{
    const struct node *like = &x->n->node[node.in[0]];
    node.c = node.op == OP_CONCAT ? 0 : x->rows;
    for (uint32_t i = 0; node.op == OP_CONCAT && i < node.n_in; i++)
        node.c += x->n->node[node.in[i]].c;
    node.h = node.h ? node.h : like->h;
    node.w = node.w ? node.w : like->w;
    node.scope = strdup(scope);
    int32_t id = node.scope ? graph_add(x->n, &node) : 0;
    if (!id) {
        free(node.scope);
        free(node.made);
    }
    return id;
}

/* The convolutions of all terms of this term's size, each adding the one before. */
static int32_t add_products(struct mix *x, uint32_t first, const char *scope)
{
    int32_t sum = 0;
    for (uint32_t i = first; i < x->count; i++) {
        if (x->term[i].last || pixels(x, i) != pixels(x, first))
            continue;
        struct node conv = {.op = OP_CONV, .in = {x->term[i].id}, .n_in = 1, .kernel = 1, .stride = 1, .bias = true, .residual = sum};
        conv.made = made(x, x->term[i].m, x->n->node[conv.in[0]].c, x->bias);
        x->bias = NULL;
        sum = conv.made ? add_node(x, conv, scope) : 0;
        if (!sum)
            return 0;
    }
    return sum;
}

/* The sums of the terms outside of the last convolution, one a size; false: out of memory. */
static bool add_sums(struct mix *x, const char *scope, int32_t *sum, uint32_t *count)
{
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t before = 0;
        while (before < i && (x->term[before].last || pixels(x, before) != pixels(x, i)))
            before++;
        if (x->term[i].last || before < i)
            continue;
        if (!(sum[(*count)++] = add_products(x, i, scope)))
            return false;
    }
    return true;
}

/* [rows][channels of all last terms] */
static double *join(struct mix *x, uint32_t c)
{
    double *m = lower_alloc(x->l, (size_t)x->rows * c * sizeof(double)), *to = m;
    for (uint32_t i = 0; m && i < x->count; i++) {
        uint32_t own = x->n->node[x->term[i].id].c;
        for (uint32_t r = 0; x->term[i].last && r < x->rows; r++)
            memcpy(to + (size_t)r * c, x->term[i].m + (size_t)r * own, own * sizeof(double));
        to += x->term[i].last ? own : 0;
    }
    return m;
}

/* Turns the convolution into one of the last terms, to which it adds the sums before its activation. */
static bool finish_with_conv(struct mix *x, int32_t id, int32_t sum)
{
    struct node concat = {.op = OP_CONCAT}, *node = &x->n->node[id];
    uint32_t c = 0;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->term[i].last) {
            concat.in[concat.n_in++] = x->term[i].id;
            c += x->n->node[x->term[i].id].c;
        }
    const double *m = join(x, c);
    float *weights = m ? made(x, m, c, x->bias) : NULL;
    int32_t in = concat.n_in > 1 ? add_node(x, concat, node->scope) : concat.in[0];
    node = &x->n->node[id];
    node->made = weights;
    node->in[0] = in;
    node->n_in = 1;
    node->bias = true;
    node->residual = sum;
    node->early = true;
    return weights && in;
}

/* Turns the convolution into the sum of the others. */
static void finish_with_resize(struct node *node, const struct node *resize)
{
    node->op = OP_RESIZE;
    memcpy(node->in, resize->in, sizeof(node->in));
    node->n_in = resize->n_in;
}

static bool rebuild(struct mix *x, int32_t id)
{
    struct node *node = &x->n->node[id], sum = {.op = OP_RESIZE, .h = node->h, .w = node->w};
    char *scope = node->scope;
    double *bias = x->bias;
    bool any = false;
    free(node->norm);
    node->norm = NULL;
    node->n_in = 0; /* what nobody else reads is dead */
    if (!sweep(x))
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        x->term[i].last = x->term[i].last && pixels(x, i) == sum.h * sum.w;
        any = any || x->term[i].last;
    }
    x->bias = any ? NULL : bias;
    if (!add_sums(x, scope, sum.in, &sum.n_in))
        return false;
    x->bias = bias;
    if (any) {
        int32_t added = add_node(x, sum, scope);
        return added && finish_with_conv(x, id, added);
    }
    finish_with_resize(&x->n->node[id], &sum);
    return true;
}

bool graph_mix(struct lower *l, struct net *n, const bool *pinned)
{
    const int32_t count = n->count;
    for (int32_t i = 1; i < count; i++) {
        struct node like = n->node[i];
        like.norm = NULL;
        like.act = NET_ACT_NONE;
        if (!is_product(&like))
            continue;
        struct mix x = {.l = l, .n = n, .pinned = pinned, .n_pinned = count, .rows = like.c};
        const struct node *in = &n->node[like.in[0]];
        if (in->op != OP_CONCAT && in->op != OP_RESIZE)
            continue;
        if (!collect(&x, &n->node[i]))
            return false;
        if (x.resized && !x.full && count_sizes(&x) <= RESIZE_MAX_MAPS && !rebuild(&x, i))
            return false;
    }
    return true;
}
