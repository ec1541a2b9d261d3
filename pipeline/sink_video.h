/* SPDX-License-Identifier: Apache-2.0 */
/** sink_video.h: what sink_video.c (frames) and routes.c (other streams) share. */
#ifndef PIPELINE_SINK_VIDEO_H
#define PIPELINE_SINK_VIDEO_H

#include "internal.h"

struct video_sink {
    struct pipe_sink base;
    const struct pipe_container *container;
    const struct pipe_encoder *encoder;
    struct pipe_output output;
    GstElement *pipeline, *appsrc, *mux;
    GstBufferPool *pool;
    GstVideoInfo coded;         /* raw, padded to what the encoder needs */
    GstVideoColorMatrix matrix; /* for frames given as RGB */
    bool convert, attached;
    GPtrArray *routes; /* of struct route */
    GString *passed;   /* what is passed through, for the description */
    GMutex lock;
    GCond cond;
    struct pipe_trouble trouble;
    bool eos;
    int64_t first_ns, last_ns, end_ns; /* of the frames written */
};
extern const struct pipe_sink_ops video_sink_ops;

GstElement *video_sink_add_appsrc(struct video_sink *s, GstCaps *caps);
GstElement *video_sink_add_queue(struct video_sink *s);
bool video_sink_fail(struct video_sink *s, struct segman_error *error);

/* ---- routes.c */
/** Streams of the source that fit the container; warns of the others. */
void video_sink_add_routes(struct video_sink *s);
/** Moves packets up to limit_ns; tells the muxer that subtitles have none before now_ns. */
void video_sink_feed(struct video_sink *s, int64_t limit_ns, int64_t now_ns);
/** Moves the rest: all of it where the source has ended, else as much as the video is long. */
void video_sink_end_routes(struct video_sink *s);
void video_sink_edit_mp4(const struct video_sink *s);

#endif
