/* SPDX-License-Identifier: Apache-2.0 */
/* From parameters to recorded lists. */
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "net/tuning.h"
#include "session_internal.h"

#define DEFAULT_SLOTS   2                /* of a track */
#define GPU_PATIENCE_NS 60000000000ull   /* a frame that takes longer on a GPU will not come */
#define CPU_PATIENCE_NS 3600000000000ull /* a CPU driver may need minutes */

/* ---- checks ------------------------------------------------------------------------------------ */

static bool check_side(const char *what, uint32_t side, uint32_t min, struct segman_error *error)
{
    if (side % 32 || side < min || side > FRAME_MAX_SIDE)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%s is %u pixels, expected a multiple of 32 from %u to %u", what, side, min,
                           FRAME_MAX_SIDE);
    return true;
}

static bool check_params(const struct segman_model *model, const struct segman_session_params *p, struct segman_error *error)
{
    uint32_t min = segman_model_min_side(model);
    if (!p->frame.width || !p->frame.height || p->frame.width > FRAME_MAX_SIDE || p->frame.height > FRAME_MAX_SIDE)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The frame is %ux%u pixels, expected 1 to %u a side", p->frame.width,
                           p->frame.height, FRAME_MAX_SIDE);
    if (!check_side("The network's width", p->net_width, min, error) || !check_side("The network's height", p->net_height, min, error))
        return false;
    if (p->crop && (!check_side("The crop", p->crop, min, error) || !check_side("The stride of the crops", p->stride, 32, error)))
        return false;
    if (p->slots > SEGMAN_MAX_SLOTS)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "%u slots were asked for, at most %u are possible", p->slots, SEGMAN_MAX_SLOTS);
    if (!(p->smooth >= 0 && p->smooth <= 1) || (p->skip_still && !(p->still_threshold >= 0)))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "Smoothing is a number from 0 to 1, a difference of still frames not negative");
    if (p->view != SEGMAN_VIEW_NONE && p->view_format != p->frame.format && !frame_is_rgb(p->view_format))
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A view must have the frame's pixel format or an RGB format");
    return true;
}

/* ---- building ---------------------------------------------------------------------------------- */

static bool build_network(struct segman_session *s, const struct segman_session_params *p, uint32_t w, uint32_t h,
                          struct segman_error *error)
{
    const struct net_weights weights = model_weights(s->model);
    struct net *n = net_create(&weights);
    if (!n)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    segman_build(n, &s->model->architecture, h, w);
    const struct net_program_params params = {.f16 = s->params.precision == SEGMAN_PRECISION_F16,
                                              .no_fuse = p->no_fuse,
                                              .taps = p->taps,
                                              .n_taps = p->n_taps,
                                              .tuning = s->model->context->tuning};
    s->track[0].net = net_program_create(s->gpu, n, &params, error);
    net_destroy(n);
    for (uint32_t i = 1; s->track[0].net && i < s->n_tracks; i++)
        if (!(s->track[i].net = net_program_copy(s->track[0].net, error)))
            return false;
    return s->track[0].net != NULL;
}

/* A presenter draws on the first main queue; a frame that looks at the one before comes after it. */
static void choose_tracks(struct segman_session *s)
{
    const uint32_t slots = s->params.slots ? s->params.slots : SEGMAN_MAX_SLOTS;
    const bool one = s->params.present || s->params.smooth > 0 || s->params.skip_still || !s->params.parallel;
    s->n_tracks = one ? 1 : s->params.parallel;
    if (s->n_tracks > gpu_caps(s->gpu)->parallel)
        s->n_tracks = gpu_caps(s->gpu)->parallel;
    if (s->n_tracks > slots)
        s->n_tracks = slots;
    if (!s->params.slots)
        s->params.slots = DEFAULT_SLOTS * s->n_tracks < SEGMAN_MAX_SLOTS ? DEFAULT_SLOTS * s->n_tracks : SEGMAN_MAX_SLOTS;
}

/*
 * Transfers overlap with other frames' networks where there are several slots and the device has queues for them. What a
 * presenter draws it reads from the slot's own frame: uploads wait for it on the main queue.
 */
static void choose_queues(struct segman_session *s)
{
    const struct gpu_caps *caps = gpu_caps(s->gpu);
    bool overlap = s->params.slots > 1 && !caps->unified_memory;
    s->beside[GPU_QUEUE_UPLOAD] = overlap && !s->params.present && caps->beside[GPU_QUEUE_UPLOAD];
    s->beside[GPU_QUEUE_READBACK] = overlap && caps->beside[GPU_QUEUE_READBACK];
}

static void on_recorded(void *user, struct gpu_commands *commands, const struct net_pass *pass, bool barrier);

