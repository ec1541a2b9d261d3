/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolutions over resized and summed maps (vk/net/mix.c), as the decoder has them; as built and mixed. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ref_conv.h"
#include "ref_norm.h"
#include "ref_scan.h"
#include "vk/net/lower.h"

struct mix_test {
    uint32_t c, h, w; /* input */
    uint32_t p, out;  /* channels of the parts, of the result */
    bool own;         /* parts of the output's size that nobody else reads */
    bool far;         /* the parts' convolutions are resized twice: the second one cannot change places */
    enum net_act act;
};

/* relu of a convolution, 3x3 and stride 2 */
static tensor halve(struct net *n, const char *name, tensor x, uint32_t out)
{
    return net_act(n, net_conv(n, name, x, &(struct net_conv){.out = out, .kernel = 3, .stride = 2, .pad = 1}), NET_ACT_RELU);
}

static tensor product(struct net *n, const char *name, tensor x, uint32_t out)
{
    return net_conv(n, name, x, &(struct net_conv){.out = out, .bias = true, .linear = true});
}

static tensor build(struct net *n, tensor x, const void *arg)
{
    const struct mix_test *t = arg;
    tensor half = halve(n, "half", x, t->c), quarter = halve(n, "quarter", half, t->c + 4);
    tensor a = product(n, "a", x, t->p), b = net_resize(n, product(n, "b", half, t->p), t->h, t->w);
    tensor q = product(n, "q", quarter, t->p);
    if (t->far)
        q = net_resize(n, q, (t->h + 1) / 2, (t->w + 1) / 2);
    q = net_resize(n, q, t->h, t->w);
    tensor pool = net_resize(n, net_pool(n, quarter), t->h, t->w), up = net_resize(n, quarter, t->h, t->w);
    tensor parts[6] = {a, pool, up, b, q};
    uint32_t count = 5;
    if (t->own) {
        tensor s = net_act(n, net_conv(n, "s", x, &(struct net_conv){.out = t->p}), NET_ACT_RELU);
        tensor o = net_act(n, net_conv(n, "o", up, &(struct net_conv){.out = t->p}), NET_ACT_RELU);
        parts[0] = s;
        parts[count++] = net_add(n, a, o);
        parts[3] = net_add(n, b, o);
    }
    tensor y = net_conv(n, "mix", net_concat(n, parts, count), &(struct net_conv){.out = t->out});
    y = net_batch_norm(n, "bn", y);
    return t->act ? net_act(n, y, t->act) : y;
}

/* ---- the same on planar tensors ---------------------------------------------------------------- */

struct map {
    uint32_t c, h, w;
    float *v;
};

static struct map new_map(uint32_t c, uint32_t h, uint32_t w)
{
    struct map m = {c, h, w, malloc((size_t)c * h * w * sizeof(float))};
    if (!m.v)
        abort();
    return m;
}

static struct map conv(const char *name, struct map x, uint32_t out, uint32_t kernel, bool linear, bool relu)
{
    uint32_t stride = kernel == 3 ? 2 : 1, pad = kernel / 2;
    struct map y = new_map(out, (x.h + 2 * pad - kernel) / stride + 1, (x.w + 2 * pad - kernel) / stride + 1);
    float *w = linear ? harness_weight_of(name, "weight", out, x.c, 0, 0) : harness_weight_of(name, "weight", out, x.c, kernel, kernel);
    float *bias = linear ? harness_weight_of(name, "bias", out, 0, 0, 0) : NULL;
    ref_conv(&(struct ref_conv){x.c, x.h, x.w, out, kernel, stride, pad}, x.v, w, bias, y.v);
    if (relu)
        ref_act(y.v, (size_t)y.c * y.h * y.w, NET_ACT_RELU, y.v);
    free(w);
    free(bias);
    return y;
}

static struct map resized(struct map x, uint32_t h, uint32_t w)
{
    struct map y = new_map(x.c, h, w);
    ref_resize(y.v, x.v, x.c, x.h, x.w, h, w);
    return y;
}

static struct map sum(struct map a, struct map b)
{
    struct map y = new_map(a.c, a.h, a.w);
    ref_add(a.v, b.v, (size_t)a.c * a.h * a.w, y.v);
    return y;
}

static void finish(const struct mix_test *t, struct map y, float *out)
{
    size_t pixels = (size_t)t->h * t->w;
    float *w[4] = {harness_weight_of("bn", "weight", t->out, 0, 0, 0), harness_weight_of("bn", "bias", t->out, 0, 0, 0),
                   harness_weight_of("bn", "running_mean", t->out, 0, 0, 0), harness_weight_of("bn", "running_var", t->out, 0, 0, 0)};
    ref_batch_norm(y.v, t->out, pixels, w[0], w[1], w[2], w[3], out);
    ref_act(out, t->out * pixels, t->act, out);
    for (int i = 0; i < 4; i++)
        free(w[i]);
}

