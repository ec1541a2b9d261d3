/* SPDX-License-Identifier: Apache-2.0 */
/**
 * stats.h: how much of each frame each class covers, as CSV or JSON.
 */
#ifndef APP_STATS_H
#define APP_STATS_H

#include "look.h"
#include "pipeline/pipeline.h"

#define APP_LABELS 256

/** Counts the labels of a map. */
void app_stats_count(const uint8_t *labels, uint32_t width, uint32_t height, uint32_t stride, uint64_t counts[APP_LABELS]);

struct app_stats_frame {
    uint64_t index;
    int64_t pts_ns;
    const char *name; /**< of the image file, else "" */
    uint32_t width, height;
    const uint64_t *counts; /**< [APP_LABELS] */
};

struct app_stats;

/**
 * Writes beside path until app_stats_close(). ".json" gives JSON, else CSV; "-" is CSV on stdout. A
 * row is a class that is present in a frame and shown; its share is of the whole frame.
 */
struct app_stats *app_stats_open(const char *path, bool overwrite, const struct app_look *look, const char *input, const char *model,
                                 struct segman_error *error);
bool app_stats_write(struct app_stats *stats, const struct app_stats_frame *frame, struct segman_error *error);
/** Completes the file and gives it its name. */
bool app_stats_close(struct app_stats *stats, struct segman_error *error);
/** Removes what was not closed. Accepts NULL. */
void app_stats_destroy(struct app_stats *stats);

#endif
