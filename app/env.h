/* SPDX-License-Identifier: Apache-2.0 */
/**
 * env.h: the only place that reads environment variables (GLib reads the XDG ones).
 */
#ifndef APP_ENV_H
#define APP_ENV_H

#include <stdbool.h>

/** SEGMAN_DEVICE, or NULL where unset or empty. */
const char *app_env_device(void);
/** NO_COLOR is set and not empty. */
bool app_env_no_color(void);

#endif
