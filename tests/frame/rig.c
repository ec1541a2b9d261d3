/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "vk/half.h"

#define PATTERN 0xa5

struct gpu *rig_gpu;

static bool failed(const char *what, const struct segman_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error ? error->message : "");
    return false;
}

static uint32_t or_default(uint32_t v, uint32_t d)
{
    return v ? v : d;
}

static bool init_tensor(struct gpu_buffer *buffer, struct net_memory *m, uint64_t bytes, struct segman_error *error)
{
    m->range = (struct gpu_range){buffer, RIG_GUARD, bytes};
    return gpu_buffer_init(rig_gpu, buffer, bytes + 2 * RIG_GUARD, GPU_MEMORY_DEVICE, error);
}

bool rig_init(struct rig *rig, const struct rig_params *params)
{
    struct segman_error error = {0};
    *rig = (struct rig){.p = *params};
    struct rig_params *p = &rig->p;
    p->net_w = or_default(p->net_w, 16);
    p->net_h = or_default(p->net_h, 16);
    p->ratio = or_default(p->ratio, 8);
    p->classes = or_default(p->classes, 5);
    p->slots = or_default(p->slots, 1);
    uint32_t w = or_default(p->crop_w, p->net_w), h = or_default(p->crop_h, p->net_h), quad = p->f16 ? 8 : 16;
    rig->n_crops = frame_crops(p->net_w, p->net_h, w, h, or_default(p->stride, w), rig->crops, FRAME_MAX_CROPS);
    rig->frame =
        (struct frame_params){.frame = p->frame,
                              .resize = p->resize,
                              .view = p->view,
                              .view_format = p->view_format,
                              .net_width = p->net_w,
                              .net_height = p->net_h,
                              .input = {.c = 3, .h = h, .w = w, .stride4 = 2, .f16 = p->f16},
                              .logits = {.c = p->classes, .h = h / p->ratio, .w = w / p->ratio, .offset4 = p->offset4, .f16 = p->f16},
                              .crops = p->crop_w ? rig->crops : NULL,
                              .n_crops = p->crop_w ? rig->n_crops : 0,
                              .confidence = p->confidence,
                              .slots = p->slots,
                              .smooth = p->smooth,
                              .skip_still = p->skip_still,
                              .still_threshold = p->still_threshold};
    struct net_memory *logits = &rig->frame.logits;
    logits->stride4 = p->offset4 + (p->classes + 7) / 8 * 2;
    if (!init_tensor(&rig->input, &rig->frame.input, (uint64_t)h * w * 2 * quad, &error) ||
        !init_tensor(&rig->logits, logits, (uint64_t)logits->h * logits->w * logits->stride4 * quad, &error))
        return failed("buffers", &error);
    rig->program = frame_program_create(rig_gpu, &rig->frame, &error);
    if (!rig->program || !(rig->commands = gpu_commands_create(rig_gpu, 0, &error)))
        return failed("program", &error);
    return true;
}

void rig_finish(struct rig *rig)
{
    gpu_commands_destroy(rig->commands);
    frame_program_destroy(rig->program);
    gpu_buffer_finish(rig_gpu, &rig->input);
    gpu_buffer_finish(rig_gpu, &rig->logits);
}

uint32_t rig_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

void rig_fill(struct rig *rig, uint32_t slot, uint32_t seed)
{
    struct segman_planes p = frame_planes(rig->program, slot);
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t k = 0; k < p.stride[i] * p.rows[i]; k++)
            p.plane[i][k] = (uint8_t)rig_random(&seed);
}

static bool submit(struct rig *rig)
{
    struct segman_error error = {0};
    return (gpu_commands_end(rig->commands, &error) && gpu_commands_submit(rig->commands, &error) &&
            gpu_commands_wait(rig->commands, 60000000000ull, &error)) ||
           failed("run", &error);
}

