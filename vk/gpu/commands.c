/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lists. Every recorded access (a byte range of a buffer, read or write) is remembered until the next barrier;
 * an access that conflicts with a remembered one brings a barrier, so independent passes run side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

/* What the commands of a list do: those of the main queue compute and copy, those of the others copy. */
struct scope {
    VkPipelineStageFlags2 stages, indirect_stage;
    VkAccessFlags2 reads, writes, indirect_read;
};

static const struct scope scopes[GPU_QUEUES] = {
    [GPU_QUEUE_MAIN] = {VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_COPY_BIT, VK_PIPELINE_STAGE_2_DRAW_INDIRECT_BIT,
                        VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_TRANSFER_READ_BIT,
                        VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT, VK_ACCESS_2_INDIRECT_COMMAND_READ_BIT},
    [GPU_QUEUE_UPLOAD] = {VK_PIPELINE_STAGE_2_COPY_BIT, 0, VK_ACCESS_2_TRANSFER_READ_BIT, VK_ACCESS_2_TRANSFER_WRITE_BIT, 0},
    [GPU_QUEUE_READBACK] = {VK_PIPELINE_STAGE_2_COPY_BIT, 0, VK_ACCESS_2_TRANSFER_READ_BIT, VK_ACCESS_2_TRANSFER_WRITE_BIT, 0},
};

struct access {
    VkBuffer buffer;
    uint64_t begin, end;
    bool write;
};

struct gpu_commands {
    struct gpu *gpu;
    const struct gpu_queue_info *queue;
    struct scope scope;
    VkCommandPool pool;
    VkCommandBuffer buffer;
    VkSemaphore done; /* a timeline: how many submissions have run */
    uint64_t runs;    /* submissions */
    VkQueryPool queries;
    uint32_t max_timers, n_timers;
    struct access *access; /* since the last barrier */
    size_t n_access, cap_access;
    bool out_of_memory;
    bool submitted;
    bool serial;
    const struct gpu_buffer *counts; /* of groups; NULL: each pass has its own */
    uint32_t *own_counts, n_counted;
};

/* Only the host can reset the timers of lists that copy. */
static bool has_timers(const struct gpu *gpu, enum gpu_queue queue)
{
    return gpu->queue[queue].timestamp_bits && (queue == GPU_QUEUE_MAIN || gpu->host_query_reset);
}

struct gpu_commands *gpu_commands_create(struct gpu *gpu, uint32_t timers, struct segman_error *error)
{
    return gpu_commands_create_for(gpu, GPU_QUEUE_MAIN, 0, timers, error);
}

static const struct gpu_queue_info *find_queue(const struct gpu *gpu, enum gpu_queue queue, uint32_t number)
{
    uint32_t more = gpu->n_queues - GPU_QUEUES; /* main queues beside the first */
    number %= more + 1;
    return &gpu->queue[queue == GPU_QUEUE_MAIN && number ? GPU_QUEUES + number - 1 : queue];
}

struct gpu_commands *gpu_commands_create_for(struct gpu *gpu, enum gpu_queue queue, uint32_t number, uint32_t timers,
                                             struct segman_error *error)
{
    struct gpu_commands *c = calloc(1, sizeof(*c));
    if (!c) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    c->gpu = gpu;
    c->queue = find_queue(gpu, queue, number);
    c->scope = scopes[queue];
    c->max_timers = has_timers(gpu, queue) ? timers : 0;
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = c->queue->family};
    GPU_TRY(vkCreateCommandPool(gpu->device, &pool, NULL, &c->pool), "Creating a command pool");
    const VkCommandBufferAllocateInfo alloc = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                               .commandPool = c->pool,
                                               .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                               .commandBufferCount = 1};
    GPU_TRY(vkAllocateCommandBuffers(gpu->device, &alloc, &c->buffer), "Allocating a command buffer");
    const VkSemaphoreTypeCreateInfo timeline = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                                .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &timeline};
    GPU_TRY(vkCreateSemaphore(gpu->device, &semaphore, NULL, &c->done), "Creating a semaphore");
    const VkQueryPoolCreateInfo queries = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = c->max_timers};
    if (c->max_timers)
        GPU_TRY(vkCreateQueryPool(gpu->device, &queries, NULL, &c->queries), "Creating a query pool");
    return c;
