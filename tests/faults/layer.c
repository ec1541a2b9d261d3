/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VK_LAYER_SEGMAN_faults: a Vulkan layer that makes the driver under it misbehave, for tests of what a machine without a
 * broken driver cannot show. Loaded by VK_LAYER_PATH and VK_INSTANCE_LAYERS; told what to do by the environment:
 *
 *   SEGMAN_FAULTS_LOSE=40,30       the first device made is lost at its 40th submission, the second one at its 30th;
 *                                  another list counts from its own first device on
 *   SEGMAN_FAULTS_NO_DISPLAY=0     the first physical device cannot present; it is called "No Display" then
 *   SEGMAN_FAULTS_NO_DISPLAY=all   none can
 *
 * A lost device finishes what it was given before, and answers every later submission, wait and presentation with
 * VK_ERROR_DEVICE_LOST.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vulkan.h>

#include <vulkan/vk_layer.h>

#define MOST 32

/* What is called of the driver. */
#define INSTANCE_FUNCTIONS(F)                                                                                                              \
    F(vkDestroyInstance)                                                                                                                   \
    F(vkEnumeratePhysicalDevices)                                                                                                          \
    F(vkGetPhysicalDeviceSurfaceSupportKHR)                                                                                                \
    F(vkGetPhysicalDeviceProperties2)
#define DEVICE_FUNCTIONS(F)                                                                                                                \
    F(vkDestroyDevice)                                                                                                                     \
    F(vkQueueSubmit2)                                                                                                                      \
    F(vkQueueWaitIdle)                                                                                                                     \
    F(vkDeviceWaitIdle)                                                                                                                    \
    F(vkWaitForFences)                                                                                                                     \
    F(vkGetFenceStatus)                                                                                                                    \
    F(vkAcquireNextImageKHR)                                                                                                               \
    F(vkQueuePresentKHR)
#define POINTER(name) PFN_##name name;

/* The driver under an instance or a device; found by the dispatch table that the loader puts first into each handle. */
struct under_instance {
    void *key;
    VkInstance instance;
    PFN_vkGetInstanceProcAddr get;
    INSTANCE_FUNCTIONS(POINTER)
};
struct under_device {
    void *key;
    VkDevice device;
    PFN_vkGetDeviceProcAddr get;
    unsigned submissions, lose_at; /* 0: never */
    bool lost;
    DEVICE_FUNCTIONS(POINTER)
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct under_instance instances[MOST];
static struct under_device devices[MOST];
static unsigned devices_made; /* since the list was given */
static char list_seen[64];

static void *key_of(const void *handle)
{
    return *(void *const *)handle;
}

static struct under_instance *find_instance(const void *key)
{
    for (int i = 0; i < MOST; i++)
        if (instances[i].key == key)
            return &instances[i];
    return NULL;
}

static struct under_device *find_device(const void *key)
{
    for (int i = 0; i < MOST; i++)
        if (devices[i].key == key)
            return &devices[i];
    return NULL;
}

static struct under_instance *instance_of(const void *handle)
{
    return find_instance(key_of(handle));
}

static struct under_device *device_of(const void *handle)
{
    return find_device(key_of(handle));
}

/* ---- instances and devices --------------------------------------------------------------------------- */

/* Asked for at once: later the loader answers with the top of the chain. */
#define FETCH_OF_INSTANCE(name) under->name = (PFN_##name)(void *)get(*instance, #name);
#define FETCH_OF_DEVICE(name)   under->name = (PFN_##name)(void *)get(*device, #name);

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *a,
                                                      VkInstance *instance)
{
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)(uintptr_t)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerInstanceCreateInfo *)(uintptr_t)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)(void *)get(VK_NULL_HANDLE, "vkCreateInstance");
    VkResult r = create(info, a, instance);
    pthread_mutex_lock(&lock);
    struct under_instance *under = r == VK_SUCCESS ? find_instance(NULL) : NULL;
    if (under) {
        *under = (struct under_instance){.key = key_of(*instance), .instance = *instance, .get = get};
        INSTANCE_FUNCTIONS(FETCH_OF_INSTANCE)
    }
    pthread_mutex_unlock(&lock);
    return r;
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance, const VkAllocationCallbacks *a)
{
    if (!instance)
        return;
    struct under_instance *under = instance_of(instance);
    PFN_vkDestroyInstance destroy = under->vkDestroyInstance;
    under->key = NULL;
    destroy(instance, a);
}

