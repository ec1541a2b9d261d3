/* SPDX-License-Identifier: Apache-2.0 */
/* Seeking of one decoder. */
#include "decoder.h"

bool pipe_decoder_seek(struct pipe_decoder *d, int64_t pts_ns, struct segman_error *error)
{
    int64_t to = MAX(pts_ns, 0);
    bool good;

    g_mutex_lock(&d->lock);
    d->eos = false;
    g_mutex_unlock(&d->lock);
    good = gst_element_seek_simple(d->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, to);
    if (!good)
        return segman_fail(error, SEGMAN_ERROR_UNSUPPORTED, "%s cannot be sought", d->name);
    if (d->first)
        gst_sample_unref(d->first);
    d->first = NULL;
    g_mutex_lock(&d->lock);
    d->eos = false; /* an end that was told just before the seek */
    d->drained = false;
    d->base_ns = to;
    d->last_ns = -1;
    d->packets = d->frames = 0; /* those under way are gone, not damaged */
    g_mutex_unlock(&d->lock);
    return true;
}
