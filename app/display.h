/* SPDX-License-Identifier: Apache-2.0 */
/**
 * display.h: SDL's window, and a Vulkan surface on it. Sizes are in pixels, which on a dense display are smaller than
 * the points that SDL's events count in.
 */
#ifndef APP_DISPLAY_H
#define APP_DISPLAY_H

#include "vk/present.h"

#include <SDL.h>

struct app_display {
    bool started;
    SDL_Window *window;
    const char **extensions;
    struct segman_surface_source surface; /**< for segman_context_create() */
    Uint32 wake;                          /**< type of the event that app_display_wake() sends */
    SDL_atomic_t waking;
};

/** Connects to a display, without a window. False, and *error, where there is none. */
bool app_display_start(struct app_display *display, struct segman_error *error);
/** A hidden window. */
bool app_display_open(struct app_display *display, const char *title, struct segman_error *error);
/** Accepts a zeroed display. */
void app_display_finish(struct app_display *display);

/** Gives the window the size of a picture, or of as much of it as the screen has room for, and shows it. */
void app_display_show(struct app_display *display, uint32_t width, uint32_t height, bool fullscreen);
/** 0 x 0 while it is minimised. */
void app_display_size(const struct app_display *display, uint32_t *width, uint32_t *height);
/** Pixels a point. */
double app_display_scale(const struct app_display *display);
bool app_display_fullscreen(const struct app_display *display);
void app_display_set_fullscreen(struct app_display *display, bool on);
/** Ends a wait for events; from any thread. */
void app_display_wake(struct app_display *display);

#endif
