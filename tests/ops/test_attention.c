/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions, neighborhood attention, global attention. */
#include "harness.h"
#include "ref_attention.h"

#include <math.h>
#include <stdlib.h>

struct attention_test {
    uint32_t d, heads, h, w;
    uint32_t window; /* neighborhood attention */
    uint32_t side;   /* global attention: of its bias table */
    bool f32_only;   /* a CPU driver takes a second to compile each pipeline */
};

static float *table(const char *name, uint32_t heads, uint32_t side)
{
    return harness_weight(name, 3, (const uint64_t[]){heads, side, side});
}

/* A case on a qkv tensor; its budgets are the caller's. */
static struct harness_case case_of(const char *name, const struct attention_test *t, float scale,
                                   tensor (*build)(struct net *n, tensor x, const void *arg),
                                   void (*reference)(const float *x, float *out, const void *arg))
{
    return (struct harness_case){
        .name = name, .c = 3 * t->d * t->heads, .h = t->h, .w = t->w, .scale = scale, .build = build, .reference = reference, .arg = t};
}

/* ---- rope -------------------------------------------------------------------------------------- */

static tensor build_rope(struct net *n, tensor x, const void *arg)
{
    const struct attention_test *t = arg;
    return net_rope(n, x, t->heads);
}

static void reference_rope(const float *x, float *out, const void *arg)
{
    const struct attention_test *t = arg;
    ref_rope(out, x, t->d * t->heads, t->h, t->w, t->heads);
}

static void rope(const char *name, struct attention_test t)
{
    struct harness_case c = case_of(name, &t, 0, build_rope, reference_rope);
    c.f32 = 2e-7;
    c.f16 = 2.5e-4;
    harness_check(&c);
}

static void test_rope(void)
{
    rope("rope, head of 4, one pixel", (struct attention_test){4, 1, 1, 1});
    rope("rope, 2 heads of 8, 3x2", (struct attention_test){8, 2, 3, 2});
    rope("rope, head of 20, 9x3", (struct attention_test){20, 1, 9, 3});
    rope("rope, 13 heads of 28, 7x9", (struct attention_test){28, 13, 7, 9});
    rope("rope, 2 heads of 36, 33x65", (struct attention_test){36, 2, 33, 65});
    rope("rope, head of 32, 2x513", (struct attention_test){32, 1, 2, 513});
}

/* What torch 1.13 says: 1.0 / (10000 ** torch.linspace(0, 1, pairs)). */
static void test_rope_angles(void)
{
    static const float eight[] = {0x1p+0f,       0x1.12b542p-2f,  0x1.26c88p-4f,   0x1.3c535p-6f,
                                  0x1.53713p-8f, 0x1.6c3f72p-10f, 0x1.86ddd2p-12f, 0x1.a36e2ep-14f};
    for (uint32_t j = 0; j < 8; j++)
        CU_ASSERT_EQUAL(ref_rope_angle(j, 8), eight[j]);
}

/* ---- neighborhood attention -------------------------------------------------------------------- */

static tensor build_natten(struct net *n, tensor x, const void *arg)
{
    const struct attention_test *t = arg;
    return net_natten(n, "rpb.0", x, t->heads, t->window);
}

static void reference_natten(const float *x, float *out, const void *arg)
{
    const struct attention_test *t = arg;
    float *rpb = table("rpb.0", t->heads, 2 * t->window - 1);
    ref_natten(out, x, rpb, t->d * t->heads, t->h, t->w, t->heads, t->window);
    free(rpb);
}

static void natten_scaled(const char *name, struct attention_test t, float scale)
{
    struct harness_case c = case_of(name, &t, scale, build_natten, reference_natten);
    c.f32 = 3e-6;
    c.f16 = t.f32_only ? 0 : 3e-4;
    harness_check(&c);
}

static void natten(const char *name, struct attention_test t)
{
    natten_scaled(name, t, 1.5f);
}

