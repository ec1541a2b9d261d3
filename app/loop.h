/* SPDX-License-Identifier: Apache-2.0 */
/**
 * loop.h: the session loop: frames from a source through a session to whoever takes the results
 * (the output files now; a window takes them the same way).
 *
 *   read -> begin, copy planes -> submit -> [slots in flight] -> wait -> deliver -> release
 *
 * Of a live source, results are delivered as soon as they are there: nothing waits for a frame that may not come.
 *
 * When the source's format changes midway, the frames in flight are finished and a new session is
 * made for the new format.
 */
#ifndef APP_LOOP_H
#define APP_LOOP_H

#include "engine.h"
#include "pipeline/pipeline.h"

#include <glib.h>

/** A finished frame; valid during the delivery only. */
struct app_delivery {
    const struct segman_result *result;
    struct segman_frame_format frame; /**< the source's */
    struct segman_frame_format view;  /**< of result->view */
    uint64_t index;
    int64_t pts_ns, duration_ns;
    int64_t captured_ns;    /**< see pipe_frame; -1 where the source is not live */
    const char *name;       /**< image file's name, or "" */
    const uint64_t *counts; /**< [256] pixels by label; NULL unless asked for */
};

enum app_verdict { APP_TAKEN, APP_DROPPED, APP_FATAL };
/** Takes a frame. DROPPED: it could not be used, go on and count it. FATAL: *error says why, stop. */
typedef enum app_verdict (*app_deliver_fn)(void *user, const struct app_delivery *frame, struct segman_error *error);

struct app_loop_params {
    const struct app_engine *engine;
    const struct app_options *options;
    struct pipe_source *source;
    enum segman_view view;
    bool rgb;   /**< views in RGBA, whatever the frames are: exactly the RGB that the network saw */
    bool count; /**< fill app_delivery.counts */
    bool legend;
    const char *const *taps; /**< kept for app_loop_params.first; [n_taps] */
    size_t n_taps;
    bool (*first)(void *user, struct segman_session *session,
                  struct segman_error *error); /**< after the first frame, nothing else in flight */
    app_deliver_fn deliver;
    /** After a loss of the device: sets another one up, or says that it cannot be; NULL: a loss is the end. */
    bool (*renew)(void *user, struct segman_error *error);
    void *user;
};

enum app_end {
    APP_END_INPUT,   /**< the input's end, or the wanted number of frames */
    APP_END_STOPPED, /**< a signal */
    APP_END_READ,    /**< the input failed */
    APP_END_FAILED,  /**< the device or a consumer failed */
};

#define APP_LOOP_SAMPLES (1 << 18) /**< at most, of each kind: two hours and more of a live input; the latest are kept */

/** What happened; times are sums over all frames, in seconds. */
struct app_loop_report {
    enum app_end end;
    uint64_t frames, dropped;
    uint64_t skipped; /**< still frames that have the labels of the one before */
    uint64_t lost;    /**< in flight when the device was lost */
    double elapsed;
    double read, upload, wait, deliver;
    uint32_t parallel; /**< frames that went through the network at once */
    GArray *gpu_ms;    /**< double, one a frame; with others beside it, if parallel is more than one */
    GArray *wall_ms;   /**< double, from submission to the result */
    GArray *age_ms;    /**< double, live: from capture to the result */
};

struct app_loop;

/** Makes the session for the source's format: the input is open and the GPU memory taken when this returns. */
struct app_loop *app_loop_create(const struct app_loop_params *params, struct segman_error *error);
void app_loop_destroy(struct app_loop *loop);
/** Format of the views to come. */
struct segman_frame_format app_loop_view_format(const struct app_loop *loop);
const struct segman_session_params *app_loop_session_params(const struct app_loop *loop);
enum segman_precision app_loop_precision(const struct app_loop *loop);
/** Runs to the end; *error is filled for APP_END_READ and APP_END_FAILED. */
enum app_end app_loop_run(struct app_loop *loop, struct segman_error *error);
const struct app_loop_report *app_loop_report(const struct app_loop *loop);

#endif
