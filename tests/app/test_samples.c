/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include "app/profile.h"
#include "app/samples.h"

#include <glib.h>

static void summary(void)
{
    static const double values[] = {4, 1, 3, 2};
    struct app_summary s = app_samples_summary(values, 4);

    CU_ASSERT_DOUBLE_EQUAL(s.mean, 2.5, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(s.sd, 1.2909944487, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(s.min, 1, 0);
    CU_ASSERT_DOUBLE_EQUAL(s.max, 4, 0);
    CU_ASSERT_DOUBLE_EQUAL(s.median, 2.5, 1e-12);
    s = app_samples_summary(values, 1);
    CU_ASSERT_DOUBLE_EQUAL(s.median, 4, 0);
    CU_ASSERT_DOUBLE_EQUAL(s.sd, 0, 0);
    s = app_samples_summary(NULL, 0);
    CU_ASSERT_EQUAL(s.count, 0);
    CU_ASSERT_DOUBLE_EQUAL(s.mean, 0, 0);
}

static void expect_stage(const char *scope, const char *wanted)
{
    g_autofree char *stage = app_profile_stage(scope);

    CU_ASSERT_STRING_EQUAL(stage, wanted);
}

static void stages(void)
{
    expect_stage("backbone.layers.2.blocks.0.mlp.fc1", "backbone.layers.2");
    expect_stage("backbone.patch_embed.proj.0", "backbone.patch_embed");
    expect_stage("decode_head.cls_seg", "decode_head.cls_seg");
    expect_stage("input", "input");
    expect_stage("", "");
}

CU_TestInfo test_samples[] = {{"summary", summary}, {"stages", stages}, CU_TEST_INFO_NULL};
