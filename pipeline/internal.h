/* SPDX-License-Identifier: Apache-2.0 */
/**
 * internal.h: what the files of pipeline/ share. Nobody else includes it, but for the tests.
 *
 *   source.c       the public source: kinds, frames handed out, corrupt frames
 *   probe.c        what an input is, from its content
 *   decoder.[ch]   one GStreamer pipeline from a URI to mapped frames; plug.c and tail.c: its two ends; seek.c; mp4_head.c: what
 *                  the MP4 demuxer does not tell; heads.c: other heads
 *   frame.c        a sample as a mapped frame
 *   live.[ch]      live sources: mailbox, loss, retries;  mailbox.c: its mailbox;  capture.c: a decoder that fills it
 *   camera.c       a camera into a decoder;  devices.[ch]  which cameras there are;  modes.c: which of its formats
 *   images.c       lists of image files
 *   format.c       caps <-> segman_frame_format, colorimetry, high dynamic range
 *   trouble.c      GStreamer's messages in plain words, with the package to install
 *   passthrough.c  encoded packets of the other streams, source to sink
 *   sink.c         the public sink: what kind, checks of the output's name
 *   sink_video.[ch] encoder and muxer, routes.c: the other streams into it;  sink_image.c  images and sequences
 *   encoders.c     tables of encoders and containers
 *   mp4_edit.c     edit lists that mp4mux cannot write
 *   png.c          PNG by libpng;  output.c  temporary names
 */
#ifndef PIPELINE_INTERNAL_H
#define PIPELINE_INTERNAL_H

#include "pipeline.h"

#include <glib.h>
#include <gst/gst.h>
#include <gst/app/app.h>
#include <gst/video/video.h>