static void reference(const float *input, float *out, const void *arg)
{
    const struct mix_test *t = arg;
    struct map x = {t->c, t->h, t->w, (float *)input}, m[20];
    uint32_t n = 0, h = t->h, w = t->w;
    struct map half = m[n++] = conv("half", x, t->c, 3, false, true), quarter = m[n++] = conv("quarter", half, t->c + 4, 3, false, true);
    struct map a = m[n++] = conv("a", x, t->p, 1, true, false), low = m[n++] = conv("b", half, t->p, 1, true, false);
    struct map b = m[n++] = resized(low, h, w), q = m[n++] = conv("q", quarter, t->p, 1, true, false),
               mean = m[n++] = new_map(quarter.c, 1, 1);
    if (t->far)
        q = m[n++] = resized(q, (h + 1) / 2, (w + 1) / 2);
    ref_pool(mean.v, quarter.v, quarter.c, quarter.h, quarter.w);
    struct map up = m[n++] = resized(quarter, h, w), part[6] = {a, m[n++] = resized(mean, h, w), up, b, m[n++] = resized(q, h, w)};
    uint32_t count = 5, c = 0;
    if (t->own) {
        struct map o = m[n++] = conv("o", up, t->p, 1, false, true);
        part[0] = m[n++] = conv("s", x, t->p, 1, false, true);
        part[3] = m[n++] = sum(b, o);
        part[count++] = m[n++] = sum(a, o);
    }
    for (uint32_t i = 0; i < count; i++)
        c += part[i].c;
    struct map all = m[n++] = new_map(c, h, w);
    float *to = all.v;
    for (uint32_t i = 0; i < count; to += (size_t)part[i].c * h * w, i++)
        memcpy(to, part[i].v, (size_t)part[i].c * h * w * sizeof(*to));
    finish(t, m[n++] = conv("mix", all, t->out, 1, false, false), out);
    for (uint32_t i = 0; i < n; i++)
        free(m[i].v);
}

/* In half precision; the rest is the caller's. */
static struct harness_case case_of(const char *name, const struct mix_test *t)
{
    return (struct harness_case){
        .name = name, .c = t->c, .h = t->h, .w = t->w, .build = build, .reference = reference, .arg = t, .f16 = 2e-3};
}

static void check(const char *name, struct mix_test t)
{
    char text[128];
    for (int no_fuse = 0; no_fuse < 2; no_fuse++) {
        snprintf(text, sizeof(text), "%s%s", name, no_fuse ? ", as built" : "");
        struct harness_case c = case_of(text, &t);
        c.f32 = 1e-6;
        c.no_fuse = no_fuse;
        harness_check(&c);
    }
}

static void test_sums(void)
{
    check("mix, sum of resized maps", (struct mix_test){12, 13, 18, 20, 36, .act = NET_ACT_RELU});
    check("mix, sum without activation", (struct mix_test){8, 16, 12, 16, 19});
    check("mix, odd channels", (struct mix_test){5, 9, 7, 6, 11, .act = NET_ACT_RELU});
    check("mix, resized twice", (struct mix_test){12, 22, 17, 20, 16, .far = true, .act = NET_ACT_RELU});
}

static void test_last_parts(void)
{
    check("mix, parts of the output's size", (struct mix_test){12, 13, 18, 20, 36, .own = true, .act = NET_ACT_RELU});
    check("mix, parts of the output's size, gelu", (struct mix_test){36, 33, 8, 20, 44, .own = true, .act = NET_ACT_GELU});
    check("mix, parts of the output's size, odd channels", (struct mix_test){6, 9, 15, 7, 13, .own = true, .act = NET_ACT_RELU});
}

/* Every row of the convolutions' table that the device has adds before the activation. */
static void test_variants(void)
{
    const struct mix_test t = {16, 9, 17, 24, 40, .own = true, .act = NET_ACT_RELU};
    harness_pretend_gpu(true);
    for (uint32_t row = 1; row <= op_conv_variants(); row++)
        if (op_conv_has_variant(gpu_caps(harness_gpu()), row)) {
            struct harness_case c = case_of("mix, 9x17", &t);
            c.conv_variant = row;
            harness_check(&c);
        }
    harness_pretend_gpu(false);
}

/* Whether a pass of this scope is left. */
static bool runs(const struct net_program *p, const char *scope)
{
    const struct net_pass *pass;
    size_t n = net_program_passes(p, &pass);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(pass[i].scope, scope))
            return true;
    return false;
}

/* What is multiplied into others vanishes, but not where somebody wants to see it. */
static void test_taps(void)
{
    const struct mix_test t = {12, 13, 18, 20, 36, .own = true, .act = NET_ACT_RELU};
    const char *const tap = "b";
    for (size_t taps = 0; taps < 2; taps++) {
        struct segman_error error = {0};
        struct net *n = harness_net();
        net_output(n, build(n, net_input(n, t.c, t.h, t.w), &t));
        struct net_program *p = net_program_create(harness_gpu(), n, &(struct net_program_params){.taps = &tap, .n_taps = taps}, &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        struct net_memory m;
        CU_ASSERT(!runs(p, "q") && runs(p, "o"));
        CU_ASSERT_EQUAL(runs(p, "b"), taps != 0);
        CU_ASSERT_EQUAL(net_program_tap(p, "b", &m), taps != 0);
        net_program_destroy(p);
        net_destroy(n);
    }
}

/* Several convolutions of one concatenation: mixing makes more nodes than it spares. */
static void test_shared(void)
{
    struct segman_error error = {0};
    struct net *n = harness_net();
    tensor x = net_input(n, 8, 16, 16), half = halve(n, "half", x, 8), quarter = halve(n, "quarter", half, 8);
    tensor all = net_concat(n, (tensor[]){net_resize(n, half, 16, 16), net_resize(n, quarter, 16, 16)}, 2), part[6];
    for (int i = 0; i < 6; i++)
        part[i] = product(n, (const char *[]){"0", "1", "2", "3", "4", "5"}[i], all, 8);
    net_output(n, net_concat(n, part, 6));
    struct net_program *p = net_program_create(harness_gpu(), n, &(struct net_program_params){.f16 = false}, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    const struct net_pass *pass;
    CU_ASSERT_EQUAL(net_program_passes(p, &pass), 2 + 6 * 3); /* each: two products and their sum */
    net_program_destroy(p);
    net_destroy(n);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"sums", test_sums}, {"last parts", test_last_parts}, {"every variant", test_variants},
                           {"taps", test_taps}, {"shared", test_shared},         CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "mix", tests);
}