static bool is_all(const uint8_t *bytes, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static float element(const uint8_t *data, size_t i, bool f16)
{
    float v;
    uint16_t h;
    memcpy(&v, data + 4 * i, f16 ? 0 : 4);
    memcpy(&h, data + 2 * i, 2);
    return f16 ? half_to_float(h) : v;
}

bool rig_input(struct rig *rig, uint32_t slot, uint32_t crop, float *out)
{
    struct segman_error error = {0};
    size_t size = rig->input.size, n = (size_t)rig->frame.input.w * rig->frame.input.h * 8;
    uint8_t *bytes = malloc(size);
    memset(bytes, 0xff, size); /* NaNs */
    bool ok = gpu_buffer_write(rig_gpu, &rig->input, 0, bytes, size, &error) && gpu_commands_begin(rig->commands, &error);
    if (ok) {
        frame_record_upload(rig->program, slot, rig->commands);
        for (uint32_t i = 0; i <= crop; i++)
            frame_record_input(rig->program, slot, rig->commands, i);
        ok = submit(rig) && gpu_buffer_read(rig_gpu, &rig->input, 0, bytes, size, &error);
    }
    for (size_t i = 0; ok && i < n; i++)
        out[i] = element(bytes + RIG_GUARD, i, rig->p.f16);
    if (ok && !(is_all(bytes, RIG_GUARD, 0xff) && is_all(bytes + size - RIG_GUARD, RIG_GUARD, 0xff)))
        ok = failed("written beyond the input tensor", NULL);
    free(bytes);
    return ok;
}

/* Channels before offset4 are NaN, padding ones zero. */
static void pack_logits(const struct rig *rig, const float *planar, uint8_t *bytes)
{
    const struct net_memory *m = &rig->frame.logits;
    size_t stride = 4 * (size_t)m->stride4, plane = (size_t)m->w * m->h;
    memset(bytes, 0xff, rig->logits.size);
    for (size_t i = 0; i < plane * stride; i++) {
        size_t c = i % stride - 4 * (size_t)m->offset4;
        float v = i % stride < 4 * (size_t)m->offset4 || c >= m->c ? 0 : planar[c * plane + i / stride];
        uint16_t half = half_from_float(v);
        if (i % stride >= 4 * (size_t)m->offset4)
            memcpy(bytes + RIG_GUARD + i * (m->f16 ? 2 : 4), m->f16 ? (void *)&half : (void *)&v, m->f16 ? 2 : 4);
    }
}

bool rig_logits(struct rig *rig, uint32_t crop, const float *planar)
{
    struct segman_error error = {0};
    uint8_t *bytes = malloc(rig->logits.size);
    pack_logits(rig, planar, bytes);
    bool ok = gpu_buffer_write(rig_gpu, &rig->logits, 0, bytes, rig->logits.size, &error) && gpu_commands_begin(rig->commands, &error);
    free(bytes);
    if (!ok)
        return failed("logits", &error);
    frame_record_crop(rig->program, 0, rig->commands, crop);
    return submit(rig);
}

/* Row padding keeps the pattern, except that a row's last word is written whole, with zeros. */
static bool padding_is_kept(const uint8_t *plane, uint32_t stride, uint32_t rows, uint32_t bytes)
{
    uint32_t whole = (bytes + 3) / 4 * 4;
    for (uint32_t y = 0; y < rows; y++) {
        const uint8_t *row = plane + (size_t)y * stride;
        if (!is_all(row + bytes, whole - bytes, 0) || !is_all(row + whole, stride - whole, PATTERN))
            return false;
    }
    return true;
}

static bool check_padding(const struct rig *rig, uint32_t slot, const struct segman_result *r)
{
    const struct frame_program *f = rig->program;
    const uint8_t *map = f->slot[slot].result.map;
    uint64_t labels = (uint64_t)r->labels_stride * rig->p.frame.height;
    if (f->staged)
        return true; /* the copy brings the device's padding along */
    bool ok = padding_is_kept(r->labels, r->labels_stride, rig->p.frame.height, rig->p.frame.width);
    for (uint32_t i = 0; i < 3 && r->view.plane[i]; i++)
        ok = ok && padding_is_kept(r->view.plane[i], r->view.stride[i], r->view.rows[i], r->view.bytes[i]);
    return ok && (!f->view_offset || is_all(map + labels, f->view_offset - labels, PATTERN));
}

bool rig_output(struct rig *rig, uint32_t slot, struct segman_result *result)
{
    struct segman_error error = {0};
    struct gpu_buffer *buffer = &rig->program->slot[slot].result;
    memset(buffer->map, PATTERN, buffer->size);
    frame_prepare(rig->program, slot);
    if (!gpu_commands_begin(rig->commands, &error))
        return failed("begin", &error);
    frame_record_upload(rig->program, slot, rig->commands);
    frame_record_input(rig->program, slot, rig->commands, 0);
    frame_record_output(rig->program, slot, rig->commands);
    frame_record_read_back(rig->program, slot, rig->commands);
    if (!submit(rig))
        return false;
    *result = (struct segman_result){0};
    frame_result(rig->program, slot, result);
    return check_padding(rig, slot, result) || failed("written beyond rows", NULL);
}