/* Sizes: as small as the window, and one beyond a workgroup's tile. */
static void test_natten(void)
{
    natten("natten, window 7, head of 20, 7x7", (struct attention_test){20, 1, 7, 7, .window = 7});
    natten("natten, window 7, 13 heads of 28, 9x10", (struct attention_test){28, 13, 9, 10, .window = 7});
    natten("natten, window 9, 2 heads of 36, 19x17", (struct attention_test){36, 2, 19, 17, .window = 9});
    natten("natten, window 11, head of 32, 17x33", (struct attention_test){32, 1, 17, 33, .window = 11});
    natten("natten, window 11, head of 24, 11x12", (struct attention_test){24, 1, 11, 12, .window = 11, .f32_only = true});
    natten("natten, window 6, 2 heads of 8, 16x17", (struct attention_test){8, 2, 16, 17, .window = 6});
    natten("natten, window 3, head of 4, 5x4", (struct attention_test){4, 1, 5, 4, .window = 3, .f32_only = true});
    natten("natten, window 1, head of 12, 3x5", (struct attention_test){12, 1, 3, 5, .window = 1, .f32_only = true});
    natten("natten, window 31, head of 4, 33x31", (struct attention_test){4, 1, 33, 31, .window = 31, .f32_only = true});
}

/* Logits of thousands: a single key wins, nothing overflows. */
static void test_natten_range(void)
{
    natten_scaled("natten, large logits", (struct attention_test){28, 1, 9, 10, .window = 7}, 60);
}

/* Every tile that the lowering may choose for a GPU. */
static void test_natten_tiles(void)
{
    harness_pretend_gpu(true);
    natten("natten, tile 16x16", (struct attention_test){4, 1, 257, 256, .window = 3});
    natten("natten, tile 16x8", (struct attention_test){4, 2, 130, 130, .window = 3, .f32_only = true});
    natten("natten, tile 16x4", (struct attention_test){4, 1, 130, 130, .window = 5});
    natten("natten, tile 16x2", (struct attention_test){4, 1, 97, 81, .window = 5, .f32_only = true});
    natten("natten, tile 16x1, 13 heads of 28, 9x10", (struct attention_test){28, 13, 9, 10, .window = 7});
    natten("natten, tile 16x1, 2 heads of 36, 19x17", (struct attention_test){36, 2, 19, 17, .window = 9, .f32_only = true});
    natten("natten, tile 16x1, window as the map", (struct attention_test){4, 1, 6, 6, .window = 6, .f32_only = true});
    natten("natten, tile 16x1, window 31", (struct attention_test){4, 1, 33, 31, .window = 31, .f32_only = true});
    harness_pretend_gpu(false);
}

/* ---- global attention -------------------------------------------------------------------------- */

static tensor build_attention(struct net *n, tensor x, const void *arg)
{
    const struct attention_test *t = arg;
    uint32_t c = t->d * t->heads;
    return net_attention(n, "rpb.1", x, net_slice(n, x, 2 * c, c), t->heads, t->side);
}

static void reference_attention(const float *x, float *out, const void *arg)
{
    const struct attention_test *t = arg;
    uint32_t c = t->d * t->heads;
    float *bias = table("rpb.1", t->heads, t->side * t->side);
    ref_attention(out, x, x + (size_t)2 * c * t->h * t->w, bias, c, t->h, t->w, t->heads, t->side);
    free(bias);
}

static void attention_scaled(const char *name, struct attention_test t, float scale)
{
    struct harness_case c = case_of(name, &t, scale, build_attention, reference_attention);
    c.f32 = 5e-6;
    c.f16 = t.f32_only ? 0 : 3e-4;
    harness_check(&c);
}

static void attention(const char *name, struct attention_test t)
{
    attention_scaled(name, t, 1.5f);
}

static void test_attention(void)
{
    attention("attention, head of 24, 7x7: bias as it is", (struct attention_test){24, 1, 7, 7, .side = 7, .f32_only = true});
    attention("attention, head of 20, 7x8", (struct attention_test){20, 1, 7, 8, .side = 7});
    attention("attention, 2 heads of 28, 9x13", (struct attention_test){28, 2, 9, 13, .side = 7});
    attention("attention, 2 heads of 36, 16x16", (struct attention_test){36, 2, 16, 16, .side = 7, .f32_only = true});
    attention("attention, head of 12, 5x5: bias shrinks", (struct attention_test){12, 1, 5, 5, .side = 7, .f32_only = true});
    attention("attention, head of 8, 33x13, side 2", (struct attention_test){8, 1, 33, 13, .side = 2});
    attention("attention, head of 4, one token", (struct attention_test){4, 1, 1, 1, .side = 3, .f32_only = true});
    attention_scaled("attention, large logits", (struct attention_test){28, 1, 9, 10, .side = 7}, 60);
}

