/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "endtoend.h"
#include "engine.h"
#include "json.h"
#include "log.h"
#include "patience.h"
#include "pattern.h"
#include "profile.h"
#include "progress.h"
#include "samples.h"
#include "signals.h"

#include <glib.h>
#include <string.h>

#define BENCH_SIDE     512
#define FRAMES         100  /* unless told, so many frames */
#define SECONDS        10.0 /* but no longer than this */
#define FEWEST         5    /* and never fewer */
#define WARMUP         10
#define WARMUP_SECONDS 3.0

/* What is measured of a frame, in the order of the report. */
enum series { UPLOAD, GPU, READ_BACK, WALL, SERIES };
static const struct {
    const char *title, *key; /* of the text, of the JSON object */
} series[SERIES] = {{"upload", "upload_ms"}, {"GPU", "gpu_ms"}, {"read back", "read_back_ms"}, {"wall", "wall_ms"}};

struct bench {
    const struct app_options *options;
    struct app_engine engine;
    struct segman_session_params params;
    struct segman_session *session;
    struct segman_planes picture; /* filled once, copied into each frame */
    struct app_profile *profile;
    bool warm; /* a frame has come through */
    GArray *ms[SERIES];
    struct app_end_to_end end_to_end;
};

/* ---- frames ------------------------------------------------------------------------------------------ */

static bool submit(struct bench *bench, struct segman_error *error)
{
    struct segman_planes planes;

    if (!segman_session_begin(bench->session, &planes, error))
        return false;
    for (uint32_t y = 0; y < planes.rows[0]; y++)
        memcpy(planes.plane[0] + (size_t)y * planes.stride[0], bench->picture.plane[0] + (size_t)y * planes.bytes[0], planes.bytes[0]);
    return segman_session_submit(bench->session, 0, error);
}

/* Waits for the oldest frame; the wall time goes from start to then. */
static bool finish(struct bench *bench, int64_t start, bool keep, struct segman_error *error)
{
    struct segman_result result;
    bool good;

    if (!bench->warm)
        app_patience_begin(bench->options);
    good = segman_session_wait(bench->session, UINT64_MAX, &result, error);
    app_patience_end();
    bench->warm = true;
    if (!good)
        return false;
    const double ms[SERIES] = {result.upload_ms, result.gpu_ms, result.read_back_ms, (double)(g_get_monotonic_time() - start) / 1e3};
    if (keep) {
        for (int i = 0; i < SERIES; i++)
            g_array_append_val(bench->ms[i], ms[i]);
        if (bench->profile)
            app_profile_add(bench->profile, bench->session);
    }
    segman_session_release(bench->session);
    return true;
}

/*
 * A frame more. One at a time: the wall time is the latency of upload, network and label map without overlap. Several networks at
 * once: all slots are kept full, it is the distance from frame to frame.
 */
static bool run_frame(struct bench *bench, bool keep, struct segman_error *error)
{
    int64_t start = g_get_monotonic_time();

    while (segman_session_in_flight(bench->session) < bench->params.slots)
        if (!submit(bench, error))
            return false;
    return finish(bench, start, keep, error);
}

static bool drain(struct bench *bench, struct segman_error *error)
{
    while (segman_session_in_flight(bench->session))
        if (!finish(bench, 0, false, error))
            return false;
    return true;
}

/* wanted frames; 0: most frames, or as many as fit into seconds, though never fewer than FEWEST. */
static bool run_frames(struct bench *bench, uint64_t wanted, uint64_t most, double seconds, bool keep, struct segman_error *error)
{
    struct app_progress progress;
    int64_t start = g_get_monotonic_time();
    uint64_t done = 0;
    bool good = true;

    app_progress_init(&progress, keep && app_log_terminal() && !bench->options->no_progress, wanted ? (int64_t)wanted : -1);
    while (good && (wanted ? done < wanted : done < most) && !app_signals_received()) {
        double elapsed = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
        if (!wanted && elapsed > seconds && done >= (keep ? FEWEST : 1))
            break;
        good = run_frame(bench, keep, error);
        app_progress_update(&progress, ++done);
    }
    app_log_status(NULL);
    return good;
}

