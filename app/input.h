/* SPDX-License-Identifier: Apache-2.0 */
/**
 * input.h: sources with the program's log and signals tied to them.
 */
#ifndef APP_INPUT_H
#define APP_INPUT_H

#include "options.h"
#include "pipeline/pipeline.h"

/** What the options say of a live input; wish is zeroed first. */
bool app_input_wish(const struct app_options *options, struct pipe_source_params *wish, struct segman_error *error);
/**
 * Opens as the options say; the first signal stops it, also while it opens. video_only: nothing takes its other streams.
 * forever: a live input that is lost is retried without end, unless --reconnect is given.
 */
struct pipe_source *app_input_open(const char *input, const struct app_options *options, bool video_only, bool forever,
                                   struct segman_error *error);
/** Accepts NULL. */
void app_input_close(struct pipe_source *source);

#endif
