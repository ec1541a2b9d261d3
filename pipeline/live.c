/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live source: a decoder that fills a mailbox, and a thread that watches over it.
 *
 *   reader  <- mailbox <- decoder            the thread opens another decoder when this one ends or falls silent
 *
 * The mailbox's lock guards everything that both the reader and the thread see.
 */
#include "live.h"
#include "decoder.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_RECONNECT_S = 60, DEFAULT_STALL_S = 5, STALL_FRAMES = 10, WATCH_MS = 100 };
/* Pauses between tries double up to the longest. */
enum { FIRST_PAUSE_MS = 250, CAMERA_PAUSE_MS = 2000, STREAM_PAUSE_MS = 5000 };
/* Containers count in milliseconds: two frames closer than that would have one time. */
#define LEAST_STEP GST_MSECOND

enum live_state { LIVE_RUNNING, LIVE_LOST, LIVE_FAILED, LIVE_ENDED };

struct pipe_live {
    struct pipe_mailbox box;
    const struct pipe_input *input;
    struct pipe_source_params params;
    GThread *thread;
    struct pipe_decoder *decoder; /* changed by the thread only, under the lock; NULL: lost */
    enum live_state state;
    bool stopped;
    bool told;        /* the reader knows of this loss */
    char *camera_id;  /* of the camera to be found again */
    char *name;       /* for messages; the camera's own */
    char reason[256]; /* of the last loss */
    struct segman_error failure;
    int64_t lost_us; /* since when */
    uint32_t tries, losses;
    uint64_t corrupt;          /* of decoders that are gone */
    int64_t first_ns, last_ns; /* reader's: captured, and time handed out; -1 before */
};

/* ---- opening --------------------------------------------------------------------------------- */

static void publish(struct pipe_live *l, struct pipe_decoder *decoder)
{
    g_mutex_lock(&l->box.lock);
    l->decoder = decoder;
    if (l->stopped)
        pipe_decoder_stop(decoder);
    g_mutex_unlock(&l->box.lock);
}

static void drop_decoder(struct pipe_live *l)
{
    struct pipe_decoder *old = l->decoder;
    g_mutex_lock(&l->box.lock);
    l->corrupt += old ? pipe_decoder_corrupt(old) : 0;
    l->decoder = NULL;
    g_mutex_unlock(&l->box.lock);
    pipe_decoder_destroy(old);
}

static double reconnect_limit(const struct pipe_live *l)
{
    double wanted = l->params.reconnect_s;
    return wanted < 0 ? 0 : wanted > 0 ? wanted : DEFAULT_RECONNECT_S;
}

/** When retrying ends; INT64_MAX: never. */
static int64_t last_moment(const struct pipe_live *l)
{
    double limit = reconnect_limit(l);
    return limit < 1e9 ? l->lost_us + (int64_t)(limit * G_USEC_PER_SEC) : INT64_MAX;
}

/** One try by one way. *busy: the camera has a second way, which may work where this one found it busy. */
static bool open_way(struct pipe_live *l, bool shared, bool *busy, struct segman_error *error)
{
    struct pipe_decoder_params params = {
        .input = l->input,
        .video_only = true,
        .mailbox = &l->box,
        .wish = &l->params,
        .camera_id = l->camera_id,
        .camera_shared = shared,
    };
    struct pipe_decoder *d = pipe_decoder_create(&params, error);

    if (!d)
        return false;
    d->open_limit_us = l->state == LIVE_LOST ? last_moment(l) : 0;
    publish(l, d);
    if (pipe_decoder_start(d, error))
        return true;
    *busy = d->camera_sharable && pipe_camera_busy(d);
    drop_decoder(l);
    return false;
}

