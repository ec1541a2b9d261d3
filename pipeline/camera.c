/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera into a decoder:
 *
 *   source -> the chosen format -> queue that keeps the newest -> tail                 raw
 *                                                              -> decodebin -> tail    MJPEG
 *   source -> the chosen format -> queue                       -> decodebin -> tail    H.264 and the like: every packet counts
 */
#include "decoder.h"
#include "devices.h"
#include "live.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum mode { MODE_UNKNOWN, MODE_RAW, MODE_PICTURES, MODE_STREAM };

static bool check_permission(const struct pipe_device *device, struct segman_error *error)
{
    struct stat st;
    const struct group *group;

    if (strcmp(device->api, "v4l2") || !device->path || !access(device->path, R_OK | W_OK) || errno != EACCES)
        return true;
    group = stat(device->path, &st) ? NULL : getgrgid(st.st_gid);
    return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                       "no permission to open the camera %s: it takes the group %s (sudo usermod -aG %s %s, then log in again)",
                       device->path, group ? group->gr_name : "video", group ? group->gr_name : "video", g_get_user_name());
}

static GstElement *make_source(const struct pipe_device *device, bool shared, struct segman_error *error)
{
    GstDevice *way = shared && device->way[1] ? device->way[1] : device->way[0];
    GstElement *source = way ? gst_device_create_element(way, NULL) : gst_element_factory_make("v4l2src", NULL);

    if (!source)
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "the camera %s needs a source element (Debian package %s)", device->name,
                    strcmp(device->api, "pipewire") ? "gstreamer1.0-plugins-good" : "gstreamer1.0-pipewire");
    else if (!way)
        g_object_set(source, "device", device->path, NULL);
    return source;
}

/** What the source can do; asks it where the device does not tell. An error of its comes over the bus. */
static GstCaps *caps_of(const struct pipe_device *device, GstElement *source)
{
    GstPad *pad;
    GstCaps *caps;

    if (device->caps && !gst_caps_is_any(device->caps) && !gst_caps_is_empty(device->caps))
        return gst_caps_ref(device->caps);
    if (gst_element_set_state(source, GST_STATE_READY) == GST_STATE_CHANGE_FAILURE)
        return NULL;
    pad = gst_element_get_static_pad(source, "src");
    caps = pad ? gst_pad_query_caps(pad, NULL) : NULL;
    if (pad)
        gst_object_unref(pad);
    return caps;
}

static enum mode mode_of(const GstCaps *chosen)
{
    const char *name = chosen ? gst_structure_get_name(gst_caps_get_structure(chosen, 0)) : "";
    if (!*name)
        return MODE_UNKNOWN;
    if (!strcmp(name, "video/x-raw"))
        return MODE_RAW;
    return !strcmp(name, "image/jpeg") ? MODE_PICTURES : MODE_STREAM;
}

/** Says what was taken where that is not what was asked for. */
static void note_mode(const struct pipe_decoder *d, const GstCaps *chosen)
{
    const struct pipe_source_params *wish = d->params.wish;
    const GstStructure *s = chosen ? gst_caps_get_structure(chosen, 0) : NULL;
    int width = 0, height = 0, num = 0, den = 1;
    bool other;

    if (!s || !wish || !gst_structure_get_int(s, "width", &width) || !gst_structure_get_int(s, "height", &height))
        return;
    gst_structure_get_fraction(s, "framerate", &num, &den);
    other = (wish->camera_width && ((int)wish->camera_width != width || (int)wish->camera_height != height)) ||
            (wish->camera_rate && num && (int64_t)wish->camera_rate * den != num);
    pipe_log(other ? SEGMAN_LOG_WARNING : SEGMAN_LOG_DEBUG, "%s: %s%dx%d at %.4g frames a second%s", d->name,
             other ? "the nearest that it has is " : "", width, height, den ? (double)num / den : 0,
             mode_of(chosen) == MODE_RAW ? "" : ", decoded");
}

static void on_overrun(GstElement *queue, gpointer user)
{
    struct pipe_decoder *d = user;
    (void)queue;
    pipe_mailbox_leak(d->params.mailbox);
}

