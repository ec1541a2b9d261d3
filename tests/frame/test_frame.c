/* SPDX-License-Identifier: Apache-2.0 */
/* vk/frame against plain C, on the Vulkan device that is there, under the validation layer. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ref.h"
#include "rig.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const enum segman_pixel_format formats[] = {SEGMAN_FORMAT_RGBA, SEGMAN_FORMAT_BGRX, SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_I420};
static const struct {
    uint32_t w, h;
} sizes[] = {{1, 1}, {2, 2}, {3, 5}, {64, 4}, {65, 9}, {70, 67}};

static uint32_t messages(void)
{
    return gpu_validation_messages(rig_gpu);
}

/* ---- layouts and crops -------------------------------------------------------------------------- */

static void test_layout(void)
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

static void test_crops(void)
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

static void test_ycbcr(void)
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

static void test_convert(void)
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

static void test_convert_sizes(void)
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

static void test_known_colours(void)
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

static void check_input(const struct rig_params *params)
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

static void test_input(void)
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

static void test_input_crops(void)
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

static void test_identity(void)
{
    check_identity(SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_RGBA, SEGMAN_RESIZE_BILINEAR, 64, 32);
    check_identity(SEGMAN_FORMAT_NV12, SEGMAN_FORMAT_BGRX, SEGMAN_RESIZE_AREA, 147, 83);
    check_identity(SEGMAN_FORMAT_I420, SEGMAN_FORMAT_RGBA, SEGMAN_RESIZE_BILINEAR, 147, 83);
    check_identity(SEGMAN_FORMAT_I420, SEGMAN_FORMAT_BGRX, SEGMAN_RESIZE_BILINEAR, 63, 31);
}

/* ---- labels -------------------------------------------------------------------------------------- */

/*
 * Multiples of 1/64 around -8, exact as halves; with ties: class c repeats class c % distinct. Noise leaves many classes
 * between four logits, planes with little noise (smooth) few.
 */
static float *make_logits(const struct rig *rig, uint32_t distinct, uint32_t seed, bool smooth)
{
    size_t w = rig->frame.logits.w, plane = w * rig->frame.logits.h;
    float *v = malloc(plane * rig->p.classes * sizeof(*v));
    for (uint32_t c = 0; c < rig->p.classes; c++) {
        int dx = (int)(rig_random(&seed) % 33) - 16, dy = (int)(rig_random(&seed) % 33) - 16, at = (int)(rig_random(&seed) % 64);
        for (size_t i = 0; i < plane; i++) {
            int slope = at + dx * (int)(i % w) + dy * (int)(i / w) + (int)(rig_random(&seed) % 4);
            int value = smooth ? slope : (int)(rig_random(&seed) % 512);
            v[c * plane + i] = c < distinct ? (float)value / 64 - 12 : v[c % distinct * plane + i];
        }
    }
    return v;
}

/* Softmax of the mean logits at the label, in 1/255. */
static bool confidence_fits(const double *v, uint32_t classes, uint8_t label, uint8_t got)
{
    double sum = 0;
    for (uint32_t c = 0; c < classes; c++)
        sum += exp(v[c] - v[label]);
    return fabs(255 / sum - got) < 0.55;
}

/* The label is the first of the largest mean logits; a near tie may fall either way, an exact one may not. */
static uint32_t check_labels_at(const struct ref_logits *l, const struct rig *rig, const struct segman_result *r, uint32_t distinct)
{
    uint32_t wrong = 0, w = rig->p.frame.width, h = rig->p.frame.height;
    double v[256];
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            uint8_t got = r->labels[(size_t)y * r->labels_stride + x];
            wrong += !ref_logits_at(l, w, h, x, y, v) || got >= distinct;
            uint32_t best = 0;
            for (uint32_t c = 1; c < distinct; c++)
                best = v[c] > v[best] ? c : best;
            if (got != best && got < distinct)
                wrong += v[got] < v[best] - 2e-5;
            if (r->confidence && got < distinct)
                wrong += !confidence_fits(v, rig->p.classes, got, r->confidence[(size_t)y * r->labels_stride + x]);
        }
    return wrong;
}

