/* SPDX-License-Identifier: Apache-2.0 */
/* Measured choices of convolutions: asked for, measured, kept in a file, used; damaged files are no choices. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../vk/net/lower.h"
#include "harness.h"

static char folder[200], path[256];

static uint32_t all_rows(void)
{
    uint32_t rows = 0;
    for (uint32_t row = 1; row <= op_conv_variants(); row++)
        if (op_conv_has_variant(gpu_caps(harness_gpu()), row))
            rows |= 1u << (row - 1);
    return rows;
}

static uint32_t last_row(void)
{
    uint32_t last = 0, rows = all_rows();
    for (uint32_t row = 1; row <= 32; row++)
        if (rows >> (row - 1) & 1)
            last = row;
    return last;
}

static struct net_job job_of(uint32_t c, uint32_t side, uint32_t out)
{
    return (struct net_job){.c = c, .h = side, .w = side, .out = out, .kernel = 1, .stride = 1, .rows = all_rows()};
}

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f && fputs(text, f) >= 0 && !fclose(f));
}

static void test_names(void)
{
    char name[OP_CONV_ROW_NAME];
    for (uint32_t row = 1; row <= op_conv_variants(); row++) {
        op_conv_row_name(row, name);
        CU_ASSERT_EQUAL(op_conv_row(name), row);
    }
    CU_ASSERT_EQUAL(op_conv_row("conv 1 2 3x4x5"), 0);
    CU_ASSERT_EQUAL(op_conv_row(""), 0);
}

static void test_file(void)
{
    struct segman_error error = {0};
    struct net_tuning *a = net_tuning_create(), *b = net_tuning_create();
    struct net_job job = job_of(16, 8, 24), other = job_of(16, 8, 28);
    CU_ASSERT_EQUAL(net_tuning_row(a, &job), 0);
    net_tuning_choose(a, &job, last_row());
    CU_ASSERT_EQUAL(net_tuning_row(a, &job), last_row());
    CU_ASSERT(net_tuning_save(a, path, &error));
    net_tuning_load(b, path);
    CU_ASSERT_EQUAL(net_tuning_row(b, &job), last_row());
    CU_ASSERT_EQUAL(net_tuning_row(b, &other), 0);
    job.rows = 0; /* a row that cannot compute it is no choice */
    CU_ASSERT_EQUAL(net_tuning_row(b, &job), 0);
    CU_ASSERT_FALSE(net_tuning_save(a, "/nowhere/at/all.json", &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_IO);
    net_tuning_destroy(a);
    net_tuning_destroy(b);
}

static void test_damaged(void)
{
    static const char *const texts[] = {"", "{", "[1]", "{\"16x8x8 to 24, kernel 1 stride 1 pad 0, f32\": 7}",
                                        "{\"16x8x8 to 24, kernel 1 stride 1 pad 0, f32\": \"a shader of another time\"}"};
    struct net_job job = job_of(16, 8, 24);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct net_tuning *t = net_tuning_create();
        write_text(texts[i]);
        net_tuning_load(t, path);
        CU_ASSERT_EQUAL(net_tuning_row(t, &job), 0);
        net_tuning_destroy(t);
    }
    struct net_tuning *t = net_tuning_create();
    net_tuning_load(t, "/nowhere/at/all.json");
    CU_ASSERT_EQUAL(net_tuning_row(t, &job), 0);
    net_tuning_destroy(t);
}

static bool count(void *user, uint32_t done, uint32_t total)
{
    uint32_t *calls = user;
    CU_ASSERT_EQUAL(done, *calls);
    CU_ASSERT_EQUAL(total, 2);
    return ++*calls < 3;
}

/* What is measured was compiled before, all of it at once: measuring the first layer makes no pipeline more. */
static bool count_pipelines(void *user, uint32_t done, uint32_t total)
{
    uint32_t *compiled = user;
    CU_ASSERT(total > 2);
    compiled[done > 0] = gpu_pipelines_count(harness_gpu());
    return done < 2;
}

static void test_prepared(void)
{
    struct segman_error error = {0};
    struct net_tuning *t = net_tuning_create();
    uint32_t compiled[2] = {0, 0};
    net_tuning_collect(t, true);
    for (uint32_t i = 0; i < 4; i++) {
        struct net_job job = job_of(8, 16, 20);
        job.kernel = job.stride = 1 + i % 3;
        job.h += 16 * (i / 3);
        net_tuning_row(t, &job);
    }
    uint32_t before = gpu_pipelines_count(harness_gpu());
    CU_ASSERT(net_tune(t, harness_gpu(), count_pipelines, compiled, &error));
    CU_ASSERT_EQUAL(compiled[0], before);
    CU_ASSERT(compiled[1] > before);
    CU_ASSERT_EQUAL(gpu_pipelines_count(harness_gpu()), compiled[1]);
    net_tuning_destroy(t);
}

static bool stop(void *user, uint32_t done, uint32_t total)
{
    (void)user, (void)total;
    return done == 0;
}

