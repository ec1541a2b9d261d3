/* SPDX-License-Identifier: Apache-2.0 */
/* Building the graph: shapes, names, and checks that the weights fit. */
#include "graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tensor null_tensor = {0};

static tensor fail(struct net *n, enum segman_status status, const char *text)
{
    if (!n->failed)
        segman_fail(&n->error, status, "%s%s%s", n->scope, n->scope[0] ? ": " : "", text);
    n->failed = true;
    return null_tensor;
}

struct net *net_create(const struct net_weights *weights)
{
    struct net *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->weights = *weights;
    n->count = 1;
    return n;
}

void graph_clear(struct node *node)
{
    free(node->scope);
    free(node->norm);
    free(node->scale);
    free(node->layer_norm);
    free(node->front);
    free(node->proj);
    free(node->made);
    *node = (struct node){0};
}

void net_destroy(struct net *n)
{
    if (!n)
        return;
    for (int32_t i = 1; n->node && i < n->count; i++)
        graph_clear(&n->node[i]);
    for (size_t i = 0; i < n->n_names; i++)
        free(n->name[i].name);
    free(n->node);
    free(n->name);
    free(n);
}

/* ---- scopes ---------------------------------------------------------------------------------- */

void net_push(struct net *n, const char *format, ...)
{
    size_t len = strlen(n->scope);
    va_list args;
    if (n->depth == GRAPH_MAX_DEPTH) {
        fail(n, SEGMAN_ERROR_ARGUMENT, "scopes nest too deep");
        return;
    }
    n->mark[n->depth++] = len;
    if (len && len < sizeof(n->scope) - 1)
        n->scope[len++] = '.';
    va_start(args, format);
    vsnprintf(n->scope + len, sizeof(n->scope) - len, format, args);
    va_end(args);
}

static void add_name(struct net *n, int32_t id, char *name)
{
    if (n->n_names == n->cap_names) {
        size_t cap = n->cap_names ? 2 * n->cap_names : 256;
        struct graph_name *p = name ? realloc(n->name, cap * sizeof(*p)) : NULL;
        if (!p) {
            free(name);
            fail(n, SEGMAN_ERROR_MEMORY, "out of memory");
            return;
        }
        n->name = p;
        n->cap_names = cap;
    }
    n->name[n->n_names++] = (struct graph_name){.name = name, .id = id};
}

tensor net_pop(struct net *n, tensor t)
{
    if (t.id)
        add_name(n, t.id, strdup(n->scope));
    if (n->depth)
        n->scope[n->mark[--n->depth]] = 0;
    return t;
}

static char *join(const struct net *n, const char *name)
{
    char *s = NULL;
    if (asprintf(&s, "%s%s%s", n->scope, n->scope[0] ? "." : "", name) < 0)
        return NULL;
    return s;
}

tensor net_name(struct net *n, tensor t, const char *name)
{
    if (t.id)
        add_name(n, t.id, join(n, name));
    return t;
}

/* Tensor with this name, 0 where there is none. */
static int32_t find_name(const struct net *n, const char *name)
{
    for (size_t i = n->n_names; i-- > 0;)
        if (!strcmp(n->name[i].name, name))
            return n->name[i].id;
    return 0;
}