fail:
    gpu_commands_destroy(c);
    return NULL;
}

void gpu_commands_destroy(struct gpu_commands *c)
{
    if (!c)
        return;
    if (c->submitted)
        gpu_commands_wait(c, 10000000000ull, NULL);
    if (c->done)
        vkDestroySemaphore(c->gpu->device, c->done, NULL);
    if (c->queries)
        vkDestroyQueryPool(c->gpu->device, c->queries, NULL);
    if (c->pool)
        vkDestroyCommandPool(c->gpu->device, c->pool, NULL);
    free(c->access);
    free(c);
}

static void barrier(struct gpu_commands *c, VkPipelineStageFlags2 src, VkAccessFlags2 src_access, VkPipelineStageFlags2 dst,
                    VkAccessFlags2 dst_access)
{
    const VkMemoryBarrier2 b = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                .srcStageMask = src,
                                .srcAccessMask = src_access,
                                .dstStageMask = dst,
                                .dstAccessMask = dst_access};
    const VkDependencyInfo info = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &b};
    vkCmdPipelineBarrier2(c->buffer, &info);
    c->n_access = 0;
}

bool gpu_commands_begin(struct gpu_commands *c, struct segman_error *error)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    GPU_TRY(vkBeginCommandBuffer(c->buffer, &info), "Recording commands");
    c->n_timers = 0;
    c->n_access = 0;
    c->counts = NULL;
    c->out_of_memory = false;
    if (c->max_timers && !c->gpu->host_query_reset)
        vkCmdResetQueryPool(c->buffer, c->queries, 0, c->max_timers);
    /* Lists of one queue share buffers (the arena): wait for the lists submitted before. */
    const struct scope *s = &c->scope;
    barrier(c, s->stages | s->indirect_stage, s->reads | s->writes | s->indirect_read, s->stages, s->reads | s->writes);
    return true;
fail:
    return false;
}

static bool conflicts(const struct gpu_commands *c, const struct access *a)
{
    for (size_t i = 0; i < c->n_access; i++) {
        const struct access *b = &c->access[i];
        if (b->buffer == a->buffer && (a->write || b->write) && a->begin < b->end && b->begin < a->end)
            return true;
    }
    return false;
}

static void remember(struct gpu_commands *c, const struct access *a)
{
    if (c->n_access == c->cap_access) {
        size_t cap = c->cap_access ? 2 * c->cap_access : 64;
        struct access *p = realloc(c->access, cap * sizeof(*p));
        if (!p) {
            c->out_of_memory = true;
            return;
        }
        c->access = p;
        c->cap_access = cap;
    }
    c->access[c->n_access++] = *a;
}

/* Barrier if needed, then remember. */
static bool order(struct gpu_commands *c, const struct access *a, uint32_t n)
{
    bool need = false;
    for (uint32_t i = 0; i < n; i++)
        need |= conflicts(c, &a[i]);
    if (need || (c->serial && c->n_access))
        barrier(c, c->scope.stages, c->scope.reads | c->scope.writes, c->scope.stages, c->scope.reads | c->scope.writes);
    for (uint32_t i = 0; i < n; i++)
        remember(c, &a[i]);
    return need;
}

void gpu_commands_serial(struct gpu_commands *c, bool serial)
{
    c->serial = serial;
}

static struct access access_of(struct gpu_range range, bool write)
{
    return (struct access){.buffer = range.buffer->buffer, .begin = range.offset, .end = range.offset + range.size, .write = write};
}

void gpu_commands_indirect(struct gpu_commands *c, const struct gpu_buffer *counts, uint32_t *own)
{
    c->counts = counts;
    c->own_counts = own;
    c->n_counted = 0;
    const struct scope *s = &c->scope;
    if (counts)
        barrier(c, s->stages, s->reads | s->writes, s->stages | s->indirect_stage, s->reads | s->writes | s->indirect_read);
}

static void dispatch(struct gpu_commands *c, const uint32_t groups[3])
{
    uint64_t at = (uint64_t)c->n_counted * sizeof(VkDispatchIndirectCommand);
    if (!c->counts) {
        vkCmdDispatch(c->buffer, groups[0], groups[1], groups[2]);
    } else if (at + sizeof(VkDispatchIndirectCommand) > c->counts->size) {
        c->out_of_memory = true; /* the caller counted wrong */
    } else {
        memcpy(c->own_counts + 3 * c->n_counted++, groups, sizeof(VkDispatchIndirectCommand));
        vkCmdDispatchIndirect(c->buffer, c->counts->buffer, at);
    }
}

