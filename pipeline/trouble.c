/* SPDX-License-Identifier: Apache-2.0 */
/* GStreamer's messages in plain words, naming the file and the package that would help. */
#include "internal.h"

#include <string.h>

#include <gst/pbutils/pbutils.h>

struct package {
    const char *caps; /* prefix of the caps' name */
    const char *name;
};

/* Decoders that Debian's gstreamer1.0-libav lacks, or has only besides the usual one. */
static const struct package decoders[] = {
    {"video/x-vp8", "gstreamer1.0-plugins-good"},    {"video/x-vp9", "gstreamer1.0-plugins-good"},
    {"image/png", "gstreamer1.0-plugins-good"},      {"image/jpeg", "gstreamer1.0-plugins-good"},
    {"video/x-av1", "gstreamer1.0-plugins-bad"},     {"image/webp", "gstreamer1.0-plugins-bad"},
    {"video/x-theora", "gstreamer1.0-plugins-base"}, {"image/svg", "gstreamer1.0-plugins-bad"},
    {"image/x-exr", "gstreamer1.0-plugins-bad"},     {"image/x-jpc", "gstreamer1.0-plugins-bad"},
};
static const struct package demuxers[] = {
    {"video/quicktime", "gstreamer1.0-plugins-good"},  {"audio/x-m4a", "gstreamer1.0-plugins-good"},
    {"video/x-matroska", "gstreamer1.0-plugins-good"}, {"video/webm", "gstreamer1.0-plugins-good"},
    {"video/x-msvideo", "gstreamer1.0-plugins-good"},  {"video/x-flv", "gstreamer1.0-plugins-good"},
    {"application/ogg", "gstreamer1.0-plugins-base"},  {"video/mpegts", "gstreamer1.0-plugins-bad"},
    {"video/mpeg", "gstreamer1.0-plugins-bad"},        {"video/x-ms-asf", "gstreamer1.0-plugins-ugly"},
};

static const char *look_up(const struct package *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (g_str_has_prefix(name, table[i].caps))
            return table[i].name;
    return NULL;
}

const char *pipe_package_for_caps(const GstCaps *caps, bool demuxer)
{
    const char *name = caps && gst_caps_get_size(caps) ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    const char *found = look_up(demuxers, G_N_ELEMENTS(demuxers), name);
    if (!demuxer || !found)
        found = look_up(decoders, G_N_ELEMENTS(decoders), name);
    if (!found)
        found = look_up(demuxers, G_N_ELEMENTS(demuxers), name);
    return found ? found : "gstreamer1.0-libav";
}

static void note_missing(struct pipe_trouble *trouble, GstMessage *message)
{
    const GstStructure *s = gst_message_get_structure(message);
    const char *type = gst_structure_get_string(s, "type");
    char *text = gst_missing_plugin_message_get_description(message);
    GstCaps *caps = NULL;

    /* A missing decoder of a stream that is passed through undecoded is no trouble: decodebin does not ask for
     * one then. Video's comes last, so the last message counts. */
    if (gst_structure_get(s, "detail", GST_TYPE_CAPS, &caps, NULL) && caps) {
        const char *name = gst_caps_get_size(caps) ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
        if (strstr(name, "/gst-libav-")) { /* libav recognised the file, and nobody decodes it: no package would */
            gst_caps_unref(caps);
            g_free(text);
            return;
        }
        g_strlcpy(trouble->package, pipe_package_for_caps(caps, false), sizeof trouble->package);
        gst_caps_unref(caps);
    } else {
        g_strlcpy(trouble->package, type && strstr(type, "urisource") ? "gstreamer1.0-plugins-good" : "gstreamer1.0-libav",
                  sizeof trouble->package);
    }
    g_strlcpy(trouble->missing, text ? text : "a plugin", sizeof trouble->missing);
    g_free(text);
}

void pipe_trouble_unknown(struct pipe_trouble *trouble, const GstCaps *caps)
{
    const char *name = gst_caps_get_size(caps) ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    char *text;
    if ((!g_str_has_prefix(name, "video/") && !g_str_has_prefix(name, "image/")) || strstr(name, "/gst-libav-"))
        return;
    text = gst_pb_utils_get_decoder_description(caps);
    g_strlcpy(trouble->missing, text ? text : "a decoder", sizeof trouble->missing);
    g_strlcpy(trouble->package, pipe_package_for_caps(caps, false), sizeof trouble->package);
    g_free(text);
}

/** Where nobody answers, souphttpsrc of GStreamer 1.22 keeps the reason to itself, and basesrc's words mislead. */
static bool is_silent_http(GstMessage *message, const GError *failure)
{
    GstObject *source = GST_MESSAGE_SRC(message);
    char *uri = GST_IS_URI_HANDLER(source) ? gst_uri_handler_get_uri(GST_URI_HANDLER(source)) : NULL;
    bool http = uri && (gst_uri_has_protocol(uri, "http") || gst_uri_has_protocol(uri, "https"));
    g_free(uri);
    return http && g_error_matches(failure, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
}

static void note_error(struct pipe_trouble *trouble, GstMessage *message)
{
    GError *failure = NULL;
    char *debug = NULL;
    if (trouble->error)
        return;
    gst_message_parse_error(message, &failure, &debug);
    trouble->error = true;
    trouble->busy = g_error_matches(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY) || (debug && strstr(debug, "resource busy"));
    trouble->domain = failure->domain;
    trouble->code = failure->code;
    g_strlcpy(trouble->text, failure->message, sizeof trouble->text);
    if (is_silent_http(message, failure)) {
        trouble->domain = GST_RESOURCE_ERROR;
        trouble->code = GST_RESOURCE_ERROR_OPEN_READ;
        g_strlcpy(trouble->text, "there is no connection, or it broke off", sizeof trouble->text);
    }
    /* One sentence without a full stop, like ours. */
    for (size_t n = strlen(trouble->text); n && (trouble->text[n - 1] == '.' || trouble->text[n - 1] == '\n'); n--)
        trouble->text[n - 1] = 0;
    g_clear_error(&failure);
    g_free(debug);
}

void pipe_trouble_message(struct pipe_trouble *trouble, GstMessage *message)
{
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        note_error(trouble, message);
    else if (gst_is_missing_plugin_message(message))
        note_missing(trouble, message);
}

bool pipe_trouble_input(const struct pipe_trouble *t, const char *name, struct segman_error *error)
{
    if (t->missing[0])
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s needs %s, which is not installed (Debian package %s)", name, t->missing,
                           t->package);
    if (t->domain == GST_STREAM_ERROR && (t->code == GST_STREAM_ERROR_TYPE_NOT_FOUND || t->code == GST_STREAM_ERROR_WRONG_TYPE))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s is neither video nor image (its content was not recognised)", name);
    if (t->domain == GST_STREAM_ERROR)
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "%s is damaged or of an unknown kind: %s", name, t->text);
    if (t->domain == GST_RESOURCE_ERROR)
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot read %s: %s", name, t->text);
    return segman_fail(error, SEGMAN_ERROR_IO, "%s cannot be played: %s", name, t->text[0] ? t->text : "no reason given");
}

bool pipe_trouble_output(const struct pipe_trouble *t, const char *name, struct segman_error *error)
{
    if (t->domain == GST_RESOURCE_ERROR && t->code == GST_RESOURCE_ERROR_NO_SPACE_LEFT)
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: the disk is full", name);
    if (t->domain == GST_RESOURCE_ERROR)
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", name, t->text);
    return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "cannot write %s: %s", name, t->text[0] ? t->text : "no reason given");
}
