/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a window. They are only copied to: storage images in a swapchain are not offered everywhere. */
#include <stdlib.h>

#include "internal.h"

bool gpu_has_surface(const struct gpu *gpu)
{
    return gpu->surface != VK_NULL_HANDLE;
}

const char *gpu_present_mode_name(VkPresentModeKHR mode)
{
    switch (mode) {
    case VK_PRESENT_MODE_IMMEDIATE_KHR:
        return "IMMEDIATE";
    case VK_PRESENT_MODE_MAILBOX_KHR:
        return "MAILBOX";
    case VK_PRESENT_MODE_FIFO_RELAXED_KHR:
        return "FIFO_RELAXED";
    default:
        return "FIFO";
    }
}

bool gpu_semaphore_init(struct gpu *gpu, VkSemaphore *semaphore, struct segman_error *error)
{
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    GPU_TRY(vkCreateSemaphore(gpu->device, &info, NULL, semaphore), "Creating a semaphore");
    return true;
fail:
    return false;
}

void gpu_semaphore_finish(struct gpu *gpu, VkSemaphore *semaphore)
{
    if (*semaphore)
        vkDestroySemaphore(gpu->device, *semaphore, NULL);
    *semaphore = VK_NULL_HANDLE;
}

void gpu_wait_idle(struct gpu *gpu)
{
    pthread_mutex_lock(&gpu->lock);
    vkQueueWaitIdle(gpu->queue[GPU_QUEUE_MAIN].queue);
    pthread_mutex_unlock(&gpu->lock);
}

/* ---- what the surface offers --------------------------------------------------------------------- */

/* Eight bits a channel; the bytes are sRGB already, and a copy leaves them alone whatever the format is called. */
static bool choose_format(struct gpu *gpu, VkSurfaceFormatKHR *chosen, bool *bgr, struct segman_error *error)
{
    static const VkFormat known[] = {VK_FORMAT_B8G8R8A8_UNORM, VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_B8G8R8A8_SRGB, VK_FORMAT_R8G8B8A8_SRGB};
    VkSurfaceFormatKHR *formats = NULL;
    uint32_t count = 0;
    bool found = false;
    GPU_TRY(vkGetPhysicalDeviceSurfaceFormatsKHR(gpu->physical, gpu->surface, &count, NULL), "Asking for the window's formats");
    formats = calloc(count + 1, sizeof(*formats));
    if (!formats)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    GPU_TRY(vkGetPhysicalDeviceSurfaceFormatsKHR(gpu->physical, gpu->surface, &count, formats), "Asking for the window's formats");
    for (uint32_t k = 0; k < 4 && !found; k++)
        for (uint32_t i = 0; i < count && !found; i++)
            if (formats[i].format == known[k] && formats[i].colorSpace == VK_COLOR_SPACE_SRGB_NONLINEAR_KHR) {
                *chosen = formats[i];
                *bgr = k % 2 == 0;
                found = true;
            }
    if (!found)
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The display takes no pictures of eight bits a channel from %s", gpu->info.name);
fail:
    free(formats);
    return found;
}

/* FIFO is there always. */
static VkPresentModeKHR choose_mode(struct gpu *gpu, const VkPresentModeKHR *wishes, uint32_t n)
{
    VkPresentModeKHR modes[16];
    uint32_t count = 16;
    if (vkGetPhysicalDeviceSurfacePresentModesKHR(gpu->physical, gpu->surface, &count, modes) < 0)
        count = 0;
    for (uint32_t w = 0; w < n; w++)
        for (uint32_t i = 0; i < count; i++)
            if (modes[i] == wishes[w])
                return wishes[w];
    return VK_PRESENT_MODE_FIFO_KHR;
}

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
    return v < low ? low : v > high ? high : v;
}

static VkExtent2D choose_extent(const VkSurfaceCapabilitiesKHR *caps, uint32_t width, uint32_t height)
{
    if (caps->currentExtent.width != UINT32_MAX)
        return caps->currentExtent;
    if (!width || !height)
        return (VkExtent2D){0};
    return (VkExtent2D){clamp(width, caps->minImageExtent.width, caps->maxImageExtent.width),
                        clamp(height, caps->minImageExtent.height, caps->maxImageExtent.height)};
}

static uint32_t choose_count(const VkSurfaceCapabilitiesKHR *caps)
{
    uint32_t n = caps->minImageCount + 1;
    if (caps->maxImageCount && n > caps->maxImageCount)
        n = caps->maxImageCount;
    return n;
}

static VkCompositeAlphaFlagBitsKHR choose_alpha(const VkSurfaceCapabilitiesKHR *caps)
{
    if (caps->supportedCompositeAlpha & VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR)
        return VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    for (uint32_t bit = 1; bit; bit <<= 1) /* pixels are written opaque: any will do */
        if (caps->supportedCompositeAlpha & bit)
            return (VkCompositeAlphaFlagBitsKHR)bit;
    return VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
}

/* ---- making and remaking ------------------------------------------------------------------------- */

