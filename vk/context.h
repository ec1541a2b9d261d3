/* SPDX-License-Identifier: Apache-2.0 */
/** context.h: the insides of the public objects, for the library's own files. */
#ifndef VK_CONTEXT_H
#define VK_CONTEXT_H

#include "model/architecture.h"

struct segman_context {
    struct gpu *gpu;
    struct net_tuning *tuning;
};

struct segman_model {
    struct segman_context *context;
    struct checkpoint *checkpoint;
    struct segman_architecture architecture;
    uint64_t tensors, parameters; /* that the network uses */
};

/** The network's view of a model's weights. */
struct net_weights model_weights(struct segman_model *model);

#endif
