/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coop.h"
#include "internal.h"

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    struct gpu *gpu = user;
    (void)types;
    __atomic_add_fetch(&gpu->validation_messages, 1, __ATOMIC_RELAXED);
    gpu_log(gpu, severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT ? SEGMAN_LOG_ERROR : SEGMAN_LOG_WARNING, "Vulkan validation: %s",
            data->pMessage);
    return VK_FALSE;
}

static void create_messenger(struct gpu *gpu)
{
    const VkDebugUtilsMessengerCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = gpu};
    PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)(void *)vkGetInstanceProcAddr(gpu->instance, "vkCreateDebugUtilsMessengerEXT");
    if (create)
        create(gpu->instance, &info, NULL, &gpu->messenger);
}

static bool has_subgroup_shuffle(VkPhysicalDevice device)
{
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &subgroup};
    vkGetPhysicalDeviceProperties2(device, &p);
    return (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
}

/* Whether compute pipelines may ask for subgroups of this size, all of them whole. */
static bool has_whole_subgroups(VkPhysicalDevice device, uint32_t subgroup)
{
    VkPhysicalDeviceVulkan13Features v13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &v13};
    VkPhysicalDeviceSubgroupSizeControlProperties size = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &size};
    vkGetPhysicalDeviceProperties2(device, &p);
    if (p.properties.apiVersion < VK_API_VERSION_1_3)
        return false;
    vkGetPhysicalDeviceFeatures2(device, &f);
    return v13.subgroupSizeControl && v13.computeFullSubgroups && size.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT &&
           size.minSubgroupSize <= subgroup && subgroup <= size.maxSubgroupSize;
}

static void fill_caps(struct gpu *gpu)
{
    VkPhysicalDeviceProperties p;
    VkPhysicalDeviceHostQueryResetFeatures reset = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_QUERY_RESET_FEATURES};
    VkPhysicalDevice16BitStorageFeatures half = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, .pNext = &reset};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &half};
    vkGetPhysicalDeviceProperties(gpu->physical, &p);
    vkGetPhysicalDeviceFeatures2(gpu->physical, &f);
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    gpu->timestamp_ns = p.limits.timestampPeriod;
    gpu->host_query_reset = reset.hostQueryReset;
    bool unified = true;
    uint64_t largest = 0;
    for (uint32_t i = 0; i < gpu->memory.memoryHeapCount; i++) {
        bool own = gpu->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
        unified &= own;
        if (own && gpu->memory.memoryHeaps[i].size > largest)
            largest = gpu->memory.memoryHeaps[i].size;
    }
    gpu->caps = (struct gpu_caps){
        .fp16 = gpu->info.fp16,
        .storage16 = half.storageBuffer16BitAccess,
        .unified_memory = unified && gpu->info.type != SEGMAN_DEVICE_DISCRETE,
        .cpu = gpu->info.type == SEGMAN_DEVICE_CPU,
        .subgroup_shuffle = has_subgroup_shuffle(gpu->physical),
        .whole_subgroups = has_whole_subgroups(gpu->physical, gpu->info.subgroup_size),
        .subgroup_size = gpu->info.subgroup_size,
        .device_memory = largest,
        .shared_memory = p.limits.maxComputeSharedMemorySize,
        .max_invocations = p.limits.maxComputeWorkGroupInvocations,
        .max_range = p.limits.maxStorageBufferRange,
        .offset_alignment = p.limits.minStorageBufferOffsetAlignment,
        .max_bindings = p.limits.maxPerStageDescriptorStorageBuffers,
        .max_groups = {p.limits.maxComputeWorkGroupCount[0], p.limits.maxComputeWorkGroupCount[1], p.limits.maxComputeWorkGroupCount[2]},
    };
    gpu->caps.coop = gpu_coop_query(gpu);
}

