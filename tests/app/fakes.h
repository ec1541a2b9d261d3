/* SPDX-License-Identifier: Apache-2.0 */
/**
 * fakes.h: a source and a session that the loop's test scripts. The fake session labels a whole frame
 * with its first byte and keeps a diary of what was asked of it.
 */
#ifndef TESTS_APP_FAKES_H
#define TESTS_APP_FAKES_H

#include "pipeline/pipeline.h"

#include <glib.h>

extern struct fake {
    /* script */
    struct pipe_source_info info;
    uint64_t frames;      /* that the source has */
    enum pipe_status end; /* what comes after them */
    uint64_t change_at;   /* frame from which on they are wider; 0: none */
    uint64_t pause_every; /* live: every so many looks find no frame; 0: all find one */
    uint64_t fail_submit; /* submission (1, 2, ...) that loses the device; 0: none */
    uint64_t fail_wait;   /* wait that does */
    bool fail_create;     /* a session cannot be made */
    gulong first_us;      /* microseconds until the first frame is there */
    uint32_t parallel;    /* networks that the device runs at once */
    bool fail_parallel;   /* there is no memory for more than one */
    uint8_t (*label)(uint64_t frame);
    /* what happened */
    uint64_t looks, read, unreleased, sessions, submits, waits;
    uint32_t most_in_flight;
    float smooth;   /* as the last session was asked for; told to skip, every other frame is still */
    GString *diary; /* b begin, s submit, w wait, r release, o overlay, c create, d destroy */
} fake;

void fake_reset(void);

#endif
