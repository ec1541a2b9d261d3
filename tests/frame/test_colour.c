/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts, crops, colour conversion and the network's input against plain C. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "ref.h"
#include "rig.h"

/* ---- layouts and crops -------------------------------------------------------------------------- */

void test_layout(void)
{
    struct frame_layout l = frame_layout(SEGMAN_FORMAT_NV12, 637, 479);
    CU_ASSERT_EQUAL(l.planes, 2);
    CU_ASSERT_EQUAL(l.plane[0].stride, 640);
    CU_ASSERT_EQUAL(l.plane[0].bytes, 637);
    CU_ASSERT_EQUAL(l.plane[1].offset, 640 * 479);
    CU_ASSERT_EQUAL(l.plane[1].bytes, 638);
    CU_ASSERT_EQUAL(l.plane[1].rows, 240);
    CU_ASSERT_EQUAL(l.size, 640 * (479 + 240));
    l = frame_layout(SEGMAN_FORMAT_I420, 3, 5);
    CU_ASSERT_EQUAL(l.planes, 3);
    CU_ASSERT_EQUAL(l.plane[2].offset, 64 * 5 + 64 * 3);
    CU_ASSERT_EQUAL(l.plane[2].bytes, 2);
    CU_ASSERT_EQUAL(l.size, 64 * 11);
    l = frame_layout(SEGMAN_FORMAT_RGBA, FRAME_MAX_SIDE * 2, FRAME_MAX_SIDE);
    CU_ASSERT_EQUAL(l.size, 1ull << 31);
}

void test_crops(void)
{
    struct frame_crop c[8];
    CU_ASSERT_EQUAL(frame_crops(2048, 1024, 1024, 1024, 768, c, 8), 3);
    CU_ASSERT(c[0].x == 0 && c[1].x == 768 && c[2].x == 1024 && c[2].y == 0);
    CU_ASSERT_EQUAL(frame_crops(64, 96, 64, 64, 32, c, 8), 2);
    CU_ASSERT(c[1].x == 0 && c[1].y == 32);
    CU_ASSERT_EQUAL(frame_crops(64, 64, 64, 64, 32, c, 8), 1);
    CU_ASSERT_EQUAL(frame_crops(4096, 4096, 32, 32, 32, c, 8), 128 * 128);
}

/* ---- colour -------------------------------------------------------------------------------------- */

/* Whether byte v is a rounding of r, where an error below e in r is allowed. */
static bool rounds_to(uint8_t v, double r, double e)
{
    return fabs(v - r) <= 0.5 + e;
}

void test_ycbcr(void)
{
    uint32_t seed = 1, wrong = 0;
    for (unsigned m = 0; m < 3; m++)
        for (unsigned r = 0; r < 2; r++) {
            struct frame_colour c = frame_colour(m, r);
            for (int i = 0; i < 20000; i++) {
                uint8_t rgb[3] = {(uint8_t)rig_random(&seed), (uint8_t)rig_random(&seed), (uint8_t)rig_random(&seed)};
                if (i < 256)
                    memset(rgb, i, 3);
                uint32_t v = frame_ycbcr(&c, rgb[0], rgb[1], rgb[2]);
                double want[3];
                ref_ycbcr(m, r, rgb, want);
                for (int k = 0; k < 3; k++)
                    wrong += !rounds_to((uint8_t)(v >> 8 * k), want[k], 0.01);
                wrong += i < 256 && v >> 8 != 0x8080;
            }
        }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The frame as RGB by way of the view; checks each pixel against the reference. Returns the number of wrong bytes. */
static uint32_t check_rgb(const struct segman_frame_format *f, uint32_t seed)
{
    struct rig rig;
    struct segman_result result;
    uint32_t wrong = 0;
    const struct rig_params params = {.frame = *f, .view = SEGMAN_VIEW_SOURCE, .view_format = SEGMAN_FORMAT_RGBA};
    bool ok = rig_init(&rig, &params);
    if (ok) {
        rig_fill(&rig, 0, seed);
        ok = rig_output(&rig, 0, &result);
    }
    for (uint32_t y = 0; ok && y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++) {
            struct segman_planes planes = frame_planes(rig.program, 0);
            const uint8_t *got = result.view.plane[0] + (size_t)y * result.view.stride[0] + 4 * (size_t)x;
            double want[3];
            ref_rgb(f, &planes, x, y, want);
            for (int k = 0; k < 3; k++)
                wrong += !rounds_to(got[k], want[k], 0.01);
            wrong += got[3] != (f->format == SEGMAN_FORMAT_RGBA ? planes.plane[0][y * planes.stride[0] + 4 * x + 3] : 255);
        }
    rig_finish(&rig);
    if (!ok || wrong)
        fprintf(stderr, "format %d %ux%u matrix %d range %d site %d: %u wrong\n", f->format, f->width, f->height, f->matrix, f->range,
                f->site, wrong);
    return wrong + !ok;
}

void test_convert(void)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        for (unsigned matrix = 0; matrix < 3; matrix++)
            for (unsigned range = 0; range < 2; range++)
                for (unsigned site = 0; site < 3; site++) {
                    const struct segman_frame_format f = {formats[i], 13, 7, matrix, range, site};
                    if (!frame_is_rgb(f.format) || !(matrix + range + site))
                        CU_ASSERT_EQUAL(check_rgb(&f, 7 + matrix), 0);
                }
}

