/* SPDX-License-Identifier: Apache-2.0 */
/**
 * reader.h: reads a source on a thread of its own into a short queue, so that a window answers while frames are decoded.
 *
 * Files are never dropped here but on demand (app_reader_skip); of live sources only the newest frame is kept.
 */
#ifndef APP_READER_H
#define APP_READER_H

#include "pipeline/pipeline.h"

struct app_reader_params {
    struct pipe_source *source;
    bool newest;              /**< a mailbox of one: live sources */
    bool loop;                /**< begins again at the end, where the source can be sought */
    void (*wake)(void *user); /**< called from the reader's thread when something is to be taken */
    void *user;
};
struct app_reader;

struct app_reader *app_reader_create(const struct app_reader_params *params, struct segman_error *error);
/** Stops the source. Frames taken must be released before the source is destroyed. */
void app_reader_destroy(struct app_reader *reader);

/** A frame as it was read. */
struct app_read {
    struct pipe_frame frame;
    int64_t arrived; /**< microseconds, monotonic: when the source gave it */
    uint32_t era;    /**< counts seeks: older frames are stale */
};
/** Takes the oldest frame in the queue; false when it is empty. */
bool app_reader_take(struct app_reader *reader, struct app_read *read);
/** Time of the oldest frame in the queue; false when it is empty. */
bool app_reader_peek(struct app_reader *reader, int64_t *pts_ns);
/** How it ended, once the queue is empty: PIPE_FRAME while it goes on. *error for PIPE_ERROR. */
enum pipe_status app_reader_ended(struct app_reader *reader, struct segman_error *error);

/** Frames before this time are dropped unless nothing comes after them. */
void app_reader_skip(struct app_reader *reader, int64_t pts_ns);
/** Empties the queue and goes on at this time; the new era is returned. */
uint32_t app_reader_seek(struct app_reader *reader, int64_t pts_ns);

struct app_reader_figures {
    uint64_t read, skipped; /**< frames */
    double read_ms;         /**< of one frame, running mean */
};
void app_reader_figures(struct app_reader *reader, struct app_reader_figures *figures);

#endif
