/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: one per shader and specialisation, shared by all passes of a device. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define MAX_THREADS 16

struct gpu_pipeline {
    struct gpu_pipeline *next;
    const struct gpu_shader *shader;
    uint32_t n_bindings, n_spec;
    uint32_t spec[GPU_MAX_SPEC];
    uint32_t subgroup_size; /* 0: any */
    VkPipeline pipeline;
};

extern const struct gpu_shader gpu_shaders[]; /* generated; ends with a NULL name */

const struct gpu_shader *gpu_shader_find(const char *name)
{
    for (const struct gpu_shader *s = gpu_shaders; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

/* A module is a header of five words, then its capabilities: how many words and the opcode, the capability. */
bool gpu_shader_has_matrices(const struct gpu_shader *shader)
{
    enum { HEADER = 5, OP_CAPABILITY = 17, COOPERATIVE_MATRIX_KHR = 6022 };
    size_t words = shader->size / sizeof(*shader->code);
    for (size_t i = HEADER; i + 1 < words && (shader->code[i] & 0xffff) == OP_CAPABILITY; i += shader->code[i] >> 16)
        if (shader->code[i + 1] == COOPERATIVE_MATRIX_KHR)
            return true;
    return false;
}

/* Layouts depend only on the number of bindings: made once. */
static bool ensure_layout(struct gpu *gpu, uint32_t n, struct segman_error *error)
{
    if (gpu->layout[n])
        return true;
    VkDescriptorSetLayoutBinding b[GPU_MAX_BINDINGS];
    for (uint32_t i = 0; i < n; i++)
        b[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                              .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                              .descriptorCount = 1,
                                              .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
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
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
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

static bool same(const struct gpu_pipeline *p, const struct gpu_shader *shader, const struct gpu_pass_desc *desc)
{
    return p->shader == shader && p->n_bindings == desc->n_bindings && p->n_spec == desc->n_spec &&
           p->subgroup_size == desc->subgroup_size && !memcmp(p->spec, desc->spec, desc->n_spec * sizeof(*desc->spec));
}

/* Finds the entry or adds one that is not compiled yet. */
static struct gpu_pipeline *find(struct gpu *gpu, const struct gpu_pass_desc *desc, struct segman_error *error)
{
    const struct gpu_shader *shader = gpu_shader_find(desc->shader);
    if (!shader) {
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The shader %s was not built", desc->shader);
        return NULL;
    }
    for (struct gpu_pipeline *p = gpu->pipelines; p; p = p->next)
        if (same(p, shader, desc))
            return p;
    struct gpu_pipeline *p = calloc(1, sizeof(*p));
    if (!p || !ensure_layout(gpu, desc->n_bindings, error)) {
        if (!p)
            segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        free(p);
        return NULL;
    }
    p->shader = shader;
    p->n_bindings = desc->n_bindings;
    p->n_spec = desc->n_spec;
    p->subgroup_size = desc->subgroup_size;
    memcpy(p->spec, desc->spec, desc->n_spec * sizeof(*desc->spec));
    p->next = gpu->pipelines;
    gpu->pipelines = p;
    return p;
}

VkPipeline gpu_pipeline_get(struct gpu *gpu, const struct gpu_pass_desc *desc, struct segman_error *error)
{
    struct gpu_pipeline *p = find(gpu, desc, error);
    if (!p || (!p->pipeline && !compile(gpu, p, error)))
        return VK_NULL_HANDLE;
    return p->pipeline;
}

/* ---- many at once ---------------------------------------------------------------------------- */

struct batch {
    struct gpu *gpu;
    struct gpu_pipeline **todo;
    uint32_t count;
    uint32_t next; /* atomic */
};

/* Failures stay uncompiled: who needs that pipeline tries again and gets the error. */
static void *compile_some(void *user)
{
    struct batch *b = user;
    for (uint32_t i; (i = __atomic_fetch_add(&b->next, 1, __ATOMIC_RELAXED)) < b->count;)
        compile(b->gpu, b->todo[i], NULL);
    return NULL;
}

static void run_batch(struct batch *b)
{
    pthread_t thread[MAX_THREADS];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = 0, want = b->count < MAX_THREADS ? b->count : MAX_THREADS;
    while (n + 1 < want && (long)n + 1 < cores && !pthread_create(&thread[n], NULL, compile_some, b))
        n++;
    compile_some(b);
    while (n > 0)
        pthread_join(thread[--n], NULL);
}

bool gpu_pipelines_note(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count, struct segman_error *error)
{
    bool ok = true;
    pthread_mutex_lock(&gpu->lock);
    for (uint32_t i = 0; ok && i < count; i++)
        ok = find(gpu, &descs[i], error) != NULL;
    pthread_mutex_unlock(&gpu->lock);
    return ok;
}

static uint32_t count_pipelines(const struct gpu *gpu, bool compiled)
{
    uint32_t n = 0;
    for (const struct gpu_pipeline *p = gpu->pipelines; p; p = p->next)
        n += compiled == (p->pipeline != VK_NULL_HANDLE);
    return n;
}

uint32_t gpu_pipelines_count(struct gpu *gpu)
{
    pthread_mutex_lock(&gpu->lock);
    uint32_t n = count_pipelines(gpu, true);
    pthread_mutex_unlock(&gpu->lock);
    return n;
}

static struct gpu_pass_desc describe(const struct gpu_pipeline *p)
{
    struct gpu_pass_desc desc = {
        .shader = p->shader->name, .n_bindings = p->n_bindings, .n_spec = p->n_spec, .subgroup_size = p->subgroup_size};
    memcpy(desc.spec, p->spec, sizeof(p->spec));
    return desc;
}

static void compile_ahead(const struct batch *b)
{
    struct gpu_pass_desc *descs = calloc(b->count + 1, sizeof(*descs));
    for (uint32_t i = 0; descs && i < b->count; i++)
        descs[i] = describe(b->todo[i]);
    if (descs)
        gpu_compile_ahead(b->gpu, descs, b->count);
    free(descs);
}

bool gpu_pipelines_prepare(struct gpu *gpu, struct segman_error *error)
{
    struct batch b = {.gpu = gpu};
    pthread_mutex_lock(&gpu->lock);
    b.todo = calloc(count_pipelines(gpu, false) + 1, sizeof(struct gpu_pipeline *));
    for (struct gpu_pipeline *p = gpu->pipelines; b.todo && p; p = p->next)
        if (!p->pipeline)
            b.todo[b.count++] = p;
    if (gpu->caps.cpu)
        compile_ahead(&b);
    run_batch(&b);
    pthread_mutex_unlock(&gpu->lock);
    bool ok = b.todo != NULL;
    free(b.todo);
    return ok || segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
}

void gpu_pipelines_destroy(struct gpu *gpu)
{
    for (struct gpu_pipeline *p = gpu->pipelines, *next; p; p = next) {
        next = p->next;
        if (p->pipeline)
            vkDestroyPipeline(gpu->device, p->pipeline, NULL);
        free(p);
    }
    for (uint32_t i = 0; i <= GPU_MAX_BINDINGS; i++) {
        if (gpu->layout[i])
            vkDestroyPipelineLayout(gpu->device, gpu->layout[i], NULL);
        if (gpu->set_layout[i])
            vkDestroyDescriptorSetLayout(gpu->device, gpu->set_layout[i], NULL);
    }
}
