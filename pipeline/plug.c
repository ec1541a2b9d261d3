/* SPDX-License-Identifier: Apache-2.0 */
/* What decodebin plugs: it decodes video, and parses the other streams no further than to whole packets. */
#include "decoder.h"

#include <string.h>

/* More than demuxers ask for by way of trial at the end of a file. */
enum { BLOCK_AT_LEAST = 65536 };
/* GstAutoplugSelectResult is not in a public header; these numbers are its documented values. */
enum { SELECT_TRY, SELECT_EXPOSE, SELECT_SKIP };

static bool is_video_or_container(const GstCaps *caps)
{
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    GList *all, *demuxers;
    bool container;

    if (g_str_has_prefix(name, "video/") || g_str_has_prefix(name, "image/"))
        return true;
    all = gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DEMUXER | GST_ELEMENT_FACTORY_TYPE_DEPAYLOADER, GST_RANK_MARGINAL);
    demuxers = gst_element_factory_list_filter(all, caps, GST_PAD_SINK, FALSE);
    container = demuxers != NULL;
    gst_plugin_feature_list_free(demuxers);
    gst_plugin_feature_list_free(all);
    return container;
}

/** Audio whose packets are not cut yet (MPEG-TS, raw .aac): a parser has to, before it can be stored elsewhere. */
static bool wants_parser(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    static const char *const parsed_types[] = {"audio/mpeg", "audio/x-ac3", "audio/x-eac3", "audio/x-dts", "audio/x-flac"};
    gboolean framed = FALSE;

    for (size_t i = 0; i < G_N_ELEMENTS(parsed_types); i++)
        if (gst_structure_has_name(s, parsed_types[i]))
            return !(gst_structure_get_boolean(s, "framed", &framed) && framed);
    return false;
}

static gboolean on_autoplug_continue(GstElement *element, GstPad *pad, GstCaps *caps, gpointer user)
{
    (void)element, (void)pad, (void)user;
    return gst_caps_is_any(caps) || gst_caps_is_empty(caps) || is_video_or_container(caps) || wants_parser(caps);
}

static int on_autoplug_select(GstElement *element, GstPad *pad, GstCaps *caps, GstElementFactory *factory, gpointer user)
{
    const char *class = gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS);
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    (void)element, (void)pad, (void)user;

    if (!class || !strstr(class, "Decoder"))
        return SELECT_TRY;
    if (!g_str_has_prefix(name, "video/") && !g_str_has_prefix(name, "image/"))
        return SELECT_EXPOSE;
    /* Hardware decoders hand out memory that only their own kind can read; the frames have to be mapped here. */
    return strstr(class, "Hardware") ? SELECT_SKIP : SELECT_TRY;
}

/** A video stream that nothing here decodes. The message on the bus may come too late. */
static void on_unknown_type(GstElement *element, GstPad *pad, GstCaps *caps, gpointer user)
{
    struct pipe_decoder *d = user;
    (void)element, (void)pad;
    g_mutex_lock(&d->lock);
    pipe_trouble_unknown(&d->trouble, caps);
    g_mutex_unlock(&d->lock);
}

static void set_if_there(GstElement *element, const char *property, const char *value)
{
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property))
        gst_util_set_object_arg(G_OBJECT(element), property, value);
}

/** Counts packets that should come out as a frame: those that do not were damaged, and decoders drop them silently. */
static GstPadProbeReturn on_packet(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct pipe_decoder *d = user;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment *segment = NULL;
    bool counts = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DECODE_ONLY);
    guint8 first = 0;

    if (event)
        gst_event_parse_segment(event, &segment);
    if (segment && segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer))
        counts = counts && gst_segment_clip(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), GST_BUFFER_PTS(buffer), NULL, NULL);
    if (d->theora) /* three packets of headers come first; elsewhere the flag is on key frames that have one */
        counts = counts && !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER);
    if (d->vp8 && gst_buffer_extract(buffer, 0, &first, 1) == 1)
        counts = counts && (first & 0x10); /* else a reference frame that is never shown */
    g_mutex_lock(&d->lock);
    d->packets += counts;
    g_mutex_unlock(&d->lock);
    if (event)
        gst_event_unref(event);
    return GST_PAD_PROBE_OK;
}

