/* SPDX-License-Identifier: Apache-2.0 */
/**
 * segman.h: the public API of libsegman, semantic segmentation of video frames with SegMAN
 * (Fu, Lou, Yu: "SegMAN: Omni-scale Context Modeling with State Space Models and Local Attention
 * for Semantic Segmentation", CVPR 2025) in Vulkan compute shaders.
 *
 * The objects, and who owns what:
 *
 *   context   a Vulkan device and its pipeline cache
 *   model     a checkpoint: architecture, classes, palette, weights (host memory mapped)
 *   session   a model made ready for one frame format and one network size: weights on the GPU,
 *             one arena for all activations, recorded command buffers, one per slot
 *   slot      a frame in flight: mapped input planes, mapped results
 *
 * A frame costs one queue submission (three where its transfers run beside other frames' passes); nothing is allocated and no
 * descriptor is written per frame.
 *
 *   segman_session_begin()   -> a free slot's mapped input planes, to be filled by the caller
 *   segman_session_submit()  -> the GPU starts (converts, resizes, segments, blends)
 *   segman_session_wait()    -> pointers to the label map and the blended view
 *   segman_session_release() -> the slot is free again
 *
 * Threads: a context may be shared by threads; models are immutable once opened and may be shared;
 * a session belongs to one thread at a time (its calls must not overlap). Two sessions of one
 * context may run on two threads. Destroy sessions before their model, models before the context.
 *
 * Errors: every function that can fail returns false (or NULL) and fills *error when error is not
 * NULL. A message is one plain sentence without a trailing newline. Destructors accept NULL.
 */
#ifndef SEGMAN_H
#define SEGMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEGMAN_VERSION_MAJOR 0
#define SEGMAN_VERSION_MINOR 1
#define SEGMAN_VERSION_PATCH 0
#define SEGMAN_VERSION       "0.1.0"

#if defined(__GNUC__)
#define SEGMAN_API __attribute__((visibility("default")))
#else
#define SEGMAN_API
#endif

/** Label of a pixel that carries no class (never produced by the network itself). */
#define SEGMAN_LABEL_NONE 255
/** Most classes that a checkpoint may have: a label is one byte. */
#define SEGMAN_MAX_CLASSES 255
/** Most in-flight frames of a session. */
#define SEGMAN_MAX_SLOTS 8

struct segman_surface_source; /* present.h */

/* ---- errors and log ------------------------------------------------------------------------ */

enum segman_status {
    SEGMAN_OK = 0,
    SEGMAN_ERROR_ARGUMENT,      /**< a parameter is out of its range */
    SEGMAN_ERROR_MEMORY,        /**< host memory ran out */
    SEGMAN_ERROR_DEVICE_MEMORY, /**< GPU memory ran out: a smaller size, model or precision helps */
    SEGMAN_ERROR_NO_DEVICE,     /**< no Vulkan driver, or none that matches */
    SEGMAN_ERROR_UNSUPPORTED,   /**< the device lacks what this needs; the message names it */
    SEGMAN_ERROR_DEVICE_LOST,   /**< the GPU stopped: destroy everything up to the context */
    SEGMAN_ERROR_TIMEOUT,       /**< a frame did not finish in time */
    SEGMAN_ERROR_IO,            /**< a file could not be read or written */
    SEGMAN_ERROR_FORMAT,        /**< a checkpoint or data file is damaged or of the wrong kind */
};

struct segman_error {
    enum segman_status status;
    char message[512];
};

