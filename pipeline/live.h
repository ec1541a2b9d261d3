/* SPDX-License-Identifier: Apache-2.0 */
/** live.h: cameras and network streams: the newest frame only, opened again when they are lost. */
#ifndef PIPELINE_LIVE_H
#define PIPELINE_LIVE_H

#include "internal.h"

/* ---- mailbox.c */
/** Holds one frame; the next one replaces it. */
struct pipe_mailbox {
    GMutex lock;       /* guards all of it, and whatever else its owner says */
    GCond cond;        /* a frame came, or a change of the owner's */
    GstSample *sample; /* NULL: empty */
    int64_t captured_ns;
    int64_t arrived_us; /* the last frame, 0 before the first */
    uint64_t received, replaced;
};
void pipe_mailbox_init(struct pipe_mailbox *box);
void pipe_mailbox_finish(struct pipe_mailbox *box);
/** Takes the sample over. */
void pipe_mailbox_put(struct pipe_mailbox *box, GstSample *sample, int64_t captured_ns);
/** Counts a frame that was replaced before it came this far. */
void pipe_mailbox_leak(struct pipe_mailbox *box);

/* ---- live.c */
struct pipe_decoder;
struct pipe_live;
/** opened: a running decoder without mailbox, taken over also on failure; NULL: opens the input. */
struct pipe_live *pipe_live_create(const struct pipe_input *input, const struct pipe_source_params *params, struct pipe_decoder *opened,
                                   struct segman_error *error);
void pipe_live_destroy(struct pipe_live *live);
/** The first decoder, to be described before the first frame is read; it may be gone later. */
struct pipe_decoder *pipe_live_decoder(struct pipe_live *live);
/** As pipe_source_read_timeout; timeout_ns negative: as pipe_source_read. */
enum pipe_status pipe_live_read(struct pipe_live *live, int64_t timeout_ns, struct pipe_frame *frame, struct segman_error *error);
void pipe_live_stop(struct pipe_live *live);
void pipe_live_state(struct pipe_live *live, struct pipe_live_state *state);
uint64_t pipe_live_corrupt(struct pipe_live *live);

#endif
