/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <SDL_syswm.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

const char *screen_folder, *screen_model, *screen_segman;

bool screen_init(struct screen *s, ...)
{
    const char *argv[32] = {"segman", "--validate", "-m", screen_model, "--size", "224x224", "--no-progress"};
    struct segman_error error;
    int argc = 7;
    va_list args;

    *s = (struct screen){0};
    va_start(args, s);
    while (argc < 31 && (argv[argc] = va_arg(args, const char *)))
        argc++;
    va_end(args);
    app_options_init(&s->options);
    if (!app_options_parse(&s->options, argc, (char **)argv, &error) || !app_display_start(&s->w.display, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    s->open = app_window_open(&s->w, &s->options);
    SDL_WarpMouseGlobal(0, 0); /* the server's own pointer hovers nowhere */
    if (!s->open)
        fprintf(stderr, "%s\n", s->w.error.message);
    return s->open;
}

int screen_finish(struct screen *s)
{
    struct app_window *w = &s->w;
    bool messages = w->engine.context && segman_context_validation_messages(w->engine.context) > 0;
    app_window_close(w);
    app_options_finish(&s->options);
    free(s->pixels);
    return messages ? 100 : w->exit_code;
}

static double now(void)
{
    return (double)g_get_monotonic_time() / 1e6;
}

static bool one_round(struct screen *s)
{
    if (s->open)
        s->open = app_window_round(&s->w);
    return s->open;
}

bool screen_until(struct screen *s, double seconds, bool (*condition)(const struct screen *s))
{
    double end = now() + seconds;
    while (!condition(s))
        if (!one_round(s))
            return condition(s);
        else if (now() > end)
            return false;
    return true;
}

void screen_run(struct screen *s, double seconds)
{
    double end = now() + seconds;
    while (now() < end && one_round(s))
        ;
}

static bool settled(const struct screen *s)
{
    return s->w.shown.valid && !s->w.changed && s->w.drawn;
}

bool screen_settle(struct screen *s)
{
    SDL_PumpEvents();
    for (int i = 0; i < 3; i++)
        one_round(s);
    if (s->w.hover_on && !s->hovering) {
        s->w.hover_on = false;
        s->w.changed = true;
    }
    return screen_until(s, 60, settled) && segman_presenter_ready(s->w.presenter);
}

/* ---- events ------------------------------------------------------------------------------------------ */

void screen_type(struct screen *s, const char *text)
{
    SDL_Event down = {.key = {.type = SDL_KEYDOWN, .state = SDL_PRESSED}}, event = {.text = {.type = SDL_TEXTINPUT}};
    snprintf(event.text.text, sizeof(event.text.text), "%s", text);
    SDL_PushEvent(&down);
    SDL_PushEvent(&event);
    one_round(s);
}

void screen_key(struct screen *s, SDL_Keycode key)
{
    SDL_Event event = {.key = {.type = SDL_KEYDOWN, .state = SDL_PRESSED, .keysym = {.sym = key}}};
    SDL_PushEvent(&event);
    one_round(s);
}

void screen_motion(struct screen *s, int x, int y)
{
    SDL_Event event = {.motion = {.type = SDL_MOUSEMOTION, .x = x, .y = y}};
    SDL_PushEvent(&event);
    s->hovering = true;
    one_round(s);
}

void screen_click(struct screen *s, int x, int y, int clicks)
{
    SDL_Event event = {.button = {.type = SDL_MOUSEBUTTONDOWN, .button = SDL_BUTTON_LEFT, .clicks = (Uint8)clicks, .x = x, .y = y}};
    SDL_PushEvent(&event);
    one_round(s);
}

void screen_manage(struct screen *s, int own_width, int own_height)
{
    SDL_SysWMinfo info;
    int width, height;
    SDL_VERSION(&info.version);
    SDL_GetWindowSize(s->w.display.window, &width, &height);
    if (!app_display_fullscreen(&s->w.display))
        SDL_SetWindowSize(s->w.display.window, own_width, own_height);
    else if (SDL_GetWindowWMInfo(s->w.display.window, &info))
        XMoveResizeWindow(info.info.x11.display, info.info.x11.window, 0, 0, (unsigned)width, (unsigned)height);
    screen_run(s, 0.2);
}

/* ---- pixels ------------------------------------------------------------------------------------------ */

static void take(struct screen *s, XImage *image)
{
    free(s->pixels);
    s->width = (uint32_t)image->width;
    s->height = (uint32_t)image->height;
    s->pixels = malloc((size_t)s->width * s->height * 4);
    for (uint32_t y = 0; y < s->height; y++)
        for (uint32_t x = 0; x < s->width; x++) {
            unsigned long p = XGetPixel(image, (int)x, (int)y);
            s->pixels[y * s->width + x] = (uint32_t)((p >> 16 & 255) | (p & 0xff00) | (p & 255) << 16);
        }
}

bool screen_grab(struct screen *s)
{
    SDL_SysWMinfo info;
    XWindowAttributes attributes;
    if (!screen_settle(s))
        return false;
    g_usleep(100000); /* the X server draws by itself */
    SDL_VERSION(&info.version);
    if (!SDL_GetWindowWMInfo(s->w.display.window, &info))
        return false;
    XSync(info.info.x11.display, False);
    if (!XGetWindowAttributes(info.info.x11.display, info.info.x11.window, &attributes))
        return false;
    XImage *image = XGetImage(info.info.x11.display, info.info.x11.window, 0, 0, (unsigned)attributes.width, (unsigned)attributes.height,
                              AllPlanes, ZPixmap);
    if (!image)
        return false;
    take(s, image);
    XDestroyImage(image);
    return true;
}

void screen_save(const struct screen *s, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return;
    fprintf(file, "P6 %u %u 255\n", s->width, s->height);
    for (uint32_t i = 0; i < s->width * s->height; i++)
        fwrite(&s->pixels[i], 3, 1, file);
    fclose(file);
}

uint32_t screen_differs(const struct screen *s, const uint32_t *other, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    uint32_t n = 0;
    for (uint32_t j = y; j < y + height && j < s->height; j++)
        for (uint32_t i = x; i < x + width && i < s->width; i++)
            n += (s->pixels[j * s->width + i] ^ other[j * s->width + i]) != 0;
    return n;
}

uint32_t *screen_copy(const struct screen *s)
{
    uint32_t *copy = malloc((size_t)s->width * s->height * 4);
    memcpy(copy, s->pixels, (size_t)s->width * s->height * 4);
    return copy;
}

/* ---- the program ------------------------------------------------------------------------------------- */

char *screen_program(const char *const *arguments, const char *const *settings, bool display, int *code)
{
    g_auto(GStrv) env = g_get_environ();
    char *argv[16] = {(char *)screen_segman}, *text = NULL;
    int status = 0;
    for (int i = 1; *arguments && i < 15; i++)
        argv[i] = (char *)*arguments++;
    for (; settings && settings[0]; settings += 2)
        env = g_environ_setenv(env, settings[0], settings[1], true);
    if (!display) {
        env = g_environ_unsetenv(env, "DISPLAY");
        env = g_environ_unsetenv(env, "WAYLAND_DISPLAY");
    }
    if (!g_spawn_sync(NULL, argv, env, 0, NULL, NULL, NULL, &text, &status, NULL))
        return g_strdup("");
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return text;
}
