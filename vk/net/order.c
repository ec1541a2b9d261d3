/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the nodes. A step is what runs between two barriers: every node starts at the first step at which its inputs are
 * there, so that branches that do not need each other run side by side, on a GPU that a small map leaves half idle.
 */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

/* The step after the one that makes the tensor. */
static uint32_t ready(const struct net *n, int32_t id)
{
    const struct node *node = &n->node[id];
    if (node->op == OP_ALSO)
        return ready(n, node->maker);
    return node->step + net_ops[node->op].steps;
}

static uint32_t first_step(const struct net *n, const struct node *node)
{
    uint32_t step = node->n_in ? ready(n, node->in[0]) : 0, late = net_ops[node->op].late;
    FOR_EACH_INPUT(node, id)
    if (input_i && ready(n, id) > step + late)
        step = ready(n, id) - late;
    return node->op == OP_ALSO ? ready(n, node->maker) : step;
}

/* A fused node stands where its last input is made or later, but for those that mix.c adds: so few rounds do. */
static void find_steps(struct net *n)
{
    for (bool again = true; again;) {
        again = false;
        for (int32_t i = 1; i < n->count; i++) {
            uint32_t step = first_step(n, &n->node[i]);
            again |= step != n->node[i].step;
            n->node[i].step = step;
        }
    }
}

static bool inputs_placed(const struct node *node, const int32_t *place)
{
    FOR_EACH_INPUT(node, id)
    if (!place[id])
        return false;
    return node->op != OP_ALSO || place[node->maker];
}

/* place[old id]: the new one. Of the nodes whose inputs are placed always the one with the least step, of these the first. */
static int32_t find_places(const struct net *n, int32_t *place)
{
    int32_t count = 1;
    for (;;) {
        int32_t best = 0;
        for (int32_t i = 1; i < n->count; i++)
            if (n->node[i].op != OP_NONE && !place[i] && (!best || n->node[i].step < n->node[best].step) &&
                inputs_placed(&n->node[i], place))
                best = i;
        if (!best)
            return count;
        place[best] = count++;
    }
}

static void move_ids(struct node *node, const int32_t *place)
{
    for (uint32_t i = 0; i < node->n_in; i++)
        node->in[i] = place[node->in[i]];
    node->residual = place[node->residual];
    node->also = place[node->also];
    node->maker = place[node->maker];
}

bool graph_order(struct net *n)
{
    int32_t *place = calloc((size_t)n->count, sizeof(*place));
    struct node *node = calloc((size_t)n->cap, sizeof(*node));
    if (!place || !node) {
        free(place);
        free(node);
        return false;
    }
    find_steps(n);
    int32_t count = find_places(n, place);
    for (int32_t i = 1; i < n->count; i++)
        if (place[i]) {
            node[place[i]] = n->node[i];
            move_ids(&node[place[i]], place);
        }
    for (size_t i = 0; i < n->n_names; i++)
        n->name[i].id = place[n->name[i].id];
    n->input = place[n->input];
    n->output = place[n->output];
    free(n->node);
    free(place);
    n->node = node;
    n->count = count;
    return true;
}
