/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

static GMutex log_lock;
static segman_log_fn log_fn;
static void *log_user;

void pipe_set_log(segman_log_fn log, void *user)
{
    g_mutex_lock(&log_lock);
    log_fn = log;
    log_user = user;
    g_mutex_unlock(&log_lock);
}

void pipe_log(enum segman_log_level level, const char *format, ...)
{
    char text[700];
    segman_log_fn log;
    void *user;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    g_mutex_lock(&log_lock);
    log = log_fn;
    user = log_user;
    g_mutex_unlock(&log_lock);
    if (log)
        log(user, level, text);
    else if (level <= SEGMAN_LOG_WARNING)
        fprintf(stderr, "%s\n", text);
}

bool pipe_init(struct segman_error *error)
{
    GError *failure = NULL;
    bool ok;

    /* GStreamer's own log would repeat in its words what the messages here say in plain ones; whoever sets
     * GST_DEBUG still gets it. */
    if (!g_getenv("GST_DEBUG"))
        gst_debug_set_default_threshold(GST_LEVEL_NONE);
    ok = gst_init_check(NULL, NULL, &failure);
    if (!ok)
        segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "GStreamer does not start: %s", failure ? failure->message : "no reason given");
    g_clear_error(&failure);
    return ok;
}
