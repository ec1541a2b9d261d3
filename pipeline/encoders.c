/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of containers and encoders, and the choice among those that work here. */
#include "internal.h"

#include <string.h>

/* codecs: all that fit; the first automatic ones are tried in order when none is asked for. */
static const struct pipe_container containers[] = {
    {".mp4", "MP4", "mp4mux", "h264", "h264,h265,av1", true},
    {".m4v", "MP4", "mp4mux", "h264", "h264,h265,av1", true},
    {".mov", "QuickTime", "qtmux", "h264", "h264,h265", true},
    {".mkv", "Matroska", "matroskamux", "h264,vp9,vp8", "h264,vp9,vp8,ffv1,h265,av1", false},
    {".webm", "WebM", "webmmux", "vp9,vp8", "vp9,vp8,av1", false},
};

#define VPX "deadline=1 cpu-used=5 threads=8 keyframe-max-dist=128 timebase=1/90000 end-usage="
/* Best first: hardware, then software by quality. */
static const struct pipe_encoder encoders[] = {
    {"h264", "H.264", "nvh264enc", "gstreamer1.0-plugins-bad", "", "", "bitrate", 1000, true, true, true, "h264parse"},
    {"h264", "H.264", "vah264enc", "gstreamer1.0-plugins-bad", "rate-control=vbr", "rate-control=vbr", "bitrate", 1000, true, true, true,
     "h264parse"},
    {"h264", "H.264", "vah264lpenc", "gstreamer1.0-plugins-bad", "rate-control=vbr", "rate-control=vbr", "bitrate", 1000, true, true, true,
     "h264parse"},
    {"h264", "H.264", "qsvh264enc", "gstreamer1.0-plugins-bad", "", "", "bitrate", 1000, true, true, true, "h264parse"},
    {"h264", "H.264", "v4l2h264enc", "gstreamer1.0-plugins-good", "", "", NULL, 1, true, false, true, "h264parse"},
    {"h264", "H.264", "x264enc", "gstreamer1.0-plugins-ugly", "speed-preset=veryfast pass=qual quantizer=20",
     "speed-preset=veryfast pass=cbr", "bitrate", 1000, true, false, false, NULL},
    {"h264", "H.264", "openh264enc", "gstreamer1.0-plugins-bad", "rate-control=quality complexity=medium",
     "rate-control=bitrate complexity=medium", "bitrate", 1, true, true, true, "h264parse"},
    {"h265", "H.265", "nvh265enc", "gstreamer1.0-plugins-bad", "", "", "bitrate", 1000, true, true, true, "h265parse"},
    {"h265", "H.265", "vah265enc", "gstreamer1.0-plugins-bad", "rate-control=vbr", "rate-control=vbr", "bitrate", 1000, true, true, true,
     "h265parse"},
    {"h265", "H.265", "qsvh265enc", "gstreamer1.0-plugins-bad", "", "", "bitrate", 1000, true, true, true, "h265parse"},
    {"h265", "H.265", "v4l2h265enc", "gstreamer1.0-plugins-good", "", "", NULL, 1, true, false, true, "h265parse"},
    {"h265", "H.265", "x265enc", "gstreamer1.0-plugins-bad", "speed-preset=veryfast option-string=crf=22:log-level=none",
     "speed-preset=veryfast option-string=log-level=none", "bitrate", 1000, true, false, true, "h265parse"},
    {"av1", "AV1", "nvav1enc", "gstreamer1.0-plugins-bad", "", "", "bitrate", 1000, true, true, true, "av1parse"},
    {"av1", "AV1", "vaav1enc", "gstreamer1.0-plugins-bad", "rate-control=vbr", "rate-control=vbr", "bitrate", 1000, true, true, true,
     "av1parse"},
    {"av1", "AV1", "svtav1enc", "gstreamer1.0-plugins-bad", "preset=9 crf=30", "preset=9", "target-bitrate", 1000, true, false, true,
     "av1parse"},
    {"av1", "AV1", "av1enc", "gstreamer1.0-plugins-bad", "cpu-used=8 usage-profile=realtime end-usage=vbr",
     "cpu-used=8 usage-profile=realtime end-usage=vbr", "target-bitrate", 1000, false, true, false, "av1parse"},
    {"vp9", "VP9", "vp9enc", "gstreamer1.0-plugins-good", VPX "vbr row-mt=true tile-columns=2", VPX "vbr row-mt=true tile-columns=2",
     "target-bitrate", 1, false, true, false, NULL},
    {"vp8", "VP8", "vp8enc", "gstreamer1.0-plugins-good", VPX "vbr", VPX "vbr", "target-bitrate", 1, false, true, false, NULL},
    {"ffv1", "FFV1", "avenc_ffv1", "gstreamer1.0-libav", "", "", NULL, 1, false, false, false, NULL},
};

const struct pipe_container *pipe_container_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < G_N_ELEMENTS(containers); i++)
        if (!g_ascii_strcasecmp(dot, containers[i].extension))
            return &containers[i];
    return NULL;
}

/** Whether a comma-separated list holds the word. */
static bool lists(const char *list, const char *word)
{
    char **words = g_strsplit(list, ",", -1);
    bool found = g_strv_contains((const char *const *)words, word);
    g_strfreev(words);
    return found;
}

static void set_properties(GstElement *element, const char *text)
{
    char **pairs = g_strsplit(text, " ", -1);
    for (char **pair = pairs; *pair; pair++) {
        char *value = strchr(*pair, '=');
        if (!value)
            continue;
        *value++ = 0;
        if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), *pair)) /* versions differ */
            gst_util_set_object_arg(G_OBJECT(element), *pair, value);
    }
    g_strfreev(pairs);
}

