/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "input.h"
#include "json.h"
#include "log.h"
#include "npy.h"
#include "output.h"
#include "paths.h"
#include "samples.h"
#include "signals.h"

#include <stdlib.h>
#include <string.h>

/* A run from its options to its files. */
struct run {
    const struct app_options *options;
    char *input, *output; /* as given, or chosen */
    struct app_engine engine;
    struct pipe_source *source;
    struct app_loop *loop;
    struct app_output *files;
    char **taps; /* tensor names of --dump */
    char *sink;  /* what the video sink chose */
    uint64_t corrupt;
    bool live;
    struct pipe_live_state state; /* at the end */
};

/* ---- what to do with no input or no output ------------------------------------------------------------ */

static bool choose_input(struct run *run, struct segman_error *error)
{
    static const char *const extensions[] = {".mp4", NULL};

    run->input = run->options->input ? g_strdup(run->options->input) : app_paths_data("clips", "room", extensions);
    if (run->input)
        return true;
    return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "an input is expected (the bundled clip is not installed): see segman --help");
}

static char *stem_of(const char *input)
{
    bool plain = g_file_test(input, G_FILE_TEST_EXISTS) && !g_str_has_prefix(input, "/dev/");
    g_autofree char *base = plain ? g_path_get_basename(input) : NULL;
    char *dot = base ? strrchr(base, '.') : NULL;

    if (dot && dot != base)
        *dot = '\0';
    return base && g_ascii_isalnum(*base) ? g_strdup_printf("%s-segman", base) : g_strdup("segman");
}

/* Reports alone need no annotated video. */
static bool wants_video(const struct app_options *options)
{
    return options->output || options->record || !(options->labels || options->stats || options->dump);
}

/* Without an output of any kind the result goes into the current folder, under a name that is free. */
static void choose_output(struct run *run, enum pipe_kind kind)
{
    static const char *const extensions[] = {
        [PIPE_KIND_IMAGE] = ".png", [PIPE_KIND_IMAGES] = "",   [PIPE_KIND_VIDEO] = ".mp4",
        [PIPE_KIND_TEST] = ".mp4",  [PIPE_KIND_LIVE] = ".mkv", /* what was written of it can be played, whatever ends it */
    };
    const char *extension = extensions[kind];

    if (run->output || !wants_video(run->options))
        return;
    g_autofree char *stem = stem_of(run->input);
    run->output = app_paths_free_name(stem, extension);
    if (kind == PIPE_KIND_IMAGES) {
        char *folder = g_strconcat(run->output, "/", NULL);
        g_free(run->output);
        run->output = folder;
    }
    app_log(SEGMAN_LOG_INFO, "no output given: writing %s", run->output);
}

static void choose_taps(struct run *run)
{
    char **dumps = run->options->dump;
    guint count = dumps ? g_strv_length(dumps) : 0;

    run->taps = g_new0(char *, count + 1);
    for (guint i = 0; i < count; i++)
        run->taps[i] = g_strndup(dumps[i], (gsize)(strchr(dumps[i], '=') - dumps[i]));
}

/* ---- tensors -------------------------------------------------------------------------------------------- */

static bool may_overwrite(const struct app_options *options)
{
    return options->overwrite && !options->keep;
}

static bool dump_one(struct segman_session *session, const char *tensor, const char *path, bool overwrite, struct segman_error *error)
{
    uint32_t shape[3];
    float *values = NULL;
    bool good = segman_session_tap(session, tensor, shape, &values, error) && app_npy_write(path, overwrite, values, shape, 3, error);

    if (good)
        app_log(SEGMAN_LOG_INFO, "%s: %s, %u x %u x %u", path, tensor, shape[0], shape[1], shape[2]);
    free(values);
    return good;
}

