/* SPDX-License-Identifier: Apache-2.0 */
#include "display.h"

#include <SDL_vulkan.h>
#include <glib.h>
#include <string.h>

#define SCREEN_SHARE 0.85 /* of the screen that a new window may take */
#define LEAST_SIDE   64   /* points */

static bool create_surface(void *user, void *instance, uint64_t *surface)
{
    struct app_display *display = user;
    VkSurfaceKHR made = 0; /* a pointer or a 64-bit number, by platform */

    if (!SDL_Vulkan_CreateSurface(display->window, instance, &made))
        return false;
    *surface = 0;
    memcpy(surface, &made, sizeof made);
    return true;
}

/* Asked for first: without any, SDL and the libraries under it complain, and then offer a display that shows nothing. */
static bool has_display(void)
{
    return g_getenv("DISPLAY") || g_getenv("WAYLAND_DISPLAY") || g_getenv("SDL_VIDEODRIVER");
}

bool app_display_start(struct app_display *display, struct segman_error *error)
{
    *display = (struct app_display){0};
    if (!has_display())
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "there is no display for a window");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0"); /* a second screen may have the focus */
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");           /* signals.h has them */
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    if (SDL_Init(SDL_INIT_VIDEO) != 0)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "there is no display for a window (%s)", SDL_GetError());
    display->started = true;
    if (strcmp(SDL_GetCurrentVideoDriver(), "offscreen") == 0 || strcmp(SDL_GetCurrentVideoDriver(), "dummy") == 0)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "there is no display for a window (%s does not answer)",
                           g_getenv("DISPLAY") ? g_getenv("DISPLAY") : "it");
    display->wake = SDL_RegisterEvents(1);
    return true;
}

static bool list_extensions(struct app_display *display)
{
    unsigned count = 0;

    if (!SDL_Vulkan_GetInstanceExtensions(display->window, &count, NULL))
        return false;
    display->extensions = g_new0(const char *, count + 1);
    return SDL_Vulkan_GetInstanceExtensions(display->window, &count, display->extensions) && (display->surface.n_extensions = count) > 0;
}

bool app_display_open(struct app_display *display, const char *title, struct segman_error *error)
{
    Uint32 flags = SDL_WINDOW_VULKAN | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI | SDL_WINDOW_HIDDEN;

    display->window = SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 640, 360, flags);
    if (!display->window || !list_extensions(display))
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "a window for Vulkan cannot be opened on this display (%s)", SDL_GetError());
    display->surface.extensions = display->extensions;
    display->surface.create = create_surface;
    display->surface.user = display;
    return true;
}

void app_display_finish(struct app_display *display)
{
    if (display->window)
        SDL_DestroyWindow(display->window);
    g_free(display->extensions);
    if (display->started)
        SDL_Quit();
    *display = (struct app_display){0};
}

/* ---- size ------------------------------------------------------------------------------------------ */

double app_display_scale(const struct app_display *display)
{
    int points = 0, pixels = 0;

    SDL_GetWindowSize(display->window, &points, NULL);
    SDL_Vulkan_GetDrawableSize(display->window, &pixels, NULL);
    return points > 0 && pixels > 0 ? (double)pixels / points : 1;
}

void app_display_size(const struct app_display *display, uint32_t *width, uint32_t *height)
{
    int w = 0, h = 0;

    if (!(SDL_GetWindowFlags(display->window) & SDL_WINDOW_MINIMIZED))
        SDL_Vulkan_GetDrawableSize(display->window, &w, &h);
    *width = (uint32_t)MAX(w, 0);
    *height = (uint32_t)MAX(h, 0);
}

void app_display_show(struct app_display *display, uint32_t width, uint32_t height, bool fullscreen)
{
    double scale = app_display_scale(display), w = width / scale, h = height / scale, fit = 1;
    SDL_Rect room = {0, 0, 0, 0};

    if (SDL_GetDisplayUsableBounds(MAX(SDL_GetWindowDisplayIndex(display->window), 0), &room) == 0 && room.w > 0 && room.h > 0)
        fit = MIN(1, MIN(room.w * SCREEN_SHARE / w, room.h * SCREEN_SHARE / h));
    SDL_SetWindowSize(display->window, (int)MAX(w * fit, LEAST_SIDE), (int)MAX(h * fit, LEAST_SIDE));
    SDL_SetWindowMinimumSize(display->window, LEAST_SIDE, LEAST_SIDE);
    SDL_SetWindowPosition(display->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
    SDL_ShowWindow(display->window);
    if (fullscreen)
        app_display_set_fullscreen(display, true);
}

bool app_display_fullscreen(const struct app_display *display)
{
    return SDL_GetWindowFlags(display->window) & SDL_WINDOW_FULLSCREEN_DESKTOP;
}

void app_display_set_fullscreen(struct app_display *display, bool on)
{
    SDL_SetWindowFullscreen(display->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
}

void app_display_wake(struct app_display *display)
{
    SDL_Event event = {.type = display->wake};

    if (SDL_AtomicCAS(&display->waking, 0, 1)) /* one at a time: it is only a knock */
        SDL_PushEvent(&event);
}
