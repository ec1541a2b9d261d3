/* SPDX-License-Identifier: Apache-2.0 */
/* Slots, growing overlays, staged copies, and what is refused. */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "ref.h"
#include "rig.h"

/* ---- slots, overlay growth, staging, errors ------------------------------------------------------- */

void test_slots(void)
{
    struct rig rig;
    struct segman_result a, b;
    struct segman_style style = {.opacity = 1};
    const struct rig_params p = {
        .frame = {SEGMAN_FORMAT_RGBA, 16, 16, 0, 0, 0}, .view = SEGMAN_VIEW_OVERLAY, .view_format = SEGMAN_FORMAT_RGBA, .slots = 2};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    float *logits = make_logits(&rig, 1, 1, false); /* label 0 everywhere */
    rig_fill(&rig, 0, 1);
    rig_fill(&rig, 1, 2);
    CU_ASSERT_TRUE(rig_logits(&rig, 0, logits));
    style.palette[0][0] = 200;
    style.palette[0][3] = 255;
    frame_set_style(rig.program, &style);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &a));
    style.palette[0][0] = 100;
    frame_set_style(rig.program, &style);
    CU_ASSERT_TRUE(rig_output(&rig, 1, &b));
    CU_ASSERT_EQUAL(a.view.plane[0][0], 200); /* still there */
    CU_ASSERT_EQUAL(b.view.plane[0][0], 100);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &a));
    CU_ASSERT_EQUAL(a.view.plane[0][0], 100);
    CU_ASSERT(frame_program_memory(rig.program) > 4 * 16 * 16 * 4);
    free(logits);
    rig_finish(&rig);
}

void test_overlay_growth(void)
{
    struct rig rig;
    struct segman_result r;
    bool again = false;
    const struct rig_params p = {
        .frame = {SEGMAN_FORMAT_BGRX, 200, 100, 0, 0, 0}, .view = SEGMAN_VIEW_SOURCE, .view_format = SEGMAN_FORMAT_BGRX, .slots = 2};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    uint8_t *rgba = malloc(300 * 200 * 4);
    memset(rgba, 0xff, 300 * 200 * 4);
    struct segman_overlay small = {rgba, 8, 8, 32, 1, 1}, large = {rgba, 300, 200, 1200, -50, -50},
                          outside = {rgba, 300, 200, 1200, 200, 0};
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, &small));
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, &outside));
    CU_ASSERT_FALSE(frame_overlay_grows(rig.program, NULL));
    CU_ASSERT_TRUE(frame_overlay_grows(rig.program, &large));
    CU_ASSERT_TRUE(frame_overlay_reserve(rig.program, &large, &again, NULL));
    CU_ASSERT_TRUE(again);
    frame_set_overlay(rig.program, &large);
    for (uint32_t slot = 0; slot < 2; slot++) {
        rig_fill(&rig, slot, 4);
        CU_ASSERT_TRUE(rig_output(&rig, slot, &r));
        CU_ASSERT(r.view.plane[0][0] == 255 && r.view.plane[0][r.view.stride[0] * 99 + 4 * 199 + 2] == 255);
    }
    CU_ASSERT_TRUE(frame_overlay_reserve(rig.program, NULL, &again, NULL));
    CU_ASSERT_FALSE(again);
    frame_set_overlay(rig.program, NULL);
    CU_ASSERT_TRUE(rig_output(&rig, 0, &r));
    CU_ASSERT_EQUAL(r.view.plane[0][0], frame_planes(rig.program, 0).plane[0][0]);
    free(rgba);
    rig_finish(&rig);
}

/* As on a GPU with memory of its own: frames, styles and results are copied. */
void test_staged(void)
{
    struct gpu_caps *caps = (struct gpu_caps *)gpu_caps(rig_gpu);
    bool unified = caps->unified_memory;
    caps->unified_memory = false;
    const struct rig_params view = {
        .frame = {SEGMAN_FORMAT_NV12, 65, 33, 0, 0, 0}, .view = SEGMAN_VIEW_OVERLAY, .view_format = SEGMAN_FORMAT_NV12};
    check_scene(&view, 0.5f, true);
    const struct rig_params input = {.frame = {SEGMAN_FORMAT_I420, 65, 33, 0, 0, 0}, .net_w = 64, .net_h = 32};
    check_input(&input);
    const struct rig_params crops = {
        .frame = {SEGMAN_FORMAT_RGBA, 70, 67, 0, 0, 0}, .classes = 19, .net_w = 96, .net_h = 64, .crop_w = 64, .crop_h = 64, .stride = 32};
    check_labels(&crops, 19, false);
    caps->unified_memory = unified;
}

static void check_refused(const struct frame_params *p)
{
    struct segman_error error = {0};
    struct frame_program *f = frame_program_create(rig_gpu, p, &error);
    CU_ASSERT_PTR_NULL(f);
    CU_ASSERT_EQUAL(error.status, SEGMAN_ERROR_ARGUMENT);
    CU_ASSERT(error.message[0]);
    frame_program_destroy(f);
}

void test_errors(void)
{
    struct rig rig;
    const struct rig_params p = {.frame = {SEGMAN_FORMAT_RGBA, 16, 16, 0, 0, 0}, .net_w = 64, .net_h = 64, .crop_w = 32, .crop_h = 32};
    CU_ASSERT_TRUE_FATAL(rig_init(&rig, &p));
    struct frame_params q;
#define REFUSED(change)                                                                                                                    \
    q = rig.frame;                                                                                                                         \
    q.change;                                                                                                                              \
    check_refused(&q)
    REFUSED(frame.width = 0);
    REFUSED(frame.height = FRAME_MAX_SIDE + 1);
    REFUSED(net_width = 0);
    REFUSED(net_width = 48);
    REFUSED(slots = 0);
    REFUSED(slots = SEGMAN_MAX_SLOTS + 1);
    REFUSED(n_crops = 1);
    REFUSED(n_crops = 0);
    REFUSED(n_crops = FRAME_MAX_CROPS + 1);
    REFUSED(input.c = 4);
    REFUSED(logits.c = 256);
    REFUSED(logits.w = 5);
    REFUSED(view = 9);
    REFUSED(smooth = 1.5f);
    REFUSED(smooth = -0.1f);
    REFUSED(smooth = NAN);
    static const struct frame_crop gap[4] = {{0, 0}, {32, 0}, {0, 32}, {0, 32}}, odd[4] = {{0, 0}, {32, 0}, {0, 32}, {28, 32}};
    REFUSED(crops = gap);
    REFUSED(crops = odd);
    q = rig.frame;
    q.view = SEGMAN_VIEW_MASK;
    q.view_format = SEGMAN_FORMAT_NV12;
    check_refused(&q);
    frame_program_destroy(NULL);
    rig_finish(&rig);
}
