/* SPDX-License-Identifier: Apache-2.0 */
/* Screenshots, and the file that is written while the window shows it. */
#include "window.h"

#include "log.h"

#include <stdlib.h>

/* ---- screenshots ------------------------------------------------------------------------------------- */

static char *free_name(void)
{
    for (int i = 1; i < 10000; i++) {
        g_autofree char *name = g_strdup_printf("segman-%04d.png", i);
        if (!g_file_test(name, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&name);
    }
    return NULL;
}

static bool write_png(const char *name, const uint8_t *rgba, uint32_t width, uint32_t height, struct segman_error *error)
{
    struct pipe_sink_params params = {.output = name, .format = {.format = SEGMAN_FORMAT_RGBA, .width = width, .height = height}};
    struct pipe_sink *sink = pipe_sink_open(&params, error);
    const uint8_t *planes[3] = {rgba};
    const uint32_t strides[3] = {width * 4};
    bool good = sink && pipe_sink_write(sink, planes, strides, 0, -1, NULL, error) && pipe_sink_close(sink, error);

    pipe_sink_destroy(sink);
    return good;
}

void window_screenshot(struct app_window *w)
{
    struct segman_present what = window_present(w);
    g_autofree char *name = free_name();
    struct segman_error error = {0};
    uint32_t width = 0, height = 0;
    uint8_t *rgba = NULL;
    bool good = name && !what.empty && segman_presenter_capture(w->presenter, &what, &width, &height, &rgba, &error) &&
                write_png(name, rgba, width, height, &error);

    free(rgba);
    if (good) {
        app_log(SEGMAN_LOG_INFO, "screenshot: %s", name);
        window_say(w, "saved %s", name);
    } else {
        window_say(w, "no screenshot: %s", what.empty ? "there is no picture yet" : name ? error.message : "every name is taken");
    }
}

/* ---- recording --------------------------------------------------------------------------------------- */

static struct app_output_params output_params(const struct app_window *w)
{
    const struct app_options *options = w->options;

    return (struct app_output_params){
        .video = options->record,
        .labels = options->labels,
        .stats = options->stats,
        .input = w->input,
        .model = w->engine.name,
        .codec = options->codec,
        .bitrate = (uint32_t)MIN(options->bitrate, UINT32_MAX),
        .overwrite = options->overwrite && !options->keep,
        .source = w->source,
        .look = &w->engine.look,
    };
}

bool window_record_open(struct app_window *w)
{
    struct app_output_params params = output_params(w);

    if (!w->options->record)
        return true;
    if (!app_output_check(&params, NULL, &w->error))
        return app_window_fail(w, APP_EXIT_INIT);
    w->record = app_output_open(&params, &w->format, &w->view_format, &w->error);
    return w->record || app_window_fail(w, APP_EXIT_INIT);
}

bool window_record(struct app_window *w, const struct window_frame *frame)
{
    const struct window_ticket *ticket = &frame->ticket;
    struct app_delivery delivery = {
        .result = &frame->result,
        .frame = w->format,
        .view = w->view_format,
        .index = ticket->index,
        .pts_ns = ticket->pts_ns,
        .duration_ns = ticket->duration_ns,
        .name = ticket->name,
        .counts = frame->counts,
    };
    enum app_verdict verdict = app_output_deliver(w->record, &delivery, &w->error);

    w->osd.recorded += verdict == APP_TAKEN;
    return verdict != APP_FATAL;
}

void window_record_close(struct app_window *w)
{
    struct segman_error error;

    if (w->record && w->osd.recorded && !app_output_close(w->record, &error)) {
        app_log(SEGMAN_LOG_ERROR, "%s", error.message);
        w->exit_code = w->exit_code == APP_EXIT_SIGNAL ? w->exit_code : APP_EXIT_PARTIAL;
    }
    app_output_destroy(w->record);
    w->record = NULL;
}
