/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lasts from frame to frame: the evidence (logits of all crops, float32, averaged over time where nothing moves),
 * the picture it stands for, and the decision whether a frame needs the network at all. With neither smoothing nor
 * skipping none of it exists and labels are made of the network's own logits.
 */
#include <string.h>

#include "internal.h"

#define MOST_SMOOTHING 0.95f /* 1 would never let go of the first frame */
#define CONDITIONAL    2     /* passes a crop beside the network's that a still frame skips: input, evidence */

bool frame_temporal(const struct frame_program *f)
{
    return f->p.smooth > 0 || f->p.skip_still;
}

static uint32_t cells(const struct frame_program *f)
{
    return f->p.logits.w * f->p.logits.h;
}

static uint32_t quads(const struct frame_program *f)
{
    return (f->p.logits.c + 3) / 4;
}

static struct gpu_range whole(const struct gpu_buffer *buffer)
{
    return (struct gpu_range){buffer, 0, buffer->size};
}

/* ---- buffers ------------------------------------------------------------------------------------ */

void frame_temporal_lay_out(struct frame_program *f)
{
    f->seen = f->p.logits;
    if (!frame_temporal(f))
        return;
    f->seen.stride4 = quads(f);
    f->seen.offset4 = 0;
    f->seen.f16 = false;
    f->crop_pitch = (uint64_t)cells(f) * quads(f) * 16;
}

/* Largest difference, group counts, and what the network's passes take them from. */
static bool create_decision(struct frame_program *f, struct segman_error *error)
{
    const uint32_t zero[4] = {0};
    struct frame_temporal *t = &f->temporal;
    uint64_t bytes = (uint64_t)f->p.n_crops * (f->p.net_passes + CONDITIONAL) * 3 * sizeof(uint32_t);
    if (!gpu_buffer_init(f->gpu, &t->peak, sizeof(zero), GPU_MEMORY_DEVICE, error) ||
        !gpu_buffer_write(f->gpu, &t->peak, 0, zero, sizeof(zero), error))
        return false;
    return !f->p.skip_still || (gpu_buffer_init(f->gpu, &t->counts, bytes, GPU_MEMORY_UPLOAD, error) &&
                                gpu_buffer_init(f->gpu, &t->arguments, bytes, GPU_MEMORY_DEVICE, error));
}

bool frame_temporal_create(struct frame_program *f, struct segman_error *error)
{
    struct frame_temporal *t = &f->temporal;
    uint64_t all = (uint64_t)f->p.n_crops * cells(f);
    t->reset = true;
    return gpu_buffer_init(f->gpu, &f->crop_logits, f->p.n_crops * f->crop_pitch, GPU_MEMORY_DEVICE, error) &&
           gpu_buffer_init(f->gpu, &t->reference, all * 3 * 16, GPU_MEMORY_DEVICE, error) &&
           gpu_buffer_init(f->gpu, &t->cells, all * 4 * 16, GPU_MEMORY_DEVICE, error) && create_decision(f, error);
}

void frame_temporal_destroy(struct frame_program *f)
{
    struct frame_temporal *t = &f->temporal;
    struct gpu_buffer *own[] = {&t->reference, &t->cells, &t->peak, &t->counts, &t->arguments};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        gpu_buffer_finish(f->gpu, own[i]);
}

uint64_t frame_temporal_memory(const struct frame_program *f)
{
    const struct frame_temporal *t = &f->temporal;
    return t->reference.size + t->cells.size + t->peak.size + t->counts.size + t->arguments.size;
}

/* ---- passes ------------------------------------------------------------------------------------- */

static bool create_motion(const struct frame_program *f, struct frame_slot *s, uint32_t crop, struct segman_error *error)
{
    const struct net_memory *in = &f->p.input;
    const float std[3] = FRAME_STD;
    const struct frame_motion_push push = {.grid_width = f->p.logits.w,
                                           .grid_height = f->p.logits.h,
                                           .ratio = f->ratio,
                                           .width = in->w,
                                           .stride4 = in->stride4,
                                           .offset4 = in->offset4,
                                           .first = crop * cells(f),
                                           .std_r = std[0],
                                           .std_g = std[1],
                                           .std_b = std[2]};
    struct gpu_pass_desc desc = {
        .shader = in->f16 ? "frame_motion.f16" : "frame_motion.f32",
        .label = "frame.motion",
        .binding = {{in->range, GPU_READ},
                    {whole(&f->temporal.reference), GPU_READ},
                    {whole(&f->temporal.cells), GPU_WRITE},
                    {whole(&s->control), GPU_READ},
                    {whole(&f->temporal.peak), GPU_READ_WRITE}},
        .n_bindings = 5,
        .spec = {f->p.skip_still},
        .n_spec = 1,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {(cells(f) + 63) / 64, 1, 1},
    };
    return frame_pass_create(f, &s->motion[crop], &desc, 6.0 * in->w * in->h, error);
}