static bool dump_all(void *user, struct segman_session *session, struct segman_error *error)
{
    const struct run *run = user;

    for (guint i = 0; run->taps[i]; i++) {
        const char *path = strchr(run->options->dump[i], '=') + 1;
        if (!dump_one(session, run->taps[i], path, may_overwrite(run->options), error))
            return false;
    }
    return true;
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

static struct app_output_params output_params(const struct run *run)
{
    const struct app_options *options = run->options;

    return (struct app_output_params){
        .video = run->output,
        .labels = options->labels,
        .stats = options->stats,
        .input = run->input,
        .model = run->engine.name,
        .codec = options->codec,
        .bitrate = (uint32_t)MIN(options->bitrate, UINT32_MAX),
        .overwrite = may_overwrite(options),
        .source = run->source,
        .look = &run->engine.look,
    };
}

static enum app_verdict deliver(void *user, const struct app_delivery *frame, struct segman_error *error)
{
    return app_output_deliver(((struct run *)user)->files, frame, error);
}

static bool renew(void *user, struct segman_error *error)
{
    struct run *run = user;

    return app_engine_lost(&run->engine, error) && app_engine_renew(&run->engine, run->options, NULL, error);
}

static struct app_loop *make_loop(struct run *run, struct segman_error *error)
{
    struct app_loop_params params = {
        .engine = &run->engine,
        .options = run->options,
        .source = run->source,
        .view = run->output ? SEGMAN_VIEW_OVERLAY + (enum segman_view)run->options->view : SEGMAN_VIEW_NONE,
        .rgb = run->output && pipe_output_is_image(run->output),
        .count = run->options->stats != NULL,
        .legend = run->options->legend,
        .taps = (const char *const *)run->taps,
        .n_taps = g_strv_length(run->taps),
        .first = dump_all,
        .deliver = deliver,
        .renew = renew,
        .user = run,
    };

    return app_loop_create(&params, error);
}

static void report_input(const struct run *run)
{
    const struct pipe_source_info *info = pipe_source_info(run->source);
    const struct segman_session_params *session = app_loop_session_params(run->loop);

    app_log(SEGMAN_LOG_INFO, "%s: %ux%u%s%s%s%s", run->input, info->format.width, info->format.height, *info->codec ? " " : "", info->codec,
            *info->container ? " in " : "", info->container);
    app_log(SEGMAN_LOG_INFO, "%s on %s, network %ux%u (height x width), %s", run->engine.name,
            segman_context_device(run->engine.context)->name, session->net_height, session->net_width,
            app_precision_name(app_loop_precision(run->loop)));
}

/* In this order: what can be refused at once, the GPU and the model, the input, GPU memory, and only then the outputs. */
static int open_all(struct run *run, struct segman_error *error)
{
    struct app_output_params params;
    struct segman_frame_format view;
    struct pipe_source_params wish;

    run->output = g_strdup(run->options->output ? run->options->output : run->options->record);
    if (!choose_input(run, error))
        return APP_EXIT_INIT;
    if (run->options->json && g_strcmp0(run->options->stats, "-") == 0) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "--json and --stats - both want the standard output");
        return APP_EXIT_INIT;
    }
    if (!app_input_wish(run->options, &wish, error))
        return APP_EXIT_INIT;
    params = output_params(run);
    if (!app_output_check(&params, run->options->dump, error))
        return APP_EXIT_INIT;
    choose_taps(run);
    if (!app_signals_start(error) || !app_engine_init(&run->engine, run->options, error))
        return APP_EXIT_INIT;
    run->source = app_input_open(run->input, run->options, !wants_video(run->options), false, error);
    if (!run->source)
        return app_signals_received() ? APP_EXIT_SIGNAL : APP_EXIT_INPUT;
    choose_output(run, pipe_source_info(run->source)->kind);
    run->loop = make_loop(run, error);
    if (!run->loop)
        return APP_EXIT_INIT;
    report_input(run);
    params = output_params(run);
    view = app_loop_view_format(run->loop);
    run->files = app_output_open(&params, &pipe_source_info(run->source)->format, &view, error);
    return run->files ? APP_EXIT_DONE : APP_EXIT_INIT;
}

