/* SPDX-License-Identifier: Apache-2.0 */
/* The public source: one decoder for a video, one after the other for a sequence of images, a live source for what never ends. */
#include "decoder.h"
#include "live.h"
#include "patience.h"

#include <math.h>
#include <string.h>

/* Reading gives up where more than half of at least this many frames were damaged. */
enum { CORRUPT_LEAST = 100 };
/* Packets of other streams are kept for a sink that is opened within this many frames. */
enum { PATIENCE_FRAMES = 300 };

struct pipe_source {
    struct pipe_input input;
    struct pipe_source_info info;
    struct pipe_source_params params;
    GMutex lock;                  /* guards decoder's exchange, and the flags */
    struct pipe_decoder *decoder; /* of images: the next file's, opened; NULL: none open */
    struct pipe_live *live;       /* instead of a decoder */
    GPtrArray *no_streams;        /* empty: what a live source has to be passed through */
    bool stopped, ended, attached;
    uint64_t frames;     /* handed out */
    uint64_t corrupt;    /* of decoders that are gone */
    guint file;          /* next file of a sequence */
    const char *current; /* file of the frame last read */
    double image_fps;
};

static struct pipe_decoder *swap_decoder(struct pipe_source *s, struct pipe_decoder *decoder)
{
    struct pipe_decoder *old;
    g_mutex_lock(&s->lock);
    old = s->decoder;
    s->decoder = decoder;
    if (decoder && s->stopped)
        pipe_decoder_stop(decoder);
    g_mutex_unlock(&s->lock);
    return old;
}

static bool is_cancelled(const struct pipe_source *s)
{
    return s->params.cancelled && s->params.cancelled();
}

/** Of a sequence: opens the next file that can be decoded, counting those that cannot. False at the end. */
static bool open_next_image(struct pipe_source *s, struct segman_error *error)
{
    struct pipe_decoder *decoder = NULL;
    while (!decoder && s->file < s->input.files->len && !is_cancelled(s)) {
        const char *path = g_ptr_array_index(s->input.files, s->file++);
        struct pipe_decoder_params params = {.input = &s->input, .file = path, .video_only = true, .cancelled = s->params.cancelled};
        decoder = pipe_decoder_open(&params, error);
        if (!decoder) {
            pipe_log(SEGMAN_LOG_WARNING, "skipped: %s", error->message);
            s->corrupt++;
        } else {
            s->current = path;
        }
    }
    if (decoder)
        pipe_decoder_destroy(swap_decoder(s, decoder));
    else if (is_cancelled(s))
        segman_fail(error, SEGMAN_ERROR_IO, "opening %s was given up", s->input.name);
    return decoder != NULL;
}

/* ---- what the source is ---------------------------------------------------------------------- */

static enum pipe_kind kind_of(const struct pipe_input *input)
{
    switch (input->type) {
    case PIPE_INPUT_IMAGE:
        return PIPE_KIND_IMAGE;
    case PIPE_INPUT_IMAGES:
        return PIPE_KIND_IMAGES;
    case PIPE_INPUT_TEST:
        return PIPE_KIND_TEST;
    default:
        return PIPE_KIND_VIDEO;
    }
}

static void describe_colour(struct pipe_source_info *info, const GstVideoInfo *video, bool hdr)
{
    GstVideoColorimetry colour = video->colorimetry;
    char *text;
    if (hdr)
        colour.transfer = GST_VIDEO_TRANSFER_BT709;
    text = gst_video_colorimetry_to_string(&colour);
    g_strlcpy(info->colorimetry, text ? text : "", sizeof info->colorimetry);
    g_free(text);
}

static void describe_times(struct pipe_source *s, const struct pipe_decoder *d, const GstVideoInfo *video)
{
    struct pipe_source_info *info = &s->info;
    info->fps_num = (uint32_t)MAX(video->fps_n, 0);
    info->fps_den = (uint32_t)MAX(video->fps_d, 1);
    if (info->fps_num / info->fps_den > 1000) /* of a file with a single frame that has no length */
        info->fps_num = 0;
    info->duration_ns = info->kind == PIPE_KIND_LIVE ? -1 : d->duration_ns;
    info->frames = -1;
    if (info->kind == PIPE_KIND_IMAGE)
        info->frames = 1;
    else if (info->duration_ns > 0 && info->fps_num)
        info->frames = (int64_t)gst_util_uint64_scale_round((guint64)info->duration_ns, info->fps_num, info->fps_den * GST_SECOND);
    if (info->kind == PIPE_KIND_IMAGE)
        info->duration_ns = -1;
    if (info->kind == PIPE_KIND_IMAGES) {
        info->frames = s->input.files->len;
        info->fps_num = (uint32_t)lround(s->image_fps * 1000);
        info->fps_den = 1000;
        info->duration_ns = (int64_t)(1e9 * (double)info->frames / s->image_fps);
    }
    if (!info->fps_num)
        info->fps_den = 1;
}

