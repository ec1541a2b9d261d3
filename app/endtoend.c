/* SPDX-License-Identifier: Apache-2.0 */
#include "endtoend.h"

#include "commands.h"
#include "input.h"
#include "json.h"
#include "log.h"
#include "output.h"
#include "samples.h"

#include <glib/gstdio.h>

/* What a run needs, closed in reverse. */
struct way {
    char *folder, *output;
    struct pipe_source *source;
    struct app_loop *loop;
    struct app_output *files;
};

static enum app_verdict deliver(void *user, const struct app_delivery *frame, struct segman_error *error)
{
    return app_output_deliver(((struct way *)user)->files, frame, error);
}

static bool open_rest(struct way *way, const struct app_engine *engine, const struct app_options *options, struct segman_error *error)
{
    struct app_loop_params loop = {
        .engine = engine, .options = options, .source = way->source, .view = SEGMAN_VIEW_OVERLAY, .deliver = deliver, .user = way};
    struct app_output_params output = {.overwrite = true, .source = way->source, .look = &engine->look};
    struct segman_frame_format view;

    way->folder = g_dir_make_tmp("segman-XXXXXX", NULL);
    if (!way->folder)
        return segman_fail(error, SEGMAN_ERROR_IO, "no temporary folder could be made");
    output.video = way->output = g_build_filename(way->folder, "bench.mkv", NULL);
    way->loop = app_loop_create(&loop, error);
    if (!way->loop)
        return false;
    view = app_loop_view_format(way->loop);
    way->files = app_output_open(&output, &pipe_source_info(way->source)->format, &view, error);
    return way->files != NULL;
}

static void close_way(struct way *way)
{
    app_output_destroy(way->files);
    app_loop_destroy(way->loop);
    app_input_close(way->source);
    if (way->output)
        g_unlink(way->output);
    if (way->folder)
        g_rmdir(way->folder);
    g_free(way->output);
    g_free(way->folder);
}

/* The encoder's tail belongs to the time. */
static bool run(struct app_end_to_end *result, struct way *way, struct segman_error *error)
{
    enum app_end end = app_loop_run(way->loop, error);
    int64_t start = g_get_monotonic_time();
    bool good = end == APP_END_INPUT && app_output_close(way->files, error);
    double tail = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;

    result->encoder = g_strdup(app_output_describe(way->files));
    result->report = *app_loop_report(way->loop);
    g_array_ref(result->report.gpu_ms);
    g_array_ref(result->report.wall_ms);
    result->report.elapsed += tail;
    result->report.deliver += tail;
    return good || end == APP_END_STOPPED;
}

int app_end_to_end_run(struct app_end_to_end *result, const struct app_engine *engine, const struct app_options *options)
{
    struct way way = {0};
    struct segman_error error = {0};
    int code = APP_EXIT_DONE;

    result->input = g_strdup(options->end_to_end);
    way.source = app_input_open(options->end_to_end, options, false, false, &error);
    if (!way.source)
        code = APP_EXIT_INPUT;
    else if (!open_rest(&way, engine, options, &error))
        code = APP_EXIT_INIT;
    else if (!run(result, &way, &error))
        code = APP_EXIT_PARTIAL;
    if (code != APP_EXIT_DONE)
        app_engine_explain(&error);
    close_way(&way);
    return code;
}

void app_end_to_end_finish(struct app_end_to_end *result)
{
    g_free(result->input);
    g_free(result->encoder);
    if (result->report.gpu_ms)
        g_array_unref(result->report.gpu_ms);
    if (result->report.wall_ms)
        g_array_unref(result->report.wall_ms);
    *result = (struct app_end_to_end){0};
}

static void print_part(FILE *out, const char *title, double seconds, uint64_t frames)
{
    fprintf(out, "%-28s %9.3f\n", title, 1e3 * seconds / (double)MAX(frames, 1));
}

void app_end_to_end_print(const struct app_end_to_end *result, FILE *out)
{
    const struct app_loop_report *report = &result->report;

    if (!report->frames)
        return;
    fprintf(out, "\nend to end  %s, %" G_GUINT64_FORMAT " frames, several in flight, %u through the network at once, to %s\n",
            result->input, report->frames, report->parallel, result->encoder ? result->encoder : "-");
    fprintf(out, "frames a second              %9.2f\n", report->elapsed > 0 ? (double)report->frames / report->elapsed : 0);
    print_part(out, "ms a frame, all", report->elapsed, report->frames);
    print_part(out, "  waiting for the decoder", report->read, report->frames);
    print_part(out, "  copying in, submitting", report->upload, report->frames);
    print_part(out, "  waiting for the GPU", report->wait, report->frames);
    print_part(out, "  waiting for the encoder", report->deliver, report->frames);
    fprintf(out, "%-28s %9.3f\n", "GPU ms a frame", app_samples_summary((const double *)report->gpu_ms->data, report->gpu_ms->len).mean);
    fprintf(out, "%-28s %9.3f\n", "ms from submission to result",
            app_samples_summary((const double *)report->wall_ms->data, report->wall_ms->len).mean);
}

json_t *app_end_to_end_json(const struct app_end_to_end *result)
{
    const struct app_loop_report *report = &result->report;
    json_t *object =
        json_pack("{so so sI si sf sf sf sf sf}", "input", app_json_text(result->input), "encoder", app_json_text(result->encoder),
                  "frames", (json_int_t)report->frames, "parallel", (int)report->parallel, "seconds", report->elapsed, "read", report->read,
                  "upload", report->upload, "wait", report->wait, "write", report->deliver);

    if (report->gpu_ms)
        json_object_set_new(object, "gpu_ms", app_samples_json((const double *)report->gpu_ms->data, report->gpu_ms->len, true));
    if (report->wall_ms)
        json_object_set_new(object, "latency_ms", app_samples_json((const double *)report->wall_ms->data, report->wall_ms->len, true));
    return object;
}
