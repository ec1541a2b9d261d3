/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a device and its queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Lower is better: discrete, integrated, virtual, other, CPU. */
static int type_rank(enum segman_device_type type)
{
    static const int rank[] = {[SEGMAN_DEVICE_DISCRETE] = 0,
                               [SEGMAN_DEVICE_INTEGRATED] = 1,
                               [SEGMAN_DEVICE_VIRTUAL] = 2,
                               [SEGMAN_DEVICE_OTHER] = 3,
                               [SEGMAN_DEVICE_CPU] = 4};
    return rank[type];
}

/* Of ASCII, whatever the locale: in a Turkish one tolower('I') is no 'i'. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t n = 0;
        while (part[n] && lower(text[n]) == lower(part[n]))
            n++;
        if (!part[n])
            return true;
    }
    return false;
}

static bool uuid_matches(const uint8_t uuid[16], const char *want)
{
    char hex[33], clean[33];
    size_t n = 0;
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
    for (; *want && n < 32; want++)
        if (*want != '-')
            clean[n++] = lower(*want);
    clean[n] = 0;
    return n == 32 && !*want && !memcmp(hex, clean, 32);
}

static bool device_matches(const struct segman_device_info *info, const char *want)
{
    char *end;
    unsigned long index = strtoul(want, &end, 10);
    if (end != want && !*end && strlen(want) < 10)
        return info->index == index;
    return uuid_matches(info->uuid, want) || contains(info->name, want);
}

/* Why a device cannot be used: 0 it can, 1 it lacks what segman needs, 2 it cannot present to the window. */
enum fitness { FITS, LACKS, CANNOT_PRESENT };

static enum fitness fitness(const struct gpu *gpu, const struct segman_device_info *info, VkPhysicalDevice device)
{
    if (info->lacks[0])
        return LACKS;
    if (!gpu->surface)
        return FITS;
    bool presents = gpu_device_extension_exists(device, VK_KHR_SWAPCHAIN_EXTENSION_NAME) && gpu_queue_family(device, gpu->surface) >= 0;
    return presents ? FITS : CANNOT_PRESENT;
}

/* The best of those that match want (NULL: any); unfit is the best of those that match and do not fit. */
static int search(const struct gpu *gpu, const struct segman_device_info *infos, const VkPhysicalDevice *devices, uint32_t count,
                  const char *want, int *unfit)
{
    int best[2] = {-1, -1};
    for (uint32_t i = 0; i < count; i++) {
        if (want && *want && !device_matches(&infos[i], want))
            continue;
        int *b = &best[fitness(gpu, &infos[i], devices[i]) != FITS];
        if (*b < 0 || type_rank(infos[i].type) < type_rank(infos[*b].type))
            *b = (int)i;
    }
    *unfit = best[1];
    return best[0];
}

/* Names the device that was asked for, and one that would do. */
static bool refuse(const struct gpu *gpu, const struct segman_device_info *infos, const VkPhysicalDevice *devices, uint32_t count,
                   int unfit, struct segman_error *error)
{
    const struct segman_device_info *info = &infos[unfit];
    int none, other = search(gpu, infos, devices, count, NULL, &none);
    if (fitness(gpu, info, devices[unfit]) == LACKS)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The device %s lacks %s", info->name, info->lacks);
    if (other < 0)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The device %s cannot show pictures on this display, and no other device can",
                           info->name);
    return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The device %s cannot show pictures on this display; %s can: choose it by -d %u",
                       info->name, infos[other].name, infos[other].index);
}

int gpu_device_choose(const struct gpu *gpu, const struct segman_device_info *infos, const VkPhysicalDevice *devices, uint32_t count,
                      const char *want, struct segman_error *error)
{
    int unfit, best = search(gpu, infos, devices, count, want, &unfit);
    bool passed_over = best >= 0 && unfit >= 0 && type_rank(infos[unfit].type) < type_rank(infos[best].type);
    if (passed_over && fitness(gpu, &infos[unfit], devices[unfit]) == CANNOT_PRESENT)
        gpu_log(gpu, SEGMAN_LOG_WARNING, "The device %s cannot show pictures on this display: %s is used instead", infos[unfit].name,
                infos[best].name);
    if (best >= 0)
        return best;
    if (!count)
        segman_fail(error, SEGMAN_ERROR_NO_DEVICE, "No Vulkan device was found: " GPU_NO_DRIVER_HINT);
    else if (unfit >= 0)
        refuse(gpu, infos, devices, count, unfit, error);
    else
        segman_fail(error, SEGMAN_ERROR_NO_DEVICE, "No Vulkan device matches '%s' (%u found; list them with: segman devices)", want, count);
    return -1;
}

