/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four-direction selective scan. Chunks are 8 pixels and workgroups 8 x 8 or 16 x 8: sizes lie on both sides of these;
 * long maps have more than 512 chunks a sequence, which takes one more pass.
 */
#include <stdlib.h>

#include "harness.h"
#include "ref_conv.h"
#include "ref_dwconv.h"
#include "ref_norm.h"
#include "ref_scan.h"

/* Float32: rounding alone. Float16: x, y and the projection's weights are rounded to 11 bits. */
#define F32 5e-6
#define F16 1e-3

struct shape {
    uint32_t c, h, w;
    uint32_t first; /* the scan reads channels from here on of a wider input */
};

static tensor build(struct net *n, tensor x, const void *arg)
{
    const struct shape *s = arg;
    return net_scan(n, "ssm", s->first ? net_slice(n, x, s->first, s->c) : x);
}

static void reference(const float *x, float *out, const void *arg)
{
    const struct shape *s = arg;
    uint32_t c = s->c, r = (c + 15) / 16;
    float *x_proj = harness_weight_of("ssm", "x_proj_weight", 4 * (r + 2), c, 1, 0);
    float *dt = harness_weight_of("ssm", "dt_projs_weight", 4, c, r, 0);
    float *dt_bias = harness_weight_of("ssm", "dt_projs_bias", 4, c, 0, 0);
    float *a_logs = harness_weight_of("ssm", "A_logs", 4 * c, 1, 0, 0);
    float *d = harness_weight_of("ssm", "Ds", 4 * c, 0, 0, 0);
    ref_scan(out, x + (size_t)s->first * s->h * s->w, &(struct ref_scan_weights){x_proj, dt, dt_bias, a_logs, d}, c, s->h, s->w);
    free(x_proj);
    free(dt);
    free(dt_bias);
    free(a_logs);
    free(d);
}

static void check_shape(const struct shape *s, float scale, double f16)
{
    char name[64];
    snprintf(name, sizeof(name), "scan %ux%ux%u%s x%g", s->c, s->h, s->w, s->first ? " of a view" : "", (double)scale);
    harness_check(&(struct harness_case){.name = name,
                                         .c = s->first + s->c,
                                         .h = s->h,
                                         .w = s->w,
                                         .scale = scale,
                                         .build = build,
                                         .reference = reference,
                                         .arg = s,
                                         .f32 = F32,
                                         .f16 = f16});
}

/* Inputs large enough for the states to outweigh the skip terms. */
static void check(uint32_t c, uint32_t h, uint32_t w)
{
    check_shape(&(struct shape){c, h, w, 0}, 4, F16);
    harness_pretend_gpu(true);
    check_shape(&(struct shape){c, h, w, 0}, 4, c > 400 ? 0 : F16); /* a CPU driver compiles its matrices for minutes */
    harness_pretend_gpu(false);
}

/* As in the network: depthwise convolution, batch norm and SiLU make the scan's input, in its first pass. */
static tensor build_front(struct net *n, tensor x, const void *arg)
{
    const struct shape *s = arg;
    if (s->first)
        x = net_slice(n, x, s->first, s->c);
    return net_scan(n, "ssm", net_act(n, net_batch_norm(n, "bn", net_dwconv(n, "conv", x, 3)), NET_ACT_SILU));
}

static void reference_front(const float *x, float *out, const void *arg)
{
    struct shape s = *(const struct shape *)arg;
    uint32_t c = s.c;
    size_t pixels = (size_t)s.h * s.w;
    float *w[6] = {harness_weight_of("conv", "weight", c, 1, 3, 3),     harness_weight_of("conv", "bias", c, 0, 0, 0),
                   harness_weight_of("bn", "weight", c, 0, 0, 0),       harness_weight_of("bn", "bias", c, 0, 0, 0),
                   harness_weight_of("bn", "running_mean", c, 0, 0, 0), harness_weight_of("bn", "running_var", c, 0, 0, 0)};
    float *u = malloc(c * pixels * sizeof(*u));
    if (!u)
        abort();
    ref_dwconv(x + s.first * pixels, c, s.h, s.w, 3, w[0], w[1], u);
    ref_batch_norm(u, c, pixels, w[2], w[3], w[4], w[5], u);
    ref_act(u, c * pixels, NET_ACT_SILU, u);
    s.first = 0;
    reference(u, out, &s);
    for (int i = 0; i < 6; i++)
        free(w[i]);
    free(u);
}