static bool open_decoder(struct pipe_live *l, struct segman_error *error)
{
    bool busy = false;
    if (open_way(l, false, &busy, error))
        return true;
    return busy && open_way(l, true, &busy, error);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool is_stopped(struct pipe_live *l)
{
    bool stopped;
    g_mutex_lock(&l->box.lock);
    stopped = l->stopped;
    g_mutex_unlock(&l->box.lock);
    return stopped;
}

/** Seconds without a frame that mean a loss. */
static double stall_limit(const struct pipe_live *l)
{
    GstVideoInfo info;
    double limit = l->params.stall_s > 0 ? l->params.stall_s : DEFAULT_STALL_S;
    if (l->decoder->caps && gst_video_info_from_caps(&info, l->decoder->caps) && info.fps_n > 0)
        limit = MAX(limit, (double)STALL_FRAMES * info.fps_d / info.fps_n);
    return limit;
}

static double silence(struct pipe_live *l)
{
    int64_t arrived;
    g_mutex_lock(&l->box.lock);
    arrived = l->box.arrived_us;
    g_mutex_unlock(&l->box.lock);
    return (double)(g_get_monotonic_time() - arrived) / G_USEC_PER_SEC;
}

/** Until the decoder ends, or stalls: false with the reason. True when stopped. */
static bool watch(struct pipe_live *l, struct segman_error *reason)
{
    double limit = stall_limit(l);
    while (!is_stopped(l)) {
        if (pipe_capture_ended(l->decoder, WATCH_MS * G_TIME_SPAN_MILLISECOND, reason))
            return is_stopped(l);
        if (silence(l) > limit)
            return segman_fail(reason, SEGMAN_ERROR_IO, "no frame for %.3g seconds", limit);
    }
    return true;
}

static void set_state(struct pipe_live *l, enum live_state state)
{
    g_mutex_lock(&l->box.lock);
    l->state = state;
    g_cond_broadcast(&l->box.cond);
    g_mutex_unlock(&l->box.lock);
}

static void note_loss(struct pipe_live *l, const char *reason)
{
    double limit = reconnect_limit(l);

    g_mutex_lock(&l->box.lock);
    g_strlcpy(l->reason, reason, sizeof l->reason);
    l->state = LIVE_LOST;
    l->told = false;
    l->lost_us = g_get_monotonic_time();
    l->tries = 0;
    l->losses++;
    g_cond_broadcast(&l->box.cond);
    g_mutex_unlock(&l->box.lock);
    if (isinf(limit))
        pipe_log(SEGMAN_LOG_WARNING, "%s is lost (%s): retrying until it is back", l->name, reason);
    else if (limit > 0)
        pipe_log(SEGMAN_LOG_WARNING, "%s is lost (%s): retrying for %.3g seconds", l->name, reason, limit);
}

static bool fail(struct pipe_live *l, const struct segman_error *last)
{
    double limit = reconnect_limit(l);

    g_mutex_lock(&l->box.lock);
    if (limit > 0)
        segman_fail(&l->failure, SEGMAN_ERROR_IO, "%s was lost (%s) and not back within %.3g seconds%s%s", l->name, l->reason, limit,
                    last->message[0] ? ": " : "", last->message);
    else
        segman_fail(&l->failure, SEGMAN_ERROR_IO, "%s was lost: %s", l->name, l->reason);
    l->state = LIVE_FAILED;
    g_cond_broadcast(&l->box.cond);
    g_mutex_unlock(&l->box.lock);
    return false;
}

/** Waits pause_ms, but not beyond the limit. False when stopped, or the limit is reached. */
static bool pause_before_try(struct pipe_live *l, int64_t pause_ms)
{
    int64_t until = g_get_monotonic_time() + pause_ms * G_TIME_SPAN_MILLISECOND, end = last_moment(l);
    bool go;

    g_mutex_lock(&l->box.lock);
    while (!l->stopped && g_cond_wait_until(&l->box.cond, &l->box.lock, MIN(until, end)))
        ;
    go = !l->stopped && until < end;
    l->tries += go;
    g_mutex_unlock(&l->box.lock);
    return go;
}

/** True when it is back; false when stopped, or for good. */
static bool reopen(struct pipe_live *l)
{
    int64_t pause = FIRST_PAUSE_MS, longest = l->input->type == PIPE_INPUT_CAMERA ? CAMERA_PAUSE_MS : STREAM_PAUSE_MS;
    struct segman_error last = {0};

    drop_decoder(l);
    while (pause_before_try(l, pause)) {
        if (open_decoder(l, &last)) {
            set_state(l, LIVE_RUNNING);
            pipe_log(SEGMAN_LOG_WARNING, "%s is back after %.1f seconds", l->name,
                     (double)(g_get_monotonic_time() - l->lost_us) / G_USEC_PER_SEC);
            return true;
        }
        pipe_log(SEGMAN_LOG_DEBUG, "try %u: %s", l->tries, last.message);
        pause = MIN(pause * 2, longest);
    }
    return !is_stopped(l) && fail(l, &last);
}

/** A recording that is sent as a live stream ends where its duration says. */
static bool is_over(const struct pipe_live *l)
{
    return l->decoder->eos && l->decoder->duration_ns > 0;
}

static gpointer mind(gpointer user)
{
    struct pipe_live *l = user;
    struct segman_error reason;

    while (!watch(l, &reason)) {
        if (is_over(l)) {
            set_state(l, LIVE_ENDED);
            break;
        }
        note_loss(l, reason.message);
        if (!reopen(l))
            break;
    }
    return NULL;
}

/* ---- create, destroy ------------------------------------------------------------------------- */

struct pipe_live *pipe_live_create(const struct pipe_input *input, const struct pipe_source_params *params, struct pipe_decoder *opened,
                                   struct segman_error *error)
{
    struct pipe_live *l = g_new0(struct pipe_live, 1);

    pipe_mailbox_init(&l->box);
    l->input = input;
    l->params = *params;
    l->first_ns = l->last_ns = -1;
    l->decoder = opened;
    if (opened)
        pipe_capture_begin(opened, &l->box);
    else if (!open_decoder(l, error))
        goto fail;
    l->params.cancelled = NULL;
    l->camera_id = g_strdup(l->decoder->camera_id);
    l->name = g_strdup(l->decoder->name);
    l->thread = g_thread_new("live", mind, l);
    return l;
fail:
    pipe_live_destroy(l);
    return NULL;
}

void pipe_live_destroy(struct pipe_live *l)
{
    if (!l)
        return;
    pipe_live_stop(l);
    if (l->thread)
        g_thread_join(l->thread);
    drop_decoder(l);
    pipe_mailbox_finish(&l->box);
    g_free(l->camera_id);
    g_free(l->name);
    g_free(l);
}

struct pipe_decoder *pipe_live_decoder(struct pipe_live *l)
{
    return l->decoder;
}

void pipe_live_stop(struct pipe_live *l)
{
    g_mutex_lock(&l->box.lock);
    l->stopped = true;
    if (l->decoder)
        pipe_decoder_stop(l->decoder);
    g_cond_broadcast(&l->box.cond);
    g_mutex_unlock(&l->box.lock);
}

/* ---- reading --------------------------------------------------------------------------------- */

/** What there is to say without a frame, with the lock held; PIPE_TIMEOUT: nothing yet. */
static enum pipe_status news(struct pipe_live *l, bool wants_loss, struct segman_error *error)
{
    if (l->stopped)
        return PIPE_STOPPED;
    if (l->state == LIVE_ENDED)
        return PIPE_END;
    if (l->state == LIVE_FAILED) {
        *error = l->failure;
        return PIPE_ERROR;
    }
    if (l->state == LIVE_LOST && wants_loss) {
        segman_fail(error, SEGMAN_ERROR_IO, "%s", l->reason);
        return PIPE_LOST;
    }
    return PIPE_TIMEOUT;
}

/** Waits for a frame, a loss that was not told yet, the end, or limit_us. */
static enum pipe_status wait_for_frame(struct pipe_live *l, bool wants_loss, gint64 limit_us, GstSample **sample,
                                       struct segman_error *error)
{
    enum pipe_status status;
    bool in_time = true;

    for (;;) {
        status = news(l, wants_loss && (!l->told || !in_time), error);
        if (status != PIPE_STOPPED && l->box.sample) {
            *sample = l->box.sample;
            l->box.sample = NULL;
            return PIPE_FRAME;
        }
        if (status != PIPE_TIMEOUT || !in_time)
            break;
        in_time = g_cond_wait_until(&l->box.cond, &l->box.lock, limit_us);
    }
    if (status == PIPE_LOST)
        l->told = true;
    return status;
}

/** On one time line from the first frame's capture on, whatever became of the source in between. */
static int64_t time_line(struct pipe_live *l, int64_t captured_ns)
{
    int64_t time;
    if (l->first_ns < 0)
        l->first_ns = captured_ns;
    time = captured_ns - l->first_ns;
    if (l->last_ns >= 0)
        time = MAX(time, l->last_ns + (int64_t)LEAST_STEP);
    l->last_ns = time;
    return time;
}

enum pipe_status pipe_live_read(struct pipe_live *l, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error)
{
    gint64 limit = timeout_ns < 0 ? G_MAXINT64 : g_get_monotonic_time() + timeout_ns / 1000;
    GstSample *sample = NULL;
    enum pipe_status status;
    int64_t captured;

    g_mutex_lock(&l->box.lock);
    status = wait_for_frame(l, timeout_ns >= 0, limit, &sample, error);
    captured = l->box.captured_ns;
    g_mutex_unlock(&l->box.lock);
    if (!sample)
        return status;
    if (pipe_frame_map(frame, sample)) {
        frame->captured_ns = captured;
        frame->pts_ns = time_line(l, captured);
    } else {
        segman_fail(error, SEGMAN_ERROR_FORMAT, "a frame of %s cannot be mapped", l->name);
        status = PIPE_ERROR;
    }
    gst_sample_unref(sample);
    return status;
}

void pipe_live_state(struct pipe_live *l, struct pipe_live_state *state)
{
    g_mutex_lock(&l->box.lock);
    *state = (struct pipe_live_state){
        .lost = l->state == LIVE_LOST || l->state == LIVE_FAILED,
        .tries = l->tries,
        .losses = l->losses,
        .received = l->box.received,
        .replaced = l->box.replaced,
    };
    if (state->lost)
        state->lost_s = (double)(g_get_monotonic_time() - l->lost_us) / G_USEC_PER_SEC;
    g_strlcpy(state->reason, l->reason, sizeof state->reason);
    g_strlcpy(state->camera_id, l->camera_id ? l->camera_id : "", sizeof state->camera_id);
    g_mutex_unlock(&l->box.lock);
}

uint64_t pipe_live_corrupt(struct pipe_live *l)
{
    uint64_t corrupt;
    g_mutex_lock(&l->box.lock);
    corrupt = l->corrupt + (l->decoder ? pipe_decoder_corrupt(l->decoder) : 0);
    g_mutex_unlock(&l->box.lock);
    return corrupt;
}
