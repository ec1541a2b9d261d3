/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights on their way. A large network's weights do not stay in the device's cache from frame to frame, and its passes are short:
 * each would begin with a wait for memory. So beside each neighborhood attention, which needs next to none, a pass reads those of the
 * passes up to the next one: about a block's (shaders/touch.comp).
 */
#include "program.h"
#include "shaders/iface.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_NETWORK (32u << 20)   /* bytes of weights: fewer may stay in the cache of a large GPU */
#define MOST_RANGE    (16u << 20)   /* more would not stay until they are needed */
#define LARGE_GPU     (32ull << 30) /* bytes of memory: no driver tells the cache's size, but such GPUs have 40 MiB and more of it */

static bool is_beside(const struct lower *l, const struct pending *p)
{
    return l->net->node[p->node].op == OP_NATTEN;
}

/* The weights of the passes behind pass i, to the next that another touch goes beside. Those of neighbours lie together. */
static struct gpu_range weights_behind(const struct lower *l, size_t i)
{
    uint64_t begin = UINT64_MAX, end = 0;
    do {
        const struct lower_pass *pass = ++i < l->n_pending ? &l->pending[i].pass : NULL;
        for (uint32_t k = 0; pass && k < pass->n_bindings; k++)
            if (pass->binding[k].range.buffer == &l->program->weights) {
                const struct gpu_range *r = &pass->binding[k].range;
                begin = r->offset < begin ? r->offset : begin;
                end = r->offset + r->size > end ? r->offset + r->size : end;
            }
    } while (i < l->n_pending && !is_beside(l, &l->pending[i]));
    return (struct gpu_range){&l->program->weights, begin, end > begin ? end - begin : 0};
}

/* A pass of the step of `beside` that reads them. It writes 256 bytes of its own, not to wait for another. */
static struct pending touch(struct lower *l, const struct pending *beside, struct gpu_range weights)
{
    const struct gpu_range nowhere = {&l->program->arena, l->program->plan.arena, 256};
    const struct touch_push push = {(uint32_t)(weights.size / 16), 0xfc01fc01};
    struct pending p = {.pass = {.shader = "touch",
                                 .binding = {{weights, GPU_READ}, {nowhere, GPU_WRITE}},
                                 .n_bindings = 2,
                                 .push_size = sizeof(push),
                                 .groups = {div_up(push.octs, TOUCH_WG * TOUCH_EACH), 1, 1},
                                 .bytes = (double)weights.size},
                        .node = beside->node,
                        .step = beside->step};
    memcpy(p.push, &push, sizeof(push));
    l->program->plan.arena += nowhere.size;
    return p;
}

bool touch_weights(struct lower *l)
{
    const struct gpu_caps *caps = l->target.caps;
    if (caps->cpu || caps->unified_memory || caps->device_memory < LARGE_GPU || l->blob_size < LEAST_NETWORK)
        return true;
    struct pending *all = calloc(2 * l->n_pending + 1, sizeof(*all));
    size_t n = 0;
    if (!all)
        return lower_out_of_memory(l);
    for (size_t i = 0; i < l->n_pending; i++) {
        all[n++] = l->pending[i];
        struct gpu_range weights = is_beside(l, &l->pending[i]) ? weights_behind(l, i) : (struct gpu_range){0};
        if (weights.size && weights.size <= MOST_RANGE)
            all[n++] = touch(l, &l->pending[i], weights);
    }
    free(l->pending);
    l->pending = all;
    l->n_pending = n;
    return true;
}
