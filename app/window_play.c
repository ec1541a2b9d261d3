/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on their way through a window: from the reader into the session, and out of it when their time has come. */
#include "window.h"

#include "log.h"
#include "patience.h"

#include <string.h>

#define LEAST_PATIENCE 200000 /* microseconds: something is submitted this often at least, late or not */
#define CALM           0.1

/* ---- the session ------------------------------------------------------------------------------------- */

static bool same_format(const struct segman_frame_format *a, const struct segman_frame_format *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height && a->matrix == b->matrix && a->range == b->range &&
           a->site == b->site;
}

bool window_session(struct app_window *w, const struct segman_frame_format *format)
{
    struct segman_error ignored;

    if (w->presenter)
        segman_presenter_attach(w->presenter, NULL, &ignored);
    segman_session_destroy(w->session);
    w->session = NULL;
    w->shown.valid = w->ready.valid = false;
    w->format = w->view_format = *format;
    if (w->options->record && w->options->view + SEGMAN_VIEW_OVERLAY == SEGMAN_VIEW_SIDE_BY_SIDE)
        w->view_format.width *= 2;
    w->params = (struct segman_session_params){
        .frame = *format,
        .view = w->options->record ? SEGMAN_VIEW_OVERLAY + (enum segman_view)w->options->view : SEGMAN_VIEW_NONE,
        .view_format = format->format,
        .slots = WINDOW_SLOTS,
        .confidence = true,
        .present = true,
    };
    if (!w->still && pipe_source_info(w->source)->kind != PIPE_KIND_IMAGES)
        app_engine_temporal(w->options, &w->params);
    w->session = app_engine_session(&w->engine, w->options, &w->params, &w->error);
    if (!w->session || (w->presenter && !segman_presenter_attach(w->presenter, w->session, &w->error)))
        return app_window_fail(w, APP_EXIT_INIT);
    segman_session_set_style(w->session, &w->style);
    return true;
}

bool window_in_flight(const struct app_window *w)
{
    return w->session && segman_session_in_flight(w->session) > 0;
}

bool window_may_draw(const struct app_window *w)
{
    return !w->blocking || !window_in_flight(w);
}

/* ---- time -------------------------------------------------------------------------------------------- */

static int64_t clock_pts(const struct app_window *w, int64_t now)
{
    return w->clock.zero_pts + (now - w->clock.zero) * 1000;
}

static void set_clock(struct app_window *w, int64_t pts_ns, int64_t now)
{
    w->clock = (struct window_clock){.running = true, .zero = now, .zero_pts = pts_ns};
}

static int64_t frame_ns(const struct app_window *w)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);

    if (w->shown.valid && w->shown.ticket.duration_ns > 0)
        return w->shown.ticket.duration_ns;
    return info->fps_num ? (int64_t)(1e9 * info->fps_den / info->fps_num) : 40000000;
}

/* ---- in ---------------------------------------------------------------------------------------------- */

static void release_held(struct app_window *w)
{
    if (w->has_held)
        pipe_frame_release(&w->held.frame);
    w->has_held = false;
}

/* A still has no other frame, should the device be lost. */
static void keep_held(struct app_window *w)
{
    w->kept = w->held;
    w->has_kept = true;
    w->has_held = false;
}

static uint32_t in_use(const struct app_window *w)
{
    return segman_session_in_flight(w->session) + w->shown.valid + w->ready.valid;
}

static bool may_feed(const struct app_window *w)
{
    uint32_t flying = segman_session_in_flight(w->session);

    if (w->fed_all || flying >= (w->latest || w->blocking ? 1 : WINDOW_FLIGHT) || in_use(w) >= WINDOW_SLOTS)
        return false;
    return !w->paused || w->steps > flying + w->ready.valid;
}

/* A frame that would be finished after its time makes room for a later one, unless all of them are to be written. */
static bool too_late(struct app_window *w, int64_t now)
{
    double lead_ms = w->latest ? 0 : w->lead_ms; /* the newest picture is shown before the network has run */
    int64_t target = clock_pts(w, now) + (int64_t)(lead_ms * 1e6) - frame_ns(w) / 2;
    int64_t patience = MAX(LEAST_PATIENCE, (int64_t)(2e3 * w->lead_ms));

    if (!w->timed || w->record || w->paused || !w->clock.running || w->held.era != w->era)
        return false;
    if (w->held.frame.pts_ns >= target || now - w->fed > patience)
        return false;
    app_reader_skip(w->reader, target);
    return true;
}

static void copy_planes(const struct segman_planes *to, const struct pipe_frame *from)
{
    for (int i = 0; i < 3 && to->plane[i]; i++) {
        for (uint32_t y = 0; y < to->rows[i]; y++)
            memcpy(to->plane[i] + (size_t)y * to->stride[i], from->plane[i] + (size_t)y * from->stride[i], to->bytes[i]);
    }
}

