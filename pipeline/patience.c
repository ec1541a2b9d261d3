/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <math.h>
#include <string.h>

enum { FIRST_PAUSE_MS = 250, LONGEST_PAUSE_MS = 4000, LOOK_MS = 50 };

static bool is_cancelled(const struct pipe_patience *p)
{
    return p->cancelled && p->cancelled();
}

static void tell(const struct pipe_patience *p, const struct segman_error *error)
{
    if (isinf(p->limit_s))
        pipe_log(SEGMAN_LOG_WARNING, "%s: retrying until it is there", error->message);
    else
        pipe_log(SEGMAN_LOG_WARNING, "%s: retrying for %.3g seconds", error->message, p->limit_s);
}

static bool give_up(const struct pipe_patience *p, struct segman_error *error)
{
    size_t used = strlen(error->message);

    g_snprintf(error->message + used, (gulong)(sizeof error->message - used), " (retried for %.3g seconds)", p->limit_s);
    return false;
}

bool pipe_patience_again(struct pipe_patience *p, struct segman_error *error)
{
    int64_t now = g_get_monotonic_time(), until, end;

    if (!(p->limit_s > 0) || is_cancelled(p))
        return false;
    if (!p->failed_us) {
        p->failed_us = now;
        p->pause_us = FIRST_PAUSE_MS * G_TIME_SPAN_MILLISECOND;
        tell(p, error);
    } else {
        pipe_log(SEGMAN_LOG_DEBUG, "%s", error->message);
    }
    end = p->limit_s < 1e9 ? p->failed_us + (int64_t)(p->limit_s * G_USEC_PER_SEC) : INT64_MAX;
    until = now + p->pause_us;
    p->pause_us = MIN(2 * p->pause_us, LONGEST_PAUSE_MS * G_TIME_SPAN_MILLISECOND);
    while (g_get_monotonic_time() < MIN(until, end) && !is_cancelled(p))
        g_usleep(LOOK_MS * 1000);
    if (is_cancelled(p))
        return false;
    return until <= end || give_up(p, error);
}