/* The next number of the list, 0 where it is at its end. */
static unsigned lose_at(void)
{
    const char *list = getenv("SEGMAN_FAULTS_LOSE");
    unsigned n;
    if (!list)
        return 0;
    if (strcmp(list, list_seen) != 0)
        devices_made = 0;
    snprintf(list_seen, sizeof(list_seen), "%s", list);
    for (n = devices_made++; list && n > 0; n--)
        if ((list = strchr(list, ',')))
            list++;
    return list ? (unsigned)strtoul(list, NULL, 10) : 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *a, VkDevice *device)
{
    VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)(uintptr_t)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerDeviceCreateInfo *)(uintptr_t)link->pNext;
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_vkGetDeviceProcAddr get = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)(void *)get_instance(instance_of(physical)->instance, "vkCreateDevice");
    VkResult r = create(physical, info, a, device);
    pthread_mutex_lock(&lock);
    struct under_device *under = r == VK_SUCCESS ? find_device(NULL) : NULL;
    if (under) {
        *under = (struct under_device){.key = key_of(*device), .device = *device, .get = get, .lose_at = lose_at()};
        DEVICE_FUNCTIONS(FETCH_OF_DEVICE)
    }
    pthread_mutex_unlock(&lock);
    return r;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device, const VkAllocationCallbacks *a)
{
    if (!device)
        return;
    struct under_device *under = device_of(device);
    PFN_vkDestroyDevice destroy = under->vkDestroyDevice;
    under->key = NULL;
    destroy(device, a);
}

/* ---- losing a device --------------------------------------------------------------------------------- */

static bool is_lost(const void *handle)
{
    pthread_mutex_lock(&lock);
    bool lost = device_of(handle)->lost;
    pthread_mutex_unlock(&lock);
    return lost;
}

