/* SPDX-License-Identifier: Apache-2.0 */
/* One image, or a sequence of them by a pattern or into a folder; PNG by libpng, JPEG by GStreamer. */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

enum target { TARGET_FILE, TARGET_PATTERN, TARGET_FOLDER };

struct image_sink {
    struct pipe_sink base;
    enum target target;
    bool jpeg;
    bool made_folder;
    uint64_t count;
    GHashTable *written;        /* paths of this run, in a folder */
    struct pipe_output pending; /* TARGET_FILE: committed at the end */
    GstVideoConverter *converter;
    GstVideoInfo rgba;
    GstBuffer *in, *out;                     /* planes as given, and as RGBA */
    GstElement *pipeline, *appsrc, *appsink; /* JPEG encoder */
};

/* ---- pixels ---------------------------------------------------------------------------------- */

static bool prepare_pixels(struct image_sink *s)
{
    GstVideoInfo *raw = &s->base.raw;
    if (s->base.params.gray)
        return true;
    gst_video_info_set_format(&s->rgba, GST_VIDEO_FORMAT_RGBA, (guint)raw->width, (guint)raw->height);
    /* Between YUV and RGB only the matrix matters: transfer and primaries stay as they are. */
    s->rgba.fps_n = raw->fps_n;
    s->rgba.fps_d = raw->fps_d;
    s->rgba.colorimetry.transfer = raw->colorimetry.transfer;
    s->rgba.colorimetry.primaries = raw->colorimetry.primaries;
    s->in = gst_buffer_new_allocate(NULL, raw->size, NULL);
    s->out = gst_buffer_new_allocate(NULL, s->rgba.size, NULL);
    s->converter = gst_video_converter_new(
        raw, &s->rgba,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, NULL));
    return s->in && s->out && s->converter;
}

static void drop_pixels(struct image_sink *s)
{
    g_clear_pointer(&s->converter, gst_video_converter_free);
    gst_clear_buffer(&s->in);
    gst_clear_buffer(&s->out);
}

/** Any format to RGBA in s->out. */
static bool convert(struct image_sink *s, const uint8_t *const plane[3], const uint32_t stride[3])
{
    GstVideoFrame in, out;
    if (!gst_video_frame_map(&in, &s->base.raw, s->in, GST_MAP_READWRITE))
        return false;
    pipe_copy_planes(&in, plane, stride, &s->base.raw);
    if (!gst_video_frame_map(&out, &s->rgba, s->out, GST_MAP_WRITE)) {
        gst_video_frame_unmap(&in);
        return false;
    }
    gst_video_converter_frame(s->converter, &in, &out);
    gst_video_frame_unmap(&out);
    gst_video_frame_unmap(&in);
    return true;
}

static bool write_png(struct image_sink *s, const char *path, const char *name, const uint8_t *const plane[3], const uint32_t stride[3],
                      struct segman_error *error)
{
    struct pipe_image image = {.width = (uint32_t)s->base.raw.width, .height = (uint32_t)s->base.raw.height};
    GstVideoFrame frame;
    bool ok;

    if (s->base.params.gray) {
        image.pixels = plane[0];
        image.stride = stride[0];
        image.channels = 1;
        image.palette = s->base.params.palette;
        return pipe_png_write(path, name, &image, error);
    }
    if (!convert(s, plane, stride) || !gst_video_frame_map(&frame, &s->rgba, s->out, GST_MAP_READ))
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "cannot convert a frame for %s", name);
    image.pixels = GST_VIDEO_FRAME_PLANE_DATA(&frame, 0);
    image.stride = (uint32_t)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
    image.channels = 4;
    ok = pipe_png_write(path, name, &image, error);
    gst_video_frame_unmap(&frame);
    return ok;
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

static bool open_jpeg(struct image_sink *s, struct segman_error *error)
{
    GstVideoInfo info;
    GstCaps *caps;

    s->pipeline = gst_parse_launch("appsrc name=in format=time ! jpegenc quality=92 ! appsink name=out sync=false", NULL);
    if (!s->pipeline)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED,
                           "no encoder for JPEG works here: the Debian package gstreamer1.0-plugins-good brings"
                           " jpegenc");
    s->appsrc = gst_bin_get_by_name(GST_BIN(s->pipeline), "in");
    s->appsink = gst_bin_get_by_name(GST_BIN(s->pipeline), "out");
    /* RGB in, so that libjpeg itself makes the full-range BT.601 that JPEG is by definition. */
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGBx, (guint)s->rgba.width, (guint)s->rgba.height);
    info.fps_n = 25;
    info.fps_d = 1;
    caps = gst_video_info_to_caps(&info);
    g_object_set(s->appsrc, "caps", caps, NULL);
    gst_caps_unref(caps);
    gst_element_set_state(s->pipeline, GST_STATE_PLAYING);
    return true;
}