bool graph_pin(const struct net *n, const char *const *taps, size_t n_taps, bool *pinned, struct segman_error *error)
{
    memset(pinned, 0, (size_t)n->count * sizeof(*pinned));
    pinned[n->output] = true;
    for (size_t i = 0; i < n_taps; i++) {
        int32_t id = find_name(n, taps[i]);
        if (!id)
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The network has no tensor named '%s'", taps[i]);
        pinned[id] = true;
    }
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool grow(struct net *n)
{
    if (n->node && n->count < n->cap)
        return true;
    int32_t cap = n->cap ? 2 * n->cap : 512;
    struct node *p = realloc(n->node, (size_t)cap * sizeof(*p));
    if (!p)
        return false;
    if (!n->node)
        memset(p, 0, sizeof(*p));
    n->node = p;
    n->cap = cap;
    return true;
}

int32_t graph_add(struct net *n, const struct node *node)
{
    if (!grow(n))
        return 0;
    n->node[n->count] = *node;
    return n->count++;
}

/* Appends a copy of *node with scope "current.name" (name NULL: the current scope); names the result when name is given. */
static tensor append(struct net *n, const struct node *node, const char *name)
{
    if (n->failed)
        return null_tensor;
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->in[i] <= 0 || node->in[i] >= n->count)
            return fail(n, SEGMAN_ERROR_ARGUMENT, "an op got no input");
    if (!node->c || !node->h || !node->w)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "an op's result would be empty");
    if (!grow(n))
        return fail(n, SEGMAN_ERROR_MEMORY, "out of memory");
    int32_t id = n->count;
    n->node[id] = *node;
    n->node[id].scope = name ? join(n, name) : strdup(n->scope);
    if (!n->node[id].scope)
        return fail(n, SEGMAN_ERROR_MEMORY, "out of memory");
    n->count++;
    if (name)
        add_name(n, id, strdup(n->node[id].scope));
    return (tensor){id};
}

/* The node of a tensor, or a node of zeros. */
static struct node at(const struct net *n, tensor t)
{
    if (t.id <= 0 || t.id >= n->count)
        return (struct node){0};
    return n->node[t.id];
}

static bool expect(struct net *n, const char *name, const char *suffix, uint32_t rank, const uint64_t *shape)
{
    if (n->failed)
        return false;
    char *base = name ? join(n, name) : strdup(n->scope), *full = NULL;
    if (base && asprintf(&full, "%s%s%s", base, suffix ? "." : "", suffix ? suffix : "") < 0)
        full = NULL;
    if (!full)
        fail(n, SEGMAN_ERROR_MEMORY, "out of memory");
    else if (!n->weights.expect(n->weights.user, full, rank, shape, &n->error))
        n->failed = true;
    free(base);
    free(full);
    return !n->failed;
}

/* Weights and biases of one number a channel. */
static bool expect_vector(struct net *n, const char *name, const char *const *suffix, uint32_t count, uint32_t c)
{
    for (uint32_t i = 0; i < count; i++)
        if (!expect(n, name, suffix[i], 1, (const uint64_t[]){c}))
            return false;
    return true;
}

tensor net_input(struct net *n, uint32_t c, uint32_t h, uint32_t w)
{
    tensor t = append(n, &(struct node){.op = OP_INPUT, .c = c, .h = h, .w = w}, "input");
    n->input = t.id;
    return t;
}

tensor net_conv(struct net *n, const char *name, tensor x, const struct net_conv *conv)
{
    struct node in = at(n, x);
    uint32_t k = conv->kernel ? conv->kernel : 1, s = conv->stride ? conv->stride : 1;
    const uint64_t shape[4] = {conv->out, in.c, k, k};
    if (!expect(n, name, "weight", conv->linear ? 2 : 4, shape) ||
        (conv->bias && !expect(n, name, "bias", 1, (const uint64_t[]){conv->out})))
        return null_tensor;
    if (in.h + 2 * conv->pad < k || in.w + 2 * conv->pad < k)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "the map is smaller than the kernel");
    return append(n,
                  &(struct node){.op = OP_CONV,
                                 .in = {x.id},
                                 .n_in = 1,
                                 .c = conv->out,
                                 .h = (in.h + 2 * conv->pad - k) / s + 1,
                                 .w = (in.w + 2 * conv->pad - k) / s + 1,
                                 .kernel = k,
                                 .stride = s,
                                 .pad = conv->pad,
                                 .bias = conv->bias,
                                 .linear = conv->linear},
                  name);
}

