/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded packets from the source's streams into the muxer, unchanged, on the video's time line. */
#include "sink_video.h"

#include <string.h>

/* How long the end of a stream may take to arrive once the video has ended. */
#define END_WAIT (5 * GST_SECOND)

struct route {
    struct pipe_stream *stream; /* the source's */
    GstElement *appsrc;
    int64_t shift_ns;         /* added to times: what comes before zero cannot be muxed */
    int64_t first_ns;         /* of the packets written, -1 before */
    int64_t last_ns, step_ns; /* of the packet before, and from the one before that */
    int64_t gap_ns;           /* of the last gap told */
    bool ended;
};

/** Element that turns the packets' framing, not their content, into what the muxer takes; NULL where there is none. */
static const char *framing_parser(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    int version = 0;
    if (gst_structure_has_name(s, "audio/mpeg")) {
        gst_structure_get_int(s, "mpegversion", &version);
        return version == 1 ? "mpegaudioparse" : "aacparse";
    }
    if (gst_structure_has_name(s, "audio/x-vorbis"))
        return "vorbisparse";
    if (gst_structure_has_name(s, "audio/x-opus"))
        return "opusparse";
    if (gst_structure_has_name(s, "audio/x-flac"))
        return "flacparse";
    return NULL;
}

/** Name of a request pad of the muxer that takes these caps. */
static const char *pad_for(GstElement *mux, const GstCaps *caps)
{
    static const char *const names[] = {"audio_%u", "subtitle_%u", "caption_%u"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        GstPadTemplate *template = gst_element_get_pad_template(mux, names[i]);
        GstCaps *allowed = template ? gst_pad_template_get_caps(template) : NULL;
        bool fits = allowed && gst_caps_can_intersect(allowed, caps);
        if (allowed)
            gst_caps_unref(allowed);
        if (fits)
            return names[i];
    }
    return NULL;
}

/** Whether the caps miss what a muxer needs to store them: headers, or packets without transport framing. */
static bool needs_parser(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    const char *format = gst_structure_get_string(s, "stream-format");
    if (gst_structure_has_name(s, "audio/mpeg"))
        return format && strcmp(format, "raw") != 0;
    if (gst_structure_has_name(s, "audio/x-vorbis") || gst_structure_has_name(s, "audio/x-flac"))
        return !gst_structure_has_field(s, "streamheader");
    return gst_structure_has_name(s, "audio/x-opus") && !gst_structure_has_field(s, "channel-mapping-family");
}

/** Subtitles from Matroska are called markup; containers take the very same bytes as text. */
static void call_markup_text(struct pipe_stream *stream)
{
    const GstStructure *s = gst_caps_get_structure(stream->caps, 0);
    if (gst_structure_has_name(s, "text/x-raw") && !g_strcmp0(gst_structure_get_string(s, "format"), "pango-markup")) {
        stream->caps = gst_caps_make_writable(stream->caps);
        gst_caps_set_simple(stream->caps, "format", G_TYPE_STRING, "utf8", NULL);
    }
}

static GstCaps *parsed_caps(const GstCaps *caps)
{
    GstCaps *raw = gst_caps_copy(caps);
    if (gst_structure_has_field(gst_caps_get_structure(raw, 0), "stream-format"))
        gst_caps_set_simple(raw, "stream-format", G_TYPE_STRING, "raw", NULL);
    return raw;
}

static bool link_route(struct video_sink *s, struct route *route, const char *parser_name, const char *pad_name)
{
    GstElement *parser = parser_name ? gst_element_factory_make(parser_name, NULL) : NULL, *queue;
    GstPad *src, *pad;
    bool ok;

    if (parser_name && !parser)
        return false;
    pad = gst_element_request_pad_simple(s->mux, pad_name);
    if (!pad) {
        g_clear_object(&parser);
        return false;
    }
    route->appsrc = video_sink_add_appsrc(s, route->stream->caps);
    queue = video_sink_add_queue(s);
    src = gst_element_get_static_pad(queue, "src");
    if (parser)
        gst_bin_add(GST_BIN(s->pipeline), parser);
    ok = gst_pad_link(src, pad) == GST_PAD_LINK_OK &&
         (parser ? gst_element_link_many(route->appsrc, parser, queue, NULL) : gst_element_link(route->appsrc, queue));
    gst_object_unref(src);
    if (!ok) {
        gst_element_release_request_pad(s->mux, pad);
        gst_bin_remove_many(GST_BIN(s->pipeline), route->appsrc, queue, parser, NULL);
    }
    gst_object_unref(pad);
    return ok;
}

static bool add_route(struct video_sink *s, struct pipe_stream *stream)
{
    struct route *route;
    bool parse = needs_parser(stream->caps);
    GstCaps *caps = parse ? parsed_caps(stream->caps) : gst_caps_ref(stream->caps);
    const char *parser = parse ? framing_parser(stream->caps) : NULL, *pad = pad_for(s->mux, caps);

    gst_caps_unref(caps);
    if (!pad)
        return false;
    route = g_new0(struct route, 1);
    route->stream = stream;
    route->first_ns = -1;
    if (!link_route(s, route, parser, pad)) {
        g_free(route);
        return false;
    }
    g_ptr_array_add(s->routes, route);
    return true;
}