static void test_measured(void)
{
    struct segman_error error = {0};
    struct net_tuning *t = net_tuning_create();
    struct net_job a = job_of(16, 8, 24), b = job_of(8, 40, 36);
    uint32_t calls = 0;
    CU_ASSERT_EQUAL(net_tuning_row(t, &a), 0); /* nobody collects yet */
    net_tuning_collect(t, true);
    net_tuning_row(t, &a);
    net_tuning_row(t, &b);
    net_tuning_row(t, &a);
    CU_ASSERT(net_tune(t, harness_gpu(), count, &calls, &error));
    CU_ASSERT_EQUAL(calls, 2);
    CU_ASSERT_NOT_EQUAL(net_tuning_row(t, &a), 0);
    CU_ASSERT_NOT_EQUAL(net_tuning_row(t, &b), 0);
    net_tuning_destroy(t);
}

static void test_stopped(void)
{
    struct segman_error error = {0};
    struct net_tuning *t = net_tuning_create();
    struct net_job a = job_of(16, 8, 24), b = job_of(8, 40, 36);
    net_tuning_collect(t, true);
    net_tuning_row(t, &a);
    net_tuning_row(t, &b);
    CU_ASSERT(net_tune(t, harness_gpu(), stop, NULL, &error));
    CU_ASSERT_NOT_EQUAL(net_tuning_row(t, &a), 0);
    CU_ASSERT_EQUAL(net_tuning_row(t, &b), 0);
    net_tuning_destroy(t);
}

/* Groups of the one pass of a convolution: they tell the tile. */
static void groups_of(struct net_tuning *t, uint32_t forced, uint32_t groups[3])
{
    struct segman_error error = {0};
    const struct net_pass *pass;
    struct net *n = harness_net();
    net_output(n, net_conv(n, "conv", net_input(n, 16, 40, 40), &(struct net_conv){.out = 24, .kernel = 1}));
    struct net_program *p = net_program_create(harness_gpu(), n, &(struct net_program_params){.conv_variant = forced, .tuning = t}, &error);
    CU_ASSERT_FATAL(p && net_program_passes(p, &pass) == 1);
    memcpy(groups, pass[0].groups, 3 * sizeof(*groups));
    net_program_destroy(p);
    net_destroy(n);
}

static void test_used(void)
{
    struct net_tuning *t = net_tuning_create();
    struct net_job job = job_of(16, 40, 24);
    for (uint32_t row = 1; row <= op_conv_variants(); row++) {
        uint32_t chosen[3], forced[3];
        char name[OP_CONV_ROW_NAME];
        op_conv_row_name(row, name);
        if (!(all_rows() >> (row - 1) & 1) || strstr(name, "coop")) /* the job is float32 */
            continue;
        net_tuning_choose(t, &job, row);
        groups_of(t, 0, chosen);
        groups_of(NULL, row, forced);
        CU_ASSERT(!memcmp(chosen, forced, sizeof(chosen)));
    }
    net_tuning_destroy(t);
}

/* ---- what the device does at most -------------------------------------------------------------- */

static void test_peak(void)
{
    struct segman_error error = {0};
    struct segman_peak peak;
    const struct gpu_shader *coop = gpu_shader_find("peak_coop");
    bool matrices = gpu_caps(harness_gpu())->coop.m && coop;
    CU_ASSERT(!coop || gpu_shader_has_matrices(coop));
    CU_ASSERT(!gpu_shader_has_matrices(gpu_shader_find("peak")));
    bool good = gpu_peak_measure(harness_gpu(), &peak, &error);
    CU_ASSERT(good);
    if (!good)
        printf("  %s\n", error.message);
    CU_ASSERT(peak.bytes_per_second > 1e8 && peak.bytes_per_second < 1e14);
    CU_ASSERT(peak.flops > 1e8 && peak.flops < 1e16);
    CU_ASSERT((peak.matrix_flops > 0) == matrices);
    CU_ASSERT(peak.pass_seconds > 1e-8 && peak.pass_seconds < 1e-2);
}

static void test_peak_without_timers(void)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(harness_gpu());
    const bool own = caps->timestamps;
    struct segman_error error = {0};
    struct segman_peak peak;
    caps->timestamps = false;
    CU_ASSERT(!gpu_peak_measure(harness_gpu(), &peak, &error));
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_UNSUPPORTED);
    caps->timestamps = own;
}

static CU_TestInfo tests[] = {{"names", test_names},
                              {"file", test_file},
                              {"damaged file", test_damaged},
                              {"measured", test_measured},
                              {"compiled at once", test_prepared},
                              {"stopped", test_stopped},
                              {"used", test_used},
                              {"peak", test_peak},
                              {"peak without timers", test_peak_without_timers},
                              CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    const char *where = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/segman-tuning-XXXXXX", where ? where : P_tmpdir);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/tuning.json", folder);
    int result = harness_main(argc, argv, "tuning", tests);
    unlink(path);
    rmdir(folder);
    return result;
}
