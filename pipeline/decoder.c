/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One GStreamer pipeline from an input to mapped frames:
 *
 *   uridecodebin -> videoconvert -> caps -> videoflip -> appsink        (tail.c)
 *               \-> appsink for each other stream                       (passthrough.c)
 *
 * GStreamer's threads only fill queues and set flags under the lock; whoever reads waits on the condition.
 */
#include "decoder.h"

#include <string.h>

/* After an error, how long frames that were decoded before it may take to come out. */
enum { GRACE_MS = 500, QUEUE_FRAMES = 4, IN_FLIGHT = 100, OPEN_SECONDS = 60 };

static void take_tag(const GstTagList *tags, const char *tag, char *out, size_t size)
{
    char *text = NULL;
    if (!out[0] && gst_tag_list_get_string(tags, tag, &text))
        g_strlcpy(out, text, size);
    g_free(text);
}

static void note_tags(struct pipe_decoder *d, GstMessage *message)
{
    GstTagList *tags = NULL;
    gst_message_parse_tag(message, &tags);
    take_tag(tags, GST_TAG_CONTAINER_FORMAT, d->container, sizeof d->container);
    take_tag(tags, GST_TAG_VIDEO_CODEC, d->codec, sizeof d->codec);
    gst_tag_list_unref(tags);
}

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer user)
{
    struct pipe_decoder *d = user;
    (void)bus;

    g_mutex_lock(&d->lock);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_TAG)
        note_tags(d, message);
    else
        pipe_trouble_message(&d->trouble, message);
    if (d->trouble.error)
        g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static GstFlowReturn on_new_sample(GstAppSink *appsink, gpointer user)
{
    struct pipe_decoder *d = user;
    bool live;
    (void)appsink;
    g_mutex_lock(&d->lock);
    live = d->params.mailbox != NULL;
    if (!live)
        g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
    if (live)
        pipe_capture_sample(d);
    return GST_FLOW_OK;
}

static void on_eos(GstAppSink *appsink, gpointer user)
{
    struct pipe_decoder *d = user;
    (void)appsink;
    g_mutex_lock(&d->lock);
    d->eos = true;
    g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
}

void pipe_decoder_ready(struct pipe_decoder *d)
{
    g_mutex_lock(&d->lock);
    d->ready = true;
    g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
}

static void on_no_more_pads(GstElement *element, gpointer user)
{
    (void)element;
    pipe_decoder_ready(user);
}

static void link_video(struct pipe_decoder *d, GstPad *pad)
{
    GstPad *sink;
    if (d->linked) {
        pipe_log(SEGMAN_LOG_WARNING, "%s has several video streams: only the first is used", d->name);
        return;
    }
    sink = gst_element_get_static_pad(d->tail, "sink");
    d->linked = gst_pad_link(pad, sink) == GST_PAD_LINK_OK;
    gst_object_unref(sink);
}

void pipe_decoder_link(struct pipe_decoder *d, GstPad *pad)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const char *name;

    if (!caps)
        caps = gst_pad_query_caps(pad, NULL);
    name = gst_caps_get_size(caps) ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    if (g_str_has_prefix(name, "video/x-raw")) {
        link_video(d, pad);
    } else {
        struct pipe_stream *stream = d->video_only ? NULL : pipe_stream_create(d->pipeline, pad, d->absolute);
        g_mutex_lock(&d->lock);
        d->other++;
        d->has_audio = d->has_audio || g_str_has_prefix(name, "audio/");
        if (stream)
            g_ptr_array_add(d->streams, stream);
        g_mutex_unlock(&d->lock);
    }
    gst_caps_unref(caps);
}

static void on_pad_added(GstElement *element, GstPad *pad, gpointer user)
{
    (void)element;
    pipe_decoder_link(user, pad);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool add_uri(struct pipe_decoder *d, const char *uri, struct segman_error *error)
{
    GstElement *element = gst_element_factory_make("uridecodebin", NULL);
    if (!element)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "GStreamer lacks uridecodebin (Debian package gstreamer1.0-plugins-base)");
    g_object_set(element, "uri", uri, NULL);
    pipe_plug(d, element);
    g_signal_connect(element, "pad-added", G_CALLBACK(on_pad_added), d);
    g_signal_connect(element, "no-more-pads", G_CALLBACK(on_no_more_pads), d);
    gst_bin_add(GST_BIN(d->pipeline), element);
    return true;
}