/* Queries plus what attends to them. */
static tensor build_added(struct net *n, tensor x, const void *arg)
{
    const struct attention_test *t = arg;
    return net_add(n, net_slice(n, x, 0, t->d * t->heads), build_attention(n, x, arg));
}

static void reference_added(const float *x, float *out, const void *arg)
{
    const struct attention_test *t = arg;
    size_t count = (size_t)t->d * t->heads * t->h * t->w;
    reference_attention(x, out, arg);
    for (size_t i = 0; i < count; i++)
        out[i] += x[i];
}

static void added(const char *name, struct attention_test t, bool no_fuse)
{
    struct harness_case c = case_of(name, &t, 1.5f, build_added, reference_added);
    c.no_fuse = no_fuse;
    c.f32 = 5e-6;
    c.f16 = 4e-4;
    harness_check(&c);
}

static void test_residual(void)
{
    added("attention, sum, 3 heads of 12, 7x9", (struct attention_test){12, 3, 7, 9, .side = 7}, false);
    added("attention, sum, 3 heads of 12, 7x9, unfused", (struct attention_test){12, 3, 7, 9, .side = 7}, true);
    added("attention, sum, 2 heads of 28, 9x13", (struct attention_test){28, 2, 9, 13, .side = 7}, false);
}

static void test_attention_tiles(void)
{
    harness_pretend_gpu(true);
    attention("attention, 256 queries a workgroup", (struct attention_test){4, 128, 13, 20, .side = 3, .f32_only = true});
    attention("attention, 128 queries a workgroup", (struct attention_test){4, 86, 13, 20, .side = 3, .f32_only = true});
    attention("attention, 64 queries a workgroup", (struct attention_test){4, 52, 13, 20, .side = 3, .f32_only = true});
    attention("attention, 32 queries a workgroup", (struct attention_test){4, 29, 13, 20, .side = 3});
    attention("attention, 16 queries a workgroup", (struct attention_test){4, 16, 13, 20, .side = 3, .f32_only = true});
    attention("attention, 8 queries a workgroup, 2 heads of 28", (struct attention_test){28, 2, 9, 13, .side = 7});
    attention("attention, 8 queries a workgroup, head of 36", (struct attention_test){36, 1, 8, 8, .side = 7, .f32_only = true});
    attention("attention, head of 64: no parts", (struct attention_test){64, 1, 7, 7, .side = 7, .f32_only = true});
    attention("attention, 8 queries a workgroup, bias shrinks", (struct attention_test){8, 1, 5, 5, .side = 7, .f32_only = true});
    harness_pretend_gpu(false);
}

/* ---- on cooperative matrices ------------------------------------------------------------------- */

/* Where the device has them (else natten.comp, attention.comp): a CPU driver takes seconds to compile each. */
static void matrices(const char *name, struct attention_test t, float scale)
{
    struct harness_case c = t.window ? case_of(name, &t, scale, build_natten, reference_natten)
                                     : case_of(name, &t, scale, build_attention, reference_attention);
    c.f16 = 3e-4;
    harness_check(&c);
}

static void test_natten_matrices(void)
{
    harness_pretend_gpu(true);
    matrices("natten, matrices, window 3, 3 heads of 12, 11x19", (struct attention_test){12, 3, 11, 19, .window = 3}, 1.5f);
    matrices("natten, matrices, window 4, head of 20, 9x17", (struct attention_test){20, 1, 9, 17, .window = 4}, 1.5f);
    matrices("natten, matrices, window 10, head of 8, 21x22", (struct attention_test){8, 1, 21, 22, .window = 10}, 1.5f);
    matrices("natten, matrices, window 7, 9 heads of 20, 40x41", (struct attention_test){20, 9, 40, 41, .window = 7}, 1.5f);
    matrices("natten, matrices, window 11, 4 heads of 36, 65x130", (struct attention_test){36, 4, 65, 130, .window = 11}, 1.5f);
    matrices("natten, matrices, window 4, large logits", (struct attention_test){20, 1, 9, 17, .window = 4}, 60);
    harness_pretend_gpu(false);
}

