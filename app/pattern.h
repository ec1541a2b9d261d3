/* SPDX-License-Identifier: Apache-2.0 */
/**
 * pattern.h: the picture that benchmarks run on.
 */
#ifndef APP_PATTERN_H
#define APP_PATTERN_H

#include <stdint.h>

/** Smooth waves with reproducible noise, the same on every machine: 4 bytes a pixel, opaque. */
void app_pattern_fill(uint8_t *rgba, uint32_t width, uint32_t height, uint32_t stride);

#endif