static bool build(struct pipe_decoder *d, const struct pipe_input *input, const char *file, struct segman_error *error)
{
    GstAppSinkCallbacks callbacks = {.eos = on_eos, .new_sample = on_new_sample};
    GstBus *bus;
    char *uri = NULL;
    bool ok;

    d->pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    d->tail = pipe_tail_create(d, error);
    if (!d->tail)
        return false;
    gst_bin_add(GST_BIN(d->pipeline), d->tail);
    g_object_set(d->appsink, "max-buffers", d->live ? 1 : QUEUE_FRAMES, "drop", d->live, NULL);
    gst_app_sink_set_callbacks(GST_APP_SINK(d->appsink), &callbacks, d, NULL);
    if (d->live) { /* its times are then on the clock that everything else here uses */
        GstClock *clock = gst_system_clock_obtain();
        gst_pipeline_use_clock(GST_PIPELINE(d->pipeline), clock);
        gst_object_unref(clock);
    }
    bus = gst_pipeline_get_bus(GST_PIPELINE(d->pipeline));
    gst_bus_set_sync_handler(bus, on_message, d, NULL);
    gst_object_unref(bus);
    if (input->type == PIPE_INPUT_TEST)
        return pipe_decoder_add_test(d, input->uri, error);
    if (input->type == PIPE_INPUT_CAMERA)
        return pipe_camera_add(d, error);
    if (d->image && d->path && pipe_probe_wants_pixbuf(d->path))
        return pipe_decoder_add_pixbuf(d, error);
    uri = file ? gst_filename_to_uri(file, NULL) : g_strdup(input->uri);
    ok = uri ? add_uri(d, uri, error) : segman_fail(error, SEGMAN_ERROR_IO, "cannot open %s", d->name);
    g_free(uri);
    return ok;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static bool is_cancelled(const struct pipe_decoder *d)
{
    return d->params.cancelled && d->params.cancelled();
}

/** Waits, with the lock held, until there is a sample, or there will be none, or not by limit_us: NULL then. */
static GstSample *wait_sample(struct pipe_decoder *d, bool opening, gint64 limit_us)
{
    gint64 grace = 0, patience = opening ? g_get_monotonic_time() + OPEN_SECONDS * G_TIME_SPAN_SECOND : G_MAXINT64;
    d->timed_out = false;
    for (;;) {
        GstSample *sample;
        bool ended = d->eos || d->trouble.error; /* read before the queue: what came before them is in it by now */
        if (d->stopped || (opening && is_cancelled(d)))
            return NULL;
        g_mutex_unlock(&d->lock); /* appsink's own lock is held when it calls on_new_sample */
        sample = gst_app_sink_try_pull_sample(GST_APP_SINK(d->appsink), 0);
        bool empty = !sample && gst_app_sink_is_eos(GST_APP_SINK(d->appsink)); /* a seek may have cleared the flag too late */
        g_mutex_lock(&d->lock);
        d->eos |= empty;
        d->drained = empty;
        if (sample)
            return sample;
        if ((ended && d->eos) || (opening && d->ready && !d->linked) || g_get_monotonic_time() > patience)
            return NULL;
        if (ended) {
            gint64 now = g_get_monotonic_time();
            grace = grace ? grace : now + GRACE_MS * G_TIME_SPAN_MILLISECOND;
            if (now >= grace || opening)
                return NULL;
            g_cond_wait_until(&d->cond, &d->lock, grace);
        } else {
            gint64 now = g_get_monotonic_time();
            d->timed_out = now >= limit_us;
            if (d->timed_out)
                return NULL;
            /* The 20 ms only guard against a frame that came between the pull and the wait. */
            g_cond_wait_until(&d->cond, &d->lock, MIN(limit_us, now + 20 * G_TIME_SPAN_MILLISECOND));
        }
    }
}

/** Skips, and counts, frames that the decoder marked as damaged. */
static GstSample *next_sample(struct pipe_decoder *d, bool opening, gint64 limit_us)
{
    GstSample *sample;
    g_mutex_lock(&d->lock);
    while ((sample = wait_sample(d, opening, limit_us))) {
        d->frames++;
        if (!GST_BUFFER_FLAG_IS_SET(gst_sample_get_buffer(sample), GST_BUFFER_FLAG_CORRUPTED))
            break;
        gst_sample_unref(sample);
        d->corrupt++;
    }
    g_mutex_unlock(&d->lock);
    return sample;
}

static bool explain_no_frame(struct pipe_decoder *d, struct segman_error *error)
{
    bool no_video;
    g_mutex_lock(&d->lock);
    no_video = d->ready && !d->linked && d->other && !d->trouble.missing[0];
    if (pipe_camera_explain(d, error))
        ;
    else if (is_cancelled(d))
        segman_fail(error, SEGMAN_ERROR_IO, "opening %s was given up", d->name);
    else if (d->timed_out)
        segman_fail(error, SEGMAN_ERROR_IO, "%s sent no frame within %d seconds", d->name, pipe_capture_patience(d));
    else if (no_video)
        segman_fail(error, SEGMAN_ERROR_FORMAT, "%s has no video in it, only %s", d->name, d->has_audio ? "audio" : "other streams");
    else if (d->trouble.error || d->trouble.missing[0])
        pipe_trouble_input(&d->trouble, d->name, error);
    else
        segman_fail(error, SEGMAN_ERROR_FORMAT, d->eos ? "no frame of %s could be decoded" : "%s gives no frame", d->name);
    g_mutex_unlock(&d->lock);
    return false;
}

static bool wait_first(struct pipe_decoder *d)
{
    if (d->params.mailbox)
        return pipe_capture_wait_first(d);
    d->first = next_sample(d, true, G_MAXINT64);
    return d->first != NULL;
}

bool pipe_decoder_start(struct pipe_decoder *d, struct segman_error *error)
{
    gint64 duration;
    /* A failed state change is told by an error message with the reason, which may still be on its way. */
    if (gst_element_set_state(d->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        g_mutex_lock(&d->lock);
        d->trouble.error = true;
        g_mutex_unlock(&d->lock);
    }
    if (!wait_first(d))
        return explain_no_frame(d, error);
    if (d->duration_ns < 0 && gst_element_query_duration(d->pipeline, GST_FORMAT_TIME, &duration) && duration > 0)
        d->duration_ns = duration;
    return true;
}

struct pipe_decoder *pipe_decoder_create(const struct pipe_decoder_params *params, struct segman_error *error)
{
    struct pipe_decoder *d = g_new0(struct pipe_decoder, 1);
    const struct pipe_input *input = params->input;
    const char *file = params->file;

    g_mutex_init(&d->lock);
    g_cond_init(&d->cond);
    d->streams = g_ptr_array_new_with_free_func((GDestroyNotify)pipe_stream_destroy);
    d->params = *params;
    d->params.file = NULL;
    d->name = g_strdup(file ? file : input->name);
    d->path = g_strdup(file ? file : input->path);
    d->live = params->mailbox != NULL;
    d->image = file || input->type == PIPE_INPUT_IMAGE;
    d->video_only = params->video_only;
    d->duration_ns = -1;
    d->last_ns = -1;
    d->step_ns = 40 * GST_MSECOND;
    if (build(d, input, file, error))
        return d;
    pipe_decoder_destroy(d);
    return NULL;
}

struct pipe_decoder *pipe_decoder_open(const struct pipe_decoder_params *params, struct segman_error *error)
{
    struct pipe_decoder *d = pipe_decoder_create(params, error);
    if (d && pipe_decoder_start(d, error))
        return d;
    pipe_decoder_destroy(d);
    return NULL;
}

void pipe_decoder_destroy(struct pipe_decoder *d)
{
    if (!d)
        return;
    if (d->pipeline) {
        GstBus *bus = gst_pipeline_get_bus(GST_PIPELINE(d->pipeline));
        gst_element_set_state(d->pipeline, GST_STATE_NULL);
        gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
        gst_object_unref(bus);
    }
    if (d->first)
        gst_sample_unref(d->first);
    g_ptr_array_unref(d->streams);
    g_clear_object(&d->appsink);
    g_clear_object(&d->pipeline);
    g_free(d->name);
    g_free(d->path);
    g_free(d->camera_id);
    g_free(d->camera_others);
    gst_clear_caps(&d->caps);
    g_cond_clear(&d->cond);
    g_mutex_clear(&d->lock);
    g_free(d);
}

/** Time of the frame; guessed from the one before where the file has none. */
static int64_t frame_time(struct pipe_decoder *d, GstSample *sample)
{
    int64_t time = pipe_sample_time(sample, false, d->absolute);
    if (time != INT64_MIN && !d->absolute)
        time += d->base_ns;
    if (time == INT64_MIN)
        time = d->last_ns < 0 ? d->base_ns : d->last_ns + d->step_ns;
    else if (d->last_ns >= 0 && time > d->last_ns)
        d->step_ns = time - d->last_ns;
    d->last_ns = MAX(time, 0);
    return d->last_ns;
}

static bool is_interlaced(GstSample *sample)
{
    GstVideoInfo info;
    return gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) &&
           GST_VIDEO_INFO_INTERLACE_MODE(&info) != GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
}

/** Frames behind the place where reading had to end, by the duration and the rate so far. */
static void count_unread(struct pipe_decoder *d)
{
    if (d->duration_ns > d->last_ns && d->frames > 1 && d->last_ns > 0)
        d->unread += (uint64_t)(d->duration_ns - d->last_ns) * (d->frames - 1) / (uint64_t)d->last_ns;
    d->cut = d->broken = false; /* once */
}

/** What the end of the frames means. */
static enum pipe_status end_status(struct pipe_decoder *d, struct segman_error *error)
{
    enum pipe_status status = PIPE_END;
    g_mutex_lock(&d->lock);
    if (d->stopped)
        status = PIPE_STOPPED;
    else if (d->trouble.error) {
        pipe_trouble_input(&d->trouble, d->name, error);
        status = PIPE_ERROR;
    } else if (d->cut || d->broken) {
        pipe_log(SEGMAN_LOG_WARNING, d->cut ? "%s is cut off: its end is missing" : "%s is damaged, and cannot be read on to its end",
                 d->name);
        count_unread(d);
    }
    g_mutex_unlock(&d->lock);
    return status;
}

enum pipe_status pipe_decoder_read(struct pipe_decoder *d, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error)
{
    GstSample *sample = d->first;
    bool mapped;

    d->first = NULL;
    *frame = (struct pipe_frame){.duration_ns = -1, .captured_ns = -1};
    if (!sample)
        sample = next_sample(d, false, timeout_ns < 0 ? G_MAXINT64 : g_get_monotonic_time() + timeout_ns / 1000);
    if (!sample)
        return d->timed_out ? PIPE_TIMEOUT : end_status(d, error);
    mapped = pipe_frame_map(frame, sample);
    d->fields = d->fields || is_interlaced(sample);
    frame->pts_ns = frame_time(d, sample);
    gst_sample_unref(sample);
    if (mapped)
        return PIPE_FRAME;
    segman_fail(error, SEGMAN_ERROR_FORMAT, "a frame of %s cannot be mapped", d->name);
    return PIPE_ERROR;
}

void pipe_decoder_stop(struct pipe_decoder *d)
{
    g_mutex_lock(&d->lock);
    d->stopped = true;
    g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
}

uint64_t pipe_decoder_corrupt(struct pipe_decoder *d)
{
    uint64_t corrupt, delay;
    g_mutex_lock(&d->lock);
    corrupt = d->corrupt;
    /* While it runs, some packets are still under way: as many as frames can be reordered, decoded at once, and queued. */
    delay = d->drained ? 0 : IN_FLIGHT;
    if (d->decoders == 1 && !d->fields && !d->live && !d->stopped && d->packets > d->frames + delay)
        corrupt += d->packets - d->frames - delay;
    g_mutex_unlock(&d->lock);
    return corrupt;
}

uint64_t pipe_decoder_unread(struct pipe_decoder *d)
{
    uint64_t unread;
    g_mutex_lock(&d->lock);
    unread = d->unread;
    g_mutex_unlock(&d->lock);
    return unread;
}

GstCaps *pipe_decoder_caps(struct pipe_decoder *d)
{
    return d->first ? gst_sample_get_caps(d->first) : d->caps;
}
