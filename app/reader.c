/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "log.h"

#include <glib.h>

#define DEPTH 4   /* frames ahead */
#define CALM  0.1 /* weight of a new frame in a running mean */

struct app_reader {
    struct app_reader_params params;
    GThread *thread;
    GMutex lock;
    GCond cond;
    struct app_read queue[DEPTH]; /* guarded, as all below */
    uint32_t first, count;
    bool quit, seeking;
    bool fruitful; /* a frame was read since the beginning was sought */
    int64_t seek_ns, skip_ns;
    uint32_t era;
    enum pipe_status status;
    struct segman_error error;
    struct app_reader_figures figures;
};

static uint32_t depth(const struct app_reader *r)
{
    return r->params.newest ? 1 : DEPTH;
}

static void drop_first(struct app_reader *r)
{
    pipe_frame_release(&r->queue[r->first].frame);
    r->first = (r->first + 1) % DEPTH;
    r->count--;
}

/* ---- the thread ------------------------------------------------------------------------------------ */

/* With the lock held. A mailbox gives way to the newest frame; a queue waits until there is room. */
static void put(struct app_reader *r, const struct app_read *read)
{
    while (!r->quit && !r->seeking && !r->params.newest && r->count == depth(r))
        g_cond_wait(&r->cond, &r->lock);
    if (r->quit || r->seeking) {
        struct pipe_frame stale = read->frame;
        pipe_frame_release(&stale);
        return;
    }
    if (r->count == depth(r)) {
        drop_first(r);
        r->figures.skipped++;
    }
    r->queue[(r->first + r->count) % DEPTH] = *read;
    r->count++;
}

static void note_read(struct app_reader *r, int64_t start)
{
    double ms = (double)(g_get_monotonic_time() - start) / 1e3;

    r->figures.read_ms += (r->figures.read ? CALM : 1) * (ms - r->figures.read_ms);
    r->figures.read++;
}

/* With the lock held, but for the reading. */
static void read_one(struct app_reader *r)
{
    struct app_read read = {.era = r->era};
    struct segman_error error = {0};
    enum pipe_status status;
    int64_t start;

    g_mutex_unlock(&r->lock);
    start = g_get_monotonic_time();
    status = pipe_source_read(r->params.source, &read.frame, &error);
    read.arrived = g_get_monotonic_time();
    g_mutex_lock(&r->lock);
    if (status != PIPE_FRAME) {
        r->status = status;
        r->error = error;
        return;
    }
    note_read(r, start);
    r->fruitful = true;
    if (read.frame.pts_ns >= r->skip_ns) {
        put(r, &read);
        return;
    }
    pipe_frame_release(&read.frame);
    r->figures.skipped++;
}

static void seek(struct app_reader *r)
{
    int64_t to = r->seek_ns;
    struct segman_error error;
    bool good;

    r->seeking = false;
    r->skip_ns = INT64_MIN;
    g_mutex_unlock(&r->lock);
    good = pipe_source_seek(r->params.source, to, &error);
    g_mutex_lock(&r->lock);
    if (good)
        r->status = PIPE_FRAME;
    else
        app_log(SEGMAN_LOG_WARNING, "%s", error.message);
}

static void begin_again(struct app_reader *r)
{
    r->seek_ns = 0;
    r->era++;
    if (r->fruitful)
        seek(r);
    if (r->status == PIPE_END)
        r->params.loop = false; /* it cannot be sought, or has no frame to begin with */
    r->fruitful = false;
}

static void *work(void *user)
{
    struct app_reader *r = user;

    g_mutex_lock(&r->lock);
    while (!r->quit) {
        if (r->seeking)
            seek(r);
        else if (r->status == PIPE_END && r->params.loop)
            begin_again(r);
        else if (r->status != PIPE_FRAME)
            g_cond_wait(&r->cond, &r->lock);
        else
            read_one(r);
        g_mutex_unlock(&r->lock);
        r->params.wake(r->params.user);
        g_mutex_lock(&r->lock);
    }
    g_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the other side ---------------------------------------------------------------------------------- */

struct app_reader *app_reader_create(const struct app_reader_params *params, struct segman_error *error)
{
    struct app_reader *r = g_new0(struct app_reader, 1);

    r->params = *params;
    r->status = PIPE_FRAME;
    r->skip_ns = INT64_MIN;
    g_mutex_init(&r->lock);
    g_cond_init(&r->cond);
    r->thread = g_thread_try_new("reader", work, r, NULL);
    if (r->thread)
        return r;
    segman_fail(error, SEGMAN_ERROR_MEMORY, "a thread could not be started");
    app_reader_destroy(r);
    return NULL;
}

void app_reader_destroy(struct app_reader *r)
{
    if (!r)
        return;
    g_mutex_lock(&r->lock);
    r->quit = true;
    g_cond_broadcast(&r->cond);
    g_mutex_unlock(&r->lock);
    if (r->thread) {
        pipe_source_stop(r->params.source);
        g_thread_join(r->thread);
    }
    while (r->count)
        drop_first(r);
    g_cond_clear(&r->cond);
    g_mutex_clear(&r->lock);
    g_free(r);
}

bool app_reader_take(struct app_reader *r, struct app_read *read)
{
    bool found;

    g_mutex_lock(&r->lock);
    found = r->count > 0;
    if (found) {
        *read = r->queue[r->first];
        r->first = (r->first + 1) % DEPTH;
        r->count--;
        g_cond_broadcast(&r->cond);
    }
    g_mutex_unlock(&r->lock);
    return found;
}

bool app_reader_peek(struct app_reader *r, int64_t *pts_ns)
{
    bool found;

    g_mutex_lock(&r->lock);
    found = r->count > 0;
    if (found)
        *pts_ns = r->queue[r->first].frame.pts_ns;
    g_mutex_unlock(&r->lock);
    return found;
}

enum pipe_status app_reader_ended(struct app_reader *r, struct segman_error *error)
{
    enum pipe_status status = PIPE_FRAME;

    g_mutex_lock(&r->lock);
    if (!r->count && !r->seeking && !(r->status == PIPE_END && r->params.loop)) {
        status = r->status;
        if (error)
            *error = r->error;
    }
    g_mutex_unlock(&r->lock);
    return status;
}

void app_reader_skip(struct app_reader *r, int64_t pts_ns)
{
    g_mutex_lock(&r->lock);
    r->skip_ns = pts_ns;
    while (r->count > 1 && r->queue[r->first].frame.pts_ns < pts_ns) {
        drop_first(r);
        r->figures.skipped++;
    }
    g_cond_broadcast(&r->cond);
    g_mutex_unlock(&r->lock);
}

uint32_t app_reader_seek(struct app_reader *r, int64_t pts_ns)
{
    uint32_t era;

    g_mutex_lock(&r->lock);
    while (r->count)
        drop_first(r);
    r->seeking = true;
    r->seek_ns = pts_ns;
    era = ++r->era;
    g_cond_broadcast(&r->cond);
    g_mutex_unlock(&r->lock);
    return era;
}

void app_reader_figures(struct app_reader *r, struct app_reader_figures *figures)
{
    g_mutex_lock(&r->lock);
    *figures = r->figures;
    g_mutex_unlock(&r->lock);
}
