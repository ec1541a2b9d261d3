/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "log.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

#define REDRAW_US G_USEC_PER_SEC / 10
#define PLAIN_US  10 * G_USEC_PER_SEC

static void clock_text(char text[16], double seconds)
{
    uint64_t s = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (uint64_t)seconds;

    g_snprintf(text, 16, "%02u:%02u:%02u", (unsigned)(s / 3600), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

void app_progress_text(char *text, size_t size, uint64_t done, int64_t total, double seconds)
{
    double fps = seconds > 0 ? (double)done / seconds : 0;
    bool known = total > 0 && (uint64_t)total >= done; /* a video's total is an estimate */
    char elapsed[16], remaining[16];
    char of[48] = "", left[32] = "";

    clock_text(elapsed, seconds);
    if (known)
        g_snprintf(of, sizeof of, "/%" PRId64 " (%u%%)", total, (unsigned)(100 * done / (uint64_t)total));
    if (known && fps > 0) {
        clock_text(remaining, (double)((uint64_t)total - done) / fps + 0.5);
        g_snprintf(left, sizeof left, " remaining=%s", remaining);
    }
    g_snprintf(text, (gulong)size, "frame=%" PRIu64 "%s fps=%.*f elapsed=%s%s", done, of, fps < 10 ? 2 : 1, fps, elapsed, left);
}

static void show(struct app_progress *progress, uint64_t done, int64_t now, bool last)
{
    char text[160];

    app_progress_text(text, sizeof text, done, progress->total, (double)(now - progress->start) / G_USEC_PER_SEC);
    if (progress->skipped)
        g_snprintf(text + strlen(text), sizeof text - strlen(text), " skipped=%" PRIu64, progress->skipped);
    if (progress->terminal)
        app_log_status(last ? NULL : text);
    if (!progress->terminal || last)
        app_log(SEGMAN_LOG_INFO, "%s", text);
    progress->shown = now;
    progress->last = done;
}

void app_progress_init(struct app_progress *progress, bool enabled, int64_t total)
{
    *progress =
        (struct app_progress){.enabled = enabled && app_log_enabled(SEGMAN_LOG_INFO), .terminal = app_log_terminal(), .total = total};
    progress->start = progress->shown = g_get_monotonic_time();
    if (progress->enabled && progress->terminal)
        show(progress, 0, progress->start, false); /* the first frame may take long: drivers compile then */
}

void app_progress_update(struct app_progress *progress, uint64_t done)
{
    int64_t now = g_get_monotonic_time();

    if (progress->enabled && now - progress->shown >= (progress->terminal ? REDRAW_US : PLAIN_US))
        show(progress, done, now, false);
}

void app_progress_finish(struct app_progress *progress, uint64_t done)
{
    if (progress->enabled && (progress->terminal || !done || progress->last != done))
        show(progress, done, g_get_monotonic_time(), true);
    progress->enabled = false;
}