bool gpu_commands_pass(struct gpu_commands *c, const struct gpu_pass *pass)
{
    struct access a[GPU_MAX_BINDINGS];
    for (uint32_t i = 0; i < pass->n_bindings; i++)
        a[i] = access_of(pass->binding[i].range, (pass->binding[i].access & GPU_WRITE) != 0);
    bool waited = order(c, a, pass->n_bindings);
    const VkDebugUtilsLabelEXT label = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, .pLabelName = pass->label};
    if (c->gpu->label_begin)
        c->gpu->label_begin(c->buffer, &label);
    vkCmdBindPipeline(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pass->pipeline);
    vkCmdBindDescriptorSets(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pass->layout, 0, 1, &pass->set, 0, NULL);
    if (pass->push_size)
        vkCmdPushConstants(c->buffer, pass->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pass->push_size, pass->push);
    dispatch(c, pass->groups);
    if (c->gpu->label_end)
        c->gpu->label_end(c->buffer);
    return waited;
}

bool gpu_commands_copy(struct gpu_commands *c, struct gpu_range src, struct gpu_range dst)
{
    dst.size = src.size;
    const struct access a[2] = {access_of(src, false), access_of(dst, true)};
    bool waited = order(c, a, 2);
    const VkBufferCopy region = {.srcOffset = src.offset, .dstOffset = dst.offset, .size = src.size};
    vkCmdCopyBuffer(c->buffer, src.buffer->buffer, dst.buffer->buffer, 1, &region);
    return waited;
}

uint32_t gpu_commands_timer(struct gpu_commands *c)
{
    if (c->n_timers == c->max_timers)
        return c->max_timers;
    vkCmdWriteTimestamp2(c->buffer, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, c->queries, c->n_timers);
    return c->n_timers++;
}

bool gpu_commands_end(struct gpu_commands *c, struct segman_error *error)
{
    barrier(c, c->scope.stages, c->scope.writes, VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_READ_BIT);
    GPU_TRY(vkEndCommandBuffer(c->buffer), "Recording commands");
    if (c->out_of_memory)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    return true;
fail:
    return false;
}

static void image_barrier(struct gpu_commands *c, VkImage image, bool before)
{
    const VkImageMemoryBarrier2 b = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
                                     .srcStageMask = VK_PIPELINE_STAGE_2_COPY_BIT, /* before: where the submission waits for the image */
                                     .srcAccessMask = before ? 0 : VK_ACCESS_2_TRANSFER_WRITE_BIT,
                                     .dstStageMask = before ? VK_PIPELINE_STAGE_2_COPY_BIT : VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                                     .dstAccessMask = before ? VK_ACCESS_2_TRANSFER_WRITE_BIT : 0,
                                     .oldLayout = before ? VK_IMAGE_LAYOUT_UNDEFINED : VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                                     .newLayout = before ? VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL : VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
                                     .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                     .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                     .image = image,
                                     .subresourceRange = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .levelCount = 1, .layerCount = 1}};
    const VkDependencyInfo info = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .imageMemoryBarrierCount = 1, .pImageMemoryBarriers = &b};
    vkCmdPipelineBarrier2(c->buffer, &info);
}

void gpu_commands_copy_to_image(struct gpu_commands *c, struct gpu_range src, VkImage image, uint32_t width, uint32_t height)
{
    const struct access a = access_of(src, false);
    const VkBufferImageCopy region = {.bufferOffset = src.offset,
                                      .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .layerCount = 1},
                                      .imageExtent = {width, height, 1}};
    order(c, &a, 1);
    image_barrier(c, image, true);
    vkCmdCopyBufferToImage(c->buffer, src.buffer->buffer, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &region);
    image_barrier(c, image, false);
}

static VkSemaphoreSubmitInfo semaphore_at(VkSemaphore semaphore, uint64_t value, VkPipelineStageFlags2 stages)
{
    return (VkSemaphoreSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO, .semaphore = semaphore, .value = value, .stageMask = stages};
}

