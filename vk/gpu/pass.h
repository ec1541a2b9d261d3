/* SPDX-License-Identifier: Apache-2.0 */
/** pass.h: a pass as commands.c records it. */
#ifndef GPU_PASS_H
#define GPU_PASS_H

#include "internal.h"

struct gpu_pass {
    VkPipeline pipeline;     /* of gpu->pipelines */
    VkPipelineLayout layout; /* of gpu->layout */
    VkDescriptorSet set;
    struct gpu_set_pool *set_pool;
    struct {
        struct gpu_range range;
        enum gpu_access access;
    } binding[GPU_MAX_BINDINGS];
    uint32_t n_bindings;
    uint8_t push[GPU_MAX_PUSH];
    uint32_t push_size;
    uint32_t groups[3];
    char *label;
};

#endif
