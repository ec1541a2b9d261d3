/* SPDX-License-Identifier: Apache-2.0 */
/** decoder.h: one GStreamer pipeline from an input to mapped frames. */
#ifndef PIPELINE_DECODER_H
#define PIPELINE_DECODER_H

#include "internal.h"

struct pipe_decoder {
    GstElement *pipeline, *tail, *appsink; /* tail: bin of convert, flip, appsink */
    GMutex lock;
    GCond cond; /* a frame, trouble, the end, or stop */
    struct pipe_trouble trouble;
    char *name; /* for messages */
    char *path; /* local file, or NULL */
    bool live, image, video_only;
    bool stopped, eos, ready; /* ready: every stream is known */
    bool linked;              /* a video stream feeds the tail */
    bool has_audio;
    bool absolute;            /* see pipe_sample_time */
    uint32_t other;           /* streams that are no video */
    uint64_t corrupt;         /* frames marked as damaged */
    uint64_t packets, frames; /* into the video decoder, out of it */
    uint32_t decoders;        /* where there are several, or fields, packets are not frames */
    uint64_t unread;          /* estimate of the frames behind the place where reading had to end */
    bool vp8, theora, fields;
    bool full_range; /* an MP4 says so */
    bool cut;        /* the file's end is missing */
    bool broken;     /* the demuxer could not go on to the end */
    uint32_t rotation;
    bool flipped;
    bool hdr; /* PQ */
    uint8_t pq[256];
    char container[32], codec[64];
    GPtrArray *streams;       /* of struct pipe_stream */
    GstSample *first;         /* prerolled, not yet read */
    int64_t last_ns, step_ns; /* to guess a missing time */
    int64_t base_ns;          /* of running time 0: where the last seek went */
    int64_t duration_ns;      /* -1 unknown */
    uint64_t pushed;          /* bytes of a stream that cannot be sought */
    uint64_t patch_offset;    /* of the MP4 header's duration, see mp4_head.c; 0: none */
    uint32_t patch_bytes;
    uint64_t patch_value;
};
struct pipe_decoder *pipe_decoder_open(const struct pipe_input *input, const char *file, bool video_only, struct segman_error *error);
void pipe_decoder_destroy(struct pipe_decoder *d);
/** One frame; duration -1 and name empty. */
enum pipe_status pipe_decoder_read(struct pipe_decoder *d, struct pipe_frame *frame, struct segman_error *error);
bool pipe_decoder_seek(struct pipe_decoder *d, int64_t pts_ns, struct segman_error *error);
void pipe_decoder_stop(struct pipe_decoder *d);
uint64_t pipe_decoder_corrupt(struct pipe_decoder *d);
uint64_t pipe_decoder_unread(struct pipe_decoder *d);
/** Caps of the first frame; NULL before. */
GstCaps *pipe_decoder_caps(struct pipe_decoder *d);

/* ---- input.c */
/** Puts what reads the input into the pipeline. file: of an image sequence, else NULL. */
bool pipe_input_add(struct pipe_decoder *d, const struct pipe_input *input, const char *file, struct segman_error *error);

/* ---- plug.c */
/** Has decodebin decode video only, and damaged frames counted. */
void pipe_plug(struct pipe_decoder *d, GstElement *uridecodebin);

/* ---- mp4_head.c */
/** Reads the header of a local MP4 (others: does nothing): duration, whether its end is missing, full range. */
void pipe_mp4_head_file(struct pipe_decoder *d);
/** Where nothing can be read ahead, the header is found as it passes (cut in two by buffers: not at all). */
void pipe_mp4_head_stream(struct pipe_decoder *d, GstBuffer *buffer, uint64_t start);

/* ---- tail.c */
/** Bin of videoconvert, videoflip and appsink (a reference to it in d->appsink), with rotation obeyed. */
GstElement *pipe_tail_create(struct pipe_decoder *d, struct segman_error *error);

#endif
