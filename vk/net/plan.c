/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning: every tensor gets an offset in one arena. Two tensors may share bytes when their lifetimes (from the node
 * that writes to the last node that reads) are disjoint. Largest first, each at the lowest offset that is free.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static uint64_t tensor_bytes(const struct node *node, bool f16)
{
    return (uint64_t)node->h * node->w * align_up(node->c, 8) * (f16 ? 2 : 4);
}

/* The tensor whose bytes a view reads; itself when it is none. */
static int32_t storage_of(const struct net *n, int32_t id)
{
    while (n->node[id].op == OP_SLICE)
        id = n->node[id].in[0];
    return id;
}

static void find_lifetimes(const struct net *n, const bool *pinned, int32_t *last)
{
    for (int32_t i = 1; i < n->count; i++) {
        last[i] = n->node[i].maker > i ? n->node[i].maker : i;
        FOR_EACH_INPUT(&n->node[i], id)
            last[storage_of(n, id)] = i;
    }
    for (int32_t i = 1; i < n->count; i++)
        if (pinned[i])
            last[storage_of(n, i)] = n->count;
}

static void describe(struct plan *plan, const struct net *n, int32_t id, bool f16)
{
    const struct node *node = &n->node[id];
    struct net_memory *m = &plan->memory[id];
    m->c = node->c;
    m->h = node->h;
    m->w = node->w;
    m->f16 = f16;
    if (node->op == OP_SLICE) {
        const struct net_memory *base = &plan->memory[node->in[0]];
        m->stride4 = base->stride4;
        m->offset4 = base->offset4 + node->first / 4;
    } else {
        m->stride4 = (uint32_t)(align_up(node->c, 8) / 4);
    }
}

static void add_item(struct plan *plan, int32_t id, bool scratch, uint64_t size, int32_t first, int32_t last, uint64_t alignment)
{
    plan->item[plan->count++] =
        (struct plan_item){.id = id, .scratch = scratch, .size = align_up(size, alignment), .first = first, .last = last};
    plan->naive += align_up(size, alignment);
}

/* The node that writes the tensor. */
static int32_t born(const struct node *node, int32_t id)
{
    if (node->op == OP_INPUT)
        return 0;
    return node->op == OP_ALSO ? node->maker : id;
}

static void list_items(struct plan *plan, const struct net *n, const int32_t *last, bool f16, uint64_t alignment)
{
    for (int32_t i = 1; i < n->count; i++) {
        const struct node *node = &n->node[i];
        struct net_memory in[NODE_MAX_INPUTS];
        if (node->op == OP_NONE)
            continue;
        describe(plan, n, i, f16);
        for (uint32_t k = 0; k < node->n_in; k++)
            in[k] = plan->memory[node->in[k]];
        if (node->op != OP_SLICE)
            add_item(plan, i, false, tensor_bytes(node, f16), born(node, i), last[i], alignment);
        if (net_ops[node->op].scratch)
            plan->scratch_size[i] = net_ops[node->op].scratch(node, in, f16);
        if (plan->scratch_size[i])
            add_item(plan, i, true, plan->scratch_size[i], i, i, alignment);
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct plan_item *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (int)x->scratch - (int)y->scratch;
}

static int by_offset(const void *a, const void *b)
{
    const struct plan_item *x = *(const struct plan_item *const *)a, *y = *(const struct plan_item *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Lowest gap of item->size between the placed items that live at the same time. */
static uint64_t find_offset(const struct plan_item *item, struct plan_item **busy, size_t n)
{
    uint64_t at = 0;
    qsort(busy, n, sizeof(*busy), by_offset);
    for (size_t i = 0; i < n; i++) {
        if (at + item->size <= busy[i]->offset)
            break;
        if (busy[i]->offset + busy[i]->size > at)
            at = busy[i]->offset + busy[i]->size;
    }
    return at;
}

static void place(struct plan *plan, struct plan_item **busy)
{
    qsort(plan->item, plan->count, sizeof(*plan->item), larger_first);
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_item *item = &plan->item[i];
        size_t n = 0;
        for (size_t k = 0; k < i; k++)
            if (plan->item[k].first <= item->last && item->first <= plan->item[k].last)
                busy[n++] = &plan->item[k];
        item->offset = find_offset(item, busy, n);
        if (item->offset + item->size > plan->arena)
            plan->arena = item->offset + item->size;
    }
}

static void hand_out(struct plan *plan, const struct net *n, bool f16)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_item *item = &plan->item[i];
        if (item->scratch)
            plan->scratch[item->id] = item->offset;
        else
            plan->memory[item->id].range =
                (struct gpu_range){.offset = item->offset, .size = tensor_bytes(&n->node[item->id], f16)};
    }
    for (int32_t i = 1; i < n->count; i++)
        if (n->node[i].op == OP_SLICE)
            plan->memory[i].range = plan->memory[storage_of(n, i)].range;
}

bool plan_init(struct plan *plan, const struct net *n, const bool *pinned, bool f16, uint64_t alignment, struct segman_error *error)
{
    size_t count = (size_t)n->count;
    bool ok = false;
    int32_t *last = calloc(count, sizeof(*last));
    struct plan_item **busy = calloc(2 * count, sizeof(struct plan_item *));
    *plan = (struct plan){.item = calloc(2 * count, sizeof(*plan->item)),
                          .memory = calloc(count, sizeof(*plan->memory)),
                          .scratch = calloc(count, sizeof(*plan->scratch)),
                          .scratch_size = calloc(count, sizeof(*plan->scratch_size))};
    if (!last || !busy || !plan->item || !plan->memory || !plan->scratch || !plan->scratch_size) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        goto done;
    }
    find_lifetimes(n, pinned, last);
    list_items(plan, n, last, f16, alignment);
    place(plan, busy);
    hand_out(plan, n, f16);
    ok = true;
done:
    free(last);
    free(busy);
    if (!ok)
        plan_finish(plan);
    return ok;
}

void plan_finish(struct plan *plan)
{
    free(plan->item);
    free(plan->memory);
    free(plan->scratch);
    free(plan->scratch_size);
    *plan = (struct plan){0};
}
