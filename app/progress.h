/* SPDX-License-Identifier: Apache-2.0 */
/**
 * progress.h: the progress line of long work.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

struct app_progress {
    bool enabled;
    bool terminal;    /**< redraw one line; else a plain line now and then */
    int64_t total;    /**< frames expected, -1 where unknown */
    int64_t start;    /**< microseconds, monotonic */
    int64_t shown;    /**< when the last line was printed */
    uint64_t last;    /**< and what it said */
    uint64_t skipped; /**< still frames so far, to be said; set by the caller */
};

/** The line: "frame=120/900 (13%) fps=57.1 elapsed=00:00:02 remaining=00:00:14". */
void app_progress_text(char *text, size_t size, uint64_t done, int64_t total, double seconds);

void app_progress_init(struct app_progress *progress, bool enabled, int64_t total);
/** To be called after every frame; prints when it is time. */
void app_progress_update(struct app_progress *progress, uint64_t done);
/** Prints the last line. */
void app_progress_finish(struct app_progress *progress, uint64_t done);

#endif
