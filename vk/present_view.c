/* SPDX-License-Identifier: Apache-2.0 */
/* What present.comp reads of a draw: where the view goes in the window, colours, overlays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "present_internal.h"

#define MOST_TAPS 4 /* along an axis: a window four times smaller than the view is still smooth */

static uint32_t shader_view(enum segman_view view)
{
    switch (view) {
    case SEGMAN_VIEW_OVERLAY:
        return FRAME_VIEW_OVERLAY;
    case SEGMAN_VIEW_MASK:
        return FRAME_VIEW_MASK;
    case SEGMAN_VIEW_SIDE_BY_SIDE:
        return FRAME_VIEW_SIDE;
    case SEGMAN_VIEW_CONFIDENCE:
        return FRAME_VIEW_CONFIDENCE;
    default:
        return FRAME_VIEW_SOURCE;
    }
}

bool present_view_size(const struct segman_presenter *p, const struct segman_present *what, uint32_t *width, uint32_t *height)
{
    if (what->empty || !p->frames)
        return false;
    struct frame_kept kept = frame_kept(p->frames, what->picture);
    *width = what->view == SEGMAN_VIEW_SIDE_BY_SIDE ? 2 * kept.width : kept.width;
    *height = kept.height;
    return true;
}

/* The largest rectangle of the view's shape, in the middle. Its sides are whole pixels. */
static void letterbox(const struct segman_present *what, uint32_t view_width, uint32_t view_height, struct present_frame *f)
{
    double par = what->par_num && what->par_den ? (double)what->par_num / what->par_den : 1;
    double w = view_width * par, h = view_height;
    double scale = fmin(f->width / w, f->height / h);
    f->view_width = (uint32_t)fmin(fmax(round(w * scale), 1), f->width);
    f->view_height = (uint32_t)fmin(fmax(round(h * scale), 1), f->height);
    f->x = (f->width - f->view_width) / 2;
    f->y = (f->height - f->view_height) / 2;
    f->scale_x = (float)view_width / (float)f->view_width;
    f->scale_y = (float)view_height / (float)f->view_height;
    f->taps_x = (uint32_t)fmin(ceil((double)f->scale_x), MOST_TAPS);
    f->taps_y = (uint32_t)fmin(ceil((double)f->scale_y), MOST_TAPS);
}

static void fill_style(const struct segman_present *what, struct present_frame *f)
{
    const struct segman_style *style = what->style;
    float opacity = fminf(fmaxf(style->opacity, 0), 1);
    if (what->view == SEGMAN_VIEW_MASK)
        opacity = 1;
    for (uint32_t i = 0; i <= SEGMAN_MAX_CLASSES; i++) {
        const uint8_t *c = style->palette[i];
        f->colour[i] = c[0] | (uint32_t)c[1] << 8 | (uint32_t)c[2] << 16;
        f->weight[i] = (uint32_t)(opacity * (float)c[3] * (65536.0f / 255) + 0.5f);
    }
}

void present_fill(const struct segman_presenter *p, const struct segman_present *what, uint32_t width, uint32_t height, bool bgr,
                  struct present_frame *f)
{
    uint32_t view_width, view_height;
    *f = (struct present_frame){.width = width, .height = height, .window_bgr = bgr};
    if (!present_view_size(p, what, &view_width, &view_height))
        return;
    struct frame_kept kept = frame_kept(p->frames, what->picture);
    f->frame_width = kept.width;
    f->frame_height = kept.height;
    f->stride = kept.stride;
    f->label_stride = kept.label_stride;
    f->source_bgr = kept.bgr;
    f->view = shader_view(what->view);
    letterbox(what, view_width, view_height, f);
    fill_style(what, f);
}

/* ---- overlays -------------------------------------------------------------------------------------- */

static void clip_axis(int64_t at, uint32_t size, uint32_t window, uint32_t *from, uint32_t *begin, uint32_t *length)
{
    int64_t first = at > 0 ? at : 0, last = at + size < window ? at + size : window;
    *begin = (uint32_t)first;
    *from = (uint32_t)(first - at);
    *length = last > first ? (uint32_t)(last - first) : 0;
}

void present_fill_overlays(const struct segman_presenter *p, struct present_frame *f)
{
    for (uint32_t i = 0; i < PRESENT_OVERLAYS; i++) {
        const struct present_text *t = &p->text[i];
        uint32_t left, top;
        clip_axis(t->x, t->width, f->width, &left, &f->overlay_x[i], &f->overlay_width[i]);
        clip_axis(t->y, t->height, f->height, &top, &f->overlay_y[i], &f->overlay_height[i]);
        f->overlay_stride[i] = t->width;
        f->overlay_offset[i] = t->offset + top * t->width + left;
    }
}

/* Texts lie one after the other in the texts' buffers. */
static void lay_out_texts(struct segman_presenter *p)
{
    uint32_t offset = 0;
    for (uint32_t i = 0; i < PRESENT_OVERLAYS; i++) {
        p->text[i].offset = offset;
        p->text[i].version++;
        offset += p->text[i].capacity;
    }
}

static bool grow_text(struct segman_presenter *p, struct present_text *t, uint32_t words, struct segman_error *error)
{
    uint32_t capacity = t->capacity ? t->capacity : 4096;
    while (capacity < words) /* doubled, so that a growing text does not wait each time */
        capacity *= 2;
    uint32_t *pixels = realloc(t->pixels, (size_t)capacity * 4);
    if (!pixels)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    t->pixels = pixels;
    t->capacity = capacity;
    lay_out_texts(p);
    return true;
}

bool present_text_set(struct segman_presenter *p, uint32_t index, const struct segman_overlay *o, bool *grew, struct segman_error *error)
{
    struct present_text *t = &p->text[index];
    uint64_t words = o && o->rgba ? (uint64_t)o->width * o->height : 0;
    if (words > 1u << 26)
        return segman_fail(error, SEGMAN_ERROR_ARGUMENT, "A picture of %u x %u over the window is too large", o->width, o->height);
    *grew = words > t->capacity;
    if (*grew && !grow_text(p, t, (uint32_t)words, error))
        return false;
    t->width = words ? o->width : 0;
    t->height = words ? o->height : 0;
    t->version++;
    if (!words)
        return true;
    t->x = o->x;
    t->y = o->y;
    for (uint32_t y = 0; y < o->height; y++) /* bytes R G B A are what the shader unpacks on every host that Vulkan runs on */
        memcpy(t->pixels + (size_t)y * o->width, o->rgba + (size_t)y * o->stride, (size_t)o->width * 4);
    return true;
}
