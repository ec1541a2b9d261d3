/* SPDX-License-Identifier: Apache-2.0 */
/**
 * frame.h: the frame's side of a session: pixel formats, colour, the network's input, label maps, views. Knows gpu.h
 * and where a tensor lies (net_memory); knows no network.
 *
 *   planes -> [upload] -> packed RGBA8 (YCbCr formats) -> resized, normalised input -> network -> logits
 *   logits -> labels -> view (source + masks + overlay picture) -> [readback]
 *
 * Source pixels become 8-bit RGB first, in whole-number arithmetic: a frame gives the same network input, bit for
 * bit, as the RGB picture that a decoder makes of it. Views in the frame's own YCbCr format are blended there and
 * keep every pixel without mask bit by bit.
 *
 * What a session does:
 *   create   frame_program_create(); per slot: begin, frame_record_upload, frame_record_decision, for each crop
 *            { frame_record_input, passes of the network, frame_record_crop }, frame_record_output, frame_record_read_back, end
 *   a frame  fill frame_planes(slot); frame_prepare(slot); submit; wait; read frame_result(slot)
 *
 * Command lists of a program share device buffers (all but those of frame_kept): they must run one after the other on one queue
 * (gpu_commands_begin waits for lists submitted before). With own_uploads and own_read_backs these parts of a slot may be
 * lists of other queues, run before and after the slot's others.
 */
#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

#include "../net/net.h"

#define FRAME_MAX_SIDE     16384 /* pixels */
#define FRAME_MAX_CROPS    64
#define FRAME_STRIDE_ALIGN 64 /* bytes */

/* ---- layout ------------------------------------------------------------------------------------ */

/** Where the planes of a picture lie in one buffer. Strides and offsets are multiples of FRAME_STRIDE_ALIGN. */
struct frame_layout {
    enum segman_pixel_format format;
    uint32_t width, height; /**< pixels */
    uint32_t planes;        /**< 1, 2 or 3 */
    struct {
        uint32_t offset, stride, rows;
        uint32_t bytes; /**< of a row that carry pixels */
    } plane[3];
    uint64_t size; /**< bytes of all */
};

/** Chroma sides are rounded up. */
struct frame_layout frame_layout(enum segman_pixel_format format, uint32_t width, uint32_t height);
/** Pointers into a picture that begins at base. */
struct segman_planes frame_layout_planes(const struct frame_layout *layout, uint8_t *base);
bool frame_is_rgb(enum segman_pixel_format format);

/* ---- crops ------------------------------------------------------------------------------------- */

/** Origin of a crop in the resized image, pixels. */
struct frame_crop {
    uint32_t x, y;
};

/**
 * The crops of a sliding window in mmseg's order: rows of crops from the top; the last of a row or column is moved
 * back inside. crop must fit in the image. Returns how many there are; writes at most max of them.
 */
uint32_t frame_crops(uint32_t width, uint32_t height, uint32_t crop_width, uint32_t crop_height, uint32_t stride, struct frame_crop *crops,
                     uint32_t max);

/* ---- program ----------------------------------------------------------------------------------- */

struct frame_params {
    struct segman_frame_format frame;
    enum segman_resize resize;
    enum segman_view view;
    enum segman_pixel_format view_format; /**< frame.format, or an RGB format */
    uint32_t net_width, net_height;       /**< the whole frame is resized to this, at most FRAME_MAX_SIDE */
    struct net_memory input;              /**< 3 channels of one crop, or of the whole image; a tensor of its own */
    struct net_memory logits;             /**< of that crop: sides a whole fraction of the input's */
    const struct frame_crop *crops;       /**< origins in multiples of that fraction; NULL: the whole image at once */
    uint32_t n_crops;                     /**< at most FRAME_MAX_CROPS */
    uint32_t slots;                       /**< 1..SEGMAN_MAX_SLOTS */
    bool confidence;                      /**< make a confidence map beside the labels */
    float smooth;                         /**< 0..1: weight of the past in the evidence; 0: none */
    bool skip_still;                      /**< run the network only where a frame moved */
    float still_threshold;                /**< with it: largest difference of a still frame, 8-bit levels */
    uint32_t net_passes;                  /**< with it: how many passes are recorded a crop between input and crop */
    bool keep;                            /**< each slot has its own picture, labels and confidence on the GPU: frame_kept() */
    bool own_uploads, own_read_backs;     /**< that part of a slot's list may run beside the other slots' lists */
    /** Called after each pass that is recorded (for timers and profiles); may be NULL. */
    void (*recorded)(void *user, struct gpu_commands *commands, const struct net_pass *pass, bool barrier);
    void *user;
};