static bool take_images(struct gpu *gpu, struct gpu_swapchain *s, struct segman_error *error)
{
    uint32_t count = 0;
    GPU_TRY(vkGetSwapchainImagesKHR(gpu->device, s->swapchain, &count, NULL), "Asking for the window's images");
    if (count > GPU_MAX_IMAGES)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The window has %u images, at most %u are possible", count, GPU_MAX_IMAGES);
    GPU_TRY(vkGetSwapchainImagesKHR(gpu->device, s->swapchain, &count, s->image), "Asking for the window's images");
    s->n_images = count;
    for (uint32_t i = 0; i < count; i++)
        if (!gpu_semaphore_init(gpu, &s->rendered[i], error))
            return false;
    return true;
fail:
    return false;
}

static bool create(struct gpu *gpu, struct gpu_swapchain *s, const VkSurfaceCapabilitiesKHR *caps, VkExtent2D extent, VkSwapchainKHR old,
                   struct segman_error *error)
{
    VkSurfaceFormatKHR format = {0};
    if (!(caps->supportedUsageFlags & VK_IMAGE_USAGE_TRANSFER_DST_BIT))
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The device %s cannot copy pictures to this display", gpu->info.name);
    if (!choose_format(gpu, &format, &s->bgr, error))
        return false;
    const VkSwapchainCreateInfoKHR info = {.sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                           .surface = gpu->surface,
                                           .minImageCount = choose_count(caps),
                                           .imageFormat = format.format,
                                           .imageColorSpace = format.colorSpace,
                                           .imageExtent = extent,
                                           .imageArrayLayers = 1,
                                           .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                                           .preTransform = caps->currentTransform,
                                           .compositeAlpha = choose_alpha(caps),
                                           .presentMode = s->mode,
                                           .clipped = VK_TRUE,
                                           .oldSwapchain = old};
    GPU_TRY(vkCreateSwapchainKHR(gpu->device, &info, NULL, &s->swapchain), "Preparing the window");
    s->width = extent.width;
    s->height = extent.height;
    return take_images(gpu, s, error);
fail:
    return false;
}

bool gpu_swapchain_init(struct gpu *gpu, struct gpu_swapchain *s, const VkPresentModeKHR *wishes, uint32_t n_wishes, uint32_t width,
                        uint32_t height, struct segman_error *error)
{
    VkSurfaceCapabilitiesKHR caps;
    struct gpu_swapchain old = *s;
    bool good = true;
    gpu_wait_idle(gpu);
    *s = (struct gpu_swapchain){.mode = choose_mode(gpu, wishes, n_wishes)};
    VkResult r = vkGetPhysicalDeviceSurfaceCapabilitiesKHR(gpu->physical, gpu->surface, &caps);
    if (r < 0) {
        good = gpu_fail(error, r, "Asking for the window's size");
    } else {
        VkExtent2D extent = width && height ? choose_extent(&caps, width, height) : (VkExtent2D){0};
        if (extent.width && extent.height)
            good = create(gpu, s, &caps, extent, old.swapchain, error);
    }
    gpu_swapchain_finish(gpu, &old);
    if (!good)
        gpu_swapchain_finish(gpu, s);
    return good;
}

void gpu_swapchain_finish(struct gpu *gpu, struct gpu_swapchain *s)
{
    for (uint32_t i = 0; i < GPU_MAX_IMAGES; i++)
        gpu_semaphore_finish(gpu, &s->rendered[i]);
    if (s->swapchain)
        vkDestroySwapchainKHR(gpu->device, s->swapchain, NULL);
    *s = (struct gpu_swapchain){.mode = s->mode};
}

bool gpu_swapchain_outgrown(const struct gpu *gpu, const struct gpu_swapchain *s)
{
    VkSurfaceCapabilitiesKHR caps;
    if (vkGetPhysicalDeviceSurfaceCapabilitiesKHR(gpu->physical, gpu->surface, &caps) < 0 || caps.currentExtent.width == UINT32_MAX)
        return false;
    return caps.currentExtent.width != s->width || caps.currentExtent.height != s->height;
}

/* ---- frames ---------------------------------------------------------------------------------------- */

VkResult gpu_swapchain_acquire(struct gpu *gpu, struct gpu_swapchain *s, VkSemaphore acquired, uint64_t timeout_ns, uint32_t *image)
{
    VkResult r = vkAcquireNextImageKHR(gpu->device, s->swapchain, timeout_ns, acquired, VK_NULL_HANDLE, image);
    if (r == VK_SUBOPTIMAL_KHR || r == VK_ERROR_OUT_OF_DATE_KHR)
        s->stale = true;
    return r == VK_SUBOPTIMAL_KHR ? VK_SUCCESS : r;
}

VkResult gpu_swapchain_present(struct gpu *gpu, struct gpu_swapchain *s, uint32_t image)
{
    const VkPresentInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                   .waitSemaphoreCount = 1,
                                   .pWaitSemaphores = &s->rendered[image],
                                   .swapchainCount = 1,
                                   .pSwapchains = &s->swapchain,
                                   .pImageIndices = &image};
    pthread_mutex_lock(&gpu->lock);
    VkResult r = vkQueuePresentKHR(gpu->queue[GPU_QUEUE_MAIN].queue, &info);
    pthread_mutex_unlock(&gpu->lock);
    if (r == VK_SUBOPTIMAL_KHR || r == VK_ERROR_OUT_OF_DATE_KHR)
        s->stale = true;
    return r == VK_SUBOPTIMAL_KHR ? VK_SUCCESS : r;
}
