/* SPDX-License-Identifier: Apache-2.0 */
/* A session's frames, and what can be asked about it. */
#include <string.h>

#include "context.h"
#include "session_internal.h"

/* ---- frames ------------------------------------------------------------------------------------ */

void segman_session_set_style(struct segman_session *s, const struct segman_style *style)
{
    for (uint32_t i = 0; i < s->n_tracks; i++)
        frame_set_style(s->track[i].frame, style);
}

bool segman_session_set_overlay(struct segman_session *s, const struct segman_overlay *overlay, struct segman_error *error)
{
    bool record_again = false, good = true;
    if (frame_overlay_grows(s->track[0].frame, overlay) && !session_wait_idle(s, error))
        return false;
    for (uint32_t i = 0; good && i < s->n_tracks; i++) {
        bool again = false;
        good = frame_overlay_reserve(s->track[i].frame, overlay, &again, error);
        record_again |= again;
    }
    for (uint32_t i = 0; good && i < s->n_tracks; i++)
        frame_set_overlay(s->track[i].frame, overlay);
    return (!record_again || session_record(s, error)) && good; /* what grew before a failure has other passes too */
}

void segman_session_reset_history(struct segman_session *s)
{
    frame_reset_history(s->track[0].frame); /* with more tracks there is none */
}

bool segman_session_begin(struct segman_session *s, struct segman_planes *planes, struct segman_error *error)
{
    if (s->submitted - s->released >= s->params.slots)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "All %u slots are in use: wait for a frame and release it first", s->params.slots);
    uint32_t slot = (uint32_t)(s->submitted % s->params.slots);
    *planes = frame_planes(session_track_of(s, slot)->frame, session_own_slot(s, slot));
    return true;
}

bool segman_session_preview(struct segman_session *s, uint32_t *slot, struct segman_error *error)
{
    *slot = (uint32_t)(s->submitted % s->params.slots);
    struct gpu_commands *c = s->preview[*slot];
    if (!c || s->submitted - s->released >= s->params.slots)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "There is no begun frame to be shown");
    return gpu_commands_wait(c, session_patience_ns(s), error) && gpu_commands_submit(c, error);
}

bool segman_session_submit(struct segman_session *s, uint64_t user, struct segman_error *error)
{
    uint32_t slot = (uint32_t)(s->submitted % s->params.slots);
    if (s->submitted - s->released >= s->params.slots)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A frame must be begun before it is submitted");
    frame_prepare(session_track_of(s, slot)->frame, session_own_slot(s, slot));
    if (!slot_lists_submit(&s->lists[slot], session_patience_ns(s), error))
        return false;
    s->user[slot] = user;
    s->submitted++;
    return true;
}

bool segman_session_wait(struct segman_session *s, uint64_t timeout_ns, struct segman_result *result, struct segman_error *error)
{
    uint32_t slot = (uint32_t)(s->waited % s->params.slots);
    struct slot_lists *lists = &s->lists[slot];
    if (s->waited == s->submitted)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "No frame is in flight");
    if (!slot_lists_wait(lists, timeout_ns == UINT64_MAX ? session_patience_ns(s) : timeout_ns, error))
        return false;
    s->waited++;
    s->last_slot = slot;
    *result = (struct segman_result){.user = s->user[slot], .slot = slot};
    frame_result(session_track_of(s, slot)->frame, session_own_slot(s, slot), result);
    result->gpu_ms = slot_lists_time(lists, GPU_QUEUE_MAIN);
    result->upload_ms = slot_lists_time(lists, GPU_QUEUE_UPLOAD);
    result->read_back_ms = slot_lists_time(lists, GPU_QUEUE_READBACK);
    return true;
}

void segman_session_release(struct segman_session *s)
{
    if (s->released < s->waited)
        s->released++;
}

uint32_t segman_session_in_flight(const struct segman_session *s)
{
    return (uint32_t)(s->submitted - s->waited);
}

const struct frame_program *session_frames(const struct segman_session *s)
{
    return s->params.present ? s->track[0].frame : NULL;
}

uint32_t session_slots(const struct segman_session *s)
{
    return s->params.slots;
}

uint32_t segman_session_parallel(const struct segman_session *s)
{
    return s->n_tracks;
}

enum segman_precision segman_session_precision(const struct segman_session *s)
{
    return s->params.precision;
}

/* ---- inspection -------------------------------------------------------------------------------- */

bool segman_session_tap(struct segman_session *s, const char *name, uint32_t shape[3], float **data, struct segman_error *error)
{
    struct net_memory m;
    if (!net_program_tap(session_track_of(s, s->last_slot)->net, name, &m))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The tensor '%s' was not kept: name it in the session's taps", name);
    *data = net_memory_read(s->gpu, &m, error);
    shape[0] = m.c;
    shape[1] = m.h;
    shape[2] = m.w;
    return *data != NULL;
}

size_t segman_session_pass_count(const struct segman_session *s)
{
    return s->n_passes;
}

bool segman_session_pass(const struct segman_session *s, size_t i, struct segman_pass_info *info)
{
    if (i >= s->n_passes)
        return false;
    *info = s->pass[i];
    info->ms = slot_lists_pass_time(&s->lists[s->last_slot], (uint32_t)i);
    return true;
}

void segman_session_memory(const struct segman_session *s, struct segman_memory_info *info)
{
    *info = (struct segman_memory_info){0};
    net_program_memory(s->track[0].net, info);
    info->arena *= s->n_tracks;
    info->arena_naive *= s->n_tracks;
    for (uint32_t i = 0; i < s->n_tracks; i++)
        info->frames += frame_program_memory(s->track[i].frame);
}

void segman_session_print_plan(const struct segman_session *s, FILE *out)
{
    net_program_print_plan(s->track[0].net, out);
}
