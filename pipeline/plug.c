/* SPDX-License-Identifier: Apache-2.0 */
/* What decodebin plugs: it decodes video, and parses the other streams no further than to whole packets. */
#include "decoder.h"

#include <stdio.h>
#include <string.h>

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
}

/** head: 32 bytes of a movie header's content, at the given place in the file. */
static void stretch_duration(struct pipe_decoder *d, const uint8_t *head, uint64_t at)
{
    bool wide = head[0] == 1;
    uint64_t scale = GST_READ_UINT32_BE(head + (wide ? 20 : 12));
    uint64_t duration = wide ? GST_READ_UINT64_BE(head + 24) : GST_READ_UINT32_BE(head + 16);

    if (!scale || !duration || duration >= (wide ? UINT64_MAX >> 1 : UINT32_MAX - scale))
        return;
    d->patch_offset = at + (wide ? 24 : 16);
    d->patch_bytes = wide ? 8 : 4;
    d->patch_value = duration + MIN(scale, 2 * duration);
    d->duration_ns = (int64_t)gst_util_uint64_scale(duration, GST_SECOND, scale);
}

/** Finds a box in [*at, end) of the file and leaves *at at its content, *end at its end. */
static bool find_box(FILE *file, const char *type, uint64_t *at, uint64_t *end)
{
    uint8_t head[16];
    while (*at + 8 <= *end && !fseeko(file, (off_t)*at, SEEK_SET) && fread(head, 1, 8, file) == 8) {
        uint64_t size = GST_READ_UINT32_BE(head), header = 8;
        if (size == 1 && fread(head + 8, 1, 8, file) == 8) {
            size = GST_READ_UINT64_BE(head + 8);
            header = 16;
        } else if (size == 0) {
            size = *end - *at;
        }
        if (size < header || size > *end - *at)
            return false;
        if (!memcmp(head + 4, type, 4)) {
            *end = *at + size;
            *at += header;
            return true;
        }
        *at += size;
    }
    return false;
}

/** Whether an MP4's last box should go on behind the end of the file. */
static bool is_cut(FILE *file)
{
    uint64_t at = 0, end, size;
    uint8_t head[16];

    if (fseeko(file, 0, SEEK_END))
        return false;
    end = (uint64_t)ftello(file);
    while (at + 8 <= end) {
        if (fseeko(file, (off_t)at, SEEK_SET) || fread(head, 1, 16, file) < 8 || (!at && memcmp(head + 4, "ftyp", 4)))
            return false;
        size = GST_READ_UINT32_BE(head) == 1 ? GST_READ_UINT64_BE(head + 8) : GST_READ_UINT32_BE(head);
        if (size < 8)
            return false;
        if (size > end - at)
            return true;
        at += size;
    }
    return false;
}

static void find_mp4_duration(struct pipe_decoder *d)
{
    FILE *file = d->path ? fopen(d->path, "rbe") : NULL;
    uint8_t head[32];
    uint64_t at = 0, end;

    if (!file)
        return;
    if (!fseeko(file, 0, SEEK_END) && (end = (uint64_t)ftello(file)) > 16 && find_box(file, "moov", &at, &end) &&
        find_box(file, "mvhd", &at, &end) && end - at >= 32 && !fseeko(file, (off_t)at, SEEK_SET) && fread(head, 1, 32, file) == 32)
        stretch_duration(d, head, at);
    d->cut = is_cut(file);
    fclose(file);
}

/** Where nothing can be read ahead, the header is found as it passes (cut in two by buffers: not at all). */
static void find_in_stream(struct pipe_decoder *d, GstBuffer *buffer, uint64_t start)
{
    GstMapInfo map;
    const uint8_t *found;

    if (d->patch_offset || !gst_buffer_map(buffer, &map, GST_MAP_READ))
        return;
    for (found = map.data; (found = memmem(found, map.size - (size_t)(found - map.data), "moov", 4)); found += 4) {
        size_t at = (size_t)(found - map.data);
        if (at + 44 <= map.size && !memcmp(found + 8, "mvhd", 4)) {
            stretch_duration(d, found + 12, start + at + 12);
            break;
        }
    }
    gst_buffer_unmap(buffer, &map);
}

/*
 * qtdemux ends the whole file when a track's decoding time passes the duration in the file's header, without
 * taking off what an edit list skips at the track's start: the last packet of nearly every AAC track would be
 * lost. So the header that it reads says up to a second more (not more than twice, or it would take the tracks
 * for a preview); each track still ends by its own edit list.
 */
static GstPadProbeReturn on_source_data(GstPad *pad, GstPadProbeInfo *info, gpointer user)
{
    struct pipe_decoder *d = user;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    bool pull = (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_PULL) != 0;
    guint64 start = pull ? GST_PAD_PROBE_INFO_OFFSET(info) : d->pushed;
    GstMapInfo map;
    (void)pad;

    if (!pull) {
        d->pushed += gst_buffer_get_size(buffer);
        find_in_stream(d, buffer, start);
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
    set_if_there(source, "timeout", "10"); /* souphttpsrc: seconds */
}

void pipe_plug(struct pipe_decoder *d, GstElement *uridecodebin)
{
    find_mp4_duration(d);
    g_signal_connect(uridecodebin, "autoplug-continue", G_CALLBACK(on_autoplug_continue), NULL);
    g_signal_connect(uridecodebin, "autoplug-select", G_CALLBACK(on_autoplug_select), NULL);
    g_signal_connect(uridecodebin, "deep-element-added", G_CALLBACK(on_deep_element_added), d);
    g_signal_connect(uridecodebin, "source-setup", G_CALLBACK(on_source_setup), d);
}
