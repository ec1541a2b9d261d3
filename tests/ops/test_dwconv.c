/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution with the epilogues that the fuser makes. */
#include "harness.h"
#include "ref_dwconv.h"
#include "ref_norm.h"

#include <stdlib.h>

struct dwconv_test {
    uint32_t c, h, w, kernel;
    bool norm;
    enum net_act act;
    bool residual;
    uint32_t first, within; /* x is channels [first, first + c) of a tensor of `within`; 0: whole */
};

static tensor build(struct net *n, tensor x, const void *arg)
{
    const struct dwconv_test *t = arg;
    if (t->within)
        x = net_slice(n, x, t->first, t->c);
    tensor y = net_dwconv(n, "conv", x, t->kernel);
    if (t->norm)
        y = net_batch_norm(n, "bn", y);
    if (t->act)
        y = net_act(n, y, t->act);
    return t->residual ? net_add(n, x, y) : y;
}

static void reference(const float *x, float *out, const void *arg)
{
    const struct dwconv_test *t = arg;
    uint32_t c = t->c;
    size_t pixels = (size_t)t->h * t->w;
    float *w[6] = {harness_weight_of("conv", "weight", c, 1, t->kernel, t->kernel),
                   harness_weight_of("conv", "bias", c, 0, 0, 0),
                   harness_weight_of("bn", "weight", c, 0, 0, 0),
                   harness_weight_of("bn", "bias", c, 0, 0, 0),
                   harness_weight_of("bn", "running_mean", c, 0, 0, 0),
                   harness_weight_of("bn", "running_var", c, 0, 0, 0)};
    if (t->within)
        x += t->first * pixels;
    ref_dwconv(x, c, t->h, t->w, t->kernel, w[0], w[1], out);
    if (t->norm)
        ref_batch_norm(out, c, pixels, w[2], w[3], w[4], w[5], out);
    ref_act(out, c * pixels, t->act, out);
    if (t->residual)
        ref_add(out, x, c * pixels, out);
    for (int i = 0; i < 6; i++)
        free(w[i]);
}

static void check(const char *name, struct dwconv_test t, bool no_fuse)
{
    harness_check(&(struct harness_case){.name = name,
                                         .c = t.within ? t.within : t.c,
                                         .h = t.h,
                                         .w = t.w,
                                         .build = build,
                                         .reference = reference,
                                         .arg = &t,
                                         .f32 = 1e-6,
                                         .f16 = 6e-4,
                                         .no_fuse = no_fuse});
}

static void test_sizes(void)
{
    check("3x3 4 channels, one pixel", (struct dwconv_test){4, 1, 1, 3}, false);
    check("3x3 20 channels, 7x9", (struct dwconv_test){20, 7, 9, 3}, false);
    check("3x3 36 channels, 5x3", (struct dwconv_test){36, 5, 3, 3}, false);
    check("3x3 364 channels, 9x6", (struct dwconv_test){364, 9, 6, 3}, false);
    check("3x3 19 channels, 4x4", (struct dwconv_test){19, 4, 4, 3}, false);
    check("3x3 64 channels, 66x65", (struct dwconv_test){64, 66, 65, 3}, false);
    check("5x5 28 channels, 7x11", (struct dwconv_test){28, 7, 11, 5}, false);
    check("5x5 8 channels, 2x1", (struct dwconv_test){8, 2, 1, 5}, false);
    check("7x7 12 channels, 9x5", (struct dwconv_test){12, 9, 5, 7}, false);
}

static void test_epilogues(void)
{
    for (int no_fuse = 0; no_fuse < 2; no_fuse++) {
        check(no_fuse ? "bn silu, unfused" : "bn silu", (struct dwconv_test){20, 6, 7, 3, .norm = true, .act = NET_ACT_SILU}, no_fuse);
        check(no_fuse ? "sum, unfused" : "sum", (struct dwconv_test){20, 6, 7, 3, .residual = true}, no_fuse);
        check(no_fuse ? "bn gelu sum, unfused" : "bn gelu sum",
              (struct dwconv_test){36, 6, 7, 3, .norm = true, .act = NET_ACT_GELU, .residual = true}, no_fuse);
    }
}

static void test_views(void)
{
    check("5x5 of the v of qkv, 3x36", (struct dwconv_test){36, 8, 9, 5, .first = 72, .within = 108}, false);
    check("5x5 of the v of qkv, 3x364", (struct dwconv_test){364, 4, 5, 5, .first = 728, .within = 1092}, false);
    check("3x3 of a slice with a sum", (struct dwconv_test){20, 5, 6, 3, .residual = true, .first = 4, .within = 28}, false);
}

/* Tiles in shared memory; the slice by 4 channels is not aligned for them. */
static void test_as_gpu(void)
{
    harness_pretend_gpu(true);
    test_sizes();
    test_epilogues();
    test_views();
    check("5x5 36 channels, 17x9, sum", (struct dwconv_test){36, 9, 17, 5, .residual = true}, false);
    check("3x3 356 channels, 131x130, sum", (struct dwconv_test){356, 130, 131, 3, .residual = true}, false); /* a large map */
    harness_pretend_gpu(false);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"sizes", test_sizes}, {"epilogues", test_epilogues}, {"views", test_views}, {"as a GPU", test_as_gpu}, CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "dwconv", tests);
}