static bool find_queues(struct gpu *gpu, struct segman_error *error)
{
    int best = gpu_queue_family(gpu->physical, gpu->surface);
    if (best < 0)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The device %s has no compute queue", gpu->info.name);
    gpu_queues_choose(gpu, (uint32_t)best);
    gpu->caps.timestamps = gpu->queue[GPU_QUEUE_MAIN].timestamp_bits != 0;
    for (uint32_t i = 0; i < GPU_QUEUES; i++) {
        bool known = false;
        for (uint32_t k = 0; k < gpu->n_families; k++)
            known |= gpu->family[k] == gpu->queue[i].family;
        if (!known)
            gpu->family[gpu->n_families++] = gpu->queue[i].family;
    }
    return true;
}

/* Of each family the queues up to the last one in use. */
static void list_queues(const struct gpu *gpu, VkDeviceQueueCreateInfo list[GPU_QUEUES])
{
    static const float priority[GPU_QUEUES + GPU_MAX_PARALLEL] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (uint32_t i = 0; i < gpu->n_families; i++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < gpu->n_queues; k++)
            if (gpu->queue[k].family == gpu->family[i] && gpu->queue[k].index >= count)
                count = gpu->queue[k].index + 1;
        list[i] = (VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueFamilyIndex = gpu->family[i],
                                            .queueCount = count,
                                            .pQueuePriorities = priority};
    }
}

static bool create_device(struct gpu *gpu, struct segman_error *error)
{
    VkDeviceQueueCreateInfo queues[GPU_QUEUES];
    list_queues(gpu, queues);
    const bool matrices = gpu->caps.coop.m != 0;
    const char *extensions[2];
    uint32_t n_extensions = 0;
    if (matrices)
        extensions[n_extensions++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
    if (gpu->surface)
        extensions[n_extensions++] = VK_KHR_SWAPCHAIN_EXTENSION_NAME;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR coop = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
                                                         .cooperativeMatrix = VK_TRUE};
    VkPhysicalDeviceVulkan13Features v13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                            .pNext = matrices ? &coop : NULL,
                                            .subgroupSizeControl = gpu->caps.whole_subgroups,
                                            .computeFullSubgroups = gpu->caps.whole_subgroups,
                                            .synchronization2 = VK_TRUE,
                                            .maintenance4 = VK_TRUE};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                            .pNext = &v13,
                                            .timelineSemaphore = VK_TRUE,
                                            .hostQueryReset = gpu->host_query_reset,
                                            .shaderFloat16 = gpu->caps.fp16,
                                            .vulkanMemoryModel = matrices,
                                            .vulkanMemoryModelDeviceScope = matrices}; /* atomics of all shaders have that scope */
    VkPhysicalDeviceVulkan11Features v11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &v12, .storageBuffer16BitAccess = gpu->caps.storage16};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &v11,
                                     .queueCreateInfoCount = gpu->n_families,
                                     .pQueueCreateInfos = queues,
                                     .enabledExtensionCount = n_extensions,
                                     .ppEnabledExtensionNames = extensions};
    GPU_TRY(vkCreateDevice(gpu->physical, &info, NULL, &gpu->device), "Opening the GPU");
    for (uint32_t i = 0; i < gpu->n_queues; i++)
        vkGetDeviceQueue(gpu->device, gpu->queue[i].family, gpu->queue[i].index, &gpu->queue[i].queue);
    return true;
fail:
    return false;
}

static bool open_instance(struct gpu *gpu, const struct segman_context_params *params, struct segman_error *error)
{
    bool debug_utils, layer;
    bool validation = params->validation;
    if (params->surface && params->surface->n_extensions > GPU_MAX_INSTANCE_EXTENSIONS)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The window needs %u Vulkan extensions, at most %u are possible",
                           params->surface->n_extensions, GPU_MAX_INSTANCE_EXTENSIONS);
    VkResult r = gpu_instance_create(validation, params->surface, &gpu->instance, &debug_utils, &layer);
    if (r < 0)
        return gpu_instance_fail(r, error);
    if (validation && !layer)
        gpu_log(gpu, SEGMAN_LOG_WARNING, "The Vulkan validation layer is not installed (Debian: vulkan-validationlayers)");
    if (layer)
        create_messenger(gpu);
    if (debug_utils) {
        gpu->label_begin = (PFN_vkCmdBeginDebugUtilsLabelEXT)(void *)vkGetInstanceProcAddr(gpu->instance, "vkCmdBeginDebugUtilsLabelEXT");
        gpu->label_end = (PFN_vkCmdEndDebugUtilsLabelEXT)(void *)vkGetInstanceProcAddr(gpu->instance, "vkCmdEndDebugUtilsLabelEXT");
    }
    return true;
}

