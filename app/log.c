/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "env.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    GMutex lock;
    enum segman_log_level level;
    bool terminal, color;
    char *status;
} state = {.level = SEGMAN_LOG_INFO};

void app_log_init(enum segman_log_level level)
{
    state.level = level;
    state.terminal = isatty(STDERR_FILENO);
    state.color = state.terminal && !app_env_no_color();
}

bool app_log_enabled(enum segman_log_level level)
{
    return level <= state.level;
}

bool app_log_terminal(void)
{
    return state.terminal;
}

/* Cut off at the terminal's edge: of a line that wraps only the end could be redrawn. */
static void print_status(void)
{
    fprintf(stderr, "\033[?7l%s\033[?7h", state.status);
}

static void print_line(enum segman_log_level level, const char *text)
{
    static const struct {
        const char *label, *color;
    } look[] = {{"error: ", "\033[1;31m"}, {"warning: ", "\033[1;33m"}, {"", ""}, {"debug: ", "\033[2m"}};

    if (state.status)
        fputs("\r\033[K", stderr);
    if (state.color)
        fprintf(stderr, "segman: %s%s\033[0m%s\n", look[level].color, look[level].label, text);
    else
        fprintf(stderr, "segman: %s%s\n", look[level].label, text);
    if (state.status)
        print_status();
}

void app_log_segman(void *user, enum segman_log_level level, const char *text)
{
    (void)user;
    if (!app_log_enabled(level))
        return;
    g_mutex_lock(&state.lock);
    print_line(level, text);
    g_mutex_unlock(&state.lock);
}

void app_log(enum segman_log_level level, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    if (!app_log_enabled(level))
        return;
    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    app_log_segman(NULL, level, text);
}

void app_log_status(const char *line)
{
    g_mutex_lock(&state.lock);
    if (state.status || line)
        fputs("\r\033[K", stderr);
    g_free(state.status);
    state.status = g_strdup(line);
    if (line)
        print_status();
    fflush(stderr);
    g_mutex_unlock(&state.lock);
}
