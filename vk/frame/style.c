/* SPDX-License-Identifier: Apache-2.0 */
/* What may change from frame to frame: colours and weights of labels, the overlay picture. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* In the colours of the view. */
static uint32_t view_colour(const struct frame_program *f, const uint8_t rgb[3])
{
    if (frame_is_rgb(f->p.view_format))
        return rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
    return frame_ycbcr(&f->colour, rgb[0], rgb[1], rgb[2]);
}

void frame_set_style(struct frame_program *f, const struct segman_style *style)
{
    float opacity = style->opacity > 0 ? style->opacity < 1 ? style->opacity : 1 : 0;
    if (f->p.view == SEGMAN_VIEW_MASK)
        opacity = 1;
    for (uint32_t i = 0; i <= SEGMAN_MAX_CLASSES; i++) {
        f->style[FRAME_STYLE_LABELS + i][0] = view_colour(f, style->palette[i]);
        f->style[FRAME_STYLE_LABELS + i][1] = (uint32_t)(opacity * (float)style->palette[i][3] * (65536.0f / 255) + 0.5f);
    }
    f->style_version++;
}

struct rectangle {
    uint32_t x, y, width, height;
};

/* Part of the picture that lies in the view. */
static struct rectangle clip(const struct frame_program *f, const struct segman_overlay *o)
{
    if (!o || !o->rgba || f->p.view == SEGMAN_VIEW_NONE)
        return (struct rectangle){0};
    int64_t x0 = o->x > 0 ? o->x : 0, y0 = o->y > 0 ? o->y : 0;
    int64_t x1 = (int64_t)o->x + o->width, y1 = (int64_t)o->y + o->height;
    if (x1 > f->view_width)
        x1 = f->view_width;
    if (y1 > f->p.frame.height)
        y1 = f->p.frame.height;
    if (x1 <= x0 || y1 <= y0)
        return (struct rectangle){0};
    return (struct rectangle){(uint32_t)x0, (uint32_t)y0, (uint32_t)(x1 - x0), (uint32_t)(y1 - y0)};
}

bool frame_overlay_grows(const struct frame_program *f, const struct segman_overlay *overlay)
{
    struct rectangle r = clip(f, overlay);
    return r.width * r.height > f->picture_capacity;
}

/* Larger buffers and passes that read them for every slot, then all at once in the place of the old ones. */
static bool grow(struct frame_program *f, uint32_t words, struct segman_error *error)
{
    struct net_pass made[SEGMAN_MAX_SLOTS][FRAME_MAX_BLEND] = {0};
    uint32_t *picture = realloc(f->picture, (size_t)words * 4), old = f->picture_side, side = !old;
    if (!picture)
        return segman_fail(error, SEGMAN_ERROR_MEMORY, "Out of memory");
    f->picture = picture;
    bool ok = true;
    for (uint32_t i = 0; ok && i < f->p.slots; i++)
        ok = gpu_buffer_init(f->gpu, &f->slot[i].picture[side], (uint64_t)words * 4, GPU_MEMORY_UPLOAD, error) &&
             frame_blend_create(f, i, side, made[i], error);
    for (uint32_t i = 0; i < f->p.slots; i++) {
        struct frame_slot *s = &f->slot[i];
        frame_blend_destroy(f, ok ? s->blend : made[i]);
        gpu_buffer_finish(f->gpu, &s->picture[ok ? old : side]);
        if (ok)
            memcpy(s->blend, made[i], sizeof(s->blend));
    }
    if (ok) {
        f->picture_side = side;
        f->picture_capacity = words;
    }
    return ok;
}

static void copy_picture(struct frame_program *f, const struct segman_overlay *o, struct rectangle r)
{
    for (uint32_t y = 0; y < r.height; y++) {
        const uint8_t *row = o->rgba + (size_t)((int64_t)r.y + y - o->y) * o->stride + (size_t)((int64_t)r.x - o->x) * 4;
        uint32_t *to = f->picture + (size_t)y * r.width;
        for (uint32_t x = 0; x < r.width; x++)
            to[x] = view_colour(f, row + 4 * x) | (uint32_t)row[4 * x + 3] << 24;
    }
}

bool frame_overlay_reserve(struct frame_program *f, const struct segman_overlay *overlay, bool *record_again, struct segman_error *error)
{
    struct rectangle r = clip(f, overlay);
    uint32_t words = r.width * r.height, capacity = f->picture_capacity;
    while (capacity < words) /* doubled, so that a growing text does not wait each time */
        capacity *= 2;
    *record_again = false;
    if (capacity != f->picture_capacity) {
        if (!grow(f, capacity, error))
            return false;
        *record_again = true;
    }
    return true;
}

void frame_set_overlay(struct frame_program *f, const struct segman_overlay *overlay)
{
    struct rectangle r = clip(f, overlay);
    f->picture_words = r.width * r.height;
    copy_picture(f, overlay, r);
    f->style[FRAME_STYLE_POSITION][0] = r.x;
    f->style[FRAME_STYLE_POSITION][1] = r.y;
    f->style[FRAME_STYLE_SIZE][0] = r.width;
    f->style[FRAME_STYLE_SIZE][1] = r.height;
    f->style_version++;
    f->picture_version++;
}

void frame_prepare(struct frame_program *f, uint32_t slot)
{
    struct frame_slot *s = &f->slot[slot];
    frame_temporal_prepare(f, slot);
    if (f->p.view == SEGMAN_VIEW_NONE)
        return;
    if (s->style_version != f->style_version)
        memcpy((char *)s->upload.map + f->style_offset, f->style, sizeof(f->style));
    if (s->picture_version != f->picture_version && f->picture_words)
        memcpy(s->picture[f->picture_side].map, f->picture, (size_t)f->picture_words * 4);
    s->style_version = f->style_version;
    s->picture_version = f->picture_version;
}