static bool create_evidence(const struct frame_program *f, struct frame_slot *s, uint32_t crop, struct segman_error *error)
{
    const struct net_memory *from = &f->p.logits;
    const struct frame_evidence_push push = {.grid_width = from->w,
                                             .grid_height = from->h,
                                             .quads = quads(f),
                                             .stride4 = from->stride4,
                                             .offset4 = from->offset4,
                                             .first = crop * cells(f),
                                             .smoothing = f->p.smooth < MOST_SMOOTHING ? f->p.smooth : MOST_SMOOTHING};
    uint32_t n = (cells(f) * quads(f) + 63) / 64, columns = n < 32768 ? n : 32768;
    struct gpu_pass_desc desc = {
        .shader = from->f16 ? "frame_evidence.f16" : "frame_evidence.f32",
        .label = "frame.evidence",
        .binding = {{from->range, GPU_READ},
                    {whole(&f->crop_logits), GPU_READ_WRITE},
                    {whole(&f->temporal.cells), GPU_READ},
                    {whole(&f->temporal.reference), GPU_READ_WRITE}},
        .n_bindings = 4,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {columns, (n + columns - 1) / columns, 1},
    };
    return frame_pass_create(f, &s->evidence[crop], &desc, 12.0 * from->c * cells(f), error);
}

static bool create_decide(const struct frame_program *f, struct frame_slot *s, struct segman_error *error)
{
    const struct frame_temporal *t = &f->temporal;
    const struct frame_decide_push push = {.words = (uint32_t)(t->counts.size / 4), .threshold = f->p.still_threshold};
    struct gpu_pass_desc desc = {
        .shader = "frame_decide",
        .label = "frame.decide",
        .binding = {{whole(&t->peak), GPU_READ_WRITE},
                    {whole(&t->counts), GPU_READ},
                    {whole(&t->arguments), GPU_WRITE},
                    {whole(&s->verdict), GPU_WRITE}},
        .n_bindings = 4,
        .push = &push,
        .push_size = sizeof(push),
        .groups = {1, 1, 1},
    };
    return frame_pass_create(f, &s->decide, &desc, 0, error);
}

bool frame_temporal_slot_create(struct frame_program *f, uint32_t slot, struct segman_error *error)
{
    struct frame_slot *s = &f->slot[slot];
    if (!frame_temporal(f))
        return true;
    if (!gpu_buffer_init(f->gpu, &s->control, 16, GPU_MEMORY_UPLOAD, error))
        return false;
    for (uint32_t i = 0; i < f->p.n_crops; i++)
        if (!create_motion(f, s, i, error) || !create_evidence(f, s, i, error))
            return false;
    return !f->p.skip_still ||
           (gpu_buffer_init(f->gpu, &s->verdict, sizeof(struct frame_verdict), GPU_MEMORY_READBACK, error) && create_decide(f, s, error));
}

void frame_temporal_slot_destroy(struct frame_program *f, uint32_t slot)
{
    struct frame_slot *s = &f->slot[slot];
    for (uint32_t i = 0; i < FRAME_MAX_CROPS; i++) {
        gpu_pass_destroy(f->gpu, s->motion[i].pass);
        gpu_pass_destroy(f->gpu, s->evidence[i].pass);
    }
    gpu_pass_destroy(f->gpu, s->decide.pass);
    gpu_buffer_finish(f->gpu, &s->control);
    gpu_buffer_finish(f->gpu, &s->verdict);
}

/* ---- a frame -------------------------------------------------------------------------------------- */

void frame_record_decision(struct frame_program *f, uint32_t slot, struct gpu_commands *commands)
{
    struct frame_temporal *t = &f->temporal;
    struct frame_slot *s = &f->slot[slot];
    if (!f->p.skip_still)
        return;
    frame_record_pass(f, commands, &s->convert);
    for (uint32_t i = 0; i < f->p.n_crops; i++) {
        frame_record_pass(f, commands, &s->input[i]);
        frame_record_pass(f, commands, &s->motion[i]);
    }
    frame_record_pass(f, commands, &s->decide);
    gpu_commands_indirect(commands, &t->arguments, t->counts.map);
}

void frame_temporal_prepare(struct frame_program *f, uint32_t slot)
{
    const uint32_t reset = f->temporal.reset;
    if (!frame_temporal(f))
        return;
    memcpy(f->slot[slot].control.map, &reset, sizeof(reset));
    f->temporal.reset = false;
}

void frame_reset_history(struct frame_program *f)
{
    f->temporal.reset = true;
}

void frame_temporal_result(const struct frame_program *f, uint32_t slot, struct segman_result *result)
{
    struct frame_verdict verdict = {0};
    if (f->p.skip_still)
        memcpy(&verdict, f->slot[slot].verdict.map, sizeof(verdict));
    result->skipped = verdict.skipped;
    result->change = verdict.change;
}
