/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four-direction selective scan. Chunks are 8 pixels and workgroups 8 x 8 or 16 x 8: sizes lie on both sides of these;
 * long maps have more than 512 chunks a sequence, which takes one more pass.
 */
#include <stdlib.h>

#include "harness.h"
#include "ref_scan.h"

/* Float32: rounding alone. Float16: x, y and the projection's weights are rounded to 11 bits. */
#define F32 2e-6
#define F16 1e-3

static tensor build(struct net *n, tensor x, const void *arg)
{
    (void)arg;
    return net_scan(n, "ssm", x);
}

static void reference(const float *x, float *out, const void *arg)
{
    const uint32_t *shape = arg, c = shape[0], r = (c + 15) / 16;
    float *x_proj = harness_weight_of("ssm", "x_proj_weight", 4 * (r + 2), c, 1, 0);
    float *dt = harness_weight_of("ssm", "dt_projs_weight", 4, c, r, 0);
    float *dt_bias = harness_weight_of("ssm", "dt_projs_bias", 4, c, 0, 0);
    float *a_logs = harness_weight_of("ssm", "A_logs", 4 * c, 1, 0, 0);
    float *d = harness_weight_of("ssm", "Ds", 4 * c, 0, 0, 0);
    ref_scan(out, x, &(struct ref_scan_weights){x_proj, dt, dt_bias, a_logs, d}, c, shape[1], shape[2]);
    free(x_proj);
    free(dt);
    free(dt_bias);
    free(a_logs);
    free(d);
}

static void check(uint32_t c, uint32_t h, uint32_t w, float scale)
{
    const uint32_t shape[3] = {c, h, w};
    char name[64];
    snprintf(name, sizeof(name), "scan %ux%ux%u x%g", c, h, w, (double)scale);
    harness_check(&(struct harness_case){.name = name,
                                         .c = c,
                                         .h = h,
                                         .w = w,
                                         .scale = scale,
                                         .build = build,
                                         .reference = reference,
                                         .arg = shape,
                                         .f32 = F32,
                                         .f16 = F16});
}

static void test_small(void)
{
    check(32, 7, 7, 1);
    check(20, 1, 1, 1);
    check(36, 1, 9, 1);
    check(36, 17, 1, 1);
}

static void test_tile_edges(void)
{
    check(64, 8, 8, 1);
    check(64, 9, 17, 1);
    check(96, 17, 9, 1);
    check(28, 15, 16, 1);
}

static void test_channels(void)
{
    check(33, 9, 9, 1); /* the last quad is not full */
    check(144, 10, 6, 1);
    check(364, 6, 11, 1);
    check(672, 4, 5, 1);
}

static void test_long(void)
{
    check(32, 600, 7, 1);  /* columns: 525 chunks, rows: 600 */
    check(20, 3, 1500, 1); /* rows: 564 chunks, columns: 1500 */
    check(4, 48, 1032, 1); /* rows: 6192 chunks: the longer segments */
}

/* Steps near 0 and beyond softplus's linear branch at 20, states that vanish within a pixel. */
static void test_large_steps(void)
{
    check(32, 12, 13, 30);
    check(36, 12, 13, 0.01f);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {{"small maps", test_small},    {"edges of tiles", test_tile_edges}, {"channels", test_channels},
                           {"long sequences", test_long}, {"large steps", test_large_steps},   CU_TEST_INFO_NULL};
    return harness_main(argc, argv, "scan", tests);
}
