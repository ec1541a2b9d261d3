/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that only move or average values: mean, resize, concatenation, unshuffle. */
#include <string.h>

#include "harness.h"
#include "ref_conv.h"
#include "ref_scan.h"

#define EXACT 1e-30 /* moved, not computed */

struct size {
    uint32_t c, h, w;
    uint32_t to_h, to_w; /* resize */
    uint32_t r;          /* unshuffle */
};

/* ---- mean ---- */

static tensor build_pool(struct net *n, tensor x, const void *arg)
{
    (void)arg;
    return net_pool(n, x);
}

static void reference_pool(const float *x, float *out, const void *arg)
{
    const struct size *s = arg;
    ref_pool(out, x, s->c, s->h, s->w);
}

/* The offset keeps the mean away from 0, where a relative error says nothing. */
static void check_pool(uint32_t c, uint32_t h, uint32_t w)
{
    const struct size s = {c, h, w, 0, 0, 0};
    char name[64];
    snprintf(name, sizeof(name), "pool %ux%ux%u", c, h, w);
    harness_check(&(struct harness_case){.name = name,
                                         .c = c,
                                         .h = h,
                                         .w = w,
                                         .offset = 0.5f,
                                         .build = build_pool,
                                         .reference = reference_pool,
                                         .arg = &s,
                                         .f32 = 1e-6,
                                         .f16 = 5e-4});
}

static void test_pool(void)
{
    check_pool(20, 1, 1);
    check_pool(36, 3, 5);
    check_pool(128, 16, 16); /* one slice */
    check_pool(152, 1, 257);
    check_pool(28, 300, 301); /* slices longer than 256 pixels */
    check_pool(5, 20, 13);
}

/* ---- resize ---- */

static tensor build_resize(struct net *n, tensor x, const void *arg)
{
    const struct size *s = arg;
    return net_resize(n, x, s->to_h, s->to_w);
}

static void reference_resize(const float *x, float *out, const void *arg)
{
    const struct size *s = arg;
    ref_resize(out, x, s->c, s->h, s->w, s->to_h, s->to_w);
}

static void check_resize(uint32_t c, uint32_t h, uint32_t w, uint32_t to_h, uint32_t to_w)
{
    const struct size s = {c, h, w, to_h, to_w, 0};
    char name[64];
    snprintf(name, sizeof(name), "resize %ux%ux%u to %ux%u", c, h, w, to_h, to_w);
    harness_check(&(struct harness_case){
        .name = name, .c = c, .h = h, .w = w, .build = build_resize, .reference = reference_resize, .arg = &s, .f32 = 1e-6, .f16 = 5e-4});
}

static void test_resize(void)
{
    check_resize(36, 1, 1, 9, 5); /* spreads */
    check_resize(32, 7, 5, 14, 10);
    check_resize(20, 16, 17, 64, 68);
    check_resize(28, 33, 9, 12, 4); /* smaller */
    check_resize(5, 6, 7, 11, 129);
    check_resize(364, 3, 2, 5, 7);
}

/* ---- unshuffle ---- */

static tensor build_unshuffle(struct net *n, tensor x, const void *arg)
{
    const struct size *s = arg;
    return net_unshuffle(n, x, s->r);
}

static void reference_unshuffle(const float *x, float *out, const void *arg)
{
    const struct size *s = arg;
    ref_unshuffle(x, s->c, s->h, s->w, s->r, out);
}

static void check_unshuffle(uint32_t c, uint32_t h, uint32_t w, uint32_t r)
{
    const struct size s = {c, h, w, 0, 0, r};
    char name[64];
    snprintf(name, sizeof(name), "unshuffle %ux%ux%u by %u", c, h, w, r);
    harness_check(&(struct harness_case){.name = name,
                                         .c = c,
                                         .h = h,
                                         .w = w,
                                         .build = build_unshuffle,
                                         .reference = reference_unshuffle,
                                         .arg = &s,
                                         .f32 = EXACT,
                                         .f16 = EXACT});
}

static void test_unshuffle(void)
{
    check_unshuffle(32, 8, 8, 4);
    check_unshuffle(36, 6, 10, 2);
    check_unshuffle(20, 9, 15, 3); /* output quads mix channels */
    check_unshuffle(3, 2, 34, 2);  /* 12 channels: padding in the output */
    check_unshuffle(5, 3, 3, 3);   /* 45 channels: the last quad is not full */
}

/* ---- concatenation: slices of the input, and all of it ---- */

struct parts {
    uint32_t c, h, w, count;
    uint32_t first[7], channels[7];
};

static tensor build_concat(struct net *n, tensor x, const void *arg)
{
    const struct parts *p = arg;
    tensor t[8];
    for (uint32_t i = 0; i < p->count; i++)
        t[i] = net_slice(n, x, p->first[i], p->channels[i]);
    t[p->count] = x;
    return net_concat(n, t, p->count + 1);
}

static void reference_concat(const float *x, float *out, const void *arg)
{
    const struct parts *p = arg;
    size_t pixels = (size_t)p->h * p->w;
    for (uint32_t i = 0; i < p->count; i++) {
        memcpy(out, x + p->first[i] * pixels, p->channels[i] * pixels * sizeof(*out));
        out += p->channels[i] * pixels;
    }
    memcpy(out, x, p->c * pixels * sizeof(*out));
}

static void check_concat(const char *name, const struct parts *p)
{
    harness_check(&(struct harness_case){.name = name,
                                         .c = p->c,
                                         .h = p->h,
                                         .w = p->w,
                                         .build = build_concat,
                                         .reference = reference_concat,
                                         .arg = p,
                                         .f32 = EXACT,
                                         .f16 = EXACT});
}

static void test_concat(void)
{
    check_concat("concat 36 of one", &(struct parts){36, 5, 7, 0, {0}, {0}});
    check_concat("concat 20+28+36", &(struct parts){36, 9, 15, 2, {4, 8}, {20, 28}});
    check_concat("concat 1+2+3+5+6+7+1+29", &(struct parts){29, 3, 43, 7, {0, 4, 8, 12, 16, 20, 28}, {1, 2, 3, 5, 6, 7, 1}});
    check_concat("concat 3+1+13", &(struct parts){13, 4, 4, 2, {0, 4}, {3, 1}});
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"pool", test_pool}, {"resize", test_resize}, {"unshuffle", test_unshuffle}, {"concat", test_concat}, CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "maps", tests);
}
