/* SPDX-License-Identifier: Apache-2.0 */
/* Cooperative matrices: which there are, and whether all that their shaders need is there too. */
#include <stdlib.h>

#include "coop.h"
#include "internal.h"

/* The shaders multiply float16 matrices into float32 sums, a subgroup together. */
static bool usable(const VkCooperativeMatrixPropertiesKHR *p)
{
    return p->scope == VK_SCOPE_SUBGROUP_KHR && p->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && p->BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
           p->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && p->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR && !p->saturatingAccumulation;
}

/* Tiles are staged in runs of 8 halves and finished in quads of channels; 16 x 16 x 16 is what the tile table is tuned for. */
static uint32_t merit(const VkCooperativeMatrixPropertiesKHR *p)
{
    if (!usable(p) || p->MSize % 8 || p->NSize % 8 || p->KSize % 8)
        return 0;
    if (p->MSize == 16 && p->NSize == 16 && p->KSize == 16)
        return UINT32_MAX;
    return p->MSize * p->NSize * p->KSize;
}

static void choose_shape(struct gpu *gpu, struct gpu_coop *coop)
{
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR get =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(void *)vkGetInstanceProcAddr(
            gpu->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    uint32_t count = 0, best = 0;
    if (!get || get(gpu->physical, &count, NULL) < 0 || !count)
        return;
    VkCooperativeMatrixPropertiesKHR *p = calloc(count, sizeof(*p));
    for (uint32_t i = 0; p && i < count; i++)
        p[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    if (p && get(gpu->physical, &count, p) >= 0)
        for (uint32_t i = 0; i < count; i++)
            if (merit(&p[i]) > best) {
                best = merit(&p[i]);
                *coop = (struct gpu_coop){.m = p[i].MSize, .n = p[i].NSize, .k = p[i].KSize};
            }
    free(p);
}

static bool has_features(VkPhysicalDevice device)
{
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &matrix};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &v12};
    vkGetPhysicalDeviceFeatures2(device, &f);
    return matrix.cooperativeMatrix && v12.vulkanMemoryModel && v12.vulkanMemoryModelDeviceScope && v12.shaderFloat16;
}

/* Whether compute shaders may have matrices. */
static bool has_stage(VkPhysicalDevice device)
{
    VkPhysicalDeviceCooperativeMatrixPropertiesKHR matrix = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &matrix};
    vkGetPhysicalDeviceProperties2(device, &p);
    return matrix.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
}

struct gpu_coop gpu_coop_query(struct gpu *gpu)
{
    struct gpu_coop coop = {0};
    if (gpu->info.cooperative_matrix && gpu->caps.whole_subgroups && has_features(gpu->physical) && has_stage(gpu->physical))
        choose_shape(gpu, &coop);
    return coop;
}
