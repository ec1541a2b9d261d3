/* SPDX-License-Identifier: Apache-2.0 */
/* Procedural weights and images against numbers of the reference (segman_ref.py), to the last bit. */
#include "support.h"

static uint64_t hash_of(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

static void test_uniform(void)
{
    static const float a[3] = {-0x1.06b1fp-2f, 0x1.fe13c4p-1f, 0x1.f7eac4p-1f};
    static const float image[3] = {0x1.88bc78p-2f, 0x1.cb23a4p-1f, 0x1.0cdf3p-2f};
    float out[3];
    procedural_uniform("a", 3, out);
    CU_ASSERT(memcmp(out, a, sizeof(a)) == 0);
    procedural_uniform("image", 3, out);
    CU_ASSERT(memcmp(out, image, sizeof(image)) == 0);
}

/* name, rank, shape, first, second and last value, FNV-1a of all bytes */
static const struct {
    const char *name;
    uint32_t rank;
    uint64_t shape[4];
    float values[3];
    uint64_t hash;
} golden[] = {
    {"backbone.patch_embed.1.running_mean", 1, {5}, {-0x1.1083a0p-5f, -0x1.c8e3dap-5f, -0x1.9d5a66p-9f}, 0x0591224add982780u},
    {"backbone.patch_embed.1.running_var", 1, {5}, {0x1.302580p+0f, 0x1.183612p+0f, 0x1.6d062cp+0f}, 0xdf29e3a53b1fdb6du},
    {"backbone.layers.0.blocks.0.token_mixer.ssm.A_logs",
     2,
     {5, 1},
     {0x1.a422c0p-2f, -0x1.6af8a8p-2f, -0x1.b6916cp-2f},
     0x51d07142dc7b6ae2u},
    {"backbone.layers.0.blocks.0.token_mixer.ssm.Ds", 1, {5}, {0x1.9aa098p-1f, 0x1.e3b9a4p-1f, 0x1.02450ep+0f}, 0xec68679d796e6e88u},
    {"backbone.layers.0.blocks.0.token_mixer.ssm.dt_projs_bias",
     2,
     {4, 5},
     {-0x1.5919c4p+1f, -0x1.7bf1e0p+2f, -0x1.7f98c6p+2f},
     0x75d8db2121cad88du},
    {"backbone.layers.0.blocks.0.token_mixer.ssm.dt_projs_weight",
     3,
     {4, 5, 3},
     {-0x1.2821a0p-3f, -0x1.7e3ed4p-2f, -0x1.da0acep-2f},
     0xa99a9370ffd0b3fbu},
    {"decode_head.conv_seg.bias", 1, {5}, {0x1.3b1654p-5f, 0x1.c13cdap-5f, 0x1.8e1f30p-4f}, 0xf52237897fa56d47u},
    {"backbone.layers.0.blocks.0.token_mixer.rpb.0", 3, {1, 3, 3}, {0x1.3d0460p-3f, -0x1.7ccea8p-2f, 0x1.663f00p-2f}, 0xa12f23e6b00c279du},
    {"backbone.layers.0.blocks.0.layer_scale1.weight",
     4,
     {5, 1, 1, 1},
     {0x1.73ff58p-2f, 0x1.f49186p-2f, 0x1.728c68p-2f},
     0x2c63fac453f48b14u},
    {"backbone.layers.0.blocks.0.layer_scale1.bias", 1, {5}, {0x1.b7a860p-5f, 0x1.337024p-4f, 0x1.4e3be6p-7f}, 0x6d32b45b03acb1b4u},
    {"backbone.layers.0.blocks.0.norm1.weight", 1, {5}, {0x1.1d41cep+0f, 0x1.059972p+0f, 0x1.202c18p+0f}, 0x6ac534518925b542u},
    {"decode_head.conv_seg.weight", 4, {5, 7, 1, 1}, {-0x1.c97b16p-3f, 0x1.e7e4f6p-3f, -0x1.7b9440p-2f}, 0x27d7b22535f60c46u},
    {"backbone.layers.0.blocks.0.token_mixer.proj.weight",
     4,
     {5, 3, 1, 1},
     {0x1.50cd80p-5f, -0x1.179e70p-5f, -0x1.02be90p-3f},
     0xb87589be4c1fa187u},
    {"backbone.layers.0.blocks.0.mlp.fc2.weight", 4, {5, 3, 1, 1}, {0x1.ebf38cp-3f, -0x1.da3480p-5f, 0x1.efeee4p-3f}, 0x8ef753ce21dbf33au},
    {"backbone.layers.0.blocks.0.cpe1.weight", 4, {5, 1, 3, 3}, {0x1.034738p-5f, 0x1.1bf45ep-6f, 0x1.170fe0p-6f}, 0xe67edc3bff3d10c5u},
    {"backbone.layers.0.blocks.0.cpe1.bias", 1, {5}, {-0x1.21f090p-4f, -0x1.1bb01ap-4f, 0x1.3a3700p-6f}, 0x18dd281ef4d364f8u},
    {"backbone.layers.0.blocks.0.token_mixer.ssm.x_proj_weight",
     3,
     {16, 5, 1},
     {-0x1.7e4476p-3f, -0x1.6843fcp-1f, 0x1.262082p-3f},
     0x512ab22d1787d546u},
};

static void test_value(void)
{
    float out[256];
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        size_t n = 1;
        for (uint32_t d = 0; d < golden[i].rank; d++)
            n *= golden[i].shape[d];
        procedural_value(golden[i].name, golden[i].rank, golden[i].shape, out);
        bool same = out[0] == golden[i].values[0] && out[1] == golden[i].values[1] && out[n - 1] == golden[i].values[2];
        CU_ASSERT(same && hash_of(out, n * sizeof(float)) == golden[i].hash);
        if (!same)
            printf("\n    %s: %a %a %a\n", golden[i].name, (double)out[0], (double)out[1], (double)out[n - 1]);
    }
}

