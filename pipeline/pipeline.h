/* SPDX-License-Identifier: Apache-2.0 */
/**
 * pipeline.h: GStreamer in and out. A source turns any input into mapped frames; a sink turns planes
 * into a video file, an image or an image sequence, with the source's other streams passed through.
 *
 * Threads: a source and a sink each belong to one thread at a time (a sink may run on another thread
 * than its source); GStreamer's own threads stay inside. Errors: as in segman.h (false or NULL, and
 * *error).
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "vk/segman.h"

/** Once a process, before anything else here: gst_init with the program's own log rules. */
bool pipe_init(struct segman_error *error);
/**
 * Receives warnings and remarks (a stream that a container cannot take, an odd size that was padded);
 * may be called from any thread. NULL: warnings and errors go to stderr.
 */
void pipe_set_log(segman_log_fn log, void *user);

/* ---- source ---------------------------------------------------------------------------------- */

enum pipe_kind {
    PIPE_KIND_IMAGE,  /**< one still image */
    PIPE_KIND_IMAGES, /**< a directory or printf pattern of images, in natural order of names */
    PIPE_KIND_VIDEO,  /**< a file or URI that ends */
    PIPE_KIND_LIVE,   /**< a camera or an endless network stream: only the newest frame is kept; see "live sources" */
    PIPE_KIND_TEST,   /**< "test" or "test:WIDTHxHEIGHT[@FPS][:FRAMES]": videotestsrc, as fast as it is read */
};

struct pipe_source_info {
    enum pipe_kind kind;
    struct segman_frame_format format; /**< of the frames to come, after rotation */
    uint32_t fps_num, fps_den;         /**< nominal; 0/1 where variable or unknown */
    int64_t duration_ns;               /**< -1 where unknown */
    int64_t frames;                    /**< how many to expect (exact for images, an estimate for video), -1 where unknown */
    uint32_t rotation;                 /**< degrees clockwise that were applied: 0, 90, 180, 270 */
    bool flipped;                      /**< a left-right mirror was applied after it */
    bool has_audio;
    bool hdr;                  /**< PQ was mapped to standard range (HLG is compatible as it is) */
    uint32_t par_num, par_den; /**< shape of a pixel after rotation; 1/1: square */
    char colorimetry[64];      /**< GStreamer's text, e.g. "bt709" or "1:4:7:1" (full range) */
    char container[32];        /**< e.g. "Matroska"; empty where unknown */
    char codec[64];            /**< e.g. "H.264" */
};

struct pipe_source_params {
    const char *input; /**< path, URI, "-", directory, printf pattern, "test", camera: see conventions */
    double image_fps;  /**< rate of an image sequence; 0: 25 */
    bool video_only;   /**< other streams are dropped at once: for playing without an output that takes them */
    /* Live sources only: */
    uint32_t camera_width, camera_height; /**< wanted of a camera, the nearest that it has is taken; 0: 1280x720 */
    uint32_t camera_rate;                 /**< frames a second, likewise; 0: 30 */
    uint32_t latency_ms;                  /**< for how long packets of a network stream may be put in order; 0: 100 */
    double reconnect_s;                   /**< for how long a lost source is retried; 0: 60; INFINITY: for ever; negative: not at all */
    double first_s; /**< for how long a first connection that fails is tried again; 0: not at all; INFINITY: for ever. HTTP files too */
    double stall_s; /**< a source is lost after so long without a frame; 0: 5, and at least ten frames' time */
    int (*cancelled)(void); /**< polled while opening: not 0 gives up; NULL: never. Not kept after pipe_source_open. */
};

struct pipe_source;
/** Opens and prerolls: the info is right when this returns. */
struct pipe_source *pipe_source_open(const struct pipe_source_params *params, struct segman_error *error);
/** A sink that passes streams of this source through must be gone. Releases its frames too: none may be held. */
void pipe_source_destroy(struct pipe_source *source);
const struct pipe_source_info *pipe_source_info(const struct pipe_source *source);

