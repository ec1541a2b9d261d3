/* SPDX-License-Identifier: Apache-2.0 */
/**
 * patience.h: says why the first frame lets wait. Drivers translate shaders for the device when they are first needed and keep them on
 * disk: when a session is made, CPU drivers also in its first frame.
 */
#ifndef APP_PATIENCE_H
#define APP_PATIENCE_H

#include "options.h"

/** From here on the program waits: after two seconds a line says so, once, or on a terminal a status line with the seconds. */
void app_patience_begin(const struct app_options *options);
/** It goes on. Harmless where nothing was begun. */
void app_patience_end(void);

/** Other than two seconds, for tests. */
void app_patience_after(int64_t microseconds);

#endif