static uint64_t greatest(const GParamSpec *property)
{
    if (G_IS_PARAM_SPEC_UINT(property))
        return G_PARAM_SPEC_UINT(property)->maximum;
    return G_IS_PARAM_SPEC_INT(property) ? (uint64_t)G_PARAM_SPEC_INT(property)->maximum : G_MAXINT32;
}

static void set_bitrate(GstElement *element, const struct pipe_encoder *encoder, uint64_t bitrate)
{
    GParamSpec *property = encoder->bitrate ? g_object_class_find_property(G_OBJECT_GET_CLASS(element), encoder->bitrate) : NULL;
    char text[24];
    if (!property)
        return;
    g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, CLAMP(bitrate / encoder->unit, 1, greatest(property)));
    gst_util_set_object_arg(G_OBJECT(element), encoder->bitrate, text);
}

/** Good quality for what a camera sees: 0.15 bits a pixel. */
static uint64_t usual_bitrate(const GstCaps *raw)
{
    GstVideoInfo info;
    double fps = 30;
    if (!gst_video_info_from_caps(&info, raw))
        return 2000000;
    if (info.fps_n > 0 && info.fps_d > 0)
        fps = (double)info.fps_n / info.fps_d;
    return (uint64_t)(MIN(MAX(fps, 5), 120) * info.width * info.height * 0.15) + 100000;
}

/** Whether frames of this size fit the element's sink. */
static bool takes(GstElement *element, const GstCaps *raw)
{
    GstPad *pad = gst_element_get_static_pad(element, "sink");
    GstCaps *allowed = gst_pad_query_caps(pad, NULL), *size = gst_caps_new_empty_simple("video/x-raw");
    const GstStructure *s = gst_caps_get_structure(raw, 0);
    bool ok;

    gst_caps_set_value(size, "width", gst_structure_get_value(s, "width"));
    gst_caps_set_value(size, "height", gst_structure_get_value(s, "height"));
    ok = gst_caps_can_intersect(allowed, size);
    gst_caps_unref(size);
    gst_caps_unref(allowed);
    gst_object_unref(pad);
    return ok;
}

/** An encoder that is installed and whose device is there. */
static GstElement *try_encoder(const struct pipe_encoder *encoder, const GstCaps *raw)
{
    GstElement *element = gst_element_factory_make(encoder->element, NULL);
    GstElementFactory *parser = encoder->parser ? gst_element_factory_find(encoder->parser) : NULL;
    bool ok = element && (!encoder->parser || parser);

    if (parser)
        gst_object_unref(parser);
    if (!element)
        return NULL;
    gst_object_ref_sink(element);
    ok = ok && gst_element_set_state(element, GST_STATE_READY) == GST_STATE_CHANGE_SUCCESS && takes(element, raw);
    gst_element_set_state(element, GST_STATE_NULL);
    if (!ok)
        g_clear_object(&element);
    return element;
}

static GstElement *try_codec(const char *codec, const GstCaps *raw, const struct pipe_encoder **chosen)
{
    GstElement *element = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(encoders) && !element; i++) {
        if (strcmp(encoders[i].codec, codec) && strcmp(encoders[i].element, codec))
            continue;
        element = try_encoder(&encoders[i], raw);
        *chosen = &encoders[i];
    }
    return element;
}

/** The software encoder that stands for a codec in messages: the last but fallbacks that Debian has in a package of its own. */
static bool fail_missing(const char *codec, struct segman_error *error)
{
    const struct pipe_encoder *best = NULL;
    static const char *const usual[] = {"x264enc", "x265enc", "av1enc", "vp9enc", "vp8enc", "avenc_ffv1"};

    for (size_t i = 0; i < G_N_ELEMENTS(encoders); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(usual); j++)
            if ((!strcmp(encoders[i].codec, codec) || !strcmp(encoders[i].element, codec)) &&
                (!strcmp(encoders[i].element, usual[j]) || !strcmp(encoders[i].element, codec)))
                best = &encoders[i];
    if (!best)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "unknown codec %s (there are h264, h265, av1, vp9, vp8 and ffv1)", codec);
    return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "no encoder for %s works here: the Debian package %s brings %s", best->label,
                       best->package, best->element);
}

/** The codec's name of what the user asked for: a codec, or an element of the table. */
static const char *codec_of(const char *asked)
{
    for (size_t i = 0; i < G_N_ELEMENTS(encoders); i++)
        if (!strcmp(encoders[i].element, asked))
            return encoders[i].codec;
    return asked;
}

GstElement *pipe_encoder_create(const struct pipe_container *container, const char *codec, const GstCaps *raw, uint32_t bitrate,
                                const struct pipe_encoder **chosen, struct segman_error *error)
{
    GstElement *element = NULL;
    bool automatic = !codec || !*codec || !strcmp(codec, "auto");
    char **names = g_strsplit(automatic ? container->automatic : codec, ",", -1);

    for (char **name = names; *name && !element; name++)
        element = try_codec(*name, raw, chosen);
    if (!element)
        fail_missing(names[0], error);
    if (element && !lists(container->codecs, codec_of(names[0]))) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s files cannot hold %s (but %s)", container->name, (*chosen)->label, container->codecs);
        g_clear_object(&element);
    }
    if (element) {
        set_properties(element, bitrate ? (*chosen)->rated : (*chosen)->quality);
        if (bitrate || (*chosen)->needs_rate)
            set_bitrate(element, *chosen, bitrate ? bitrate : usual_bitrate(raw));
        if (bitrate && !(*chosen)->bitrate)
            pipe_log(SEGMAN_LOG_WARNING, "%s has no bitrate to be set", (*chosen)->element);
    }
    g_strfreev(names);
    return element;
}
