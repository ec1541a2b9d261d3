/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder that fills a mailbox as frames come, instead of waiting for a reader. */
#include "decoder.h"
#include "live.h"

#include <string.h>

/*
 * How long the first frame may take. A camera that renegotiates its exposure needs a second or two; RTSP falls
 * back from UDP to TCP on the way; a stream's first key frame may be ten seconds off.
 */
enum { CAMERA_PATIENCE = 10, STREAM_PATIENCE = 15 };
enum { DEFAULT_LATENCY_MS = 100 };
/* A timestamp that is older than this is not the time of capture, whatever it is. */
#define OLDEST (5 * GST_SECOND)

int pipe_capture_patience(const struct pipe_decoder *d)
{
    return d->params.input->type == PIPE_INPUT_CAMERA ? CAMERA_PATIENCE : STREAM_PATIENCE;
}

/** Whether timestamps come from the clock: a live source's do, a stream's that is only downloaded do not. */
static bool is_timed(struct pipe_decoder *d)
{
    GstPad *pad = gst_element_get_static_pad(d->tail, "sink");
    GstQuery *query = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(pad, query))
        gst_query_parse_latency(query, &live, NULL, NULL);
    gst_query_unref(query);
    gst_object_unref(pad);
    return live;
}

/** When the frame was captured or, where nothing tells, when it came: now. */
static int64_t capture_time(struct pipe_decoder *d, GstSample *sample)
{
    int64_t now = g_get_monotonic_time() * 1000, running = pipe_sample_time(sample, false, false), age;
    GstClock *clock = d->timed && running >= 0 ? gst_element_get_clock(d->pipeline) : NULL;

    if (!clock)
        return now;
    age = (int64_t)(gst_clock_get_time(clock) - gst_element_get_base_time(d->pipeline)) - running;
    gst_object_unref(clock);
    return age < 0 || age > (int64_t)OLDEST ? now : now - age;
}

static void note_first(struct pipe_decoder *d, GstSample *sample)
{
    g_mutex_lock(&d->lock);
    if (!d->caps) {
        d->caps = gst_caps_ref(gst_sample_get_caps(sample));
        g_cond_broadcast(&d->cond);
    }
    g_mutex_unlock(&d->lock);
}

void pipe_capture_sample(struct pipe_decoder *d)
{
    GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(d->appsink), 0);
    int64_t captured;

    if (!sample)
        return;
    if (GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(sample), GST_BUFFER_FLAG_CORRUPTED)) {
        g_mutex_lock(&d->lock);
        d->corrupt++;
        g_mutex_unlock(&d->lock);
        gst_sample_unref(sample);
        return;
    }
    if (!d->caps) /* written by this thread only */
        d->timed = is_timed(d);
    captured = capture_time(d, sample);
    gst_sample_ref(sample);
    pipe_mailbox_put(d->params.mailbox, sample, captured);
    note_first(d, sample); /* after it: whoever waits for the first one then finds it in the mailbox */
    gst_sample_unref(sample);
}

static bool is_cancelled(const struct pipe_decoder *d)
{
    return d->params.wish && d->params.wish->cancelled && d->params.wish->cancelled();
}

bool pipe_capture_wait_first(struct pipe_decoder *d)
{
    gint64 limit = g_get_monotonic_time() + pipe_capture_patience(d) * G_TIME_SPAN_SECOND;
    bool came;

    if (d->open_limit_us)
        limit = MIN(limit, d->open_limit_us);
    g_mutex_lock(&d->lock);
    d->timed_out = false;
    while (!d->caps && !d->stopped && !d->eos && !d->trouble.error && !(d->ready && !d->linked)) {
        gint64 now = g_get_monotonic_time();
        d->timed_out = now >= limit;
        if (d->timed_out || is_cancelled(d))
            break;
        g_cond_wait_until(&d->cond, &d->lock, MIN(limit, now + 100 * G_TIME_SPAN_MILLISECOND));
    }
    came = d->caps != NULL;
    g_mutex_unlock(&d->lock);
    return came;
}

bool pipe_capture_ended(struct pipe_decoder *d, int64_t wait_us, struct segman_error *error)
{
    gint64 limit = g_get_monotonic_time() + wait_us;
    bool ended;

    g_mutex_lock(&d->lock);
    while (!d->stopped && !d->eos && !d->trouble.error && g_cond_wait_until(&d->cond, &d->lock, limit))
        ;
    ended = d->stopped || d->eos || d->trouble.error;
    if (d->trouble.error)
        segman_fail(error, SEGMAN_ERROR_IO, "%s", d->trouble.text[0] ? d->trouble.text : "no reason given");
    else if (ended)
        segman_fail(error, SEGMAN_ERROR_IO, "the stream ended");
    g_mutex_unlock(&d->lock);
    return ended;
}

void pipe_capture_begin(struct pipe_decoder *d, struct pipe_mailbox *mailbox)
{
    GstSample *first = d->first, *queued;

    for (guint i = 0; i < d->streams->len; i++) {
        struct pipe_stream *stream = g_ptr_array_index(d->streams, i);
        g_object_set(stream->appsink, "drop", TRUE, NULL); /* nobody will read it, and it must not hold back video */
    }
    d->first = NULL;
    d->caps = first ? gst_caps_ref(gst_sample_get_caps(first)) : NULL;
    if (first)
        pipe_mailbox_put(mailbox, first, g_get_monotonic_time() * 1000);
    g_mutex_lock(&d->lock);
    d->live = true;
    d->params.mailbox = mailbox;
    g_mutex_unlock(&d->lock);
    g_object_set(d->appsink, "drop", TRUE, "max-buffers", 1, NULL);
    while ((queued = gst_app_sink_try_pull_sample(GST_APP_SINK(d->appsink), 0)))
        gst_sample_unref(queued);
}

static void set_number(GstElement *element, const char *property, const char *value)
{
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property))
        gst_util_set_object_arg(G_OBJECT(element), property, value);
}

void pipe_capture_setup(struct pipe_decoder *d, GstElement *source)
{
    const struct pipe_source_params *wish = d->params.wish;
    char latency[16];

    g_snprintf(latency, sizeof latency, "%u", wish && wish->latency_ms ? wish->latency_ms : DEFAULT_LATENCY_MS);
    set_number(source, "latency", latency); /* rtspsrc, rtpsrc, srtsrc: milliseconds */
    set_number(source, "drop-on-latency", "true");
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(source), "tcp-timeout")) { /* rtspsrc: microseconds */
        set_number(source, "timeout", "3000000");
        set_number(source, "tcp-timeout", "5000000");
    }
    set_number(source, "buffer-size", "2097152"); /* udpsrc: a key frame's burst would overflow the usual 200 kB */
}