static void test_image(void)
{
    static const uint8_t first[4] = {139, 156, 138, 105}, last[3] = {85, 121, 108};
    uint8_t image[3 * 37 * 53];
    procedural_image(37, 53, image);
    CU_ASSERT(memcmp(image, first, 4) == 0);
    CU_ASSERT(memcmp(image + sizeof(image) - 3, last, 3) == 0);
    CU_ASSERT_EQUAL(hash_of(image, sizeof(image)), 0x976d5a0d019aefa2u);
}

static void test_synthetic(void)
{
    uint32_t classes = 0;
    const uint64_t shape[1] = {5};
    float values[5], expected[5];
    struct checkpoint *checkpoint = check_opens("synthetic:l2:19");
    CU_ASSERT(checkpoint_is_synthetic(checkpoint));
    CU_ASSERT_STRING_EQUAL(checkpoint_synthetic_variant(checkpoint, &classes), "l2");
    CU_ASSERT_EQUAL(classes, 19);
    CU_ASSERT_EQUAL(checkpoint_count(checkpoint), 0);
    CU_ASSERT_PTR_NULL(checkpoint_at(checkpoint, 0));
    CU_ASSERT_PTR_NULL(checkpoint_find(checkpoint, "x"));
    CU_ASSERT_PTR_NULL(checkpoint_dataset(checkpoint));
    CU_ASSERT_PTR_NULL(checkpoint_metadata(checkpoint, "format"));
    CU_ASSERT(checkpoint_read(checkpoint, "x.bias", 1, shape, values, NULL));
    procedural_value("x.bias", 1, shape, expected);
    CU_ASSERT(memcmp(values, expected, sizeof(values)) == 0);
    checkpoint_destroy(checkpoint);
    checkpoint = check_opens("synthetic:t");
    CU_ASSERT_STRING_EQUAL(checkpoint_synthetic_variant(checkpoint, &classes), "t");
    CU_ASSERT_EQUAL(classes, 150);
    checkpoint_destroy(checkpoint);
}

static void test_synthetic_refused(void)
{
    check_refused("synthetic:", "variant|t, s, b, l or l2");
    check_refused("synthetic:x", "synthetic:x|variant");
    check_refused("synthetic:t:", "classes|1 to 255");
    check_refused("synthetic:t:0", "classes|1 to 255");
    check_refused("synthetic:t:256", "classes|1 to 255");
    check_refused("synthetic:t:99999999999999999999", "classes|1 to 255");
    check_refused("synthetic:t:15x", "classes|1 to 255");
    check_refused("synthetic:t:-1", "classes|1 to 255");
}

int main(void)
{
    static const struct test tests[] = {
        {"uniform", test_uniform},           {"value", test_value}, {"image", test_image}, {"synthetic checkpoints", test_synthetic},
        {"refused", test_synthetic_refused},
    };
    return run_tests("procedural", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
