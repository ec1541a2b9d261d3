/* SPDX-License-Identifier: Apache-2.0 */
/** decoder.h: one GStreamer pipeline from an input to mapped frames. */
#ifndef PIPELINE_DECODER_H
#define PIPELINE_DECODER_H

#include "internal.h"

struct pipe_mailbox;

struct pipe_decoder_params {
    const struct pipe_input *input;
    const char *file; /* of an image sequence; else NULL */
    bool video_only;
    int (*cancelled)(void); /* ends the wait for the first frame; NULL: nothing does */
    /* Live sources only, all to outlive the decoder: */
    struct pipe_mailbox *mailbox; /* where frames go; NULL: they queue up until they are read */
    const struct pipe_source_params *wish;
    const char *camera_id; /* stable ID of the camera to be found again; NULL: the input says which */
    bool camera_shared;    /* by the camera's second way, a server that shares it */
};

struct pipe_decoder {
    GstElement *pipeline, *tail, *appsink; /* tail: bin of convert, flip, appsink */
    GMutex lock;
    GCond cond; /* a frame, trouble, the end, or stop */
    struct pipe_trouble trouble;
    char *name; /* for messages */
    char *path; /* local file, or NULL */
    bool live, image, video_only;
    bool stopped, eos, ready; /* ready: every stream is known */
    bool drained;             /* the end has come, and every frame before it was taken */
    bool timed_out;           /* the last wait ended without a frame */
    bool linked;              /* a video stream feeds the tail */
    bool has_audio;
    bool absolute;            /* see pipe_sample_time */
    uint32_t other;           /* streams that are no video */
    uint64_t corrupt;         /* frames marked as damaged */
    uint64_t packets, frames; /* into the video decoder, out of it */
    uint32_t decoders;        /* where there are several, or fields, packets are not frames */
    bool vp8, theora, fields;
    bool full_range; /* an MP4 says so */
    bool cut;        /* the file's end is missing */
    bool broken;     /* the demuxer could not go on to the end */
    uint64_t unread; /* estimate of the frames behind the place where reading had to end */
    uint32_t rotation;
    bool flipped;
    bool hdr; /* PQ */
    uint8_t pq[256];
    char container[32], codec[64];
    GPtrArray *streams;                /* of struct pipe_stream */
    GstSample *first;                  /* prerolled, not yet read */
    struct pipe_decoder_params params; /* file is not kept */
    GstCaps *caps;                     /* live: of the first frame; NULL before */
    int64_t open_limit_us;             /* live: opening is given up then; 0: by its patience alone */
    bool timed;                        /* live: its timestamps are on the clock */
    char *camera_id;                   /* of the camera in use */
    char *camera_others;               /* the other cameras, for messages */
    bool camera_sharable;              /* it has a second way */
    int64_t last_ns, step_ns;          /* to guess a missing time */
    int64_t base_ns;                   /* of running time 0: where the last seek went */
    int64_t duration_ns;               /* -1 unknown */
    uint64_t pushed;                   /* bytes of a stream that cannot be sought */
    uint64_t patch_offset;             /* of the MP4 header's duration, see mp4_head.c; 0: none */
    uint32_t patch_bytes;
    uint64_t patch_value;
};
/** Builds the pipeline; nothing runs yet. */
struct pipe_decoder *pipe_decoder_create(const struct pipe_decoder_params *params, struct segman_error *error);
/** Starts it, and waits for the first frame. */
bool pipe_decoder_start(struct pipe_decoder *d, struct segman_error *error);
/** Both. */
struct pipe_decoder *pipe_decoder_open(const struct pipe_decoder_params *params, struct segman_error *error);
void pipe_decoder_destroy(struct pipe_decoder *d);
/** One frame; duration -1 and name empty. timeout_ns: negative waits for ever. Without mailbox only. */
enum pipe_status pipe_decoder_read(struct pipe_decoder *d, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error);
bool pipe_decoder_seek(struct pipe_decoder *d, int64_t pts_ns, struct segman_error *error);
/** Links a raw video pad to the tail (or says that another one is), any other pad to a stream of its own. */
void pipe_decoder_link(struct pipe_decoder *d, GstPad *pad);
/** Every stream is known from now on. */
void pipe_decoder_ready(struct pipe_decoder *d);
void pipe_decoder_stop(struct pipe_decoder *d);
uint64_t pipe_decoder_corrupt(struct pipe_decoder *d);
/** Of those that were not reached, see unread; not among the corrupt ones. */
uint64_t pipe_decoder_unread(struct pipe_decoder *d);
/** Caps of the first frame; NULL before. */
GstCaps *pipe_decoder_caps(struct pipe_decoder *d);

/* ---- capture.c: decoders with a mailbox */
/** Takes the sample that has just come out into the mailbox. */
void pipe_capture_sample(struct pipe_decoder *d);
/** Waits for the first one; false where there will be none, or not in time (d->timed_out). */
bool pipe_capture_wait_first(struct pipe_decoder *d);
/** Waits at most wait_us for the decoder's end; true where it has come, *error says why. */
bool pipe_capture_ended(struct pipe_decoder *d, int64_t wait_us, struct segman_error *error);
/** Turns a decoder that has been opened without mailbox to one. */
void pipe_capture_begin(struct pipe_decoder *d, struct pipe_mailbox *mailbox);
/** Low latency for a network source. */
void pipe_capture_setup(struct pipe_decoder *d, GstElement *source);
/** Seconds after which opening is given up. */
int pipe_capture_patience(const struct pipe_decoder *d);

/* ---- camera.c */
/** Adds the camera that the input asks for. */
bool pipe_camera_add(struct pipe_decoder *d, struct segman_error *error);
/** Explains why a camera did not start where that is known better than by GStreamer's words. False where it is not. */
bool pipe_camera_explain(const struct pipe_decoder *d, struct segman_error *error);
/** Whether it did not start because another program has it. */
bool pipe_camera_busy(const struct pipe_decoder *d);

/* ---- heads.c */
/** text: "test", or as pipe_kind says. */
bool pipe_decoder_add_test(struct pipe_decoder *d, const char *text, struct segman_error *error);
/** For kinds of stills that decodebin does not decode rightly; of a GIF, the first picture. */
bool pipe_decoder_add_pixbuf(struct pipe_decoder *d, struct segman_error *error);

/* ---- plug.c */
/** For any bin of decodebin: no hardware decoders, damaged frames marked. */
void pipe_plug_decodebin(struct pipe_decoder *d, GstElement *decodebin);
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