static bool build_frame_program(struct segman_session *s, uint32_t number, const struct frame_params *shared, struct segman_error *error)
{
    struct session_track *track = &s->track[number];
    struct frame_params params = *shared;
    params.input = net_program_input(track->net);
    params.logits = net_program_output(track->net);
    params.slots = (s->params.slots - number + s->n_tracks - 1) / s->n_tracks;
    track->frame = frame_program_create(s->gpu, &params, error);
    return track->frame != NULL;
}

static bool build_frames(struct segman_session *s, uint32_t crop_w, uint32_t crop_h, struct segman_error *error)
{
    const struct segman_session_params *p = &s->params;
    const struct net_pass *pass;
    struct frame_crop crops[FRAME_MAX_CROPS];
    uint32_t n = 0;
    if (p->crop) {
        n = frame_crops(p->net_width, p->net_height, crop_w, crop_h, p->stride, crops, FRAME_MAX_CROPS);
        if (n > FRAME_MAX_CROPS)
            return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The image needs %u crops, at most %u are possible: use a larger stride", n,
                               FRAME_MAX_CROPS);
    }
    const struct frame_params params = {.frame = p->frame,
                                        .resize = p->resize,
                                        .view = p->view,
                                        .view_format = p->view_format,
                                        .net_width = p->net_width,
                                        .net_height = p->net_height,
                                        .crops = p->crop ? crops : NULL,
                                        .n_crops = n,
                                        .confidence = p->confidence,
                                        .smooth = p->smooth,
                                        .skip_still = p->skip_still,
                                        .still_threshold = p->still_threshold,
                                        .net_passes = (uint32_t)net_program_passes(s->track[0].net, &pass),
                                        .keep = p->present,
                                        .own_uploads = s->beside[GPU_QUEUE_UPLOAD],
                                        .own_read_backs = s->beside[GPU_QUEUE_READBACK],
                                        .recorded = on_recorded,
                                        .user = s};
    for (uint32_t i = 0; i < s->n_tracks; i++)
        if (!build_frame_program(s, i, &params, error))
            return false;
    return true;
}

/* ---- recording --------------------------------------------------------------------------------- */

static void on_recorded(void *user, struct gpu_commands *commands, const struct net_pass *pass, bool barrier)
{
    struct segman_session *s = user;
    if (s->params.profile)
        gpu_commands_timer(commands);
    if (!s->listing)
        return;
    if (s->n_passes == s->cap_passes) {
        size_t cap = s->cap_passes ? 2 * s->cap_passes : 512;
        struct segman_pass_info *p = realloc(s->pass, cap * sizeof(*p));
        if (!p) {
            s->out_of_memory = true;
            return;
        }
        s->pass = p;
        s->cap_passes = cap;
    }
    s->pass[s->n_passes++] = (struct segman_pass_info){.scope = pass->scope,
                                                       .op = pass->op,
                                                       .shader = pass->shader,
                                                       .flops = pass->flops,
                                                       .bytes = pass->bytes,
                                                       .barrier = barrier,
                                                       .matrices = pass->matrices,
                                                       .groups = {pass->groups[0], pass->groups[1], pass->groups[2]}};
}

static void record_network(struct segman_session *s, const struct net_program *net, struct gpu_commands *commands)
{
    const struct net_pass *pass;
    size_t n = net_program_passes(net, &pass);
    for (size_t i = 0; i < n; i++)
        on_recorded(s, commands, &pass[i], gpu_commands_pass(commands, pass[i].pass));
}

static void record_upload(void *user, uint32_t slot, struct gpu_commands *c)
{
    const struct segman_session *s = user;
    frame_record_upload(session_track_of(s, slot)->frame, session_own_slot(s, slot), c);
}

static void record_frame(void *user, uint32_t slot, struct gpu_commands *c)
{
    struct segman_session *s = user;
    const struct session_track *track = session_track_of(s, slot);
    const uint32_t own = session_own_slot(s, slot);
    frame_record_decision(track->frame, own, c);
    for (uint32_t crop = 0; crop < frame_program_crops(track->frame); crop++) {
        frame_record_input(track->frame, own, c, crop);
        record_network(s, track->net, c);
        frame_record_crop(track->frame, own, c, crop);
    }
    frame_record_output(track->frame, own, c);
}

static void record_read_back(void *user, uint32_t slot, struct gpu_commands *c)
{
    const struct segman_session *s = user;
    frame_record_read_back(session_track_of(s, slot)->frame, session_own_slot(s, slot), c);
}