/** A slow conversion or decoder must find the newest frame, not make the driver's buffers queue up. */
static GstElement *make_queue(struct pipe_decoder *d, enum mode mode)
{
    GstElement *queue = gst_element_factory_make("queue", NULL);
    if (mode == MODE_RAW || mode == MODE_PICTURES) {
        g_object_set(queue, "max-size-buffers", 1, "max-size-bytes", 0, "max-size-time", (guint64)0, NULL);
        gst_util_set_object_arg(G_OBJECT(queue), "leaky", "downstream");
        g_signal_connect(queue, "overrun", G_CALLBACK(on_overrun), d);
    }
    return queue;
}

static void on_pad_added(GstElement *element, GstPad *pad, gpointer user)
{
    (void)element;
    pipe_decoder_link(user, pad);
}

static void on_no_more_pads(GstElement *element, gpointer user)
{
    (void)element;
    pipe_decoder_ready(user);
}

static bool link_end(struct pipe_decoder *d, GstElement *queue, enum mode mode)
{
    GstElement *decodebin;

    if (mode == MODE_RAW) {
        d->linked = gst_element_link(queue, d->tail);
        pipe_decoder_ready(d);
        return d->linked;
    }
    decodebin = gst_element_factory_make("decodebin", NULL);
    if (!decodebin)
        return false;
    pipe_plug_decodebin(d, decodebin);
    g_signal_connect(decodebin, "pad-added", G_CALLBACK(on_pad_added), d);
    g_signal_connect(decodebin, "no-more-pads", G_CALLBACK(on_no_more_pads), d);
    gst_bin_add(GST_BIN(d->pipeline), decodebin);
    return gst_element_link(queue, decodebin);
}

static bool link_source(struct pipe_decoder *d, GstElement *source, const GstCaps *chosen, struct segman_error *error)
{
    enum mode mode = mode_of(chosen);
    GstElement *filter = gst_element_factory_make("capsfilter", NULL), *queue = make_queue(d, mode);

    if (chosen)
        g_object_set(filter, "caps", chosen, NULL);
    gst_bin_add_many(GST_BIN(d->pipeline), filter, queue, NULL);
    if (!gst_element_link_many(source, filter, queue, NULL) || !link_end(d, queue, mode))
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                           "%s cannot be linked (is the Debian package gstreamer1.0-plugins-base installed?)", d->name);
    return true;
}

static void describe(struct pipe_decoder *d, GPtrArray *devices, const struct pipe_device *device)
{
    g_free(d->name);
    d->name = device->path && strcmp(device->path, device->name) ? g_strdup_printf("camera %s (%s)", device->name, device->path)
                                                                 : g_strdup_printf("camera %s", device->name);
    d->camera_id = g_strdup(device->id);
    d->camera_others = pipe_devices_others(devices, device);
    d->camera_sharable = device->way[1] != NULL;
}

bool pipe_camera_add(struct pipe_decoder *d, struct segman_error *error)
{
    GPtrArray *devices = pipe_devices_list();
    const struct pipe_device *device = pipe_devices_find(devices, d->params.camera_id, d->params.input->uri, error);
    GstElement *source = NULL;
    GstCaps *caps = NULL, *chosen = NULL;
    bool ok = false;

    if (!device || !check_permission(device, error))
        goto end;
    describe(d, devices, device);
    source = make_source(device, d->params.camera_shared, error);
    if (!source)
        goto end;
    gst_bin_add(GST_BIN(d->pipeline), source);
    caps = caps_of(device, source);
    chosen = pipe_modes_choose(caps, d->params.wish);
    note_mode(d, chosen);
    ok = link_source(d, source, chosen, error);
end:
    gst_clear_caps(&caps);
    gst_clear_caps(&chosen);
    g_ptr_array_unref(devices);
    return ok;
}

bool pipe_camera_busy(const struct pipe_decoder *d)
{
    return d->params.input->type == PIPE_INPUT_CAMERA && d->trouble.error && d->trouble.busy;
}

bool pipe_camera_explain(const struct pipe_decoder *d, struct segman_error *error)
{
    if (!pipe_camera_busy(d))
        return false;
    segman_fail(error, SEGMAN_ERROR_IO, "%s is in use by another program; %s", d->name, d->camera_others);
    return true;
}
