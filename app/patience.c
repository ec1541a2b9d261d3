/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include "log.h"

#include <glib.h>

static struct {
    GMutex lock;
    GCond wake;
    GThread *thread; /* NULL: nobody waits */
    int64_t begun, after;
    bool status; /* a status line that counts, else one line */
    bool over, said;
} state = {.after = 2 * G_USEC_PER_SEC};

static void say(void)
{
    static const char why[] = "the driver compiles the shaders once, which may take a minute";

    if (state.status) {
        int64_t seconds = (g_get_monotonic_time() - state.begun) / G_USEC_PER_SEC;
        g_autofree char *line = g_strdup_printf("waiting for the first frame, %" G_GINT64_FORMAT " s: %s", seconds, why);
        app_log_status(line);
    } else if (!state.said) {
        app_log(SEGMAN_LOG_INFO, "waiting for the first frame: %s", why);
    }
    state.said = true;
}

static void *watch(void *user)
{
    int64_t next = state.begun + state.after;
    bool shown = false;

    g_mutex_lock(&state.lock);
    while (!state.over) {
        if (g_cond_wait_until(&state.wake, &state.lock, next))
            continue;
        if (!state.over)
            say();
        shown = true;
        next += G_USEC_PER_SEC;
    }
    g_mutex_unlock(&state.lock);
    if (shown && state.status)
        app_log_status(NULL);
    return user;
}

void app_patience_begin(const struct app_options *options)
{
    if (state.thread || !app_log_enabled(SEGMAN_LOG_INFO))
        return;
    state.begun = g_get_monotonic_time();
    state.status = app_log_terminal() && !options->no_progress;
    state.over = false;
    state.thread = g_thread_try_new("patience", watch, NULL, NULL);
}

void app_patience_end(void)
{
    if (!state.thread)
        return;
    g_mutex_lock(&state.lock);
    state.over = true;
    g_cond_signal(&state.wake);
    g_mutex_unlock(&state.lock);
    g_thread_join(state.thread);
    state.thread = NULL;
}

void app_patience_after(int64_t microseconds)
{
    state.after = microseconds;
    state.said = false;
}
