/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/custom.h"

static uint8_t shade(int64_t frame)
{
    return (uint8_t)(30 + 2 * (frame % 100));
}

bool numbers_clip(void)
{
    struct pipe_sink_params params = {.output = CLIP,
                                      .format = {.format = SEGMAN_FORMAT_I420, .width = 64, .height = 48, .matrix = SEGMAN_MATRIX_BT601},
                                      .fps_num = CLIP_FPS,
                                      .fps_den = 1};
    static uint8_t y[64 * 48], c[32 * 24];
    const uint8_t *planes[3] = {y, c, c};
    const uint32_t strides[3] = {64, 32, 32};
    struct segman_error error;
    struct pipe_sink *sink = pipe_init(&error) ? pipe_sink_open(&params, &error) : NULL;
    bool good = sink != NULL;
    memset(c, 128, sizeof(c));
    for (int64_t i = 0; good && i < CLIP_FRAMES; i++) {
        memset(y, shade(i), sizeof(y));
        good = pipe_sink_write(sink, planes, strides, i * 1000000000 / CLIP_FPS, 1000000000 / CLIP_FPS, NULL, &error);
    }
    good = good && pipe_sink_close(sink, &error);
    pipe_sink_destroy(sink);
    if (!good)
        fprintf(stderr, "%s\n", error.message);
    return good;
}

bool numbers_model(void)
{
    static const struct segman_architecture tiny = {
        "custom", {8, 8, 16, 16}, {1, 1, 1, 1}, {1, 1, 2, 2}, {3, 3, 3, 3}, {16, 16, 32, 32}, false, 3, 8, 8, 5};
    return custom_write(&tiny, TINY);
}

double numbers_pts(const struct screen *s)
{
    return s->w.shown.valid ? (double)s->w.shown.ticket.pts_ns * 1e-9 : -1;
}

bool numbers_right(const struct screen *s)
{
    struct segman_present what = window_present(&s->w);
    struct segman_error error;
    uint32_t width, height;
    uint8_t *rgba;
    int64_t frame = (s->w.shown.ticket.pts_ns * CLIP_FPS + 500000000) / 1000000000;
    int want = (int)((shade(frame) - 16) * 255.0 / 219 + 0.5);
    what.view = SEGMAN_VIEW_SOURCE;
    if (!segman_presenter_capture(s->w.presenter, &what, &width, &height, &rgba, &error))
        return false;
    int got = rgba[(height / 2 * width + width / 2) * 4];
    free(rgba);
    return abs(got - want) <= 1;
}
