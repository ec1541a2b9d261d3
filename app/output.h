/* SPDX-License-Identifier: Apache-2.0 */
/**
 * output.h: the files that a run writes: annotated video or images, label masks, statistics.
 */
#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include "loop.h"
#include "stats.h"

struct app_output_params {
    const char *video;         /**< annotated video or images; NULL: none */
    const char *labels;        /**< label masks; NULL: none */
    const char *stats;         /**< statistics; NULL: none */
    const char *input, *model; /**< for the statistics' head */
    const char *codec;
    uint32_t bitrate;
    bool overwrite;
    struct pipe_source *source;
    const struct app_look *look;
};

struct app_output;

/** Refuses outputs that exist and may not be replaced, and one that is the input itself. Before anything is opened. */
bool app_output_check(const struct app_output_params *params, char *const *dumps, struct segman_error *error);

/** Opens the files; frame and view are the formats of the first frame. */
struct app_output *app_output_open(const struct app_output_params *params, const struct segman_frame_format *frame,
                                   const struct segman_frame_format *view, struct segman_error *error);
/** An app_deliver_fn; user is the output. */
enum app_verdict app_output_deliver(void *output, const struct app_delivery *frame, struct segman_error *error);
/** Finalises all files; tries each, *error tells the first failure. */
bool app_output_close(struct app_output *output, struct segman_error *error);
/** Removes what was not closed. Accepts NULL. */
void app_output_destroy(struct app_output *output);
/** What the video sink chose, or NULL. */
const char *app_output_describe(const struct app_output *output);

#endif
