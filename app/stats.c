/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include "json.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

struct app_stats {
    const struct app_look *look;
    const char *name;          /* for messages */
    struct pipe_output output; /* none: stdout */
    FILE *file;
    bool json;
    uint64_t frames;
};

/* Four histograms: equal neighbours would wait for each other's store in one. */
void app_stats_count(const uint8_t *labels, uint32_t width, uint32_t height, uint32_t stride, uint64_t counts[APP_LABELS])
{
    uint32_t part[4][APP_LABELS];

    memset(counts, 0, APP_LABELS * sizeof *counts);
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *row = labels + (size_t)y * stride;
        memset(part, 0, sizeof part);
        for (uint32_t x = 0; x < width; x++)
            part[x % 4][row[x]]++;
        for (size_t i = 0; i < APP_LABELS; i++)
            counts[i] += (uint64_t)part[0][i] + part[1][i] + part[2][i] + part[3][i];
    }
}

static bool check(const struct app_stats *stats, struct segman_error *error)
{
    if (!ferror(stats->file))
        return true;
    return segman_fail(error, SEGMAN_ERROR_IO, "%s could not be written: %s", stats->name, g_strerror(errno));
}

static double share_of(const struct app_stats_frame *frame, uint64_t pixels)
{
    return (double)pixels / ((double)frame->width * frame->height);
}

/* ---- CSV --------------------------------------------------------------------------------------- */

static void csv_text(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void csv_row(FILE *file, const struct app_stats_frame *frame, uint32_t class, const char *class_name)
{
    uint64_t pixels = frame->counts[class];

    fprintf(file, "%" PRIu64 ",%.6f,", frame->index, (double)frame->pts_ns / 1e9);
    csv_text(file, frame->name);
    fprintf(file, ",%u,", class);
    csv_text(file, class_name);
    fprintf(file, ",%" PRIu64 ",%.6f\n", pixels, share_of(frame, pixels));
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json_head(const struct app_stats *stats, const char *input, const char *model)
{
    json_t *names = json_array();

    for (uint32_t i = 0; i < stats->look->classes; i++)
        json_array_append_new(names, app_json_text(stats->look->names[i]));
    fputs("{\"program\":\"segman " SEGMAN_VERSION "\",\"input\":", stats->file);
    app_json_inline(stats->file, app_json_text(input));
    fputs(",\"model\":", stats->file);
    app_json_inline(stats->file, app_json_text(model));
    fputs(",\"classes\":", stats->file);
    app_json_inline(stats->file, names);
    fputs(",\"frames\":[", stats->file);
}

static json_t *json_class(const struct app_stats_frame *frame, uint32_t class, const char *class_name)
{
    uint64_t pixels = frame->counts[class];

    return json_pack("{sI so sI sf}", "class", (json_int_t) class, "name", app_json_text(class_name), "pixels", (json_int_t)pixels, "share",
                     share_of(frame, pixels));
}

static void json_frame(const struct app_stats *stats, const struct app_stats_frame *frame)
{
    json_t *classes = json_array();
    json_t *object = json_pack("{sI sf si si}", "frame", (json_int_t)frame->index, "pts", (double)frame->pts_ns / 1e9, "width",
                               (int)frame->width, "height", (int)frame->height);

    if (*frame->name)
        json_object_set_new(object, "file", app_json_text(frame->name));
    for (uint32_t i = 0; i < stats->look->classes; i++) {
        if (frame->counts[i] && app_look_shows(stats->look, i))
            json_array_append_new(classes, json_class(frame, i, stats->look->names[i]));
    }
    json_object_set_new(object, "classes", classes);
    fputs(stats->frames ? ",\n" : "\n", stats->file);
    app_json_inline(stats->file, object);
}

/* ---- the file ---------------------------------------------------------------------------------- */

static bool open_file(struct app_stats *stats, const char *path, bool overwrite, struct segman_error *error)
{
    if (strcmp(path, "-") == 0) {
        stats->name = "the standard output";
        stats->file = stdout;
        return true;
    }
    if (!pipe_output_open(&stats->output, path, overwrite, error))
        return false;
    stats->name = stats->output.path;
    stats->file = g_fopen(stats->output.temporary, "w");
    if (stats->file)
        return true;
    return segman_fail(error, SEGMAN_ERROR_IO, "%s could not be written: %s", path, g_strerror(errno));
}

struct app_stats *app_stats_open(const char *path, bool overwrite, const struct app_look *look, const char *input, const char *model,
                                 struct segman_error *error)
{
    struct app_stats *stats = g_new0(struct app_stats, 1);

    stats->look = look;
    stats->json = g_str_has_suffix(path, ".json");
    if (!open_file(stats, path, overwrite, error)) {
        app_stats_destroy(stats);
        return NULL;
    }
    if (stats->json)
        json_head(stats, input, model);
    else
        fputs("frame,pts,file,class,name,pixels,share\n", stats->file);
    return stats;
}

bool app_stats_write(struct app_stats *stats, const struct app_stats_frame *frame, struct segman_error *error)
{
    if (stats->json) {
        json_frame(stats, frame);
    } else {
        for (uint32_t i = 0; i < stats->look->classes; i++) {
            if (frame->counts[i] && app_look_shows(stats->look, i))
                csv_row(stats->file, frame, i, stats->look->names[i]);
        }
    }
    stats->frames++;
    fflush(stats->file); /* a reader of a pipe sees each frame when it is done */
    return check(stats, error);
}

bool app_stats_close(struct app_stats *stats, struct segman_error *error)
{
    bool good;

    if (stats->json)
        fputs("\n]}\n", stats->file);
    fflush(stats->file);
    good = check(stats, error);
    if (stats->file == stdout)
        return good;
    if (fclose(stats->file) != 0 && good)
        good = segman_fail(error, SEGMAN_ERROR_IO, "%s could not be written: %s", stats->name, g_strerror(errno));
    stats->file = NULL;
    return good && pipe_output_commit(&stats->output, error);
}

void app_stats_destroy(struct app_stats *stats)
{
    if (!stats)
        return;
    if (stats->file && stats->file != stdout)
        fclose(stats->file);
    pipe_output_finish(&stats->output);
    g_free(stats);
}