/** Fills *error (when not NULL) printf-like; returns false, so that `return segman_fail(...)` reads well. */
SEGMAN_API bool segman_fail(struct segman_error *error, enum segman_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

enum segman_log_level { SEGMAN_LOG_ERROR, SEGMAN_LOG_WARNING, SEGMAN_LOG_INFO, SEGMAN_LOG_DEBUG };
/** Receives one line without newline. May be called from any thread that calls into the library. */
typedef void (*segman_log_fn)(void *user, enum segman_log_level level, const char *text);

/* ---- devices and context ------------------------------------------------------------------- */

enum segman_device_type { SEGMAN_DEVICE_DISCRETE, SEGMAN_DEVICE_INTEGRATED, SEGMAN_DEVICE_VIRTUAL, SEGMAN_DEVICE_CPU, SEGMAN_DEVICE_OTHER };

struct segman_device_info {
    uint32_t index;   /**< position in the Vulkan loader's order */
    char name[256];   /**< as the driver reports it */
    char driver[256]; /**< driver name and version */
    enum segman_device_type type;
    uint8_t uuid[16];              /**< stable over reboots of the same machine */
    uint32_t vendor_id, device_id; /**< PCI numbers */
    uint32_t api_version;          /**< Vulkan's packed form */
    bool fp16;                     /**< half-precision arithmetic (storage works everywhere) */
    bool cooperative_matrix;       /**< VK_KHR_cooperative_matrix is offered */
    uint32_t subgroup_size;        /**< default width in invocations */
    uint32_t shared_memory;        /**< bytes a workgroup */
    uint64_t total_memory;         /**< bytes of the largest device-local heap */
    uint64_t free_memory;          /**< bytes; equals total_memory where the driver does not tell */
    char lacks[160];               /**< empty, or what keeps segman from using this device */
};

/**
 * Lists the Vulkan devices. *devices is malloc'ed, to be freed with free(); *count may be 0.
 * Fails with SEGMAN_ERROR_NO_DEVICE where no Vulkan driver is installed.
 */
SEGMAN_API bool segman_list_devices(struct segman_device_info **devices, size_t *count, struct segman_error *error);

struct segman_context_params {
    const char *device;    /**< index, part of the name (any case) or UUID in hex; NULL: discrete, then integrated, then CPU */
    bool validation;       /**< Khronos validation layer with synchronization validation, where installed */
    const char *cache_dir; /**< folder of the pipeline cache, made when missing; NULL: no cache on disk */
    segman_log_fn log;     /**< NULL: warnings and errors to stderr */
    void *log_user;
    const struct segman_surface_source *surface; /**< a window to present to (present.h): devices that cannot are passed over; NULL: none */
};
struct segman_context;

SEGMAN_API struct segman_context *segman_context_create(const struct segman_context_params *params, struct segman_error *error);
/** Saves the pipeline cache. All models and sessions must be gone. */
SEGMAN_API void segman_context_destroy(struct segman_context *context);
SEGMAN_API const struct segman_device_info *segman_context_device(const struct segman_context *context);
/** Messages of the validation layer so far at warning or error level (0 when validation is off). */
SEGMAN_API uint32_t segman_context_validation_messages(const struct segman_context *context);
/** Allocations of GPU memory that are alive, of all of the context's objects. Constant while frames run. */
SEGMAN_API uint32_t segman_context_allocations(const struct segman_context *context);

/** What a device does at most, as measured on it. */
struct segman_peak {
    double bytes_per_second; /**< read and written by a copy of memory too large for caches */
    double flops;            /**< float32 multiply-adds in registers, two operations each */
    double matrix_flops;     /**< the same on cooperative matrices, float16 with float32 sums; 0: there are none */
    double pass_seconds;     /**< a pass of one workgroup that does nothing, waiting for the pass before it */
};
/**
 * Measures them: a fraction of a second on a GPU, seconds on a CPU driver. Nothing else should run on the device, which should
 * have worked just before (clocks rise). Fails with SEGMAN_ERROR_UNSUPPORTED where the device has no timers.
 */
SEGMAN_API bool segman_context_measure(struct segman_context *context, struct segman_peak *peak, struct segman_error *error);

/* ---- datasets: classes and palettes ---------------------------------------------------------- */

struct segman_dataset {
    char name[64];
    uint32_t classes;      /**< 1..SEGMAN_MAX_CLASSES */
    char **class_names;    /**< [classes], UTF-8 */
    uint8_t (*palette)[3]; /**< [classes] sRGB */
};

/**
 * Reads a dataset file: JSON {"name": text, "classes": [text], "palette": [[r,g,b]]}. Without "classes" it is a palette
 * alone, its classes are called "class 0" and so on.
 */
SEGMAN_API struct segman_dataset *segman_dataset_open(const char *path, struct segman_error *error);
SEGMAN_API void segman_dataset_destroy(struct segman_dataset *dataset);

/* ---- models ---------------------------------------------------------------------------------- */

/** What was found from the checkpoint's shapes (reference: VARIANTS). */
struct segman_architecture {
    char variant[8]; /**< "t", "s", "b", "l", "l2", or "custom" where no published table fits */
    uint32_t dims[4], depths[4], heads[4], windows[4],
        hidden[4]; /**< stage widths in channels, blocks, heads, window sides, feed-forward widths */
    bool layer_scale;
    uint32_t image_side;       /**< side of the training image in 1/32 pixels: global bias table is (side^2)^2 */
    uint32_t decoder_channels; /**< width of the decoder (e) */
    uint32_t decoder_proj;     /**< width of its projections (p) */
    uint32_t classes;
};

struct segman_model;

/**
 * Opens a checkpoint: a .safetensors or mmseg .pth file (the kind is found from its content), or
 * procedural weights "synthetic:V[:CLASSES]" with V one of t, s, b, l, l2 (reference:
 * procedural_value). context may be NULL for a look without a GPU: then no session can be made. Checks every name and shape; the message of
 * a failure names the tensor, what was found and what was expected.
 */
SEGMAN_API struct segman_model *segman_model_open(struct segman_context *context, const char *path, struct segman_error *error);
SEGMAN_API void segman_model_destroy(struct segman_model *model);
SEGMAN_API const struct segman_architecture *segman_model_architecture(const struct segman_model *model);
/** Classes and palette from the checkpoint; NULL where it has none. Owned by the model. */
SEGMAN_API const struct segman_dataset *segman_model_dataset(const struct segman_model *model);
/** Smallest allowed network side in pixels (the windows must fit): 224 for the published variants. */
SEGMAN_API uint32_t segman_model_min_side(const struct segman_model *model);
/** Number of weights' tensors and scalars in them. */
SEGMAN_API void segman_model_count(const struct segman_model *model, uint64_t *tensors, uint64_t *parameters);

struct segman_tensor_info {
    const char *name;
    const char *dtype; /**< "F32", "F16", "BF16", ... */
    uint32_t rank;
    uint64_t shape[8];
};
/** The i-th tensor of the checkpoint, in the file's order; false past the end. */
SEGMAN_API bool segman_model_tensor(const struct segman_model *model, size_t i, struct segman_tensor_info *info);

/* ---- frames ---------------------------------------------------------------------------------- */

enum segman_pixel_format {
    SEGMAN_FORMAT_RGBA, /**< one plane, bytes R G B A; A is passed through */
    SEGMAN_FORMAT_BGRX, /**< one plane, bytes B G R X */
    SEGMAN_FORMAT_NV12, /**< Y plane, interleaved CbCr plane of half width and height (rounded up) */
    SEGMAN_FORMAT_I420, /**< Y, Cb and Cr planes, chroma of half width and height (rounded up) */
};
enum segman_matrix { SEGMAN_MATRIX_BT601, SEGMAN_MATRIX_BT709, SEGMAN_MATRIX_BT2020 };
enum segman_range { SEGMAN_RANGE_LIMITED, SEGMAN_RANGE_FULL };
/** Position of chroma samples: left (MPEG-2, H.264 default), centre (JPEG, MPEG-1), top left (BT.2020). */
enum segman_chroma_site { SEGMAN_CHROMA_LEFT, SEGMAN_CHROMA_CENTER, SEGMAN_CHROMA_TOP_LEFT };

struct segman_frame_format {
    enum segman_pixel_format format;
    uint32_t width, height;       /**< pixels, 1..16384 */
    enum segman_matrix matrix;    /**< ignored for RGB formats */
    enum segman_range range;      /**< ignored for RGB formats */
    enum segman_chroma_site site; /**< ignored for RGB formats */
};

/** Planes in mapped memory. Unused planes are NULL. */
struct segman_planes {
    uint8_t *plane[3];
    uint32_t stride[3]; /**< bytes from row to row, a multiple of 4 */
    uint32_t rows[3];   /**< rows of each plane */
    uint32_t bytes[3];  /**< bytes of a row that carry pixels */
};

/* ---- sessions -------------------------------------------------------------------------------- */

enum segman_precision { SEGMAN_PRECISION_AUTO, SEGMAN_PRECISION_F32, SEGMAN_PRECISION_F16 };
enum segman_resize { SEGMAN_RESIZE_BILINEAR, SEGMAN_RESIZE_AREA };
enum segman_view {
    SEGMAN_VIEW_NONE,         /**< labels only */
    SEGMAN_VIEW_OVERLAY,      /**< the frame with the masks blended in */
    SEGMAN_VIEW_MASK,         /**< the masks alone; hidden classes black */
    SEGMAN_VIEW_SIDE_BY_SIDE, /**< source left, overlay right: twice the width */
    SEGMAN_VIEW_SOURCE,       /**< the frame, unchanged */
    SEGMAN_VIEW_CONFIDENCE,   /**< in a window only (present.h): how sure the network is, dark to bright */
};

struct segman_session_params {
    struct segman_frame_format frame; /**< of every frame of this session */
    uint32_t net_width, net_height;   /**< the whole image is resized to this; multiples of 32, at least segman_model_min_side() */
    uint32_t crop, stride; /**< sliding crops of crop x crop pixels (clipped to the image) at this stride, logits averaged; 0: whole image
                              at once. Multiples of 32 */
    enum segman_resize resize;            /**< how the frame becomes the network's input */
    enum segman_precision precision;      /**< AUTO: F16 (fewer bytes; faster on CPU drivers too) */
    enum segman_view view;                /**< what segman_result.view holds */
    enum segman_pixel_format view_format; /**< format of the view: frame.format, or an RGB format (converted by the frame's matrix) */
    uint32_t slots;                       /**< 1..SEGMAN_MAX_SLOTS frames in flight; 0: 2 for each of parallel */
    /**
     * Frames whose networks run at once, on queues of their own, each with activations of its own: more frames a second, each of
     * them later. 0: 1. Fewer where the device has fewer queues that run beside each other (segman_session_parallel() tells), and
     * never more than slots; 1 with smooth, skip_still or present.
     */
    uint32_t parallel;
    const char *const *taps; /**< names of tensors to keep for segman_session_tap(); [n_taps] */
    size_t n_taps;
    bool profile;    /**< time every pass (timestamps; costs a little) */
    bool no_fuse;    /**< run the graph without fusing passes (for tests) */
    bool confidence; /**< fill segman_result.confidence (costs an exponential a class and pixel) */
    /**
     * 0..1: evidence is averaged over frames where the picture stays the same, so that masks do not flicker. In each cell
     * of 8 x 8 pixels of the network's input
     *     evidence = logits + w (evidence - logits),  w = min(smooth, 0.95) (1 - smoothstep(4, 12, d)),
     * d: the largest difference, over the cell and its eight neighbours, from the picture that the evidence stands for, in
     * 8-bit levels (root mean square over red, green and blue of the cell's quarters); that picture is averaged by the same
     * w. The evidence is float32, as many numbers as logits. Frames count in order of submission. 0: off, at no cost.
     */
    float smooth;
    /**
     * A frame that differs nowhere by more than still_threshold (d above, of every cell) from the last one that went through
     * the network skips it and has that one's labels: segman_result.skipped. The GPU decides; the frame's own picture is shown.
     */
    bool skip_still;
    float still_threshold; /**< 8-bit levels, 0: only the same picture is still. Sensor noise needs about 4 */
    bool present;          /**< each slot keeps its picture and labels on the GPU, for segman_presenter_draw() */
};
struct segman_session;

/** How masks look; may differ from frame to frame. */
struct segman_style {
    float opacity;                              /**< 0..1 of the mask over the frame */
    uint8_t palette[SEGMAN_MAX_CLASSES + 1][4]; /**< sRGB and alpha by label; alpha 0 hides a class, 255 shows it */
};
/** The dataset's palette (NULL: the model's; a generated one where there is none), opacity 0.5, all classes shown. Both may be NULL. */
SEGMAN_API void segman_style_default(struct segman_style *style, const struct segman_model *model, const struct segman_dataset *dataset);

/** A picture to lay over the view (a legend, text). */
struct segman_overlay {
    const uint8_t *rgba;            /**< straight (not premultiplied) sRGB and alpha, 4 bytes a pixel; copied. NULL: none */
    uint32_t width, height, stride; /**< pixels, pixels, bytes */
    int32_t x, y;                   /**< where its top left corner goes, in pixels of the view */
};

SEGMAN_API struct segman_session *segman_session_create(struct segman_model *model, const struct segman_session_params *params,
                                                        struct segman_error *error);
/** Called before each measured layer, with what is done and what there is to do; false ends the measuring. */
typedef bool (*segman_tune_fn)(void *user, uint32_t done, uint32_t total);
/**
 * Measures which shader is the fastest for each convolution of a session with these params on this device. Sessions that are made
 * afterwards use the choices: with the same context, and with its cache_dir in other processes. What is known already is not
 * measured again. Takes from a second to a minute. progress may be NULL; what was measured before it returned false is kept.
 */
SEGMAN_API bool segman_model_tune(struct segman_model *model, const struct segman_session_params *params, segman_tune_fn progress,
                                  void *user, struct segman_error *error);
/** Waits for frames in flight. */
SEGMAN_API void segman_session_destroy(struct segman_session *session);

/** Style of the frames submitted from now on; until then segman_style_default()'s. */
SEGMAN_API void segman_session_set_style(struct segman_session *session, const struct segman_style *style);
/** Overlay of the frames submitted from now on; allocates when it grows: waits for frames in flight then. */
SEGMAN_API bool segman_session_set_overlay(struct segman_session *session, const struct segman_overlay *overlay,
                                           struct segman_error *error);

/** What a finished frame holds. Pointers are valid until segman_session_release(). */
struct segman_result {
    uint64_t user;             /**< as given to segman_session_submit() */
    const uint8_t *labels;     /**< label map, frame.width bytes a row */
    uint32_t labels_stride;    /**< bytes from row to row */
    const uint8_t *confidence; /**< probability of each pixel's label in 1/255, rows as those of labels: softmax over the classes' logits,
                                    interpolated (sliding crops: their mean) like for the label; NULL unless asked for */
    uint32_t slot;             /**< of this frame, for segman_presenter_draw() */
    struct segman_planes view; /**< in view_format; all NULL for SEGMAN_VIEW_NONE */
    uint32_t view_width, view_height;
    bool skipped; /**< with skip_still: the frame was still, the network did not run; taps are those of the last run */
    float change; /**< with skip_still: the largest difference of a cell in 8-bit levels; 1e30: there was nothing to compare with */
    /**
     * By timestamps; 0 where the device has none. From the frame in GPU memory to labels and view in GPU memory: colour, resizing,
     * network, label map, view.
     */
    double gpu_ms;
    double upload_ms, read_back_ms; /**< the copies before and after that; they may run beside other frames' passes */
};

/**
 * The next frame submitted has nothing to do with those before (a seek, another source): it is neither smoothed with
 * them nor skipped. A new session starts like this. Cuts within a video are found by their difference.
 */
SEGMAN_API void segman_session_reset_history(struct segman_session *session);

/** Gives the planes of a free slot to be filled. Fails where every slot is in flight or held. */
SEGMAN_API bool segman_session_begin(struct segman_session *session, struct segman_planes *planes, struct segman_error *error);
/**
 * Of a session with segman_session_params.present: makes the picture of the begun slot ready on the GPU, ahead of
 * segman_session_submit(). A presenter can draw it from then on, with the labels of an earlier frame. *slot: which one.
 */
SEGMAN_API bool segman_session_preview(struct segman_session *session, uint32_t *slot, struct segman_error *error);
/** Submits the slot of the last begin. user comes back in the result. */
SEGMAN_API bool segman_session_submit(struct segman_session *session, uint64_t user, struct segman_error *error);
/** Waits for the oldest submitted frame. timeout_ns bounds the wait (UINT64_MAX: 60 s without progress is an error). */
SEGMAN_API bool segman_session_wait(struct segman_session *session, uint64_t timeout_ns, struct segman_result *result,
                                    struct segman_error *error);
/** Frees the slot of the oldest waited frame. */
SEGMAN_API void segman_session_release(struct segman_session *session);
/** Frames submitted and not yet waited for. */
SEGMAN_API uint32_t segman_session_in_flight(const struct segman_session *session);

/** Frames whose networks run at once, at least 1. */
SEGMAN_API uint32_t segman_session_parallel(const struct segman_session *session);

/** Precision that is in use (never AUTO). */
SEGMAN_API enum segman_precision segman_session_precision(const struct segman_session *session);

/**
 * Copies a tap's tensor of the last waited frame: *data is malloc'ed float32 (C, H, W), to be freed.
 * Names are the checkpoint's scopes ("backbone.layers.0.blocks.0.cpe1", reference: module names), and
 * "input" and "logits".
 */
SEGMAN_API bool segman_session_tap(struct segman_session *session, const char *name, uint32_t shape[3], float **data,
                                   struct segman_error *error);

/** A pass of the recorded frame, for profiles. */
struct segman_pass_info {
    const char *scope;  /**< e.g. backbone.layers.0.blocks.0.token_mixer.qkv */
    const char *op;     /**< e.g. conv, scan */
    const char *shader; /**< shader variant */
    double flops;       /**< floating-point operations (a multiply-add is two) */
    double bytes;       /**< bytes read and written, each once */
    double ms;          /**< of the last waited frame; 0 without segman_session_params.profile */
    bool barrier;       /**< waits for the passes before it */
    bool matrices;      /**< multiplies on cooperative matrices */
    uint32_t groups[3];
};
SEGMAN_API size_t segman_session_pass_count(const struct segman_session *session);
SEGMAN_API bool segman_session_pass(const struct segman_session *session, size_t i, struct segman_pass_info *info);

/** Memory of a session, bytes. */
struct segman_memory_info {
    uint64_t arena;       /**< activations, planned */
    uint64_t arena_naive; /**< what they would take without reuse */
    uint64_t weights;     /**< repacked on the device */
    uint64_t frames;      /**< input and result buffers of all slots */
};
SEGMAN_API void segman_session_memory(const struct segman_session *session, struct segman_memory_info *info);
/** Prints the arena's plan: tensors with shape, offset, size and lifetime in passes. */
SEGMAN_API void segman_session_print_plan(const struct segman_session *session, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