static void check_front(const struct shape *s, bool gpu)
{
    char name[64];
    snprintf(name, sizeof(name), "dwconv, scan %ux%ux%u", s->c, s->h, s->w);
    harness_pretend_gpu(gpu);
    harness_check(&(struct harness_case){.name = name,
                                         .c = s->first + s->c,
                                         .h = s->h,
                                         .w = s->w,
                                         .scale = 4,
                                         .build = build_front,
                                         .reference = reference_front,
                                         .arg = s,
                                         .f32 = F32,
                                         .f16 = F16});
    harness_pretend_gpu(false);
}

static void test_front(void)
{
    check_front(&(struct shape){36, 9, 17, 4}, false);
    check_front(&(struct shape){36, 9, 17, 4}, true);
    check_front(&(struct shape){33, 1, 5, 0}, true);
    check_front(&(struct shape){364, 5, 4, 0}, true);
    check_front(&(struct shape){20, 50, 52, 0}, true);
}

/* As in the network: a layer norm of the scan and a residual, which the last pass of a scan in chunks takes over. */
static tensor build_normed(struct net *n, tensor x, const void *arg)
{
    return net_add(n, x, net_layer_norm(n, "norm", build(n, x, arg)));
}

static void reference_normed(const float *x, float *out, const void *arg)
{
    const struct shape *s = arg;
    size_t pixels = (size_t)s->h * s->w;
    float *weight = harness_weight_of("norm", "weight", s->c, 0, 0, 0), *bias = harness_weight_of("norm", "bias", s->c, 0, 0, 0);
    reference(x, out, arg);
    ref_layer_norm(out, s->c, pixels, weight, bias, out);
    ref_add(x, out, s->c * pixels, out);
    free(weight);
    free(bias);
}

static void check_normed(uint32_t c, uint32_t h, uint32_t w, bool gpu, bool no_fuse)
{
    const struct shape s = {c, h, w, 0};
    char name[64];
    snprintf(name, sizeof(name), "scan, norm, sum %ux%ux%u%s", c, h, w, no_fuse ? ", unfused" : "");
    harness_pretend_gpu(gpu);
    harness_check(&(struct harness_case){.name = name,
                                         .c = c,
                                         .h = h,
                                         .w = w,
                                         .scale = 4,
                                         .build = build_normed,
                                         .reference = reference_normed,
                                         .arg = &s,
                                         .f32 = F32,
                                         .f16 = F16,
                                         .no_fuse = no_fuse});
    harness_pretend_gpu(false);
}

static void test_normed(void)
{
    check_normed(36, 9, 17, false, false);
    check_normed(36, 9, 17, true, false);
    check_normed(33, 47, 45, true, false); /* the last quad is not full, nor the last chunk */
    check_normed(33, 47, 45, true, true);
    check_normed(144, 33, 65, true, false);
    check_normed(20, 2, 1031, true, false);
    check_normed(20, 1031, 2, true, false);
    check_normed(8, 129, 128, true, false);  /* too large for chunks: whole tiles */
    check_normed(12, 251, 263, true, false); /* sequences in segments, too */
}

/* As in a block: a 1x1 convolution behind these, with its layer scale and residual. */
static tensor build_projected(struct net *n, tensor x, const void *arg)
{
    const struct shape *s = arg;
    tensor y = net_conv(n, "proj", build_normed(n, x, arg), &(struct net_conv){.out = s->c, .bias = true});
    return net_add(n, x, net_scale(n, "scale", y));
}