/* ---- log.c */
void pipe_log(enum segman_log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- probe.c */
enum pipe_input_type { PIPE_INPUT_URI, PIPE_INPUT_IMAGE, PIPE_INPUT_IMAGES, PIPE_INPUT_CAMERA, PIPE_INPUT_TEST };
struct pipe_input {
    enum pipe_input_type type;
    bool live;
    char *uri;        /* URI, or camera as the user wrote it ("": any); what a decoder opens */
    char *name;       /* as the user wrote it, for messages */
    char *path;       /* local file, else NULL */
    GPtrArray *files; /* of an image sequence: paths */
};
bool pipe_input_probe(struct pipe_input *input, const char *text, struct segman_error *error);
void pipe_input_finish(struct pipe_input *input);
/** Whether a local file's content is a still image; explains an unreadable or empty file. */
bool pipe_probe_file(const char *path, const char *name, bool *image, struct segman_error *error);
/** Orientation tag of a JPEG file ("rotate-90", ...), NULL where there is none. Static text. */
const char *pipe_probe_exif(const char *path);
/** Whether a file is a BMP, TIFF or GIF: libav's decoders of these give no frame without a parser, or spin for ever. */
bool pipe_probe_wants_pixbuf(const char *path);

/* ---- frame.c */
/** Maps the sample's planes, and keeps its buffer. False where it cannot be mapped, or is in no format of ours. */
bool pipe_frame_map(struct pipe_frame *frame, GstSample *sample);

/* ---- images.c */
/** Whether text holds one printf integer conversion, and nothing else to be converted. */
bool pipe_is_pattern(const char *text);
char *pipe_pattern_name(const char *pattern, uint64_t number);
GPtrArray *pipe_images_of_folder(const char *folder, struct segman_error *error);
GPtrArray *pipe_images_of_pattern(const char *pattern, struct segman_error *error);
int pipe_natural_compare(const char *a, const char *b);

/* ---- format.c */
bool pipe_format_from_video_info(struct segman_frame_format *format, const GstVideoInfo *info);
GstVideoFormat pipe_gst_format(enum segman_pixel_format format);
/** Colorimetry that fits the format: the wanted text where its matrix and range agree, else the usual one. */
void pipe_colorimetry(GstVideoColorimetry *out, const struct segman_frame_format *format, const char *wanted);
GstVideoChromaSite pipe_chroma_site(enum segman_chroma_site site);
/** Table of 256 that maps 8-bit limited-range PQ luma to a standard-range curve. */
void pipe_pq_table(uint8_t table[256]);
/** Copies planes of the size in info into a mapped frame; where that is larger, the last column and row are repeated. */
void pipe_copy_planes(GstVideoFrame *to, const uint8_t *const plane[3], const uint32_t stride[3], const GstVideoInfo *info);

/* ---- trouble.c */
/** Debian package that brings what a missing-plugin message, or caps, ask for. */
const char *pipe_package_for_caps(const GstCaps *caps, bool demuxer);
/** First trouble of a pipeline. Filled by pipe_trouble_message from the bus; guarded by the owner's lock. */
struct pipe_trouble {
    bool error;
    bool busy;      /* a device that another program has */
    char text[300]; /* GStreamer's own words, shortened */
    GQuark domain;
    int code;
    char missing[160]; /* "an H.264 decoder" where a plugin is missing */
    char package[64];  /* that brings it */
};
void pipe_trouble_unknown(struct pipe_trouble *trouble, const GstCaps *caps);
void pipe_trouble_message(struct pipe_trouble *trouble, GstMessage *message);
/** Turns trouble into the one sentence for the user; returns false. */
bool pipe_trouble_input(const struct pipe_trouble *trouble, const char *name, struct segman_error *error);
bool pipe_trouble_output(const struct pipe_trouble *trouble, const char *name, struct segman_error *error);

/* ---- passthrough.c */
struct pipe_stream {
    GstElement *appsink;
    GstCaps *caps;
    bool sparse;     /* subtitles */
    bool absolute;   /* see pipe_sample_time */
    GstSample *held; /* taken from the appsink, too early for the sink */
    bool done;
    int64_t first_ns; /* time of the first packet seen; INT64_MIN before */
};
struct pipe_stream *pipe_stream_create(GstElement *bin, GstPad *pad, bool absolute);
void pipe_stream_destroy(struct pipe_stream *stream);
/**
 * A sample's time on the file's time line, possibly negative; INT64_MIN where it has none. That is running time,
 * but for Matroska, where timestamps are absolute and GStreamer starts its segment at whatever block comes first.
 */
int64_t pipe_sample_time(GstSample *sample, bool dts, bool absolute);
/** Next packet at or before limit_ns; NULL where it is later, missing yet, or at the end (done is set then). */
GstSample *pipe_stream_take(struct pipe_stream *stream, int64_t limit_ns, GstClockTime wait);
void pipe_stream_discard(struct pipe_stream *stream);
/** "subtitles" or "audio", with the codec's name. Free with g_free. */
char *pipe_stream_describe(const struct pipe_stream *stream);

/* ---- source.c, for sinks */
GPtrArray *pipe_source_streams(struct pipe_source *source);
bool pipe_source_ended(struct pipe_source *source);
void pipe_source_attach(struct pipe_source *source, bool attached);
const struct pipe_input *pipe_source_input(const struct pipe_source *source);
/** File that the frame last read came from (image sequences); NULL otherwise. */
const char *pipe_source_file(const struct pipe_source *source);

/* ---- encoders.c */
struct pipe_container {
    const char *extension, *name, *muxer;
    const char *automatic, *codecs; /* comma-separated: what is tried when none is asked for; all that fit */
    bool mp4;
};
struct pipe_encoder {
    const char *codec, *label, *element, *package;
    const char *quality; /* properties for the quality default: "name=value ..." */
    const char *rated;   /* properties besides the bitrate when one is asked for */
    const char *bitrate; /* property of the bitrate, */
    uint32_t unit;       /* in this many bits a second */
    bool even;           /* needs even sides */
    bool needs_rate;     /* has no usable quality default: a bitrate from size and rate */
    bool needs_fps;      /* does not start without a nominal rate */
    const char *parser;  /* between encoder and muxer, or NULL */
};
const struct pipe_container *pipe_container_of(const char *path);
/** Chooses and makes an encoder that works here for these raw caps. */
GstElement *pipe_encoder_create(const struct pipe_container *container, const char *codec, const GstCaps *raw, uint32_t bitrate,
                                const struct pipe_encoder **chosen, struct segman_error *error);

/* ---- output.c */
/** Whether both name the same existing file. */
bool pipe_same_file(const char *a, const char *b);

/* ---- png.c */
struct pipe_image {
    const uint8_t *pixels;
    uint32_t width, height, stride;
    uint32_t channels;           /* 1: gray or palette; 4: RGBA */
    const uint8_t (*palette)[4]; /* NULL: gray */
};
bool pipe_png_write(const char *path, const char *name, const struct pipe_image *image, struct segman_error *error);

/* ---- mp4_edit.c */
/** Changes to the tracks of a finished MP4, in file order; everything starts at start_ns. */
struct pipe_mp4_track {
    int64_t skip_ns;   /* presentation starts so far into the track */
    int64_t length_ns; /* presentation lasts at least so long, where mp4mux makes it shorter */
};
struct pipe_mp4_edit {
    const struct pipe_mp4_track *track;
    uint32_t tracks;
    int64_t start_ns;
};
bool pipe_mp4_edit_file(const char *path, const struct pipe_mp4_edit *edit);

/* ---- sinks */
struct pipe_sink_ops {
    bool (*write)(struct pipe_sink *sink, const uint8_t *const plane[3], const uint32_t stride[3], int64_t pts_ns, int64_t duration_ns,
                  const char *name, struct segman_error *error);
    bool (*change)(struct pipe_sink *sink, struct segman_error *error); /* raw is new; NULL: cannot */
    bool (*close)(struct pipe_sink *sink, struct segman_error *error);
    void (*destroy)(struct pipe_sink *sink);
};
struct pipe_sink {
    const struct pipe_sink_ops *ops;
    struct pipe_sink_params params; /* strings and palette are the sink's own */
    char *path;
    uint8_t palette[256][4];
    char description[160];
    GstVideoInfo raw; /* of the planes as they are given */
    bool failed;
};
struct pipe_sink *pipe_sink_video_create(const struct pipe_sink_params *params, const struct pipe_container *container,
                                         struct segman_error *error);
struct pipe_sink *pipe_sink_image_create(const struct pipe_sink_params *params, struct segman_error *error);
/** Fills what all kinds have: own copies of the parameters, raw format. */
bool pipe_sink_init(struct pipe_sink *sink, const struct pipe_sink_ops *ops, const struct pipe_sink_params *params,
                    struct segman_error *error);
void pipe_sink_finish(struct pipe_sink *sink);

#endif