tensor net_dwconv(struct net *n, const char *name, tensor x, uint32_t kernel)
{
    struct node in = at(n, x);
    const uint64_t shape[4] = {in.c, 1, kernel, kernel};
    if (!expect(n, name, "weight", 4, shape) || !expect(n, name, "bias", 1, shape))
        return null_tensor;
    return append(n,
                  &(struct node){.op = OP_DWCONV,
                                 .in = {x.id},
                                 .n_in = 1,
                                 .c = in.c,
                                 .h = in.h,
                                 .w = in.w,
                                 .kernel = kernel,
                                 .stride = 1,
                                 .pad = kernel / 2,
                                 .bias = true},
                  name);
}

/* An op that keeps the shape of its first input. */
static tensor keep(struct net *n, enum net_op op, const char *name, tensor x, tensor y)
{
    struct node in = at(n, x);
    return append(n, &(struct node){.op = op, .in = {x.id, y.id}, .n_in = y.id ? 2 : 1, .c = in.c, .h = in.h, .w = in.w}, name);
}

tensor net_batch_norm(struct net *n, const char *name, tensor x)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    return expect_vector(n, name, parts, 4, at(n, x).c) ? keep(n, OP_BATCH_NORM, name, x, null_tensor) : null_tensor;
}

tensor net_layer_norm(struct net *n, const char *name, tensor x)
{
    static const char *const parts[] = {"weight", "bias"};
    return expect_vector(n, name, parts, 2, at(n, x).c) ? keep(n, OP_LAYER_NORM, name, x, null_tensor) : null_tensor;
}

tensor net_act(struct net *n, tensor x, enum net_act act)
{
    tensor t = keep(n, OP_ACT, NULL, x, null_tensor);
    if (t.id)
        n->node[t.id].act = act;
    return t;
}

tensor net_add(struct net *n, tensor a, tensor b)
{
    struct node x = at(n, a), y = at(n, b);
    if (x.c != y.c || x.h != y.h || x.w != y.w)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "tensors to add differ in shape");
    return keep(n, OP_ADD, NULL, a, b);
}

tensor net_scale(struct net *n, const char *name, tensor x)
{
    const uint64_t shape[4] = {at(n, x).c, 1, 1, 1};
    if (!expect(n, name, "weight", 4, shape) || !expect(n, name, "bias", 1, shape))
        return null_tensor;
    return keep(n, OP_SCALE, name, x, null_tensor);
}

tensor net_slice(struct net *n, tensor x, uint32_t first, uint32_t count)
{
    struct node in = at(n, x);
    if (first % 4 || first + count > in.c)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "a slice must start at a multiple of 4 channels and end inside the tensor");
    return append(n, &(struct node){.op = OP_SLICE, .in = {x.id}, .n_in = 1, .c = count, .h = in.h, .w = in.w, .first = first}, NULL);
}

tensor net_concat(struct net *n, const tensor *x, uint32_t count)
{
    struct node node = {.op = OP_CONCAT, .n_in = count};
    if (!count || count > NODE_MAX_INPUTS)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "too many tensors to concatenate");
    for (uint32_t i = 0; i < count; i++) {
        struct node in = at(n, x[i]);
        if (i && (in.h != node.h || in.w != node.w))
            return fail(n, SEGMAN_ERROR_ARGUMENT, "tensors to concatenate differ in size");
        node.in[i] = x[i].id;
        node.c += in.c;
        node.h = in.h;
        node.w = in.w;
    }
    return append(n, &node, NULL);
}

tensor net_resize(struct net *n, tensor x, uint32_t h, uint32_t w)
{
    struct node in = at(n, x);
    if (in.h == h && in.w == w)
        return x;
    return append(n, &(struct node){.op = OP_RESIZE, .in = {x.id}, .n_in = 1, .c = in.c, .h = h, .w = w}, NULL);
}

tensor net_unshuffle(struct net *n, tensor x, uint32_t r)
{
    struct node in = at(n, x);
    if (in.h % r || in.w % r)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "a map to unshuffle must be a multiple of the factor");
    return append(
        n, &(struct node){.op = OP_UNSHUFFLE, .in = {x.id}, .n_in = 1, .c = in.c * r * r, .h = in.h / r, .w = in.w / r, .stride = r}, NULL);
}

