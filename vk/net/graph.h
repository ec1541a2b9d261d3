/* SPDX-License-Identifier: Apache-2.0 */
/** graph.h: the graph as graph.c builds it, fuse.c rewrites it, plan.c places it and program.c turns it into passes. */
#ifndef NET_GRAPH_H
#define NET_GRAPH_H

#include "lower.h"

struct graph_name {
    char *name;
    int32_t id;
};

#define GRAPH_MAX_DEPTH 32

struct net {
    struct net_weights weights;
    struct node *node; /* node[id] makes tensor id; node[0] is the null tensor */
    int32_t count, cap;
    struct graph_name *name;
    size_t n_names, cap_names;
    char scope[512];
    size_t mark[GRAPH_MAX_DEPTH]; /* lengths of the outer scopes */
    uint32_t depth;
    int32_t input, output;
    bool failed;
    struct segman_error error;
};

/** Marks the nodes whose results must survive as they are (taps, output): pinned[count]. False for an unknown tap. */
bool graph_pin(const struct net *n, const char *const *taps, size_t n_taps, bool *pinned, struct segman_error *error);

/** Appends a copy of the node and takes what it owns; its id, 0: out of memory. Nodes move: pointers to them end here. */
int32_t graph_add(struct net *n, const struct node *node);
/** Frees what the node owns and leaves none. */
void graph_clear(struct node *node);

/** Rewrites the graph by the pattern table; a pinned tensor is never fused away. */
void graph_fuse(struct net *n, const bool *pinned, const struct net_target *target);

/**
 * 1x1 convolutions over resized, concatenated and summed maps multiply each map at its own size (mix.c). After graph_fuse; new
 * nodes stand behind all others until graph_order. False after an error.
 */
bool graph_mix(struct lower *l, struct net *n, const bool *pinned);

/**
 * Gives every node its step and sorts the nodes by it; what is dead goes. Nodes of one step do not wait for each other. False: out of
 * memory.
 */
bool graph_order(struct net *n);

struct plan_item {
    int32_t id; /* tensor, or node of a scratch */
    bool scratch;
    uint64_t size;        /* bytes, padded */
    uint64_t offset;      /* in the arena */
    uint32_t first, last; /* steps between which it is alive, inclusive */
};
struct plan {
    struct plan_item *item;
    size_t count;
    uint64_t arena, naive;     /* bytes */
    int32_t *home;             /* [net.count]: the concat in whose memory the tensor lies, 0: its own */
    uint32_t *home_first;      /* [net.count]: its first channel there */
    struct net_memory *memory; /* [net.count]; range.buffer is set by the program */
    uint64_t *scratch;         /* [net.count]: offset of the node's scratch */
    uint64_t *scratch_size;    /* [net.count] */
};
bool plan_init(struct plan *plan, const struct net *n, const bool *pinned, const struct net_target *target, uint64_t alignment,
               struct segman_error *error);
void plan_finish(struct plan *plan);

/** Calls visit for every input of the node: its inputs, then its residual. */
#define FOR_EACH_INPUT(node, id)                                                                                                           \
    for (uint32_t input_i = 0; input_i <= (node)->n_in; input_i++)                                                                         \
        for (int32_t id = input_i < (node)->n_in ? (node)->in[input_i] : (node)->residual; id; id = 0)

#endif
