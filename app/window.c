/* SPDX-License-Identifier: Apache-2.0 */
/* The command: a source in a window, from opening to closing. */
#include "window.h"

#include "commands.h"
#include "input.h"
#include "log.h"
#include "paths.h"
#include "patience.h"
#include "signals.h"

bool app_window_wanted(const struct app_options *options)
{
    bool of_frames = options->labels || options->stats, of_run = options->dump || options->json;

    return !options->no_window && !options->output && !of_run && (options->record || !of_frames);
}

bool app_window_fail(struct app_window *w, int exit_code)
{
    w->exit_code = exit_code;
    w->failed = w->quit = true;
    return false;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static bool choose_input(struct app_window *w)
{
    static const char *const extensions[] = {".mp4", NULL};

    w->input = w->options->input ? g_strdup(w->options->input) : app_paths_data("clips", "room", extensions);
    if (w->input)
        return true;
    segman_fail(&w->error, SEGMAN_ERROR_ARGUMENT, "an input is expected (the bundled clip is not installed): see segman --help");
    return app_window_fail(w, APP_EXIT_INIT);
}

static bool open_engine(struct app_window *w)
{
    g_autofree char *title = g_strdup_printf("%s - segman", w->input);

    if (!app_display_open(&w->display, title, &w->error) || !app_engine_init_window(&w->engine, w->options, &w->display.surface, &w->error))
        return app_window_fail(w, APP_EXIT_INIT);
    w->style = w->engine.look.style;
    w->blocking = segman_context_device(w->engine.context)->type == SEGMAN_DEVICE_CPU;
    return true;
}

static bool open_source(struct app_window *w)
{
    const struct pipe_source_info *info;

    w->source = app_input_open(w->input, w->options, !w->options->record, true, &w->error);
    if (!w->source)
        return app_window_fail(w, app_signals_received() ? APP_EXIT_SIGNAL : APP_EXIT_INPUT);
    info = pipe_source_info(w->source);
    w->still = info->kind == PIPE_KIND_IMAGE;
    w->timed = info->kind != PIPE_KIND_LIVE && !w->still;
    return window_session(w, &info->format);
}

static void show_window(struct app_window *w)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);
    double par = info->par_num && info->par_den ? (double)info->par_num / info->par_den : 1;
    uint32_t columns = w->view == SEGMAN_VIEW_SIDE_BY_SIDE ? 2 : 1;

    app_display_show(&w->display, (uint32_t)(columns * w->format.width * par), w->format.height, w->options->fullscreen);
}

bool app_window_present(struct app_window *w)
{
    struct segman_presenter_params params = {.vsync = (enum segman_vsync)w->options->vsync};

    app_display_size(&w->display, &params.width, &params.height);
    w->presenter = segman_presenter_create(w->engine.context, &params, &w->error);
    if (!w->presenter || !segman_presenter_attach(w->presenter, w->session, &w->error))
        return app_window_fail(w, APP_EXIT_INIT);
    return window_resize(w);
}

static bool open_presenter(struct app_window *w)
{
    show_window(w);
    SDL_PumpEvents(); /* the size that the window manager has given it */
    return app_window_present(w);
}

static bool open_reader(struct app_window *w)
{
    const struct pipe_source_info *info = pipe_source_info(w->source);
    struct app_reader_params params = {
        .source = w->source,
        .newest = info->kind == PIPE_KIND_LIVE,
        .loop = (w->options->loop || !w->options->input) && w->timed && !w->options->record,
        .wake = window_wake,
        .user = w,
    };

    w->reader = app_reader_create(&params, &w->error);
    return w->reader || app_window_fail(w, APP_EXIT_INIT);
}

static void report(const struct app_window *w)
{
    app_log(SEGMAN_LOG_INFO, "%s: %ux%u, %s on %s, network %ux%u (height x width), %s; ? in the window shows the keys", w->input,
            w->format.width, w->format.height, w->engine.name, segman_context_device(w->engine.context)->name, w->params.net_height,
            w->params.net_width, app_precision_name(segman_session_precision(w->session)));
}

static void init(struct app_window *w, const struct app_options *options)
{
    w->options = options;
    w->view = SEGMAN_VIEW_OVERLAY + (enum segman_view)options->view;
    w->view_before = w->view;
    w->latest = options->sync == APP_SYNC_LATEST;
    w->legend_on = options->legend || !options->input;
    w->osd_level = APP_OSD_LINE;
    w->legend_frame = UINT64_MAX;
    w->fed = g_get_monotonic_time();
}

bool app_window_open(struct app_window *w, const struct app_options *options)
{
    init(w, options);
    if (!choose_input(w) || !open_engine(w) || !open_source(w) || !open_presenter(w) || !window_record_open(w) || !open_reader(w))
        return false;
    report(w);
    return true;
}

/* ---- the loop -------------------------------------------------------------------------------------------- */

/* The GPU is waited for in window_play(), which then comes back soon; without work there, events end the wait. */
static int wait_ms(const struct app_window *w)
{
    bool to_draw = w->changed && window_may_draw(w);

    if ((w->ready.valid || w->has_held) && !w->paused && !to_draw)
        return 2;
    if (window_in_flight(w) || to_draw)
        return 0;
    return w->paused || w->still ? 50 : 10;
}

bool app_window_round(struct app_window *w)
{
    window_events(w, wait_ms(w));
    if ((w->quit || !window_play(w) || !window_draw(w)) && !window_recover(w))
        return false;
    if (app_signals_received()) {
        w->exit_code = APP_EXIT_SIGNAL;
        w->quit = true;
    }
    return !w->quit;
}

void app_window_close(struct app_window *w)
{
    struct segman_error ignored;

    app_reader_destroy(w->reader);
    window_drop_all(w);
    window_record_close(w);
    if (w->presenter)
        segman_presenter_attach(w->presenter, NULL, &ignored);
    app_patience_end();
    segman_session_destroy(w->session);
    segman_presenter_destroy(w->presenter);
    app_legend_destroy(w->legend);
    app_text_finish(&w->osd_text);
    app_text_finish(&w->message);
    app_text_finish(&w->help);
    app_text_finish(&w->hover);
    app_input_close(w->source);
    app_engine_finish(&w->engine);
    app_display_finish(&w->display);
    g_free(w->input);
}

int app_window(const struct app_options *options, bool *no_display)
{
    struct app_window *w = g_new0(struct app_window, 1);
    int code;

    *no_display = !app_signals_start(&w->error) || !app_display_start(&w->display, &w->error);
    if (*no_display) {
        app_log(SEGMAN_LOG_WARNING, "%s", w->error.message);
    } else {
        bool good = app_window_open(w, options);
        while (good)
            good = app_window_round(w);
        if (w->failed)
            app_engine_explain(&w->error);
    }
    code = w->exit_code;
    app_window_close(w);
    g_free(w);
    return code;
}
