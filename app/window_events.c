/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, mouse and window. Characters come as text, so that ? + and - are found on every keyboard layout; the other keys by
 * their names.
 */
#include "window.h"

#include <string.h>

#define SECOND_NS 1000000000ll

void window_wake(void *window)
{
    app_display_wake(&((struct app_window *)window)->display);
}

/* ---- what keys do ------------------------------------------------------------------------------------ */

static void quit(struct app_window *w)
{
    w->quit = true;
}

static void toggle_pause(struct app_window *w)
{
    window_pause(w, !w->paused);
}

static void step_back(struct app_window *w)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);
    int64_t frame = info->fps_num ? (int64_t)(1e9 * info->fps_den / info->fps_num) : 40000000;

    if (!w->paused)
        window_pause(w, true);
    window_seek(w, -frame);
}

static void fullscreen(struct app_window *w)
{
    app_display_set_fullscreen(&w->display, !app_display_fullscreen(&w->display));
}

static void next_view(struct app_window *w)
{
    static const char *const names[] = {"overlay", "mask", "side by side", "source"};
    int next = w->view >= SEGMAN_VIEW_SOURCE ? SEGMAN_VIEW_OVERLAY : (int)w->view + 1;

    w->view = (enum segman_view)next;
    window_say(w, "view: %s", names[next - SEGMAN_VIEW_OVERLAY]);
}

static void confidence(struct app_window *w)
{
    if (w->view == SEGMAN_VIEW_CONFIDENCE) {
        w->view = w->view_before;
        window_say(w, "confidence off");
    } else {
        w->view_before = w->view;
        w->view = SEGMAN_VIEW_CONFIDENCE;
        window_say(w, "confidence: dark is unsure, bright is sure");
    }
}

static void opacity(struct app_window *w, float by)
{
    w->style.opacity = CLAMP(w->style.opacity + by, 0, 1);
    segman_session_set_style(w->session, &w->style);
    window_say(w, "opacity %.0f %%", (double)w->style.opacity * 100);
}

static void opacity_up(struct app_window *w)
{
    opacity(w, 0.1f);
}

static void opacity_down(struct app_window *w)
{
    opacity(w, -0.1f);
}

static void legend(struct app_window *w)
{
    w->legend_on = !w->legend_on;
}

static void help(struct app_window *w)
{
    w->help_on = !w->help_on;
}

static void statistics(struct app_window *w)
{
    w->osd_level = w->osd_level == APP_OSD_ALL ? APP_OSD_NONE : APP_OSD_ALL;
    w->osd.written = 0;
}

static void display_line(struct app_window *w)
{
    w->osd_level = w->osd_level == APP_OSD_NONE ? APP_OSD_LINE : APP_OSD_NONE;
    w->osd.written = 0;
}

static const struct {
    char character;
    bool repeats; /* while it is held down */
    void (*act)(struct app_window *w);
} keys[] = {
    {'q', false, quit},
    {' ', false, toggle_pause},
    {'p', false, toggle_pause},
    {'.', true, window_step},
    {',', true, step_back},
    {'f', false, fullscreen},
    {'s', false, window_screenshot},
    {'i', false, statistics},
    {'O', false, display_line},
    {'o', false, display_line},
    {'?', false, help},
    {'m', false, next_view},
    {'+', true, opacity_up},
    {'=', true, opacity_up},
    {'-', true, opacity_down},
    {'l', false, legend},
    {'c', false, confidence},
};

static void on_character(struct app_window *w, const char *text, bool repeated)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (text[0] == keys[i].character && !text[1] && (!repeated || keys[i].repeats)) {
            keys[i].act(w);
            w->changed = true;
        }
    }
}

static void on_key(struct app_window *w, SDL_Keycode key)
{
    switch (key) {
    case SDLK_LEFT:
        window_seek(w, -5 * SECOND_NS);
        break;
    case SDLK_RIGHT:
        window_seek(w, 5 * SECOND_NS);
        break;
    case SDLK_UP:
        window_seek(w, 60 * SECOND_NS);
        break;
    case SDLK_DOWN:
        window_seek(w, -60 * SECOND_NS);
        break;
    case SDLK_ESCAPE:
        app_display_set_fullscreen(&w->display, false);
        break;
    default:
        break;
    }
}

/* ---- mouse ------------------------------------------------------------------------------------------- */

static void move_mouse(struct app_window *w, int x, int y)
{
    double scale = app_display_scale(&w->display);

    w->mouse_x = (int32_t)((x + 0.5) * scale);
    w->mouse_y = (int32_t)((y + 0.5) * scale);
}

static void on_motion(struct app_window *w, const SDL_MouseMotionEvent *motion)
{
    move_mouse(w, motion->x, motion->y);
    w->hover_on = true;
    w->changed = true;
}

static void on_click(struct app_window *w, const SDL_MouseButtonEvent *button)
{
    uint32_t label;
    double sure;

    if (button->button != SDL_BUTTON_LEFT)
        return;
    move_mouse(w, button->x, button->y);
    if (button->clicks == 2)
        fullscreen(w);
    else if (window_class_at(w, w->mouse_x, w->mouse_y, &label, &sure))
        window_say(w, "%s, %.0f %%", window_class_name(w, label), sure * 100);
}

/* ---- the window -------------------------------------------------------------------------------------- */

static void on_window(struct app_window *w, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_CLOSE:
        w->quit = true;
        break;
    case SDL_WINDOWEVENT_LEAVE:
        w->hover_on = false;
        break;
    case SDL_WINDOWEVENT_SIZE_CHANGED:
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_MAXIMIZED:
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_HIDDEN:
    case SDL_WINDOWEVENT_SHOWN:
        window_resize(w);
        break;
    default: /* exposed, moved to another display, ... */
        break;
    }
    w->changed = true;
}

static void on_event(struct app_window *w, const SDL_Event *event, bool *repeated)
{
    switch (event->type) {
    case SDL_QUIT:
        w->quit = true;
        break;
    case SDL_KEYDOWN:
        *repeated = event->key.repeat != 0;
        on_key(w, event->key.keysym.sym);
        break;
    case SDL_TEXTINPUT:
        on_character(w, event->text.text, *repeated);
        break;
    case SDL_MOUSEMOTION:
        on_motion(w, &event->motion);
        break;
    case SDL_MOUSEBUTTONDOWN:
        on_click(w, &event->button);
        break;
    case SDL_WINDOWEVENT:
        on_window(w, &event->window);
        break;
    default:
        if (event->type == w->display.wake)
            SDL_AtomicSet(&w->display.waking, 0);
        break;
    }
}

void window_events(struct app_window *w, int wait_ms)
{
    bool repeated = false;
    SDL_Event event;
    int got = wait_ms > 0 ? SDL_WaitEventTimeout(&event, wait_ms) : SDL_PollEvent(&event);

    for (; got; got = SDL_PollEvent(&event))
        on_event(w, &event, &repeated);
}
