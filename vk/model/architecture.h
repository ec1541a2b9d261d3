/* SPDX-License-Identifier: Apache-2.0 */
/** architecture.h: the network as a graph, and its architecture as found from a checkpoint. */
#ifndef MODEL_ARCHITECTURE_H
#define MODEL_ARCHITECTURE_H

#include "../net/net.h"
#include "checkpoint.h"

/** The published variants (reference: VARIANTS), for naming and for synthetic weights; NULL where unknown. */
const struct segman_architecture *architecture_variant(const char *name);
/** Reads the architecture off the checkpoint's shapes. */
bool architecture_find(struct segman_architecture *a, const struct checkpoint *checkpoint, struct segman_error *error);

/** Builds the whole network on a (3, h, w) input; the output is named "logits" (classes, h/8, w/8). Errors stay in n. */
void segman_build(struct net *n, const struct segman_architecture *a, uint32_t h, uint32_t w);

#endif