/* Right after the frames, while the clocks are high. */
static bool measure_peak(struct bench *bench, struct segman_error *error)
{
    struct segman_peak peak;

    if (!segman_context_measure(bench->engine.context, &peak, error))
        return error->status == SEGMAN_ERROR_UNSUPPORTED;
    app_profile_set_peak(bench->profile, &peak);
    return true;
}

static bool measure(struct bench *bench, struct segman_error *error)
{
    const struct app_options *options = bench->options;
    bool no_warmup = options->warmup == 0 && options->given & app_options_bit("warmup");

    if (!no_warmup && !run_frames(bench, options->warmup, WARMUP, WARMUP_SECONDS, false, error))
        return false;
    return run_frames(bench, options->frames, FRAMES, SECONDS, true, error) && drain(bench, error) &&
           (!bench->profile || measure_peak(bench, error));
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

static struct segman_frame_format bench_format(const struct app_netsize *size)
{
    struct segman_frame_format format = {.format = SEGMAN_FORMAT_RGBA, .range = SEGMAN_RANGE_FULL};

    format.height = size->kind == APP_NETSIZE_EXACT ? size->height : size->kind == APP_NETSIZE_SHORT ? size->side : BENCH_SIDE;
    format.width = size->kind == APP_NETSIZE_EXACT ? size->width : format.height;
    if (size->slide && size->kind == APP_NETSIZE_NATIVE) { /* Cityscapes' frames */
        format.width = 2048;
        format.height = 1024;
    }
    return format;
}

static bool open_all(struct bench *bench, struct segman_error *error)
{
    const struct app_options *options = bench->options;

    for (int i = 0; i < SERIES; i++)
        bench->ms[i] = g_array_new(FALSE, FALSE, sizeof(double));
    if (!app_signals_start(error) || !app_engine_init(&bench->engine, options, error))
        return false;
    const uint32_t parallel = (uint32_t)CLAMP(options->parallel, 1, SEGMAN_MAX_SLOTS);
    bench->params = (struct segman_session_params){.frame = bench_format(&bench->engine.size),
                                                   .view = SEGMAN_VIEW_NONE,
                                                   .slots = parallel == 1 ? 1 : MIN(2 * parallel, SEGMAN_MAX_SLOTS),
                                                   .parallel = parallel,
                                                   .profile = options->profile};
    bench->params.smooth = (float)options->smooth;
    bench->session = app_engine_session(&bench->engine, options, &bench->params, error);
    if (!bench->session)
        return false;
    bench->picture.plane[0] = g_malloc((gsize)bench->params.frame.width * bench->params.frame.height * 4);
    app_pattern_fill(bench->picture.plane[0], bench->params.frame.width, bench->params.frame.height, bench->params.frame.width * 4);
    if (options->profile)
        bench->profile = app_profile_create(bench->session);
    return true;
}

static void close_all(struct bench *bench)
{
    app_profile_destroy(bench->profile);
    segman_session_destroy(bench->session);
    app_engine_finish(&bench->engine);
    app_end_to_end_finish(&bench->end_to_end);
    g_free(bench->picture.plane[0]);
    for (int i = 0; i < SERIES; i++)
        g_array_unref(bench->ms[i]);
}

/* ---- reports ----------------------------------------------------------------------------------------- */

static void print_settings(const struct bench *bench)
{
    const struct segman_architecture *architecture = segman_model_architecture(bench->engine.model);
    const struct segman_device_info *device = segman_context_device(bench->engine.context);
    const struct segman_session_params *params = &bench->params;
    const char *profiled = bench->profile ? ", profiled: every pass is timed, which costs a little" : "";
    struct segman_memory_info memory;

    segman_session_memory(bench->session, &memory);
    printf("segman      %s\n", SEGMAN_VERSION);
    printf("model       %s (variant %s, %u classes)\n", bench->engine.name, architecture->variant, architecture->classes);
    printf("device      %s (%s)\n", device->name, device->driver);
    printf("size        %ux%u (height x width)", params->net_height, params->net_width);
    if (params->crop)
        printf(", crops of %u at stride %u", params->crop, params->stride);
    printf("\nprecision   %s\n", app_precision_name(segman_session_precision(bench->session)));
    printf("memory      %.1f MiB activations (%.1f without reuse), %.1f MiB weights, %.1f MiB frames\n", (double)memory.arena / 1048576,
           (double)memory.arena_naive / 1048576, (double)memory.weights / 1048576, (double)memory.frames / 1048576);
    printf("frames      RGBA, waves and noise, %ux%u, ", params->frame.height, params->frame.width);
    if (params->slots == 1)
        printf("one in flight%s\n", profiled);
    else
        printf("%u in flight, %u through the network at once%s\n", params->slots, segman_session_parallel(bench->session), profiled);
}

static void print_series(const char *title, const GArray *samples)
{
    struct app_summary s = app_samples_summary((const double *)samples->data, samples->len);

    printf("%-11s %9.3f ± %-8.3f %9.3f %9.3f %9.3f\n", title, s.mean, s.sd, s.min, s.max, s.median);
}

static void print_text(const struct bench *bench)
{
    print_settings(bench);
    printf("\n%-11s %9s ± %-8s %9s %9s %9s   (%u frames)\n", "ms a frame", "mean", "sd", "min", "max", "median", bench->ms[GPU]->len);
    for (int i = 0; i < SERIES; i++)
        print_series(series[i].title, bench->ms[i]);
    if (bench->profile)
        app_profile_print(bench->profile, bench->options->full, stdout);
    app_end_to_end_print(&bench->end_to_end, stdout);
}

static json_t *settings_json(const struct bench *bench)
{
    const struct segman_device_info *device = segman_context_device(bench->engine.context);
    struct segman_memory_info memory;

    segman_session_memory(bench->session, &memory);
    return json_pack("{so so so ss s[ii] si si si si sI sI sI sI}", "model", app_json_text(bench->engine.name), "device",
                     app_json_text(device->name), "driver", app_json_text(device->driver), "precision",
                     app_precision_name(segman_session_precision(bench->session)), "size", (int)bench->params.net_height,
                     (int)bench->params.net_width, "crop", (int)bench->params.crop, "stride", (int)bench->params.stride, "in_flight",
                     (int)bench->params.slots, "parallel", (int)segman_session_parallel(bench->session), "arena_bytes",
                     (json_int_t)memory.arena, "arena_naive_bytes", (json_int_t)memory.arena_naive, "weight_bytes",
                     (json_int_t)memory.weights, "frame_bytes", (json_int_t)memory.frames);
}

static void print_json(const struct bench *bench)
{
    json_t *root = json_pack("{ss so}", "program", "segman " SEGMAN_VERSION, "settings", settings_json(bench));

    for (int i = 0; i < SERIES; i++)
        json_object_set_new(root, series[i].key, app_samples_json((const double *)bench->ms[i]->data, bench->ms[i]->len, true));
    if (bench->profile) {
        json_object_set_new(root, "passes", app_profile_json(bench->profile));
        json_object_set_new(root, "peak", app_profile_peak_json(bench->profile));
    }
    if (bench->options->end_to_end)
        json_object_set_new(root, "end_to_end", app_end_to_end_json(&bench->end_to_end));
    app_json_result(root);
}

int app_bench(const struct app_options *options)
{
    struct bench bench = {.options = options};
    struct segman_error error = {0};
    int code = APP_EXIT_INIT;

    if (!open_all(&bench, &error) || !measure(&bench, &error)) {
        app_engine_explain(&error);
        goto end;
    }
    code = APP_EXIT_DONE;
    if (options->end_to_end && !app_signals_received())
        code = app_end_to_end_run(&bench.end_to_end, &bench.engine, options);
    if (options->json)
        print_json(&bench);
    else
        print_text(&bench);
    if (app_signals_received())
        code = APP_EXIT_SIGNAL;

end:
    close_all(&bench);
    return code;
}