struct frame_program;
/** Opacity 0 and no overlay picture until they are set. */
struct frame_program *frame_program_create(struct gpu *gpu, const struct frame_params *params, struct segman_error *error);
/** The GPU must be done with it. */
void frame_program_destroy(struct frame_program *program);
/** Bytes of GPU memory of all its buffers. */
uint64_t frame_program_memory(const struct frame_program *program);
/** Crops of a frame; 1 for the whole image. */
uint32_t frame_program_crops(const struct frame_program *program);

/** The slot's frame and style to the GPU. Nothing where memory is unified. */
void frame_record_upload(const struct frame_program *program, uint32_t slot, struct gpu_commands *commands);
/** With skip_still: converts the frame and decides; from here to frame_record_output passes run only if it is not still. Else nothing. */
void frame_record_decision(struct frame_program *program, uint32_t slot, struct gpu_commands *commands);
/** Source -> network input of the crop. The first crop comes first: it converts the frame. */
void frame_record_input(struct frame_program *program, uint32_t slot, struct gpu_commands *commands, uint32_t crop);
/** The frame on the GPU as packed RGB, frame_kept()'s picture, without all else. */
void frame_record_source(const struct frame_program *program, uint32_t slot, struct gpu_commands *commands);
/** Keeps the crop's logits, or blends them into the evidence; without smoothing nothing to do for the whole image. */
void frame_record_crop(struct frame_program *program, uint32_t slot, struct gpu_commands *commands, uint32_t crop);
/** Logits -> labels and view on the GPU. */
void frame_record_output(struct frame_program *program, uint32_t slot, struct gpu_commands *commands);
/** Makes them readable by the host. Nothing where memory is unified. */
void frame_record_read_back(const struct frame_program *program, uint32_t slot, struct gpu_commands *commands);

/** Mapped planes of a slot that is not in flight. */
struct segman_planes frame_planes(const struct frame_program *program, uint32_t slot);
/** Fills labels, view and their sizes, skipped and change; leaves the other fields. */
void frame_result(const struct frame_program *program, uint32_t slot, struct segman_result *result);

/** What a slot of a program with .keep holds on the GPU once its list has run, until it runs again. */
struct frame_kept {
    uint32_t width, height;              /**< pixels */
    struct gpu_range picture;            /**< packed RGB, four bytes a pixel */
    uint32_t stride;                     /**< pixels */
    bool bgr;                            /**< bytes are B G R X, else R G B A */
    struct gpu_range labels, confidence; /**< bytes; confidence's size is 0 without it */
    uint32_t label_stride;               /**< of both, bytes */
};
struct frame_kept frame_kept(const struct frame_program *program, uint32_t slot);

/** For the frames prepared from now on. */
void frame_set_style(struct frame_program *program, const struct segman_style *style);
/** Whether frame_overlay_reserve would allocate: no frame may be in flight then. */
bool frame_overlay_grows(const struct frame_program *program, const struct segman_overlay *overlay);
/** Room for an overlay picture. *record_again: all slots must be recorded anew. A failure changes nothing. */
bool frame_overlay_reserve(struct frame_program *program, const struct segman_overlay *overlay, bool *record_again,
                           struct segman_error *error);
/** Overlay picture, for which there is room, of the frames prepared from now on (NULL: none). */
void frame_set_overlay(struct frame_program *program, const struct segman_overlay *overlay);
/** The next frame prepared has no past: its evidence is its logits, and it is not still. */
void frame_reset_history(struct frame_program *program);
/** Hands style and overlay to a slot that is about to be submitted. */
void frame_prepare(struct frame_program *program, uint32_t slot);

#endif