static void check_labels(const struct rig_params *p, uint32_t distinct, bool smooth)
{
    struct rig rig;
    struct segman_result result;
    struct ref_crop crop[FRAME_MAX_CROPS];
    bool ok = rig_init(&rig, p);
    uint32_t wrong = 0;
    struct ref_logits l = {
        p->classes, rig.frame.logits.w, rig.frame.logits.h, rig.frame.input.w, rig.frame.input.h, rig.p.net_w, rig.p.net_h, crop, 0};
    for (uint32_t i = 0; ok && i < frame_program_crops(rig.program); i++, l.n_crops++) {
        float *logits = make_logits(&rig, distinct, 11 + i, smooth);
        crop[i] = (struct ref_crop){logits, rig.crops[i].x, rig.crops[i].y};
        ok = rig_logits(&rig, i, logits);
    }
    ok = ok && rig_output(&rig, 0, &result);
    if (ok)
        wrong = check_labels_at(&l, &rig, &result, distinct);
    if (!ok || wrong)
        fprintf(stderr, "%u classes, %ux%u from %ux%u, %u crops, f16 %d: %u wrong\n", p->classes, p->frame.width, p->frame.height,
                rig.p.net_w, rig.p.net_h, l.n_crops, p->f16, wrong);
    CU_ASSERT_TRUE(ok && !wrong);
    for (uint32_t i = 0; i < l.n_crops; i++)
        free((void *)crop[i].logits);
    rig_finish(&rig);
}

static void test_labels(void)
{
    static const uint32_t classes[] = {1, 2, 19, 24, 150, 171, 255};
    for (size_t i = 0; i < COUNT(classes); i++)
        for (unsigned f16 = 0; f16 < 2; f16++) {
            struct rig_params p = {.frame = {formats[i % 4], 70, 67, 0, 0, 0}, .classes = classes[i], .net_w = 96, .net_h = 64, .f16 = f16};
            check_labels(&p, classes[i], false); /* shares columns */
            check_labels(&p, classes[i], true);
            p.frame.width = 9;
            p.net_w = 224; /* reduces */
            check_labels(&p, classes[i], false);
            check_labels(&p, classes[i], true);
        }
}

static void test_labels_sizes(void)
{
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (uint32_t net = 8; net <= 64; net *= 2) {
            const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, sizes[s].w, sizes[s].h, 0, 0, 0},
                                         .classes = 5,
                                         .net_w = net,
                                         .net_h = 72 - net,
                                         .offset4 = 3};
            check_labels(&p, 5, false);
        }
    /* The border between shared and separate columns, and another ratio. */
    for (uint32_t w = 23; w < 26; w++) {
        const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, w, 10, 0, 0, 0}, .classes = 9, .net_w = 64, .net_h = 32};
        check_labels(&p, 9, false);
    }
    const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, 61, 33, 0, 0, 0}, .classes = 9, .net_w = 64, .net_h = 32, .ratio = 4};
    check_labels(&p, 9, false);
}

static void test_labels_large(void)
{
    const struct rig_params p = {.frame = {SEGMAN_FORMAT_NV12, 637, 479, 0, 0, 0}, .classes = 24, .net_w = 320, .net_h = 256, .f16 = true};
    check_labels(&p, 24, false);
    const struct rig_params wide = {.frame = {SEGMAN_FORMAT_RGBA, 16384, 3, 0, 0, 0}, .classes = 9, .net_w = 16376, .net_h = 16};
    check_labels(&wide, 9, true);
    const struct rig_params wide_crops = {.frame = {SEGMAN_FORMAT_RGBA, 16383, 2, 0, 0, 0},
                                          .classes = 5,
                                          .net_w = 16376,
                                          .net_h = 16,
                                          .crop_w = 8192,
                                          .crop_h = 16,
                                          .stride = 4096};
    check_labels(&wide_crops, 5, true);
}

static void test_labels_ties(void)
{
    for (unsigned f16 = 0; f16 < 2; f16++) {
        struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, 70, 67, 0, 0, 0}, .classes = 19, .net_w = 96, .net_h = 64, .f16 = f16};
        check_labels(&p, 7, false);
        check_labels(&p, 7, true);
        check_labels(&p, 1, false);
        p.crop_w = p.crop_h = 32;
        p.stride = 24;
        check_labels(&p, 7, false);
    }
}

static void test_confidence(void)
{
    static const uint32_t classes[] = {1, 5, 24, 150, 255};
    for (uint32_t i = 0; i < COUNT(classes); i++)
        for (unsigned f16 = 0; f16 < 2; f16++) {
            struct rig_params p = {.frame = {.format = SEGMAN_FORMAT_RGBA, .width = 61, .height = 37},
                                   .classes = classes[i],
                                   .f16 = f16,
                                   .confidence = true};
            check_labels(&p, classes[i], i % 2);
            p.net_w = p.net_h = 48;
            p.crop_w = p.crop_h = 32;
            p.stride = 16;
            check_labels(&p, classes[i], true);
        }
}

