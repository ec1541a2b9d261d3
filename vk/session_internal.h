/* SPDX-License-Identifier: Apache-2.0 */
/**
 * session_internal.h: a session: the lowered network and the frame program, recorded once into the command lists of each slot.
 *
 *   session_build.c  from parameters to recorded lists
 *   session.c        frames: begin, submit, wait, release; inspection
 *
 * Slots are used in turn; four counters tell what each one does:
 *   released <= waited <= submitted <= released + slots
 * Slots of one track run one after the other, those of different tracks at once: slot i is slot i / n_tracks of track i % n_tracks.
 */
#ifndef VK_SESSION_INTERNAL_H
#define VK_SESSION_INTERNAL_H

#include "lists.h"
#include "session.h"

/** The memory that a frame goes through, and what runs on it. */
struct session_track {
    struct net_program *net; /* the first one's, or a copy */
    struct frame_program *frame;
};

struct segman_session {
    struct segman_model *model;
    struct gpu *gpu;
    struct segman_session_params params; /* taps is not kept */
    struct session_track track[SEGMAN_MAX_SLOTS];
    uint32_t n_tracks;
    struct slot_lists lists[SEGMAN_MAX_SLOTS];
    struct gpu_commands *preview[SEGMAN_MAX_SLOTS]; /* with params.present: the picture alone */
    bool beside[GPU_QUEUES];                        /* which parts of a frame are lists of their own */
    uint64_t user[SEGMAN_MAX_SLOTS];
    uint64_t submitted, waited, released;
    uint32_t last_slot;            /* of the last waited frame */
    struct segman_pass_info *pass; /* in recorded order */
    size_t n_passes, cap_passes;
    bool listing; /* while slot 0 is recorded the first time */
    bool out_of_memory;
};

static inline const struct session_track *session_track_of(const struct segman_session *s, uint32_t slot)
{
    return &s->track[slot % s->n_tracks];
}

/** A slot's number in its track. */
static inline uint32_t session_own_slot(const struct segman_session *s, uint32_t slot)
{
    return slot / s->n_tracks;
}

/** The longest that a frame takes. */
uint64_t session_patience_ns(const struct segman_session *s);
/** Waits for all frames in flight without taking their results. */
bool session_wait_idle(struct segman_session *s, struct segman_error *error);
/** Records the lists of all slots, anew where they were recorded before: none may be in flight. */
bool session_record(struct segman_session *s, struct segman_error *error);

#endif
