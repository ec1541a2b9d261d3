/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded packets of the streams that are not segmented, from a source to a sink. They wait in an appsink of
 * the source's pipeline, which holds only so many: decodebin's queues then hold back the demuxer, and let
 * this stream grow while video is starving, so that neither memory nor a badly interleaved file is a trouble.
 */
#include "internal.h"

#include <string.h>

#include <gst/pbutils/pbutils.h>

enum { HELD_PACKETS = 200 };

static bool is_sparse(const GstCaps *caps)
{
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    return !g_str_has_prefix(name, "audio/");
}

/*
 * A sink drops what lies before its segment: the packet that primes an AAC decoder. So the segment is made to
 * start at zero, with the old start in the offset, which leaves running times as they were: negative before it.
 */
static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    GstSegment segment;
    (void)pad, (void)user;

    if (GST_EVENT_TYPE(event) != GST_EVENT_SEGMENT)
        return GST_PAD_PROBE_OK;
    gst_event_copy_segment(event, &segment);
    if (segment.format != GST_FORMAT_TIME || segment.rate <= 0)
        return GST_PAD_PROBE_OK;
    segment.offset += segment.start;
    segment.start = 0;
    segment.stop = GST_CLOCK_TIME_NONE;
    GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_segment(&segment);
    gst_event_unref(event);
    return GST_PAD_PROBE_OK;
}

struct pipe_stream *pipe_stream_create(GstElement *bin, GstPad *pad, bool absolute)
{
    struct pipe_stream *stream = g_new0(struct pipe_stream, 1);
    GstPad *sink;

    stream->absolute = absolute;
    stream->first_ns = INT64_MIN;
    stream->caps = gst_pad_get_current_caps(pad);
    if (!stream->caps)
        stream->caps = gst_pad_query_caps(pad, NULL);
    stream->sparse = gst_caps_is_any(stream->caps) || gst_caps_is_empty(stream->caps) || is_sparse(stream->caps);
    stream->appsink = gst_object_ref_sink(gst_element_factory_make("appsink", NULL));
    /* async: a subtitle that comes in an hour must not hold up the preroll. */
    g_object_set(stream->appsink, "sync", FALSE, "async", FALSE, "max-buffers", HELD_PACKETS, "enable-last-sample", FALSE, NULL);
    gst_bin_add(GST_BIN(bin), stream->appsink);
    sink = gst_element_get_static_pad(stream->appsink, "sink");
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, NULL, NULL);
    gst_pad_link(pad, sink);
    gst_object_unref(sink);
    gst_element_sync_state_with_parent(stream->appsink);
    return stream;
}

void pipe_stream_destroy(struct pipe_stream *stream)
{
    if (!stream)
        return;
    if (stream->held)
        gst_sample_unref(stream->held);
    if (stream->caps)
        gst_caps_unref(stream->caps);
    gst_object_unref(stream->appsink);
    g_free(stream);
}

int64_t pipe_sample_time(GstSample *sample, bool dts, bool absolute)
{
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    GstClockTime time = dts ? GST_BUFFER_DTS(buffer) : GST_BUFFER_PTS(buffer);
    guint64 running;
    int sign;

    if (!GST_CLOCK_TIME_IS_VALID(time))
        return INT64_MIN;
    if (absolute)
        return (int64_t)time;
    sign = gst_segment_to_running_time_full(gst_sample_get_segment(sample), GST_FORMAT_TIME, time, &running);
    return !sign ? INT64_MIN : sign > 0 ? (int64_t)running : -(int64_t)running;
}

GstSample *pipe_stream_take(struct pipe_stream *stream, int64_t limit_ns, GstClockTime wait)
{
    GstSample *sample;
    if (!stream->held && !stream->done) {
        stream->held = gst_app_sink_try_pull_sample(GST_APP_SINK(stream->appsink), wait);
        if (!stream->held)
            stream->done = gst_app_sink_is_eos(GST_APP_SINK(stream->appsink));
    }
    if (!stream->held || pipe_sample_time(stream->held, false, stream->absolute) > limit_ns)
        return NULL;
    sample = stream->held;
    stream->held = NULL;
    if (stream->first_ns == INT64_MIN)
        stream->first_ns = pipe_sample_time(sample, false, stream->absolute);
    return sample;
}

void pipe_stream_discard(struct pipe_stream *stream)
{
    GstSample *sample;
    while ((sample = pipe_stream_take(stream, INT64_MAX, 0)))
        gst_sample_unref(sample);
}

char *pipe_stream_describe(const struct pipe_stream *stream)
{
    char *codec = gst_pb_utils_get_codec_description(stream->caps);
    char *text = g_strdup_printf("%s (%s)", stream->sparse ? "subtitles" : "audio", codec ? codec : "unknown codec");
    g_free(codec);
    return text;
}
