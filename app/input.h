/* SPDX-License-Identifier: Apache-2.0 */
/**
 * input.h: sources with the program's log and signals tied to them.
 */
#ifndef APP_INPUT_H
#define APP_INPUT_H

#include "pipeline/pipeline.h"

/** Opens; the first signal stops it from now on. video_only: nothing takes its other streams. */
struct pipe_source *app_input_open(const char *input, bool video_only, struct segman_error *error);
/** Accepts NULL. */
void app_input_close(struct pipe_source *source);

#endif
