/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"

#include <string.h>

#define WIDTH    8
#define HEIGHT   4
#define MAX_SIDE 16

struct fake fake;

struct segman_session {
    struct segman_session_params params;
    uint8_t input[SEGMAN_MAX_SLOTS][MAX_SIDE * MAX_SIDE * 4];
    uint8_t labels[MAX_SIDE * MAX_SIDE];
    uint64_t user[SEGMAN_MAX_SLOTS];
    uint64_t submitted, waited, released;
};

static uint8_t no_label(uint64_t frame)
{
    (void)frame;
    return 0;
}

void fake_reset(void)
{
    if (fake.diary)
        g_string_free(fake.diary, TRUE);
    fake = (struct fake){.frames = 10, .end = PIPE_END, .label = no_label, .diary = g_string_new(NULL)};
    fake.info = (struct pipe_source_info){
        .kind = PIPE_KIND_VIDEO, .format = {.format = SEGMAN_FORMAT_RGBA, .width = WIDTH, .height = HEIGHT}, .frames = -1};
}

/* ---- source ------------------------------------------------------------------------------------ */

const struct pipe_source_info *pipe_source_info(const struct pipe_source *source)
{
    (void)source;
    return &fake.info;
}

enum pipe_status pipe_source_read(struct pipe_source *source, struct pipe_frame *frame, struct segman_error *error)
{
    static uint8_t pixels[MAX_SIDE * MAX_SIDE * 4];

    (void)source;
    if (fake.read == fake.frames) {
        if (fake.end == PIPE_ERROR)
            segman_fail(error, SEGMAN_ERROR_IO, "the source broke");
        return fake.end;
    }
    memset(pixels, fake.label(fake.read), sizeof pixels);
    *frame = (struct pipe_frame){.format = fake.info.format, .plane = {pixels}, .stride = {MAX_SIDE * 4}, .index = fake.read};
    if (fake.change_at && fake.read >= fake.change_at)
        frame->format.width = 2 * WIDTH;
    frame->pts_ns = 1000 * (int64_t)fake.read++;
    fake.unreleased++;
    return PIPE_FRAME;
}

enum pipe_status pipe_source_read_timeout(struct pipe_source *source, int64_t timeout_ns, struct pipe_frame *frame,
                                          struct segman_error *error)
{
    (void)timeout_ns;
    if (fake.pause_every && ++fake.looks % fake.pause_every == 0) {
        g_string_append_c(fake.diary, '.');
        return fake.looks % 2 ? PIPE_TIMEOUT : PIPE_LOST;
    }
    return pipe_source_read(source, frame, error);
}

void pipe_frame_release(struct pipe_frame *frame)
{
    (void)frame;
    fake.unreleased--;
}

void pipe_source_stop(struct pipe_source *source)
{
    (void)source;
}

/* ---- session ----------------------------------------------------------------------------------- */

bool segman_model_tune(struct segman_model *model, const struct segman_session_params *params, segman_tune_fn progress, void *user,
                       struct segman_error *error)
{
    (void)model, (void)params, (void)progress, (void)user, (void)error;
    return true;
}

struct segman_session *segman_session_create(struct segman_model *model, const struct segman_session_params *params,
                                             struct segman_error *error)
{
    struct segman_session *session;

    (void)model;
    if (fake.fail_create || (fake.fail_parallel && params->parallel > 1)) {
        segman_fail(error, SEGMAN_ERROR_DEVICE_MEMORY, "no room");
        return NULL;
    }
    g_string_append_c(fake.diary, 'c');
    fake.sessions++;
    session = g_new0(struct segman_session, 1);
    session->params = *params;
    fake.smooth = params->smooth;
    return session;
}

void segman_session_destroy(struct segman_session *session)
{
    if (session)
        g_string_append_c(fake.diary, 'd');
    g_free(session);
}

void segman_session_set_style(struct segman_session *session, const struct segman_style *style)
{
    (void)session;
    (void)style;
}

bool segman_session_set_overlay(struct segman_session *session, const struct segman_overlay *overlay, struct segman_error *error)
{
    (void)session;
    (void)overlay;
    (void)error;
    g_string_append_c(fake.diary, 'o');
    return true;
}

void segman_session_reset_history(struct segman_session *session)
{
    (void)session;
}

bool segman_session_begin(struct segman_session *session, struct segman_planes *planes, struct segman_error *error)
{
    uint32_t bytes = session->params.frame.width * 4;

    if (session->submitted - session->released >= session->params.slots)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "no free slot");
    g_string_append_c(fake.diary, 'b');
    *planes = (struct segman_planes){.plane = {session->input[session->submitted % session->params.slots]},
                                     .stride = {bytes},
                                     .bytes = {bytes},
                                     .rows = {session->params.frame.height}};
    return true;
}

bool segman_session_submit(struct segman_session *session, uint64_t user, struct segman_error *error)
{
    if (++fake.submits == fake.fail_submit)
        return segman_fail(error, SEGMAN_ERROR_DEVICE_LOST, "lost at submission");
    g_string_append_c(fake.diary, 's');
    session->user[session->submitted++ % session->params.slots] = user;
    fake.most_in_flight = MAX(fake.most_in_flight, segman_session_in_flight(session));
    return true;
}

bool segman_session_wait(struct segman_session *session, uint64_t timeout_ns, struct segman_result *result, struct segman_error *error)
{
    uint64_t slot = session->waited % session->params.slots;

    (void)timeout_ns;
    if (++fake.waits == fake.fail_wait)
        return segman_fail(error, SEGMAN_ERROR_DEVICE_LOST, "lost while waiting");
    if (session->waited == session->submitted)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "nothing in flight");
    if (fake.waits == 1)
        g_usleep(fake.first_us);
    g_string_append_c(fake.diary, 'w');
    memset(session->labels, session->input[slot][0], sizeof session->labels);
    *result = (struct segman_result){.user = session->user[slot],
                                     .labels = session->labels,
                                     .labels_stride = session->params.frame.width,
                                     .gpu_ms = 2,
                                     .skipped = session->params.skip_still && fake.waits % 2 == 0};
    session->waited++;
    return true;
}

void segman_session_release(struct segman_session *session)
{
    g_string_append_c(fake.diary, 'r');
    session->released++;
}

uint32_t segman_session_in_flight(const struct segman_session *session)
{
    return (uint32_t)(session->submitted - session->waited);
}

uint32_t segman_session_parallel(const struct segman_session *session)
{
    return CLAMP(session->params.parallel, 1, MAX(fake.parallel, 1));
}

enum segman_precision segman_session_precision(const struct segman_session *session)
{
    (void)session;
    return SEGMAN_PRECISION_F32;
}
