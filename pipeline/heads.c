/* SPDX-License-Identifier: Apache-2.0 */
/* What stands at a decoder's head where that is not uridecodebin: the test pattern, and stills that it does not decode. */
#include "decoder.h"

#include <stdio.h>
#include <string.h>

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

bool pipe_decoder_add_test(struct pipe_decoder *d, const char *text, struct segman_error *error)
{
    GstElement *element = make_test(d, text);
    GstPad *pad;
    if (!element)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is not of the form test:WIDTHxHEIGHT@FPS:FRAMES", text);
    gst_bin_add(GST_BIN(d->pipeline), element);
    pad = gst_element_get_static_pad(element, "src");
    pipe_decoder_link(d, pad);
    gst_object_unref(pad);
    d->ready = true;
    return true;
}

bool pipe_decoder_add_pixbuf(struct pipe_decoder *d, struct segman_error *error)
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
    pipe_decoder_link(d, pad);
    gst_object_unref(pad);
    d->ready = true;
    return true;
}
