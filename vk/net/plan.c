/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning: every tensor gets an offset in one arena. Two tensors may share bytes when their lifetimes (from the step
 * that writes to the last step that reads) are disjoint: so passes of one step never wait for each other's memory. Largest
 * first, each at the lowest offset that is free.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static uint64_t tensor_bytes(const struct node *node, bool f16)
{
    return (uint64_t)node->h * node->w * align_up(node->c, 8) * (f16 ? 2 : 4);
}

/* The tensor whose bytes a view reads or a part of a concat fills; itself when it is neither. */
static int32_t storage_of(const struct plan *plan, const struct net *n, int32_t id)
{
    while (n->node[id].op == OP_SLICE || plan->home[id])
        id = n->node[id].op == OP_SLICE ? n->node[id].in[0] : plan->home[id];
    return id;
}

static bool may_move(const struct plan *plan, const struct net *n, int32_t id, uint32_t first)
{
    const struct node *node = &n->node[id];
    return net_ops[node->op].writes_views && !plan->home[id] && node->c % 4 == 0 && first % 4 == 0;
}

/* No concatenation is copied where its parts can be written in place: each tensor may live in one concat. */
static void find_homes(struct plan *plan, const struct net *n)
{
    for (int32_t i = 1; i < n->count; i++) {
        uint32_t first = 0;
        if (n->node[i].op != OP_CONCAT)
            continue;
        for (uint32_t k = 0; k < n->node[i].n_in; k++) {
            int32_t id = n->node[i].in[k];
            if (may_move(plan, n, id, first)) {
                plan->home[id] = i;
                plan->home_first[id] = first;
            }
            first += n->node[id].c;
        }
    }
}

static void extend(struct plan_item *item, uint32_t step)
{
    item->first = step < item->first ? step : item->first;
    item->last = step > item->last ? step : item->last;
}

/* The step that writes the tensor. */
static uint32_t born(const struct net *n, const struct node *node)
{
    if (node->op == OP_INPUT)
        return 0;
    return node->op == OP_ALSO ? n->node[node->maker].step : node->step;
}

/* The last step in which the node reads. */
static uint32_t done(const struct node *node)
{
    return node->step + max_u32(net_ops[node->op].steps, 1) - 1;
}

/* life[id].first and .last of everything that owns memory. */
static void find_lifetimes(const struct plan *plan, const struct net *n, const bool *pinned, struct plan_item *life)
{
    for (int32_t i = 0; i < n->count; i++)
        life[i] = (struct plan_item){.first = UINT32_MAX};
    for (int32_t i = 1; i < n->count; i++) {
        struct plan_item *own = &life[storage_of(plan, n, i)];
        extend(own, born(n, &n->node[i]));
        if (pinned[i])
            extend(own, UINT32_MAX - 1);
        FOR_EACH_INPUT(&n->node[i], id)
        extend(&life[storage_of(plan, n, id)], done(&n->node[i]));
    }
}

/* Where the tensor lies within the tensor that owns its memory; parents are described before their parts. */
static void describe(struct plan *plan, const struct net *n, int32_t id, bool f16)
{
    const struct node *node = &n->node[id];
    struct net_memory *m = &plan->memory[id];
    int32_t parent = node->op == OP_SLICE ? node->in[0] : plan->home[id];
    uint32_t first = node->op == OP_SLICE ? node->first : plan->home_first[id];
    if (m->stride4)
        return;
    *m = (struct net_memory){.c = node->c, .h = node->h, .w = node->w, .f16 = f16};
    if (!parent) {
        m->stride4 = (uint32_t)(align_up(node->c, 8) / 4);
        m->pad4 = m->stride4 - div_up(node->c, 4);
        return;
    }
    describe(plan, n, parent, f16);
    m->stride4 = plan->memory[parent].stride4;
    m->offset4 = plan->memory[parent].offset4 + first / 4;
    if (first + node->c == n->node[parent].c && node->op != OP_SLICE) /* the last part fills what follows */
        m->pad4 = plan->memory[parent].pad4;
}

static void add_item(struct plan *plan, struct plan_item item, uint64_t size, uint64_t alignment)
{
    item.size = align_up(size, alignment);
    plan->item[plan->count++] = item;
    plan->naive += align_up(size, alignment);
}

static void list_items(struct plan *plan, const struct net *n, const struct plan_item *life, const struct net_target *target,
                       uint64_t alignment)
{
    bool f16 = target->f16;
    for (int32_t i = 1; i < n->count; i++) {
        const struct node *node = &n->node[i];
        struct net_memory in[NODE_MAX_INPUTS];
        if (node->op == OP_NONE)
            continue;
        describe(plan, n, i, f16);
        for (uint32_t k = 0; k < node->n_in; k++)
            in[k] = plan->memory[node->in[k]];
        if (storage_of(plan, n, i) == i)
            add_item(plan, (struct plan_item){.id = i, .first = life[i].first, .last = life[i].last}, tensor_bytes(node, f16), alignment);
        if (net_ops[node->op].scratch)
            plan->scratch_size[i] = net_ops[node->op].scratch(node, in, target);
        if (plan->scratch_size[i])
            add_item(plan, (struct plan_item){.id = i, .scratch = true, .first = node->step, .last = done(node)}, plan->scratch_size[i],
                     alignment);
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
            plan->memory[item->id].range = (struct gpu_range){.offset = item->offset, .size = tensor_bytes(&n->node[item->id], f16)};
    }
    for (int32_t i = 1; i < n->count; i++)
        if (n->node[i].op != OP_NONE)
            plan->memory[i].range = plan->memory[storage_of(plan, n, i)].range;
}

bool plan_init(struct plan *plan, const struct net *n, const bool *pinned, const struct net_target *target, uint64_t alignment,
               struct segman_error *error)
{
    size_t count = (size_t)n->count;
    bool ok = false;
    struct plan_item *life = calloc(count, sizeof(*life));
    struct plan_item **busy = calloc(2 * count, sizeof(struct plan_item *));
    *plan = (struct plan){.item = calloc(2 * count, sizeof(*plan->item)),
                          .home = calloc(count, sizeof(*plan->home)),
                          .home_first = calloc(count, sizeof(*plan->home_first)),
                          .memory = calloc(count, sizeof(*plan->memory)),
                          .scratch = calloc(count, sizeof(*plan->scratch)),
                          .scratch_size = calloc(count, sizeof(*plan->scratch_size))};
    if (!life || !busy || !plan->item || !plan->home || !plan->home_first || !plan->memory || !plan->scratch || !plan->scratch_size) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        goto done;
    }
    find_homes(plan, n);
    find_lifetimes(plan, n, pinned, life);
    list_items(plan, n, life, target, alignment);
    place(plan, busy);
    hand_out(plan, n, target->f16);
    ok = true;
done:
    free(life);
    free(busy);
    if (!ok)
        plan_finish(plan);
    return ok;
}

void plan_finish(struct plan *plan)
{
    free(plan->item);
    free(plan->home);
    free(plan->home_first);
    free(plan->memory);
    free(plan->scratch);
    free(plan->scratch_size);
    *plan = (struct plan){0};
}
