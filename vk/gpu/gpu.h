/* SPDX-License-Identifier: Apache-2.0 */
/**
 * gpu.h: what libsegman needs of Vulkan, and nothing of tensors: a device, buffers, compute passes,
 * command lists with barriers computed from what the passes access, timers.
 *
 * Threads: a gpu may be shared (submission and pipeline creation lock); every other object belongs
 * to one thread at a time.
 */
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include <vulkan/vulkan.h>

#include "../segman.h"

#define GPU_MAX_BINDINGS 8
#define GPU_MAX_SPEC     20
#define GPU_MAX_PUSH     128

struct gpu;

/**
 * How a subgroup shares out a matrix of 16 x 16, where that is regular; row_lanes is 0 where it is not. row_lanes invocations in a
 * row share a row of the matrix, 16 / row_lanes elements (2 or 4) each; the next ones share the next row, and so on from the first
 * invocation again. An invocation's element e of its row r is its number e * step + r % run * row_step + r / run * run_step.
 */
struct gpu_deal {
    uint32_t row_lanes, step, row_step, run, run_step;
    uint8_t column[16]; /**< of a row: the columns of the first invocation, then of the second ... */
    uint8_t b[256];     /**< of the second factor's element (row, column): its place in [invocation][its elements] */
};

/**
 * Cooperative matrices (VK_KHR_cooperative_matrix) of float16 with float32 sums that a subgroup of caps.subgroup_size multiplies:
 * (m x k) (k x n), multiples of 8. m is 0 where there are none, or where their shaders lack something else.
 */
struct gpu_coop {
    uint32_t m, n, k;
    struct gpu_deal deal; /**< of the first factor and the sums */
};

/** What a command list is for. Lists other than the main queue's hold copies alone. */
enum gpu_queue { GPU_QUEUE_MAIN, GPU_QUEUE_UPLOAD, GPU_QUEUE_READBACK, GPU_QUEUES };

#define GPU_MAX_PARALLEL 8

/** Limits and features that choose shaders. */
struct gpu_caps {
    bool fp16;      /**< shaderFloat16 */
    bool storage16; /**< storageBuffer16BitAccess */
    struct gpu_coop coop;
    bool timestamps;
    uint32_t parallel;       /**< main queues whose lists run at once, 1..GPU_MAX_PARALLEL */
    bool beside[GPU_QUEUES]; /**< lists for this queue run beside those of the main one; else they are best recorded into its */
    bool unified_memory;     /**< device-local memory is host-visible too: no staging copies */
    bool cpu;                /**< a CPU driver */
    bool subgroup_shuffle;   /**< subgroup shuffles in compute shaders */
    bool whole_subgroups;    /**< pass descriptions may ask for subgroups of subgroup_size */
    uint32_t subgroup_size;
    uint64_t device_memory;    /**< bytes of its largest heap of its own */
    uint32_t shared_memory;    /**< bytes a workgroup */
    uint32_t max_invocations;  /**< a workgroup */
    uint64_t max_range;        /**< bytes of one storage buffer binding */
    uint64_t offset_alignment; /**< of storage buffer bindings, a power of two */
    uint32_t max_bindings;     /**< storage buffers a pass */
    uint32_t max_groups[3];
};

struct gpu *gpu_create(const struct segman_context_params *params, struct segman_error *error);
void gpu_destroy(struct gpu *gpu);
const struct gpu_caps *gpu_caps(const struct gpu *gpu);
/**
 * Whether matrices of 16 x 16 are shared out to 32 invocations like this: 4 g + c holds of rows g and g + 8 the columns 2 c, 2 c + 1,
 * 2 c + 8 and 2 c + 9, in this order; of a second factor it holds the same of its transpose.
 */
bool gpu_deal_in_pairs(const struct gpu_caps *caps);
const struct segman_device_info *gpu_info(const struct gpu *gpu);
uint32_t gpu_validation_messages(const struct gpu *gpu);
/** Live allocations of GPU memory. */
uint32_t gpu_allocations(const struct gpu *gpu);
/** Writes a file under another name, then gives it its own: nobody reads half of it, two processes do not mix theirs. */
bool gpu_file_write(const char *path, const void *data, size_t size);
/** The file of choices measured on this device and driver with this version; NULL without a cache on disk. */
const char *gpu_tuning_path(const struct gpu *gpu);
void gpu_log(const struct gpu *gpu, enum segman_log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** segman_context_measure(). */
bool gpu_peak_measure(struct gpu *gpu, struct segman_peak *peak, struct segman_error *error);
/** Turns a VkResult into an error sentence: "what: VK_ERROR_..."; returns false. */
bool gpu_fail(struct segman_error *error, VkResult result, const char *what);

/* ---- memory ---------------------------------------------------------------------------------- */

enum gpu_memory {
    GPU_MEMORY_DEVICE,   /**< fastest for shaders, not mapped (mapped where caps.unified_memory) */
    GPU_MEMORY_UPLOAD,   /**< mapped, written by the host in order */
    GPU_MEMORY_READBACK, /**< mapped, cached: read by the host */
};

struct gpu_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    uint64_t size;
    void *map; /**< NULL where not mapped; host-coherent */
};

