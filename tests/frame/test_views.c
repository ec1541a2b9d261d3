/* SPDX-License-Identifier: Apache-2.0 */
/* Views against plain C. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "ref.h"
#include "rig.h"

/* ---- views --------------------------------------------------------------------------------------- */

struct scene {
    struct rig rig;
    struct segman_style style;
    struct segman_overlay overlay;
    uint8_t picture[40 * 30 * 4];
    struct segman_result result;
    struct segman_planes planes; /* of the source in the view's colours */
    struct frame_colour colour;
};

static void make_style(struct segman_style *style, float opacity)
{
    uint32_t seed = 77;
    style->opacity = opacity;
    for (uint32_t i = 0; i <= SEGMAN_MAX_CLASSES; i++)
        for (uint32_t k = 0; k < 4; k++)
            style->palette[i][k] = (uint8_t)rig_random(&seed);
    style->palette[0][3] = 0;
    style->palette[1][3] = 255;
}

static void make_picture(struct scene *s, uint32_t w, uint32_t h, int32_t x, int32_t y)
{
    uint32_t seed = 99;
    for (size_t i = 0; i < sizeof(s->picture); i++)
        s->picture[i] = (uint8_t)rig_random(&seed);
    for (size_t i = 3; i < sizeof(s->picture); i += 20) {
        s->picture[i] = 0;
        s->picture[i + 4] = 255;
    }
    s->overlay = (struct segman_overlay){s->picture, w, h, 4 * w + 8, x, y};
}

static double view_colour(void *user, uint32_t k, const uint8_t rgb[3])
{
    const struct scene *s = user;
    if (frame_is_rgb(s->rig.p.view_format))
        return rgb[k];
    return frame_ycbcr(&s->colour, rgb[0], rgb[1], rgb[2]) >> 8 * k & 255;
}

static double view_source(void *user, uint32_t k, uint32_t x, uint32_t y)
{
    const struct scene *s = user;
    const struct segman_planes *p = &s->planes;
    if (frame_is_rgb(s->rig.p.view_format)) {
        double rgb[3];
        ref_rgb(&s->rig.p.frame, p, x, y, rgb);
        return floor(rgb[k] + 0.5);
    }
    if (!k)
        return p->plane[0][(size_t)y * p->stride[0] + x];
    bool nv12 = s->rig.p.frame.format == SEGMAN_FORMAT_NV12;
    const uint32_t i = nv12 ? 1 : k, at = nv12 ? x / 2 * 2 + k - 1 : x / 2;
    return p->plane[i][(size_t)(y / 2) * p->stride[i] + at];
}

/* Wrong bytes of one plane: component k of the reference is byte `first` of every `step`. */
static uint32_t check_plane(const struct ref_view *ref, const struct segman_result *r, uint32_t plane, uint32_t k, uint32_t first,
                            uint32_t step, uint32_t n, uint32_t tolerance)
{
    uint32_t wrong = 0, columns = r->view.bytes[plane] / step;
    for (uint32_t y = 0; y < r->view.rows[plane]; y++)
        for (uint32_t x = 0; x < columns; x++) {
            int got = r->view.plane[plane][(size_t)y * r->view.stride[plane] + (size_t)x * step + first];
            wrong += (uint32_t)abs(got - ref_view_at(ref, k, n, x * n, y * n)) > tolerance;
        }
    return wrong;
}

static uint32_t check_alpha(const struct scene *s)
{
    uint32_t wrong = 0;
    const struct rig_params *p = &s->rig.p;
    for (uint32_t y = 0; y < s->result.view_height; y++)
        for (uint32_t x = 0; x < s->result.view_width; x++) {
            uint8_t a = s->result.view.plane[0][(size_t)y * s->result.view.stride[0] + 4 * (size_t)x + 3];
            uint8_t in = s->planes.plane[0][(size_t)y * s->planes.stride[0] + 4 * (size_t)(x % p->frame.width) + 3];
            wrong += a != (p->frame.format == p->view_format ? in : 255);
        }
    return wrong;
}

