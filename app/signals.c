/* SPDX-License-Identifier: Apache-2.0 */
#include "signals.h"

#include "log.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* timeout(1), make and the like pass a signal on to a process that already had it from the terminal */
#define SAME_US (G_USEC_PER_SEC / 2)

static struct {
    sigset_t set;
    GMutex lock;
    struct pipe_source *source;
    gint received;
    bool started;
} state;

static void ask(int number)
{
    g_atomic_int_set(&state.received, number);
    app_log(SEGMAN_LOG_WARNING, "%s: finishing the output; once more kills", strsignal(number));
    g_mutex_lock(&state.lock);
    if (state.source)
        pipe_source_stop(state.source);
    g_mutex_unlock(&state.lock);
}

static void kill_self(int number)
{
    sigset_t one;

    app_log_status(NULL);
    sigemptyset(&one);
    sigaddset(&one, number);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
}

static void *watch(void *unused)
{
    int64_t asked = 0;
    int number = 0;

    (void)unused;
    while (sigwait(&state.set, &number) == 0) {
        int64_t now = g_get_monotonic_time();
        if (!app_signals_received()) {
            asked = now;
            ask(number);
        } else if (now - asked > SAME_US) {
            kill_self(number);
        }
    }
    return NULL;
}

bool app_signals_start(struct segman_error *error)
{
    pthread_t thread;

    if (state.started)
        return true;
    sigemptyset(&state.set);
    sigaddset(&state.set, SIGINT);
    sigaddset(&state.set, SIGTERM);
    sigaddset(&state.set, SIGHUP);
    signal(SIGPIPE, SIG_IGN); /* a reader that has left is an error of its output, and the others are finished */
    if (pthread_sigmask(SIG_BLOCK, &state.set, NULL) != 0 || pthread_create(&thread, NULL, watch, NULL) != 0)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "the signal thread could not be started");
    pthread_detach(thread);
    state.started = true;
    return true;
}

void app_signals_watch(struct pipe_source *source)
{
    g_mutex_lock(&state.lock);
    state.source = source;
    if (source && app_signals_received())
        pipe_source_stop(source);
    g_mutex_unlock(&state.lock);
}

int app_signals_received(void)
{
    return g_atomic_int_get(&state.received);
}
