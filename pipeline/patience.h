/* SPDX-License-Identifier: Apache-2.0 */
/** patience.h: opening again what is not there yet. */
#ifndef PIPELINE_PATIENCE_H
#define PIPELINE_PATIENCE_H

#include "internal.h"

struct pipe_patience {
    double limit_s;         /**< from the first failure on; 0: none, INFINITY: for ever */
    int (*cancelled)(void); /**< NULL: never */
    int64_t failed_us;      /* first, 0: not yet */
    int64_t pause_us;       /* before the next try */
};

/**
 * After a failure: says so the first time, waits a little longer each time, and returns true where it is to be tried again.
 * False: it is cancelled, or the time is over, which *error says then.
 */
bool pipe_patience_again(struct pipe_patience *patience, struct segman_error *error);

#endif