static void close_all(struct run *run)
{
    app_loop_destroy(run->loop);
    app_output_destroy(run->files);
    app_input_close(run->source);
    app_engine_finish(&run->engine);
    g_strfreev(run->taps);
    g_free(run->sink);
    g_free(run->input);
    g_free(run->output);
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static int end_code(const struct run *run)
{
    const struct app_loop_report *report = app_loop_report(run->loop);

    switch (report->end) {
    case APP_END_STOPPED:
        return app_signals_received() ? APP_EXIT_SIGNAL : APP_EXIT_PARTIAL;
    case APP_END_READ: /* a live input that is not back is an input that cannot be played: scripts start again then */
        return report->frames && !run->live ? APP_EXIT_PARTIAL : APP_EXIT_INPUT;
    case APP_END_FAILED:
        return APP_EXIT_PARTIAL;
    default:
        break;
    }
    if (!report->frames)
        return APP_EXIT_INPUT;
    return run->corrupt || report->dropped || (report->lost && !run->live) ? APP_EXIT_PARTIAL : APP_EXIT_DONE;
}

static void report_end(const struct run *run)
{
    const struct app_loop_report *report = app_loop_report(run->loop);

    if (report->skipped)
        app_log(SEGMAN_LOG_INFO, "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " frames were still: they have the labels of the one before",
                report->skipped, report->frames);
    if (run->corrupt)
        app_log(SEGMAN_LOG_WARNING, "%" G_GUINT64_FORMAT " frames of the input were damaged and left out", run->corrupt);
    if (run->live)
        app_log(SEGMAN_LOG_INFO, "live: %" G_GUINT64_FORMAT " frames came, %" G_GUINT64_FORMAT " gave way to newer ones, lost %u times",
                run->state.received, run->state.replaced, run->state.losses);
    if (report->lost)
        app_log(SEGMAN_LOG_WARNING, "frames lost with the GPU: %" G_GUINT64_FORMAT, report->lost);
    if (report->dropped)
        app_log(SEGMAN_LOG_WARNING, "%" G_GUINT64_FORMAT " frames did not fit the output and were left out", report->dropped);
    if (!report->frames && report->end == APP_END_INPUT)
        app_log(SEGMAN_LOG_ERROR, "%s has no frame that could be decoded", run->input);
}

static json_t *session_json(const struct run *run)
{
    const struct segman_session_params *session = app_loop_session_params(run->loop);
    const struct segman_device_info *device = segman_context_device(run->engine.context);

    return json_pack("{so so ss s[ii] s[ii] si si}", "model", app_json_text(run->engine.name), "device", app_json_text(device->name),
                     "precision", app_precision_name(app_loop_precision(run->loop)), "frame", (int)session->frame.width,
                     (int)session->frame.height, "network", (int)session->net_width, (int)session->net_height, "crop", (int)session->crop,
                     "parallel", (int)app_loop_report(run->loop)->parallel);
}

/* age_ms: from a frame's capture until its result was there. */
static json_t *live_json(const struct run *run)
{
    const GArray *age_ms = app_loop_report(run->loop)->age_ms;

    return json_pack("{sI sI si so}", "received", (json_int_t)run->state.received, "replaced", (json_int_t)run->state.replaced, "losses",
                     (int)run->state.losses, "age_ms", app_samples_json((const double *)age_ms->data, age_ms->len, false));
}

static void print_json(const struct run *run, int code)
{
    const struct app_loop_report *report = app_loop_report(run->loop);
    double fps = report->elapsed > 0 ? (double)report->frames / report->elapsed : 0;
    json_t *root = json_pack("{ss si so so so sI sI sI sI sf sf}", "program", "segman " SEGMAN_VERSION, "exit", code, "input",
                             app_json_text(run->input), "output", app_json_text(run->output), "encoder", app_json_text(run->sink), "frames",
                             (json_int_t)report->frames, "skipped", (json_int_t)report->skipped, "dropped", (json_int_t)report->dropped,
                             "corrupt", (json_int_t)run->corrupt, "seconds", report->elapsed, "fps", fps);

    json_object_set_new(root, "session", session_json(run));
    if (run->live)
        json_object_set_new(root, "live", live_json(run));
    json_object_set_new(root, "gpu_ms", app_samples_json((const double *)report->gpu_ms->data, report->gpu_ms->len, false));
    json_object_set_new(root, "latency_ms", app_samples_json((const double *)report->wall_ms->data, report->wall_ms->len, false));
    json_object_set_new(
        root, "seconds_in",
        json_pack("{sf sf sf sf}", "read", report->read, "upload", report->upload, "wait", report->wait, "write", report->deliver));
    app_json_result(root);
}

/* The files are finalised whatever ended the loop, as long as they hold a frame. */
static int run_all(struct run *run)
{
    struct segman_error error = {0};
    enum app_end end = app_loop_run(run->loop, &error);
    int code;

    if (end == APP_END_FAILED || end == APP_END_READ)
        app_engine_explain(&error);
    run->corrupt = pipe_source_corrupt(run->source);
    run->live = pipe_source_live_state(run->source, &run->state);
    run->sink = g_strdup(app_output_describe(run->files));
    report_end(run);
    code = end_code(run);
    if (app_loop_report(run->loop)->frames && !app_output_close(run->files, &error)) {
        app_log(SEGMAN_LOG_ERROR, "%s", error.message);
        code = code == APP_EXIT_SIGNAL ? code : APP_EXIT_PARTIAL;
    }
    return code;
}

int app_run(const struct app_options *options)
{
    struct run run = {.options = options};
    struct segman_error error = {0};
    int code = open_all(&run, &error);

    if (code == APP_EXIT_DONE) {
        code = run_all(&run);
        if (options->json)
            print_json(&run, code);
    } else {
        app_engine_explain(&error);
    }
    close_all(&run);
    return code;
}