bool gpu_buffer_init(struct gpu *gpu, struct gpu_buffer *buffer, uint64_t size, enum gpu_memory kind, struct segman_error *error);
/** Accepts a zeroed buffer. The GPU must be done with it. */
void gpu_buffer_finish(struct gpu *gpu, struct gpu_buffer *buffer);
/** Fills a device buffer's range from host memory, blocking (for weights; not for frames). */
bool gpu_buffer_write(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, const void *data, uint64_t size,
                      struct segman_error *error);
/** Copies a range to host memory, blocking. */
bool gpu_buffer_read(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, void *data, uint64_t size,
                     struct segman_error *error);

struct gpu_range {
    const struct gpu_buffer *buffer;
    uint64_t offset, size; /**< bytes */
};

/* ---- passes ---------------------------------------------------------------------------------- */

struct gpu_shader {
    const char *name;     /**< file name and variant: "conv.f16" */
    const uint32_t *code; /**< SPIR-V */
    size_t size;          /**< bytes */
};
/** The shader table of the build; NULL where there is no such name. */
const struct gpu_shader *gpu_shader_find(const char *name);
/** Whether it multiplies cooperative matrices. */
bool gpu_shader_has_matrices(const struct gpu_shader *shader);

enum gpu_access { GPU_READ = 1, GPU_WRITE = 2, GPU_READ_WRITE = 3 };

struct gpu_pass_desc {
    const char *shader; /**< name in the shader table */
    const char *label;  /**< debug label; copied */
    struct {
        struct gpu_range range;
        enum gpu_access access;
    } binding[GPU_MAX_BINDINGS]; /**< binding i of set 0 */
    uint32_t n_bindings;
    uint32_t spec[GPU_MAX_SPEC]; /**< specialisation constant i (floats by bit pattern) */
    uint32_t n_spec;
    uint32_t subgroup_size; /**< invocations of a subgroup, all of them whole; 0: as the driver likes */
    const void *push;
    uint32_t push_size; /**< bytes, a multiple of 4, at most 128 */
    uint32_t groups[3];
};

/** Notes the pipelines that these passes will need; of a pass only shader, spec, subgroup size and bindings' number count. */
bool gpu_pipelines_note(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count, struct segman_error *error);
/** Compiles what was noted and is not compiled yet, on all cores. */
bool gpu_pipelines_prepare(struct gpu *gpu, struct segman_error *error);
/** How many are compiled. */
uint32_t gpu_pipelines_count(struct gpu *gpu);

struct gpu_pass;
/** Creates (or finds) the pipeline and writes the descriptor set. */
struct gpu_pass *gpu_pass_create(struct gpu *gpu, const struct gpu_pass_desc *desc, struct segman_error *error);
/** The same pass with another buffer, of the same size, wherever this one is bound. */
struct gpu_pass *gpu_pass_copy(struct gpu *gpu, const struct gpu_pass *pass, const struct gpu_buffer *buffer,
                               const struct gpu_buffer *instead, struct segman_error *error);
void gpu_pass_destroy(struct gpu *gpu, struct gpu_pass *pass);

/* ---- command lists --------------------------------------------------------------------------- */

struct gpu_commands;
/** timers: how many timestamps gpu_commands_timer may write (0: none). */
struct gpu_commands *gpu_commands_create(struct gpu *gpu, uint32_t timers, struct segman_error *error);
/** The same for another queue. number: which of the main queues, the first ones again where there are fewer; else ignored. */
struct gpu_commands *gpu_commands_create_for(struct gpu *gpu, enum gpu_queue queue, uint32_t number, uint32_t timers,
                                             struct segman_error *error);
void gpu_commands_destroy(struct gpu_commands *commands);
bool gpu_commands_begin(struct gpu_commands *commands, struct segman_error *error);
/** From here on every pass waits for the one before, so that timers tell them apart (for profiles). */
void gpu_commands_serial(struct gpu_commands *commands, bool serial);
/** Records a pass; a barrier first if it conflicts with what was recorded since the last one. Returns whether there was one. */
bool gpu_commands_pass(struct gpu_commands *commands, const struct gpu_pass *pass);
/**
 * From here on passes take their group counts from this buffer, three words each, one pass after the other; what writes
 * them has been recorded before. own: host memory of the same size, gets the counts that the passes were created with.
 * NULL, NULL: their own again.
 */
