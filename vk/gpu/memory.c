/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, and blocking transfers for weights and tests. Frames do not go through here. */
#include <inttypes.h>
#include <string.h>

#include "internal.h"

#define TRANSFER_PIECE (32ull << 20) /* bytes of staging memory at most */

/* Property flags to try in order, the first that exists wins. */
static const VkMemoryPropertyFlags wishes[][3] = {
    [GPU_MEMORY_DEVICE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0, 0},
    [GPU_MEMORY_UPLOAD] = {VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                           VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0},
    [GPU_MEMORY_READBACK] = {VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                 VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                             VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0},
};

static int find_type(const struct gpu *gpu, uint32_t allowed, VkMemoryPropertyFlags want)
{
    for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++)
        if (allowed & 1u << i && (gpu->memory.memoryTypes[i].propertyFlags & want) == want)
            return (int)i;
    return -1;
}

static int choose_type(const struct gpu *gpu, uint32_t allowed, enum gpu_memory kind)
{
    if (kind == GPU_MEMORY_DEVICE && gpu->caps.unified_memory) {
        int i = find_type(gpu, allowed,
                          VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
        if (i >= 0)
            return i;
    }
    for (int w = 0; w < 3; w++) {
        int i = find_type(gpu, allowed, wishes[kind][w]);
        if (i >= 0)
            return i;
    }
    return -1;
}

bool gpu_buffer_init(struct gpu *gpu, struct gpu_buffer *buffer, uint64_t size, enum gpu_memory kind, struct segman_error *error)
{
    *buffer = (struct gpu_buffer){.size = size};
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = size,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
                                     .sharingMode = gpu->n_families > 1 ? VK_SHARING_MODE_CONCURRENT : VK_SHARING_MODE_EXCLUSIVE,
                                     .queueFamilyIndexCount = gpu->n_families,
                                     .pQueueFamilyIndices = gpu->family};
    GPU_TRY(vkCreateBuffer(gpu->device, &info, NULL, &buffer->buffer), "Creating a buffer");
    VkMemoryRequirements need;
    vkGetBufferMemoryRequirements(gpu->device, buffer->buffer, &need);
    int type = choose_type(gpu, need.memoryTypeBits, kind);
    if (type < 0) {
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "The GPU has no memory of the kind needed");
        goto fail;
    }
    const VkMemoryAllocateInfo alloc = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = need.size, .memoryTypeIndex = (uint32_t)type};
    VkResult r = vkAllocateMemory(gpu->device, &alloc, NULL, &buffer->memory);
    if (r == VK_ERROR_OUT_OF_DEVICE_MEMORY || r == VK_ERROR_OUT_OF_HOST_MEMORY) {
        segman_fail(error, SEGMAN_ERROR_DEVICE_MEMORY,
                    "Out of GPU memory: %" PRIu64 " MiB more were needed; a smaller --size, a smaller model or --precision f16 needs less",
                    need.size >> 20);
        goto fail;
    }
    GPU_TRY(r, "Allocating GPU memory");
    __atomic_add_fetch(&gpu->allocations, 1, __ATOMIC_RELAXED);
    GPU_TRY(vkBindBufferMemory(gpu->device, buffer->buffer, buffer->memory, 0), "Binding GPU memory");
    VkMemoryPropertyFlags got = gpu->memory.memoryTypes[type].propertyFlags;
    if (got & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT && got & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT &&
        (kind != GPU_MEMORY_DEVICE || gpu->caps.unified_memory))
        GPU_TRY(vkMapMemory(gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map), "Mapping GPU memory");
    return true;
fail:
    gpu_buffer_finish(gpu, buffer);
    return false;
}

void gpu_buffer_finish(struct gpu *gpu, struct gpu_buffer *buffer)
{
    if (buffer->buffer)
        vkDestroyBuffer(gpu->device, buffer->buffer, NULL);
    if (buffer->memory) {
        vkFreeMemory(gpu->device, buffer->memory, NULL);
        __atomic_sub_fetch(&gpu->allocations, 1, __ATOMIC_RELAXED);
    }
    *buffer = (struct gpu_buffer){0};
}

static bool copy_now(struct gpu *gpu, struct gpu_range src, struct gpu_range dst, struct segman_error *error)
{
    struct gpu_commands *c = gpu_commands_create(gpu, 0, error);
    bool ok = c && gpu_commands_begin(c, error);
    if (ok)
        gpu_commands_copy(c, src, dst);
    ok = ok && gpu_commands_end(c, error) && gpu_commands_submit(c, error) && gpu_commands_wait(c, 60000000000ull, error);
    gpu_commands_destroy(c);
    return ok;
}

bool gpu_buffer_write(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, const void *data, uint64_t size,
                      struct segman_error *error)
{
    struct gpu_buffer staging;
    if (buffer->map) {
        memcpy((char *)buffer->map + offset, data, size);
        return true;
    }
    uint64_t piece = size < TRANSFER_PIECE ? size : TRANSFER_PIECE;
    bool ok = gpu_buffer_init(gpu, &staging, piece, GPU_MEMORY_UPLOAD, error);
    for (uint64_t at = 0; ok && at < size; at += piece) {
        uint64_t n = size - at < piece ? size - at : piece;
        memcpy(staging.map, (const char *)data + at, n);
        ok = copy_now(gpu, (struct gpu_range){&staging, 0, n}, (struct gpu_range){buffer, offset + at, n}, error);
    }
    gpu_buffer_finish(gpu, &staging);
    return ok;
}

bool gpu_buffer_read(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, void *data, uint64_t size,
                     struct segman_error *error)
{
    struct gpu_buffer staging;
    if (buffer->map) {
        memcpy(data, (const char *)buffer->map + offset, size);
        return true;
    }
    uint64_t piece = size < TRANSFER_PIECE ? size : TRANSFER_PIECE;
    bool ok = gpu_buffer_init(gpu, &staging, piece, GPU_MEMORY_READBACK, error);
    for (uint64_t at = 0; ok && at < size; at += piece) {
        uint64_t n = size - at < piece ? size - at : piece;
        ok = copy_now(gpu, (struct gpu_range){buffer, offset + at, n}, (struct gpu_range){&staging, 0, n}, error);
        if (ok)
            memcpy((char *)data + at, staging.map, n);
    }
    gpu_buffer_finish(gpu, &staging);
    return ok;
}