static void watch_decoder(struct pipe_decoder *d, GstElement *element, GstElementFactory *factory)
{
    const char *class = gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS);
    GstPad *pad;
    if (!class || !strstr(class, "Decoder") || !strstr(class, "Video") || d->image)
        return;
    pad = gst_element_get_static_pad(element, "sink");
    if (!pad)
        return;
    d->decoders++;
    d->theora = strstr(GST_OBJECT_NAME(factory), "theora") != NULL;
    d->vp8 = strstr(GST_OBJECT_NAME(factory), "vp8") != NULL;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_packet, d, NULL);
    gst_object_unref(pad);
}

static void on_deep_element_added(GstBin *bin, GstBin *sub, GstElement *element, gpointer user)
{
    struct pipe_decoder *d = user;
    GstElementFactory *factory = gst_element_get_factory(element);
    (void)bin, (void)sub;
    if (factory && !strcmp(GST_OBJECT_NAME(factory), "matroskademux"))
        d->absolute = true;
    if (factory)
        watch_decoder(d, element, factory);
    /* Damaged frames come out marked, and are counted, instead of vanishing; and no number of them is the end. */
    set_if_there(element, "output-corrupt", "true");
    set_if_there(element, "max-errors", "-1");
    if (factory && !strcmp(GST_OBJECT_NAME(factory), "multipartdemux"))
        g_object_set(element, "single-stream", TRUE, NULL); /* else more of them would be waited for */
    if (d->live)
        set_if_there(element, "thread-type", "slice"); /* avdec: a thread a frame holds back as many frames */
}

/** Stretches the duration in an MP4's header as it is read: mp4_head.c says why. */
static GstPadProbeReturn on_source_data(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct pipe_decoder *d = user;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    bool pull = (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_PULL) != 0;
    guint64 start = pull ? GST_PAD_PROBE_INFO_OFFSET(info) : d->pushed;
    GstMapInfo map;
    (void)pad;

    /* A Matroska file with a damaged size in it: the demuxer asks for more than there is, gets less, and ends. */
    if (pull && d->absolute && GST_PAD_PROBE_INFO_SIZE(info) > gst_buffer_get_size(buffer) + BLOCK_AT_LEAST)
        d->broken = true;
    if (!pull) {
        d->pushed += gst_buffer_get_size(buffer);
        pipe_mp4_head_stream(d, buffer, start);
    }
    if (!d->patch_offset || d->patch_offset + d->patch_bytes <= start || d->patch_offset >= start + gst_buffer_get_size(buffer))
        return GST_PAD_PROBE_OK;
    buffer = gst_buffer_make_writable(buffer);
    GST_PAD_PROBE_INFO_DATA(info) = buffer;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READWRITE))
        return GST_PAD_PROBE_OK;
    for (uint32_t i = 0; i < d->patch_bytes; i++) {
        guint64 at = d->patch_offset + i;
        if (at >= start && at - start < map.size)
            map.data[at - start] = (uint8_t)(d->patch_value >> 8 * (d->patch_bytes - 1 - i));
    }
    gst_buffer_unmap(buffer, &map);
    return GST_PAD_PROBE_OK;
}

static void on_source_setup(GstElement *element, GstElement *source, gpointer user)
{
    struct pipe_decoder *d = user;
    GstPad *pad = gst_element_get_static_pad(source, "src");
    (void)element;

    if (pad && !d->image)
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_SCHEDULING | GST_PAD_PROBE_TYPE_BUFFER, on_source_data, d, NULL);
    if (pad)
        gst_object_unref(pad);
    /* The same word means microseconds to rtspsrc. */
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(source), "retries"))
        set_if_there(source, "timeout", "10"); /* souphttpsrc: seconds */
    if (d->live)
        pipe_capture_setup(d, source);
}

void pipe_plug_decodebin(struct pipe_decoder *d, GstElement *decodebin)
{
    g_signal_connect(decodebin, "autoplug-select", G_CALLBACK(on_autoplug_select), NULL);
    g_signal_connect(decodebin, "unknown-type", G_CALLBACK(on_unknown_type), d);
    g_signal_connect(decodebin, "deep-element-added", G_CALLBACK(on_deep_element_added), d);
}

void pipe_plug(struct pipe_decoder *d, GstElement *uridecodebin)
{
    pipe_mp4_head_file(d);
    g_signal_connect(uridecodebin, "autoplug-continue", G_CALLBACK(on_autoplug_continue), NULL);
    pipe_plug_decodebin(d, uridecodebin);
    g_signal_connect(uridecodebin, "source-setup", G_CALLBACK(on_source_setup), d);
}