void video_sink_add_routes(struct video_sink *s)
{
    GPtrArray *streams = pipe_source_streams(s->base.params.source);

    for (guint i = 0; i < streams->len; i++) {
        struct pipe_stream *stream = g_ptr_array_index(streams, i);
        char *text = pipe_stream_describe(stream);
        call_markup_text(stream);
        if (add_route(s, stream))
            g_string_append_printf(s->passed, "%s%s", s->passed->len ? ", " : "", text);
        else
            pipe_log(SEGMAN_LOG_WARNING, "%s: %s cannot be stored in %s unchanged and is left out%s", s->base.path, text,
                     s->container->name, strcmp(s->container->name, "Matroska") ? " (.mkv takes nearly everything)" : "");
        g_free(text);
    }
    /* Also where none fits: they must not pile up then, and the source drops what nobody takes. */
    s->attached = s->routes->len > 0;
    pipe_source_attach(s->base.params.source, s->attached);
}

static void push_packet(struct video_sink *s, struct route *route, GstSample *sample)
{
    GstBuffer *buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    bool absolute = route->stream->absolute;
    int64_t pts = pipe_sample_time(sample, false, absolute), dts = pipe_sample_time(sample, true, absolute);

    if (route->first_ns < 0 && pts < 0 && pts != INT64_MIN && s->container->mp4)
        route->shift_ns = -pts; /* an edit list takes it back: mp4_edit.c */
    pts = pts == INT64_MIN ? pts : MAX(pts + route->shift_ns, 0);
    dts = dts == INT64_MIN ? dts : MAX(dts + route->shift_ns, 0);
    if (route->first_ns < 0)
        route->first_ns = MAX(pts, 0);
    route->step_ns = pts != INT64_MIN && pts > route->last_ns ? pts - route->last_ns : route->step_ns;
    route->last_ns = MAX(pts, route->last_ns);
    /* Matroska has no durations of packets, and MP4 needs the last one's. */
    if (!GST_BUFFER_DURATION_IS_VALID(buffer) && route->step_ns && !route->stream->sparse)
        GST_BUFFER_DURATION(buffer) = (GstClockTime)route->step_ns;
    GST_BUFFER_PTS(buffer) = pts == INT64_MIN ? GST_CLOCK_TIME_NONE : (GstClockTime)pts;
    GST_BUFFER_DTS(buffer) = dts == INT64_MIN ? GST_CLOCK_TIME_NONE : (GstClockTime)dts;
    gst_app_src_push_buffer(GST_APP_SRC(route->appsrc), buffer);
    gst_sample_unref(sample);
}

static void end_route(struct route *route)
{
    if (!route->ended)
        gst_app_src_end_of_stream(GST_APP_SRC(route->appsrc));
    route->ended = true;
}

static void feed(struct video_sink *s, struct route *route, int64_t limit_ns, GstClockTime wait)
{
    GstSample *sample;
    while ((sample = pipe_stream_take(route->stream, limit_ns, wait)))
        push_packet(s, route, sample);
    if (route->stream->done)
        end_route(route);
}

void video_sink_feed(struct video_sink *s, int64_t limit_ns, int64_t now_ns)
{
    for (guint i = 0; i < s->routes->len; i++) {
        struct route *route = g_ptr_array_index(s->routes, i);
        feed(s, route, limit_ns, 0);
        /* The muxer would wait for the next subtitle, with everything else queued up. */
        if (route->stream->sparse && !route->ended && now_ns > route->gap_ns + GST_SECOND) {
            gst_element_send_event(route->appsrc, gst_event_new_gap((GstClockTime)route->gap_ns, (GstClockTime)(now_ns - route->gap_ns)));
            route->gap_ns = now_ns;
        }
    }
}

void video_sink_end_routes(struct video_sink *s)
{
    bool ended = s->base.params.source && pipe_source_ended(s->base.params.source);
    for (guint i = 0; i < s->routes->len; i++) {
        struct route *route = g_ptr_array_index(s->routes, i);
        feed(s, route, ended ? INT64_MAX : s->end_ns, ended ? END_WAIT : 0);
        end_route(route);
    }
}

void video_sink_edit_mp4(const struct video_sink *s)
{
    struct pipe_mp4_track *track = g_new0(struct pipe_mp4_track, s->routes->len + 1);
    struct pipe_mp4_edit edit = {track, s->routes->len + 1, s->first_ns};

    track[0].length_ns = s->end_ns - s->first_ns;
    for (guint i = 0; i < s->routes->len; i++) {
        const struct route *route = g_ptr_array_index(s->routes, i);
        track[i + 1].skip_ns = route->shift_ns;
        if (route->first_ns >= 0)
            edit.start_ns = MIN(edit.start_ns, route->first_ns);
    }
    if (!pipe_mp4_edit_file(s->output.temporary, &edit))
        pipe_log(SEGMAN_LOG_WARNING, "%s: the times of its tracks may be off by some milliseconds", s->base.path);
    g_free(track);
}