/* Counts a submission; the one that loses the device is not made. */
static bool loses(VkQueue queue)
{
    pthread_mutex_lock(&lock);
    struct under_device *d = device_of(queue);
    bool now = !d->lost && d->lose_at && ++d->submissions == d->lose_at;
    d->lost |= now;
    pthread_mutex_unlock(&lock);
    if (now)
        device_of(queue)->vkDeviceWaitIdle(d->device);
    return d->lost;
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *submits, VkFence fence)
{
    return loses(queue) ? VK_ERROR_DEVICE_LOST : device_of(queue)->vkQueueSubmit2(queue, count, submits, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_wait_idle(VkQueue queue)
{
    return is_lost(queue) ? VK_ERROR_DEVICE_LOST : device_of(queue)->vkQueueWaitIdle(queue);
}

static VKAPI_ATTR VkResult VKAPI_CALL device_wait_idle(VkDevice device)
{
    return is_lost(device) ? VK_ERROR_DEVICE_LOST : device_of(device)->vkDeviceWaitIdle(device);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_for_fences(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                                      uint64_t timeout)
{
    return is_lost(device) ? VK_ERROR_DEVICE_LOST : device_of(device)->vkWaitForFences(device, count, fences, all, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fence_status(VkDevice device, VkFence fence)
{
    return is_lost(device) ? VK_ERROR_DEVICE_LOST : device_of(device)->vkGetFenceStatus(device, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL acquire(VkDevice device, VkSwapchainKHR chain, uint64_t timeout, VkSemaphore semaphore, VkFence fence,
                                              uint32_t *image)
{
    return is_lost(device) ? VK_ERROR_DEVICE_LOST
                           : device_of(device)->vkAcquireNextImageKHR(device, chain, timeout, semaphore, fence, image);
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_present(VkQueue queue, const VkPresentInfoKHR *info)
{
    return is_lost(queue) ? VK_ERROR_DEVICE_LOST : device_of(queue)->vkQueuePresentKHR(queue, info);
}

/* ---- devices that cannot present ----------------------------------------------------------------------- */

static bool is_without_display(VkPhysicalDevice device)
{
    const char *which = getenv("SEGMAN_FAULTS_NO_DISPLAY");
    VkPhysicalDevice all[MOST];
    uint32_t count = MOST;
    if (!which)
        return false;
    if (!strcmp(which, "all"))
        return true;
    struct under_instance *under = instance_of(device);
    if (under->vkEnumeratePhysicalDevices(under->instance, &count, all) < 0)
        return false;
    return strtoul(which, NULL, 10) < count && all[strtoul(which, NULL, 10)] == device;
}

static VKAPI_ATTR VkResult VKAPI_CALL surface_support(VkPhysicalDevice device, uint32_t family, VkSurfaceKHR surface, VkBool32 *supported)
{
    VkResult r = instance_of(device)->vkGetPhysicalDeviceSurfaceSupportKHR(device, family, surface, supported);
    if (is_without_display(device))
        *supported = VK_FALSE;
    return r;
}

static VKAPI_ATTR void VKAPI_CALL properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *p)
{
    instance_of(device)->vkGetPhysicalDeviceProperties2(device, p);
    if (!is_without_display(device))
        return;
    snprintf(p->properties.deviceName, sizeof(p->properties.deviceName), "No Display");
    p->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

#define ENTRY(name, function)                                                                                                              \
    {                                                                                                                                      \
#name, (PFN_vkVoidFunction)(function)                                                                                              \
    }
static const struct {
    const char *name;
    PFN_vkVoidFunction function;
} table[] = {
    ENTRY(vkCreateInstance, create_instance),
    ENTRY(vkDestroyInstance, destroy_instance),
    ENTRY(vkCreateDevice, create_device),
    ENTRY(vkDestroyDevice, destroy_device),
    ENTRY(vkQueueSubmit2, queue_submit2),
    ENTRY(vkQueueWaitIdle, queue_wait_idle),
    ENTRY(vkDeviceWaitIdle, device_wait_idle),
    ENTRY(vkWaitForFences, wait_for_fences),
    ENTRY(vkGetFenceStatus, get_fence_status),
    ENTRY(vkAcquireNextImageKHR, acquire),
    ENTRY(vkQueuePresentKHR, queue_present),
    ENTRY(vkGetPhysicalDeviceSurfaceSupportKHR, surface_support),
    ENTRY(vkGetPhysicalDeviceProperties2, properties2),
};

static PFN_vkVoidFunction own(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!strcmp(table[i].name, name))
            return table[i].function;
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    PFN_vkVoidFunction function = own(name);
    struct under_device *under = find_device(key_of(device));
    PFN_vkVoidFunction next = under ? under->get(device, name) : NULL;
    return function && next ? function : !strcmp(name, "vkGetDeviceProcAddr") ? (PFN_vkVoidFunction)get_device : next;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction function = own(name);
    struct under_instance *under = instance ? find_instance(key_of(instance)) : NULL;
    if (function)
        return function;
    if (!strcmp(name, "vkGetInstanceProcAddr"))
        return (PFN_vkVoidFunction)get_instance;
    if (!strcmp(name, "vkGetDeviceProcAddr"))
        return (PFN_vkVoidFunction)get_device;
    return under ? under->get(instance, name) : NULL;
}

__attribute__((visibility("default"))) VkResult vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface);

VkResult vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
    if (interface->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = get_instance;
    interface->pfnGetDeviceProcAddr = get_device;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
