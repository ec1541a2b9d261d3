/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "past.h"
#include "vk/half.h"

static const double mean[3] = {123.675, 116.28, 103.53}, std[3] = {58.395, 57.12, 57.375};

bool past_init(struct past *p, const struct rig_params *params)
{
    struct segman_error error;
    memset(p, 0, sizeof(*p));
    if (!rig_init(&p->rig, params))
        return false;
    const struct net_memory *m = &p->rig.frame.logits;
    p->grid_w = m->w;
    p->grid_h = m->h;
    p->cells = m->w * m->h;
    p->classes = m->c;
    p->n_crops = frame_program_crops(p->rig.program);
    p->fresh = true;
    p->pitch = p->rig.logits.size;
    size_t all = (size_t)p->n_crops * p->cells;
    p->evidence = calloc(all * p->classes, sizeof(*p->evidence));
    p->picture = calloc(all, sizeof(*p->picture));
    p->now = calloc(all, sizeof(*p->now));
    p->difference = calloc(all, sizeof(*p->difference));
    return gpu_buffer_init(rig_gpu, &p->made, p->pitch * p->n_crops, GPU_MEMORY_UPLOAD, &error);
}

void past_finish(struct past *p)
{
    gpu_buffer_finish(rig_gpu, &p->made);
    rig_finish(&p->rig);
    free(p->evidence);
    free(p->picture);
    free(p->now);
    free(p->difference);
}

void past_reset(struct past *p)
{
    frame_reset_history(p->rig.program);
    p->fresh = true;
}

/* ---- the reference --------------------------------------------------------------------------------- */

/* A byte as the network gets it, in levels. */
static double level(const struct past *p, uint8_t v, uint32_t k)
{
    double x = (v - mean[k]) / std[k];
    return (p->rig.p.f16 ? (double)half_to_float(half_from_float((float)x)) : x) * std[k] + mean[k];
}

/* Mean colours of a cell's quarters. */
static void look(const struct past *p, const uint8_t *rgba, uint32_t crop, uint32_t cell, double out[12])
{
    uint32_t ratio = p->rig.p.ratio, half = ratio / 2;
    uint32_t x0 = p->rig.crops[crop].x + cell % p->grid_w * ratio, y0 = p->rig.crops[crop].y + cell / p->grid_w * ratio;
    memset(out, 0, 12 * sizeof(*out));
    for (uint32_t y = 0; y < ratio; y++)
        for (uint32_t x = 0; x < ratio; x++)
            for (uint32_t k = 0; k < 3; k++)
                out[4 * k + 2 * (y >= half) + (x >= half)] +=
                    level(p, rgba[4 * ((size_t)(y0 + y) * p->rig.p.net_w + x0 + x) + k], k) / (half * half);
}

static double differ(const double a[12], const double b[12])
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / 12);
}

/* Largest difference of all cells; infinite without a past. */
static double move(struct past *p, const uint8_t *rgba)
{
    double most = 0;
    for (uint32_t i = 0; i < p->n_crops * p->cells; i++) {
        look(p, rgba, i / p->cells, i % p->cells, p->now[i]);
        p->difference[i] = p->fresh ? INFINITY : differ(p->now[i], p->picture[i]);
        most = fmax(most, p->difference[i]);
    }
    p->fresh = false;
    return most;
}

static double weight(const struct past *p, uint32_t i)
{
    int cell = (int)(i % p->cells), w = (int)p->grid_w, x0 = cell % w, y0 = cell / w;
    const double *d = p->difference + i - i % p->cells;
    double most = 0;
    for (int y = y0 - 1; y <= y0 + 1; y++)
        for (int x = x0 - 1; x <= x0 + 1; x++)
            if (x >= 0 && y >= 0 && x < w && y < (int)p->grid_h)
                most = fmax(most, d[y * w + x]);
    double t = fmin(fmax((most - 4) / 8, 0), 1);
    return fmin((double)p->rig.p.smooth, 0.95) * (1 - t * t * (3 - 2 * t));
}

