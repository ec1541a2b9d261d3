/* SPDX-License-Identifier: Apache-2.0 */
/** cases.h: the tests of all files of this folder, and what they share. */
#ifndef TESTS_FRAME_CASES_H
#define TESTS_FRAME_CASES_H

#include "rig.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct side_pair {
    uint32_t w, h;
};
extern const enum segman_pixel_format formats[4];
extern const struct side_pair sizes[6];

/** Validation messages so far. */
uint32_t messages(void);

/** Made-up logits of the rig; malloc'ed. */
float *make_logits(const struct rig *rig, uint32_t distinct, uint32_t seed, bool smooth);
void check_input(const struct rig_params *params);
void check_labels(const struct rig_params *p, uint32_t distinct, bool smooth);
void check_scene(const struct rig_params *p, float opacity, bool picture);

void test_layout(void);
void test_crops(void);
void test_ycbcr(void);
void test_convert(void);
void test_convert_sizes(void);
void test_known_colours(void);
void test_input(void);
void test_input_crops(void);
void test_identity(void);
void test_labels(void);
void test_labels_sizes(void);
void test_labels_large(void);
void test_labels_ties(void);
void test_labels_crops(void);
void test_confidence(void);
void test_views(void);
void test_views_sizes(void);
void test_pass_through(void);
void test_slots(void);
void test_overlay_growth(void);
void test_staged(void);
void test_errors(void);

#endif
