/* SPDX-License-Identifier: Apache-2.0 */
#include "media.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE (120 * GST_SECOND)

/* ---- pictures ------------------------------------------------------------------------------------------- */

/*
 * When a picture or packet is shown. QuickTime's edit lists move what the packets say; Matroska's packets say it
 * themselves (its reader takes the first picture's time away again).
 */
static gint64 time_of(const struct media *media, GstSample *sample)
{
    GstClockTime pts = GST_BUFFER_PTS(gst_sample_get_buffer(sample));

    return (gint64)(media->edited ? gst_segment_to_stream_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, pts) : pts);
}

static GBytes *copy_rows(GstSample *sample, const GstVideoInfo *info)
{
    GstVideoFrame frame;
    GByteArray *bytes = g_byte_array_new();

    if (gst_video_frame_map(&frame, info, gst_sample_get_buffer(sample), GST_MAP_READ)) {
        guint row = (guint)(GST_VIDEO_FRAME_WIDTH(&frame) * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, 0));
        for (int y = 0; y < GST_VIDEO_FRAME_HEIGHT(&frame); y++)
            g_byte_array_append(bytes, (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0),
                                row);
        gst_video_frame_unmap(&frame);
    }
    return g_byte_array_free_to_bytes(bytes);
}

static void take_picture(struct media *media, GstSample *sample, gboolean pixels)
{
    GstVideoInfo info;
    gint64 time = time_of(media, sample);

    if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample))) {
        media->width = (guint)info.width;
        media->height = (guint)info.height;
        g_strlcpy(media->format, GST_VIDEO_INFO_NAME(&info), sizeof media->format);
        if (pixels)
            g_ptr_array_add(media->frames, copy_rows(sample, &info));
    }
    g_array_append_val(media->times, time);
}

static void take_packet(struct media *media, GByteArray *sound, GstSample *sample)
{
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    gint64 time = time_of(media, sample);
    GstMapInfo map;

    if (gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        g_byte_array_append(sound, map.data, (guint)map.size);
        gst_buffer_unmap(buffer, &map);
    }
    g_array_append_val(media->audio_times, time);
}

/* ---- streams -------------------------------------------------------------------------------------------- */

/* Watches tags and errors; true at the end of the streams. */
static gboolean read_bus(GstElement *pipeline, struct media *media, gboolean *failed)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    gboolean ended = FALSE;
    GstMessage *message;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_EOS | GST_MESSAGE_TAG))) {
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_TAG) {
            GstTagList *tags = NULL;
            char *orientation = NULL;
            gst_message_parse_tag(message, &tags);
            if (gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &orientation))
                media->rotated |= strcmp(orientation, "rotate-0") != 0;
            g_free(orientation);
            gst_tag_list_unref(tags);
        } else {
            *failed |= GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR;
            ended = TRUE;
        }
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    return ended;
}

/* Pulls one stream to its end. kind: which pads of `chain` are taken. */
static gboolean drain(struct media *media, const char *chain, const char *path, gboolean pixels, GByteArray *sound)
{
    g_autofree char *description = g_strdup_printf("filesrc name=file ! %s ! appsink name=out sync=false max-buffers=4", chain);
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);
    GstElement *file = pipeline ? gst_bin_get_by_name(GST_BIN(pipeline), "file") : NULL;
    GstElement *out = pipeline ? gst_bin_get_by_name(GST_BIN(pipeline), "out") : NULL;
    gboolean failed = FALSE, ended = FALSE;

    if (!out) {
        printf("  %s\n", error ? error->message : "no pipeline");
        g_clear_error(&error);
        return FALSE;
    }
    g_clear_error(&error);
    g_object_set(file, "location", path, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (gint64 idle = 0; !ended && idle < (gint64)PATIENCE; idle += GST_SECOND / 10) {
        GstSample *sample;
        while ((sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), GST_SECOND / 10))) {
            if (sound)
                take_packet(media, sound, sample);
            else
                take_picture(media, sample, pixels);
            gst_sample_unref(sample);
            idle = 0;
        }
        ended = read_bus(pipeline, media, &failed) || gst_app_sink_is_eos(GST_APP_SINK(out));
    }
    read_bus(pipeline, media, &failed);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(file);
    gst_object_unref(out);
    gst_object_unref(pipeline);
    return ended && !failed;
}

static gboolean has_sound(const char *path)
{
    g_autofree char *uri = g_filename_to_uri(path, NULL, NULL);
    GstDiscoverer *discoverer = gst_discoverer_new(30 * GST_SECOND, NULL);
    GstDiscovererInfo *info = uri && discoverer ? gst_discoverer_discover_uri(discoverer, uri, NULL) : NULL;
    GList *streams = info ? gst_discoverer_info_get_audio_streams(info) : NULL;
    gboolean found = streams != NULL;

    gst_discoverer_stream_info_list_free(streams);
    if (info)
        gst_discoverer_info_unref(info);
    if (discoverer)
        g_object_unref(discoverer);
    return found;
}

void media_read(struct media *media, const char *path, gboolean pixels)
{
    GByteArray *sound = g_byte_array_new();

    *media = (struct media){.edited = g_str_has_suffix(path, ".mp4"),
                            .times = g_array_new(FALSE, FALSE, sizeof(gint64)),
                            .frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
                            .audio_times = g_array_new(FALSE, FALSE, sizeof(gint64))};
    media->readable = drain(media, pixels ? "decodebin ! video/x-raw,format=(string){GRAY8,RGB,RGBA,BGRx}" : "decodebin ! video/x-raw",
                            path, pixels, NULL);
    if (has_sound(path))
        drain(media, "parsebin ! audio/x-raw;audio/mpeg;audio/x-opus;audio/x-vorbis;audio/x-flac;audio/x-ac3", path, FALSE, sound);
    media->audio = g_byte_array_free_to_bytes(sound);
}

void media_clear(struct media *media)
{
    g_array_unref(media->times);
    g_ptr_array_unref(media->frames);
    g_bytes_unref(media->audio);
    g_array_unref(media->audio_times);
    *media = (struct media){0};
}

gboolean media_make(const char *description)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);
    GstBus *bus = pipeline ? gst_element_get_bus(pipeline) : NULL;
    GstMessage *message = NULL;
    gboolean good;

    if (error)
        printf("  %s\n", error->message);
    g_clear_error(&error);
    if (!bus)
        return FALSE;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    good = message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    if (message)
        gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return good;
}

GBytes *png_indices(const char *path)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    GByteArray *bytes = g_byte_array_new();
    FILE *file = fopen(path, "rb");

    if (file && setjmp(png_jmpbuf(png)) == 0) {
        png_init_io(png, file);
        png_read_png(png, info, PNG_TRANSFORM_PACKING, NULL);
        png_bytep *rows = png_get_rows(png, info);
        gboolean plain = png_get_channels(png, info) == 1 && png_get_bit_depth(png, info) == 8;
        for (png_uint_32 y = 0; plain && y < png_get_image_height(png, info); y++)
            g_byte_array_append(bytes, rows[y], png_get_image_width(png, info));
    }
    png_destroy_read_struct(&png, &info, NULL);
    if (file)
        fclose(file);
    return g_byte_array_free_to_bytes(bytes);
}
