/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Video files:
 *
 *   appsrc -> [videoconvert] -> encoder -> [parser] -> queue -> muxer -> filesink
 *   appsrc of each stream that is passed through -> [parser] -> queue -/   (routes.c)
 *
 * The queues have no limit: the muxer waits for the stream that is behind, and it may come from the very
 * source that waits for this sink. What holds back the writer is the encoder, through the first appsrc.
 */
#include "sink_video.h"

#include <string.h>

enum { QUEUE_FRAMES = 3 };

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer user)
{
    struct video_sink *s = user;
    (void)bus;
    g_mutex_lock(&s->lock);
    pipe_trouble_message(&s->trouble, message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
        s->eos = true;
    if (s->eos || s->trouble.error)
        g_cond_broadcast(&s->cond);
    g_mutex_unlock(&s->lock);
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static void on_need_data(GstAppSrc *appsrc, guint length, gpointer user)
{
    struct video_sink *s = user;
    (void)appsrc, (void)length;
    g_mutex_lock(&s->lock);
    g_cond_broadcast(&s->cond);
    g_mutex_unlock(&s->lock);
}

/* ---- building -------------------------------------------------------------------------------- */

/** Raw caps that the encoder shall get: one of its formats, 4:2:0 so that every player shows it. */
static GstCaps *encoder_caps(struct video_sink *s, GstElement *encoder)
{
    GstPad *pad = gst_element_get_static_pad(encoder, "sink");
    GstCaps *allowed = gst_pad_query_caps(pad, NULL), *given = gst_video_info_to_caps(&s->coded);
    GstVideoInfo info = s->coded;
    bool lossless = !strcmp(s->encoder->codec, "ffv1");
    bool direct = gst_caps_can_intersect(allowed, given) && (GST_VIDEO_INFO_IS_YUV(&info) || lossless);

    if (!direct) {
        GstVideoColorMatrix matrix = s->matrix;
        gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, (guint)info.width, (guint)info.height);
        info.colorimetry = s->coded.colorimetry;
        if (!GST_VIDEO_INFO_IS_YUV(&s->coded)) {
            info.colorimetry.matrix = matrix;
            info.colorimetry.range = GST_VIDEO_COLOR_RANGE_16_235;
        }
        info.chroma_site = GST_VIDEO_INFO_IS_YUV(&s->coded) ? s->coded.chroma_site : GST_VIDEO_CHROMA_SITE_MPEG2;
        info.fps_n = s->coded.fps_n;
        info.fps_d = s->coded.fps_d;
        info.par_n = s->coded.par_n;
        info.par_d = s->coded.par_d;
        s->convert = true;
    }
    gst_caps_unref(given);
    gst_caps_unref(allowed);
    gst_object_unref(pad);
    return gst_video_info_to_caps(&info);
}

static GstElement *add(struct video_sink *s, const char *factory)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    if (element)
        gst_bin_add(GST_BIN(s->pipeline), element);
    return element;
}

GstElement *video_sink_add_appsrc(struct video_sink *s, GstCaps *caps)
{
    GstElement *appsrc = add(s, "appsrc");
    g_object_set(appsrc, "caps", caps, "format", GST_FORMAT_TIME, "max-bytes", (guint64)0, "block", FALSE, NULL);
    return appsrc;
}

GstElement *video_sink_add_queue(struct video_sink *s)
{
    GstElement *queue = add(s, "queue");
    g_object_set(queue, "max-size-buffers", 0, "max-size-bytes", 0, "max-size-time", (guint64)0, NULL);
    return queue;
}

static bool add_muxer(struct video_sink *s, struct segman_error *error)
{
    GstElement *file = add(s, "filesink");
    s->mux = add(s, s->container->muxer);
    if (!s->mux || !file)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s files need %s (Debian package gstreamer1.0-plugins-good)",
                           s->container->name, s->container->muxer);
    /* Unbuffered, so that a full disk is noticed at the write that met it. */
    g_object_set(file, "location", s->output.temporary, "async", FALSE, NULL);
    gst_util_set_object_arg(G_OBJECT(file), "buffer-mode", "unbuffered");
    if (s->container->mp4) {
        /* Fragments first, one plain file at the end: what a killed process leaves can still be played. */
        gst_util_set_object_arg(G_OBJECT(s->mux), "fragment-mode", "first-moov-then-finalise");
        g_object_set(s->mux, "fragment-duration", 2000, "movie-timescale", 30000, NULL);
    } else {
        g_object_set(s->mux, "writing-app", "segman " SEGMAN_VERSION, "min-index-interval", (gint64)GST_SECOND, NULL);
    }
    return gst_element_link(s->mux, file);
}