static void reference_projected(const float *x, float *out, const void *arg)
{
    const struct shape *s = arg;
    size_t pixels = (size_t)s->h * s->w;
    float *weight = harness_weight_of("proj", "weight", s->c, s->c, 1, 1), *bias = harness_weight_of("proj", "bias", s->c, 0, 0, 0);
    float *scale = harness_weight_of("scale", "weight", s->c, 1, 1, 1), *shift = harness_weight_of("scale", "bias", s->c, 0, 0, 0);
    float *y = malloc(s->c * pixels * sizeof(*y));
    if (!y)
        abort();
    reference_normed(x, y, arg);
    ref_conv(&(struct ref_conv){s->c, s->h, s->w, s->c, 1, 1, 0}, y, weight, bias, out);
    ref_scale(out, s->c, pixels, scale, shift, out);
    ref_add(x, out, s->c * pixels, out);
    free(weight);
    free(bias);
    free(scale);
    free(shift);
    free(y);
}

static void check_projected(uint32_t c, uint32_t h, uint32_t w)
{
    const struct shape s = {c, h, w, 0};
    char name[64];
    snprintf(name, sizeof(name), "scan, norm, sum, conv %ux%ux%u", c, h, w);
    harness_pretend_gpu(true);
    harness_check(&(struct harness_case){.name = name,
                                         .c = c,
                                         .h = h,
                                         .w = w,
                                         .scale = 4,
                                         .build = build_projected,
                                         .reference = reference_projected,
                                         .arg = &s,
                                         .f32 = F32,
                                         .f16 = F16});
    harness_pretend_gpu(false);
}

/* One to many matrices of channels, last octs and quads that are not full; whole, in chunks, in tiles. */
static void test_projected(void)
{
    check_projected(8, 5, 7);
    check_projected(36, 9, 17);
    check_projected(144, 17, 31);
    check_projected(364, 9, 11);
    check_projected(432, 7, 9);
    check_projected(33, 47, 45);
    check_projected(100, 47, 45);
    check_projected(192, 33, 65);
    check_projected(20, 129, 128);
}

static void test_small(void)
{
    check(32, 7, 7);
    check(20, 1, 1);
    check(36, 1, 9);
    check(36, 17, 1);
}

static void test_tile_edges(void)
{
    check(64, 8, 8);
    check(64, 9, 17);
    check(96, 17, 9);
    check(28, 15, 16);
}

static void test_channels(void)
{
    check(33, 9, 9); /* the last quad is not full */
    check(144, 10, 6);
    check(364, 6, 11);
    check(672, 4, 5);
}

static void test_view(void)
{
    check_shape(&(struct shape){36, 9, 10, 4}, 4, F16);
    harness_pretend_gpu(true);
    check_shape(&(struct shape){36, 50, 51, 4}, 4, F16);
    harness_pretend_gpu(false);
}

static void test_long(void)
{
    check(32, 600, 7);  /* columns: 525 chunks, rows: 600 */
    check(20, 3, 1500); /* rows: 564 chunks, columns: 1500 */
    check(4, 48, 1032); /* rows: 6192 chunks: the longer segments */
}

/* Stages of the network at 512 x 512 pixels, for the benchmark too. */
static void test_stages(void)
{
    check(64, 64, 64);
    check(364, 32, 32);
}

/* Steps near 0 and beyond softplus's linear branch at 20, states that vanish within a pixel. */
static void test_large_steps(void)
{
    check_shape(&(struct shape){32, 12, 13, 0}, 10, F16);
    check_shape(&(struct shape){36, 12, 13, 0}, 30, 0); /* beyond float16's range */
    check_shape(&(struct shape){36, 12, 13, 0}, 0.01f, F16);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"small maps", test_small},
                           {"edges of tiles", test_tile_edges},
                           {"channels", test_channels},
                           {"view", test_view},
                           {"after a convolution", test_front},
                           {"before a layer norm", test_normed},
                           {"before a convolution", test_projected},
                           {"long sequences", test_long},
                           {"large steps", test_large_steps},
                           {"stages", test_stages},
                           CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "scan", tests);
}
