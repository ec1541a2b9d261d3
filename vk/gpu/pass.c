/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines (one per shader and specialisation, shared), descriptor sets, passes. */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

#define SETS_PER_POOL 256

struct gpu_pipeline {
    struct gpu_pipeline *next;
    const struct gpu_shader *shader;
    uint32_t n_bindings, n_spec;
    uint32_t spec[GPU_MAX_SPEC];
    uint32_t subgroup_size; /* 0: any */
    VkPipeline pipeline;
};

struct gpu_set_pool {
    struct gpu_set_pool *next;
    VkDescriptorPool pool;
    uint32_t used;
};

extern const struct gpu_shader gpu_shaders[]; /* generated; ends with a NULL name */

const struct gpu_shader *gpu_shader_find(const char *name)
{
    for (const struct gpu_shader *s = gpu_shaders; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

/* Layouts depend only on the number of bindings: made once. */
static bool ensure_layout(struct gpu *gpu, uint32_t n, struct segman_error *error)
{
    if (gpu->layout[n])
        return true;
    VkDescriptorSetLayoutBinding b[GPU_MAX_BINDINGS];
    for (uint32_t i = 0; i < n; i++)
        b[i] = (VkDescriptorSetLayoutBinding){
            .binding = i, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    const VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = n, .pBindings = b};
    if (!gpu->set_layout[n])
        GPU_TRY(vkCreateDescriptorSetLayout(gpu->device, &set, NULL, &gpu->set_layout[n]), "Creating a descriptor set layout");
    const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = GPU_MAX_PUSH};
    const VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                             .setLayoutCount = 1,
                                             .pSetLayouts = &gpu->set_layout[n],
                                             .pushConstantRangeCount = 1,
                                             .pPushConstantRanges = &push};
    GPU_TRY(vkCreatePipelineLayout(gpu->device, &info, NULL, &gpu->layout[n]), "Creating a pipeline layout");
    return true;
fail:
    return false;
}

static bool compile(struct gpu *gpu, struct gpu_pipeline *p, struct segman_error *error)
{
    VkSpecializationMapEntry entries[GPU_MAX_SPEC];
    VkShaderModule module = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < p->n_spec; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = i * 4, .size = 4};
    const VkSpecializationInfo spec = {.mapEntryCount = p->n_spec, .pMapEntries = entries, .dataSize = p->n_spec * 4, .pData = p->spec};
    const VkShaderModuleCreateInfo code = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = p->shader->size, .pCode = p->shader->code};
    GPU_TRY(vkCreateShaderModule(gpu->device, &code, NULL, &module), p->shader->name);
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, .requiredSubgroupSize = p->subgroup_size};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                              .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                        .pNext = p->subgroup_size ? &size : NULL,
                                                        .flags = p->subgroup_size ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                                                        .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                        .module = module,
                                                        .pName = "main",
                                                        .pSpecializationInfo = &spec},
                                              .layout = gpu->layout[p->n_bindings]};
    VkResult r = vkCreateComputePipelines(gpu->device, gpu->cache, 1, &info, NULL, &p->pipeline);
    vkDestroyShaderModule(gpu->device, module, NULL);
    GPU_TRY(r, p->shader->name);
    return true;
fail:
    return false;
}

static struct gpu_pipeline *find_pipeline(struct gpu *gpu, const struct gpu_shader *shader, const struct gpu_pass_desc *desc,
                                          struct segman_error *error)
{
    for (struct gpu_pipeline *p = gpu->pipelines; p; p = p->next)
        if (p->shader == shader && p->n_bindings == desc->n_bindings && p->n_spec == desc->n_spec && p->subgroup_size == desc->subgroup_size &&
            !memcmp(p->spec, desc->spec, desc->n_spec * sizeof(*desc->spec)))
            return p;
    struct gpu_pipeline *p = calloc(1, sizeof(*p));
    if (!p) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    p->shader = shader;
    p->n_bindings = desc->n_bindings;
    p->n_spec = desc->n_spec;
    p->subgroup_size = desc->subgroup_size;
    memcpy(p->spec, desc->spec, desc->n_spec * sizeof(*desc->spec));
    if (!ensure_layout(gpu, desc->n_bindings, error) || !compile(gpu, p, error)) {
        free(p);
        return NULL;
    }
    p->next = gpu->pipelines;
    gpu->pipelines = p;
    return p;
}

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
    const struct gpu_pipeline *pipeline = find_pipeline(gpu, shader, desc, error);
    bool ok = pipeline && create_set(gpu, pass, error);
    pthread_mutex_unlock(&gpu->lock);
    if (!ok) {
        gpu_pass_destroy(gpu, pass);
        return NULL;
    }
    pass->pipeline = pipeline->pipeline;
    pass->layout = gpu->layout[desc->n_bindings];
    return pass;
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

void gpu_pipelines_destroy(struct gpu *gpu)
{
    for (struct gpu_pipeline *p = gpu->pipelines, *next; p; p = next) {
        next = p->next;
        vkDestroyPipeline(gpu->device, p->pipeline, NULL);
        free(p);
    }
    for (struct gpu_set_pool *s = gpu->set_pools, *next; s; s = next) {
        next = s->next;
        vkDestroyDescriptorPool(gpu->device, s->pool, NULL);
        free(s);
    }
    for (uint32_t i = 0; i <= GPU_MAX_BINDINGS; i++) {
        if (gpu->layout[i])
            vkDestroyPipelineLayout(gpu->device, gpu->layout[i], NULL);
        if (gpu->set_layout[i])
            vkDestroyDescriptorSetLayout(gpu->device, gpu->set_layout[i], NULL);
    }
}