/** Links a chain of elements up to the muxer; NULLs in between are left out. */
static bool link_chain(GstElement *const *chain, size_t n)
{
    GstElement *last = chain[0];
    for (size_t i = 1; i < n; i++) {
        if (!chain[i])
            continue;
        if (!gst_element_link(last, chain[i]))
            return false;
        last = chain[i];
    }
    return true;
}

static bool link_mux(struct video_sink *s, GstElement *queue)
{
    GstPad *src = gst_element_get_static_pad(queue, "src"), *pad = gst_element_request_pad_simple(s->mux, "video_%u");
    bool ok = pad && gst_pad_link(src, pad) == GST_PAD_LINK_OK;
    /* Times to 1/90000 s, whatever the rate. */
    if (pad && s->container->mp4)
        g_object_set(pad, "trak-timescale", 90000, NULL);
    if (pad)
        gst_object_unref(pad);
    gst_object_unref(src);
    return ok;
}

static bool add_video(struct video_sink *s, GstElement *encoder, struct segman_error *error)
{
    GstCaps *given = gst_video_info_to_caps(&s->coded), *caps = encoder_caps(s, encoder);
    GstElement *convert = s->convert ? add(s, "videoconvert") : NULL, *filter = add(s, "capsfilter"), *queue = video_sink_add_queue(s);
    GstElement *parser = s->encoder->parser ? add(s, s->encoder->parser) : NULL;
    GstAppSrcCallbacks callbacks = {.need_data = on_need_data};
    bool ok;

    s->appsrc = video_sink_add_appsrc(s, given);
    gst_app_src_set_callbacks(GST_APP_SRC(s->appsrc), &callbacks, s, NULL);
    g_object_set(filter, "caps", caps, NULL);
    gst_bin_add(GST_BIN(s->pipeline), encoder);
    ok = link_chain((GstElement *const[]){s->appsrc, convert, filter, encoder, parser, queue}, 6) && link_mux(s, queue);
    gst_caps_unref(given);
    gst_caps_unref(caps);
    return ok || segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s (%s) does not fit into %s", s->encoder->label, s->encoder->element,
                             s->container->name);
}

/** Size of the coded frames: padded where the encoder needs even sides. */
static void pad_size(struct video_sink *s)
{
    const GstVideoInfo *raw = &s->base.raw;
    guint width = (guint)raw->width, height = (guint)raw->height;
    int fps = s->encoder->needs_fps && raw->fps_n <= 0 ? 30 : raw->fps_n; /* nominal: timestamps still rule */
    if (s->encoder->even) {
        width += width & 1;
        height += height & 1;
    }
    s->coded = *raw;
    s->coded.fps_n = fps;
    if (width == (guint)raw->width && height == (guint)raw->height)
        return;
    gst_video_info_set_format(&s->coded, GST_VIDEO_INFO_FORMAT(raw), width, height);
    s->coded.colorimetry = raw->colorimetry;
    s->coded.chroma_site = raw->chroma_site;
    s->coded.fps_n = fps;
    s->coded.fps_d = raw->fps_d;
    s->coded.par_n = raw->par_n;
    s->coded.par_d = raw->par_d;
    pipe_log(SEGMAN_LOG_WARNING, "%s: %s needs even sides, %dx%d is padded to %ux%u", s->base.path, s->encoder->label, raw->width,
             raw->height, width, height);
}

