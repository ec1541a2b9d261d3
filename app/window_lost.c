/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU that stops responding is set up again, once: device, model, session and swapchain. What the window is stays. */
#include "window.h"

/* In a pause no frame comes by itself: the one that was seen is brought back, or the next one where there is no way back. */
static void bring_back(struct app_window *w, const struct window_frame *shown)
{
    if (w->has_kept && !w->has_held) {
        w->held = w->kept;
        w->has_held = true;
        w->has_kept = false;
    }
    if (!w->paused || !shown->valid)
        return;
    if (window_can_seek(w))
        window_seek_to(w, shown->ticket.pts_ns);
    else
        w->steps = 1;
}

static void close_device(struct app_window *w)
{
    segman_presenter_destroy(w->presenter);
    segman_session_destroy(w->session);
    w->presenter = NULL;
    w->session = NULL;
}

bool window_recover(struct app_window *w)
{
    struct window_frame shown = w->shown;

    if (!w->failed || !app_engine_lost(&w->engine, &w->error))
        return false;
    w->failed = w->quit = false;
    w->exit_code = APP_EXIT_DONE;
    close_device(w);
    if (!app_engine_renew(&w->engine, w->options, &w->display.surface, &w->error) || !window_session(w, &w->format) ||
        !app_window_present(w))
        return app_window_fail(w, APP_EXIT_PARTIAL);
    bring_back(w, &shown);
    window_say(w, "the GPU stopped responding and was set up again");
    return true;
}
