/* SPDX-License-Identifier: Apache-2.0 */
/**
 * profile.h: where a frame's GPU time goes, by operation, by stage and by pass.
 */
#ifndef APP_PROFILE_H
#define APP_PROFILE_H

#include "vk/segman.h"

#include <jansson.h>

/** Means over the profiled frames. */
struct app_profile;

struct app_profile *app_profile_create(const struct segman_session *session);
void app_profile_destroy(struct app_profile *profile);
/** Adds the last waited frame's times. */
void app_profile_add(struct app_profile *profile, const struct segman_session *session);
/** What the device does at most, for the share of it that each pass reaches (its roofline); not given: the tables do without. */
void app_profile_set_peak(struct app_profile *profile, const struct segman_peak *peak);
/** Tables by operation and by stage; full: every pass too. */
void app_profile_print(const struct app_profile *profile, bool full, FILE *out);
/** least_ms of a pass: the time at the device's rates, of arithmetic or of memory, whichever is longer; 0 where not measured. */
json_t *app_profile_json(const struct app_profile *profile);
json_t *app_profile_peak_json(const struct app_profile *profile);

/** "backbone.layers.2.blocks.0.mlp.fc1" -> "backbone.layers.2"; other scopes keep two parts. g_free() it. */
char *app_profile_stage(const char *scope);

#endif