/** Matrix for coding RGB frames: the source's, else what players assume for the size. */
static GstVideoColorMatrix coding_matrix(const struct video_sink *s)
{
    const struct pipe_source_info *info = s->base.params.source ? pipe_source_info(s->base.params.source) : NULL;
    GstVideoColorimetry source;
    if (info && gst_video_colorimetry_from_string(&source, info->colorimetry) && source.matrix != GST_VIDEO_COLOR_MATRIX_RGB &&
        source.matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        return source.matrix;
    return s->base.raw.height > 576 ? GST_VIDEO_COLOR_MATRIX_BT709 : GST_VIDEO_COLOR_MATRIX_BT601;
}

/** The allocator of frames: they come back when the encoder is done with them. */
static bool make_pool(struct video_sink *s)
{
    GstCaps *caps = gst_video_info_to_caps(&s->coded);
    GstStructure *config;
    s->pool = gst_video_buffer_pool_new();
    config = gst_buffer_pool_get_config(s->pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)s->coded.size, QUEUE_FRAMES, 0);
    gst_caps_unref(caps);
    return gst_buffer_pool_set_config(s->pool, config) && gst_buffer_pool_set_active(s->pool, TRUE);
}

static void describe(struct video_sink *s)
{
    g_snprintf(s->base.description, sizeof s->base.description, "%s (%s) in %s%s%s", s->encoder->label, s->encoder->element,
               s->container->name, s->routes->len ? ", with " : "", s->routes->len ? s->passed->str : "");
}

