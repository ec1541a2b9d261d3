/* SPDX-License-Identifier: Apache-2.0 */
/** program.h: a program in the making: lower.c runs the ops' lowerings on it, program.c makes the rest. */
#ifndef NET_PROGRAM_H
#define NET_PROGRAM_H

#include "graph.h"

struct net_program {
    struct gpu *gpu;
    const struct net_program *original; /* of a copy: it owns all but the arena and the passes */
    struct gpu_buffer arena, weights;
    struct plan plan;
    struct net_pass *pass;
    size_t n_passes;
    struct graph_name *name; /* names of kept tensors and of pass scopes */
    size_t n_names;
    bool *pinned;
    int32_t input, output;
    uint64_t weight_bytes;
};

/** A pass as described by its op, before its buffers exist. */
struct pending {
    struct lower_pass pass;
    char push[GPU_MAX_PUSH];
    int32_t node;
    uint32_t step, number; /* number: of all passes as the nodes made them */
};

struct lower {
    struct net_program *program;
    const struct net *net;
    const struct node *node;
    int32_t id;
    uint32_t n_of_node; /* passes that the node has made */
    struct net_target target;
    uint32_t conv_variant;
    struct net_tuning *tuning;
    struct segman_error *error;
    bool failed;
    void **temp; /* freed after each node */
    size_t n_temp, cap_temp;
    char *blob; /* all parameters */
    size_t blob_size, blob_cap;
    struct pending *pending;
    size_t n_pending, cap_pending;
};

/** Always false. */
bool lower_out_of_memory(struct lower *l);
/** Runs the lowerings of all nodes: the passes in l->pending, by step, and the parameters in l->blob. False after an error. */
bool lower_nodes(struct lower *l);
/** Adds passes that read weights ahead of those that need them (touch.c). False after an error. */
bool touch_weights(struct lower *l);
/** Frees what l owns: not the program. */
void lower_finish(struct lower *l);

#endif