static void close_jpeg(struct image_sink *s)
{
    if (s->pipeline)
        gst_element_set_state(s->pipeline, GST_STATE_NULL);
    g_clear_object(&s->appsrc);
    g_clear_object(&s->appsink);
    g_clear_object(&s->pipeline);
}

static bool write_jpeg(struct image_sink *s, const char *path, const char *name, const uint8_t *const plane[3], const uint32_t stride[3],
                       struct segman_error *error)
{
    GstSample *sample = NULL;
    GstMapInfo map;
    GstBuffer *frame;
    GError *failure = NULL;
    bool ok = false;

    if (!convert(s, plane, stride))
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "cannot convert a frame for %s", name);
    frame = gst_buffer_copy_deep(s->out);
    GST_BUFFER_PTS(frame) = s->count * GST_SECOND;
    if (gst_app_src_push_buffer(GST_APP_SRC(s->appsrc), frame) == GST_FLOW_OK)
        sample = gst_app_sink_try_pull_sample(GST_APP_SINK(s->appsink), 30 * GST_SECOND);
    if (!sample || !gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ)) {
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "cannot write %s: the JPEG encoder failed", name);
    } else {
        ok = g_file_set_contents_full(path, (const char *)map.data, (gssize)map.size, G_FILE_SET_CONTENTS_NONE, 0666, &failure);
        gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    }
    if (failure)
        segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", name,
                    g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? "the disk is full" : failure->message);
    g_clear_error(&failure);
    if (sample)
        gst_sample_unref(sample);
    return ok;
}

/* ---- names ----------------------------------------------------------------------------------- */

/** Path of a frame in a folder: the source's stem, or a number. */
static char *folder_path(struct image_sink *s, const char *name)
{
    char *stem, *file, *path, *dot;
    if (!name || !*name)
        file = g_strdup_printf("frame-%06" G_GUINT64_FORMAT ".png", s->count + 1);
    else {
        stem = g_strdup(name);
        dot = strrchr(stem, '.');
        if (dot && dot != stem)
            *dot = 0;
        file = g_strdup_printf("%s.png", stem);
        path = g_build_filename(s->base.path, file, NULL);
        if (g_hash_table_contains(s->written, path)) { /* a.jpg and a.png of one folder */
            g_free(file);
            file = g_strdup_printf("%s.png", name);
        }
        g_free(path);
        g_free(stem);
    }
    path = g_build_filename(s->base.path, file, NULL);
    g_free(file);
    return path;
}

static char *frame_path(struct image_sink *s, const char *name)
{
    return s->target == TARGET_FOLDER ? folder_path(s, name) : pipe_pattern_name(s->base.path, s->count + 1);
}

static bool write_file(struct image_sink *s, const char *path, const char *name, const uint8_t *const plane[3], const uint32_t stride[3],
                       struct segman_error *error)
{
    return s->jpeg ? write_jpeg(s, path, name, plane, stride, error) : write_png(s, path, name, plane, stride, error);
}

static bool write_one_of_many(struct image_sink *s, const uint8_t *const plane[3], const uint32_t stride[3], const char *name,
                              struct segman_error *error)
{
    char *path = frame_path(s, name);
    struct pipe_output output = {0};
    const char *file = s->base.params.source ? pipe_source_file(s->base.params.source) : NULL;
    bool ok = false;

    if (file && pipe_same_file(file, path))
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "the output %s is the input itself", path);
    else
        ok = pipe_output_open(&output, path, s->base.params.overwrite, error) &&
             write_file(s, output.temporary, path, plane, stride, error) && pipe_output_commit(&output, error);
    pipe_output_finish(&output);
    if (ok)
        g_hash_table_add(s->written, path);
    else
        g_free(path);
    return ok;
}

static bool image_write(struct pipe_sink *sink, const uint8_t *const plane[3], const uint32_t stride[3], int64_t pts_ns,
                        int64_t duration_ns, const char *name, struct segman_error *error)
{
    struct image_sink *s = (struct image_sink *)sink;
    bool ok;
    (void)pts_ns, (void)duration_ns;

    if (s->target == TARGET_FILE && s->count)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s holds one image, and there are more: use a pattern like frame-%%04d.png",
                           sink->path);
    ok = s->target == TARGET_FILE ? write_file(s, s->pending.temporary, sink->path, plane, stride, error)
                                  : write_one_of_many(s, plane, stride, name, error);
    s->count += ok;
    return ok;
}

