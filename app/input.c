/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include "log.h"
#include "signals.h"

struct pipe_source *app_input_open(const char *input, bool video_only, struct segman_error *error)
{
    struct pipe_source_params params = {.input = input, .video_only = video_only};
    struct pipe_source *source;

    pipe_set_log(app_log_segman, NULL);
    if (!pipe_init(error))
        return NULL;
    source = pipe_source_open(&params, error);
    app_signals_watch(source);
    return source;
}

void app_input_close(struct pipe_source *source)
{
    app_signals_watch(NULL);
    pipe_source_destroy(source);
}
