/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a decoder: frames into one of the formats that segman takes (converted only where they are not),
 * turned upright, and high dynamic range mapped. The elements follow the stream's caps and tags as they pass.
 */
#include "decoder.h"

#include <string.h>

/** Nearest format of ours: nothing is lost but depth and, for YUV, chroma resolution. */
static const char *nearest_format(const struct pipe_decoder *d, const GstVideoInfo *info)
{
    struct segman_frame_format format;
    if (pipe_format_from_video_info(&format, info))
        return gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info));
    /* Of an image, gray or with full chroma, all is kept as RGB; for video YUV is what everything after it wants. */
    return !d->image && (GST_VIDEO_INFO_IS_YUV(info) || GST_VIDEO_INFO_IS_GRAY(info)) ? "I420" : "RGBA";
}

/*
 * GStreamer forgets that a stream has full range in two cases: the matrix is not told (it then takes the usual
 * colorimetry as a whole), or an MP4 tells it (1.22's qtdemux does not read that bit, and overrules the decoder).
 * Returns the caps put right, or NULL where they are.
 */
static GstCaps *mend_range(const struct pipe_decoder *d, const GstCaps *caps)
{
    const char *text = gst_structure_get_string(gst_caps_get_structure(caps, 0), "colorimetry");
    GstVideoColorimetry told = {0};
    GstVideoInfo info;
    GstCaps *mended;
    char *full;

    if (!gst_video_info_from_caps(&info, caps) || !GST_VIDEO_INFO_IS_YUV(&info) || info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255)
        return NULL;
    if (!d->full_range && (!text || !gst_video_colorimetry_from_string(&told, text) || told.range != GST_VIDEO_COLOR_RANGE_0_255))
        return NULL;
    info.colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;
    full = gst_video_colorimetry_to_string(&info.colorimetry);
    mended = gst_caps_copy(caps);
    gst_caps_set_simple(mended, "colorimetry", G_TYPE_STRING, full, NULL);
    g_free(full);
    return mended;
}

static void follow_caps(struct pipe_decoder *d, GstCaps *caps)
{
    GstElement *filter = gst_bin_get_by_name(GST_BIN(d->tail), "format");
    const char *colour = gst_structure_get_string(gst_caps_get_structure(caps, 0), "colorimetry"), *format;
    GstVideoInfo info;
    GstCaps *wanted;

    if (gst_video_info_from_caps(&info, caps)) {
        format = nearest_format(d, &info);
        wanted = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, format, NULL);
        if (colour && GST_VIDEO_INFO_IS_YUV(&info) && strcmp(format, "RGBA"))
            gst_caps_set_simple(wanted, "colorimetry", G_TYPE_STRING, colour, NULL);
        g_object_set(filter, "caps", wanted, NULL);
        gst_caps_unref(wanted);
        d->hdr = GST_VIDEO_INFO_IS_YUV(&info) && info.colorimetry.transfer == GST_VIDEO_TRANSFER_SMPTE2084;
    }
    gst_object_unref(filter);
}

/** Rotation clockwise first, then the left-right mirror. */
static void describe_orientation(struct pipe_decoder *d, GstVideoOrientationMethod method)
{
    static const struct {
        uint32_t rotation;
        bool flipped;
    } map[] = {
        [GST_VIDEO_ORIENTATION_IDENTITY] = {0, false}, [GST_VIDEO_ORIENTATION_90R] = {90, false},
        [GST_VIDEO_ORIENTATION_180] = {180, false},    [GST_VIDEO_ORIENTATION_90L] = {270, false},
        [GST_VIDEO_ORIENTATION_HORIZ] = {0, true},     [GST_VIDEO_ORIENTATION_VERT] = {180, true},
        [GST_VIDEO_ORIENTATION_UL_LR] = {90, true},    [GST_VIDEO_ORIENTATION_UR_LL] = {270, true},
    };
    if ((unsigned)method < G_N_ELEMENTS(map)) {
        d->rotation = map[method].rotation;
        d->flipped = map[method].flipped;
    }
}

