/* SPDX-License-Identifier: Apache-2.0 */
/**
 * cameras.h: the cameras that `segman devices` shows.
 */
#ifndef APP_CAMERAS_H
#define APP_CAMERAS_H

#include "pipeline/pipeline.h"

#include <jansson.h>
#include <stdio.h>

/** A line a camera, and one for each kind of format that it has. */
void app_cameras_print(const struct pipe_camera *cameras, size_t count, FILE *out);
json_t *app_cameras_json(const struct pipe_camera *cameras, size_t count);

#endif