static uint32_t check_view(struct scene *s)
{
    const struct rig_params *p = &s->rig.p;
    const struct ref_view ref = {p->view,   p->frame.width, p->frame.height, s->result.labels, s->result.labels_stride,
                                 &s->style, &s->overlay,    view_source,     view_colour,      s};
    uint32_t wrong = 0;
    if (frame_is_rgb(p->view_format)) {
        /* A source byte at a tie of rounding may differ by one. */
        uint32_t tolerance = !frame_is_rgb(p->frame.format);
        for (uint32_t k = 0; k < 3; k++)
            wrong += check_plane(&ref, &s->result, 0, k, p->view_format == SEGMAN_FORMAT_RGBA ? k : 2 - k, 4, 1, tolerance);
        return wrong + (frame_is_rgb(p->frame.format) ? check_alpha(s) : 0);
    }
    bool nv12 = p->view_format == SEGMAN_FORMAT_NV12;
    wrong += check_plane(&ref, &s->result, 0, 0, 0, 1, 1, 0);
    for (uint32_t k = 1; k < 3; k++)
        wrong += nv12 ? check_plane(&ref, &s->result, 1, k, k - 1, 2, 2, 0) : check_plane(&ref, &s->result, k, k, 0, 1, 2, 0);
    return wrong;
}

/* Runs a view with random labels; with picture: the overlay picture reaches over the view's border. */
static bool make_scene(struct scene *s, const struct rig_params *p, float opacity, bool picture)
{
    bool again, ok = rig_init(&s->rig, p);
    s->colour = frame_colour(p->frame.matrix, p->frame.range);
    make_style(&s->style, opacity);
    make_picture(s, 38, 30, p->frame.width > 60 ? 45 : -3, p->frame.height > 20 ? -5 : 1);
    if (!picture)
        s->overlay.rgba = NULL;
    if (!ok)
        return false;
    frame_set_style(s->rig.program, &s->style);
    ok = frame_overlay_reserve(s->rig.program, &s->overlay, &again, NULL) && !again;
    frame_set_overlay(s->rig.program, &s->overlay);
    float *logits = make_logits(&s->rig, s->rig.p.classes, 5, false);
    rig_fill(&s->rig, 0, 13);
    s->planes = frame_planes(s->rig.program, 0);
    ok = ok && rig_logits(&s->rig, 0, logits) && rig_output(&s->rig, 0, &s->result);
    free(logits);
    return ok;
}

void check_scene(const struct rig_params *p, float opacity, bool picture)
{
    struct scene *s = calloc(1, sizeof(*s));
    bool ok = make_scene(s, p, opacity, picture);
    uint32_t wrong = ok ? check_view(s) : 1;
    if (wrong)
        fprintf(stderr, "format %d -> %d view %d %ux%u opacity %g picture %d: %u wrong\n", p->frame.format, p->view_format, p->view,
                p->frame.width, p->frame.height, (double)opacity, picture, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
    rig_finish(&s->rig);
    free(s);
}

void test_views(void)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        for (size_t to = 0; to < COUNT(formats); to++)
            for (unsigned view = SEGMAN_VIEW_OVERLAY; view <= SEGMAN_VIEW_SOURCE; view++) {
                const struct rig_params p = {
                    .frame = {formats[i], 70, 67, SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, 0}, .view = view, .view_format = formats[to]};
                if (to != i && !frame_is_rgb(formats[to]))
                    continue;
                check_scene(&p, 0.5f, view % 2);
                check_scene(&p, view == SEGMAN_VIEW_OVERLAY ? 1 : 0.25f, !(view % 2));
            }
}

void test_views_sizes(void)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        for (size_t s = 0; s < COUNT(sizes); s++)
            for (unsigned view = SEGMAN_VIEW_OVERLAY; view <= SEGMAN_VIEW_SOURCE; view++) {
                const struct rig_params p = {.frame = {formats[i], sizes[s].w, sizes[s].h, SEGMAN_MATRIX_BT601, (unsigned)s % 2, 0},
                                             .view = view,
                                             .view_format = formats[i]};
                check_scene(&p, 0.75f, (s + view) % 2);
            }
}

/* Without masks and picture every byte of every format is kept. */
void test_pass_through(void)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        for (unsigned view = 0; view < 2; view++) {
            struct scene *s = calloc(1, sizeof(*s));
            const struct rig_params p = {
                .frame = {formats[i], 65, 33, 0, 0, 0}, .view = view ? SEGMAN_VIEW_SOURCE : SEGMAN_VIEW_OVERLAY, .view_format = formats[i]};
            bool ok = make_scene(s, &p, view ? 1 : 0, false);
            for (uint32_t k = 0; ok && k < 3; k++)
                for (uint32_t y = 0; ok && y < s->planes.rows[k]; y++)
                    ok = !memcmp(s->planes.plane[k] + (size_t)y * s->planes.stride[k],
                                 s->result.view.plane[k] + (size_t)y * s->result.view.stride[k], s->planes.bytes[k]);
            CU_ASSERT_TRUE(ok);
            rig_finish(&s->rig);
            free(s);
        }
}