static void test_attention_matrices(void)
{
    harness_pretend_gpu(true);
    matrices("attention, matrices, head of 24, 7x7: bias as it is", (struct attention_test){24, 1, 7, 7, .side = 7}, 1.5f);
    matrices("attention, matrices, 2 heads of 28, 9x13", (struct attention_test){28, 2, 9, 13, .side = 7}, 1.5f);
    matrices("attention, matrices, head of 36, 5x5: bias shrinks", (struct attention_test){36, 1, 5, 5, .side = 7}, 1.5f);
    matrices("attention, matrices, 2 heads of 24, 16x8: bias at an eighth", (struct attention_test){24, 2, 16, 8, .side = 4}, 1.5f);
    matrices("attention, matrices, head of 32, 16x16: bias as it is", (struct attention_test){32, 1, 16, 16, .side = 16}, 1.5f);
    matrices("attention, matrices, 32 queries a workgroup", (struct attention_test){4, 57, 13, 20, .side = 3}, 1.5f);
    matrices("attention, matrices, large logits", (struct attention_test){28, 1, 9, 10, .side = 7}, 60);
    added("attention, matrices, sum, 3 heads of 12, 7x9", (struct attention_test){12, 3, 7, 9, .side = 7}, false);
    harness_pretend_gpu(false);
}

/* What torch 1.13 says: F.interpolate(mode="bicubic", align_corners=False) of t[i][j] = ((28 i + 21 j) % 11) / 4 - 1. */
static void test_bicubic(void)
{
    static const double seven[][3] = {{-1.4239375591278076, -0.18862201273441315, 1.4769182205200195},
                                      {-0.5670836567878723, 0.14632931351661682, 1.0808775424957275},
                                      {0.48110929131507874, 0.4635305404663086, 0.40197670459747314}};
    static const double three[][3] = {{-0.45569881796836853, 1.4142436981201172, 0.8252711296081543},
                                      {-0.22188791632652283, 0.034424010664224625, 0.559886634349823},
                                      {0.4738011062145233, 0.3592303693294525, 0.24465975165367126}};
    float t[16];
    for (uint32_t i = 0; i < 16; i++)
        t[i] = (float)((28 * (i / 4) + 21 * (i % 4)) % 11) / 4 - 1;
    for (uint32_t i = 0; i < 9; i++) {
        CU_ASSERT_DOUBLE_EQUAL(ref_bicubic(t, 4, 7, i / 3, i % 3), seven[i / 3][i % 3], 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(ref_bicubic(t, 4, 3, i / 3, i % 3), three[i / 3][i % 3], 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(ref_bicubic(t, 4, 4, i / 3, i % 3), t[i / 3 * 4 + i % 3], 0);
    }
}

/* ---- all three, as in the last stage ------------------------------------------------------------ */

static tensor build_stage(struct net *n, tensor x, const void *arg)
{
    const struct attention_test *t = arg;
    tensor qkv = net_rope(n, x, t->heads);
    return net_attention(n, "rpb.1", qkv, net_natten(n, "rpb.0", qkv, t->heads, t->window), t->heads, t->side);
}

static void reference_stage(const float *x, float *out, const void *arg)
{
    const struct attention_test *t = arg;
    uint32_t c = t->d * t->heads, n = t->h * t->w;
    float *qkv = malloc(sizeof(*qkv) * 4 * c * n), *v = qkv + (size_t)3 * c * n;
    float *rpb = table("rpb.0", t->heads, 2 * t->window - 1), *bias = table("rpb.1", t->heads, t->side * t->side);
    if (!qkv)
        abort();
    ref_rope(qkv, x, c, t->h, t->w, t->heads);
    ref_natten(v, qkv, rpb, c, t->h, t->w, t->heads, t->window);
    ref_attention(out, qkv, v, bias, c, t->h, t->w, t->heads, t->side);
    free(qkv);
    free(rpb);
    free(bias);
}

static void test_stage(void)
{
    struct attention_test t = {28, 3, 9, 10, .window = 7, .side = 7};
    struct harness_case c = case_of("rope, natten, attention: 3 heads of 28, 9x10", &t, 3, build_stage, reference_stage);
    c.f32 = 1e-5;
    c.f16 = 2e-3;
    harness_check(&c);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"rope", test_rope},
                           {"rope's angles as torch's", test_rope_angles},
                           {"natten", test_natten},
                           {"natten: range", test_natten_range},
                           {"natten: tiles for GPUs", test_natten_tiles},
                           {"natten: matrices", test_natten_matrices},
                           {"bicubic resize as torch's", test_bicubic},
                           {"attention", test_attention},
                           {"attention: residual", test_residual},
                           {"attention: tiles for GPUs", test_attention_tiles},
                           {"attention: matrices", test_attention_matrices},
                           {"all three", test_stage},
                           CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "attention", tests);
}
