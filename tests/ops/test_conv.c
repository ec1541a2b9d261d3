/* SPDX-License-Identifier: Apache-2.0 */
/* Dense convolution with every epilogue that the fuser makes, and the same graphs unfused. */
#include "harness.h"
#include "ref_attention.h"
#include "ref_conv.h"
#include "ref_norm.h"

#include "vk/net/lower.h"

#include <stdlib.h>
#include <string.h>

/* A convolution of x (c,h,w), then what is set of: batch norm, activation, layer scale, sum. */
struct conv_test {
    struct ref_conv s;
    bool bias, linear;
    uint32_t unshuffle; /* 1x1 on the unshuffled x */
    bool norm;
    enum net_act act;
    bool scale;
    bool residual;          /* adds x: same shape */
    uint32_t heads;         /* rotary positions for so many; 0: none */
    uint32_t first, within; /* x is channels [first, first + c) of a tensor of `within`; 0: whole */
};

static tensor build(struct net *n, tensor x, const void *arg)
{
    const struct conv_test *t = arg;
    if (t->within)
        x = net_slice(n, x, t->first, t->s.c);
    tensor y = t->unshuffle ? net_unshuffle(n, x, t->unshuffle) : x;
    y = net_conv(n, "conv", y,
                 &(struct net_conv){.out = t->s.out,
                                    .kernel = t->unshuffle ? 1 : t->s.kernel,
                                    .stride = t->unshuffle ? 1 : t->s.stride,
                                    .pad = t->s.pad,
                                    .bias = t->bias,
                                    .linear = t->linear});
    if (t->norm)
        y = net_batch_norm(n, "bn", y);
    if (t->heads)
        y = net_rope(n, y, t->heads);
    if (t->act)
        y = net_act(n, y, t->act);
    if (t->scale)
        y = net_scale(n, "scale", y);
    return t->residual ? net_add(n, x, y) : y;
}

static void rope(const struct conv_test *t, float *y)
{
    size_t bytes = (size_t)t->s.out * t->s.h * t->s.w * sizeof(*y);
    float *copy = malloc(bytes);
    if (!copy)
        abort();
    memcpy(copy, y, bytes);
    ref_rope(y, copy, t->s.out / 3, t->s.h, t->s.w, t->heads);
    free(copy);
}

static void finish(const struct conv_test *t, const float *x, size_t pixels, float *y)
{
    uint32_t c = t->s.out;
    float *w[6] = {harness_weight_of("bn", "weight", c, 0, 0, 0),       harness_weight_of("bn", "bias", c, 0, 0, 0),
                   harness_weight_of("bn", "running_mean", c, 0, 0, 0), harness_weight_of("bn", "running_var", c, 0, 0, 0),
                   harness_weight_of("scale", "weight", c, 1, 1, 1),    harness_weight_of("scale", "bias", c, 0, 0, 0)};
    if (t->norm)
        ref_batch_norm(y, c, pixels, w[0], w[1], w[2], w[3], y);
    if (t->heads)
        rope(t, y);
    ref_act(y, c * pixels, t->act, y);
    if (t->scale)
        ref_scale(y, c, pixels, w[4], w[5], y);
    if (t->residual)
        ref_add(y, x, c * pixels, y);
    for (int i = 0; i < 6; i++)
        free(w[i]);
}

static void reference(const float *x, float *out, const void *arg)
{
    const struct conv_test *t = arg;
    struct ref_conv s = t->s;
    float *unshuffled = NULL;
    if (t->within)
        x += (size_t)t->first * s.h * s.w;
    if (t->unshuffle) {
        uint32_t r = t->unshuffle;
        unshuffled = calloc((size_t)s.c * s.h * s.w, sizeof(*unshuffled));
        ref_unshuffle(x, s.c, s.h, s.w, r, unshuffled);
        s = (struct ref_conv){.c = s.c * r * r, .h = s.h / r, .w = s.w / r, .out = s.out, .kernel = 1, .stride = 1};
    }
    float *weight = t->linear ? harness_weight_of("conv", "weight", s.out, s.c, 0, 0)
                              : harness_weight_of("conv", "weight", s.out, s.c, s.kernel, s.kernel);
    float *bias = harness_weight_of("conv", "bias", s.out, 0, 0, 0);
    ref_conv(&s, unshuffled ? unshuffled : x, weight, t->bias ? bias : NULL, out);
    size_t pixels = (size_t)((s.h + 2 * s.pad - s.kernel) / s.stride + 1) * ((s.w + 2 * s.pad - s.kernel) / s.stride + 1);
    finish(t, x, pixels, out);
    free(unshuffled);
    free(weight);
    free(bias);
}