static void remember(struct past *p, const float *logits)
{
    for (uint32_t i = 0; i < p->n_crops * p->cells; i++) {
        double w = weight(p, i);
        for (uint32_t c = 0; c < p->classes; c++) {
            size_t at = ((size_t)(i / p->cells) * p->classes + c) * p->cells + i % p->cells;
            double v = p->rig.p.f16 ? (double)half_to_float(half_from_float(logits[at])) : (double)logits[at];
            p->evidence[at] = v + w * (p->evidence[at] - v);
        }
        for (int k = 0; k < 12; k++)
            p->picture[i][k] = p->now[i][k] + w * (p->picture[i][k] - p->now[i][k]);
    }
}

/* ---- the device ------------------------------------------------------------------------------------- */

/* In the layout of the network's logits, one crop after the other. */
static void make(struct past *p, const float *logits)
{
    const struct net_memory *m = &p->rig.frame.logits;
    for (uint32_t crop = 0; crop < p->n_crops; crop++)
        for (uint32_t i = 0; i < p->cells; i++)
            for (uint32_t c = 0; c < p->classes; c++) {
                float v = logits[((size_t)crop * p->classes + c) * p->cells + i];
                uint16_t half = half_from_float(v);
                size_t at = 4 * ((size_t)i * m->stride4 + m->offset4) + c;
                memcpy((uint8_t *)p->made.map + crop * p->pitch + at * (m->f16 ? 2 : 4), m->f16 ? (void *)&half : (void *)&v,
                       m->f16 ? 2 : 4);
            }
}

static void fill(struct past *p, uint32_t slot, const uint8_t *rgba)
{
    struct segman_planes planes = frame_planes(p->rig.program, slot);
    for (uint32_t y = 0; y < planes.rows[0]; y++)
        memcpy(planes.plane[0] + (size_t)y * planes.stride[0], rgba + (size_t)y * planes.bytes[0], planes.bytes[0]);
}

bool past_run(struct past *p, const uint8_t *rgba, const float *logits, struct segman_result *result, bool *skipped)
{
    struct segman_error error = {0};
    struct frame_program *f = p->rig.program;
    struct gpu_commands *c = p->rig.commands;
    const struct net_memory *m = &p->rig.frame.logits;
    uint32_t slot = p->frames++ % p->rig.p.slots;
    double most = move(p, rgba);
    *skipped = p->rig.p.skip_still && most <= (double)p->rig.p.still_threshold;
    if (!*skipped)
        remember(p, logits);
    make(p, logits);
    fill(p, slot, rgba);
    frame_prepare(f, slot);
    if (!gpu_commands_begin(c, &error))
        return false;
    frame_record_upload(f, slot, c);
    frame_record_decision(f, slot, c);
    for (uint32_t crop = 0; crop < p->n_crops; crop++) {
        frame_record_input(f, slot, c, crop);
        gpu_commands_copy(c, (struct gpu_range){&p->made, crop * p->pitch, m->range.size}, m->range);
        frame_record_crop(f, slot, c, crop);
    }
    frame_record_output(f, slot, c);
    frame_record_read_back(f, slot, c);
    *result = (struct segman_result){0};
    bool ok = gpu_commands_end(c, &error) && gpu_commands_submit(c, &error) && gpu_commands_wait(c, 60000000000ull, &error);
    if (ok)
        frame_result(f, slot, result);
    else
        fprintf(stderr, "%s\n", error.message);
    return ok;
}

double past_error(struct past *p)
{
    struct segman_error error;
    const struct gpu_buffer *b = &p->rig.program->crop_logits;
    float *got = malloc(b->size);
    double worst = gpu_buffer_read(rig_gpu, b, 0, got, b->size, &error) ? 0 : -1;
    size_t quads = (p->classes + 3) / 4;
    for (uint32_t i = 0; worst >= 0 && i < p->n_crops * p->cells; i++)
        for (uint32_t c = 0; c < p->classes; c++) {
            size_t at = ((size_t)(i / p->cells) * p->classes + c) * p->cells + i % p->cells;
            double d = fabs((double)got[4 * i * quads + c] - p->evidence[at]);
            worst = d > worst || isnan(d) ? fabs(d) : worst;
        }
    free(got);
    return worst;
}