static bool describe(struct pipe_source *s, struct segman_error *error)
{
    struct pipe_source_info *info = &s->info;
    struct pipe_decoder *d = s->live ? pipe_live_decoder(s->live) : s->decoder;
    GstVideoInfo video;

    info->kind = s->live ? PIPE_KIND_LIVE : kind_of(&s->input);
    if (!gst_video_info_from_caps(&video, pipe_decoder_caps(d)) || !pipe_format_from_video_info(&info->format, &video))
        return segman_fail(error, SEGMAN_ERROR_FORMAT, "frames of %s have an unknown format", s->input.name);
    describe_times(s, d, &video);
    describe_colour(info, &video, d->hdr);
    info->par_num = (uint32_t)MAX(video.par_n, 1);
    info->par_den = (uint32_t)MAX(video.par_d, 1);
    g_mutex_lock(&d->lock);
    info->rotation = d->rotation;
    info->flipped = d->flipped;
    info->hdr = d->hdr;
    info->has_audio = d->has_audio;
    g_strlcpy(info->container, d->container, sizeof info->container);
    g_strlcpy(info->codec, d->codec, sizeof info->codec);
    g_mutex_unlock(&d->lock);
    if (info->hdr)
        pipe_log(SEGMAN_LOG_INFO, "%s is in high dynamic range (PQ): its brightness is mapped to the standard range", s->input.name);
    return true;
}

/** What comes over HTTP without an end in sight is live, like a network camera's pictures; a file on a server is a file. */
static bool is_endless(struct pipe_source *s)
{
    struct pipe_decoder *d = s->decoder;
    gint64 bytes = -1;
    GstQuery *query;
    gboolean seekable = FALSE;

    if (!gst_uri_has_protocol(s->input.uri, "http") && !gst_uri_has_protocol(s->input.uri, "https"))
        return false;
    if (d->duration_ns > 0 || (gst_element_query_duration(d->pipeline, GST_FORMAT_BYTES, &bytes) && bytes > 0))
        return false;
    query = gst_query_new_seeking(GST_FORMAT_TIME);
    if (gst_element_query(d->pipeline, query))
        gst_query_parse_seeking(query, NULL, &seekable, NULL, NULL);
    gst_query_unref(query);
    return !seekable;
}

static bool open_video(struct pipe_source *s, const struct pipe_source_params *wish, struct segman_error *error)
{
    struct pipe_decoder_params params = {
        .input = &s->input, .video_only = wish->video_only || s->input.type == PIPE_INPUT_IMAGE, .cancelled = wish->cancelled};
    struct pipe_decoder *decoder;

    s->current = s->input.path;
    if (!s->input.live) {
        s->decoder = pipe_decoder_open(&params, error);
        if (!s->decoder || s->input.type != PIPE_INPUT_URI || !is_endless(s))
            return s->decoder != NULL;
    }
    decoder = s->decoder;
    s->decoder = NULL;
    s->live = pipe_live_create(&s->input, wish, decoder, error);
    return s->live != NULL;
}

/** A server that starts later, a camera that is plugged in later or still in use: what is wrong in itself stays wrong. */
static bool may_come(const struct pipe_source *s, const struct segman_error *error)
{
    bool remote = s->input.live || gst_uri_has_protocol(s->input.uri, "http") || gst_uri_has_protocol(s->input.uri, "https");
    return remote && error->status == SEGMAN_ERROR_IO;
}

static bool open_patiently(struct pipe_source *s, const struct pipe_source_params *params, struct segman_error *error)
{
    struct pipe_patience patience = {.limit_s = params->first_s, .cancelled = params->cancelled};

    while (!open_video(s, params, error))
        if (!may_come(s, error) || !pipe_patience_again(&patience, error))
            return false;
    if (patience.failed_us)
        pipe_log(SEGMAN_LOG_WARNING, "%s is there after %.1f seconds", s->input.name,
                 (double)(g_get_monotonic_time() - patience.failed_us) / G_USEC_PER_SEC);
    return true;
}

