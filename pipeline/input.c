/* SPDX-License-Identifier: Apache-2.0 */
/* The front of a decoder's pipeline, for each kind of input, and what happens when it shows its streams. */
#include "decoder.h"

#include <stdio.h>
#include <string.h>

static void on_no_more_pads(GstElement *element, gpointer user)
{
    struct pipe_decoder *d = user;
    (void)element;
    g_mutex_lock(&d->lock);
    d->ready = true;
    g_cond_broadcast(&d->cond);
    g_mutex_unlock(&d->lock);
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

static void on_pad_added(GstElement *element, GstPad *pad, gpointer user)
{
    struct pipe_decoder *d = user;
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const char *name;
    (void)element;

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

static GstElement *make_test(struct pipe_decoder *d, const char *text)
{
    unsigned width = 640, height = 480, fps = 30;
    int frames = -1;
    GstElement *bin;
    char *line;

    if (g_str_has_prefix(text, "test:")) {
        const char *at = strchr(text, '@'), *colon = strrchr(text + 5, ':');
        if (sscanf(text, "test:%ux%u", &width, &height) != 2 || (at && sscanf(at, "@%u", &fps) != 1) ||
            (colon && sscanf(colon, ":%d", &frames) != 1) || !width || !height || width > 16384 || height > 16384 || !fps || fps > 1000)
            return NULL;
    }
    line = g_strdup_printf("videotestsrc pattern=smpte num-buffers=%d ! capsfilter"
                           " caps=video/x-raw,format=I420,width=%u,height=%u,framerate=%u/1",
                           frames, width, height, fps);
    bin = gst_parse_bin_from_description(line, TRUE, NULL);
    if (frames >= 0)
        d->duration_ns = (int64_t)gst_util_uint64_scale((guint64)frames, GST_SECOND, fps);
    g_free(line);
    return bin;
}

static GstElement *make_camera(const char *device)
{
    GError *failure = NULL;
    GstElement *bin = gst_parse_bin_from_description("v4l2src name=camera ! decodebin", FALSE, &failure), *camera;
    g_clear_error(&failure);
    if (!bin)
        return NULL;
    camera = gst_bin_get_by_name(GST_BIN(bin), "camera");
    g_object_set(camera, "device", device, NULL);
    gst_object_unref(camera);
    return bin;
}

/** decodebin inside the camera's bin makes its pad late: it is shown to the outside when it comes. */
static void on_camera_pad(GstElement *decodebin, GstPad *pad, gpointer user)
{
    struct pipe_decoder *d = user;
    GstObject *bin = gst_object_get_parent(GST_OBJECT(decodebin));
    GstPad *ghost = gst_ghost_pad_new(NULL, pad);
    gst_pad_set_active(ghost, TRUE);
    gst_element_add_pad(GST_ELEMENT(bin), ghost);
    on_pad_added(GST_ELEMENT(bin), ghost, d);
    gst_object_unref(bin);
}

static bool add_camera(struct pipe_decoder *d, const char *device, struct segman_error *error)
{
    GstElement *bin = make_camera(device), *decodebin;
    if (!bin)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "cameras need v4l2src (Debian package gstreamer1.0-plugins-good)");
    gst_bin_add(GST_BIN(d->pipeline), bin);
    decodebin = gst_bin_get_by_name(GST_BIN(bin), "decodebin0");
    for (GList *i = GST_BIN_CHILDREN(bin); i && !decodebin; i = i->next)
        if (!strcmp(GST_OBJECT_NAME(gst_element_get_factory(i->data)), "decodebin"))
            decodebin = gst_object_ref(i->data);
    g_signal_connect(decodebin, "pad-added", G_CALLBACK(on_camera_pad), d);
    g_signal_connect(decodebin, "no-more-pads", G_CALLBACK(on_no_more_pads), d);
    gst_object_unref(decodebin);
    return true;
}

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

static bool add_test(struct pipe_decoder *d, const char *text, struct segman_error *error)
{
    GstElement *element = make_test(d, text);
    GstPad *pad;
    if (!element)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is not of the form test:WIDTHxHEIGHT@FPS:FRAMES", text);
    gst_bin_add(GST_BIN(d->pipeline), element);
    pad = gst_element_get_static_pad(element, "src");
    link_video(d, pad);
    gst_object_unref(pad);
    d->ready = true;
    return true;
}

/** Kinds of stills that decodebin does not decode rightly; of a GIF, the first picture. */
static bool add_pixbuf(struct pipe_decoder *d, struct segman_error *error)
{
    GstElement *bin = gst_parse_bin_from_description("filesrc name=file ! gdkpixbufdec", TRUE, NULL), *file;
    GstPad *pad;
    if (!bin)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                           "%s needs gdkpixbufdec, which is not installed (Debian package"
                           " gstreamer1.0-plugins-good)",
                           d->name);
    file = gst_bin_get_by_name(GST_BIN(bin), "file");
    g_object_set(file, "location", d->path, NULL);
    gst_object_unref(file);
    gst_bin_add(GST_BIN(d->pipeline), bin);
    pad = gst_element_get_static_pad(bin, "src");
    link_video(d, pad);
    gst_object_unref(pad);
    d->ready = true;
    return true;
}

bool pipe_input_add(struct pipe_decoder *d, const struct pipe_input *input, const char *file, struct segman_error *error)
{
    char *uri;
    bool ok;

    if (input->type == PIPE_INPUT_TEST)
        return add_test(d, input->uri, error);
    if (input->type == PIPE_INPUT_CAMERA)
        return add_camera(d, input->uri, error);
    if (d->image && d->path && pipe_probe_wants_pixbuf(d->path))
        return add_pixbuf(d, error);
    uri = file ? gst_filename_to_uri(file, NULL) : g_strdup(input->uri);
    ok = uri ? add_uri(d, uri, error) : segman_fail(error, SEGMAN_ERROR_IO, "cannot open %s", d->name);
    g_free(uri);
    return ok;
}
