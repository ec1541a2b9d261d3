/* SPDX-License-Identifier: Apache-2.0 */
/**
 * signals.h: the first SIGINT, SIGTERM or SIGHUP asks for a tidy end, the second one kills; SIGPIPE is ignored.
 */
#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

#include "pipeline/pipeline.h"

/** Before any other thread starts: they inherit the blocked signals. A second call does nothing. */
bool app_signals_start(struct segman_error *error);
/** The source to be stopped by the first signal; NULL before it is destroyed. */
void app_signals_watch(struct pipe_source *source);
/** The signal that asked for the end; 0: none yet. */
int app_signals_received(void);

#endif