tensor net_pool(struct net *n, tensor x)
{
    return append(n, &(struct node){.op = OP_POOL, .in = {x.id}, .n_in = 1, .c = at(n, x).c, .h = 1, .w = 1}, NULL);
}

/* q, k, v of a tensor of 3c channels split into heads of a multiple of 4 channels. */
static bool check_heads(struct net *n, const struct node *qkv, uint32_t heads)
{
    if (n->failed)
        return false;
    if (!heads || qkv->c % (12 * heads))
        fail(n, SEGMAN_ERROR_UNSUPPORTED, "a head must have a multiple of 4 channels");
    return !n->failed;
}

tensor net_rope(struct net *n, tensor qkv, uint32_t heads)
{
    struct node in = at(n, qkv);
    if (!check_heads(n, &in, heads))
        return null_tensor;
    return append(n, &(struct node){.op = OP_ROPE, .in = {qkv.id}, .n_in = 1, .c = in.c, .h = in.h, .w = in.w, .heads = heads}, NULL);
}

tensor net_natten(struct net *n, const char *name, tensor qkv, uint32_t heads, uint32_t window)
{
    struct node in = at(n, qkv);
    const uint64_t shape[3] = {heads, 2 * window - 1, 2 * window - 1};
    if (!check_heads(n, &in, heads) || !expect(n, name, NULL, 3, shape))
        return null_tensor;
    if (in.h < window || in.w < window)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "the map is smaller than the attention window");
    return append(
        n,
        &(struct node){.op = OP_NATTEN, .in = {qkv.id}, .n_in = 1, .c = in.c / 3, .h = in.h, .w = in.w, .heads = heads, .window = window},
        name);
}

tensor net_attention(struct net *n, const char *name, tensor qkv, tensor v, uint32_t heads, uint32_t side)
{
    struct node in = at(n, qkv);
    const uint64_t shape[3] = {heads, (uint64_t)side * side, (uint64_t)side * side};
    if (!check_heads(n, &in, heads) || !expect(n, name, NULL, 3, shape))
        return null_tensor;
    if (at(n, v).c != in.c / 3)
        return fail(n, SEGMAN_ERROR_ARGUMENT, "values and queries differ in width");
    return append(
        n,
        &(struct node){
            .op = OP_ATTENTION, .in = {qkv.id, v.id}, .n_in = 2, .c = in.c / 3, .h = in.h, .w = in.w, .heads = heads, .side = side},
        name);
}

tensor net_scan(struct net *n, const char *name, tensor x)
{
    uint64_t c = at(n, x).c, r = (c + 15) / 16;
    if (!expect(n, name, "x_proj_weight", 3, (const uint64_t[]){4 * (r + 2), c, 1}) ||
        !expect(n, name, "dt_projs_weight", 3, (const uint64_t[]){4, c, r}) ||
        !expect(n, name, "dt_projs_bias", 2, (const uint64_t[]){4, c}) || !expect(n, name, "A_logs", 2, (const uint64_t[]){4 * c, 1}) ||
        !expect(n, name, "Ds", 1, (const uint64_t[]){4 * c}))
        return null_tensor;
    return keep(n, OP_SCAN, name, x, null_tensor);
}

void net_shape(const struct net *n, tensor t, uint32_t *c, uint32_t *h, uint32_t *w)
{
    struct node node = at(n, t);
    *c = node.c;
    *h = node.h;
    *w = node.w;
}

bool net_failed(const struct net *n, struct segman_error *error)
{
    if (n->failed && error)
        *error = n->error;
    return n->failed;
}

void net_output(struct net *n, tensor t)
{
    n->output = t.id;
    if (!t.id)
        fail(n, SEGMAN_ERROR_ARGUMENT, "the network has no output");
}