static void test_labels_crops(void)
{
    static const struct {
        uint32_t w, h, net_w, net_h, crop, stride;
    } cases[] = {{637, 479, 128, 96, 64, 32},
                 {70, 67, 128, 64, 64, 40},
                 {9, 11, 128, 96, 32, 32},
                 {130, 40, 64, 64, 64, 64},
                 {65, 66, 96, 96, 40, 8}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (unsigned f16 = 0; f16 < 2; f16++) {
            const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, cases[i].w, cases[i].h, 0, 0, 0},
                                         .classes = 19,
                                         .net_w = cases[i].net_w,
                                         .net_h = cases[i].net_h,
                                         .crop_w = cases[i].crop,
                                         .crop_h = cases[i].crop,
                                         .stride = cases[i].stride,
                                         .offset4 = (uint32_t)i % 2,
                                         .f16 = f16};
            check_labels(&p, 19, false);
        }
}

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
    ok = frame_set_overlay(s->rig.program, &s->overlay, &again, NULL) && !again;
    float *logits = make_logits(&s->rig, s->rig.p.classes, 5, false);
    rig_fill(&s->rig, 0, 13);
    s->planes = frame_planes(s->rig.program, 0);
    ok = ok && rig_logits(&s->rig, 0, logits) && rig_output(&s->rig, 0, &s->result);
    free(logits);
    return ok;
}

static void check_scene(const struct rig_params *p, float opacity, bool picture)
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

static void test_views(void)
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

static void test_views_sizes(void)
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
static void test_pass_through(void)
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

/* ---- slots, overlay growth, staging, errors ------------------------------------------------------- */

static void test_slots(void)
{
    struct rig rig;
    struct segman_result a, b;
    struct segman_style style = {.opacity = 1};
    const struct rig_params p = {
        .frame = {SEGMAN_FORMAT_RGBA, 16, 16, 0, 0, 0}, .view = SEGMAN_VIEW_OVERLAY, .view_format = SEGMAN_FORMAT_RGBA, .slots = 2};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    float *logits = make_logits(&rig, 1, 1, false); /* label 0 everywhere */
    rig_fill(&rig, 0, 1);
    rig_fill(&rig, 1, 2);
    CU_ASSERT_TRUE(rig_logits(&rig, 0, logits));
    style.palette[0][0] = 200;
    style.palette[0][3] = 255;
    frame_set_style(rig.program, &style);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &a));
    style.palette[0][0] = 100;
    frame_set_style(rig.program, &style);
    CU_ASSERT_TRUE(rig_output(&rig, 1, &b));
    CU_ASSERT_EQUAL(a.view.plane[0][0], 200); /* still there */
    CU_ASSERT_EQUAL(b.view.plane[0][0], 100);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &a));
    CU_ASSERT_EQUAL(a.view.plane[0][0], 100);
    CU_ASSERT(frame_program_memory(rig.program) > 4 * 16 * 16 * 4);
    free(logits);
    rig_finish(&rig);
}

static void test_overlay_growth(void)
{
    struct rig rig;
    struct segman_result r;
    bool again = false;
    const struct rig_params p = {
        .frame = {SEGMAN_FORMAT_BGRX, 200, 100, 0, 0, 0}, .view = SEGMAN_VIEW_SOURCE, .view_format = SEGMAN_FORMAT_BGRX, .slots = 2};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    uint8_t *rgba = malloc(300 * 200 * 4);
    memset(rgba, 0xff, 300 * 200 * 4);
    struct segman_overlay small = {rgba, 8, 8, 32, 1, 1}, large = {rgba, 300, 200, 1200, -50, -50},
                          outside = {rgba, 300, 200, 1200, 200, 0};
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, &small));
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, &outside));
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, NULL));
    CU_ASSERT_TRUE(frame_overlay_grows(rig.program, &large));
    CU_ASSERT_TRUE(frame_set_overlay(rig.program, &large, &again, NULL));
    CU_ASSERT_TRUE(again);
    for (uint32_t slot = 0; slot < 2; slot++) {
        rig_fill(&rig, slot, 4);
        CU_ASSERT_TRUE(rig_output(&rig, slot, &r));
        CU_ASSERT(r.view.plane[0][0] == 255 && r.view.plane[0][r.view.stride[0] * 99 + 4 * 199 + 2] == 255);
    }
    CU_ASSERT_TRUE(frame_set_overlay(rig.program, NULL, &again, NULL));
    CU_ASSERT_FALSE(again);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &r));
    CU_ASSERT_EQUAL(r.view.plane[0][0], frame_planes(rig.program, 0).plane[0][0]);
    free(rgba);
    rig_finish(&rig);
}

