/* SPDX-License-Identifier: Apache-2.0 */
/**
 * log.h: diagnostics on stderr, and the status line under them. Every function may be called from
 * any thread.
 */
#ifndef APP_LOG_H
#define APP_LOG_H

#include "vk/segman.h"

/** Colours only when stderr is a terminal and NO_COLOR is not set. */
void app_log_init(enum segman_log_level level);
bool app_log_enabled(enum segman_log_level level);
/** stderr is a terminal. */
bool app_log_terminal(void);

void app_log(enum segman_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A segman_log_fn. */
void app_log_segman(void *user, enum segman_log_level level, const char *text);

/** Redraws the status line (terminals only); NULL takes it away. Log lines appear above it. */
void app_log_status(const char *line);

#endif