void test_convert_sizes(void)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            const struct segman_frame_format f = {formats[i],          sizes[s].w,           sizes[s].h,
                                                  SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, (unsigned)s % 3};
            CU_ASSERT_EQUAL(check_rgb(&f, (uint32_t)s), 0);
        }
    const struct segman_frame_format f = {SEGMAN_FORMAT_NV12, 637, 479, SEGMAN_MATRIX_BT601, SEGMAN_RANGE_LIMITED, SEGMAN_CHROMA_LEFT};
    CU_ASSERT_EQUAL(check_rgb(&f, 5), 0);
}

void test_known_colours(void)
{
    static const struct {
        enum segman_matrix matrix;
        enum segman_range range;
        uint8_t ycc[3], rgb[3];
    } known[] = {
        {SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, {63, 102, 240}, {255, 0, 0}},
        {SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, {173, 42, 26}, {0, 255, 0}},
        {SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, {32, 240, 118}, {0, 0, 255}},
        {SEGMAN_MATRIX_BT601, SEGMAN_RANGE_LIMITED, {81, 90, 240}, {255, 0, 0}},
        {SEGMAN_MATRIX_BT601, SEGMAN_RANGE_FULL, {76, 85, 255}, {254, 0, 0}},
        {SEGMAN_MATRIX_BT601, SEGMAN_RANGE_LIMITED, {145, 54, 34}, {0, 255, 0}},
        {SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, {235, 128, 128}, {255, 255, 255}},
        {SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, {16, 128, 128}, {0, 0, 0}},
        {SEGMAN_MATRIX_BT2020, SEGMAN_RANGE_FULL, {255, 128, 128}, {255, 255, 255}},
        {SEGMAN_MATRIX_BT2020, SEGMAN_RANGE_LIMITED, {74, 97, 240}, {255, 0, 0}},
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        struct rig rig;
        struct segman_result result = {0};
        const struct rig_params params = {.frame = {SEGMAN_FORMAT_I420, 4, 4, known[i].matrix, known[i].range, SEGMAN_CHROMA_LEFT},
                                          .view = SEGMAN_VIEW_SOURCE,
                                          .view_format = SEGMAN_FORMAT_BGRX};
        if (rig_init(&rig, &params)) {
            struct segman_planes p = frame_planes(rig.program, 0);
            for (int k = 0; k < 3; k++)
                memset(p.plane[k], known[i].ycc[k], p.stride[k] * p.rows[k]);
            CU_ASSERT_TRUE(rig_output(&rig, 0, &result));
            for (int k = 0; k < 3; k++)
                CU_ASSERT(abs(result.view.plane[0][2 - k] - known[i].rgb[k]) <= 1);
            CU_ASSERT_EQUAL(result.view.plane[0][3], 255);
        } else {
            CU_FAIL("no rig");
        }
        rig_finish(&rig);
    }
}

/* ---- input --------------------------------------------------------------------------------------- */

static double normalised(double v, int k)
{
    static const double mean[] = {123.675, 116.28, 103.53}, std[] = {58.395, 57.12, 57.375};
    return (v - mean[k]) / std[k];
}

/* The frame as 8-bit RGB, 3 bytes a pixel, from the view (which test_convert has checked). */
static uint8_t *rgb_of(struct rig *rig)
{
    struct segman_result r;
    uint32_t w = rig->p.frame.width, h = rig->p.frame.height;
    uint8_t *rgb = malloc((size_t)w * h * 3);
    bool ok = rig_output(rig, 0, &r);
    for (uint32_t i = 0; ok && i < w * h; i++)
        memcpy(rgb + 3 * (size_t)i, r.view.plane[0] + (size_t)(i / w) * r.view.stride[0] + 4 * (size_t)(i % w), 3);
    CU_ASSERT_TRUE(ok);
    return rgb;
}

/* Largest error of a crop's tensor; infinite where padding is not zero. */
static double input_error(const struct rig *rig, const uint8_t *rgb, uint32_t crop, const float *got)
{
    double worst = 0, want[3];
    const struct net_memory *in = &rig->frame.input;
    for (uint32_t y = 0; y < in->h; y++)
        for (uint32_t x = 0; x < in->w; x++) {
            const float *v = got + 8 * (size_t)(y * in->w + x);
            ref_resize(rgb, rig->p.frame.width, rig->p.frame.height, rig->p.net_w, rig->p.net_h, rig->p.resize == SEGMAN_RESIZE_AREA,
                       rig->crops[crop].x + x, rig->crops[crop].y + y, want);
            for (int k = 0; k < 3; k++)
                worst = fmax(worst, fabs(v[k] - normalised(want[k], k)));
            for (int k = 0; k < 8; k++)
                if (!(k < 3 ? isfinite(v[k]) : v[k] == 0))
                    worst = INFINITY;
        }
    return worst;
}

