/* SPDX-License-Identifier: Apache-2.0 */
/** internal.h: what the files of vk/gpu share. */
#ifndef GPU_INTERNAL_H
#define GPU_INTERNAL_H

#include <pthread.h>

#include "../present.h"
#include "gpu.h"

struct gpu_pipeline; /* pipeline.c */
struct gpu_set_pool; /* pass.c */

struct gpu_queue_info {
    VkQueue queue;
    uint32_t family, index; /* index: in its family */
    uint32_t timestamp_bits;
};

struct gpu {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkDevice device;
    struct gpu_queue_info queue[GPU_QUEUES + GPU_MAX_PARALLEL - 1]; /* [n_queues]: by enum gpu_queue, then more main ones */
    uint32_t n_queues;
    uint32_t family[GPU_QUEUES], n_families; /* of the queues, each once */
    VkSurfaceKHR surface;                    /* none: no window */
    double timestamp_ns;                     /* nanoseconds a tick */
    bool host_query_reset;                   /* the host can, without a list that runs on a queue for it */
    VkPhysicalDeviceMemoryProperties memory;
    VkPipelineCache cache;
    char *cache_path, *tuning_path, *ahead_path; /* NULL: not on disk */
    uint64_t *ahead;                             /* pipelines of which the driver has machine code on disk: hashes (ahead.c) */
    size_t n_ahead;
    struct gpu_caps caps;
    struct segman_device_info info;
    segman_log_fn log;
    void *log_user;
    uint32_t validation_messages;                 /* atomic */
    uint32_t allocations;                         /* atomic */
    PFN_vkCmdBeginDebugUtilsLabelEXT label_begin; /* NULL without the extension */
    PFN_vkCmdEndDebugUtilsLabelEXT label_end;
    pthread_mutex_t lock; /* queue, command pool, pipelines */
    bool lock_ready;
    VkDescriptorSetLayout set_layout[GPU_MAX_BINDINGS + 1]; /* by number of bindings */
    VkPipelineLayout layout[GPU_MAX_BINDINGS + 1];
    struct gpu_pipeline *pipelines; /* list */
    struct gpu_set_pool *set_pools; /* list */
};

#define GPU_NO_DRIVER_HINT          "install a Vulkan driver (Debian: mesa-vulkan-drivers, or the vendor's own)"
#define GPU_MAX_INSTANCE_EXTENSIONS 16 /* of a window system */

/** An instance with the extensions that exist; validation turns the layer on where it is installed. window: NULL, or what a surface needs.
 */
VkResult gpu_instance_create(bool validation, const struct segman_surface_source *window, VkInstance *instance, bool *debug_utils,
                             bool *layer);
/** Says why there is no instance; returns false. */
bool gpu_instance_fail(VkResult result, struct segman_error *error);
bool gpu_device_extension_exists(VkPhysicalDevice device, const char *name);
/**
 * A queue family for compute: with graphics where possible, and able to present, if there is a surface; else without graphics where
 * possible, as such queues run beside each other. -1: none.
 */
int gpu_queue_family(VkPhysicalDevice device, VkSurfaceKHR surface);
/**
 * Fills family, index and timestamp_bits of gpu->queue from the main ones' family. Uploads and read-backs get queues of
 * their own as far as the device has any: of a family that only copies, else of one that computes, else of the main family;
 * caps.beside: which ones have. What is left of a main family without graphics are main queues too.
 */
void gpu_queues_choose(struct gpu *gpu, uint32_t main_family);
/** Position in the list of the device that is wanted, or best; with a surface, one that can present to it. -1: *error says why. */
int gpu_device_choose(const struct gpu *gpu, const struct segman_device_info *infos, const VkPhysicalDevice *devices, uint32_t count,
                      const char *want, struct segman_error *error);
/** Physical devices with what segman needs of each. *infos and *devices are malloc'ed. */
bool gpu_devices_list(VkInstance instance, struct segman_device_info **infos, VkPhysicalDevice **devices, uint32_t *count,
                      struct segman_error *error);

/** The matrices to use; needs gpu->physical and gpu->info. */
struct gpu_coop gpu_coop_query(struct gpu *gpu);
/** How its matrices are dealt out; runs a shader. */
struct gpu_deal gpu_deal_query(struct gpu *gpu);

/** Loads the pipelines and keeps the folder's name. */
void gpu_cache_load(struct gpu *gpu, const char *dir);
void gpu_cache_save(struct gpu *gpu);
/** CPU drivers: has new pipelines compiled on all cores before they run; with the lock held. */
void gpu_compile_ahead(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count);
/** Finds or compiles the pass's pipeline, with the lock held; VK_NULL_HANDLE after an error. */
VkPipeline gpu_pipeline_get(struct gpu *gpu, const struct gpu_pass_desc *desc, struct segman_error *error);
void gpu_pipelines_destroy(struct gpu *gpu);
void gpu_set_pools_destroy(struct gpu *gpu);

/** Goes to fail: unless the call succeeds; says which call failed and how. */
#define GPU_TRY(call, what)                                                                                                                \
    do {                                                                                                                                   \
        VkResult try_result = (call);                                                                                                      \
        if (try_result < 0) {                                                                                                              \
            gpu_fail(error, try_result, what);                                                                                             \
            goto fail;                                                                                                                     \
        }                                                                                                                                  \
    } while (0)

#endif
