/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "log.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A file or folder being written, and what its frames are. */
struct stream {
    struct pipe_sink *sink;
    struct segman_frame_format format;
    const char *path;
    bool gray, warned;
};

struct app_output {
    struct app_output_params params;
    struct stream video, labels;
    struct app_stats *stats;
    uint8_t palette[APP_LABELS][4]; /* of indexed label masks */
};

/* ---- before the start ------------------------------------------------------------------------------ */

static bool same_file(const char *a, const char *b)
{
    GStatBuf one, two;

    return g_stat(a, &one) == 0 && g_stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Folders and patterns of images are looked at file by file when they are written. */
static bool is_one_file(const char *path)
{
    return !g_str_has_suffix(path, "/") && !strchr(path, '%') && !g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* Said before the input and the GPU are opened. */
static bool check_folder(const char *path, struct segman_error *error)
{
    g_autofree char *folder = g_path_get_dirname(path);

    return g_access(folder, W_OK | X_OK) == 0 || segman_fail(error, SEGMAN_ERROR_IO, "cannot write %s: %s", path, g_strerror(errno));
}

static bool check_path(const struct app_output_params *params, const char *path, struct segman_error *error)
{
    if (!path || strcmp(path, "-") == 0)
        return true;
    if (params->input && same_file(path, params->input))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is the input itself: choose another output", path);
    if (!params->overwrite && is_one_file(path) && g_file_test(path, G_FILE_TEST_EXISTS))
        return segman_fail(error, SEGMAN_ERROR_IO, "%s exists already: -y replaces it", path);
    return !is_one_file(path) || check_folder(path, error);
}

/* Adds a path to those that are taken, by whatever spelling. */
static bool check_distinct(GHashTable *taken, const char *path, struct segman_error *error)
{
    return !path || g_hash_table_add(taken, g_canonicalize_filename(path, NULL)) ||
           segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is named for two outputs", path);
}

bool app_output_check(const struct app_output_params *params, char *const *dumps, struct segman_error *error)
{
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *const paths[] = {params->video, params->labels, params->stats};

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (!check_path(params, paths[i], error) || !check_distinct(taken, paths[i], error))
            return false;
    }
    for (; dumps && *dumps; dumps++) {
        const char *equals = strchr(*dumps, '=');
        if (!equals || equals == *dumps || !equals[1])
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "--dump is \"%s\", expected TENSOR=FILE.npy", *dumps);
        if (!check_path(params, equals + 1, error) || !check_distinct(taken, equals + 1, error))
            return false;
    }
    return true;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Hidden classes keep their colour here: a mask's palette names every index. */
static void fill_palette(struct app_output *output)
{
    const struct app_look *look = output->params.look;

    for (uint32_t i = 0; i < APP_LABELS; i++) {
        if (i < look->classes)
            memcpy(output->palette[i], look->style.palette[i], 3);
        output->palette[i][3] = 255;
    }
}

static bool open_stream(struct app_output *output, struct stream *stream, const char *path, const struct segman_frame_format *format,
                        struct segman_error *error)
{
    const struct app_output_params *params = &output->params;
    const struct pipe_source_info *info = pipe_source_info(params->source);
    struct pipe_sink_params sink = {
        .output = path,
        .format = *format,
        .fps_num = info->fps_num,
        .fps_den = info->fps_den,
        .source = params->source,
        .video_only = stream->gray,
        .codec = stream->gray ? NULL : params->codec,
        .bitrate = stream->gray ? 0 : params->bitrate,
        .overwrite = params->overwrite,
        .gray = stream->gray,
        .palette = stream->gray ? (const uint8_t(*)[4])output->palette : NULL,
    };

    stream->path = path;
    stream->format = *format;
    stream->sink = pipe_sink_open(&sink, error);
    if (!stream->sink)
        return false;
    app_log(SEGMAN_LOG_INFO, "%s: %s", path, pipe_sink_describe(stream->sink));
    return true;
}

struct app_output *app_output_open(const struct app_output_params *params, const struct segman_frame_format *frame,
                                   const struct segman_frame_format *view, struct segman_error *error)
{
    struct app_output *output = g_new0(struct app_output, 1);

    output->params = *params;
    output->labels.gray = true;
    fill_palette(output);
    if (params->video && !open_stream(output, &output->video, params->video, view, error))
        goto fail;
    if (params->labels && !open_stream(output, &output->labels, params->labels, frame, error))
        goto fail;
    if (params->stats &&
        !(output->stats = app_stats_open(params->stats, params->overwrite, params->look, params->input, params->model, error)))
        goto fail;
    return output;

fail:
    app_output_destroy(output);
    return NULL;
}

const char *app_output_describe(const struct app_output *output)
{
    return output->video.sink ? pipe_sink_describe(output->video.sink) : NULL;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

static bool fits(const struct stream *stream, const struct segman_frame_format *format)
{
    bool sized = stream->format.width == format->width && stream->format.height == format->height;

    return sized && (stream->gray || stream->format.format == format->format);
}

/* Sequences of pictures hold any size; a video keeps its own, and goes without frames of another. */
static enum app_verdict change(struct stream *stream, const struct segman_frame_format *format, struct segman_error *error)
{
    struct segman_error why;

    if (pipe_sink_change(stream->sink, format, &why)) {
        stream->format = *format;
        return APP_TAKEN;
    }
    if (why.status != SEGMAN_ERROR_UNSUPPORTED) {
        *error = why;
        return APP_FATAL;
    }
    if (!stream->warned)
        app_log(SEGMAN_LOG_WARNING, "%s stays %ux%u: frames of another size or format are left out of it", stream->path,
                stream->format.width, stream->format.height);
    stream->warned = true;
    return APP_DROPPED;
}

static enum app_verdict put(struct stream *stream, const struct app_delivery *frame, const struct segman_frame_format *format,
                            const struct segman_planes *planes, struct segman_error *error)
{
    enum app_verdict verdict = APP_TAKEN;
    const uint8_t *plane[3] = {planes->plane[0], planes->plane[1], planes->plane[2]};
    const char *name = *frame->name ? frame->name : NULL;

    if (!stream->sink)
        return APP_TAKEN;
    if (!fits(stream, format))
        verdict = change(stream, format, error);
    if (verdict != APP_TAKEN)
        return verdict;
    if (!pipe_sink_write(stream->sink, plane, planes->stride, frame->pts_ns, frame->duration_ns, name, error))
        return APP_FATAL;
    return APP_TAKEN;
}

static enum app_verdict put_labels(struct app_output *output, const struct app_delivery *frame, struct segman_error *error)
{
    /* pipe_sink_write only reads the planes */
    struct segman_planes planes = {.plane = {(uint8_t *)frame->result->labels}, .stride = {frame->result->labels_stride}};

    return put(&output->labels, frame, &frame->frame, &planes, error);
}

static bool put_stats(struct app_output *output, const struct app_delivery *frame, struct segman_error *error)
{
    struct app_stats_frame row = {
        .index = frame->index,
        .pts_ns = frame->pts_ns,
        .name = frame->name,
        .width = frame->frame.width,
        .height = frame->frame.height,
        .counts = frame->counts,
    };

    return !output->stats || app_stats_write(output->stats, &row, error);
}

enum app_verdict app_output_deliver(void *user, const struct app_delivery *frame, struct segman_error *error)
{
    struct app_output *output = user;
    enum app_verdict video = put(&output->video, frame, &frame->view, &frame->result->view, error);
    enum app_verdict labels = video == APP_FATAL ? APP_FATAL : put_labels(output, frame, error);

    if (labels == APP_FATAL || !put_stats(output, frame, error))
        return APP_FATAL;
    return video == APP_DROPPED || labels == APP_DROPPED ? APP_DROPPED : APP_TAKEN;
}

/* ---- the end ----------------------------------------------------------------------------------------- */

bool app_output_close(struct app_output *output, struct segman_error *error)
{
    struct segman_error errors[3];
    bool good[3] = {
        !output->video.sink || pipe_sink_close(output->video.sink, &errors[0]),
        !output->labels.sink || pipe_sink_close(output->labels.sink, &errors[1]),
        !output->stats || app_stats_close(output->stats, &errors[2]),
    };

    for (int i = 0; i < 3; i++) {
        if (!good[i]) {
            if (error)
                *error = errors[i];
            return false;
        }
    }
    return true;
}

void app_output_destroy(struct app_output *output)
{
    if (!output)
        return;
    pipe_sink_destroy(output->video.sink);
    pipe_sink_destroy(output->labels.sink);
    app_stats_destroy(output->stats);
    g_free(output);
}