void check_input(const struct rig_params *params)
{
    struct rig rig;
    struct rig_params p = *params;
    p.view = SEGMAN_VIEW_SOURCE;
    p.view_format = SEGMAN_FORMAT_RGBA;
    bool ok = rig_init(&rig, &p);
    if (ok) {
        rig_fill(&rig, 0, p.net_w);
        uint8_t *rgb = rgb_of(&rig);
        float *got = malloc((size_t)rig.frame.input.w * rig.frame.input.h * 8 * sizeof(*got));
        for (uint32_t crop = 0; crop < frame_program_crops(rig.program); crop++) {
            ok = rig_input(&rig, 0, crop, got);
            double e = ok ? input_error(&rig, rgb, crop, got) : INFINITY;
            if (!(e <= (p.f16 ? 1.1e-3 : 2e-6))) { /* half of 2^-9 for values of 2..4 */
                fprintf(stderr, "%ux%u -> %ux%u crop %u f16 %d area %d: error %g\n", p.frame.width, p.frame.height, p.net_w, p.net_h, crop,
                        p.f16, p.resize, e);
                ok = false;
            }
        }
        free(got);
        free(rgb);
    }
    CU_ASSERT_TRUE(ok);
    rig_finish(&rig);
}

void test_input(void)
{
    static const struct {
        uint32_t w, h, net_w, net_h;
    } cases[] = {{64, 32, 64, 32},  {1, 1, 32, 32},   {3, 5, 32, 64},   {637, 479, 64, 32},
                 {33, 130, 64, 32}, {64, 65, 32, 64}, {500, 9, 32, 32}, {16384, 3, 16376, 8}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned resize = 0; resize < 2; resize++)
            for (unsigned f16 = 0; f16 < 2; f16++) {
                const struct rig_params p = {.frame = {formats[i % 4], cases[i].w, cases[i].h, SEGMAN_MATRIX_BT709, SEGMAN_RANGE_FULL, 0},
                                             .resize = resize,
                                             .net_w = cases[i].net_w,
                                             .net_h = cases[i].net_h,
                                             .f16 = f16};
                check_input(&p);
            }
}

void test_input_crops(void)
{
    for (unsigned resize = 0; resize < 2; resize++) {
        const struct rig_params p = {.frame = {SEGMAN_FORMAT_NV12, 637, 479, SEGMAN_MATRIX_BT601, SEGMAN_RANGE_LIMITED, 0},
                                     .resize = resize,
                                     .net_w = 160,
                                     .net_h = 96,
                                     .crop_w = 64,
                                     .crop_h = 64,
                                     .stride = 64};
        check_input(&p);
    }
}

/* A frame and the RGB picture that a decoder makes of it give the same input, bit for bit. */
static void check_identity(enum segman_pixel_format format, enum segman_pixel_format rgb_format, enum segman_resize resize, uint32_t w,
                           uint32_t h)
{
    struct rig a, b;
    struct segman_result r = {0};
    struct rig_params p = {.frame = {format, w, h, SEGMAN_MATRIX_BT709, SEGMAN_RANGE_LIMITED, SEGMAN_CHROMA_CENTER},
                           .resize = resize,
                           .net_w = 64,
                           .net_h = 32,
                           .view = SEGMAN_VIEW_SOURCE,
                           .view_format = rgb_format};
    float *got[2] = {malloc(64 * 32 * 8 * 4), malloc(64 * 32 * 8 * 4)};
    bool ok = rig_init(&a, &p);
    p.frame.format = rgb_format;
    ok = rig_init(&b, &p) && ok;
    if (ok) {
        rig_fill(&a, 0, 3);
        ok = rig_input(&a, 0, 0, got[0]) && rig_output(&a, 0, &r);
        struct segman_planes to = frame_planes(b.program, 0);
        for (uint32_t y = 0; ok && y < h; y++)
            memcpy(to.plane[0] + (size_t)y * to.stride[0], r.view.plane[0] + (size_t)y * r.view.stride[0], 4 * (size_t)w);
        ok = ok && rig_input(&b, 0, 0, got[1]);
    }
    CU_ASSERT_TRUE(ok && !memcmp(got[0], got[1], 64 * 32 * 8 * 4));
    free(got[0]);
    free(got[1]);
    rig_finish(&a);
    rig_finish(&b);
}

void test_identity(void)
{
    check_identity(SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_RGBA, SEGMAN_RESIZE_BILINEAR, 64, 32);
    check_identity(SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_BGRX, SEGMAN_RESIZE_AREA, 147, 83);
    check_identity(SEGMAN_FORMAT_I420, SEGMAN_FORMAT_RGBA, SEGMAN_RESIZE_BILINEAR, 147, 83);
    check_identity(SEGMAN_FORMAT_I420, SEGMAN_FORMAT_BGRX, SEGMAN_RESIZE_BILINEAR, 63, 31);
}