static bool open_surface(struct gpu *gpu, const struct segman_surface_source *source, struct segman_error *error)
{
    uint64_t surface = 0;
    if (!source)
        return true;
    if (!source->create(source->user, gpu->instance, &surface) || !surface)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The window cannot be drawn on with Vulkan");
    memcpy(&gpu->surface, &surface, sizeof(gpu->surface)); /* a pointer or a 64-bit number, by platform */
    return true;
}

static bool pick_device(struct gpu *gpu, const char *want, struct segman_error *error)
{
    struct segman_device_info *infos;
    VkPhysicalDevice *devices;
    uint32_t count;
    if (!gpu_devices_list(gpu->instance, &infos, &devices, &count, error))
        return false;
    int i = gpu_device_choose(gpu, infos, devices, count, want, error);
    if (i >= 0) {
        gpu->info = infos[i];
        gpu->physical = devices[i];
    }
    free(infos);
    free(devices);
    return i >= 0;
}

struct gpu *gpu_create(const struct segman_context_params *params, struct segman_error *error)
{
    struct gpu *gpu = calloc(1, sizeof(*gpu));
    if (!gpu) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    gpu->log = params->log;
    gpu->log_user = params->log_user;
    gpu->lock_ready = !pthread_mutex_init(&gpu->lock, NULL);
    if (!open_instance(gpu, params, error) || !open_surface(gpu, params->surface, error) || !pick_device(gpu, params->device, error) ||
        !(fill_caps(gpu), find_queues(gpu, error)) || !create_device(gpu, error))
        goto fail;
    gpu_cache_load(gpu, params->cache_dir);
    gpu->caps.coop.deal = gpu_deal_query(gpu);
    return gpu;
fail:
    gpu_destroy(gpu);
    return NULL;
}

void gpu_destroy(struct gpu *gpu)
{
    if (!gpu)
        return;
    if (gpu->device) {
        vkDeviceWaitIdle(gpu->device);
        gpu_cache_save(gpu);
        gpu_set_pools_destroy(gpu);
        gpu_pipelines_destroy(gpu);
        vkDestroyDevice(gpu->device, NULL);
    }
    if (gpu->surface)
        vkDestroySurfaceKHR(gpu->instance, gpu->surface, NULL);
    if (gpu->messenger) {
        PFN_vkDestroyDebugUtilsMessengerEXT destroy =
            (PFN_vkDestroyDebugUtilsMessengerEXT)(void *)vkGetInstanceProcAddr(gpu->instance, "vkDestroyDebugUtilsMessengerEXT");
        destroy(gpu->instance, gpu->messenger, NULL);
    }
    if (gpu->instance)
        vkDestroyInstance(gpu->instance, NULL);
    if (gpu->lock_ready)
        pthread_mutex_destroy(&gpu->lock);
    free(gpu->cache_path);
    free(gpu->tuning_path);
    free(gpu->ahead_path);
    free(gpu->ahead);
    free(gpu);
}

const struct gpu_caps *gpu_caps(const struct gpu *gpu)
{
    return &gpu->caps;
}

const struct segman_device_info *gpu_info(const struct gpu *gpu)
{
    return &gpu->info;
}

uint32_t gpu_allocations(const struct gpu *gpu)
{
    return __atomic_load_n(&gpu->allocations, __ATOMIC_RELAXED);
}

uint32_t gpu_validation_messages(const struct gpu *gpu)
{
    return __atomic_load_n(&gpu->validation_messages, __ATOMIC_RELAXED);
}
