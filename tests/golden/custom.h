/* SPDX-License-Identifier: Apache-2.0 */
/** custom.h: writes a procedural checkpoint of any architecture: the graph itself says which tensors it needs. */
#ifndef TESTS_CUSTOM_H
#define TESTS_CUSTOM_H

#include "vk/segman.h"

/** The architecture of tools/make_golden.py's 'custom' case. */
extern const struct segman_architecture custom_architecture;
/** A float32 .safetensors file with all its tensors; false where it cannot be written. */
bool custom_write(const struct segman_architecture *architecture, const char *path);

#endif
