/* SPDX-License-Identifier: Apache-2.0 */
/** screen.h: a window under test: opened by a command line, driven by injected events, seen through the X server. */
#ifndef TESTS_WINDOW_SCREEN_H
#define TESTS_WINDOW_SCREEN_H

#include "app/window.h"

struct screen {
    struct app_options options;
    struct app_window w;
    bool open, hovering;
    uint32_t width, height; /**< of pixels */
    uint32_t *pixels;       /**< R | G << 8 | B << 16, what the X server shows */
};

extern const char *screen_folder; /**< of the sample clips */
extern const char *screen_model;  /**< --model of all windows */
extern const char *screen_segman; /**< the program */

/** Opens a window for segman's arguments (NULL at the end); the model and its size are added. */
bool screen_init(struct screen *s, ...);
/** Closes it; the exit code is returned. */
int screen_finish(struct screen *s);

/** Rounds until the condition holds; false after the seconds, or when the window was closed. */
bool screen_until(struct screen *s, double seconds, bool (*condition)(const struct screen *s));
/** Rounds until a frame is shown and everything is drawn. */
bool screen_settle(struct screen *s);
/** For this long. */
void screen_run(struct screen *s, double seconds);

/** A character, as typed. */
void screen_type(struct screen *s, const char *text);
void screen_key(struct screen *s, SDL_Keycode key);
void screen_motion(struct screen *s, int x, int y);
void screen_click(struct screen *s, int x, int y, int clicks);

/** There is no window manager here: does its part, which is to give the window the screen's size, or its own one again. */
void screen_manage(struct screen *s, int own_width, int own_height);

/** Settles, then takes what the X server shows of the window. */
bool screen_grab(struct screen *s);
/** Writes the last grab as a PPM file: for looking at. */
void screen_save(const struct screen *s, const char *path);
/** Pixels of the rectangle that differ from another grab. */
uint32_t screen_differs(const struct screen *s, const uint32_t *other, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
uint32_t *screen_copy(const struct screen *s);

/** Runs the program to its end; its standard error comes back. settings: name, value, ..., NULL for its environment, or NULL. */
char *screen_program(const char *const *arguments, const char *const *settings, bool display, int *code);

#endif
