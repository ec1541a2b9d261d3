/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor sets and passes. */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

#define SETS_PER_POOL 256

struct gpu_set_pool {
    struct gpu_set_pool *next;
    VkDescriptorPool pool;
    uint32_t used;
};

static struct gpu_set_pool *find_set_pool(struct gpu *gpu, struct segman_error *error)
{
    for (struct gpu_set_pool *s = gpu->set_pools; s; s = s->next)
        if (s->used < SETS_PER_POOL)
            return s;
    struct gpu_set_pool *s = calloc(1, sizeof(*s));
    if (!s) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    const VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = SETS_PER_POOL * GPU_MAX_BINDINGS};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .flags = VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT,
                                             .maxSets = SETS_PER_POOL,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    GPU_TRY(vkCreateDescriptorPool(gpu->device, &info, NULL, &s->pool), "Creating a descriptor pool");
    s->next = gpu->set_pools;
    gpu->set_pools = s;
    return s;
fail:
    free(s);
    return NULL;
}

static bool create_set(struct gpu *gpu, struct gpu_pass *pass, struct segman_error *error)
{
    VkDescriptorBufferInfo buffers[GPU_MAX_BINDINGS];
    VkWriteDescriptorSet writes[GPU_MAX_BINDINGS];
    struct gpu_set_pool *pool = find_set_pool(gpu, error);
    if (!pool)
        return false;
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = pool->pool,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &gpu->set_layout[pass->n_bindings]};
    GPU_TRY(vkAllocateDescriptorSets(gpu->device, &info, &pass->set), "Allocating a descriptor set");
    pass->set_pool = pool;
    pool->used++;
    for (uint32_t i = 0; i < pass->n_bindings; i++) {
        const struct gpu_range *r = &pass->binding[i].range;
        buffers[i] = (VkDescriptorBufferInfo){.buffer = r->buffer->buffer, .offset = r->offset, .range = r->size};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = pass->set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    vkUpdateDescriptorSets(gpu->device, pass->n_bindings, writes, 0, NULL);
    return true;
fail:
    return false;
}

static bool check_desc(const struct gpu *gpu, const struct gpu_shader *shader, const struct gpu_pass_desc *desc, struct segman_error *error)
{
    if (!shader)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The shader %s was not built", desc->shader);
    if (desc->n_bindings > GPU_MAX_BINDINGS || desc->n_spec > GPU_MAX_SPEC || desc->push_size > GPU_MAX_PUSH)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The pass %s has too many bindings or constants", desc->shader);
    for (uint32_t i = 0; i < 3; i++)
        if (!desc->groups[i] || desc->groups[i] > gpu->caps.max_groups[i])
            return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The pass %s (%s) needs %u workgroups in one dimension, the device runs %u",
                               desc->label ? desc->label : "", desc->shader, desc->groups[i], gpu->caps.max_groups[i]);
    for (uint32_t i = 0; i < desc->n_bindings; i++)
        if (desc->binding[i].range.size > gpu->caps.max_range)
            return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                               "%s needs a tensor of %llu MiB, the device binds at most %llu MiB: use a smaller --size or --precision f16",
                               desc->label ? desc->label : desc->shader, (unsigned long long)(desc->binding[i].range.size >> 20),
                               (unsigned long long)(gpu->caps.max_range >> 20));
    return true;
}

struct gpu_pass *gpu_pass_create(struct gpu *gpu, const struct gpu_pass_desc *desc, struct segman_error *error)
{
    const struct gpu_shader *shader = gpu_shader_find(desc->shader);
    if (!check_desc(gpu, shader, desc, error))
        return NULL;
    struct gpu_pass *pass = calloc(1, sizeof(*pass));
    if (!pass || !(pass->label = strdup(desc->label ? desc->label : desc->shader))) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        free(pass);
        return NULL;
    }
    pass->n_bindings = desc->n_bindings;
    for (uint32_t i = 0; i < desc->n_bindings; i++) {
        pass->binding[i].range = desc->binding[i].range;
        pass->binding[i].access = desc->binding[i].access;
    }
    pass->push_size = desc->push_size;
    if (desc->push_size)
        memcpy(pass->push, desc->push, desc->push_size);
    memcpy(pass->groups, desc->groups, sizeof(pass->groups));
    pthread_mutex_lock(&gpu->lock);
    pass->pipeline = gpu_pipeline_get(gpu, desc, error);
    bool ok = pass->pipeline && create_set(gpu, pass, error);
    pthread_mutex_unlock(&gpu->lock);
    if (!ok) {
        gpu_pass_destroy(gpu, pass);
        return NULL;
    }
    pass->layout = gpu->layout[desc->n_bindings];
    return pass;
}

struct gpu_pass *gpu_pass_copy(struct gpu *gpu, const struct gpu_pass *from, const struct gpu_buffer *buffer,
                               const struct gpu_buffer *instead, struct segman_error *error)
{
    struct gpu_pass *pass = malloc(sizeof(*pass));
    if (pass)
        *pass = *from;
    if (!pass || !(pass->label = strdup(from->label))) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        free(pass);
        return NULL;
    }
    pass->set_pool = NULL;
    for (uint32_t i = 0; i < pass->n_bindings; i++)
        if (pass->binding[i].range.buffer == buffer)
            pass->binding[i].range.buffer = instead;
    pthread_mutex_lock(&gpu->lock);
    bool ok = create_set(gpu, pass, error);
    pthread_mutex_unlock(&gpu->lock);
    if (ok)
        return pass;
    gpu_pass_destroy(gpu, pass);
    return NULL;
}

void gpu_pass_destroy(struct gpu *gpu, struct gpu_pass *pass)
{
    if (!pass)
        return;
    if (pass->set_pool) {
        pthread_mutex_lock(&gpu->lock);
        vkFreeDescriptorSets(gpu->device, pass->set_pool->pool, 1, &pass->set);
        pass->set_pool->used--;
        pthread_mutex_unlock(&gpu->lock);
    }
    free(pass->label);
    free(pass);
}

void gpu_set_pools_destroy(struct gpu *gpu)
{
    for (struct gpu_set_pool *s = gpu->set_pools, *next; s; s = next) {
        next = s->next;
        vkDestroyDescriptorPool(gpu->device, s->pool, NULL);
        free(s);
    }
}