/* Which storage precisions: the large shapes compile for seconds on a CPU driver and take turns. */
enum storage { BOTH, F32, F16 };

static uint32_t forced; /* row of op_conv_table.c, from 1; 0: as it chooses */

static void check(const char *name, const struct conv_test *t, bool no_fuse, enum storage storage)
{
    harness_check(&(struct harness_case){.name = name,
                                         .c = t->within ? t->within : t->s.c,
                                         .h = t->s.h,
                                         .w = t->s.w,
                                         .build = build,
                                         .reference = reference,
                                         .arg = t,
                                         .f32 = storage == F16 ? 0 : 1e-6,
                                         .f16 = storage == F32 ? 0 : 6e-4,
                                         .no_fuse = no_fuse,
                                         .conv_variant = forced});
}

#define SHAPE(C, H, W, OUT, K, S, P)                                                                                                       \
    {                                                                                                                                      \
        .c = C, .h = H, .w = W, .out = OUT, .kernel = K, .stride = S, .pad = P                                                             \
    }

struct row {
    const char *name;
    struct conv_test t;
    bool no_fuse;
    enum storage storage;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(rows[i].name, &rows[i].t, rows[i].no_fuse, rows[i].storage);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_pointwise(void)
{
    static const struct row rows[] = {
        {"1x1 8->8, one pixel", {.s = SHAPE(8, 1, 1, 8, 1, 1, 0), .bias = true}},
        {"1x1 180->180, one pixel, bn relu", {.s = SHAPE(180, 1, 1, 180, 1, 1, 0), .norm = true, .act = NET_ACT_RELU}},
        {"1x1 36->20, 5x13", {.s = SHAPE(36, 5, 13, 20, 1, 1, 0), .bias = true}},
        {"1x1 20->364, 17x1", {.s = SHAPE(20, 17, 1, 364, 1, 1, 0), .bias = true}},
        {"1x1 364->28, 43x3", {.s = SHAPE(364, 43, 3, 28, 1, 1, 0), .bias = true}},
        {"1x1 128->19, 9x9 (classes)", {.s = SHAPE(128, 9, 9, 19, 1, 1, 0), .bias = true}},
        {"1x1 16->171, 9x15 (classes)", {.s = SHAPE(16, 9, 15, 171, 1, 1, 0), .bias = true}},
        {"linear 64->96, 11x11", {.s = SHAPE(64, 11, 11, 96, 1, 1, 0), .bias = true, .linear = true}},
        {"1x1 stride 2, 12->12, 9x9", {.s = SHAPE(12, 9, 9, 12, 1, 2, 0), .bias = true}},
        {"1x1 2500->16, 3x5", {.s = SHAPE(2500, 3, 5, 16, 1, 1, 0), .bias = true}},
        {"1x1 of a slice, 36 of 108 from 72", {.s = SHAPE(36, 7, 9, 40, 1, 1, 0), .bias = true, .first = 72, .within = 108}},
    };
    CHECK_ROWS(rows);
}

static void test_kernels(void)
{
    static const struct row rows[] = {
        {"3x3 stride 2, 3->16 bn gelu (stem)", {.s = SHAPE(3, 32, 36, 16, 3, 2, 1), .norm = true, .act = NET_ACT_GELU}, .storage = F16},
        {"3x3 stride 2, 3->16, odd 33x37", {.s = SHAPE(3, 33, 37, 16, 3, 2, 1), .norm = true}, .storage = F32},
        {"3x3 16->16, 13x11 bn", {.s = SHAPE(16, 13, 11, 16, 3, 1, 1), .norm = true}},
        {"3x3 20->36, 1x1 (all border)", {.s = SHAPE(20, 1, 1, 36, 3, 1, 1), .bias = true}},
        {"3x3 stride 2, 28->44, 14x10", {.s = SHAPE(28, 14, 10, 44, 3, 2, 1), .norm = true}},
        {"5x5 stride 4, 12->24, 16x20", {.s = SHAPE(12, 16, 20, 24, 5, 4, 1), .norm = true, .act = NET_ACT_RELU}},
        {"2x2 stride 2, 12->20, 6x10", {.s = SHAPE(12, 6, 10, 20, 2, 2, 0), .bias = true}},
        {"unshuffle 2, 12->20, 6x10", {.s = SHAPE(12, 6, 10, 20, 2, 2, 0), .unshuffle = 2, .norm = true, .act = NET_ACT_RELU}},
        {"unshuffle 4, 20->12, 8x12", {.s = SHAPE(20, 8, 12, 12, 4, 4, 0), .unshuffle = 4, .norm = true, .act = NET_ACT_RELU}},
    };
    CHECK_ROWS(rows);
}

static void test_epilogues(void)
{
#define EPILOGUE_ROW(TEXT, ...)                                                                                                            \
    {TEXT, {.s = SHAPE(20, 6, 11, 20, 1, 1, 0), .bias = true, __VA_ARGS__}, false},                                                        \
    {                                                                                                                                      \
        TEXT ", unfused", {.s = SHAPE(20, 6, 11, 20, 1, 1, 0), .bias = true, __VA_ARGS__}, true                                            \
    }
    static const struct row rows[] = {
        EPILOGUE_ROW("bn relu", .norm = true, .act = NET_ACT_RELU),
        EPILOGUE_ROW("gelu", .act = NET_ACT_GELU),
        EPILOGUE_ROW("bn silu scale", .norm = true, .act = NET_ACT_SILU, .scale = true),
        EPILOGUE_ROW("scale sum", .scale = true, .residual = true),
        EPILOGUE_ROW("sum", .residual = true),
        EPILOGUE_ROW("bn gelu scale sum", .norm = true, .act = NET_ACT_GELU, .scale = true, .residual = true),
        {"rope, 2 heads of 20", {.s = SHAPE(24, 9, 17, 120, 1, 1, 0), .bias = true, .heads = 2}, false},
        {"rope, 2 heads of 20, unfused", {.s = SHAPE(24, 9, 17, 120, 1, 1, 0), .bias = true, .heads = 2}, true},
        EPILOGUE_ROW("sum, of a slice", .residual = true, .first = 12, .within = 36),
    };
    CHECK_ROWS(rows);
}

/* The shader for GPUs on whatever this is: sizes that every tile is taken for, at a pixel and a quad beyond one. */
static void test_gpu_tiles(void)
{
    static const struct row rows[] = {
        {"1x1 16->68, 129x1", {.s = SHAPE(16, 129, 1, 68, 1, 1, 0), .bias = true}, .storage = F32},
        {"1x1 8->64, 180x191 (large)", {.s = SHAPE(8, 180, 191, 64, 1, 1, 0), .bias = true}, .storage = F16},
        {"1x1 8->48, 190x180 (large)", {.s = SHAPE(8, 190, 180, 48, 1, 1, 0), .bias = true}, .storage = F32},
        {"3x3 4->12, 191x181 (large)", {.s = SHAPE(4, 191, 181, 12, 3, 1, 1), .bias = true}, .storage = F16},
        {"1x1 20->260, 57x61 (medium)", {.s = SHAPE(20, 57, 61, 260, 1, 1, 0), .bias = true}, .storage = F32},
        {"1x1 20->100, 57x31 (small)", {.s = SHAPE(20, 57, 31, 100, 1, 1, 0), .bias = true}, .storage = F16},
        {"1x1 2500->16, 3x5", {.s = SHAPE(2500, 3, 5, 16, 1, 1, 0), .bias = true}},
        {"bn gelu scale sum",
         {.s = SHAPE(20, 6, 11, 20, 1, 1, 0), .bias = true, .norm = true, .act = NET_ACT_GELU, .scale = true, .residual = true}},
    };
    harness_pretend_gpu(true);
    CHECK_ROWS(rows);
    harness_pretend_gpu(false);
}

static void test_gpu_kernels(void)
{
    harness_pretend_gpu(true);
    test_kernels();
    harness_pretend_gpu(false);
}

/* Every row of the variants' table on shapes at a pixel and a quad beyond whole tiles; rows that the device lacks are skipped. */
static void test_variants(void)
{
    static const struct row rows[] = {
        {"1x1 300->20, 3x43", {.s = SHAPE(300, 3, 43, 20, 1, 1, 0), .bias = true}, .storage = F16},
        {"3x3 stride 2, 20->36, 15x18", {.s = SHAPE(20, 15, 18, 36, 3, 2, 1), .norm = true, .act = NET_ACT_RELU}, .storage = F16},
        {"1x1 40->120 rope, 9x17", {.s = SHAPE(40, 9, 17, 120, 1, 1, 0), .bias = true, .heads = 2}, .storage = F16},
    };
    harness_pretend_gpu(true);
    for (forced = 1; forced <= op_conv_variants(); forced++)
        if (op_conv_has_variant(gpu_caps(harness_gpu()), forced))
            CHECK_ROWS(rows);
    forced = 0;
    harness_pretend_gpu(false);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"1x1", test_pointwise},
                           {"kernels", test_kernels},
                           {"epilogues", test_epilogues},
                           {"tiles for GPUs", test_gpu_tiles},
                           {"kernels for GPUs", test_gpu_kernels},
                           {"every variant", test_variants},
                           CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "conv", tests);
}