/* With --sync latest the picture is drawn at its time, ahead of the network, with the labels that there are. */
static bool too_early(const struct app_window *w, int64_t now)
{
    return w->latest && w->timed && !w->paused && w->clock.running && w->held.era == w->era && w->held.frame.pts_ns > clock_pts(w, now);
}

static bool preview(struct app_window *w)
{
    int64_t now = g_get_monotonic_time();

    if (!w->latest || !w->shown.valid)
        return true;
    if (!segman_session_preview(w->session, &w->picture, &w->error))
        return false;
    if (!w->clock.running || w->held.era != w->era)
        set_clock(w, w->held.frame.pts_ns, now);
    w->clock.running = !w->paused;
    w->changed = true;
    return window_draw(w);
}

static bool submit(struct app_window *w)
{
    int64_t start = g_get_monotonic_time();
    const struct pipe_frame *frame = &w->held.frame;
    struct window_ticket *ticket = &w->tickets[w->submitted % WINDOW_SLOTS];
    struct segman_planes planes;

    if (!segman_session_begin(w->session, &planes, &w->error))
        return false;
    copy_planes(&planes, frame);
    app_osd_note(&w->osd.upload_ms, (double)(g_get_monotonic_time() - start) / 1e3);
    *ticket = (struct window_ticket){.index = frame->index,
                                     .pts_ns = frame->pts_ns,
                                     .duration_ns = frame->duration_ns,
                                     .arrived = w->held.arrived,
                                     .submitted = g_get_monotonic_time(),
                                     .era = w->held.era};
    g_strlcpy(ticket->name, frame->name, sizeof ticket->name);
    if (w->era != w->held.era)
        segman_session_reset_history(w->session); /* sought, or begun again */
    if (!preview(w) || !segman_session_submit(w->session, w->submitted, &w->error))
        return false;
    w->fed = g_get_monotonic_time();
    w->era = w->held.era;
    if (!w->submitted++)
        app_patience_begin(w->options);
    w->fed_all = w->options->frames && w->submitted >= w->options->frames;
    return true;
}

static void note_captures(struct app_window *w)
{
    struct app_reader_figures figures;
    int64_t now = g_get_monotonic_time();

    app_reader_figures(w->reader, &figures);
    for (; w->osd.captures < figures.read; w->osd.captures++)
        app_rate_event(&w->osd.captured, now);
    w->osd.read_ms = figures.read_ms;
    w->osd.dropped = figures.skipped;
}

/* 1: a frame was submitted, 0: nothing to do now, -1: failed. */
static int feed_one(struct app_window *w)
{
    if (!may_feed(w))
        return 0;
    while (!w->has_held) {
        if (!app_reader_take(w->reader, &w->held))
            return 0;
        w->has_held = true;
        if (w->held.era < w->oldest_era || too_late(w, g_get_monotonic_time()))
            release_held(w);
    }
    if (!same_format(&w->held.frame.format, &w->format)) {
        if (segman_session_in_flight(w->session) || w->ready.valid)
            return 0; /* first those of the old format */
        app_log(SEGMAN_LOG_INFO, "frames are %ux%u from now on", w->held.frame.format.width, w->held.frame.format.height);
        if (!window_session(w, &w->held.frame.format))
            return -1;
    }
    if (too_early(w, g_get_monotonic_time()))
        return 0;
    bool good = submit(w);
    if (good && w->still)
        keep_held(w);
    else
        release_held(w);
    return good ? 1 : -1;
}

/* ---- out --------------------------------------------------------------------------------------------- */

/* Waits for the oldest frame, for a moment at most. */
static bool collect(struct app_window *w, uint64_t wait_ns)
{
    struct window_frame *f = &w->ready;
    struct segman_error error;
    int64_t now;

    if (f->valid || !segman_session_in_flight(w->session))
        return true;
    if (!segman_session_wait(w->session, wait_ns, &f->result, &error)) {
        if (error.status == SEGMAN_ERROR_TIMEOUT)
            return true;
        app_patience_end();
        w->error = error;
        return false;
    }
    app_patience_end();
    now = g_get_monotonic_time();
    f->valid = true;
    f->ticket = w->tickets[f->result.user % WINDOW_SLOTS];
    app_stats_count(f->result.labels, w->format.width, w->format.height, f->result.labels_stride, f->counts);
    app_osd_note(&w->osd.network_ms, f->result.gpu_ms > 0 ? f->result.gpu_ms : (double)(now - f->ticket.submitted) / 1e3);
    w->lead_ms += (w->lead_ms > 0 ? CALM : 1) * ((double)(now - f->ticket.submitted) / 1e3 - w->lead_ms);
    app_rate_event(&w->osd.finished, now);
    w->osd.still += f->result.skipped;
    w->finished++;
    return !w->record || window_record(w, f);
}