struct pipe_source *pipe_source_open(const struct pipe_source_params *params, struct segman_error *error)
{
    struct pipe_source *s = g_new0(struct pipe_source, 1);
    struct segman_error scratch;

    if (!error)
        error = &scratch;
    g_mutex_init(&s->lock);
    s->no_streams = g_ptr_array_new();
    s->params = *params;
    s->params.input = NULL;
    s->image_fps = params->image_fps > 0 ? params->image_fps : 25;
    if (!pipe_input_probe(&s->input, params->input, error))
        goto fail;
    if (!(s->input.files ? open_next_image(s, error) : open_patiently(s, params, error)))
        goto fail;
    if (!describe(s, error))
        goto fail;
    s->params.cancelled = NULL;
    return s;
fail:
    pipe_source_destroy(s);
    return NULL;
}

void pipe_source_destroy(struct pipe_source *s)
{
    if (!s)
        return;
    pipe_decoder_destroy(s->decoder);
    pipe_live_destroy(s->live);
    g_ptr_array_unref(s->no_streams);
    pipe_input_finish(&s->input);
    g_mutex_clear(&s->lock);
    g_free(s);
}

const struct pipe_source_info *pipe_source_info(const struct pipe_source *s)
{
    return &s->info;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool too_many_corrupt(struct pipe_source *s, struct segman_error *error)
{
    /* Of what could be read: a file that ends too early is not a reason to throw away its start. */
    uint64_t corrupt = pipe_source_corrupt(s) - (s->decoder ? pipe_decoder_unread(s->decoder) : 0), all = corrupt + s->frames;
    if (all < CORRUPT_LEAST || corrupt * 2 <= all)
        return false;
    segman_fail(error, SEGMAN_ERROR_FORMAT, "%s is too damaged: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " frames could not be decoded",
                s->input.name, corrupt, all);
    return true;
}

/** Nobody asked for the other streams' packets: they must not pile up, nor hold back the demuxer. */
static void discard_unwanted(struct pipe_source *s)
{
    bool attached;
    g_mutex_lock(&s->lock);
    attached = s->attached;
    g_mutex_unlock(&s->lock);
    if (attached || s->live || s->frames < PATIENCE_FRAMES)
        return;
    for (guint i = 0; i < s->decoder->streams->len; i++)
        pipe_stream_discard(g_ptr_array_index(s->decoder->streams, i));
}

static void name_frame(struct pipe_source *s, struct pipe_frame *frame)
{
    frame->index = s->frames++;
    if (s->info.kind == PIPE_KIND_IMAGES || s->info.kind == PIPE_KIND_IMAGE) {
        char *base = g_path_get_basename(s->current);
        g_strlcpy(frame->name, base, sizeof frame->name);
        g_free(base);
    }
    if (s->info.kind == PIPE_KIND_IMAGES) {
        frame->pts_ns = (int64_t)llround(1e9 * (double)frame->index / s->image_fps);
        frame->duration_ns = (int64_t)llround(1e9 * (double)(frame->index + 1) / s->image_fps) - frame->pts_ns;
    } else if (s->info.kind == PIPE_KIND_IMAGE) {
        frame->pts_ns = 0;
        frame->duration_ns = -1;
    }
}

static void mark_ended(struct pipe_source *s)
{
    g_mutex_lock(&s->lock);
    s->ended = true;
    g_mutex_unlock(&s->lock);
}

static bool is_stopped(struct pipe_source *s)
{
    bool stopped;
    g_mutex_lock(&s->lock);
    stopped = s->stopped;
    g_mutex_unlock(&s->lock);
    return stopped;
}

static enum pipe_status read_image_of_sequence(struct pipe_source *s, struct pipe_frame *frame, struct segman_error *error)
{
    enum pipe_status status = PIPE_END;
    if (s->frames && !open_next_image(s, error))
        return is_stopped(s) ? PIPE_STOPPED : PIPE_END;
    if (!is_stopped(s))
        status = pipe_decoder_read(s->decoder, -1, frame, error);
    return is_stopped(s) && status != PIPE_FRAME ? PIPE_STOPPED : status;
}

static enum pipe_status read_any(struct pipe_source *s, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error)
{
    if (s->input.files)
        return read_image_of_sequence(s, frame, error);
    return s->live ? pipe_live_read(s->live, timeout_ns, frame, error) : pipe_decoder_read(s->decoder, timeout_ns, frame, error);
}

/** timeout_ns: negative waits for ever. */
static enum pipe_status read_frame(struct pipe_source *s, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error)
{
    struct segman_error scratch;
    enum pipe_status status;

    if (!error)
        error = &scratch;
    *frame = (struct pipe_frame){.duration_ns = -1, .captured_ns = -1};
    if (is_stopped(s))
        return PIPE_STOPPED;
    if (s->ended)
        return PIPE_END;
    status = read_any(s, timeout_ns, frame, error);
    if (status == PIPE_FRAME)
        name_frame(s, frame);
    if (!s->live && (status == PIPE_FRAME || status == PIPE_END) && too_many_corrupt(s, error)) {
        pipe_frame_release(frame);
        status = PIPE_ERROR;
    }
    if (status == PIPE_FRAME)
        discard_unwanted(s);
    else if (status == PIPE_END || status == PIPE_ERROR)
        mark_ended(s);
    return status;
}

enum pipe_status pipe_source_read(struct pipe_source *s, struct pipe_frame *frame, struct segman_error *error)
{
    return read_frame(s, -1, frame, error);
}

enum pipe_status pipe_source_read_timeout(struct pipe_source *s, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error)
{
    return read_frame(s, MAX(timeout_ns, 0), frame, error);
}

/** The file that is shown at this time comes next. */
static bool seek_image(struct pipe_source *s, int64_t pts_ns, struct segman_error *error)
{
    double at = floor((double)MAX(pts_ns, 0) * 1e-9 * s->image_fps + 1e-6);
    guint last = s->input.files->len - 1;

    s->file = at < last ? (guint)at : last;
    s->frames = s->file;
    return s->frames > 0 || open_next_image(s, error); /* the first file is open before it is read */
}

bool pipe_source_seek(struct pipe_source *s, int64_t pts_ns, struct segman_error *error)
{
    bool good;

    if (s->info.kind == PIPE_KIND_LIVE || s->info.kind == PIPE_KIND_IMAGE)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s cannot be sought", s->input.name);
    good = s->input.files ? seek_image(s, pts_ns, error) : pipe_decoder_seek(s->decoder, pts_ns, error);
    if (!good)
        return false;
    g_mutex_lock(&s->lock);
    s->ended = false;
    g_mutex_unlock(&s->lock);
    return true;
}

void pipe_source_stop(struct pipe_source *s)
{
    g_mutex_lock(&s->lock);
    s->stopped = true;
    if (s->decoder)
        pipe_decoder_stop(s->decoder);
    g_mutex_unlock(&s->lock);
    if (s->live)
        pipe_live_stop(s->live);
}

bool pipe_source_live_state(struct pipe_source *s, struct pipe_live_state *state)
{
    *state = (struct pipe_live_state){0};
    if (s->live)
        pipe_live_state(s->live, state);
    return s->live != NULL;
}

uint64_t pipe_source_corrupt(const struct pipe_source *s)
{
    if (s->live)
        return pipe_live_corrupt(s->live);
    return s->corrupt + (s->decoder ? pipe_decoder_corrupt(s->decoder) + pipe_decoder_unread(s->decoder) : 0);
}

/* ---- for sinks ------------------------------------------------------------------------------- */

GPtrArray *pipe_source_streams(struct pipe_source *s)
{
    return s->live ? s->no_streams : s->decoder->streams;
}

bool pipe_source_ended(struct pipe_source *s)
{
    bool ended;
    g_mutex_lock(&s->lock);
    ended = s->ended && !s->stopped;
    g_mutex_unlock(&s->lock);
    return ended;
}

void pipe_source_attach(struct pipe_source *s, bool attached)
{
    g_mutex_lock(&s->lock);
    s->attached = attached;
    g_mutex_unlock(&s->lock);
}

const struct pipe_input *pipe_source_input(const struct pipe_source *s)
{
    return &s->input;
}

const char *pipe_source_file(const struct pipe_source *s)
{
    return s->current;
}
