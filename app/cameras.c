/* SPDX-License-Identifier: Apache-2.0 */
#include "cameras.h"

#include "json.h"

#include <string.h>

static double rate(const struct pipe_camera_format *format)
{
    return format->fps_den ? (double)format->fps_num / format->fps_den : 0;
}

/* Formats of a kind lie together: "    MJPEG: 1920x1080 at 30, 1280x720 at 60". */
static void print_formats(const struct pipe_camera *camera, FILE *out)
{
    for (size_t i = 0; i < camera->n_formats; i++) {
        const struct pipe_camera_format *format = &camera->formats[i];
        if (!i || strcmp(format->format, format[-1].format) != 0)
            fprintf(out, "%s    %s: ", i ? "\n" : "", format->format);
        else
            fputs(", ", out);
        fprintf(out, "%ux%u", format->width, format->height);
        if (format->fps_num)
            fprintf(out, " at %.4g", rate(format));
    }
    if (camera->n_formats)
        fputc('\n', out);
}

void app_cameras_print(const struct pipe_camera *cameras, size_t count, FILE *out)
{
    if (!count)
        fputs("no camera\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct pipe_camera *camera = &cameras[i];
        fprintf(out, "camera:%zu = %s (%s)%s%s\n", i, camera->name, camera->api, *camera->path ? " | " : "", camera->path);
        if (strcmp(camera->id, camera->path) != 0)
            fprintf(out, "    id %s\n", camera->id);
        print_formats(camera, out);
    }
}

static json_t *formats_json(const struct pipe_camera *camera)
{
    json_t *list = json_array();

    for (size_t i = 0; i < camera->n_formats; i++) {
        const struct pipe_camera_format *format = &camera->formats[i];
        json_array_append_new(list, json_pack("{so si si sf}", "format", app_json_text(format->format), "width", (int)format->width,
                                              "height", (int)format->height, "fps", rate(format)));
    }
    return list;
}

json_t *app_cameras_json(const struct pipe_camera *cameras, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct pipe_camera *camera = &cameras[i];
        json_array_append_new(list, json_pack("{so so so so so}", "name", app_json_text(camera->name), "id", app_json_text(camera->id),
                                              "path", app_json_text(*camera->path ? camera->path : NULL), "api", app_json_text(camera->api),
                                              "formats", formats_json(camera)));
    }
    return list;
}
