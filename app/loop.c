/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "legend.h"
#include "log.h"
#include "patience.h"
#include "progress.h"
#include "signals.h"
#include "stats.h"

#include <string.h>

#define SLOTS       3 /* with one network at a time */
#define PARALLEL    2 /* networks at once for files: more finish no sooner than their decoder and encoder */
#define LIVE_FLIGHT 2 /* of a live source: a third one would only be older when it is done */

/* What a frame in flight carries beside its pixels. */
struct ticket {
    uint64_t index;
    int64_t pts_ns, duration_ns, captured_ns, submitted;
    char name[256];
};

struct app_loop {
    struct app_loop_params params;
    struct segman_session_params session_params;
    struct segman_session *session;
    struct segman_frame_format format, view;
    struct app_legend *legend;
    struct ticket tickets[SEGMAN_MAX_SLOTS];
    struct app_loop_report report;
    struct app_progress progress;
    uint64_t submitted; /* frames given to the session */
    uint32_t flight;    /* at most so many are with it at once */
    bool stills;        /* every frame stands for itself */
    enum segman_precision precision;
    bool live;
};

static double seconds_since(int64_t start)
{
    return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* ---- making and remaking the session ------------------------------------------------------------- */

static bool make_legend(struct app_loop *loop)
{
    bool beside = loop->params.view == SEGMAN_VIEW_SIDE_BY_SIDE;
    struct app_legend_params params = {
        .look = &loop->params.engine->look,
        .width = loop->view.width,
        .height = loop->view.height,
        .left = beside ? loop->view.width / 2 : 0,
        .moving = !loop->stills,
    };

    app_legend_destroy(loop->legend);
    loop->legend = app_legend_create(&params);
    return true;
}

static bool open_with(struct app_loop *loop, uint32_t parallel, struct segman_error *error)
{
    loop->session_params.parallel = parallel;
    loop->session_params.slots = MIN(MAX(2 * parallel, SLOTS), SEGMAN_MAX_SLOTS);
    loop->session = app_engine_session(loop->params.engine, loop->params.options, &loop->session_params, error);
    return loop->session != NULL;
}

/* Networks at once that nobody asked for are no reason to fail for want of memory. */
static bool open_session(struct app_loop *loop, struct segman_error *error)
{
    const uint64_t asked = loop->params.options->parallel;
    uint32_t parallel = (uint32_t)MIN(asked ? asked : loop->live ? 1 : PARALLEL, SEGMAN_MAX_SLOTS);

    if (open_with(loop, parallel, error))
        return true;
    return !asked && parallel > 1 && error->status == SEGMAN_ERROR_DEVICE_MEMORY && open_with(loop, 1, error);
}

static bool make_session(struct app_loop *loop, const struct segman_frame_format *format, struct segman_error *error)
{
    segman_session_destroy(loop->session);
    loop->format = loop->view = *format;
    if (loop->params.view == SEGMAN_VIEW_SIDE_BY_SIDE)
        loop->view.width *= 2;
    if (loop->params.rgb && format->format != SEGMAN_FORMAT_BGRX)
        loop->view.format = SEGMAN_FORMAT_RGBA;
    loop->session_params = (struct segman_session_params){
        .frame = *format,
        .view = loop->params.view,
        .view_format = loop->view.format,
        .taps = loop->params.taps,
        .n_taps = loop->params.n_taps,
    };
    if (!loop->stills)
        app_engine_temporal(loop->params.options, &loop->session_params);
    if (!open_session(loop, error))
        return false;
    loop->report.parallel = segman_session_parallel(loop->session);
    if (loop->params.options->parallel > loop->report.parallel)
        app_log(SEGMAN_LOG_INFO, "--parallel: %u at once here, with this device and these options", loop->report.parallel);
    loop->flight = loop->live ? LIVE_FLIGHT : loop->report.parallel > 1 ? loop->session_params.slots : SLOTS;
    loop->precision = segman_session_precision(loop->session);
    return !loop->params.legend || make_legend(loop);
}

/* The device was lost, and all that was in flight with it; the loop goes on with another one. */
static bool renew(struct app_loop *loop, struct segman_error *error)
{
    if (!loop->params.renew || error->status != SEGMAN_ERROR_DEVICE_LOST)
        return false;
    loop->report.lost += segman_session_in_flight(loop->session);
    segman_session_destroy(loop->session);
    loop->session = NULL;
    return loop->params.renew(loop->params.user, error) && make_session(loop, &loop->format, error);
}

static int64_t expected_frames(const struct app_loop *loop)
{
    int64_t total = pipe_source_info(loop->params.source)->frames;
    int64_t wanted = (int64_t)loop->params.options->frames;

    return wanted && (total < 0 || wanted < total) ? wanted : total;
}

struct app_loop *app_loop_create(const struct app_loop_params *params, struct segman_error *error)
{
    struct app_loop *loop = g_new0(struct app_loop, 1);
    const struct pipe_source_info *info = pipe_source_info(params->source);
    struct segman_error scratch;

    if (!error)
        error = &scratch;
    loop->params = *params;
    loop->params.legend = params->legend && params->view != SEGMAN_VIEW_NONE;
    loop->stills = info->kind == PIPE_KIND_IMAGE || info->kind == PIPE_KIND_IMAGES;
    loop->live = info->kind == PIPE_KIND_LIVE;
    loop->report.age_ms = g_array_new(FALSE, FALSE, sizeof(double));
    loop->report.gpu_ms = g_array_new(FALSE, FALSE, sizeof(double));
    loop->report.wall_ms = g_array_new(FALSE, FALSE, sizeof(double));
    if (make_session(loop, &info->format, error))
        return loop;
    app_loop_destroy(loop);
    return NULL;
}

void app_loop_destroy(struct app_loop *loop)
{
    if (!loop)
        return;
    segman_session_destroy(loop->session);
    app_legend_destroy(loop->legend);
    g_array_unref(loop->report.gpu_ms);
    g_array_unref(loop->report.wall_ms);
    g_array_unref(loop->report.age_ms);
    g_free(loop);
}

struct segman_frame_format app_loop_view_format(const struct app_loop *loop)
{
    return loop->view;
}

const struct segman_session_params *app_loop_session_params(const struct app_loop *loop)
{
    return &loop->session_params;
}

enum segman_precision app_loop_precision(const struct app_loop *loop)
{
    return loop->precision;
}

const struct app_loop_report *app_loop_report(const struct app_loop *loop)
{
    return &loop->report;
}

/* ---- a frame's way in ------------------------------------------------------------------------------ */

static void copy_planes(const struct segman_planes *to, const struct pipe_frame *from)
{
    for (int i = 0; i < 3 && to->plane[i]; i++) {
        for (uint32_t y = 0; y < to->rows[i]; y++)
            memcpy(to->plane[i] + (size_t)y * to->stride[i], from->plane[i] + (size_t)y * from->stride[i], to->bytes[i]);
    }
}

static bool submit(struct app_loop *loop, const struct pipe_frame *frame, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();
    struct ticket *ticket = &loop->tickets[loop->submitted % loop->session_params.slots];
    struct segman_planes planes;

    if (!segman_session_begin(loop->session, &planes, error))
        return false;
    copy_planes(&planes, frame);
    *ticket = (struct ticket){
        .index = frame->index, .pts_ns = frame->pts_ns, .duration_ns = frame->duration_ns, .captured_ns = frame->captured_ns};
    g_strlcpy(ticket->name, frame->name, sizeof ticket->name);
    ticket->submitted = g_get_monotonic_time();
    if (!segman_session_submit(loop->session, loop->submitted, error))
        return false;
    loop->submitted++;
    loop->report.upload += seconds_since(start);
    return true;
}

/* ---- and out --------------------------------------------------------------------------------------- */

static bool wait_oldest(struct app_loop *loop, struct segman_result *result, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();
    bool first = !loop->report.frames, good;

    if (first)
        app_patience_begin(loop->params.options);
    good = segman_session_wait(loop->session, UINT64_MAX, result, error);
    if (first)
        app_patience_end();
    loop->report.wait += seconds_since(start);
    return good;
}

static void count(const struct app_loop *loop, const struct segman_result *result, uint64_t counts[APP_LABELS])
{
    if (loop->params.count || loop->params.legend)
        app_stats_count(result->labels, loop->format.width, loop->format.height, result->labels_stride, counts);
}

/* Draws the legend anew when its content changed; frames submitted from now on show it. */
static bool refresh_legend(struct app_loop *loop, const uint64_t *counts, bool *changed, struct segman_error *error)
{
    struct segman_overlay overlay;

    *changed = loop->params.legend && app_legend_update(loop->legend, counts);
    if (!*changed)
        return true;
    overlay = app_legend_draw(loop->legend);
    return segman_session_set_overlay(loop->session, &overlay, error);
}

/* A live run may last for weeks: its figures are those of the latest frames. */
static void note(GArray *samples, uint64_t index, double value)
{
    if (samples->len < APP_LOOP_SAMPLES)
        g_array_append_val(samples, value);
    else
        g_array_index(samples, double, index % APP_LOOP_SAMPLES) = value;
}

static bool deliver(struct app_loop *loop, const struct segman_result *result, const uint64_t *counts, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();
    const struct ticket *ticket = &loop->tickets[result->user % loop->session_params.slots];
    double wall_ms = (double)(start - ticket->submitted) / 1e3, age_ms = (double)(start * 1000 - ticket->captured_ns) / 1e6;
    struct app_delivery delivery = {
        .result = result,
        .frame = loop->format,
        .view = loop->view,
        .index = ticket->index,
        .pts_ns = ticket->pts_ns,
        .duration_ns = ticket->duration_ns,
        .captured_ns = ticket->captured_ns,
        .name = ticket->name,
        .counts = loop->params.count ? counts : NULL,
    };
    enum app_verdict verdict = loop->params.deliver(loop->params.user, &delivery, error);

    loop->report.deliver += seconds_since(start);
    if (verdict == APP_FATAL)
        return false;
    note(loop->report.gpu_ms, loop->report.frames, result->gpu_ms);
    note(loop->report.wall_ms, loop->report.frames, wall_ms);
    if (loop->live)
        note(loop->report.age_ms, loop->report.frames, age_ms);
    loop->report.frames++;
    loop->report.skipped += result->skipped;
    loop->report.dropped += verdict == APP_DROPPED;
    loop->progress.skipped = loop->report.skipped;
    app_progress_update(&loop->progress, loop->report.frames);
    return true;
}

static bool finish_oldest(struct app_loop *loop, struct segman_error *error)
{
    uint64_t counts[APP_LABELS];
    struct segman_result result;
    bool changed = false;

    if (!wait_oldest(loop, &result, error))
        return false;
    count(loop, &result, counts);
    if (!deliver(loop, &result, counts, error))
        return false;
    segman_session_release(loop->session);
    return refresh_legend(loop, counts, &changed, error);
}

static bool drain(struct app_loop *loop, struct segman_error *error)
{
    while (segman_session_in_flight(loop->session)) {
        if (!finish_oldest(loop, error))
            return false;
    }
    return true;
}

/*
 * A frame by itself: the first one, and every still with a legend, because its legend has to show its
 * own classes: it runs once to learn them and, when they changed, again with the legend in place.
 */
static bool run_alone(struct app_loop *loop, const struct pipe_frame *frame, struct segman_error *error)
{
    bool first = loop->submitted == 0;
    uint64_t counts[APP_LABELS];
    struct segman_result result;
    bool changed = false;

    if (!drain(loop, error) || !submit(loop, frame, error) || !wait_oldest(loop, &result, error))
        return false;
    count(loop, &result, counts);
    if (!refresh_legend(loop, counts, &changed, error))
        return false;
    if (changed) {
        segman_session_release(loop->session);
        if (!submit(loop, frame, error) || !wait_oldest(loop, &result, error))
            return false;
        result.skipped = false; /* it went through the network before */
    }
    if (first && loop->params.first && !loop->params.first(loop->params.user, loop->session, error))
        return false;
    if (!deliver(loop, &result, counts, error))
        return false;
    segman_session_release(loop->session);
    return true;
}

static bool same_format(const struct segman_frame_format *a, const struct segman_frame_format *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height && a->matrix == b->matrix && a->range == b->range &&
           a->site == b->site;
}

static bool change_format(struct app_loop *loop, const struct segman_frame_format *format, struct segman_error *error)
{
    bool sized = format->width != loop->format.width || format->height != loop->format.height;

    if (!drain(loop, error))
        return false;
    app_log(loop->stills || !sized ? SEGMAN_LOG_DEBUG : SEGMAN_LOG_WARNING, "frames are %ux%u from now on, were %ux%u", format->width,
            format->height, loop->format.width, loop->format.height);
    return make_session(loop, format, error);
}

static bool feed(struct app_loop *loop, const struct pipe_frame *frame, struct segman_error *error)
{
    bool alone = loop->submitted == 0 || (loop->stills && loop->params.legend);

    if (!same_format(&frame->format, &loop->format) && !change_format(loop, &frame->format, error))
        return false;
    if (alone)
        return run_alone(loop, frame, error);
    if (segman_session_in_flight(loop->session) == loop->flight && !finish_oldest(loop, error))
        return false;
    return submit(loop, frame, error);
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* PIPE_TIMEOUT, PIPE_LOST: a live source has none now, and something else can be done meanwhile. */
static enum pipe_status read_frame(struct app_loop *loop, struct pipe_frame *frame, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();
    bool busy = loop->live && segman_session_in_flight(loop->session);
    enum pipe_status status =
        busy ? pipe_source_read_timeout(loop->params.source, 0, frame, error) : pipe_source_read(loop->params.source, frame, error);

    loop->report.read += seconds_since(start);
    return status;
}

static enum app_end run(struct app_loop *loop, struct segman_error *error)
{
    uint64_t most = loop->params.options->frames;
    struct pipe_frame frame;

    for (uint64_t taken = 0; !most || taken < most;) {
        if (app_signals_received())
            return APP_END_STOPPED;
        switch (read_frame(loop, &frame, error)) {
        case PIPE_END:
            return APP_END_INPUT;
        case PIPE_STOPPED:
            return APP_END_STOPPED;
        case PIPE_ERROR:
            return APP_END_READ;
        case PIPE_TIMEOUT:
        case PIPE_LOST:
            if (!finish_oldest(loop, error) && !renew(loop, error))
                return APP_END_FAILED;
            continue;
        case PIPE_FRAME:
            break;
        }
        taken++;
        bool good = feed(loop, &frame, error) || (renew(loop, error) && feed(loop, &frame, error));
        pipe_frame_release(&frame);
        if (!good)
            return APP_END_FAILED;
    }
    return APP_END_INPUT;
}

enum app_end app_loop_run(struct app_loop *loop, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();
    struct segman_error late, scratch;

    if (!error)
        error = &scratch;
    app_progress_init(&loop->progress, !loop->params.options->no_progress, expected_frames(loop));
    loop->report.end = run(loop, error);
    if (loop->report.end != APP_END_FAILED && !drain(loop, &late)) {
        loop->report.end = APP_END_FAILED;
        *error = late;
    }
    loop->report.elapsed = seconds_since(start);
    app_progress_finish(&loop->progress, loop->report.frames);
    return loop->report.end;
}