static void follow_tags(struct pipe_decoder *d, GstTagList *tags)
{
    GstVideoOrientationMethod method;
    GstElement *flip;

    if (!gst_video_orientation_from_tag(tags, &method))
        return;
    flip = gst_bin_get_by_name(GST_BIN(d->tail), "flip");
    g_object_set(flip, "video-direction", method, NULL);
    gst_object_unref(flip);
    describe_orientation(d, method);
}

static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct pipe_decoder *d = user;
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    (void)pad;

    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        GstCaps *caps, *mended;
        gst_event_parse_caps(event, &caps);
        mended = mend_range(d, caps);
        follow_caps(d, mended ? mended : caps);
        if (mended) {
            GST_PAD_PROBE_INFO_DATA(info) = gst_event_new_caps(mended);
            gst_caps_unref(mended);
            gst_event_unref(event);
        }
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_TAG) {
        GstTagList *tags;
        gst_event_parse_tag(event, &tags);
        follow_tags(d, tags);
    }
    return GST_PAD_PROBE_OK;
}

/** Before videoflip, where every frame of such a stream has just been converted to 8 bits: ours to change. */
static GstPadProbeReturn on_converted(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct pipe_decoder *d = user;
    GstCaps *caps = d->hdr ? gst_pad_get_current_caps(pad) : NULL;
    GstVideoInfo video;
    GstVideoFrame frame;

    if (!caps)
        return GST_PAD_PROBE_OK;
    GST_PAD_PROBE_INFO_DATA(info) = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    if (gst_video_info_from_caps(&video, caps) && GST_VIDEO_INFO_IS_YUV(&video) &&
        gst_video_frame_map(&frame, &video, GST_PAD_PROBE_INFO_BUFFER(info), GST_MAP_READWRITE)) {
        for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT(&frame); y++) {
            uint8_t *row = (uint8_t *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + (size_t)y * (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
            for (int x = 0; x < GST_VIDEO_FRAME_WIDTH(&frame); x++)
                row[x] = d->pq[row[x]];
        }
        gst_video_frame_unmap(&frame);
    }
    gst_caps_unref(caps);
    return GST_PAD_PROBE_OK;
}

static void add_probe(GstElement *bin, const char *element, GstPadProbeType type, GstPadProbeCallback probe, struct pipe_decoder *d)
{
    GstElement *found = gst_bin_get_by_name(GST_BIN(bin), element);
    GstPad *pad = gst_element_get_static_pad(found, "sink");
    gst_pad_add_probe(pad, type, probe, d, NULL);
    gst_object_unref(pad);
    gst_object_unref(found);
}

/** A JPEG's own orientation: decodebin's decoders do not read it. */
static void apply_exif(struct pipe_decoder *d)
{
    const char *text = d->image && d->path ? pipe_probe_exif(d->path) : NULL;
    GstTagList *tags;
    if (!text)
        return;
    tags = gst_tag_list_new(GST_TAG_IMAGE_ORIENTATION, text, NULL);
    follow_tags(d, tags);
    gst_tag_list_unref(tags);
}

GstElement *pipe_tail_create(struct pipe_decoder *d, struct segman_error *error)
{
    GError *failure = NULL;
    GstElement *bin = gst_parse_bin_from_description("videoconvert name=convert ! capsfilter name=format"
                                                     " ! videoflip name=flip qos=false ! appsink name=frames sync=false qos=false"
                                                     " enable-last-sample=false wait-on-eos=false",
                                                     TRUE, &failure);
    if (!bin) {
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                    "GStreamer's video elements are not installed (Debian packages gstreamer1.0-plugins-base"
                    " and gstreamer1.0-plugins-good): %s",
                    failure ? failure->message : "no reason given");
        g_clear_error(&failure);
        return NULL;
    }
    d->tail = bin;
    d->appsink = gst_bin_get_by_name(GST_BIN(bin), "frames");
    pipe_pq_table(d->pq);
    add_probe(bin, "convert", GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, d);
    add_probe(bin, "flip", GST_PAD_PROBE_TYPE_BUFFER, on_converted, d);
    apply_exif(d);
    return bin;
}
