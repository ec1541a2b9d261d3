/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan instance and the list of devices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

static bool layer_exists(const char *name)
{
    VkLayerProperties layers[64];
    uint32_t count = 64;
    if (vkEnumerateInstanceLayerProperties(&count, layers) < 0)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(layers[i].layerName, name))
            return true;
    return false;
}

static bool instance_extension_exists(const char *layer, const char *name)
{
    uint32_t count = 0;
    bool found = false;
    if (vkEnumerateInstanceExtensionProperties(layer, &count, NULL) < 0 || !count)
        return false;
    VkExtensionProperties *e = calloc(count, sizeof(*e));
    if (e && vkEnumerateInstanceExtensionProperties(layer, &count, e) >= 0)
        for (uint32_t i = 0; i < count; i++)
            found |= !strcmp(e[i].extensionName, name);
    free(e);
    return found;
}

VkResult gpu_instance_create(bool validation, const struct segman_surface_source *window, VkInstance *instance, bool *debug_utils,
                             bool *layer)
{
    *layer = validation && layer_exists(VALIDATION_LAYER);
    *debug_utils = instance_extension_exists(NULL, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) ||
                   (*layer && instance_extension_exists(VALIDATION_LAYER, VK_EXT_DEBUG_UTILS_EXTENSION_NAME));
    const char *extensions[2 + GPU_MAX_INSTANCE_EXTENSIONS], *layers[1] = {VALIDATION_LAYER};
    uint32_t n = 0;
    if (*debug_utils)
        extensions[n++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    if (*layer)
        extensions[n++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    for (uint32_t i = 0; window && i < window->n_extensions && i < GPU_MAX_INSTANCE_EXTENSIONS; i++)
        extensions[n++] = window->extensions[i];
    const VkValidationFeatureEnableEXT enable[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    const VkValidationFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, .enabledValidationFeatureCount = 1, .pEnabledValidationFeatures = enable};
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .pApplicationName = "segman",
                                   .pEngineName = "libsegman",
                                   .apiVersion = VK_API_VERSION_1_3};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = *layer ? &features : NULL,
                                       .pApplicationInfo = &app,
                                       .enabledLayerCount = *layer ? 1 : 0,
                                       .ppEnabledLayerNames = layers,
                                       .enabledExtensionCount = n,
                                       .ppEnabledExtensionNames = extensions};
    return vkCreateInstance(&info, NULL, instance);
}

bool gpu_instance_fail(VkResult result, struct segman_error *error)
{
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return segman_fail(error, SEGMAN_ERROR_NO_DEVICE, "No Vulkan driver was found: " GPU_NO_DRIVER_HINT);
    return gpu_fail(error, result, "Starting Vulkan");
}

static enum segman_device_type device_type(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return SEGMAN_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return SEGMAN_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return SEGMAN_DEVICE_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return SEGMAN_DEVICE_CPU;
    default:
        return SEGMAN_DEVICE_OTHER;
    }
}

bool gpu_device_extension_exists(VkPhysicalDevice device, const char *name)
{
    uint32_t count = 0;
    bool found = false;
    if (vkEnumerateDeviceExtensionProperties(device, NULL, &count, NULL) < 0 || !count)
        return false;
    VkExtensionProperties *e = calloc(count, sizeof(*e));
    if (e && vkEnumerateDeviceExtensionProperties(device, NULL, &count, e) >= 0)
        for (uint32_t i = 0; i < count; i++)
            found |= !strcmp(e[i].extensionName, name);
    free(e);
    return found;
}

static void fill_memory(VkPhysicalDevice device, struct segman_device_info *info)
{
    bool budget_known = gpu_device_extension_exists(device, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                                .pNext = budget_known ? &budget : NULL};
    vkGetPhysicalDeviceMemoryProperties2(device, &memory);
    for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &memory.memoryProperties.memoryHeaps[i];
        if (!(heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) || heap->size <= info->total_memory)
            continue;
        info->total_memory = info->free_memory = heap->size;
        if (budget_known && budget.heapBudget[i])
            info->free_memory = budget.heapBudget[i] > budget.heapUsage[i] ? budget.heapBudget[i] - budget.heapUsage[i] : 0;
    }
}

