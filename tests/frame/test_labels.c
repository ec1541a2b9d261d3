/* SPDX-License-Identifier: Apache-2.0 */
/* Label maps against plain C. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "ref.h"
#include "rig.h"

/* ---- labels -------------------------------------------------------------------------------------- */

/*
 * Multiples of 1/64 around -8, exact as halves; with ties: class c repeats class c % distinct. Noise leaves many classes
 * between four logits, planes with little noise (smooth) few.
 */
float *make_logits(const struct rig *rig, uint32_t distinct, uint32_t seed, bool smooth)
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

void check_labels(const struct rig_params *p, uint32_t distinct, bool smooth)
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

void test_labels(void)
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

void test_labels_sizes(void)
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

void test_labels_large(void)
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

void test_labels_ties(void)
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

void test_confidence(void)
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

void test_labels_crops(void)
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