static bool record_slot(struct segman_session *s, uint32_t slot, struct segman_error *error)
{
    static const slot_record_fn record[GPU_QUEUES] = {
        [GPU_QUEUE_UPLOAD] = record_upload, [GPU_QUEUE_MAIN] = record_frame, [GPU_QUEUE_READBACK] = record_read_back};
    if (!slot_lists_record(&s->lists[slot], record, s, slot, s->params.profile, error))
        return false;
    return !s->out_of_memory || segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
}

bool session_record(struct segman_session *s, struct segman_error *error)
{
    for (uint32_t i = 0; i < s->params.slots; i++)
        if (!record_slot(s, i, error))
            return false;
    return true;
}

static bool create_commands(struct segman_session *s, struct segman_error *error)
{
    const struct net_pass *pass;
    size_t per_crop = net_program_passes(s->track[0].net, &pass) + 8;
    uint32_t timers = s->params.profile ? (uint32_t)(per_crop * frame_program_crops(s->track[0].frame)) + 16 : 0;
    for (uint32_t i = 0; i < s->params.slots; i++)
        if (!slot_lists_create(&s->lists[i], s->gpu, s->beside, i % s->n_tracks, timers, error))
            return false;
    return true;
}

static bool create_previews(struct segman_session *s, struct segman_error *error)
{
    for (uint32_t i = 0; s->params.present && i < s->params.slots; i++) {
        s->preview[i] = gpu_commands_create(s->gpu, 0, error);
        if (!s->preview[i] || !gpu_commands_begin(s->preview[i], error))
            return false;
        frame_record_source(session_track_of(s, i)->frame, session_own_slot(s, i), s->preview[i]);
        if (!gpu_commands_end(s->preview[i], error))
            return false;
    }
    return true;
}

struct segman_session *segman_session_create(struct segman_model *model, const struct segman_session_params *params,
                                             struct segman_error *error)
{
    if (!model->context) {
        segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The model was opened without a GPU context");
        return NULL;
    }
    if (!check_params(model, params, error))
        return NULL;
    struct segman_session *s = calloc(1, sizeof(*s));
    if (!s) {
        segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
        return NULL;
    }
    s->model = model;
    s->gpu = model->context->gpu;
    s->params = *params;
    s->params.taps = NULL;
    choose_tracks(s);
    if (s->params.precision == SEGMAN_PRECISION_AUTO)
        s->params.precision = SEGMAN_PRECISION_F16;
    uint32_t w = params->crop && params->crop < params->net_width ? params->crop : params->net_width;
    uint32_t h = params->crop && params->crop < params->net_height ? params->crop : params->net_height;
    s->listing = true;
    choose_queues(s);
    if (!build_network(s, params, w, h, error) || !build_frames(s, w, h, error) || !create_commands(s, error) || !record_slot(s, 0, error))
        goto fail;
    s->listing = false;
    if (!session_record(s, error) || !create_previews(s, error))
        goto fail;
    struct segman_style style;
    segman_style_default(&style, model, NULL);
    segman_session_set_style(s, &style);
    return s;
fail:
    segman_session_destroy(s);
    return NULL;
}

bool segman_model_tune(struct segman_model *model, const struct segman_session_params *params, segman_tune_fn progress, void *user,
                       struct segman_error *error)
{
    if (!model->context || !model->context->tuning)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "The model was opened without a GPU context");
    struct net_tuning *t = model->context->tuning;
    const char *path = gpu_tuning_path(model->context->gpu);
    net_tuning_collect(t, true);
    struct segman_session *s = segman_session_create(model, params, error);
    segman_session_destroy(s);
    bool ok = s && net_tune(t, model->context->gpu, progress, user, error);
    net_tuning_collect(t, false);
    return ok && (!path || net_tuning_save(t, path, error));
}
uint64_t session_patience_ns(const struct segman_session *s)
{
    return gpu_caps(s->gpu)->cpu ? CPU_PATIENCE_NS : GPU_PATIENCE_NS;
}

bool session_wait_idle(struct segman_session *s, struct segman_error *error)
{
    for (uint32_t i = 0; i < s->params.slots; i++)
        if (!slot_lists_wait(&s->lists[i], session_patience_ns(s), error))
            return false;
    return true;
}

void segman_session_destroy(struct segman_session *s)
{
    if (!s)
        return;
    session_wait_idle(s, NULL);
    for (uint32_t i = 0; i < SEGMAN_MAX_SLOTS; i++) {
        slot_lists_destroy(&s->lists[i]);
        gpu_commands_destroy(s->preview[i]);
    }
    for (uint32_t i = s->n_tracks; i-- > 0;) {
        frame_program_destroy(s->track[i].frame);
        net_program_destroy(s->track[i].net);
    }
    free(s->pass);
    free(s);
}