static void fill_lacks(struct segman_device_info *info, const VkPhysicalDeviceLimits *limits, bool sync2)
{
    char *out = info->lacks;
    size_t size = sizeof(info->lacks);
    if (info->api_version < VK_API_VERSION_1_3)
        snprintf(out, size, "Vulkan 1.3 (the driver has %u.%u)", VK_API_VERSION_MAJOR(info->api_version),
                 VK_API_VERSION_MINOR(info->api_version));
    else if (!sync2)
        snprintf(out, size, "synchronization2");
    else if (limits->maxPerStageDescriptorStorageBuffers < GPU_MAX_BINDINGS)
        snprintf(out, size, "%u storage buffers a shader (the driver has %u)", GPU_MAX_BINDINGS,
                 limits->maxPerStageDescriptorStorageBuffers);
    else if (limits->maxComputeSharedMemorySize < 16384)
        snprintf(out, size, "16 KiB of shared memory (the driver has %u bytes)", limits->maxComputeSharedMemorySize);
}

static void fill_info(VkPhysicalDevice device, uint32_t index, struct segman_device_info *info)
{
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &driver};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    vkGetPhysicalDeviceProperties2(device, &p);
    VkPhysicalDeviceVulkan13Features v13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceShaderFloat16Int8Features half = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    if (p.properties.apiVersion >= VK_API_VERSION_1_3)
        half.pNext = &v13;
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &half};
    vkGetPhysicalDeviceFeatures2(device, &f);
    info->index = index;
    snprintf(info->name, sizeof(info->name), "%s", p.properties.deviceName);
    snprintf(info->driver, sizeof(info->driver), "%.120s %.120s", driver.driverName, driver.driverInfo);
    info->type = device_type(p.properties.deviceType);
    memcpy(info->uuid, id.deviceUUID, sizeof(info->uuid));
    info->vendor_id = p.properties.vendorID;
    info->device_id = p.properties.deviceID;
    info->api_version = p.properties.apiVersion;
    info->fp16 = half.shaderFloat16;
    info->cooperative_matrix = gpu_device_extension_exists(device, "VK_KHR_cooperative_matrix");
    info->subgroup_size = subgroup.subgroupSize;
    info->shared_memory = p.properties.limits.maxComputeSharedMemorySize;
    fill_memory(device, info);
    fill_lacks(info, &p.properties.limits, v13.synchronization2);
}

bool gpu_devices_list(VkInstance instance, struct segman_device_info **infos, VkPhysicalDevice **devices, uint32_t *count,
                      struct segman_error *error)
{
    *infos = NULL;
    *devices = NULL;
    *count = 0;
    GPU_TRY(vkEnumeratePhysicalDevices(instance, count, NULL), "Listing the Vulkan devices");
    *infos = calloc(*count + 1, sizeof(**infos));
    *devices = calloc(*count + 1, sizeof(**devices));
    if (!*infos || !*devices) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        goto fail;
    }
    GPU_TRY(vkEnumeratePhysicalDevices(instance, count, *devices), "Listing the Vulkan devices");
    for (uint32_t i = 0; i < *count; i++)
        fill_info((*devices)[i], i, &(*infos)[i]);
    return true;
fail:
    free(*infos);
    free(*devices);
    *infos = NULL;
    *devices = NULL;
    return false;
}

bool segman_list_devices(struct segman_device_info **devices, size_t *count, struct segman_error *error)
{
    VkInstance instance = VK_NULL_HANDLE;
    VkPhysicalDevice *physical = NULL;
    uint32_t n = 0;
    bool debug_utils, layer;
    *devices = NULL;
    *count = 0;
    VkResult r = gpu_instance_create(false, NULL, &instance, &debug_utils, &layer);
    if (r < 0)
        return gpu_instance_fail(r, error);
    bool ok = gpu_devices_list(instance, devices, &physical, &n, error);
    *count = n;
    free(physical);
    vkDestroyInstance(instance, NULL);
    return ok;
}