/* Nothing is submitted that waits for something not yet submitted: a failure leaves nobody waiting. */
static bool submit(struct gpu_commands *c, const VkSemaphoreSubmitInfo *before, VkSemaphore also, struct segman_error *error)
{
    const VkCommandBufferSubmitInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = c->buffer};
    const VkSemaphoreSubmitInfo after[2] = {semaphore_at(c->done, c->runs + 1, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT),
                                            semaphore_at(also, 0, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT)};
    const VkSubmitInfo2 info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .waitSemaphoreInfoCount = before && before->semaphore ? 1 : 0,
                                .pWaitSemaphoreInfos = before,
                                .commandBufferInfoCount = 1,
                                .pCommandBufferInfos = &buffer,
                                .signalSemaphoreInfoCount = also ? 2 : 1,
                                .pSignalSemaphoreInfos = after};
    if (c->max_timers && c->gpu->host_query_reset)
        vkResetQueryPool(c->gpu->device, c->queries, 0, c->max_timers);
    pthread_mutex_lock(&c->gpu->lock);
    VkResult r = vkQueueSubmit2(c->queue->queue, 1, &info, VK_NULL_HANDLE);
    pthread_mutex_unlock(&c->gpu->lock);
    GPU_TRY(r, "Submitting a frame to the GPU");
    c->runs++;
    c->submitted = true;
    return true;
fail:
    return false;
}

bool gpu_commands_submit(struct gpu_commands *c, struct segman_error *error)
{
    return submit(c, NULL, VK_NULL_HANDLE, error);
}

bool gpu_commands_submit_after(struct gpu_commands *c, const struct gpu_commands *before, struct segman_error *error)
{
    if (!before || !before->runs)
        return submit(c, NULL, VK_NULL_HANDLE, error);
    const VkSemaphoreSubmitInfo wait = semaphore_at(before->done, before->runs, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT);
    return submit(c, &wait, VK_NULL_HANDLE, error);
}

bool gpu_commands_submit_between(struct gpu_commands *c, VkSemaphore wait, VkSemaphore signal, struct segman_error *error)
{
    const VkSemaphoreSubmitInfo before = semaphore_at(wait, 0, VK_PIPELINE_STAGE_2_COPY_BIT);
    return submit(c, &before, signal, error);
}

bool gpu_commands_wait(struct gpu_commands *c, uint64_t timeout_ns, struct segman_error *error)
{
    if (!c->submitted)
        return true;
    const VkSemaphoreWaitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1, .pSemaphores = &c->done, .pValues = &c->runs};
    VkResult r = vkWaitSemaphores(c->gpu->device, &info, timeout_ns);
    if (r == VK_TIMEOUT)
        return segman_fail(error, SEGMAN_ERROR_TIMEOUT, "The GPU did not finish a frame within %.1f s", (double)timeout_ns * 1e-9);
    if (r < 0)
        return gpu_fail(error, r, "Waiting for the GPU");
    c->submitted = false;
    return true;
}

bool gpu_commands_pending(const struct gpu_commands *c)
{
    return c->submitted;
}

bool gpu_commands_done(struct gpu_commands *c)
{
    uint64_t runs;
    return !c->submitted || vkGetSemaphoreCounterValue(c->gpu->device, c->done, &runs) < 0 || runs >= c->runs;
}

double gpu_commands_time(const struct gpu_commands *c, uint32_t timer)
{
    uint64_t t[2] = {0, 0};
    if (c->submitted || timer >= c->n_timers)
        return 0;
    if (vkGetQueryPoolResults(c->gpu->device, c->queries, 0, 1, sizeof(t[0]), &t[0], sizeof(t[0]), VK_QUERY_RESULT_64_BIT) != VK_SUCCESS ||
        vkGetQueryPoolResults(c->gpu->device, c->queries, timer, 1, sizeof(t[1]), &t[1], sizeof(t[1]), VK_QUERY_RESULT_64_BIT) !=
            VK_SUCCESS)
        return 0;
    uint64_t mask = c->queue->timestamp_bits >= 64 ? UINT64_MAX : (1ull << c->queue->timestamp_bits) - 1;
    return (double)((t[1] - t[0]) & mask) * c->gpu->timestamp_ns * 1e-6;
}
