/* SPDX-License-Identifier: Apache-2.0 */
/**
 * present.h: finished frames on a window, on the device that computed them.
 *
 * A presenter draws what a session's slots keep on the GPU (segman_session_params.present): the
 * picture and its labels are blended, scaled into the window with black bars, overlaid with text and
 * handed to the display, without a way through host memory.
 *
 *   segman_context_create(.surface)   -> a device and a queue that can present to the window
 *   segman_presenter_create()         -> a swapchain of the window's size
 *   segman_presenter_attach(session)  -> draws that session's slots from now on
 *   segman_presenter_draw(slot)       -> one frame on the screen
 *
 * Views, opacity and colours are chosen at each draw: a frame can be drawn again in another way while
 * its slot is not released. A slot that is still in flight may be drawn too: the queue keeps the order.
 *
 * Threads: a presenter belongs to the thread that calls its session. Errors: as in segman.h.
 */
#ifndef SEGMAN_PRESENT_H
#define SEGMAN_PRESENT_H

#include "segman.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How the context gets at the window's surface. Read by segman_context_create() only, but for the window itself. */
struct segman_surface_source {
    const char *const *extensions; /**< Vulkan instance extensions that the window system needs; [n_extensions] */
    uint32_t n_extensions;         /**< at most 16 */
    /** Makes a VkSurfaceKHR with this VkInstance. The context destroys it; the window must outlive the context. */
    bool (*create)(void *user, void *instance, uint64_t *surface);
    void *user;
};

enum segman_vsync {
    SEGMAN_VSYNC_ON,       /**< FIFO: never tears, at most the display's rate */
    SEGMAN_VSYNC_OFF,      /**< MAILBOX: never tears, newest wins; IMMEDIATE where that is missing */
    SEGMAN_VSYNC_ADAPTIVE, /**< FIFO_RELAXED: a late frame is shown at once */
};

/** Pictures that may lie over a window at a time; a higher number covers a lower one. */
#define SEGMAN_PRESENTER_OVERLAYS 6

struct segman_presenter_params {
    uint32_t width, height; /**< of the window, in pixels (not in points); 0: minimised */
    enum segman_vsync vsync;
};
struct segman_presenter;

/** The context must have been created with a surface; one presenter a context. */
SEGMAN_API struct segman_presenter *segman_presenter_create(struct segman_context *context, const struct segman_presenter_params *params,
                                                            struct segman_error *error);
/** Waits for what it draws. Before the context; before or after the session. */
SEGMAN_API void segman_presenter_destroy(struct segman_presenter *presenter);

/** The window has a new size in pixels; 0 x 0 while it is minimised: nothing is drawn then. */
SEGMAN_API bool segman_presenter_resize(struct segman_presenter *presenter, uint32_t width, uint32_t height, struct segman_error *error);

/** Draws slots of this session from now on; NULL before the session is destroyed. Waits for what is being drawn. */
SEGMAN_API bool segman_presenter_attach(struct segman_presenter *presenter, struct segman_session *session, struct segman_error *error);

/**
 * Lays a picture over the window, in pixels of the window; it stays until it is replaced (rgba NULL: taken away).
 * Allocates when it grows: waits for what is being drawn then.
 */
SEGMAN_API bool segman_presenter_set_overlay(struct segman_presenter *presenter, uint32_t index, const struct segman_overlay *overlay,
                                             struct segman_error *error);

/** What to draw. */
struct segman_present {
    bool empty;                       /**< no frame, only the overlays */
    uint32_t picture;                 /**< slot whose picture is shown */
    uint32_t labels;                  /**< slot whose labels are shown; the same one draws a mask on its own frame */
    enum segman_view view;            /**< CONFIDENCE needs segman_session_params.confidence; NONE is like SOURCE */
    const struct segman_style *style; /**< NULL only when empty */
    uint32_t par_num, par_den;        /**< width to height of a frame's pixel; 0: square */
};

enum segman_presented {
    SEGMAN_PRESENT_DONE,    /**< on its way to the screen */
    SEGMAN_PRESENT_SKIPPED, /**< not now: minimised, the window changed, or the GPU still draws the frames before */
    SEGMAN_PRESENT_FAILED,  /**< *error says why */
};
SEGMAN_API enum segman_presented segman_presenter_draw(struct segman_presenter *presenter, const struct segman_present *what,
                                                       struct segman_error *error);

/** Whether a draw would find the GPU free for it. */
SEGMAN_API bool segman_presenter_ready(struct segman_presenter *presenter);

/**
 * Draws at the frame's own size, without bars and overlays, into host memory (for screenshots; blocks).
 * *rgba is malloc'ed, width * height * 4 bytes, to be freed with free().
 */
SEGMAN_API bool segman_presenter_capture(struct segman_presenter *presenter, const struct segman_present *what, uint32_t *width,
                                         uint32_t *height, uint8_t **rgba, struct segman_error *error);

/** Which pixel of the frame lies under a pixel of the window; false beside the picture. */
SEGMAN_API bool segman_presenter_locate(const struct segman_presenter *presenter, const struct segman_present *what, int32_t x, int32_t y,
                                        uint32_t *frame_x, uint32_t *frame_y);

struct segman_presenter_info {
    uint32_t width, height;  /**< of the swapchain; 0 while there is none */
    uint32_t images;         /**< of the swapchain */
    const char *mode;        /**< "FIFO", "MAILBOX", "IMMEDIATE" or "FIFO_RELAXED" */
    uint64_t shown, skipped; /**< draws */
    uint32_t rebuilt;        /**< times that the swapchain was made anew */
    double gpu_ms;           /**< of the last finished draw */
};
SEGMAN_API void segman_presenter_info(const struct segman_presenter *presenter, struct segman_presenter_info *info);

#ifdef __cplusplus
}
#endif
#endif
