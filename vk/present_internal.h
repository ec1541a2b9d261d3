/* SPDX-License-Identifier: Apache-2.0 */
/**
 * present_internal.h: the presenter's parts.
 *
 *   present.c       the public object: swapchain, flights, draws
 *   present_view.c  what the shader reads of a draw: where the view goes, colours, overlays
 *
 * A draw is one command list: [copy the draw's words and changed texts to the device] -> present.comp into the canvas
 * (a buffer of the window's size) -> copy to the window's image. Two draws may be in flight; the host writes into
 * each one's own mapped memory, the device's copies are shared because lists of a queue wait for one another.
 */
#ifndef VK_PRESENT_INTERNAL_H
#define VK_PRESENT_INTERNAL_H

#include "gpu/gpu.h"
#include "present.h"
#include "session.h"
#include "shaders/iface.h"

#define PRESENT_FLIGHTS 2

/** A draw in flight. */
struct present_flight {
    struct gpu_commands *commands;
    VkSemaphore acquired;
    struct gpu_buffer words, texts;          /* mapped */
    uint32_t text_version[PRESENT_OVERLAYS]; /* what texts holds */
};

/** A picture over the window. */
struct present_text {
    uint32_t *pixels;                         /* the host's copy: R | G << 8 | B << 16 | A << 24 */
    uint32_t width, height, capacity, offset; /* words; offset in the texts' buffers */
    int32_t x, y;
    uint32_t version;
};

/** A way from slots to a canvas; NULL passes are made when they are first used. */
struct present_canvas {
    struct gpu_buffer buffer;
    struct gpu_pass *pass[SEGMAN_MAX_SLOTS][SEGMAN_MAX_SLOTS]; /* [picture][labels] */
    struct gpu_pass *empty;
    uint32_t width, height; /* what the passes are made for */
};

struct segman_presenter {
    struct gpu *gpu;
    struct segman_presenter_params params;
    struct gpu_swapchain chain;
    struct present_canvas canvas;
    struct present_flight flight[PRESENT_FLIGHTS];
    uint32_t next;                           /* flight */
    struct gpu_buffer words, texts, nothing; /* on the device; nothing: stands for a picture where there is none */
    struct present_text text[PRESENT_OVERLAYS];
    uint32_t text_version[PRESENT_OVERLAYS]; /* what the device's copy holds */
    uint32_t text_capacity;                  /* words of the texts' buffers */
    const struct frame_program *frames;      /* of the session; NULL: none */
    uint32_t slots;
    uint64_t shown, skipped;
    uint32_t rebuilt;
    double gpu_ms;
};

/** Size of what is drawn, by view; false without a frame. */
bool present_view_size(const struct segman_presenter *p, const struct segman_present *what, uint32_t *width, uint32_t *height);
/** Everything but overlays, for a window of this size; the view fills as much of it as its shape allows. */
void present_fill(const struct segman_presenter *p, const struct segman_present *what, uint32_t width, uint32_t height, bool bgr,
                  struct present_frame *frame);
void present_fill_overlays(const struct segman_presenter *p, struct present_frame *frame);
/** Takes a copy of a picture, allocating host memory where it grew; *grew: the texts' buffers must too. */
bool present_text_set(struct segman_presenter *p, uint32_t index, const struct segman_overlay *overlay, bool *grew,
                      struct segman_error *error);

#endif