static bool image_close(struct pipe_sink *sink, struct segman_error *error)
{
    struct image_sink *s = (struct image_sink *)sink;
    if (s->target == TARGET_FILE && !s->count)
        return segman_fail(error, SEGMAN_ERROR_IO, "nothing was written to %s: there was no frame", sink->path);
    s->made_folder = s->made_folder && !s->count;
    return s->target != TARGET_FILE || pipe_output_commit(&s->pending, error);
}

static void image_destroy(struct pipe_sink *sink)
{
    struct image_sink *s = (struct image_sink *)sink;
    close_jpeg(s);
    drop_pixels(s);
    g_clear_pointer(&s->written, g_hash_table_unref);
    pipe_output_finish(&s->pending);
    if (s->made_folder)
        g_rmdir(sink->path); /* only where it is empty */
    pipe_sink_finish(sink);
    g_free(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

/** Whether a folder has anything but hidden files in it. */
static bool is_filled(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    bool filled = false;
    while (dir && !filled && (name = g_dir_read_name(dir)))
        filled = name[0] != '.';
    if (dir)
        g_dir_close(dir);
    return filled;
}

static bool open_folder(struct image_sink *s, struct segman_error *error)
{
    const char *path = s->base.path;
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        if (!s->base.params.overwrite && is_filled(path))
            return segman_fail(error, SEGMAN_ERROR_IO, "the folder %s is not empty (-y writes into it)", path);
    } else if (g_mkdir(path, 0777)) {
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot make the folder %s: %s", path, g_strerror(errno));
    } else {
        s->made_folder = true;
    }
    return !access(path, W_OK | X_OK) ||
           segman_fail(error, SEGMAN_ERROR_IO, "cannot write into the folder %s: %s", path, g_strerror(errno));
}

static bool open_pattern(struct image_sink *s, struct segman_error *error)
{
    char *first = pipe_pattern_name(s->base.path, 1), *folder = g_path_get_dirname(first);
    bool ok = true;
    if (!s->base.params.overwrite && g_file_test(first, G_FILE_TEST_EXISTS))
        ok = segman_fail(error, SEGMAN_ERROR_IO, "%s exists already (-y overwrites it)", first);
    else if (access(folder, W_OK | X_OK))
        ok = segman_fail(error, SEGMAN_ERROR_IO, "cannot write into the folder %s: %s", folder, g_strerror(errno));
    g_free(first);
    g_free(folder);
    return ok;
}

static bool open_target(struct image_sink *s, struct segman_error *error)
{
    const char *path = s->base.path;
    if (g_str_has_suffix(path, "/") || g_file_test(path, G_FILE_TEST_IS_DIR)) {
        s->target = TARGET_FOLDER;
        return open_folder(s, error);
    }
    if (pipe_is_pattern(path)) {
        s->target = TARGET_PATTERN;
        return open_pattern(s, error);
    }
    s->target = TARGET_FILE;
    return pipe_output_open(&s->pending, path, s->base.params.overwrite, error);
}

static void describe(struct image_sink *s)
{
    static const char *const places[] = {[TARGET_FILE] = "image", [TARGET_PATTERN] = "images", [TARGET_FOLDER] = "images in a folder"};
    g_snprintf(s->base.description, sizeof s->base.description, "%s %s",
               s->jpeg                                         ? "JPEG"
               : s->base.params.gray && s->base.params.palette ? "indexed PNG"
               : s->base.params.gray                           ? "gray PNG"
                                                               : "PNG",
               places[s->target]);
}

/** Pixels and encoder for the size and format that the sink has. */
static bool prepare(struct image_sink *s, struct segman_error *error)
{
    if (!prepare_pixels(s))
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "cannot prepare frames for %s", s->base.path);
    return !s->jpeg || open_jpeg(s, error);
}

static bool image_change(struct pipe_sink *sink, struct segman_error *error)
{
    struct image_sink *s = (struct image_sink *)sink;
    close_jpeg(s);
    drop_pixels(s);
    return prepare(s, error);
}

struct pipe_sink *pipe_sink_image_create(const struct pipe_sink_params *params, struct segman_error *error)
{
    static const struct pipe_sink_ops ops = {image_write, image_change, image_close, image_destroy};
    struct image_sink *s = g_new0(struct image_sink, 1);
    char *lower = g_ascii_strdown(params->output, -1);

    s->written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->jpeg = g_str_has_suffix(lower, ".jpg") || g_str_has_suffix(lower, ".jpeg");
    g_free(lower);
    if (!pipe_sink_init(&s->base, &ops, params, error))
        goto fail;
    if (s->jpeg && params->gray) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "labels must be kept exactly, which %s cannot: use .png or .mkv", params->output);
        goto fail;
    }
    if (!prepare(s, error) || !open_target(s, error))
        goto fail;
    describe(s);
    return &s->base;
fail:
    image_destroy(&s->base);
    return NULL;
}