/* As on a GPU with memory of its own: frames, styles and results are copied. */
static void test_staged(void)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(rig_gpu);
    bool unified = caps->unified_memory;
    caps->unified_memory = false;
    const struct rig_params view = {
        .frame = {SEGMAN_FORMAT_NV12, 65, 33, 0, 0, 0}, .view = SEGMAN_VIEW_OVERLAY, .view_format = SEGMAN_FORMAT_NV12};
    check_scene(&view, 0.5f, true);
    const struct rig_params input = {.frame = {SEGMAN_FORMAT_I420, 65, 33, 0, 0, 0}, .net_w = 64, .net_h = 32};
    check_input(&input);
    const struct rig_params crops = {
        .frame = {SEGMAN_FORMAT_RGBA, 70, 67, 0, 0, 0}, .classes = 19, .net_w = 96, .net_h = 64, .crop_w = 64, .crop_h = 64, .stride = 32};
    check_labels(&crops, 19, false);
    caps->unified_memory = unified;
}

static void check_refused(const struct frame_params *p)
{
    struct segman_error error = {0};
    struct frame_program *f = frame_program_create(rig_gpu, p, &error);
    CU_ASSERT_PTR_NULL(f);
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_ARGUMENT);
    CU_ASSERT(error.message[0]);
    frame_program_destroy(f);
}

static void test_errors(void)
{
    struct rig rig;
    const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, 16, 16, 0, 0, 0}, .net_w = 64, .net_h = 64, .crop_w = 32, .crop_h = 32};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    struct frame_params q;
#define REFUSED(change)                                                                                                                    \
    q = rig.frame;                                                                                                                         \
    q.change;                                                                                                                              \
    check_refused(&q)
    REFUSED(frame.width = 0);
    REFUSED(frame.height = FRAME_MAX_SIDE + 1);
    REFUSED(net_width = 0);
    REFUSED(net_width = 48);
    REFUSED(slots = 0);
    REFUSED(slots = SEGMAN_MAX_SLOTS + 1);
    REFUSED(n_crops = 1);
    REFUSED(n_crops = 0);
    REFUSED(n_crops = FRAME_MAX_CROPS + 1);
    REFUSED(input.c = 4);
    REFUSED(logits.c = 256);
    REFUSED(logits.w = 5);
    REFUSED(view = 9);
    static const struct frame_crop gap[4] = {{0, 0}, {32, 0}, {0, 32}, {0, 32}}, odd[4] = {{0, 0}, {32, 0}, {0, 32}, {28, 32}};
    REFUSED(crops = gap);
    REFUSED(crops = odd);
    q = rig.frame;
    q.view = SEGMAN_VIEW_MASK;
    q.view_format = SEGMAN_FORMAT_NV12;
    check_refused(&q);
    frame_program_destroy(NULL);
    rig_finish(&rig);
}

static void test_validation(void)
{
    CU_ASSERT_EQUAL(messages(), 0);
}

int main(void)
{
    struct segman_error error = {0};
    const struct segman_context_params params = {.validation = true};
    rig_gpu = gpu_create(&params, &error);
    if (!rig_gpu) {
        fprintf(stderr, "%s\n", error.message);
        return error.status == SEGMAN_ERROR_NO_DEVICE ? 77 : 1;
    }
    static CU_TestInfo tests[] = {
        {"layout", test_layout},
        {"crops", test_crops},
        {"YCbCr of colours", test_ycbcr},
        {"convert: matrices, ranges, sites", test_convert},
        {"convert: sizes", test_convert_sizes},
        {"known colours", test_known_colours},
        {"input", test_input},
        {"input of crops", test_input_crops},
        {"input is that of the RGB picture", test_identity},
        {"labels: classes", test_labels},
        {"labels: sizes", test_labels_sizes},
        {"labels: large", test_labels_large},
        {"labels: ties", test_labels_ties},
        {"labels: crops", test_labels_crops},
        {"confidence", test_confidence},
        {"views", test_views},
        {"views: sizes", test_views_sizes},
        {"pass-through", test_pass_through},
        {"slots", test_slots},
        {"overlay growth", test_overlay_growth},
        {"staged", test_staged},
        {"errors", test_errors},
        {"validation is silent", test_validation},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"frame", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_initialize_registry() || CU_register_suites(suites))
        return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned bad = CU_get_number_of_failures() || !CU_get_number_of_asserts();
    CU_cleanup_registry();
    gpu_destroy(rig_gpu);
    return bad != 0;
}
