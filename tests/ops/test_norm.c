/* SPDX-License-Identifier: Apache-2.0 */
/* Layer norm; batch norm, activations, layer scale and sums on their own. */
#include "harness.h"
#include "ref_norm.h"

#include <stdlib.h>

struct norm_test {
    uint32_t c, h, w;
    enum { LAYER_NORM, LAYER_NORM_SUM, BATCH_NORM, ACT, SCALE, ADD } op;
    enum net_act act;
    uint32_t first, within; /* x is channels [first, first + c) of a tensor of `within`; 0: whole */
};

static tensor build(struct net *n, tensor x, const void *arg)
{
    const struct norm_test *t = arg;
    if (t->within)
        x = net_slice(n, x, t->first, t->c);
    switch (t->op) {
    case LAYER_NORM:
        return net_layer_norm(n, "norm", x);
    case LAYER_NORM_SUM:
        return net_add(n, net_layer_norm(n, "norm", x), x);
    case BATCH_NORM:
        return net_batch_norm(n, "norm", x);
    case ACT:
        return net_act(n, x, t->act);
    case SCALE:
        return net_scale(n, "scale", x);
    case ADD:
        return net_add(n, x, x);
    }
    return x;
}

static void reference(const float *x, float *out, const void *arg)
{
    const struct norm_test *t = arg;
    uint32_t c = t->c;
    size_t pixels = (size_t)t->h * t->w;
    float *w[6] = {harness_weight_of("norm", "weight", c, 0, 0, 0),       harness_weight_of("norm", "bias", c, 0, 0, 0),
                   harness_weight_of("norm", "running_mean", c, 0, 0, 0), harness_weight_of("norm", "running_var", c, 0, 0, 0),
                   harness_weight_of("scale", "weight", c, 1, 1, 1),      harness_weight_of("scale", "bias", c, 0, 0, 0)};
    if (t->within)
        x += t->first * pixels;
    if (t->op == LAYER_NORM || t->op == LAYER_NORM_SUM)
        ref_layer_norm(x, c, pixels, w[0], w[1], out);
    if (t->op == LAYER_NORM_SUM)
        ref_add(out, x, c * pixels, out);
    if (t->op == BATCH_NORM)
        ref_batch_norm(x, c, pixels, w[0], w[1], w[2], w[3], out);
    else if (t->op == ACT)
        ref_act(x, c * pixels, t->act, out);
    else if (t->op == SCALE)
        ref_scale(x, c, pixels, w[4], w[5], out);
    else if (t->op == ADD)
        ref_add(x, x, c * pixels, out);
    for (int i = 0; i < 6; i++)
        free(w[i]);
}

static void check_scaled(const char *name, struct norm_test t, float scale, float offset, double f32)
{
    harness_check(&(struct harness_case){.name = name,
                                         .c = t.within ? t.within : t.c,
                                         .h = t.h,
                                         .w = t.w,
                                         .scale = scale,
                                         .offset = offset,
                                         .build = build,
                                         .reference = reference,
                                         .arg = &t,
                                         .f32 = f32,
                                         .f16 = 4e-4});
}

static void check(const char *name, struct norm_test t)
{
    check_scaled(name, t, 1, 0, 1e-6);
}

static void test_layer_norm(void)
{
    check("layer norm, 4 channels, one pixel", (struct norm_test){4, 1, 1, LAYER_NORM});
    check("layer norm, 32 channels, 9x15", (struct norm_test){32, 9, 15, LAYER_NORM});
    check("layer norm, 36 channels, 5x7", (struct norm_test){36, 5, 7, LAYER_NORM});
    check("layer norm, 19 channels, 5x7", (struct norm_test){19, 5, 7, LAYER_NORM});
    check("layer norm, 144 channels, 33x4", (struct norm_test){144, 33, 4, LAYER_NORM});
    check("layer norm, 364 channels, 5x3", (struct norm_test){364, 5, 3, LAYER_NORM});
    check("layer norm, 720 channels, 3x3", (struct norm_test){720, 3, 3, LAYER_NORM});
    check("layer norm of a slice", (struct norm_test){36, 4, 5, LAYER_NORM, .first = 12, .within = 60});
    check("layer norm and sum", (struct norm_test){36, 4, 5, LAYER_NORM_SUM});
    check("layer norm of a slice and sum", (struct norm_test){20, 4, 5, LAYER_NORM_SUM, .first = 12, .within = 60});
    /* A mean far from zero: the variance must not be taken as a difference of large sums. */
    check_scaled("layer norm, mean 100", (struct norm_test){144, 5, 5, LAYER_NORM}, 1, 100, 1e-5);
    check_scaled("layer norm, tiny values", (struct norm_test){64, 5, 5, LAYER_NORM}, 1e-3f, 0, 1e-6);
}

static void test_pointwise(void)
{
    check("batch norm, 36 channels, 5x7", (struct norm_test){36, 5, 7, BATCH_NORM});
    check("layer scale, 364 channels, 3x5", (struct norm_test){364, 3, 5, SCALE});
    check("sum, 20 channels, 7x3", (struct norm_test){20, 7, 3, ADD});
    check("sum of slices", (struct norm_test){20, 7, 3, ADD, .first = 12, .within = 36});
    check("relu of a slice", (struct norm_test){12, 7, 3, ACT, .act = NET_ACT_RELU, .first = 4, .within = 36});
    check("relu, 13 channels", (struct norm_test){13, 9, 3, ACT, .act = NET_ACT_RELU});
}

/* The whole range: tails must not become NaN, small values must keep their relative accuracy. */
static void test_activations(void)
{
    check_scaled("gelu, [-1, 1)", (struct norm_test){20, 7, 9, ACT, .act = NET_ACT_GELU}, 1, 0, 1e-6);
    check_scaled("gelu, [-30, 30)", (struct norm_test){20, 7, 9, ACT, .act = NET_ACT_GELU}, 30, 0, 1e-6);
    check_scaled("silu, [-1, 1)", (struct norm_test){20, 7, 9, ACT, .act = NET_ACT_SILU}, 1, 0, 1e-6);
    check_scaled("silu, [-200, 200)", (struct norm_test){20, 7, 9, ACT, .act = NET_ACT_SILU}, 200, 0, 1e-6);
}

static void test_gpu_choices(void)
{
    harness_pretend_gpu(true);
    test_layer_norm();
    harness_pretend_no_subgroups(true);
    test_layer_norm();
    harness_pretend_no_subgroups(false);
    harness_pretend_gpu(false);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"layer norm", test_layer_norm},
                           {"pointwise", test_pointwise},
                           {"activations", test_activations},
                           {"choices for GPUs", test_gpu_choices},
                           CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "norm", tests);
}