struct pipe_frame {
    struct segman_frame_format format; /**< may change midway: compare with the previous frame's */
    const uint8_t *plane[3];
    uint32_t stride[3];  /**< bytes, any value >= the row's bytes */
    int64_t pts_ns;      /**< on the source's own clock, from the file's first timestamp on; never negative;
                              live: from the first frame's capture, breaks included, and growing */
    int64_t duration_ns; /**< -1 where unknown */
    int64_t captured_ns; /**< live: when it was captured, or (streams) came in, on the clock of
                              g_get_monotonic_time() * 1000 (CLOCK_MONOTONIC); else -1 */
    uint64_t index;      /**< 0, 1, ... */
    char name[256];      /**< for images and image sequences: the file's name without folder; else empty */
    void *opaque;
};

enum pipe_status {
    PIPE_FRAME,
    PIPE_END,
    PIPE_ERROR,
    PIPE_STOPPED,
    PIPE_TIMEOUT, /**< pipe_source_read_timeout: no frame yet */
    PIPE_LOST,    /**< pipe_source_read_timeout: the live source is gone and being retried */
};
/**
 * Next frame, blocking. PIPE_ERROR: *error says why; frames before it are not lost. Corrupt frames are skipped and counted.
 * Of a live source: the newest frame that was not read yet, waiting out a loss; PIPE_ERROR once reconnect_s is over.
 */
enum pipe_status pipe_source_read(struct pipe_source *source, struct pipe_frame *frame, struct segman_error *error);
/**
 * The same, waiting at most timeout_ns (0: only looks). Live: PIPE_LOST instead of PIPE_TIMEOUT while the source is lost;
 * the first one of a loss comes at once, the others after the time is over; *error holds the reason. Show the last frame,
 * and go on reading: PIPE_FRAME says that it is back, maybe in another format. Sources that are not live never time out
 * when their data is there; image sequences always wait.
 */
enum pipe_status pipe_source_read_timeout(struct pipe_source *source, int64_t timeout_ns, struct pipe_frame *frame,
                                          struct segman_error *error);
/** Accepts NULL and released frames. */
void pipe_frame_release(struct pipe_frame *frame);
/** Makes a blocked pipe_source_read return PIPE_STOPPED; callable from any thread and from a signal watcher (not from a handler). */
void pipe_source_stop(struct pipe_source *source);
/**
 * The next frame read is the one that is shown at this time (on the source's own clock), or the first one after it; frames
 * read before stay valid, indices go on counting. After the end of the input too. False, and *error, where the input cannot
 * be sought: live ones, a single image. Not while a sink passes streams of this source through.
 */
bool pipe_source_seek(struct pipe_source *source, int64_t pts_ns, struct segman_error *error);
/** Frames that could not be decoded, or were damaged, so far. */
uint64_t pipe_source_corrupt(const struct pipe_source *source);

/* ---- live sources ---------------------------------------------------------------------------- */

/*
 * A live source reads by itself into a mailbox of one: a frame that nobody took in time is replaced by the next one.
 * When it is lost (camera unplugged, stream ended, failed, or silent for stall_s) it is opened again and again, with
 * growing pauses; a camera is found by its stable ID, wherever it is plugged in. Other streams are not passed through.
 */
struct pipe_live_state {
    bool lost;           /**< now */
    char reason[256];    /**< of the last loss; empty before the first */
    double lost_s;       /**< since when */
    uint32_t tries;      /**< to open it again, since then */
    uint32_t losses;     /**< so far */
    uint64_t received;   /**< frames that came in */
    uint64_t replaced;   /**< of those, never read because newer ones came */
    char camera_id[160]; /**< stable ID of the camera in use; empty for streams */
};
/** False, and all zero, where the source is not live. From any thread. */
bool pipe_source_live_state(struct pipe_source *source, struct pipe_live_state *state);

