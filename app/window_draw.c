/* SPDX-License-Identifier: Apache-2.0 */
/* What lies over the picture, and the drawing of both. */
#include "window.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define MESSAGE_TIME (2 * G_USEC_PER_SEC)
#define REFRESH      (G_USEC_PER_SEC / 4) /* of figures while nothing else changes */

static const char *view_name(enum segman_view view)
{
    static const char *const names[] = {"none", "overlay", "mask", "side by side", "source", "confidence"};

    return names[view];
}

struct segman_present window_present(const struct app_window *w)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);

    return (struct segman_present){
        .empty = !w->shown.valid,
        .picture = w->picture,
        .labels = w->shown.result.slot,
        .view = w->view,
        .style = &w->style,
        .par_num = info->par_num,
        .par_den = info->par_den,
    };
}

/* ---- classes ----------------------------------------------------------------------------------------- */

const char *window_class_name(const struct app_window *w, uint32_t label)
{
    return label < w->engine.look.classes ? w->engine.look.names[label] : "no class";
}

bool window_class_at(const struct app_window *w, int32_t x, int32_t y, uint32_t *label, double *confidence)
{
    const struct segman_result *result = &w->shown.result;
    struct segman_present what = window_present(w);
    uint32_t column, row;

    if (!w->shown.valid || !segman_presenter_locate(w->presenter, &what, x, y, &column, &row))
        return false;
    size_t at = (size_t)row * result->labels_stride + column;
    *label = result->labels[at];
    *confidence = result->confidence ? result->confidence[at] / 255.0 : 0;
    return true;
}

/* ---- texts ------------------------------------------------------------------------------------------- */

static double font(const struct app_window *w)
{
    struct segman_presenter_info info;
    double scale = app_display_scale(&w->display);

    segman_presenter_info(w->presenter, &info);
    return round(CLAMP(info.height / 36.0, 11 * scale, 20 * scale));
}

void window_say(struct app_window *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *plain = g_strdup_vprintf(format, args);
    g_autofree char *valid = g_utf8_make_valid(plain, -1);
    g_autofree char *markup = g_markup_escape_text(valid, -1);
    va_end(args);

    app_text_set(&w->message, markup, font(w), NULL);
    w->message_until = g_get_monotonic_time() + MESSAGE_TIME;
    w->changed = true;
}

static bool set(struct app_window *w, uint32_t index, const struct segman_overlay *overlay)
{
    w->changed = true;
    return segman_presenter_set_overlay(w->presenter, index, overlay, &w->error);
}

static bool update_osd(struct app_window *w, int64_t now)
{
    const struct pipe_source_info *source = pipe_source_info(w->source);
    struct segman_presenter_info presenter;
    struct segman_overlay overlay;

    segman_presenter_info(w->presenter, &presenter);
    w->osd.blend_ms = presenter.gpu_ms;
    struct app_osd_params params = {
        .level = w->osd_level,
        .model = w->engine.name,
        .device = segman_context_device(w->engine.context)->name,
        .precision = app_precision_name(segman_session_precision(w->session)),
        .view = view_name(w->view),
        .width = w->format.width,
        .height = w->format.height,
        .net_width = w->params.net_width,
        .net_height = w->params.net_height,
        .position_ns = w->shown.valid ? w->shown.ticket.pts_ns : 0,
        .duration_ns = source->duration_ns,
        .paused = w->paused,
        .live = source->kind == PIPE_KIND_LIVE,
        .presenter = &presenter,
    };
    int32_t margin = (int32_t)font(w) / 2;
    if (!app_text_set(&w->osd_text, app_osd_write(&w->osd, &params, now, false), font(w), NULL))
        return true;
    overlay = app_text_overlay(&w->osd_text, margin, margin);
    return set(w, WINDOW_OSD, &overlay);
}

/* A live input that is gone keeps its last picture; the window says so, and how often it was tried, each second. */
static void tell_loss(struct app_window *w, int64_t now)
{
    struct pipe_live_state state;

    if (now - w->loss_told < G_USEC_PER_SEC || !pipe_source_live_state(w->source, &state) || !state.lost)
        return;
    w->loss_told = now;
    window_say(w, "%s lost, retrying (%u): %s", state.camera_id[0] ? "camera" : "stream", state.tries, state.reason);
}

static bool update_message(struct app_window *w, int64_t now)
{
    struct segman_presenter_info info;
    struct segman_overlay overlay;

    if (!w->message_until)
        return true;
    if (now >= w->message_until) {
        app_text_set(&w->message, NULL, font(w), NULL);
        w->message_until = 0;
    }
    segman_presenter_info(w->presenter, &info);
    int32_t margin = (int32_t)font(w) / 2;
    overlay = app_text_overlay(&w->message, margin, (int32_t)info.height - (int32_t)w->message.height - margin);
    return segman_presenter_set_overlay(w->presenter, WINDOW_MESSAGE, &overlay, &w->error);
}

static bool update_help(struct app_window *w)
{
    struct segman_presenter_info info;
    struct segman_overlay overlay;

    if (!app_text_set(&w->help, w->help_on ? app_osd_keys() : NULL, font(w), NULL))
        return true;
    segman_presenter_info(w->presenter, &info);
    overlay = app_text_overlay(&w->help, ((int32_t)info.width - (int32_t)w->help.width) / 2,
                               MAX(((int32_t)info.height - (int32_t)w->help.height) / 2, 0));
    return set(w, WINDOW_HELP, &overlay);
}