void gpu_commands_indirect(struct gpu_commands *commands, const struct gpu_buffer *counts, uint32_t *own);
/** Records a buffer copy of src.size bytes. */
bool gpu_commands_copy(struct gpu_commands *commands, struct gpu_range src, struct gpu_range dst);
/** Writes the next timestamp after all work so far; returns which one it is (of those that fit). */
uint32_t gpu_commands_timer(struct gpu_commands *commands);
bool gpu_commands_end(struct gpu_commands *commands, struct segman_error *error);
/** Submits; the list must not be in flight. */
bool gpu_commands_submit(struct gpu_commands *commands, struct segman_error *error);
/** Submits; all of it waits for the last submission of another list, which may be of another queue (NULL: of none). */
bool gpu_commands_submit_after(struct gpu_commands *commands, const struct gpu_commands *before, struct segman_error *error);
/** SEGMAN_ERROR_TIMEOUT after timeout_ns, SEGMAN_ERROR_DEVICE_LOST ... */
bool gpu_commands_wait(struct gpu_commands *commands, uint64_t timeout_ns, struct segman_error *error);
bool gpu_commands_done(struct gpu_commands *commands);
/** Whether it was submitted and not yet waited for; gpu_commands_done() tells whether a wait would return at once. */
bool gpu_commands_pending(const struct gpu_commands *commands);
/** Milliseconds since the first timestamp of the last finished run; 0 where there are no timers. */
double gpu_commands_time(const struct gpu_commands *commands, uint32_t timer);

/* ---- presentation ---------------------------------------------------------------------------- */

#define GPU_MAX_IMAGES 16

/** The images of a window. There is none (images 0) while the window has no size. */
struct gpu_swapchain {
    VkSwapchainKHR swapchain;
    VkPresentModeKHR mode;
    uint32_t width, height; /**< pixels */
    bool bgr;               /**< bytes of a pixel are B G R X, else R G B X */
    bool stale;             /**< to be made anew before the next acquisition */
    uint32_t n_images;
    VkImage image[GPU_MAX_IMAGES];
    VkSemaphore rendered[GPU_MAX_IMAGES]; /**< by image: free again when the image is acquired again */
};

/** Whether the gpu was created with a surface. */
bool gpu_has_surface(const struct gpu *gpu);
/** Makes images of the surface's size, or of this one where the surface leaves the choice; the old ones are replaced. Waits for the queue.
 */
bool gpu_swapchain_init(struct gpu *gpu, struct gpu_swapchain *chain, const VkPresentModeKHR *wishes, uint32_t n_wishes, uint32_t width,
                        uint32_t height, struct segman_error *error);
void gpu_swapchain_finish(struct gpu *gpu, struct gpu_swapchain *chain);
/** Whether the surface has another size by now: a window system may tell a size before its surface has it. */
bool gpu_swapchain_outgrown(const struct gpu *gpu, const struct gpu_swapchain *chain);
/** VK_SUCCESS with *image, or VK_NOT_READY, VK_TIMEOUT, VK_ERROR_OUT_OF_DATE_KHR ... ; VK_SUBOPTIMAL_KHR only marks it stale. */
VkResult gpu_swapchain_acquire(struct gpu *gpu, struct gpu_swapchain *chain, VkSemaphore acquired, uint64_t timeout_ns, uint32_t *image);
/** Shows an image once its rendered semaphore is signalled. */
VkResult gpu_swapchain_present(struct gpu *gpu, struct gpu_swapchain *chain, uint32_t image);
const char *gpu_present_mode_name(VkPresentModeKHR mode);

/** Records a copy of packed pixels to a whole image, which is ready to be presented afterwards. */
void gpu_commands_copy_to_image(struct gpu_commands *commands, struct gpu_range src, VkImage image, uint32_t width, uint32_t height);
/** Submits; copies to an image wait for one semaphore, all work signals the other one. */
bool gpu_commands_submit_between(struct gpu_commands *commands, VkSemaphore wait, VkSemaphore signal, struct segman_error *error);

bool gpu_semaphore_init(struct gpu *gpu, VkSemaphore *semaphore, struct segman_error *error);
void gpu_semaphore_finish(struct gpu *gpu, VkSemaphore *semaphore);
/** Waits for everything that was submitted. */
void gpu_wait_idle(struct gpu *gpu);

#endif