static bool build(struct video_sink *s, struct segman_error *error)
{
    const struct pipe_sink_params *params = &s->base.params;
    const char *codec = params->gray ? "ffv1" : params->codec;
    GstCaps *raw = gst_video_info_to_caps(&s->base.raw);
    GstElement *encoder = pipe_encoder_create(s->container, codec, raw, params->bitrate, &s->encoder, error);
    GstBus *bus;
    bool ok;

    gst_caps_unref(raw);
    if (!encoder)
        return false;
    s->pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    bus = gst_pipeline_get_bus(GST_PIPELINE(s->pipeline));
    gst_bus_set_sync_handler(bus, on_message, s, NULL);
    gst_object_unref(bus);
    pad_size(s);
    s->matrix = coding_matrix(s);
    ok = make_pool(s) && add_muxer(s, error) && add_video(s, encoder, error);
    gst_object_unref(encoder);
    if (!ok)
        return false;
    if (params->source && !params->video_only)
        video_sink_add_routes(s);
    describe(s);
    if (gst_element_set_state(s->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return video_sink_fail(s, error);
    return true;
}

struct pipe_sink *pipe_sink_video_create(const struct pipe_sink_params *params, const struct pipe_container *container,
                                         struct segman_error *error)
{
    struct video_sink *s = g_new0(struct video_sink, 1);

    g_mutex_init(&s->lock);
    g_cond_init(&s->cond);
    s->routes = g_ptr_array_new_with_free_func(g_free);
    s->passed = g_string_new(NULL);
    s->container = container;
    s->first_ns = s->last_ns = s->end_ns = -1;
    if (!pipe_sink_init(&s->base, &video_sink_ops, params, error))
        goto fail;
    if (params->gray && strcmp(container->name, "Matroska")) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "labels must be kept exactly, which %s cannot: use .mkv or .png", params->output);
        goto fail;
    }
    if (!pipe_output_open(&s->output, params->output, params->overwrite, error) || !build(s, error))
        goto fail;
    return &s->base;
fail:
    pipe_sink_destroy(&s->base);
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

bool video_sink_fail(struct video_sink *s, struct segman_error *error)
{
    g_mutex_lock(&s->lock);
    pipe_trouble_output(&s->trouble, s->base.path, error);
    g_mutex_unlock(&s->lock);
    return false;
}

/** Waits until the encoder takes a frame. False on trouble. */
static bool wait_for_room(struct video_sink *s)
{
    bool trouble;
    g_mutex_lock(&s->lock);
    while (!s->trouble.error) {
        guint64 level;
        g_mutex_unlock(&s->lock);
        level = gst_app_src_get_current_level_buffers(GST_APP_SRC(s->appsrc));
        g_mutex_lock(&s->lock);
        if (level < QUEUE_FRAMES)
            break;
        g_cond_wait_until(&s->cond, &s->lock, g_get_monotonic_time() + 5 * G_TIME_SPAN_MILLISECOND);
    }
    trouble = s->trouble.error;
    g_mutex_unlock(&s->lock);
    return !trouble;
}

static GstBuffer *fill_buffer(struct video_sink *s, const uint8_t *const plane[3], const uint32_t stride[3])
{
    GstBuffer *buffer = NULL;
    GstVideoFrame frame;
    if (gst_buffer_pool_acquire_buffer(s->pool, &buffer, NULL) != GST_FLOW_OK)
        return NULL;
    if (!gst_video_frame_map(&frame, &s->coded, buffer, GST_MAP_WRITE)) {
        gst_buffer_unref(buffer);
        return NULL;
    }
    pipe_copy_planes(&frame, plane, stride, &s->base.raw);
    gst_video_frame_unmap(&frame);
    return buffer;
}

/** Of a frame that has no duration: only the last one's matters. */
static int64_t usual_duration(const struct video_sink *s, int64_t pts_ns)
{
    const GstVideoInfo *raw = &s->base.raw;
    if (raw->fps_n > 0)
        return (int64_t)gst_util_uint64_scale(GST_SECOND, (guint64)raw->fps_d, (guint64)raw->fps_n);
    return s->last_ns < 0 ? 40 * GST_MSECOND : MIN(pts_ns - s->last_ns, (int64_t)(100 * GST_MSECOND));
}

static bool video_write(struct pipe_sink *sink, const uint8_t *const plane[3], const uint32_t stride[3], int64_t pts_ns,
                        int64_t duration_ns, const char *name, struct segman_error *error)
{
    struct video_sink *s = (struct video_sink *)sink;
    GstBuffer *buffer;
    (void)name;

    if (!wait_for_room(s))
        return video_sink_fail(s, error);
    buffer = fill_buffer(s, plane, stride);
    if (!buffer)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "no memory for a frame of %s", sink->path);
    if (pts_ns <= s->last_ns) /* broken files have such times: encoders must not see them */
        pts_ns = s->last_ns + GST_MSECOND;
    if (duration_ns <= 0)
        duration_ns = usual_duration(s, pts_ns);
    s->first_ns = s->first_ns < 0 ? pts_ns : s->first_ns;
    s->last_ns = pts_ns;
    s->end_ns = pts_ns + duration_ns;
    GST_BUFFER_PTS(buffer) = (GstClockTime)pts_ns;
    GST_BUFFER_DURATION(buffer) = (GstClockTime)duration_ns;
    if (gst_app_src_push_buffer(GST_APP_SRC(s->appsrc), buffer) != GST_FLOW_OK)
        return video_sink_fail(s, error);
    video_sink_feed(s, s->end_ns, pts_ns); /* no further: it may be closed any time */
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool wait_for_end(struct video_sink *s)
{
    bool ok;
    g_mutex_lock(&s->lock);
    while (!s->eos && !s->trouble.error)
        g_cond_wait(&s->cond, &s->lock);
    ok = !s->trouble.error;
    g_mutex_unlock(&s->lock);
    return ok;
}

static bool video_close(struct pipe_sink *sink, struct segman_error *error)
{
    struct video_sink *s = (struct video_sink *)sink;

    if (s->last_ns < 0)
        return segman_fail(error, SEGMAN_ERROR_IO, "nothing was written to %s: there was no frame", sink->path);
    gst_app_src_end_of_stream(GST_APP_SRC(s->appsrc));
    video_sink_end_routes(s);
    if (!wait_for_end(s))
        return video_sink_fail(s, error);
    gst_element_set_state(s->pipeline, GST_STATE_NULL);
    if (s->container->mp4)
        video_sink_edit_mp4(s);
    return pipe_output_commit(&s->output, error);
}

static void video_destroy(struct pipe_sink *sink)
{
    struct video_sink *s = (struct video_sink *)sink;
    if (s->pipeline) {
        GstBus *bus = gst_pipeline_get_bus(GST_PIPELINE(s->pipeline));
        gst_element_set_state(s->pipeline, GST_STATE_NULL);
        gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
        gst_object_unref(bus);
    }
    if (s->pool)
        gst_buffer_pool_set_active(s->pool, FALSE);
    g_clear_object(&s->pool);
    g_clear_object(&s->pipeline);
    if (s->attached)
        pipe_source_attach(sink->params.source, false);
    g_ptr_array_unref(s->routes);
    g_string_free(s->passed, TRUE);
    pipe_output_finish(&s->output);
    g_cond_clear(&s->cond);
    g_mutex_clear(&s->lock);
    pipe_sink_finish(sink);
    g_free(s);
}

const struct pipe_sink_ops video_sink_ops = {video_write, NULL, video_close, video_destroy};