/* Beside the pointer, on the side where there is room. */
static bool place_hover(struct app_window *w)
{
    struct segman_presenter_info info;
    int32_t gap = (int32_t)font(w), x = w->mouse_x + gap, y = w->mouse_y + gap;

    segman_presenter_info(w->presenter, &info);
    if (x + (int32_t)w->hover.width > (int32_t)info.width)
        x = MAX(w->mouse_x - gap / 2 - (int32_t)w->hover.width, 0);
    if (y + (int32_t)w->hover.height > (int32_t)info.height)
        y = MAX(w->mouse_y - gap / 2 - (int32_t)w->hover.height, 0);
    struct segman_overlay overlay = app_text_overlay(&w->hover, x, y);
    return segman_presenter_set_overlay(w->presenter, WINDOW_HOVER, &overlay, &w->error);
}

static bool update_hover(struct app_window *w)
{
    uint32_t label = 0;
    double sure = 0;
    bool over = w->hover_on && window_class_at(w, w->mouse_x, w->mouse_y, &label, &sure);
    g_autofree char *markup = NULL;

    if (!over && !w->hover.width)
        return true;
    if (over) {
        g_autofree char *name = g_markup_escape_text(window_class_name(w, label), -1);
        markup = g_strdup_printf("%s  %.0f %%", name, sure * 100);
    }
    app_text_set(&w->hover, markup, font(w), over ? w->style.palette[label] : NULL);
    return place_hover(w);
}

static bool remake_legend(struct app_window *w, const struct segman_presenter_info *info)
{
    struct app_legend_params params = {.look = &w->engine.look, .width = info->width, .height = info->height, .moving = !w->still};

    app_legend_destroy(w->legend);
    w->legend = info->width ? app_legend_create(&params) : NULL;
    w->legend_frame = UINT64_MAX;
    return true;
}

static bool update_legend(struct app_window *w)
{
    struct segman_overlay overlay = {0};
    struct segman_presenter_info info;
    bool on = w->legend_on && w->legend && w->shown.valid;

    if (on) {
        if (w->legend_frame == w->shown.result.user || !app_legend_update(w->legend, w->shown.counts))
            return true;
        w->legend_frame = w->shown.result.user;
        segman_presenter_info(w->presenter, &info);
        overlay = app_legend_draw(w->legend);
        overlay.x = (int32_t)info.width - (int32_t)overlay.width - overlay.y;
    } else if (w->legend && w->legend_frame != UINT64_MAX) {
        remake_legend(w, (segman_presenter_info(w->presenter, &info), &info));
    } else {
        return true;
    }
    return set(w, WINDOW_LEGEND, &overlay);
}

static void place_anew(struct app_window *w, const struct segman_presenter_info *info)
{
    w->width = info->width;
    w->height = info->height;
    remake_legend(w, info);
    w->osd.written = 0;
    app_text_set(&w->osd_text, NULL, 1, NULL);
    app_text_set(&w->help, NULL, 1, NULL);
    w->changed = true;
}

bool window_resize(struct app_window *w)
{
    struct segman_presenter_info info;
    uint32_t width, height;

    app_display_size(&w->display, &width, &height);
    w->minimised = !width || !height;
    if (!segman_presenter_resize(w->presenter, width, height, &w->error))
        return app_window_fail(w, APP_EXIT_PARTIAL);
    segman_presenter_info(w->presenter, &info);
    place_anew(w, &info);
    return true;
}

/* ---- drawing ----------------------------------------------------------------------------------------- */

static bool update_overlays(struct app_window *w, int64_t now)
{
    tell_loss(w, now);
    return update_osd(w, now) && update_legend(w) && update_message(w, now) && update_help(w) && update_hover(w);
}

static void note_shown(struct app_window *w, int64_t start)
{
    int64_t now = g_get_monotonic_time();
    struct segman_presenter_info info;

    app_osd_note(&w->osd.present_ms, (double)(now - start) / 1e3);
    w->drawn = now;
    w->changed = false;
    segman_presenter_info(w->presenter, &info);
    if (info.width != w->width || info.height != w->height)
        place_anew(w, &info);
    if (!w->shown.valid || w->shown.ticket.arrived < 0)
        return;
    if (!w->paused)
        app_osd_note(&w->osd.glass_ms, (double)(now - w->shown.ticket.arrived) / 1e3);
    app_rate_event(&w->osd.shown, now);
    w->shown.ticket.arrived = -1; /* counted once */
}

bool window_draw(struct app_window *w)
{
    int64_t start = g_get_monotonic_time();
    struct segman_present what = window_present(w);

    if (w->minimised || !window_may_draw(w))
        return true;
    if (!w->changed && start - w->drawn < REFRESH && !(w->message_until && start >= w->message_until))
        return true;
    if (!segman_presenter_ready(w->presenter))
        return true;
    if (!update_overlays(w, start))
        return app_window_fail(w, APP_EXIT_PARTIAL);
    switch (segman_presenter_draw(w->presenter, &what, &w->error)) {
    case SEGMAN_PRESENT_FAILED:
        return app_window_fail(w, APP_EXIT_PARTIAL);
    case SEGMAN_PRESENT_DONE:
        note_shown(w, start);
        return true;
    default:
        return true;
    }
}