static bool is_due(const struct app_window *w, int64_t now)
{
    const struct window_ticket *next = &w->ready.ticket, *last = &w->shown.ticket;

    if (next->era < w->oldest_era || !w->shown.valid || (w->latest && !w->paused))
        return true;
    if (w->paused)
        return w->steps > 0;
    if (!w->timed || !w->clock.running)
        return true;
    if (next->era != last->era) /* begun again: the last one has its time */
        return clock_pts(w, now) >= last->pts_ns + frame_ns(w);
    return clock_pts(w, now) >= next->pts_ns;
}

static void show(struct app_window *w, int64_t now)
{
    bool stale = w->ready.ticket.era < w->oldest_era, again = w->shown.valid && w->ready.ticket.era != w->shown.ticket.era;

    if (!w->ready.valid || !is_due(w, now))
        return;
    if (w->shown.valid)
        segman_session_release(w->session);
    w->shown = w->ready;
    w->ready.valid = false;
    w->picture = w->shown.result.slot; /* nothing newer is in flight: with --sync latest there is one at a time */
    w->changed = true;
    if (stale)
        return;
    if (w->paused && w->steps)
        w->steps--;
    if (w->latest && w->clock.running)
        return; /* it runs by the pictures */
    /* A frame that is much too late moves the clock: time does not run away from a slow network that writes every frame. */
    if (!w->clock.running || again || w->paused || clock_pts(w, now) - w->shown.ticket.pts_ns > 2000000000)
        set_clock(w, w->shown.ticket.pts_ns, now);
    w->clock.running = !w->paused;
}

/* ---- the end ----------------------------------------------------------------------------------------- */

static void check_end(struct app_window *w, int64_t now)
{
    enum pipe_status status = w->fed_all ? PIPE_END : app_reader_ended(w->reader, &w->error);

    if (status == PIPE_FRAME || w->has_held || w->ready.valid || segman_session_in_flight(w->session))
        return;
    w->ended = true;
    if (status == PIPE_ERROR) {
        app_log(SEGMAN_LOG_ERROR, "%s", w->error.message);
        w->exit_code = w->finished ? APP_EXIT_PARTIAL : APP_EXIT_INPUT;
        w->quit = true;
    } else if (!w->finished) {
        segman_fail(&w->error, SEGMAN_ERROR_FORMAT, "%s has no frame that could be decoded", w->input);
        app_window_fail(w, APP_EXIT_INPUT);
    } else if (w->fed_all || status == PIPE_STOPPED) {
        w->quit = true;
    } else if (!w->still && !w->paused && clock_pts(w, now) >= w->shown.ticket.pts_ns + frame_ns(w)) {
        w->quit = true; /* the last frame had its time */
    }
}

bool window_play(struct app_window *w)
{
    bool idle = (!w->changed || !window_may_draw(w)) && !w->ready.valid;
    int fed;

    note_captures(w);
    do {
        fed = feed_one(w);
    } while (fed > 0);
    if (fed < 0 || !collect(w, idle ? 2000000 : 0))
        return w->failed ? false : app_window_fail(w, APP_EXIT_PARTIAL);
    if (w->ready.valid)
        show(w, g_get_monotonic_time());
    check_end(w, g_get_monotonic_time());
    return !w->failed;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

void window_pause(struct app_window *w, bool paused)
{
    w->paused = paused;
    w->steps = 0;
    w->clock.running = false; /* goes on from the next frame shown */
    w->osd.written = 0;
    w->changed = true;
}

void window_step(struct app_window *w)
{
    if (!w->paused)
        window_pause(w, true);
    w->steps++;
}

bool window_can_seek(const struct app_window *w)
{
    return !w->record && !w->still && pipe_source_info(w->source)->kind != PIPE_KIND_LIVE;
}

void window_seek_to(struct app_window *w, int64_t at)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);

    if (info->duration_ns > 0)
        at = MIN(at, MAX(info->duration_ns - frame_ns(w), 0));
    w->oldest_era = app_reader_seek(w->reader, MAX(at, 0));
    release_held(w);
    w->clock.running = false;
    w->ended = false;
    w->steps = w->paused ? 1 : 0;
}

void window_seek(struct app_window *w, int64_t by_ns)
{
    if (window_can_seek(w))
        window_seek_to(w, (w->shown.valid ? w->shown.ticket.pts_ns : 0) + by_ns);
    else
        window_say(w, w->record ? "no seeking while recording" : "this input cannot be sought");
}

void window_drop_all(struct app_window *w)
{
    release_held(w);
    if (w->has_kept)
        pipe_frame_release(&w->kept.frame);
    w->has_kept = false;
}
