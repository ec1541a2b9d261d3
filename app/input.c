/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include "log.h"
#include "signals.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>

#define LARGEST 16384

static bool read_size(const char *text, struct pipe_source_params *wish, struct segman_error *error)
{
    unsigned width = 0, height = 0;
    int end = 0;

    if (!text)
        return true;
    if (sscanf(text, "%ux%u%n", &width, &height, &end) != 2 || text[end] || !width || !height || width > LARGEST || height > LARGEST)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "--camera-size is \"%s\", expected WIDTHxHEIGHT as in 640x480", text);
    wish->camera_width = width;
    wish->camera_height = height;
    return true;
}

bool app_input_wish(const struct app_options *options, struct pipe_source_params *wish, struct segman_error *error)
{
    *wish = (struct pipe_source_params){
        .camera_rate = (uint32_t)MIN(options->camera_rate, 1000),
        .latency_ms = (uint32_t)MIN(options->stream_latency, 60000),
        .reconnect_s = options->reconnect ? (double)options->reconnect : -1,
        .first_s = (double)options->reconnect,
        .cancelled = app_signals_received,
    };
    return read_size(options->camera_size, wish, error);
}

struct pipe_source *app_input_open(const char *input, const struct app_options *options, bool video_only, bool forever,
                                   struct segman_error *error)
{
    struct pipe_source_params params;
    struct pipe_source *source;

    pipe_set_log(app_log_segman, NULL);
    if (!app_input_wish(options, &params, error) || !pipe_init(error))
        return NULL;
    params.input = input;
    params.video_only = video_only;
    if (forever && !(options->given & app_options_bit("reconnect")))
        params.reconnect_s = INFINITY;
    source = pipe_source_open(&params, error);
    app_signals_watch(source);
    return source;
}

void app_input_close(struct pipe_source *source)
{
    app_signals_watch(NULL);
    pipe_source_destroy(source);
}
