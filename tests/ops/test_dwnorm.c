/* SPDX-License-Identifier: Apache-2.0 */
/* x + depthwise(x) and its layer norm, fused into one pass; concatenations that are written in place. */
#include "harness.h"
#include "ref_dwconv.h"
#include "ref_norm.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    uint32_t c, h, w, kernel;
};

/* Both outputs of the fused op: the norm, then the sum. */
static tensor build_pair(struct net *n, tensor x, const void *arg)
{
    const struct pair *p = arg;
    tensor sum = net_add(n, x, net_dwconv(n, "cpe", x, p->kernel));
    tensor norm = net_layer_norm(n, "norm", sum);
    return net_concat(n, (tensor[]){norm, sum}, 2);
}

static void reference_pair(const float *x, float *out, const void *arg)
{
    const struct pair *p = arg;
    size_t pixels = (size_t)p->h * p->w, count = pixels * p->c;
    float *weight = harness_weight_of("cpe", "weight", p->c, 1, p->kernel, p->kernel),
          *bias = harness_weight_of("cpe", "bias", p->c, 0, 0, 0);
    float *norm_weight = harness_weight_of("norm", "weight", p->c, 0, 0, 0), *norm_bias = harness_weight_of("norm", "bias", p->c, 0, 0, 0);
    float *sum = out + count;
    ref_dwconv(x, p->c, p->h, p->w, p->kernel, weight, bias, sum);
    ref_add(sum, x, count, sum);
    ref_layer_norm(sum, p->c, pixels, norm_weight, norm_bias, out);
    free(weight);
    free(bias);
    free(norm_weight);
    free(norm_bias);
}

static void check_pair(const char *name, struct pair p)
{
    for (int way = 0; way < 3; way++) { /* as the device is, as a GPU, as a GPU without whole subgroups */
        harness_pretend_gpu(way > 0);
        harness_pretend_no_subgroups(way > 1);
        harness_check(&(struct harness_case){.name = name,
                                             .c = p.c,
                                             .h = p.h,
                                             .w = p.w,
                                             .build = build_pair,
                                             .reference = reference_pair,
                                             .arg = &p,
                                             .f32 = 1e-6,
                                             .f16 = 6e-4});
    }
    harness_pretend_gpu(false);
    harness_pretend_no_subgroups(false);
}

static void test_pair(void)
{
    check_pair("pair 32x9x33", (struct pair){32, 9, 33, 3});
    check_pair("pair 364x7x5", (struct pair){364, 7, 5, 3});
    check_pair("pair 20x1x1", (struct pair){20, 1, 1, 3});
    check_pair("pair 36x17x3", (struct pair){36, 17, 3, 3});
    check_pair("pair 40x99x147", (struct pair){40, 99, 147, 3});   /* strips of two pixels */
    check_pair("pair 68x111x130", (struct pair){68, 111, 130, 3}); /* of four, the last of a row with two */
    check_pair("pair 19x4x9", (struct pair){19, 4, 9, 3});
    check_pair("pair 672x7x7", (struct pair){672, 7, 7, 3});
    check_pair("pair 64x5x130", (struct pair){64, 5, 130, 5});
}

/* Parts of 12 and 8 channels and a padded end: every part is written in place, the last one with the zeros after it. */
static tensor build_parts(struct net *n, tensor x, const void *arg)
{
    (void)arg;
    tensor a = net_act(n, x, NET_ACT_RELU), b = net_act(n, net_slice(n, x, 0, 8), NET_ACT_SILU);
    return net_concat(n, (tensor[]){a, b, net_add(n, a, a)}, 3);
}

static void reference_parts(const float *x, float *out, const void *arg)
{
    const size_t pixels = *(const size_t *)arg;
    ref_act(x, 12 * pixels, NET_ACT_RELU, out);
    ref_act(x, 8 * pixels, NET_ACT_SILU, out + 12 * pixels);
    ref_add(out, out, 12 * pixels, out + 20 * pixels);
}

static void test_parts(void)
{
    const size_t pixels = 5 * 11;
    harness_check(&(struct harness_case){.name = "concat in place",
                                         .c = 12,
                                         .h = 5,
                                         .w = 11,
                                         .build = build_parts,
                                         .reference = reference_parts,
                                         .arg = &pixels,
                                         .f32 = 1e-6,
                                         .f16 = 4e-4});
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"sum and norm", test_pair}, {"concat in place", test_parts}, CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "dwnorm", tests);
}