static bool can_present(VkPhysicalDevice device, uint32_t family, VkSurfaceKHR surface)
{
    VkBool32 yes = VK_FALSE;
    return !surface || (vkGetPhysicalDeviceSurfaceSupportKHR(device, family, surface, &yes) == VK_SUCCESS && yes);
}

/* How well a family suits copies that run beside the main queue, lower is better; the main family comes last. -1: not at all. */
static int copy_rank(const VkQueueFamilyProperties *family, bool is_main)
{
    const VkQueueFlags compute = VK_QUEUE_COMPUTE_BIT, graphics = VK_QUEUE_GRAPHICS_BIT;
    const VkQueueFlags plain = compute | graphics | VK_QUEUE_TRANSFER_BIT | VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT;
    if (is_main)
        return 2;
    if (family->queueFlags & ~plain || family->queueFlags & graphics) /* video and the like: copies are not its trade */
        return -1;
    if (family->queueFlags & compute)
        return 1;
    return family->queueFlags & VK_QUEUE_TRANSFER_BIT ? 0 : -1;
}

static struct gpu_queue_info queue_of(const VkQueueFamilyProperties *families, uint32_t family, uint32_t index)
{
    return (struct gpu_queue_info){.family = family, .index = index, .timestamp_bits = families[family].timestampValidBits};
}

static void choose_copy_queues(struct gpu *gpu, const VkQueueFamilyProperties *families, uint32_t count, uint32_t main_family)
{
    uint32_t found = 0;
    for (int rank = 0; rank < 3; rank++)
        for (uint32_t f = 0; f < count; f++)
            for (uint32_t i = f == main_family; copy_rank(&families[f], f == main_family) == rank && i < families[f].queueCount; i++) {
                if (++found == GPU_QUEUES)
                    return;
                gpu->queue[found] = queue_of(families, f, i);
                gpu->caps.beside[found] = true;
            }
}

static bool copies_on(const struct gpu *gpu, uint32_t family, uint32_t index)
{
    bool found = false;
    for (uint32_t i = 0; i < GPU_QUEUES; i++)
        found |= i != GPU_QUEUE_MAIN && gpu->caps.beside[i] && gpu->queue[i].family == family && gpu->queue[i].index == index;
    return found;
}

void gpu_queues_choose(struct gpu *gpu, uint32_t main_family)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, families);
    const VkQueueFamilyProperties *own = &families[main_family];
    for (uint32_t i = 0; i < GPU_QUEUES; i++) {
        gpu->queue[i] = queue_of(families, main_family, 0);
        gpu->caps.beside[i] = false;
    }
    choose_copy_queues(gpu, families, count, main_family);
    gpu->n_queues = GPU_QUEUES;
    gpu->caps.parallel = 1;
    /* Queues with graphics take turns: networks on two of them together are slower than one after the other. */
    for (uint32_t i = 1; !(own->queueFlags & VK_QUEUE_GRAPHICS_BIT) && i < own->queueCount && gpu->caps.parallel < GPU_MAX_PARALLEL; i++)
        if (!copies_on(gpu, main_family, i)) {
            gpu->queue[gpu->n_queues++] = queue_of(families, main_family, i);
            gpu->caps.parallel++;
        }
}

/* How well a family suits the main queues, lower is better. */
static int family_rank(const VkQueueFamilyProperties *family, bool window)
{
    bool graphics = family->queueFlags & VK_QUEUE_GRAPHICS_BIT;
    return (graphics != window) + 2 * !family->timestampValidBits;
}

int gpu_queue_family(VkPhysicalDevice device, VkSurfaceKHR surface)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    int best = -1;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !can_present(device, i, surface))
            continue;
        if (best < 0 || family_rank(&families[i], surface) < family_rank(&families[best], surface))
            best = (int)i;
    }
    return best;
}
