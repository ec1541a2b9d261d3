/* SPDX-License-Identifier: Apache-2.0 */
/* A mailbox of one: whoever is late gets the newest frame, and never an old one. */
#include "live.h"

void pipe_mailbox_init(struct pipe_mailbox *box)
{
    *box = (struct pipe_mailbox){0};
    g_mutex_init(&box->lock);
    g_cond_init(&box->cond);
}

void pipe_mailbox_finish(struct pipe_mailbox *box)
{
    if (box->sample)
        gst_sample_unref(box->sample);
    g_cond_clear(&box->cond);
    g_mutex_clear(&box->lock);
}

void pipe_mailbox_put(struct pipe_mailbox *box, GstSample *sample, int64_t captured_ns)
{
    GstSample *old;

    g_mutex_lock(&box->lock);
    old = box->sample;
    box->sample = sample;
    box->captured_ns = captured_ns;
    box->arrived_us = g_get_monotonic_time();
    box->received++;
    box->replaced += old != NULL;
    g_cond_broadcast(&box->cond);
    g_mutex_unlock(&box->lock);
    if (old)
        gst_sample_unref(old); /* may give the buffer back to a camera's driver: not under the lock */
}

void pipe_mailbox_leak(struct pipe_mailbox *box)
{
    g_mutex_lock(&box->lock);
    box->received++;
    box->replaced++;
    g_mutex_unlock(&box->lock);
}
