/* SPDX-License-Identifier: Apache-2.0 */
/* The public sink: finds out what kind of output is meant, and refuses what would harm the input. */
#include "internal.h"

#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !g_ascii_strcasecmp(text + n - m, end);
}

bool pipe_output_is_image(const char *path)
{
    return ends_with(path, "/") || ends_with(path, ".png") || ends_with(path, ".jpg") || ends_with(path, ".jpeg") ||
           g_file_test(path, G_FILE_TEST_IS_DIR);
}

/** Whether writing the output would overwrite the input. */
static bool is_input(const struct pipe_sink_params *params)
{
    const struct pipe_input *input = params->source ? pipe_source_input(params->source) : NULL;
    if (!input || !input->path)
        return false;
    return !strcmp(input->path, params->output) || pipe_same_file(input->path, params->output);
}

/** What the planes are from now on. */
static bool set_format(struct pipe_sink *sink, const struct segman_frame_format *format, struct segman_error *error)
{
    const struct pipe_sink_params *params = &sink->params;
    GstVideoFormat raw = params->gray ? GST_VIDEO_FORMAT_GRAY8 : pipe_gst_format(format->format);

    sink->params.format = *format;
    if (!format->width || !format->height || format->width > 16384 || format->height > 16384 ||
        !gst_video_info_set_format(&sink->raw, raw, format->width, format->height))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "cannot write frames of %" G_GUINT32_FORMAT "x%" G_GUINT32_FORMAT " pixels",
                           format->width, format->height);
    sink->raw.fps_n = (int)params->fps_num;
    sink->raw.fps_d = MAX((int)params->fps_den, 1);
    if (!params->gray) {
        const struct pipe_source_info *info = params->source ? pipe_source_info(params->source) : NULL;
        pipe_colorimetry(&sink->raw.colorimetry, format, info ? info->colorimetry : NULL);
        if (GST_VIDEO_INFO_IS_YUV(&sink->raw))
            sink->raw.chroma_site = pipe_chroma_site(format->site);
    }
    if (params->source) {
        sink->raw.par_n = (int)pipe_source_info(params->source)->par_num;
        sink->raw.par_d = (int)pipe_source_info(params->source)->par_den;
    }
    return true;
}

bool pipe_sink_init(struct pipe_sink *sink, const struct pipe_sink_ops *ops, const struct pipe_sink_params *params,
                    struct segman_error *error)
{
    sink->ops = ops;
    sink->params = *params;
    sink->path = g_strdup(params->output);
    sink->params.output = sink->path;
    if (params->palette) {
        memcpy(sink->palette, params->palette, sizeof sink->palette);
        sink->params.palette = (const uint8_t(*)[4])sink->palette;
    }
    return set_format(sink, &params->format, error);
}

void pipe_sink_finish(struct pipe_sink *sink)
{
    g_free(sink->path);
}

struct pipe_sink *pipe_sink_open(const struct pipe_sink_params *params, struct segman_error *error)
{
    const struct pipe_container *container;

    if (!params->output || !*params->output) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "no output is given");
        return NULL;
    }
    if (is_input(params)) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "the output %s is the input itself", params->output);
        return NULL;
    }
    if (pipe_output_is_image(params->output))
        return pipe_sink_image_create(params, error);
    container = pipe_container_of(params->output);
    if (container)
        return pipe_sink_video_create(params, container, error);
    segman_fail(error, SEGMAN_ERROR_ARGUMENT,
                "cannot tell from its name what %s shall be: use .mp4, .m4v, .mov, .mkv or .webm, .png or .jpg, or a folder/",
                params->output);
    return NULL;
}

bool pipe_sink_write(struct pipe_sink *sink, const uint8_t *const plane[3], const uint32_t stride[3], int64_t pts_ns, int64_t duration_ns,
                     const char *name, struct segman_error *error)
{
    if (sink->failed)
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: it failed before", sink->path);
    sink->failed = !sink->ops->write(sink, plane, stride, pts_ns, duration_ns, name, error);
    return !sink->failed;
}

bool pipe_sink_change(struct pipe_sink *sink, const struct segman_frame_format *format, struct segman_error *error)
{
    if (!sink->ops->change)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s cannot change its size or format", sink->path);
    sink->failed = sink->failed || !set_format(sink, format, error) || !sink->ops->change(sink, error);
    return !sink->failed;
}

bool pipe_sink_close(struct pipe_sink *sink, struct segman_error *error)
{
    if (sink->failed)
        return segman_fail(error, SEGMAN_ERROR_IO, "cannot finish %s: writing failed before", sink->path);
    sink->failed = !sink->ops->close(sink, error);
    return !sink->failed;
}

void pipe_sink_destroy(struct pipe_sink *sink)
{
    if (sink)
        sink->ops->destroy(sink);
}

const char *pipe_sink_describe(const struct pipe_sink *sink)
{
    return sink->description;
}
