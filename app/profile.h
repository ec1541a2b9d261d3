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
/** Tables by operation and by stage; full: every pass too. */
void app_profile_print(const struct app_profile *profile, bool full, FILE *out);
json_t *app_profile_json(const struct app_profile *profile);

/** "backbone.layers.2.blocks.0.mlp.fc1" -> "backbone.layers.2"; other scopes keep two parts. g_free() it. */
char *app_profile_stage(const char *scope);

#endif