struct pipe_camera_format {
    char format[16];           /**< "NV12", "YUY2", "MJPEG", "H.264", ... */
    uint32_t width, height;    /**< the largest, where the camera has a range */
    uint32_t fps_num, fps_den; /**< the fastest; 0/1 where unknown */
};
struct pipe_camera {
    char name[128]; /**< as the system shows it */
    char id[160];   /**< stays the same when it is plugged in elsewhere or after others: for "camera:ID" */
    char path[64];  /**< "/dev/video0"; empty where there is none */
    char api[32];   /**< "v4l2", "pipewire", ... */
    struct pipe_camera_format *formats;
    size_t n_formats;
};
/** Cameras that GStreamer's device providers find (v4l2, PipeWire, ...), each once; those of V4L2 first. None is no failure. */
bool pipe_list_cameras(struct pipe_camera **cameras, size_t *count, struct segman_error *error);
void pipe_free_cameras(struct pipe_camera *cameras, size_t count);

/* ---- sink ------------------------------------------------------------------------------------ */

/** Whether an output's name means images (.png, .jpg, a folder, a pattern of them): RGB planes suit those best. */
bool pipe_output_is_image(const char *path);

struct pipe_sink_params {
    const char *output;                /**< path: .mp4 .m4v .mov .mkv .webm; .png .jpg; a directory (trailing slash) or printf pattern */
    struct segman_frame_format format; /**< of the planes to be written */
    uint32_t fps_num, fps_den;         /**< nominal, 0/1 unknown */
    struct pipe_source *source;        /**< whose audio and other streams are passed through, and whose colorimetry and pixel shape
                                            are kept; must outlive the sink; NULL: none */
    bool video_only;                   /**< of the source, only colorimetry and pixel shape are taken */
    const char *codec;           /**< NULL or "auto": best installed; "h264", "vp8", "vp9", "ffv1", "h265", "av1", or an element's name */
    uint32_t bitrate;            /**< bits a second; 0: the encoder's quality default */
    bool overwrite;              /**< else an existing output is refused */
    bool gray;                   /**< labels: format is ignored but for its size, planes are one 8-bit gray plane; lossless only */
    const uint8_t (*palette)[4]; /**< for gray images: written into indexed PNGs, [256] RGBA, copied; NULL: gray PNG */
};
struct pipe_sink;
/** Opens. Writes under a temporary name (NAME.PID.part) beside the output until pipe_sink_close. */
struct pipe_sink *pipe_sink_open(const struct pipe_sink_params *params, struct segman_error *error);
/**
 * Copies a frame's planes and queues it. Blocks while the encoder is behind. name: for image sequences (the
 * source's file name: its stem is kept in a directory), else NULL. Times must grow.
 */
bool pipe_sink_write(struct pipe_sink *sink, const uint8_t *const plane[3], const uint32_t stride[3], int64_t pts_ns, int64_t duration_ns,
                     const char *name, struct segman_error *error);
/**
 * From now on frames have another size or format. False with SEGMAN_ERROR_UNSUPPORTED where the output holds only what it was
 * opened for (a video): it goes on with that.
 */
bool pipe_sink_change(struct pipe_sink *sink, const struct segman_frame_format *format, struct segman_error *error);
/** Finalises and renames to the final name. After false nothing new is left under the final name. */
bool pipe_sink_close(struct pipe_sink *sink, struct segman_error *error);
/**
 * Drops everything; removes what was written when pipe_sink_close was not called or failed (finished images of
 * a sequence stay: each was complete). Accepts NULL.
 */
void pipe_sink_destroy(struct pipe_sink *sink);
/** What was chosen, for the log: e.g. "H.264 (x264enc) in MP4". */
const char *pipe_sink_describe(const struct pipe_sink *sink);

/* ---- other files ----------------------------------------------------------------------------- */

/** A file that comes to its final name whole or not at all; zeroed: none. */
struct pipe_output {
    char *path, *temporary; /**< NAME.PID.part beside path */
    bool overwrite;
};
/** Checks that path may be written and does not exist (unless overwrite), and makes the temporary file, empty. */
bool pipe_output_open(struct pipe_output *output, const char *path, bool overwrite, struct segman_error *error);
/** Temporary to final name. */
bool pipe_output_commit(struct pipe_output *output, struct segman_error *error);
/** Removes the temporary file where it was not committed. */
void pipe_output_finish(struct pipe_output *output);

#endif
